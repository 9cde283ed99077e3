"""Signing on and off: how long a word counts, on both sides of its end, and what cannot be signed on with."""

from __future__ import annotations

import pytest

from alarmhub.core.roster import roster_at
from alarmhub.core.shifts import (
    EARLY_MS,
    LONGEST_MS,
    LONGEST_OFF_MS,
    OVERLAP_MS,
    fault_in,
    signed_off,
    signed_on,
)
from alarmhub.core.site import Duty, Hours, Site
from tests.core.test_roster import DAY, EVERY_DAY, NIGHT, at, ward

MIN = 60_000
SITE = ward((Duty("a", "201", ("ssk",), DAY, ("f/201/1/1",)), Duty("natt", "201", ("ssk",), NIGHT)))


def on_duty(site: Site, now: int, staff: str, shift: object) -> list[str]:
    """Where this person is on duty then, having said that."""
    roster = roster_at(site, now, {}, {staff: shift})  # type: ignore[dict-item]
    return [entry.unit for entry in roster.by_staff.get(staff, ())]


def test_a_shift_ends_half_an_hour_after_the_scheduled_duty() -> None:
    """Time to hand over: on duty to 15:59:59.999, and the schedule's roles hold to the end."""
    shift = signed_on(SITE, "a", "201", ("f/201/1/1",), (), at("2026-11-24T06:55"))
    end = at("2026-11-24T15:30") + OVERLAP_MS
    assert (shift.until, shift.roles, shift.lent) == (end, ("ssk",), False)
    assert on_duty(SITE, end - 1, "a", shift) == ["201"]
    assert on_duty(SITE, end, "a", shift) == []
    (entry,) = roster_at(SITE, end - 1, {}, {"a": shift}).by_role["ssk"]
    assert entry.beds == ("f/201/1/1",)


def test_who_is_not_scheduled_there_is_on_duty_for_fourteen_hours_at_most() -> None:
    """Lent from another ward, or called in."""
    began = at("2026-11-24T08:00")
    shift = signed_on(SITE, "a", "202", (), ("usk",), began)
    assert shift.until == began + LONGEST_MS and shift.lent and shift.roles == ("usk",)
    assert on_duty(SITE, shift.until - 1, "a", shift) == ["202"]
    assert on_duty(SITE, shift.until, "a", shift) == []


def test_a_duty_that_begins_within_the_hour_is_the_one_that_is_meant() -> None:
    """An hour early it is that duty; a millisecond earlier it is not, and fourteen hours count."""
    seven = at("2026-11-24T07:00")
    assert signed_on(SITE, "a", "201", (), (), seven - EARLY_MS).until == at("2026-11-24T16:00")
    early = signed_on(SITE, "a", "201", (), (), seven - EARLY_MS - 1)
    assert early.until == early.at + LONGEST_MS and early.lent


def test_a_scheduled_duty_without_end_ends_after_fourteen_hours() -> None:
    """A desk that the schedule has for ever: what was forgotten ends, and the schedule counts again."""
    site = ward((Duty("desk", "201", ("ssk",), Hours()),))
    shift = signed_on(site, "desk", "201", (), ("usk",), at("2026-11-24T08:00"))
    assert shift.until == shift.at + LONGEST_MS
    assert roster_at(site, shift.until, {}, {"desk": shift}).on_duty[0].roles == ("ssk",)


def test_a_long_scheduled_duty_does_not_stretch_a_shift_past_fourteen_hours() -> None:
    """Twenty-four hours on call: after fourteen the schedule alone says so."""
    day_and_night = Hours(days=EVERY_DAY, start=8 * 60, end=8 * 60, span_days=1)
    site = ward((Duty("a", "201", ("ssk",), day_and_night),))
    shift = signed_on(site, "a", "201", (), (), at("2026-11-24T08:00"))
    assert shift.until == shift.at + LONGEST_MS


@pytest.mark.parametrize(
    ("evening", "hours"),
    [("2026-03-28T21:00", 9), ("2026-10-24T21:00", 11)],
    ids=["the short night", "the long night"],
)
def test_the_night_the_clocks_change_a_shift_ends_by_the_ward_s_clock(evening: str, hours: int) -> None:
    """Half an hour after seven by the clock on the wall, an hour sooner or later than on other nights."""
    shift = signed_on(SITE, "natt", "201", (), (), at(evening))
    assert shift.until == at(evening) + hours * 3_600_000 + OVERLAP_MS
    assert on_duty(SITE, shift.until - 1, "natt", shift) == ["201"]
    assert on_duty(SITE, shift.until, "natt", shift) == []


