"""The one timer: at its instant by the hub's clock, whatever the event loop's clock thinks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from alarmhub.engine.deadlines import Deadlines
from alarmhub.engine.timer import DeadlineTimer
from tests.support.clock import ManualClock
from tests.support.stored import alarm
from tests.support.virtual import VirtualClock, in_virtual_time, passes
from tests.support.waiting import turns, until


class FastClock(VirtualClock):
    """Catches up with the database: runs 5 % fast."""

    def now(self) -> int:  # noqa: D102
        return super().now() + int(asyncio.get_running_loop().time() * 50)


class Bench:
    """A timer and what it said, with the clock's time."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.deadlines = Deadlines()
        self.said: list[tuple[str, int]] = []
        """Alarm, and how many ms late."""
        self.timer = DeadlineTimer(self.clock, self.deadlines, self._due)

    def _due(self, due: int, id: str) -> None:
        self.said.append((id, self.clock.now() - due))

    def wait(self, id: str, seconds: float) -> None:
        """An alarm is due in so many seconds; the timer is told."""
        self.deadlines.note(alarm(id, answer_at=self.clock.now() + round(seconds * 1000)))
        self.timer.arm()


@in_virtual_time
async def test_it_wakes_at_the_instant_and_not_before() -> None:
    """Each deadline at its time, in order, with no other work."""
    bench = Bench()
    bench.wait("b", 60)
    bench.wait("a", 45)
    await passes(44.999)
    assert bench.said == []
    await passes(0.002)
    assert bench.said == [("a", 0)]
    await passes(15)
    assert bench.said == [("a", 0), ("b", 0)]


@in_virtual_time
async def test_an_earlier_deadline_is_not_missed_by_a_millisecond() -> None:
    """One that comes up just before the one armed is served at its own time."""
    bench = Bench()
    bench.wait("a", 10)
    bench.wait("b", 9.999)
    await passes(11)
    assert bench.said == [("b", 0), ("a", 0)]


@in_virtual_time
async def test_a_clock_that_runs_fast_makes_nothing_late() -> None:
    """The hub's clock catches up with the database while a deadline waits: late by milliseconds at most."""
    bench = Bench(FastClock())
    bench.wait("a", 45)
    await passes(50)
    ((_, late_ms),) = bench.said
    assert 0 <= late_ms <= 30


@in_virtual_time
async def test_a_clock_that_jumps_forward_is_noticed() -> None:
    """The machine slept: what fell due meanwhile is served within half a second without being told."""
    bench = Bench()
    bench.wait("a", 600)
    await passes(1)
    bench.clock.jump(3600)
    await passes(0.5)
    assert [id for id, _ in bench.said] == ["a"]


@in_virtual_time
async def test_a_clock_set_back_makes_nothing_early() -> None:
    """It waits until the time has really come by the clock."""
    bench = Bench()
    bench.wait("a", 10)
    bench.clock.jump(-3)
    await passes(12.9)
    assert bench.said == []
    await passes(0.2)
    assert bench.said == [("a", 0)]


@in_virtual_time
async def test_stopped_it_says_nothing_until_it_is_armed_again() -> None:
    """While nothing can be stored nothing is due; afterwards all of it is, at once."""
    bench = Bench()
    bench.wait("a", 10)
    bench.timer.stop()
    await passes(20)
    assert bench.said == []
    bench.timer.arm()
    await passes(0.001)
    assert bench.said == [("a", 10_000)]


@in_virtual_time
async def test_ten_thousand_over_a_minute_are_punctual() -> None:
    """Each of many deadlines at its own millisecond."""
    bench = Bench()
    for number in range(10_000):
        bench.deadlines.note(alarm(f"a{number}", answer_at=bench.clock.now() + 1 + number * 6))
    bench.timer.arm()
    await passes(61)
    assert len(bench.said) == 10_000
    assert max(late for _, late in bench.said) <= 1


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_overdue_deadline_armed_twice_fires_once(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """After an outage every deadline is overdue, and each commit arms anew."""
    fired: list[str] = []

    async def overdue() -> None:
        clock, deadlines = ManualClock(), Deadlines()
        timer = DeadlineTimer(clock, deadlines, lambda _due, id: fired.append(id))
        deadlines.note(alarm("late", answer_at=clock.now() - 5_000))
        timer.arm()
        timer.arm()
        await until(lambda: fired, "the deadline fires")
        timer.arm()
        await turns(20)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(overdue())
    assert fired == ["late"]


async def test_a_clock_set_forward_is_heeded_when_armed_again() -> None:
    """The timer was set for later; armed again after the clock moved, it fires at once."""
    fired: list[str] = []
    clock, deadlines = ManualClock(), Deadlines()
    timer = DeadlineTimer(clock, deadlines, lambda _due, id: fired.append(id))
    deadlines.note(alarm("later", answer_at=clock.now() + 3_600_000))
    timer.arm()
    clock.advance(3_600)
    timer.arm()
    await until(lambda: fired == ["later"], "the deadline fires")
