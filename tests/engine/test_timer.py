"""One timer for all deadlines, on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from alarmhub.engine.deadlines import Deadlines
from alarmhub.engine.timer import DeadlineTimer
from tests.support.clock import ManualClock
from tests.support.stored import alarm
from tests.support.waiting import until


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
        await asyncio.sleep(0.01)

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
