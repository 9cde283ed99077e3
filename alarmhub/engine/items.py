"""What waits to be decided: events from sources, people, phones, clocks, with when they count.

The queue holds these, never decisions. They refuse to know what they will do.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Any

from alarmhub.core.events import Answer, Signal, TextReported, WorldChanged
from alarmhub.core.kinds import Priority
from alarmhub.core.shifts import Word


class Rank(IntEnum):
    """Who goes first when there is a backlog, and who is refused last."""

    ANSWER = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3
    RECEIPT = 4


RANK_OF: dict[Priority, Rank] = {
    Priority.HIGH: Rank.HIGH,
    Priority.MEDIUM: Rank.MEDIUM,
    Priority.LOW: Rank.LOW,
    Priority.INFORMATION: Rank.LOW,
}


class Item:
    """One waiting event. `at`: when it counts (receipt, or a deadline's due time), epoch ms.

    `lane`: items of one lane are decided in order of arrival whatever their rank. `future`: who waits for
    the commit; `refused` once that one was told it was not stored; `queued` while it is in the queue.
    """

    __slots__ = ("at", "future", "lane", "queued", "rank", "refused")

    def __init__(self, at: int, rank: Rank, lane: str, future: asyncio.Future[Any] | None = None) -> None:
        self.at = at
        self.rank = rank
        self.lane = lane
        self.future = future
        self.queued = self.refused = False

    def settle(self, reply: object) -> None:
        """Tell who waits for the commit, if anybody still does; an exception is raised there."""
        future = self.future
        if future is None or future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)


class SignalItem(Item):
    """A source's signal. `fresh`: it begins something that nothing else that waits can be about."""

    __slots__ = ("fresh", "signal")

    def __init__(
        self,
        at: int,
        rank: Rank,
        lane: str,
        future: asyncio.Future[Any] | None,
        signal: Signal,
        *,
        fresh: bool = False,
    ) -> None:
        super().__init__(at, rank, lane, future)
        self.signal = signal
        self.fresh = fresh


class AnswerItem(Item):
    """A person's answer to an alarm."""

    __slots__ = ("alarm", "answer", "device", "reason", "req", "rev", "staff", "via")

    def __init__(
        self,
        at: int,
        future: asyncio.Future[Any],
        *,
        staff: str,
        device: str,
        req: str,
        alarm: str,
        answer: Answer,
        rev: int,
        reason: str,
        via: str,
    ) -> None:
        super().__init__(at, Rank.ANSWER, alarm, future)
        self.staff, self.device, self.req, self.alarm = staff, device, req, alarm
        self.answer, self.rev, self.reason, self.via = answer, rev, reason, via


class WordItem(Item):
    """What a person says of being at work."""

    __slots__ = ("device", "req", "said", "staff")

    def __init__(
        self,
        at: int,
        future: asyncio.Future[Any] | None,
        *,
        staff: str,
        said: Word,
        device: str = "",
        req: str = "",
    ) -> None:
        super().__init__(at, Rank.ANSWER, f"staff:{staff}", future)
        self.staff, self.device, self.req, self.said = staff, device, req, said


class ReceiptItem(Item):
    """A phone rang, or was looked at."""

    __slots__ = ("alarm", "device", "seen", "staff", "via")

    def __init__(
        self, at: int, *, staff: str, device: str, alarm: str, seen: bool, via: str = "socket"
    ) -> None:
        super().__init__(at, Rank.RECEIPT, alarm)
        self.staff, self.device, self.alarm, self.seen, self.via = staff, device, alarm, seen, via


class TextItem(Item):
    """The telephone network says what became of a text message."""

    __slots__ = ("alarm", "event")

    def __init__(
        self, at: int, alarm: str, event: TextReported, future: asyncio.Future[None] | None = None
    ) -> None:
        super().__init__(at, Rank.RECEIPT if future is None else Rank.ANSWER, alarm, future)
        self.alarm, self.event = alarm, event


class DeadlineItem(Item):
    """An alarm's deadline is due; counts at its due time."""

    __slots__ = ("alarm",)

    def __init__(self, due: int, rank: Rank, alarm: str) -> None:
        super().__init__(due, rank, alarm)
        self.alarm = alarm


class WorldItem(Item):
    """Roster, reach or site changed for one open alarm."""

    __slots__ = ("alarm", "event")

    def __init__(self, at: int, rank: Rank, alarm: str, event: WorldChanged) -> None:
        super().__init__(at, rank, alarm)
        self.alarm, self.event = alarm, event


class FactItem(Item):
    """A small durable fact to be stored with the next batch; None forgets it."""

    __slots__ = ("body", "key", "scope")

    def __init__(
        self,
        at: int,
        scope: str,
        key: str,
        body: bytes | None,
        future: asyncio.Future[None] | None = None,
    ) -> None:
        super().__init__(at, Rank.RECEIPT, f"fact:{scope}:{key}", future)
        self.scope, self.key, self.body = scope, key, body
