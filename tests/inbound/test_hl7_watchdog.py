"""Reporters that say they live, and those that stop saying so."""

from __future__ import annotations

from alarmhub.inbound.hl7_watchdog import LONGEST_S, MISSED, MOST, Watchdogs


def test_one_that_stops_is_told_of_once_after_three_missing() -> None:
    """And again when it is back."""
    dogs = Watchdogs()
    assert dogs.barked("gw", 5, 0) is False
    assert dogs.next_check() == MISSED * 5_000
    assert dogs.silent(MISSED * 5_000 - 1) == []
    assert dogs.silent(MISSED * 5_000) == ["gw"]
    assert dogs.silent(MISSED * 5_000 + 1) == []
    assert dogs.next_check() is None
    assert dogs.barked("gw", 5, 20_000) is True
    assert dogs.next_check() == 35_000


def test_anything_it_says_is_life() -> None:
    """An alarm is as good as a watchdog message; of one that never sent any, nothing is expected."""
    dogs = Watchdogs()
    dogs.barked("gw", 5, 0)
    assert dogs.spoke("gw", 14_000) is False
    assert dogs.silent(15_000) == []
    assert dogs.silent(29_000) == ["gw"]
    assert dogs.spoke("gw", 30_000) is True
    assert dogs.spoke("other", 0) is False
    assert len(dogs) == 1


def test_one_that_leaves_on_purpose_is_not_missed() -> None:
    """Planned shutdown; leaving twice is leaving."""
    dogs = Watchdogs()
    dogs.barked("gw", 5, 0)
    dogs.leaves("gw")
    dogs.leaves("gw")
    assert (len(dogs), dogs.next_check(), dogs.silent(1_000_000)) == (0, None, [])
    assert dogs.within_ms is None


def test_odd_times_and_many_reporters_are_bounded() -> None:
    """Nothing said, zero, a year."""
    dogs = Watchdogs()
    dogs.barked("a", None, 0)
    assert dogs.within_ms == MISSED * 10_000
    dogs.barked("b", 0.001, 0)
    assert dogs.next_check() == MISSED * 1_000
    dogs.barked("c", 31_536_000, 0)
    assert dogs.within_ms == MISSED * LONGEST_S * 1_000
    for number in range(MOST * 2):
        dogs.barked(f"gw{number}", 5, 0)
    assert len(dogs) == MOST
