"""The hub's clock follows the database's, never goes backwards, and tells when the two part."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from alarmhub.clock import JUMP_REPORTED_MS, JUMP_SAID_MS, SLEW_RATE, MonotonicClock
from tests.support.clock import ManualClock

NS_PER_MS = 1_000_000
START_MS = 1_789_369_200_000


class Machine:
    """A machine's quartz and wall clock, turned by hand, and the clock under test that reads them."""

    def __init__(self) -> None:
        self.ns = 5_000 * NS_PER_MS
        self.jumps: list[int] = []
        self.clock = MonotonicClock(
            on_jump=self.jumps.append, monotonic_ns=lambda: self.ns, wall_ms=lambda: START_MS
        )

    def passes(self, ms: float) -> None:
        """Let the quartz run."""
        self.ns += round(ms * NS_PER_MS)

    def measures(self, database_ms: int, took_ms: float = 0) -> int:
        """Ask a database that answers with this time after so long."""
        asked_ns = self.clock.monotonic_ns()
        self.passes(took_ms)
        return self.clock.measured(database_ms, asked_ns=asked_ns)


@pytest.fixture
def machine() -> Machine:
    """A machine that has just agreed with its database."""
    machine = Machine()
    machine.measures(START_MS)
    return machine


def test_runs_with_the_quartz(machine: Machine) -> None:
    """A second on the machine is a second on the clock."""
    machine.passes(1_000)

    assert machine.clock.now() == START_MS + 1_000


def test_before_the_first_measurement_it_is_the_machines_time() -> None:
    """There is a time at once, also without a database."""
    assert Machine().clock.now() == START_MS


@pytest.mark.parametrize("database_ms", [START_MS + 90_000, START_MS - 90_000])
def test_the_first_measurement_sets_it_either_way(database_ms: int) -> None:
    """At connect nothing has been decided yet, so the database's time is taken as it is."""
    machine = Machine()
    machine.clock.now()
    machine.measures(database_ms)

    assert machine.clock.now() == database_ms


def test_half_of_a_slow_answer_is_added(machine: Machine) -> None:
    """The database read its clock half way between question and answer."""
    fresh = Machine()
    fresh.measures(START_MS + 10_000, took_ms=100)

    assert fresh.clock.now() == START_MS + 10_000  # the least it can be, given that uncertainty


def test_a_gap_within_the_uncertainty_moves_nothing(
    machine: Machine, log_lines: list[dict[str, Any]]
) -> None:
    """An answer that took 2 s says nothing about a gap of half a second."""
    machine.measures(START_MS + 500, took_ms=2_000)

    assert machine.clock.now() == START_MS + 2_000
    assert log_lines == []


def test_a_small_gap_is_taken_up_slowly(machine: Machine, log_lines: list[dict[str, Any]]) -> None:
    """100 ms ahead: 5 % faster for two seconds, then level; nothing is said."""
    machine.measures(START_MS + 100)

    assert machine.clock.now() == START_MS
    machine.passes(1_000)
    assert machine.clock.now() == START_MS + 1_050
    machine.passes(9_000)
    assert machine.clock.now() == START_MS + 10_100
    assert log_lines == []


def test_a_leap_forward_is_followed_at_once_and_said(
    machine: Machine, log_lines: list[dict[str, Any]]
) -> None:
    """The machine slept for a second: the time is right again at once, and the log says so."""
    machine.measures(START_MS + 1_000)

    assert machine.clock.now() == START_MS + 1_000
    assert [(line["event"], line["gap_ms"]) for line in log_lines] == [("clock_jumped", 1_000)]
    assert machine.jumps == []


@pytest.mark.parametrize("gap_ms", [JUMP_SAID_MS, -JUMP_SAID_MS])
def test_at_the_limit_nothing_is_said(machine: Machine, log_lines: list[dict[str, Any]], gap_ms: int) -> None:
    """Exactly 250 ms is still a small gap."""
    machine.measures(START_MS + gap_ms)

    assert log_lines == []


@pytest.mark.parametrize(
    ("gap_ms", "reported"),
    [
        (JUMP_REPORTED_MS, []),
        (JUMP_REPORTED_MS + 1, [JUMP_REPORTED_MS + 1]),
        (-JUMP_REPORTED_MS, []),
        (-JUMP_REPORTED_MS - 1, [-JUMP_REPORTED_MS - 1]),
    ],
)
def test_over_five_seconds_is_reported(machine: Machine, gap_ms: int, reported: list[int]) -> None:
    """More than 5 s apart, either way, is an engineer's matter."""
    machine.measures(START_MS + gap_ms)

    assert machine.jumps == reported


def test_a_database_set_back_slows_the_clock_and_never_stops_it(machine: Machine) -> None:
    """An hour back: time goes on at 95 %, so that deadlines are still served."""
    machine.measures(START_MS - 3_600_000)

    assert machine.clock.now() == START_MS
    machine.passes(60_000)
    assert machine.clock.now() == START_MS + 57_000


def test_the_two_meet_again(machine: Machine) -> None:
    """A second back is held back within twenty, measured or not, and then the clocks agree."""
    machine.measures(START_MS - 1_000)
    machine.passes(10_000)
    machine.measures(START_MS + 9_000)
    machine.passes(20_000)

    assert machine.clock.now() == START_MS + 29_000
    assert machine.measures(START_MS + 29_000) == 0


@given(
    st.lists(
        st.tuples(
            st.floats(min_value=0, max_value=30_000),
            st.integers(min_value=-100_000, max_value=100_000),
            st.floats(min_value=0, max_value=3_000),
        ),
        max_size=20,
    )
)
def test_never_backwards_and_never_faster_than_it_owes(steps: list[tuple[float, int, float]]) -> None:
    """Whatever the database says, time goes on: never back, at least at 95 % of the quartz."""
    machine = Machine()
    machine.measures(START_MS)
    for passed_ms, gap_ms, took_ms in steps:
        before, before_ns = machine.clock.now(), machine.ns
        machine.passes(passed_ms)
        machine.measures(before + gap_ms, took_ms=took_ms)
        elapsed_ms = (machine.ns - before_ns) / NS_PER_MS

        assert machine.clock.now() >= before
        assert machine.clock.now() - before >= elapsed_ms * (1 - SLEW_RATE) - 2


def test_the_live_clock_needs_no_arguments() -> None:
    """Without arguments it reads this machine, and two readings are in order."""
    clock = MonotonicClock()
    first = clock.now()

    assert 1_700_000_000_000 < first <= clock.now()


def test_the_tests_own_clock_stands_still() -> None:
    """The manual clock moves when told and refuses to run backwards by mistake."""
    clock = ManualClock()
    before = clock.now()

    assert clock.now() == before
    assert clock.advance(1.5) == before + 1_500
    with pytest.raises(ValueError, match="forwards"):
        clock.advance(-1)
    clock.jump(before)
    assert clock.now() == before
