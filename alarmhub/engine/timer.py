"""Wakes when the next deadline is due and queues it. One timer for all alarms.

It refuses to decide: a deadline that is queued twice, early or for an alarm that has moved on changes
nothing, and is armed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alarmhub.clock import Clock
from alarmhub.engine.deadlines import Deadlines

SAME_S = 0.002
"""The clock reads whole milliseconds: an instant computed twice differs by as much."""


class DeadlineTimer:
    """`due(at, alarm)` is called for each deadline as it falls due. Runs between `arm` and `stop`."""

    def __init__(self, clock: Clock, deadlines: Deadlines, due: Callable[[int, str], None]) -> None:
        self._clock, self._deadlines, self._due = clock, deadlines, due
        self._handle: asyncio.Handle | None = None
        self._fires_at = 0.0

    def arm(self) -> None:
        """The next deadline may be another one than before."""
        due = self._deadlines.next()
        when = None if due is None else self._when(due)
        if self._handle is not None:
            if when is not None and abs(when - self._fires_at) < SAME_S:
                return
            self.stop()
        if when is not None:
            loop = asyncio.get_running_loop()
            self._fires_at = when
            self._handle = loop.call_at(max(when, loop.time()), self._fire)

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
