"""Drills: a silent alarm to every phone on duty in a unit, the whole way, and what became of it.

A drill enters where signals enter and is decided, committed, shown and pushed like any alarm; each phone
confirms it without a sound, over each way it has. They come at shift start, after each change of policy,
source or software (`engine.drill_schedule`), and when asked for. A real alarm ends a drill, and so does a
crash: neither is ever called green. It refuses to hold anything up: it watches commits and receipts go by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core import drilling
from alarmhub.core.alarm import Alarm, Phase
from alarmhub.core.drilling import SMS, DrillLine, DrillRules, Outcome, Prints, Result, State, Ways, Why
from alarmhub.core.events import Signal
from alarmhub.core.kinds import RULES
from alarmhub.core.site import Site
from alarmhub.core.world import World
from alarmhub.engine import ids, notices
from alarmhub.engine.drill_schedule import DrillSchedule
from alarmhub.engine.handset import Handset
from alarmhub.logs import Line
from alarmhub.people import DrillRow
from alarmhub.people import Drills as Rows
from alarmhub.ports import Change, FactRow, NotStored, Refused, SignalOutcome, StoreUnavailable

LOOK_EVERY_S: Final = 0.5
SCOPE: Final = "drill"
KNOWN_KEY: Final = "known"
FORGET_AFTER_MS: Final = 24 * 3_600_000
"""What became of each phone is kept so long; how many were red is kept for good."""
FORGET_EVERY_MS: Final = 3_600_000
UNSAVED_MOST: Final = 500

_log = logs.get("drills")


class DrillRefused(Exception):
    """The drill cannot be; `field` and `why` say what was expected."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


class Known(Struct, frozen=True):
    """What was drilled for last: the software's version, and the prints of each unit."""

    version: str
    prints: dict[str, Prints]


class _Running:
    """A drill under way."""

    __slots__ = ("alarm", "heard", "key", "lines", "refused", "row", "tries")

    def __init__(self, row: DrillRow, key: str, alarm: str, heard: bool, tries: int) -> None:
        self.row, self.key, self.alarm, self.heard, self.tries = row, key, alarm, heard, tries
        self.lines: dict[tuple[str, str, str], DrillLine] = {}
        self.refused: set[tuple[str, str, str]] = set()

    @property
    def waits(self) -> bool:
        return any(line.outcome is Outcome.WAITING for line in self.lines.values())


