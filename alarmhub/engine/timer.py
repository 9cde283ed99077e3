"""Wakes when the next deadline is due and queues it. One timer for all alarms.

It refuses to decide: a deadline that is queued twice, early or for an alarm that has moved on changes
nothing, and is armed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alarmhub.clock import Clock
from alarmhub.engine.deadlines import Deadlines


class DeadlineTimer:
    """`due(at, alarm)` is called for each deadline as it falls due. Runs between `arm` and `stop`."""

    def __init__(self, clock: Clock, deadlines: Deadlines, due: Callable[[int, str], None]) -> None:
        self._clock, self._deadlines, self._due = clock, deadlines, due
        self._handle: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        """The next deadline may be another one than before."""
        due = self._deadlines.next()
        if self._handle is not None:
            if due is not None and self._handle.when() == self._when(due):
                return
            self.stop()
        if due is not None:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_at(max(self._when(due), loop.time()), self._fire)

    def stop(self) -> None:
        """Wake no more until armed again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _when(self, due: int) -> float:
        return asyncio.get_running_loop().time() + (due - self._clock.now()) / 1000

    def _fire(self) -> None:
        self._handle = None
        for due, alarm in self._deadlines.take_due(self._clock.now()):
            self._due(due, alarm)
        self.arm()
