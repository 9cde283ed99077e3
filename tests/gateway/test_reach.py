"""Live, recent, none: both sides of every deadline, on a clock that is an argument."""

from __future__ import annotations

import pytest

from alarmhub.gateway.reach import (
    DROP_WINDOW_MS,
    RECENT_MS,
    UNIT_STABLE_MS,
    VANISHED_WINDOW_MS,
    DeviceKey,
    ReachTable,
    UnitSilence,
)

T0 = 1_000_000


def device(number: int) -> DeviceKey:
    """A person's only phone."""
    return DeviceKey(f"staff{number}", "phone")


def crowd(count: int, unit: str = "201") -> ReachTable:
    """So many live phones of one unit."""
    table = ReachTable()
    for number in range(count):
        table.connected(device(number), (unit,))
    return table


def test_a_lost_phone_is_recent_for_30_s_and_then_gone_once() -> None:
    """Not a millisecond before, and not told twice."""
    table = crowd(1)
    table.lost(device(0), T0)
    assert (table.live, table.recent) == (0, 1)
    assert table.expired(T0 + RECENT_MS - 1) == []
    assert table.expired(T0 + RECENT_MS) == [device(0)]
    assert table.expired(T0 + RECENT_MS) == [] and table.recent == 0


def test_a_phone_that_returns_in_time_never_expires() -> None:
    """Its 30 s begin anew when it is lost again."""
    table = crowd(1)
    table.lost(device(0), T0)
    table.connected(device(0), ("201",))
    assert table.expired(T0 + 10 * RECENT_MS) == []
    table.lost(device(0), T0 + 20_000)
    assert table.expired(T0 + RECENT_MS) == []
    assert table.expired(T0 + 20_000 + RECENT_MS) == [device(0)]


def test_who_was_seen_before_the_start_is_recent() -> None:
    """Until the grace is over; those already back are not set back."""
    table = crowd(1)
    assert table.seed([device(0), device(1), device(2)], T0) == [device(1), device(2)]
    table.connected(device(1), ())
    assert table.expired(T0 + RECENT_MS - 1) == []
    assert table.expired(T0 + RECENT_MS) == [device(2)]


def test_losing_an_unknown_phone_changes_nothing() -> None:
    """Nor does connecting twice or losing twice."""
    table = crowd(2)
    table.connected(device(0), ("201",))
    table.lost(device(7), T0)
    table.lost(device(0), T0)
    table.lost(device(0), T0 + 1)
    assert (table.live, table.recent) == (1, 1)


@pytest.mark.parametrize(("lost", "many"), [(2, False), (3, True), (9, True)])
def test_more_than_a_fifth_within_5_s_is_many(lost: int, many: bool) -> None:
    """Of ten phones, two are a fifth and not more."""
    table = crowd(10)
    for number in range(lost):
        table.lost(device(number), T0 + number)
    assert table.dropped_many(T0 + 500) is many


def test_drops_further_apart_than_5_s_are_not_many() -> None:
    """The window closes exactly 5 s after a drop."""
    for gap, many in ((DROP_WINDOW_MS - 1, True), (DROP_WINDOW_MS, False)):
        table = crowd(5)
        table.lost(device(0), T0)
        table.lost(device(1), T0 + gap)
        assert table.dropped_many(T0 + gap) is many


def test_a_single_phone_is_never_many() -> None:
    """However few there are: one lost phone must not stop the hub from passing on."""
    table = crowd(2)
    table.lost(device(0), T0)
    assert not table.dropped_many(T0)


def test_a_phone_that_came_back_is_no_drop() -> None:
    """Flapping of one phone does not add up to a failed network."""
    table = crowd(5)
    for at in range(T0, T0 + 4_000, 500):
        table.lost(device(0), at)
        table.connected(device(0), ("201",))
    table.lost(device(0), T0 + 4_000)
    assert not table.dropped_many(T0 + 4_000)


def test_a_growing_drop_is_told_at_most_once_a_second() -> None:
    """And only when more were lost since, so that the grace covers the last of them."""
    table = crowd(20)
    for number in range(6):
        table.lost(device(number), T0)
    assert table.dropped_many(T0)
    table.lost(device(6), T0 + 999)
    assert not table.dropped_many(T0 + 999)
    assert table.dropped_many(T0 + 1_000)
    assert not table.dropped_many(T0 + 3_000)


@pytest.mark.parametrize(
    ("phones", "lost", "silent"), [(4, 2, True), (5, 2, False), (2, 1, False), (2, 2, True)]
)
def test_half_of_a_units_phones_at_least_two(phones: int, lost: int, silent: bool) -> None:
    """ward.md, "When the hub itself is the news"."""
    table = crowd(phones)
    for number in range(lost):
        table.lost(device(number), T0)
    assert table.units_changed(T0) == ([UnitSilence("201", True, lost, phones)] if silent else [])
    assert table.units_changed(T0 + 1) == []


def test_phones_that_vanish_further_apart_than_30_s_are_no_silence() -> None:
    """Both sides of the window."""
    for gap, silent in ((VANISHED_WINDOW_MS - 1, True), (VANISHED_WINDOW_MS, False)):
        table = crowd(4)
        table.lost(device(0), T0)
        table.units_changed(T0)
        table.lost(device(1), T0 + gap)
        assert bool(table.units_changed(T0 + gap)) is silent


def test_a_shift_that_signs_off_is_no_silence() -> None:
    """A phone that says goodbye has not vanished; it is lost all the same."""
    table = crowd(4)
    for number in range(4):
        table.lost(device(number), T0, goodbye=True)
    assert table.units_changed(T0) == [] and table.recent == 4


def test_only_the_unit_concerned_is_silent() -> None:
    """A phone may belong to several units; one of them can be whole."""
    table = crowd(2, "201")
    for number in range(2, 8):
        table.connected(device(number), ("202",))
    table.connected(device(8), ("201", "202"))
    for number in (0, 1, 8):
        table.lost(device(number), T0)
    assert table.units_changed(T0) == [UnitSilence("201", True, 3, 3)]


def test_a_unit_is_back_after_two_stable_minutes() -> None:
    """With more than half of its phones, without a break; then it may fall silent again."""
    table = crowd(4)
    for number in range(3):
        table.lost(device(number), T0)
    assert table.units_changed(T0)
    for number in range(2):
        table.connected(device(number), ("201",))
    assert table.units_changed(T0 + 1_000) == []
    table.lost(device(0), T0 + 60_000)
    assert table.units_changed(T0 + 60_000) == []
    table.connected(device(0), ("201",))
    since = T0 + 61_000
    assert table.units_changed(since) == []
    assert table.units_changed(since + UNIT_STABLE_MS - 1) == []
    assert table.units_changed(since + UNIT_STABLE_MS) == [UnitSilence("201", False, 1, 4)]
    table.lost(device(0), since + UNIT_STABLE_MS)
    table.lost(device(1), since + UNIT_STABLE_MS)
    assert [s.silent for s in table.units_changed(since + UNIT_STABLE_MS)] == [True]
