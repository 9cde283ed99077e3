"""A hospital's day against the real hub: people differ, but nothing is lost and nothing doubled."""

import json
from collections.abc import Iterator

import pytest

from load.bench import Bench
from load.day import Day, run_hospital
from load.plan import Press
from load.rounds import Target


@pytest.fixture
def day() -> Iterator[Day]:
    """A day that is not connected to anything."""
    target = Target("test", "127.0.0.1", 1, 1, "secret", ["p"], ["ward/1"], 1, 1)
    made = Day(target, seed=1, pace=1)
    yield made
    made.close()


def test_a_signal_has_the_sources_id_and_its_wrong_clock(day: Day) -> None:
    """The same id for a duplicate on the wire, a new one for a call pressed again."""
    first = json.loads(day.body(Press(0, 3, 0, skew_ms=-60_000)))
    duplicate = json.loads(day.body(Press(0, 3, 0, defect="duplicate")))
    pressed_again = json.loads(day.body(Press(0, 3, 0, defect="impatient")))
    assert first["id"] == duplicate["id"]
    assert pressed_again["id"] != first["id"]
    assert first["ref"] == pressed_again["ref"]
    assert first["occurred_at"] < duplicate["occurred_at"]


def test_out_of_order_the_update_comes_before_its_start(day: Day) -> None:
    """The source's messages overtake each other."""
    assert json.loads(day.body(Press(0, 4, 0, defect="late")))["event"] == "update"


def test_a_short_day_loses_nothing(bench: Bench) -> None:
    """A few hundred signals with nurses, radio gaps, repeats and malformed ones within seconds."""
    section, runs, faults = run_hospital(bench, times=150, seconds=6, pace=30, say=lambda text: None)
    assert (section["lost"], section["duplicated"]) == (0, 0)
    assert section["alarms"] > 50
    assert section["accepted"] > 0
    assert runs["refused"] == 0
    assert [fault for fault in faults if "generator" not in fault] == []
