"""Hours as people write them: "Mon-Fri 07:00-15:30", "Fri 16:00 - Mon 07:00", "always", and dated windows.

Forms (days Mon Tue Wed Thu Fri Sat Sun; times 00:00 to 24:00, local):

    always
    daily 21:00-07:00              an end at or before the start lies on the next day
    Mon-Fri 07:00-15:30            also Mon,Wed,Fri-Sun
    Fri 16:00 - Mon 07:00          over several days
    holidays 07:00-21:00           on the site's holidays only
    2026-12-24 07:00 .. 2026-12-24 21:00
    … not on holidays              after a recurring form: rests on holidays
    … from 2026-06-22 until 2026-08-17 07:00     after any recurring form; either alone, too

This module refuses to decide whether an instant lies in a window: that is `core.hours`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from alarmhub.core.hours import instant
from alarmhub.core.site import Hours

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 24 * 60
_DAY_NUMBERS = {name.lower(): number for number, name in enumerate(DAYS)}
_TIME = r"\d{1,2}:\d{2}"
_DATED = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{1,2}:\d{2})?"
_RECURRING = re.compile(rf"(?P<days>[A-Za-z, -]+?) +(?P<start>{_TIME}) *- *(?P<end>{_TIME})")
_SPANNING = re.compile(rf"(?P<first>[A-Za-z]+) +(?P<start>{_TIME}) *- *(?P<last>[A-Za-z]+) +(?P<end>{_TIME})")
_BETWEEN = re.compile(rf"(?P<from>{_DATED}) *\.\. *(?P<until>{_DATED})")
_TAIL = re.compile(
    rf"(?P<rest>.*?)(?: +(?P<not>not on holidays))?(?: +from +(?P<from>{_DATED}))?"
    rf"(?: +until +(?P<until>{_DATED}))?"
)


def parse_hours(text: str, zone: ZoneInfo) -> Hours:
    """Read one window. Raises ValueError that says what makes no sense."""
    words = " ".join(text.split())
    if between := _BETWEEN.fullmatch(words):
        return _bounded(Hours(), between["from"], between["until"], zone)
    tail = _TAIL.fullmatch(words)
    if tail is None:
        raise ValueError(f'hours "{text}" make no sense')
    hours = _recurring(tail["rest"], text)
    if tail["not"]:
        if not hours.days or hours.holidays:
            raise ValueError('"not on holidays" needs days of the week')
        hours = replace(hours, holidays=False)
    return _bounded(hours, tail["from"], tail["until"], zone)


def format_hours(hours: Hours, zone: ZoneInfo) -> str:
    """Write a window so that `parse_hours` reads it back equal."""
    begin, end = (None if at is None else _dated(at, zone) for at in (hours.from_at, hours.to_at))
    if not hours.days and begin and end:
        return f"{begin} .. {end}"
    words = [_format_recurring(hours)] if hours.days else ["always"]
    if hours.holidays is False:
        words.append("not on holidays")
    if begin:
        words.append(f"from {begin}")
    if end:
        words.append(f"until {end}")
    return " ".join(words)


def _recurring(words: str, text: str) -> Hours:
    if words.lower() == "always":
        return Hours()
    if spanning := _SPANNING.fullmatch(words):
        first, last = _day(spanning["first"]), _day(spanning["last"])
        start, end = _minutes(spanning["start"]), _minutes(spanning["end"])
        span = (last - first) % len(DAYS)
        if span == 0 and end <= start:
            span = len(DAYS)
        return Hours(days=(first,), start=_start(start), end=end, span_days=span)
    recurring = _RECURRING.fullmatch(words)
    if recurring is None:
        raise ValueError(
            f'hours "{text}" make no sense; write "Mon-Fri 07:00-15:30", "daily 21:00-07:00", '
            '"Fri 16:00 - Mon 07:00", "always", or "2026-12-24 07:00 .. 2026-12-24 21:00"'
        )
    start, end = _minutes(recurring["start"]), _minutes(recurring["end"])
    on_holidays = recurring["days"].lower() == "holidays"
    days = tuple(range(len(DAYS))) if on_holidays else _days(recurring["days"])
    return Hours(days, _start(start), end, 1 if end <= start else 0, holidays=True if on_holidays else None)


def _bounded(hours: Hours, begin: str | None, end: str | None, zone: ZoneInfo) -> Hours:
    from_at = None if begin is None else _instant(begin, zone)
    to_at = None if end is None else _instant(end, zone)
    if from_at is not None and to_at is not None and to_at <= from_at:
        raise ValueError(f"ends at {end}, before it begins at {begin}")
    return replace(hours, from_at=from_at, to_at=to_at)


def _instant(text: str, zone: ZoneInfo) -> int:
    day, _, time = text.replace("T", " ").partition(" ")
    try:
        return instant(date.fromisoformat(day), _minutes(time) if time else 0, zone)
    except ValueError as error:
        raise ValueError(f'"{text}" is no date and time: {error}') from None


def _day(name: str) -> int:
    number = _DAY_NUMBERS.get(name.strip().lower())
    if number is None:
        raise ValueError(f'no day "{name.strip()}"; days are {" ".join(DAYS)}')
    return number


def _days(text: str) -> tuple[int, ...]:
    if text.strip().lower() == "daily":
        return tuple(range(len(DAYS)))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        length = (_day(last) - begin) % len(DAYS) + 1 if dash else 1
        found += [(begin + i) % len(DAYS) for i in range(length)]
    if len(set(found)) != len(found):
        raise ValueError(f'"{text.strip()}" names a day twice')
    return tuple(sorted(found))


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    minutes = int(hour) * 60 + int(minute)
    if int(minute) > 59 or minutes > DAY_MIN:
        raise ValueError(f'"{text}" is no time of day')
    return minutes


def _start(minutes: int) -> int:
    if minutes == DAY_MIN:
        raise ValueError("a window begins at 24:00; write 00:00 of the next day")
    return minutes


def _format_recurring(hours: Hours) -> str:
    start, end = _clock(hours.start), _clock(hours.end)
    ordinary = 1 if hours.end <= hours.start else 0
    if hours.span_days != ordinary:
        (first,) = hours.days
        return f"{DAYS[first]} {start} - {DAYS[(first + hours.span_days) % len(DAYS)]} {end}"
    if hours.holidays:
        return f"holidays {start}-{end}"
    names = "daily" if len(hours.days) == len(DAYS) else ",".join(DAYS[day] for day in hours.days)
    if hours.days == tuple(range(hours.days[0], hours.days[-1] + 1)) and 2 < len(hours.days) < len(DAYS):
        names = f"{DAYS[hours.days[0]]}-{DAYS[hours.days[-1]]}"
    return f"{names} {start}-{end}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _dated(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")
