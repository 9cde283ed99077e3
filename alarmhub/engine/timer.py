"""Wakes when the next deadline is due and queues it. One timer for all alarms.

It refuses to decide: a deadline that is queued twice, early or for an alarm that has moved on changes
nothing, and is armed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alarmhub.clock import Clock
from alarmhub.engine.deadlines import Deadlines

LOOK_EVERY_S = 0.5
"""It never sleeps longer: the hub's clock may run 5 % fast or jump while the event loop's does not."""


class DeadlineTimer:
    """`due(at, alarm)` is called for each deadline as it falls due. Runs between `arm` and `stop`."""

    def __init__(self, clock: Clock, deadlines: Deadlines, due: Callable[[int, str], None]) -> None:
        self._clock, self._deadlines, self._due = clock, deadlines, due
        self._handle: asyncio.Handle | None = None
        self._armed: int | None = None
        self._asleep = False  # it was not yet due when it was armed

    def arm(self) -> None:
        """The next deadline may be another one than before."""
        due = self._deadlines.next()
        wait_s = None if due is None else min(LOOK_EVERY_S, max(0.0, (due - self._clock.now()) / 1000))
        if self._handle is not None and due == self._armed and (wait_s or not self._asleep):
            return
        self.stop()
        if wait_s is not None:
            self._armed, self._asleep = due, wait_s > 0
            self._handle = asyncio.get_running_loop().call_later(wait_s, self._fire)

    def stop(self) -> None:
        """Wake no more until armed again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        for due, alarm in self._deadlines.take_due(self._clock.now()):
            self._due(due, alarm)
        self.arm()
