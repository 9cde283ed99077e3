"""Which unit is drilled next, and when: after shift changes and changes of what rings, one after the other.

Twenty units that change at seven make no storm: each waits until its phones have settled, no unit is drilled
twice within a while, none begins right after another. It refuses clocks (`now` is epoch ms) and to drill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from alarmhub.core.drilling import DrillRules
from alarmhub.core.roster import Roster

TRIES: Final = 3
"""So often a drill that a real alarm ended is begun again."""
AGAIN_S: Final = 300
POSTPONE_S: Final = 30
POSTPONED_MOST: Final = 20
"""While real alarms ring in the unit; then it is drilled all the same."""


class Next(NamedTuple):
    """A drill that is due. `tries`: how often it was interrupted before."""

    unit: str
    cause: str
    tries: int


class _Wanted:
    __slots__ = ("cause", "due", "postponed", "tries")

    def __init__(self, cause: str, due: int, tries: int) -> None:
        self.cause, self.due, self.tries, self.postponed = cause, due, tries, 0


class DrillSchedule:
    """See the module. At most one entry a unit."""

    def __init__(self, rules: DrillRules) -> None:
        self._rules = rules
        self._wanted: dict[str, _Wanted] = {}
        self._began_at: dict[str, int] = {}
        self._on_duty: dict[str, frozenset[str]] | None = None
        self._hash = ""
        self._paced_at: int | None = None

    def __len__(self) -> int:
        return len(self._wanted)

    def roster(self, roster: Roster, now: int) -> None:
        """Who is on duty now. Where somebody has come since the last time, a shift has begun."""
        if roster.hash == self._hash:
            return
        self._hash = roster.hash
        on_duty = {unit: frozenset(d.staff for d in people) for unit, people in roster.by_unit.items()}
        before, self._on_duty = self._on_duty, on_duty
        if before is not None and self._rules.on_shift_start:
            self._want_each({u: "shift_start" for u, p in on_duty.items() if p - before.get(u, set())}, now)

    def changed(self, causes: Mapping[str, str], now: int) -> None:
        """What rings in these units is another than it was drilled for: unit → cause."""
        if self._rules.on_change:
            self._want_each(causes, now)

    def _want_each(self, causes: Mapping[str, str], now: int) -> None:
        for unit, cause in causes.items():
            self._want(unit, cause, now, self._rules.settle_s, 0)

    def again(self, unit: str, cause: str, tries: int, now: int) -> None:
        """A real alarm ended it."""
        if tries < TRIES:
            self._want(unit, cause, now, AGAIN_S, tries + 1)

    def later(self, missed: Next, now: int) -> None:
        """It could not begin."""
        self._want(missed.unit, missed.cause, now, POSTPONE_S, missed.tries)

    def began(self, unit: str, at: int) -> None:
        """One has begun there, for whatever cause."""
        self._began_at[unit] = at
        self._wanted.pop(unit, None)

    def _want(self, unit: str, cause: str, now: int, after_s: float, tries: int) -> None:
        if unit in self._wanted:
            return
        due = now + after_s * 1000
        if unit in self._began_at and not tries:
            due = max(due, self._began_at[unit] + self._rules.gap_s * 1000)
        self._wanted[unit] = _Wanted(cause, round(due), tries)

    def next(self, now: int, rings: Callable[[str], bool]) -> Next | None:
        """The drill to begin now, taken out of the schedule; `rings`: whether a real alarm rings there."""
        if self._paced_at is not None and now - self._paced_at < self._rules.pace_s * 1000:
            return None
        for unit in self._due(now):
            wanted = self._wanted[unit]
            if wanted.postponed < POSTPONED_MOST and rings(unit):
                wanted.postponed += 1
                wanted.due = now + POSTPONE_S * 1000
                continue
            del self._wanted[unit]
            self._paced_at = now
            return Next(unit, wanted.cause, wanted.tries)
        return None

    def _due(self, now: int) -> Iterable[str]:
        due = sorted((wanted.due, unit) for unit, wanted in self._wanted.items() if wanted.due <= now)
        return [unit for _, unit in due]
