"""When a window is open: shift boundaries, midnight, weekends, holidays and both changes of the clocks."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alarmhub.core.hours import Calendar, calendar, instant, next_boundary, within
from alarmhub.core.site import Hours

ZONE = ZoneInfo("Europe/Stockholm")
CAL = calendar("Europe/Stockholm", ["2026-12-24", "2026-12-25", "2027-01-01"])
MINUTE_MS = 60_000
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
NIGHT = Hours(days=EVERY_DAY, start=21 * 60, end=7 * 60)
DAY = Hours(days=(0, 1, 2, 3, 4), start=7 * 60, end=15 * 60 + 30)
WEEKEND = Hours(days=(4,), start=16 * 60, end=7 * 60, span_days=3)


def at(text: str) -> int:
    """Epoch ms of a local time in Stockholm, or of a UTC time that ends in Z."""
    if text.endswith("Z"):
        return int(datetime.fromisoformat(text).timestamp()) * 1000
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1000


@pytest.mark.parametrize(
    ("hours", "begin", "end"),
    [
        (DAY, "2026-11-24T07:00", "2026-11-24T15:30"),
        (NIGHT, "2026-11-24T21:00", "2026-11-25T07:00"),
        (WEEKEND, "2026-11-27T16:00", "2026-11-30T07:00"),
    ],
)
def test_a_shift_begins_on_its_first_millisecond_and_is_over_on_its_last(
    hours: Hours, begin: str, end: str
) -> None:
    """The start belongs to the window, the end does not; each is the next boundary seen from before."""
    start_at, end_at = at(begin), at(end)
    assert not within(hours, start_at - 1, CAL)
    assert within(hours, start_at, CAL)
    assert within(hours, end_at - 1, CAL)
    assert not within(hours, end_at, CAL)
    assert next_boundary(hours, start_at - 1, CAL) == start_at
    assert next_boundary(hours, start_at, CAL) == end_at
    assert next_boundary(hours, end_at - 1, CAL) == end_at


def test_a_day_shift_on_friday_is_followed_by_monday() -> None:
    """Nothing opens on the weekend for Mon-Fri."""
    assert next_boundary(DAY, at("2026-11-27T15:30"), CAL) == at("2026-11-30T07:00")


def test_the_night_of_the_spring_change_is_an_hour_shorter_and_the_autumn_night_longer() -> None:
    """21:00-07:00 stays wall-clock time: nine hours in March, eleven in October."""
    for begin, long_ms in (("2027-03-27T21:00", 9 * 3_600_000), ("2026-10-24T21:00", 11 * 3_600_000)):
        assert next_boundary(NIGHT, at(begin), CAL) == at(begin) + long_ms


def test_a_boundary_in_the_spring_gap_moves_to_the_first_valid_instant() -> None:
    """02:15 does not exist on 28 March 2027: the first instant after it is 03:00 summer time, 01:00 UTC."""
    assert instant(date(2027, 3, 28), 2 * 60 + 15, ZONE) == at("2027-03-28T01:00Z")


def test_a_boundary_in_the_autumn_fold_is_its_first_occurrence() -> None:
    """02:15 comes twice on 25 October 2026: the one in summer time, 00:15 UTC, counts."""
    assert instant(date(2026, 10, 25), 2 * 60 + 15, ZONE) == at("2026-10-25T00:15Z")


def test_a_window_that_lies_wholly_in_the_gap_is_empty_that_night() -> None:
    """02:10-02:50 is skipped in the night that has no such time, and back the next."""
    hours = Hours(days=EVERY_DAY, start=130, end=170)
    assert next_boundary(hours, at("2027-03-28T00:30"), CAL) == at("2027-03-29T02:10")


def test_the_whole_time_never_changes() -> None:
    """No days and no bounds is always; so is every day around the clock, although it has midnights in it."""
    for hours in (
        Hours(),
        Hours(days=EVERY_DAY, start=0, end=24 * 60),
        Hours(days=EVERY_DAY, start=420, end=420),
    ):
        assert within(hours, at("2026-11-24T10:00"), CAL)
        assert next_boundary(hours, at("2026-11-24T10:00"), CAL) is None


def test_a_dated_window_opens_once_and_closes_for_good() -> None:
    """Bounds alone are one window."""
    begin, end = at("2026-12-24T07:00"), at("2026-12-24T21:00")
    hours = Hours(from_at=begin, to_at=end)
    assert next_boundary(hours, 0, CAL) == begin
    assert within(hours, begin, CAL) and not within(hours, end, CAL)
    assert next_boundary(hours, begin, CAL) == end
    assert next_boundary(hours, end, CAL) is None


def test_bounds_cut_a_recurring_window() -> None:
    """A summer rota ends in the middle of a night: that night ends with it."""
    hours = Hours(
        days=EVERY_DAY, start=1260, end=420, from_at=at("2026-11-24T23:00"), to_at=at("2026-11-26T01:00")
    )
    seen, now = [], 0
    while (change := next_boundary(hours, now, CAL)) is not None:
        seen.append(change)
        now = change
    wanted = ("2026-11-24T23:00", "2026-11-25T07:00", "2026-11-25T21:00", "2026-11-26T01:00")
    assert seen == [at(text) for text in wanted]


def test_holidays_only_and_never_on_holidays() -> None:
    """On Christmas Eve, a Thursday, the holiday rota holds and the weekday rota rests until Monday."""
    holiday = Hours(days=EVERY_DAY, start=420, end=1260, holidays=True)
    weekday = Hours(days=(0, 1, 2, 3, 4), start=420, end=930, holidays=False)
    eve = at("2026-12-24T10:00")
    assert within(holiday, eve, CAL) and not within(weekday, eve, CAL)
    assert next_boundary(weekday, eve, CAL) == at("2026-12-28T07:00")
    assert next_boundary(holiday, at("2026-12-25T21:00"), CAL) == at("2027-01-01T07:00")
    assert next_boundary(holiday, at("2027-01-01T21:00"), CAL) is None


def test_around_the_clock_except_on_holidays_runs_to_the_next_holiday() -> None:
    """The next change may be far away, and is found without scanning minutes."""
    cal = calendar("Europe/Stockholm", ["2031-01-01"])
    hours = Hours(days=EVERY_DAY, start=0, end=24 * 60, holidays=False)
    assert next_boundary(hours, at("2026-11-24T10:00"), cal) == at("2031-01-01T00:00")
    assert next_boundary(hours, at("2031-01-02T00:00"), cal) is None


class Oracle:
    """Brute force: the wall clock of every minute; a boundary is the first minute that shows it or later."""

    def __init__(self, first: str, days: int) -> None:
        self.first = at(first)
        self.minutes = [self.first + i * MINUTE_MS for i in range(days * 24 * 60)]
        shown = [
            datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZONE).replace(tzinfo=None)
            for ms in self.minutes
        ]
        # The latest wall time shown so far: the first minute where it reaches a boundary is that boundary.
        self.latest = [shown[0]]
        for wall in shown[1:]:
            self.latest.append(max(self.latest[-1], wall))

    def open_minutes(self, hours: Hours, holidays: tuple[date, ...]) -> list[bool]:
        """For each minute whether the window is open."""
        state = [False] * len(self.minutes)
        day = self.latest[0].date() - timedelta(days=10)
        while day <= self.latest[-1].date():
            holiday = day in holidays
            if day.weekday() in hours.days and hours.holidays in (None, holiday):
                midnight = datetime.combine(day, time.min)
                span = hours.span_days or (1 if hours.end <= hours.start else 0)
                begin = bisect_left(self.latest, midnight + timedelta(minutes=hours.start))
                end = bisect_left(self.latest, midnight + timedelta(days=span, minutes=hours.end))
                state[begin:end] = [True] * (end - begin)
            day += timedelta(days=1)
        return state


SPRING = Oracle("2027-03-20T00:00", 16)
AUTUMN = Oracle("2026-10-17T00:00", 16)
HOURS = st.builds(
    Hours,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    start=st.one_of(st.integers(0, 1439), st.integers(110, 190)),
    end=st.one_of(st.integers(0, 1440), st.integers(110, 190)),
    span_days=st.sampled_from((0, 0, 0, 1, 2, 3, 7)),
    holidays=st.sampled_from((None, None, True, False)),
)


@pytest.mark.parametrize("oracle", [SPRING, AUTUMN], ids=["spring", "autumn"])
@settings(deadline=None, max_examples=150)
@given(hours=HOURS, data=st.data())
def test_windows_agree_with_brute_force_around_a_change_of_the_clocks(
    oracle: Oracle, hours: Hours, data: st.DataObject
) -> None:
    """Minute by minute over 16 days: open or not, and the next minute at which that changes."""
    holidays = (oracle.latest[0].date() + timedelta(days=8), oracle.latest[0].date() + timedelta(days=10))
    cal = Calendar(ZONE, holidays)
    state = oracle.open_minutes(hours, holidays)
    around_change = st.integers(8 * 1440, 9 * 1440 + 240)
    for _ in range(20):
        index = data.draw(st.one_of(around_change, st.integers(0, len(state) - 1)))
        now = oracle.minutes[index] + data.draw(st.sampled_from((0, 1, 30_000, 59_999)))
        assert within(hours, now, cal) == state[index]
        change = next((i for i in range(index + 1, len(state)) if state[i] != state[index]), None)
        found = next_boundary(hours, now, cal)
        if change is not None:
            assert found == oracle.minutes[change]
        else:
            assert found is None or found > oracle.minutes[-1]
