"""Phones that lose the hub and come back at once, from a process of their own."""

from __future__ import annotations

import pytest

from load.bench import FLOOR, Bench
from load.push import _back
from load.storm import Storm


@pytest.mark.timeout(120)
def test_they_come_back_and_say_how_long_it_took(bench: Bench) -> None:
    """Against the floor: all are in again, and the process ends when it is told to."""
    with bench.running(FLOOR) as target:
        storm = Storm(target.host, target.phone_port, target.phone_secrets)
        try:
            storm.connect()
            storm.break_out()
            told = _back(storm)
        finally:
            storm.stop()
    assert told["all_in"] and told["in"] == told["phones"] == len(target.phone_secrets)
    assert 0 < told["half_in_s"] <= told["last_in_s"]
    assert not storm._child.is_alive()


def test_phones_that_do_not_get_in_are_a_fault() -> None:
    """Nobody listens there."""
    storm = Storm("127.0.0.1", 9, ["secret"])
    try:
        with pytest.raises(TimeoutError):
            storm.connect()
    finally:
        storm.stop()