def test_signing_off_holds_to_the_end_of_the_duty_and_the_next_one_counts() -> None:
    """Ill at ten: off for the rest of the day, on again tomorrow without another word."""
    shift = signed_off(SITE, "a", at("2026-11-24T10:00"))
    end = at("2026-11-24T15:30")
    assert shift.until == end
    assert on_duty(SITE, at("2026-11-24T10:00"), "a", shift) == []
    assert on_duty(SITE, end - 1, "a", shift) == []
    assert on_duty(SITE, at("2026-11-25T07:00"), "a", shift) == ["201"]


def test_signing_off_in_the_long_night_holds_to_its_end() -> None:
    """02:30 comes twice; off duty both times, and until seven."""
    shift = signed_off(SITE, "natt", at("2026-10-25T00:30"))
    assert shift.until == at("2026-10-25T07:00")
    second = at("2026-10-25T02:30") + 3_600_000
    assert on_duty(SITE, second, "natt", shift) == []
    assert on_duty(SITE, at("2026-10-25T21:00"), "natt", shift) == ["201"]


def test_signing_off_without_a_duty_ends_at_once_what_was_said_before() -> None:
    """Called in, and home again: nothing of the schedule is hidden by it."""
    shift = signed_off(SITE, "a", at("2026-11-24T20:00"))
    assert shift.until == shift.at
    assert on_duty(SITE, at("2026-11-25T07:00"), "a", shift) == ["201"]


def test_who_is_scheduled_for_ever_is_expected_again_after_a_day() -> None:
    """Otherwise one tap would take a desk off duty for good."""
    site = ward((Duty("desk", "201", ("ssk",), Hours()),))
    shift = signed_off(site, "desk", at("2026-11-24T16:00"))
    assert on_duty(site, shift.at + LONGEST_OFF_MS - 1, "desk", shift) == []
    assert on_duty(site, shift.at + LONGEST_OFF_MS, "desk", shift) == ["201"]


def test_the_same_word_twice_is_the_same() -> None:
    """A repeated tap changes nothing."""
    now = at("2026-11-24T08:00")
    beds = ("f/201/1/1", "f/201/1/1")
    assert signed_on(SITE, "a", "201", beds, ("ssk",), now) == signed_on(
        SITE, "a", "201", beds, ("ssk",), now
    )
    assert signed_on(SITE, "a", "201", beds, ("ssk",), now).beds == ("f/201/1/1",)
    assert signed_off(SITE, "a", now) == signed_off(SITE, "a", now)


@pytest.mark.parametrize(
    ("staff", "unit", "beds", "roles", "field"),
    [
        ("who", "201", (), (), "staff"),
        ("a", "999", (), (), "unit"),
        ("a", "201", ("f/201/1",), (), "beds"),
        ("a", "201", ("f/201/1/9",), (), "beds"),
        ("a", "202", ("f/201/1/wc",), (), "beds"),
        ("natt", "202", ("f/201/1/1",), (), "beds"),
        ("a", "201", (), ("surgeon",), "roles"),
    ],
)
def test_what_the_site_does_not_have_cannot_be_signed_on_with(
    staff: str, unit: str, beds: tuple[str, ...], roles: tuple[str, ...], field: str
) -> None:
    """Each fault by its member's name."""
    fault = fault_in(SITE, staff, unit, beds, roles, at("2026-11-24T10:00"))
    assert fault is not None and fault.field == field


def test_beds_may_lie_in_another_unit_where_the_schedule_has_the_same_person() -> None:
    """The night nurse of two wards claims beds in both, from whichever she signs on in."""
    site = ward((Duty("natt", "201", ("ssk",), NIGHT), Duty("natt", "202", ("ssk",), NIGHT)))
    now = at("2026-11-24T21:00")
    assert fault_in(site, "natt", "202", ("f/201/1/1",), ("usk",), now) is None
    assert fault_in(site, "natt", "201", ("f/201/1/1",), (), now) is None
