"""The boards that hang now: each rendered once per unit and variant, and anew when something on it changed.

The engine says what a commit changed (`ports.Phones`), and when the roster or somebody's reach did; whatever
says nothing (a maintenance window that begins, a drill) is found by looking every few seconds. A board gets a
new frame at most `FRAMES_PER_S` times a second, the newest state each time: what came between is not sent.

It stays out of the alarm path: what the engine calls notes ids and returns, and rendering waits until phones
and sources have had theirs. It refuses to hold anything per connection: who follows a board reads its newest
frame (`web.board_door`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from alarmhub import logs
from alarmhub.core.alarm import Alarm
from alarmhub.core.board import units_concerned
from alarmhub.core.roster import Shift
from alarmhub.core.trials import Maintenance
from alarmhub.core.world import World
from alarmhub.engine.engine import Engine
from alarmhub.logs import Line
from alarmhub.ports import Change, Desk
from alarmhub.web.board_view import Board, Facts, RedPhone, board

FRAMES_PER_S: Final = 5
SETTLE_S: Final = 0.02
"""Phones, sources and callers go first; then the boards look."""
BEAT_S: Final = 2.5
"""How often every board hears from the hub, whatever happens: three in a row make 10 s of silence."""
AT_ONCE: Final = 256
"""Alarms sorted in one go before others get their turn."""

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")


class BoardFrame(Struct, frozen=True):
    """What a board is sent, and the answer to who asks once. `at`: the hub's clock, epoch ms."""

    at: int
    board: Board


class Screen:
    """One unit's board in one variant. `number` rises with each new frame, `frame` is the newest."""

    def __init__(self, unit: str, *, public: bool) -> None:
        self.unit, self.public = unit, public
        self.followers = 0
        self.number = 0
        self.frame = b""
        self.shown: Board | None = None
        self.dirty = True
        self.failed = False
        """It could not be rendered: then it says nothing at all, for a stale board that beats looks alive."""
        self.due_at = 0.0
        self._turn = asyncio.Event()

    def wake(self) -> None:
        """Something for those who follow: a frame, a beat, the end."""
        self._turn.set()
        self._turn = asyncio.Event()

    async def news(self) -> None:
        """Wait for it."""
        await self._turn.wait()


