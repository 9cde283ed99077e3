"""The scenario's clock: moves when told, runs on a little, then stands."""

from __future__ import annotations

import pytest

from alarmhub.demo.clock import RUNS_ON_MS, DemoClock

TEN_O_CLOCK = 1_795_510_800_000


class Machine:
    """Monotonic time by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        """The reading."""
        return self.ns

    def passes_ms(self, ms: int) -> None:
        """Real time goes by."""
        self.ns += ms * 1_000_000


def test_it_runs_on_for_a_moment_and_then_stands() -> None:
    """A slow machine never carries the scenario past a deadline it has not been moved to."""
    machine = Machine()
    clock = DemoClock(TEN_O_CLOCK, monotonic_ns=machine)

    machine.passes_ms(200)
    assert clock.now() == TEN_O_CLOCK + 200
    machine.passes_ms(60_000)
    assert clock.now() == TEN_O_CLOCK + RUNS_ON_MS


def test_it_moves_to_the_instant_it_is_told() -> None:
    """Moved, it shows exactly that instant and runs on from there."""
    machine = Machine()
    clock = DemoClock(TEN_O_CLOCK, monotonic_ns=machine)
    machine.passes_ms(5_000)

    clock.move_to(TEN_O_CLOCK + 45_000)

    assert clock.now() == TEN_O_CLOCK + 45_000
    machine.passes_ms(10)
    assert clock.now() == TEN_O_CLOCK + 45_010


def test_it_can_stand_right_where_it_was_moved() -> None:
    """A millisecond before a deadline it stays a millisecond before the deadline."""
    machine = Machine()
    clock = DemoClock(TEN_O_CLOCK, monotonic_ns=machine)

    clock.move_to(TEN_O_CLOCK + 44_999, runs_on=False)
    machine.passes_ms(10_000)

    assert clock.now() == TEN_O_CLOCK + 44_999


def test_it_never_goes_back() -> None:
    """Deadlines that were decided must stay in the past."""
    machine = Machine()
    clock = DemoClock(TEN_O_CLOCK, monotonic_ns=machine)
    machine.passes_ms(500)

    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(TEN_O_CLOCK)

    assert clock.now() == TEN_O_CLOCK + 500


def test_the_databases_clock_does_not_pull_it() -> None:
    """The lease goes on by the database's time; what the hub decides by stays where the scenario is."""
    machine = Machine()
    clock = DemoClock(TEN_O_CLOCK, monotonic_ns=machine, wall_ms=lambda: 5_000)

    clock.measured(5_000, asked_ns=machine.ns)

    assert clock.now() == TEN_O_CLOCK
