"""The bounded queue of events: by rank, and within a lane in order of arrival.

A lane is as urgent as the most urgent event that waits in it: an accept takes the receipts before it along,
and is not held up by them. When the queue is full the lowest new starts are refused first; an answer, an end
or a high start is refused last (design.md, "Without the database"). It refuses to wait: who puts is told at
once.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from alarmhub.engine.items import Item, Rank

FIRST = -1
"""Before every rank: what was being committed when the connection went."""

BACKLOG_LIMITS: dict[Rank, int] = {
    Rank.LOW: 4_000,
    Rank.MEDIUM: 8_000,
    Rank.RECEIPT: 40_000,
    Rank.HIGH: 50_000,
    Rank.ANSWER: 60_000,
}
"""How many events somebody waits for may wait before one more of this rank is refused. Receipts are dropped
when so many of them wait, and fill nothing: they come by the thousand after a burst of calls."""


SWEEP_DROPPED = 1_000
"""So many dropped events may lie between the others before they are swept out."""


class _Lane:
    """Events that are decided in order of arrival: (arrival, event). `rank`: of the most urgent of them."""

    __slots__ = ("name", "rank", "waiting")

    def __init__(self, name: str, rank: int) -> None:
        self.name, self.rank = name, rank
        self.waiting: deque[tuple[int, Item]] = deque()


class Queue:
    """Items by (rank, arrival). Not for threads."""

    def __init__(self) -> None:
        # Heap of lanes: (rank, arrival of the lane's first, a number that never ties, lane). An entry whose
        # rank or arrival the lane no longer has is stale; the lane has a newer one.
        self._heap: list[tuple[int, int, int, _Lane]] = []
        self._lanes: dict[str, _Lane] = {}
        self._entries = 0
        self._last = self._first = 0  # numbers of arrival given at the end and at the front
        self._awaited = 0  # events somebody waits for
        self._by_rank = dict.fromkeys(Rank, 0)
        self._waiting = 0
        self._dropped = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def held(self) -> int:
        """How many events are in memory: those that wait, and those dropped and not yet swept out."""
        return self._waiting + self._dropped

    def full_for(self, item: Item) -> bool:
        """Whether this one is one too many. The hub's own events (deadlines, a changed roster) never are and
        count for nothing: there are as many as open alarms, and each must be served."""
        if item.future is not None:
            return self._awaited >= BACKLOG_LIMITS[item.rank]
        return item.rank is Rank.RECEIPT and self._by_rank[Rank.RECEIPT] >= BACKLOG_LIMITS[Rank.RECEIPT]

    def put(self, item: Item) -> None:
        """Add; an item never overtakes one of its own lane."""
        self._last += 1
        self._count(item, 1)
        lane = self._lanes.get(item.lane)
        if lane is None:
            lane = self._lanes[item.lane] = _Lane(item.lane, item.rank)
            lane.waiting.append((self._last, item))
            self._enter(lane)
            return
        lane.waiting.append((self._last, item))
        if item.rank < lane.rank:
            lane.rank = item.rank
            self._enter(lane)

    def put_back(self, items: Iterable[Item]) -> None:
        """Items of a commit that came to nothing: before all others, whatever came for their lanes since."""
        for item in reversed([item for item in items if not item.refused]):
            self._first -= 1
            self._count(item, 1)
            lane = self._lanes.get(item.lane)
            if lane is None:
                lane = self._lanes[item.lane] = _Lane(item.lane, FIRST)
            lane.rank = FIRST
            lane.waiting.appendleft((self._first, item))
            self._enter(lane)

    def drop(self, item: Item) -> None:
        """Its sender was told no: it is never taken, wherever it is now."""
        if item.queued and not item.refused:
            self._count(item, -1)
            self._dropped += 1
        item.refused = True
        if self._dropped > SWEEP_DROPPED and self._dropped > self._waiting:
            self._sweep()

    def take(self, most: int) -> list[Item]:
        """Up to `most` items, most urgent first; those already refused are left out."""
        taken: list[Item] = []
        while self._heap and len(taken) < most:
            rank, arrival, _, lane = heapq.heappop(self._heap)
            if lane.rank != rank or not lane.waiting or lane.waiting[0][0] != arrival:
                continue
            _, item = lane.waiting.popleft()
            if lane.waiting:
                self._enter(lane)
            else:
                del self._lanes[lane.name]
            if item.refused:
                self._dropped -= 1
                item.queued = False
            else:
                self._count(item, -1)
                taken.append(item)
        return taken

    def _enter(self, lane: _Lane) -> None:
        self._entries += 1
        heapq.heappush(self._heap, (lane.rank, lane.waiting[0][0], self._entries, lane))

    def _count(self, item: Item, by: int) -> None:
        item.queued = by > 0
        self._waiting += by
        self._by_rank[item.rank] += by
        if item.future is not None:
            self._awaited += by

    def _sweep(self) -> None:
        lanes, self._lanes, self._heap, self._dropped = self._lanes, {}, [], 0
        for lane in lanes.values():
            lane.waiting = deque(entry for entry in lane.waiting if not entry[1].refused)
            if lane.waiting:
                self._lanes[lane.name] = lane
                self._enter(lane)
