"""Statuses for an HL7 reporter that is away, while others of its line are there.

The hub's outbox tells a source one thing after the other. On a line with several reporters, one that is away
or does not answer would keep from all others what became of their alarms, for minutes; so what is for it
waits here, in order, and goes out when it is back (CP157). The memory is bounded, in number and in time.

It refuses to hold anything of a reporter that is alone on its line: the outbox does, also through a stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from alarmhub.core.effects import Report
from alarmhub.inbound.feed import Feed
from alarmhub.ports import DeliveryFailed
from alarmhub.tasks import spawn

AGAIN_S: Final = 2.0
HELD_FOR_MS: Final = 600_000
MOST: Final = 256
"""Statuses of one reporter."""
MOST_REPORTERS: Final = 64

Tell = Callable[[Report, str], Awaitable[None]]


class Held:
    """What waits on one line. `tell`: sends one, raises DeliveryFailed when it was not taken."""

    def __init__(self, feed: Feed, tell: Tell) -> None:
        self._feed, self._tell = feed, tell
        self._waiting: dict[str, deque[tuple[Report, str, int]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def has(self, sender: str) -> bool:
        """Whether something waits for this reporter, which what is new must not overtake."""
        return sender in self._waiting

    def keep(self, sender: str, report: Report, alarm: str) -> bool:
        """Hold one more; False when no more can be held."""
        line = self._waiting.get(sender)
        if line is None:
            if len(self._waiting) >= MOST_REPORTERS:
                return False
            line = self._waiting[sender] = deque()
            self._tasks[sender] = spawn(
                self._run(sender), f"hl7 held {self._feed.source}", self._feed.crew, ends=True
            )
        line.append((report, alarm, self._feed.now() + HELD_FOR_MS))
        if len(line) > MOST:
            line.popleft()
            self._dropped()
        return True

    def close(self) -> None:
        """Hold nothing any more."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._waiting.clear()

    async def _run(self, sender: str) -> None:
        line = self._waiting[sender]
        while line:
            await asyncio.sleep(AGAIN_S)
            while line:
                first = line[0]
                try:
                    await self._tell(first[0], first[1])
                except DeliveryFailed:
                    break
                if line and line[0] is first:
                    line.popleft()
            while line and self._feed.now() >= line[0][2]:
                line.popleft()
                self._dropped()
        del self._waiting[sender], self._tasks[sender]

    def _dropped(self) -> None:
        self._feed.refused("status_undelivered", "a reporter was away too long for its statuses", fault=False)
