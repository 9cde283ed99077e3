"""The trials of this shard: test mode, maintenance windows, walk tests, and which points are verified.

It stands before the queue: `admit` turns a signal that falls under a trial into a drill, and marks one from a
point nobody has verified. It keeps its facts in the database, ends every window at its time, and refuses what
ward.md forbids: longer than two hours, or an emergency, a team, an assault that does not ring.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core import trials
from alarmhub.core.addressing import key_of
from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.signalling import kind_of
from alarmhub.core.trials import LONGEST_S, Maintenance, Pressed, Test, Verified, Walk
from alarmhub.core.world import World
from alarmhub.engine import ids, notices
from alarmhub.logs import Line
from alarmhub.ports import FactRow

LOOK_EVERY_S: Final = 1.0
ANNOUNCED_MOST_S: Final = 14 * 86_400

_SCOPES: Final[dict[str, Any]] = {
    "test": Test, "maintenance": Maintenance, "walk": Walk, "verified": Verified,
}  # fmt: skip
_T = TypeVar("_T")
_log = logs.get("trials")


class TrialRefused(ValueError):
    """The trial cannot be; `field` and `why` say what was expected."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


class Trials:
    """See the module. `fact` stores, `say` takes a signal of the hub's own, `opened` knows open alarms;
    `lost` tells that a source is silent, `is_up` whether it is not, `shown` that banners have changed,
    `forgotten` waits until a fact is no more."""

    def __init__(
        self,
        *,
        clock: Clock,
        world: Callable[[], World],
        fact: Callable[[str, str, bytes | None], None],
        say: Callable[[Signal], None],
        opened: Callable[[str, str], Alarm | None],
        lost: Callable[[str], Awaitable[None]],
        is_up: Callable[[str], bool],
        shown: Callable[[], None],
        forgotten: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._clock, self._world, self._fact, self._say = clock, world, fact, say
        self._opened, self._lost, self._is_up, self._shown = opened, lost, is_up, shown
        self._forgotten = forgotten
        self._roster = ""
        self.tests: dict[str, Test] = {}
        self.maintenances: dict[str, Maintenance] = {}
        self.walks: dict[str, Walk] = {}
        self.verified: dict[str, Verified] = {}
        self._tables: dict[str, dict[str, Any]] = {
            "test": self.tests, "maintenance": self.maintenances, "walk": self.walks,
            "verified": self.verified,
        }  # fmt: skip

    def take(self, facts: Iterable[FactRow]) -> None:
        """What a start found."""
        for fact in facts:
            if fact.scope in _SCOPES and fact.body is not None:
                self._tables[fact.scope][fact.key] = msgspec.json.decode(fact.body, type=_SCOPES[fact.scope])

    # Signals

    def admit(self, signal: Signal) -> Signal:
        """The signal as it counts now."""
        if not (self.tests or self.walks or self.verified) or signal.source == notices.HUB:
            return signal
        world, now = self._world(), self._clock.now()
        opened = self._opened(signal.source, key_of(signal, world))
        if not trials.may_be_trial(signal, world) or (opened is not None and not opened.drill):
            return self._marked(signal, world)
        walk = self.walks.get(signal.source)
        if walk is not None and walk.from_at <= now < walk.until_at and signal.place in world.site.places:
            if opened is None or signal.place not in walk.pressed:
                self._press(walk, signal, world, now)
            if trials.hears(walk.by, world):
                return trials.as_drill(signal, heard=True, targets=(f"staff:{walk.by}",))
        test = trials.test_of(signal, self.tests.values(), world, now)
        if test is not None:
            return trials.as_drill(signal, heard=test.heard)
        return self._marked(signal if opened is None else self._real(signal, world), world)

    def _real(self, signal: Signal, world: World) -> Signal:
        """The drill it began as is still open, the trial is over: it says what it is now."""
        if signal.event is SignalEvent.UPDATE or signal.kind is not None or signal.type is not None:
            return signal
        return replace(signal, kind=kind_of(signal, world)[0])

    def _marked(self, signal: Signal, world: World) -> Signal:
        """A point that was never ticked rings with a word about it."""
        known = self.verified.get(signal.source)
        if known is None or signal.event not in trials.BEGINS or signal.place not in world.site.places:
            return signal
        if trials.verified(signal.place, known, self._rules(signal.source)):
            return signal
        return replace(signal, unverified=True)

    def _press(self, walk: Walk, signal: Signal, world: World, now: int) -> None:
        pressed = Pressed(now, str(kind_of(signal, world)[0]), signal.source_text)
        self._keep("walk", walk.source, replace(walk, pressed={**walk.pressed, signal.place: pressed}))

    def announced(self, source: str) -> bool:
        """Whether this source's silence is announced now."""
        window = self.maintenances.get(source)
        return window is not None and window.from_at <= self._clock.now() < window.until_at

    # What engineers ask for

    def begin_test(self, *, by: str, minutes: float, heard: bool, source: str = "", place: str = "") -> Test:
        """Test mode from now on. Raises TrialRefused."""
        if bool(source) == bool(place):
            raise TrialRefused("source", "either a source or a place")
        self._known_source(source)
        place = self._place(place) if place else ""
        now = self._clock.now()
        if any((t.source, t.place) == (source, place) and now < t.until_at for t in self.tests.values()):
            raise TrialRefused(
                "source" if source else "place", "one that is not in test mode: end that first"
            )
        test = Test(
            ids.alarm_id(now), self._known_staff(by), now, self._until(now, minutes), source, place, heard
        )
        return self._keep("test", test.id, test)

    async def end_test(self, id: str) -> Test:
        """Before its time; once it returns, no restart takes it up again. Raises TrialRefused, NotStored (it
        has ended all the same)."""
        test: Test = self._drop("test", id, "id", "a test that is under way")
        await self._forgotten("test", id)
        return test

    def begin_maintenance(
        self, *, source: str, by: str, minutes: float, from_at: int | None = None, note: str = ""
    ) -> Maintenance:
        """A window, now or announced ahead. Raises TrialRefused."""
        self._known_source(source, required=True)
        now = self._clock.now()
        begins = now if from_at is None else from_at
        if not now - 60_000 <= begins <= now + ANNOUNCED_MOST_S * 1000:
            raise TrialRefused("from", "a time from now on, at most 14 days ahead")
        known = self.maintenances.get(source)
        if known is not None and known.from_at <= now:
            # Replaced, it would never tell that the source is not back.
            raise TrialRefused("source", "one that is not under maintenance now: end that first")
        window = Maintenance(source, self._known_staff(by), begins, self._until(begins, minutes), note)
        self._keep("maintenance", source, window)
        self._shown()
        return window

    async def end_maintenance(self, source: str) -> Maintenance:
        """The work is done: a drill to every phone of its units, and an alarm if the source is not back.
        Raises as `end_test`."""
        window = await self._over(source)
        await self._forgotten("maintenance", source)
        return window

    async def _over(self, source: str) -> Maintenance:
        window: Maintenance = self._drop("maintenance", source, "source", "one under maintenance")
        await self._after(window)
        return window

    def begin_walk(self, *, source: str, by: str, minutes: float) -> Walk:
        """A walk test. From the first one on this source's points count as unverified until ticked. Raises
        TrialRefused."""
        self._known_source(source, required=True)
        now = self._clock.now()
        rules = self._rules(source)
        known = self.verified.get(source)
        if known is None or known.rules != rules:
            self._keep("verified", source, Verified(rules))
        return self._keep("walk", source, Walk(source, self._known_staff(by), now, self._until(now, minutes)))

    def tick(self, *, source: str, place: str) -> Verified:
        """This point does what it should. It must have been pressed in the walk under way. Raises
        TrialRefused."""
        walk = self.walks.get(source)
        if walk is None:
            raise TrialRefused("source", "one with a walk test under way")
        if place not in walk.pressed:
            place = f"{self._world().site.site}/{place}"
        if place not in walk.pressed:
            pressed = ", ".join(walk.pressed) or "none yet"
            raise TrialRefused("place", f"a point that was pressed in this walk: {pressed}")
        known = self.verified[source]
        points = {**known.points, place: self._clock.now()}
        return self._keep("verified", source, replace(known, points=points))

    async def end_walk(self, source: str) -> Walk:
        """The walk is over; what was ticked stays. Raises as `end_test`."""
        walk: Walk = self._drop("walk", source, "source", "one with a walk test under way")
        await self._forgotten("walk", source)
        return walk

    def unticked(self, source: str) -> tuple[str, ...]:
        """The points of a source that nobody has verified."""
        known, rules = self.verified.get(source), self._rules(source)
        points = trials.points_of(source, self._world().site)
        return points if known is None else tuple(p for p in points if not trials.verified(p, known, rules))

    # Time

    async def run(self) -> None:
        """End every window at its time."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """End what is over now; who came on duty in a unit of a source under maintenance sees its banner."""
        now, roster = self._clock.now(), self._world().roster.hash
        if self.maintenances and roster != self._roster:
            self._shown()
        self._roster = roster
        for scope in ("test", "walk"):
            for key in [key for key, one in self._tables[scope].items() if now >= one.until_at]:
                self._drop(scope, key, "", "")
        for source in [s for s, window in self.maintenances.items() if now >= window.until_at]:
            await self._over(source)

    async def _after(self, window: Maintenance) -> None:
        site = self._world().site
        for unit in trials.units_of(site, window.source):
            self._say(notices.after_maintenance(site, window.source, unit, window.until_at))
        self._shown()
        if not self._is_up(window.source):
            await self._lost(window.source)

    def banners(self, unit: str) -> tuple[str, ...]:
        """What stands on the screens of a unit."""
        site = self._world().site
        zone = ZoneInfo(site.zone)

        def hours(window: Maintenance) -> str:
            begin, end = (datetime.fromtimestamp(at / 1000, zone) for at in (window.from_at, window.until_at))
            return f"{begin:%Y-%m-%d %H:%M}-{end:%H:%M}"

        clock = {source: hours(window) for source, window in self.maintenances.items()}
        return trials.banners(site, self.maintenances, unit, self._clock.now(), clock)

    def banners_of(self, staff: str) -> tuple[str, ...]:
        """What stands on a person's screens: of where they are on duty, and of the units they belong to."""
        world = self._world()
        person = world.site.staff.get(staff)
        units = {duty.unit for duty in world.roster.by_staff.get(staff, ())}
        units |= set(person.units if person is not None else ())
        return tuple(dict.fromkeys(text for unit in sorted(units) for text in self.banners(unit)))

    # Facts

    def _keep(self, scope: str, key: str, value: _T) -> _T:
        self._tables[scope][key] = value
        self._fact(scope, key, msgspec.json.encode(value))
        return value

    def _drop(self, scope: str, key: str, field: str, expected: str) -> Any:
        value = self._tables[scope].pop(key, None)
        if value is None:
            raise TrialRefused(field, expected)
        self._fact(scope, key, None)
        _log.info(Line.TRIAL_ENDED, trial=scope, key=key)
        return value

    def _until(self, begins: int, minutes: float) -> int:
        if not 0 < minutes * 60 <= LONGEST_S:
            raise TrialRefused("minutes", f"more than 0, at most {LONGEST_S // 60}")
        return begins + round(minutes * 60_000)

    def _known_source(self, source: str, *, required: bool = False) -> None:
        if (source or required) and source not in self._world().site.sources:
            raise TrialRefused("source", "the id of a source of the site")

    def _known_staff(self, by: str) -> str:
        if by not in self._world().site.staff:
            raise TrialRefused("by", "the id of the person who answers for it")
        return by

    def _place(self, said: str) -> str:
        """The whole path of a place, or of what lies above some, whose site may be left out. Raises
        TrialRefused."""
        site = self._world().site
        above = self._places_above()
        for path in (said, f"{site.site}/{said}"):
            if path in site.places or path in above:
                return path
        raise TrialRefused("place", f'a place of the site, or what lies above one; it has no "{said}"')

    def _places_above(self) -> set[str]:
        parts = [path.split("/") for path in self._world().site.places]
        return {"/".join(part[:depth]) for part in parts for depth in range(2, len(part))}

    def _rules(self, source: str) -> str:
        rules = self._world().site.sources.get(source)
        body = b"" if rules is None else msgspec.json.encode(rules.rules)
        return hashlib.sha256(body).hexdigest()[:16]
