"""When an `Hours` window is open in the site's zone, and when that next changes.

A boundary is wall-clock time; its instant is the first at which the site's clocks show that time or later.
So a boundary inside the spring gap moves to the first valid instant, and in the autumn fold the first
occurrence counts. Windows are half open: the start belongs to them, the end does not. This module refuses
to read a clock and to know who works in a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from alarmhub.core.site import Hours

DAY_MIN = 24 * 60
WEEK_D = 7
_DAY = timedelta(days=1)


class Calendar(Struct, frozen=True):
    """The zone of a site and its holidays, sorted."""

    zone: ZoneInfo
    holidays: tuple[date, ...] = ()


def calendar(zone: str, holidays: Iterable[str] = ()) -> Calendar:
    """Build a calendar from a zone's name and ISO dates. Raises ValueError (or its ZoneInfoNotFoundError
    kin, a KeyError) for what does not exist; a checked site has neither."""
    return Calendar(ZoneInfo(zone), tuple(sorted(date.fromisoformat(day) for day in holidays)))


def instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    """The first instant (epoch ms) at which the clocks of `zone` show `minutes` after the midnight that
    begins `day`, or later. `minutes` may exceed a day."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 wall time is meant
    early = _ms(wall.replace(tzinfo=zone, fold=0))
    late = _ms(wall.replace(tzinfo=zone, fold=1))
    # Same instant: an ordinary time. Early before late: a fold, whose first occurrence counts.
    # Early *after* late: the time does not exist, and the clocks jump somewhere between the two.
    return early if early <= late else _jump(late, early, zone)


def within(hours: Hours, at: int, cal: Calendar) -> bool:
    """Whether instant `at` (epoch ms) lies in the window."""
    if (hours.from_at is not None and at < hours.from_at) or (hours.to_at is not None and at >= hours.to_at):
        return False
    return not hours.days or any(start <= at < end for start, end in _windows(hours, at, at, cal))


def next_boundary(hours: Hours, at: int, cal: Calendar) -> int | None:
    """The first instant after `at` (epoch ms) at which the window opens or closes; None = never again.
    Windows that touch or overlap are one."""
    if hours.to_at is not None and at >= hours.to_at:
        return None
    if hours.from_at is not None and at < hours.from_at:
        if within(hours, hours.from_at, cal):
            return hours.from_at
        at = hours.from_at
    boundary = _recurring_boundary(hours, at, cal) if hours.days else None
    if hours.to_at is None or (boundary is not None and boundary < hours.to_at):
        return boundary
    return hours.to_at if within(hours, at, cal) else None


def _recurring_boundary(hours: Hours, at: int, cal: Calendar) -> int | None:
    """`next_boundary` without the dated bounds."""
    closes: int | None = None
    for start, end in _windows(hours, at, None, cal):
        if end <= at:
            continue
        if closes is None:
            if start > at:
                return start
            closes = end
        elif start <= closes:
            closes = max(closes, end)
        else:
            return closes
    # Windows without holidays to bound them recur for ever: touching to the horizon means never closing.
    return closes if hours.holidays else None


def _windows(hours: Hours, first: int, last: int | None, cal: Calendar) -> Iterator[tuple[int, int]]:
    """The non-empty windows, in order, that may touch `first`..`last` (None = until the pattern repeats)."""
    span = hours.span_days or (1 if hours.end <= hours.start else 0)
    for day in _days(hours, first, last, span, cal):
        start = instant(day, hours.start, cal.zone)
        end = instant(day + span * _DAY, hours.end, cal.zone)
        if start < end:
            yield start, end


def _days(hours: Hours, first: int, last: int | None, span: int, cal: Calendar) -> Iterator[date]:
    """The days on which a window begins: from early enough to touch `first`, to the horizon."""
    day = _local_day(first, cal.zone) - (span + 1) * _DAY
    if hours.holidays:
        until = date.max if last is None else _local_day(last, cal.zone)
        yield from (d for d in cal.holidays if day <= d <= until and d.weekday() in hours.days)
        return
    if last is not None:
        until = _local_day(last, cal.zone)
    else:
        until = day + (3 * WEEK_D + 2 * span) * _DAY
        if hours.holidays is False and cal.holidays:
            until = max(until, cal.holidays[-1] + (2 * WEEK_D + span) * _DAY)
    closed = frozenset(cal.holidays) if hours.holidays is False else frozenset()
    while day <= until:
        if day.weekday() in hours.days and day not in closed:
            yield day
        day += _DAY


def _local_day(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).date()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _jump(before: int, after: int, zone: ZoneInfo) -> int:
    """The instant between two (epoch ms, the first earlier) at which the zone's offset changes."""
    low, high = before // 1000, after // 1000
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high * 1000