class Drills:
    """See the module. `signal` is the engine's door, `say` takes a signal nobody waits for, `phones_of` knows
    a person's phones and `transports_of` which pushes reach one; `lost` hears of a phone that no way reached,
    `counted` of each that has ended: unit, cause, state, how many red. Implements `ports.Phones`."""

    def __init__(
        self,
        *,
        clock: Clock,
        world: Callable[[], World],
        signal: Callable[[Signal], Awaitable[SignalOutcome]],
        say: Callable[[Signal], None],
        open_alarms: Callable[[], Iterable[Alarm]],
        rows: Rows,
        fact: Callable[[str, str, bytes | None], None],
        phones_of: Callable[[str], Sequence[Handset]],
        transports_of: Callable[[str, str], tuple[str, ...]],
        lost: Callable[[str, str, int], None],
        rules: DrillRules,
        version: str,
        is_storing: Callable[[], bool] = lambda: True,
        counted: Callable[[str, str, str, int], None] = lambda unit, cause, state, red: None,
    ) -> None:
        self._clock, self._world, self._signal, self._say = clock, world, signal, say
        self._open_alarms, self._rows, self._fact = open_alarms, rows, fact
        self._phones_of, self._transports_of, self._lost = phones_of, transports_of, lost
        self._rules, self._version, self._is_storing, self._counted = rules, version, is_storing, counted
        self._running: dict[str, _Running] = {}
        """By alarm."""
        self._asked: dict[str, tuple[str, str, bool, int]] = {}
        """Key of a signal on its way → id, cause, heard, tries."""
        self._schedule = DrillSchedule(rules)
        self._last: dict[str, DrillRow] = {}
        self._unsaved: dict[str, DrillRow] = {}
        self._known: Known | None = None
        self._forgot_at = 0
        self._ended: dict[str, asyncio.Event] = {}

    # -- a start -----------------------------------------------------------------------------------

    async def begin(self, facts: Iterable[FactRow]) -> None:
        """What was under way when a hub died is interrupted; what has changed since is drilled for. Raises
        StoreUnavailable."""
        now, site = self._clock.now(), self._world().site
        self._last = {row.unit: row for row in await self._rows.last_drills()}
        for row in self._last.values():
            self._schedule.began(row.unit, row.began_at)
        cut = {row.id: row for row in await self._rows.unended()}
        for alarm in self._open_alarms():
            if _is_ours(alarm):
                id, cause = _named(alarm)
                # Its row may not have been written any more.
                cut.setdefault(
                    id, DrillRow(id=id, unit=alarm.unit, cause=cause, began_at=alarm.raised_at, result={})
                )
                self._say(notices.drill_over(alarm.key, alarm.unit))
        for row in cut.values():
            result = drilling.cut_off(msgspec.convert(row.result, Result))
            self._close(msgspec.structs.replace(row, ended_at=now, result=result))
            if row.cause != "asked":
                self._schedule.again(row.unit, row.cause, 0, now)
        for fact in facts:
            if fact.scope == SCOPE and fact.key == KNOWN_KEY and fact.body is not None:
                self._known = msgspec.json.decode(fact.body, type=Known)
        if self._known is not None and self._known.version != self._version:
            self._schedule.changed(dict.fromkeys(site.units, "software"), now)
        self.site_changed(site)

    def site_changed(self, site: Site) -> None:
        """A version of the site is in force: units whose policies or sources are others now are drilled."""
        known, prints = self._known, drilling.prints_of(site)
        if known is not None and known.version == self._version and known.prints == prints:
            return
        if known is not None:
            self._schedule.changed(drilling.changed(known.prints, prints), self._clock.now())
        self._known = Known(self._version, prints)
        self._fact(SCOPE, KNOWN_KEY, msgspec.json.encode(self._known))

    # -- asked for ---------------------------------------------------------------------------------

    async def drill(
        self, unit: str, cause: str = "asked", *, heard: bool = False, tries: int = 0
    ) -> DrillRow:
        """Drill a unit now; returns what has begun. Raises DrillRefused, NotStored, Refused."""
        world, now = self._world(), self._clock.now()
        if unit not in world.site.units:
            raise DrillRefused("unit", "a unit of the site")
        if self.running(unit):
            raise DrillRefused("unit", "one without a drill under way")
        if not world.roster.by_unit.get(unit):
            raise DrillRefused("unit", "one with somebody on duty")
        if heard and (self._rings_for_real(unit) or self._in_danger(unit)):
            raise DrillRefused("unit", "one where no real alarm rings: a heard drill would sound among them")
        id = ids.alarm_id(now)
        key = f"drill:{cause}:{id}"
        self._asked[key] = (id, cause, heard, tries)
        try:
            outcome = await self._signal(notices.drill(world.site, unit, key, heard=heard))
        finally:
            self._asked.pop(key, None)
        running = self._running.get(outcome.alarm or "")
        # With nobody to wait for it may be over already.
        return self._row(running) if running is not None else self._last[unit]

    async def over(self, id: str) -> None:
        """Wait until this drill has ended."""
        if any(running.row.id == id for running in self._running.values()):
            await self._ended.setdefault(id, asyncio.Event()).wait()

    def running(self, unit: str) -> bool:
        """Whether one is under way there."""
        return any(running.row.unit == unit for running in self._running.values())

    def last(self, unit: str) -> DrillRow | None:
        """The newest one that has ended there; its result is a `core.drilling.Result`."""
        row = self._last.get(unit)
        return None if row is None else msgspec.structs.replace(row, result=_result(row))

    def red(self, unit: str) -> list[DrillLine]:
        """What failed in it."""
        row = self._last.get(unit)
        return [] if row is None else [n for n in _result(row).lines if n.outcome is Outcome.FAILED]

    async def drills(self, unit: str, limit: int) -> list[DrillRow]:
        """A unit's, newest first, those under way included. Raises StoreUnavailable."""
        stored = {row.id: row for row in await self._rows.drills(unit, limit)}
        stored |= {row.id: row for row in self._unsaved.values() if row.unit == unit}
        stored |= {r.row.id: self._row(r) for r in self._running.values() if r.row.unit == unit}
        newest = sorted(stored.values(), key=lambda row: (row.began_at, row.id), reverse=True)[:limit]
        return [msgspec.structs.replace(row, result=_result(row)) for row in newest]

    # -- what goes by ------------------------------------------------------------------------------

    def refresh(self, changes: Sequence[Change]) -> None:
        """Committed: a drill of the hub's own has begun, or is over."""
        for change in changes:
            alarm = change.after
            if alarm.id in self._running:
                self._changed(self._running[alarm.id], alarm)
            elif change.before is None and _is_ours(alarm):
                self._adopt(alarm)

    def storing(self, storing: bool) -> None:
        """Nothing to show."""

    def _adopt(self, alarm: Alarm) -> None:
        id, cause, heard, tries = self._asked.get(alarm.key, (*_named(alarm), alarm.heard, 0))
        row = DrillRow(id=id, unit=alarm.unit, cause=cause, began_at=alarm.raised_at, result=None)
        running = _Running(row, alarm.key, alarm.id, heard, tries)
        site = self._world().site
        for told in alarm.told:
            person = site.staff.get(told.staff)
            phones = self._phones_of(told.staff)
            newest = max(phones, key=lambda p: p.rank, default=None)
            ways = [
                Ways(p.device, p.live, self._transports_of(told.staff, p.device), p is newest) for p in phones
            ]
            lines = drilling.expected(
                told.staff, ways, heard=heard, pager=person is not None and person.pager is not None,
                sms=person is not None and person.sms is not None and self._world().texts,
            )  # fmt: skip
            running.lines.update({(n.staff, n.device, n.channel): n for n in lines})
        self._running[alarm.id] = running
        self._schedule.began(alarm.unit, alarm.raised_at)
        self._unsaved[id] = self._row(running)
        if not alarm.open:
            self._changed(running, alarm)

    def _changed(self, running: _Running, alarm: Alarm) -> None:
        for told in alarm.told:
            if told.texted is not None and told.texted.delivered_at is not None:
                self._settle(running, (told.staff, "", SMS), Outcome.DELIVERED, at=told.texted.delivered_at)
            elif told.texted is not None and told.texted.failed:
                self._settle(running, (told.staff, "", SMS), Outcome.FAILED, Why.NOT_TAKEN)
        if not alarm.open:
            self._end(running, cut=alarm.ended_by == "real_alarm")

    def receipt(self, staff: str, device: str, alarm: str, via: str, event: str, at: int) -> None:
        """A phone confirmed something, over this way."""
        running = self._running.get(alarm)
        if running is not None:
            self._settle(running, (staff, device, via), Outcome.RANG, at=at)

    def push_outcome(self, staff: str, device: str, alarm: str, transport: str, taken: bool) -> None:
        """What a provider said to one try. Taken is no receipt; refused, it may be tried again."""
        running = self._running.get(alarm)
        if running is not None:
            (running.refused.discard if taken else running.refused.add)((staff, device, transport))

    def _settle(
        self,
        running: _Running,
        way: tuple[str, str, str],
        outcome: Outcome,
        why: str = "",
        at: int | None = None,
    ) -> None:
        after_ms = None if at is None else at - running.row.began_at
        known = running.lines.get(way) or DrillLine(*way)
        running.lines[way] = drilling.settled(known, outcome, why, after_ms)

    # -- time --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin what is due, end what is over, save both, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Once."""
        now = self._clock.now()
        for running in list(self._running.values()):
            if not running.waits or now - running.row.began_at >= self._rules.within_s * 1000:
                self._end(running, cut=False)
                self._say(notices.drill_over(running.key, running.row.unit))
        self._schedule.roster(self._world().roster, now)
        await self._begin_next(now)
        await self._save(now)

    async def _begin_next(self, now: int) -> None:
        following = self._schedule.next(now, self._rings_for_real) if self._is_storing() else None
        if following is None:
            return
        try:
            await self.drill(following.unit, following.cause, tries=following.tries)
        except DrillRefused:
            return  # nobody on duty, or one is under way: who comes next brings the next
        except (NotStored, Refused):
            self._schedule.later(following, now)

    def _rings_for_real(self, unit: str) -> bool:
        return any(a.unit == unit and a.phase is Phase.RINGING and not a.drill for a in self._open_alarms())

    def _in_danger(self, unit: str) -> bool:
        """Taken or not: while it lasts nothing else is to sound there."""
        return any(a.unit == unit and not RULES[a.kind].test_mode_hides for a in self._open_alarms())

    # -- ends --------------------------------------------------------------------------------------

    def _end(self, running: _Running, *, cut: bool) -> None:
        del self._running[running.alarm]
        now = self._clock.now()
        for way in running.refused & running.lines.keys():
            self._settle(running, way, Outcome.FAILED, Why.NOT_TAKEN)
        result = drilling.closed(running.lines.values(), self._version, cut=cut)
        row = msgspec.structs.replace(running.row, ended_at=now, result=result)
        self._close(row)
        if result.state is State.INTERRUPTED and row.cause != "asked":
            self._schedule.again(row.unit, row.cause, running.tries, now)
        reached = {(n.staff, n.device) for n in result.lines if n.outcome is Outcome.RANG}
        for line in result.lines:
            pushed = line.outcome is Outcome.FAILED and line.why in (Why.NO_RECEIPT, Why.NOT_TAKEN)
            if pushed and (line.staff, line.device) not in reached:
                self._lost(line.staff, line.device, now)

    def _close(self, row: DrillRow) -> None:
        result = _result(row)
        self._last[row.unit] = row
        self._unsaved[row.id] = row
        self._counted(row.unit, row.cause, str(result.state), result.red)
        _log.info(
            Line.DRILL_ENDED, unit=row.unit, cause=row.cause, state=str(result.state), good=result.good,
            red=result.red,
        )  # fmt: skip
        ended = self._ended.pop(row.id, None)
        if ended is not None:
            ended.set()

    def _row(self, running: _Running) -> DrillRow:
        result = drilling.counted(running.lines.values(), self._version)
        return msgspec.structs.replace(running.row, result=result)

    async def _save(self, now: int) -> None:
        """Write what is not yet written; without a database it is tried again, the oldest beyond a bound are
        given up."""
        while len(self._unsaved) > UNSAVED_MOST:
            del self._unsaved[next(iter(self._unsaved))]
        try:
            for row in list(self._unsaved.values()):
                await self._rows.put_drill(row)
                if self._unsaved.get(row.id) is row:
                    del self._unsaved[row.id]
            if now - self._forgot_at >= FORGET_EVERY_MS:
                await self._rows.forget_phones(now - FORGET_AFTER_MS)
                self._forgot_at = now
        except StoreUnavailable:
            return


def _is_ours(alarm: Alarm) -> bool:
    """A drill of a unit's phones: not of a source in test mode, nor somebody's own test ring."""
    return alarm.drill and alarm.source == notices.HUB and alarm.key.startswith("drill:")


def _named(alarm: Alarm) -> tuple[str, str]:
    """Id and cause of a drill by its alarm's key; one after maintenance of a source has a key of its own."""
    word, _, rest = alarm.key.partition(":")
    cause, _, id = rest.partition(":")
    return (id, cause) if word == "drill" and cause in _CAUSES else (alarm.id, "source")


_CAUSES: Final = frozenset(("shift_start", "policy", "source", "software", "asked"))


def _result(row: DrillRow) -> Result:
    given: Any = row.result
    return given if isinstance(given, Result) else msgspec.convert(given or {}, Result)