class Boards:
    """See the module. `maintenances`: windows by source; `red`: what is wrong with phones of a unit;
    `shifts`: what people said of being at work. Make it inside a running event loop, and run `run`."""

    def __init__(
        self,
        *,
        desk: Desk,
        maintenances: Callable[[], Mapping[str, Maintenance]],
        red: Callable[[str], Sequence[RedPhone]] = lambda unit: (),
        shifts: Mapping[str, Shift] = MappingProxyType({}),
    ) -> None:
        self._desk, self._maintenances, self._red, self._shifts = desk, maintenances, red, shifts
        self._loop = asyncio.get_running_loop()
        self._screens: dict[tuple[str, bool], Screen] = {}
        self._woken = asyncio.Event()
        self._touched: dict[str, Alarm] = {}
        self._units: dict[str, frozenset[str]] = {}
        self._alarms: dict[str, dict[str, Alarm]] = {}
        self._sorted_for: tuple[int, str] | None = None
        self._beat_at = 0.0
        self.beats = 0
        self.beat = b""
        """The newest heartbeat as bytes."""
        self.generation = 0
        """Rises when every follower must come again: secrets have changed."""
        self.closing = False

    # What the engine says (ports.Phones); never waits

    def listen(self, engine: Engine) -> None:
        """Hear of commits, of the roster and of who is reached."""
        engine.show_to(self)
        engine.on_roster.append(self.look)
        engine.contacts.on_change.append(self.reach_changed)

    def refresh(self, changes: Sequence[Change]) -> None:
        """Committed: note which alarms changed."""
        if not self._screens:
            return
        for change in changes:
            self._touched[change.after.id] = change.after
        self._woken.set()

    def storing(self, storing: bool) -> None:
        """Every board shows it."""
        self.look()

    def reach_changed(self, staff: str) -> None:
        """The boards of a person's units may look different."""
        if not self._screens:
            return
        for duty in self._desk.world().roster.by_staff.get(staff, ()):
            self._soil(duty.unit)

    def look(self) -> None:
        """Something changed that concerns all boards: roster, site, banners, red list."""
        for screen in self._screens.values():
            screen.dirty = True
        self._woken.set()

    def _soil(self, unit: str) -> None:
        for public in (False, True):
            screen = self._screens.get((unit, public))
            if screen is not None:
                screen.dirty = True
                self._woken.set()

    def everybody_again(self) -> None:
        """Secrets were added or revoked: who follows must ask anew."""
        self.generation += 1
        for screen in self._screens.values():
            screen.wake()

    def close(self) -> None:
        """The hub stops: let go of everybody. Idempotent."""
        self.closing = True
        self.everybody_again()

    # Who looks

    @contextmanager
    def following(self, unit: str, *, public: bool) -> Iterator[Screen]:
        """A board as long as somebody looks at it."""
        screen = self._screens.setdefault((unit, public), Screen(unit, public=public))
        screen.followers += 1
        self._woken.set()
        try:
            yield screen
        finally:
            screen.followers -= 1
            if not screen.followers and self._screens.get((unit, public)) is screen:
                del self._screens[unit, public]

    @property
    def followers(self) -> int:
        """How many connections follow a board."""
        return sum(screen.followers for screen in self._screens.values())

    def once(self, unit: str, *, public: bool) -> BoardFrame:
        """A board of this instant for who asks once."""
        return BoardFrame(self._desk.now(), self._view(unit, self._desk.open_alarms(), public=public))

    # The work

    async def run(self) -> None:
        """Render what changed, for ever."""
        while True:
            await self._next()
            await self.render()

    async def _next(self) -> None:
        now = self._loop.time()
        due = [screen.due_at for screen in self._screens.values() if screen.dirty]
        until = min([*due, self._beat_at])
        if until > now:
            try:
                async with asyncio.timeout(until - now):
                    await self._woken.wait()
            except TimeoutError:
                return
        self._woken.clear()
        await asyncio.sleep(SETTLE_S)

    async def render(self) -> None:
        """Bring every board that changed, and may have a frame now, up to date; beat when it is time."""
        now = self._loop.time()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._say_beat()
        if not self._screens:
            self._touched.clear()
            self._sorted_for = None
            return
        await self._sort()
        for screen in list(self._screens.values()):
            if screen.dirty and (screen.due_at <= now or not screen.number):
                self._render(screen, now)
                await asyncio.sleep(0)

    def _say_beat(self) -> None:
        self.beats += 1
        self.beat = self.beat_now()
        for screen in self._screens.values():
            screen.dirty = True  # for what nobody tells: time, drills, warnings
            screen.wake()

    def beat_now(self) -> bytes:
        """A heartbeat of this instant, which also sets the clock of a board that has just come."""
        return _event("beat", _encode({"at": self._desk.now(), "storing": self._desk.storing}))

    async def _sort(self) -> None:
        """Keep the open alarms by the units they concern; all anew under another roster or site."""
        world = self._desk.world()
        ours = (world.site.version, world.roster.hash)
        touched: Iterable[Alarm] = self._touched.values()
        if ours != self._sorted_for:
            self._units, self._alarms = {}, {}
            touched = list(self._desk.open_alarms())
            for screen in self._screens.values():
                screen.dirty = True
        self._sorted_for, self._touched = ours, {}
        for count, alarm in enumerate(touched):
            self._file(alarm, world)
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)

    def _file(self, alarm: Alarm, world: World) -> None:
        newest = self._desk.open_alarm(alarm.id)
        before = self._units.pop(alarm.id, frozenset())
        for unit in before:
            self._alarms[unit].pop(alarm.id, None)
        after: frozenset[str] = frozenset()
        if newest is not None:
            after = self._units[alarm.id] = units_concerned(newest, world)
            for unit in after:
                self._alarms.setdefault(unit, {})[alarm.id] = newest
        for unit in before | after:
            self._soil(unit)

    def _render(self, screen: Screen, now: float) -> None:
        screen.dirty = False
        screen.due_at = now + 1 / FRAMES_PER_S
        unit, public = screen.unit, screen.public
        try:
            shown = self._view(unit, self._alarms.get(unit, {}).values(), public=public)
        except Exception as exc:  # noqa: BLE001  one board that cannot be rendered must not still the others
            _log.error(Line.BOARD_FAILED, exc=exc, unit=unit)
            screen.failed = True
            return
        screen.failed = False
        if shown == screen.shown:
            return
        screen.shown = shown
        screen.number += 1
        screen.frame = _event("board", _encode(BoardFrame(self._desk.now(), shown)), screen.number)
        screen.wake()

    def _view(self, unit: str, alarms: Iterable[Alarm], *, public: bool) -> Board:
        desk = self._desk
        facts = Facts(
            now=desk.now(), storing=desk.storing, alarms=list(alarms), shown_to=desk.shown_to,
            maintenances=self._maintenances(), red=self._red(unit), shifts=self._shifts,
        )  # fmt: skip
        return board(unit, desk.world(), facts, public=public)


def _event(name: str, data: bytes, number: int | None = None) -> bytes:
    """A Server-Sent Event; JSON has no line end of its own."""
    id = b"" if number is None else b"id: %d\n" % number
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), id, data)
