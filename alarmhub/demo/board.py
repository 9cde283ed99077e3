"""The live table of open alarms, and plain lines for where there is no terminal.

It shows committed state only, in the site's language under English headings. It refuses to change anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from alarmhub.core.alarm import Alarm, Flag, Phase, concerned
from alarmhub.core.kinds import KIND_URGENCY, PRIORITY_RANK
from alarmhub.core.site import Site
from alarmhub.core.wording import flag_label, phase_label, type_label
from alarmhub.core.world import World

NAMES_MOST = 4
_STYLE = {"high": "bold red", "medium": "yellow", "low": "", "information": "dim"}
_PHASE_STYLE = {
    Phase.RINGING: "bold",
    Phase.PARTLY_ACCEPTED: "bold",
    Phase.ACCEPTED: "green",
    Phase.ATTENDED: "dim green",
}
_SAID = (
    Flag.UNANSWERED,
    Flag.NOT_ATTENDED,
    Flag.LAST_RESORT,
    Flag.RESET_UNCLEAR,
    Flag.UNCONFIRMED,
    Flag.PLACE_UNKNOWN,
)


class Row:
    """One alarm as words. `who`: who comes, else who is told; `reach`: how many of those told have rung."""

    def __init__(self, alarm: Alarm, world: World, now: int) -> None:
        site = world.site
        place, unit = site.places.get(alarm.place), site.units.get(alarm.unit)
        self.place = place.label if place is not None else alarm.place or "?"
        self.unit = unit.name if unit is not None else alarm.unit
        self.kind = type_label(alarm.type, site.language, site) + (
            f" ×{alarm.count}" if alarm.count > 1 else ""
        )
        self.priority = str(alarm.priority)
        self.age = _clock(now - alarm.raised_at)
        flags = [flag_label(flag, site.language) for flag in alarm.flags if flag in _SAID]
        self.phase = ", ".join([phase_label(alarm.phase, site.language), *flags])
        self.phase_is = alarm.phase
        self.who = _who(alarm, site)
        self.next = _next(alarm, now)
        told = concerned(alarm)
        rang = sum(t.rang_at is not None for t in alarm.told if t.staff in told)
        self.reach = f"{rang}/{len(told)}"

    def line(self, at: str) -> str:
        """All of it in one line."""
        following = f" · next in {self.next}" if self.next else ""
        return f"{at}  {self.kind} · {self.place}, {self.unit} · {self.phase} · {self.who}{following}"


def _who(alarm: Alarm, site: Site) -> str:
    if alarm.acceptances:
        there = {True: "✓", False: "→"}
        return ", ".join(
            f"{there[a.arrived_at is not None]} {_name(a.staff, site)}" for a in alarm.acceptances
        )
    people = [_name(staff, site) for staff in concerned(alarm)]
    more = len(people) - NAMES_MOST
    return ", ".join(people[:NAMES_MOST]) + (f" +{more}" if more > 0 else "")


def _name(staff: str, site: Site) -> str:
    person = site.staff.get(staff)
    return person.name if person is not None else staff


def _next(alarm: Alarm, now: int) -> str:
    due = alarm.answer_at
    if alarm.phase is Phase.ACCEPTED:
        due = alarm.remind_at or alarm.lapse_at
    return "" if due is None or alarm.phase is Phase.ATTENDED else f"{max(0, due - now) / 1000:.0f} s"


def _clock(ms: int) -> str:
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    return f"{minutes}:{seconds:02}"


def ordered(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Most urgent first."""
    waits = (Phase.RINGING, Phase.PARTLY_ACCEPTED)
    return sorted(
        alarms,
        key=lambda a: (a.phase not in waits, -PRIORITY_RANK[a.priority], -KIND_URGENCY[a.kind], a.raised_at),
    )


def table(alarms: Collection[Alarm], world: World, now: int, phones: Mapping[str, int], ended: int) -> Table:
    """The board as it is now. `phones`: devices by reach; `ended`: alarms ended since the demo began."""
    at = datetime.fromtimestamp(now / 1000, ZoneInfo(world.site.zone))
    reach = ", ".join(f"{count} {name}" for name, count in sorted(phones.items())) or "none"
    board = Table(
        title=f"{world.site.name}  {at:%a %d %b %H:%M:%S}",
        caption=f"{len(alarms)} open, {ended} ended · "
        f"phones: {reach} · on duty: {len(world.roster.by_staff)}",
        expand=True,
    )
    for name, options in _COLUMNS.items():
        board.add_column(name, **options)  # type: ignore[arg-type]
    for alarm in ordered(alarms):
        row = Row(alarm, world, now)
        kind = Text(row.kind, _STYLE[row.priority])
        phase = Text(row.phase, _PHASE_STYLE.get(row.phase_is, ""))
        board.add_row(
            Text(f"{row.place}, {row.unit}"), kind, row.age, phase, Text(row.who), row.next, row.reach
        )
    return board


_COLUMNS: dict[str, dict[str, object]] = {
    "Place": {"ratio": 3},
    "Alarm": {"ratio": 2},
    "Age": {"justify": "right", "no_wrap": True},
    "Phase": {"ratio": 2},
    "Told, or coming →, there ✓": {"ratio": 4},
    "Next": {"justify": "right", "no_wrap": True},
    "Rang": {"justify": "right", "no_wrap": True},
}


class Changes:
    """What has changed since the last look, as lines."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Phase, int, tuple[str, ...]]] = {}
        self._last: dict[str, Row] = {}
        self.ended = 0

    def lines(self, alarms: Iterable[Alarm], world: World, now: int) -> list[str]:
        """A line for every alarm that is new, rings anew, was taken, or has ended."""
        at = f"{datetime.fromtimestamp(now / 1000, ZoneInfo(world.site.zone)):%H:%M:%S}"
        lines, seen = [], set()
        for alarm in ordered(alarms):
            seen.add(alarm.id)
            state = (alarm.phase, alarm.turn, tuple(a.staff for a in alarm.acceptances))
            if self._known.get(alarm.id) != state:
                self._known[alarm.id] = state
                self._last[alarm.id] = Row(alarm, world, now)
                lines.append(self._last[alarm.id].line(at))
        for id in set(self._known) - seen:
            del self._known[id]
            row = self._last.pop(id)
            self.ended += 1
            lines.append(
                f"{at}  {row.kind} · {row.place}, {row.unit} · {phase_label('ended', world.site.language)}"
            )
        return lines
