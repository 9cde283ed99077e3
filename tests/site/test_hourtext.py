"""Hours as people write them, and back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.core.site import Hours
from alarmhub.site.hourtext import format_hours, parse_hours

ZONE = ZoneInfo("Europe/Stockholm")
WEEK = (0, 1, 2, 3, 4, 5, 6)
EVE_AT, EVE_OVER_AT = 1798092000000, 1798142400000  # 2026-12-24 07:00 and 21:00 in Stockholm


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("always", Hours()),
        ("Mon-Fri 07:00-15:30", Hours((0, 1, 2, 3, 4), 420, 930)),
        ("mon,wed,fri-sun 7:00 - 15:30", Hours((0, 2, 4, 5, 6), 420, 930)),
        ("Sat-Mon 07:00-15:30", Hours((0, 5, 6), 420, 930)),
        ("daily 21:00-07:00", Hours(WEEK, 1260, 420, 1)),
        ("daily 00:00-24:00", Hours(WEEK, 0, 1440)),
        ("Fri 16:00 - Mon 07:00", Hours((4,), 960, 420, 3)),
        ("Mon 07:00 - Mon 07:00", Hours((0,), 420, 420, 7)),
        ("holidays 07:00-21:00", Hours(WEEK, 420, 1260, holidays=True)),
        ("Mon-Fri 07:00-15:30 not on holidays", Hours((0, 1, 2, 3, 4), 420, 930, holidays=False)),
        ("2026-12-24 07:00 .. 2026-12-24 21:00", Hours(from_at=EVE_AT, to_at=EVE_OVER_AT)),
        ("always from 2026-12-24T07:00", Hours(from_at=EVE_AT)),
        (
            "daily 21:00-07:00 from 2026-12-24 07:00 until 2026-12-24 21:00",
            Hours(WEEK, 1260, 420, 1, EVE_AT, EVE_OVER_AT),
        ),
    ],
)
def test_hours_are_read_and_written_back(text: str, hours: Hours) -> None:
    """Each form gives its window, and what is written of it reads as the same window."""
    assert parse_hours(text, ZONE) == hours
    assert parse_hours(format_hours(hours, ZONE), ZONE) == hours


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sometimes",
        "Mon-Fri",
        "07:00-15:30",
        "Mon-Fri 07:00",
        "Mon-Fri 07:60-15:30",
        "Mon-Fri 24:01-15:30",
        "daily 24:00-07:00",
        "Mon,Mon 07:00-15:30",
        "Mon-Wed,Tue 07:00-15:30",
        "Fryday 16:00 - Mon 07:00",
        "always not on holidays",
        "holidays 07:00-21:00 not on holidays",
        "2026-02-30 07:00 .. 2026-03-01 07:00",
        "2026-12-24 21:00 .. 2026-12-24 07:00",
        "daily 07:00-15:30 until 2026-01-01 from 2026-02-01",
        "daily 07:00-15:30 from 2026-02-01 until 2026-01-01",
    ],
)
def test_hours_that_make_no_sense_say_so(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_hours(text, ZONE)


@given(
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    span=st.sampled_from((0, 2, 3, 6)),
    holidays=st.sampled_from((None, True, False)),
)
def test_every_window_a_file_can_say_is_written_as_it_was(
    days: tuple[int, ...], start: int, end: int, span: int, holidays: bool | None
) -> None:
    """Writing loses nothing: days, times, spans of days and the word about holidays."""
    if span:
        days, holidays = days[:1], None if holidays else holidays
    elif holidays:
        days = WEEK
    hours = Hours(days, start, end, span or (1 if end <= start else 0), holidays=holidays)
    assert parse_hours(format_hours(hours, ZONE), ZONE) == hours


@given(st.text(alphabet="Mon-Fri daily,holidays 0123456789:.", max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """A window or a ValueError, nothing else."""
    try:
        hours = parse_hours(text, ZONE)
    except ValueError:
        return
    assert parse_hours(format_hours(hours, ZONE), ZONE) == hours
