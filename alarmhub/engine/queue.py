"""The bounded queue of events: by rank, and within a lane in order of arrival.

When it is full the lowest new starts are refused first; an answer, an end or a high start is refused last
(design.md, "Without the database"). It refuses to wait: who puts is told at once.
"""

from __future__ import annotations

import heapq

from alarmhub.engine.items import Item, Rank

BACKLOG_LIMITS: dict[Rank, int] = {
    Rank.LOW: 4_000,
    Rank.MEDIUM: 8_000,
    Rank.RECEIPT: 40_000,
    Rank.HIGH: 50_000,
    Rank.ANSWER: 60_000,
}
"""How many events may wait before one more of this rank is refused (receipts: dropped)."""


class Queue:
    """Items by (rank, arrival). Not for threads."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._arrivals = 0
        self._lanes: dict[str, list[int]] = {}  # lane → [waiting, its lowest urgency]

    def __len__(self) -> int:
        return len(self._heap)

    def full_for(self, rank: Rank) -> bool:
        """Whether one more of this rank is one too many."""
        return len(self._heap) >= BACKLOG_LIMITS[rank]

    def put(self, item: Item) -> None:
        """Add; an item never overtakes one of its own lane."""
        rank = int(item.rank)
        lane = self._lanes.get(item.lane)
        if lane is None:
            self._lanes[item.lane] = [1, rank]
        else:
            lane[0] += 1
            rank = lane[1] = max(lane[1], rank)
        self._arrivals += 1
        heapq.heappush(self._heap, (rank, self._arrivals, item))

    def only_receipts(self) -> bool:
        """Nothing waits but what nobody waits for."""
        return bool(self._heap) and self._heap[0][0] >= Rank.RECEIPT

    def take(self, most: int) -> list[Item]:
        """Up to `most` items, most urgent first; those already refused are left out."""
        taken: list[Item] = []
        while self._heap and len(taken) < most:
            _, _, item = heapq.heappop(self._heap)
            lane = self._lanes[item.lane]
            lane[0] -= 1
            if lane[0] == 0:
                del self._lanes[item.lane]
            if not item.refused:
                taken.append(item)
        return taken
