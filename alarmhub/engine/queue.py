"""The bounded queue of events: by rank, and within a lane in order of arrival.

When it is full the lowest new starts are refused first; an answer, an end or a high start is refused last
(design.md, "Without the database"). It refuses to wait: who puts is told at once.
"""

from __future__ import annotations

import heapq
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
"""How many events from outside may wait before one more of this rank is refused (receipts: dropped)."""


class Queue:
    """Items by (rank, arrival). Not for threads."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._arrivals = 0
        self._lanes: dict[str, list[int]] = {}  # lane → [waiting, its lowest urgency]
        self._from_outside = 0
        self._by_rank = dict.fromkeys(Rank, 0)

    def __len__(self) -> int:
        return len(self._heap)

    def full_for(self, item: Item) -> bool:
        """Whether this one is one too many. The hub's own events (deadlines, a changed roster) never are and
        count for nothing: there are as many as open alarms, and each must be served."""
        return _from_outside(item) and self._from_outside >= BACKLOG_LIMITS[item.rank]

    def put(self, item: Item) -> None:
        """Add; an item never overtakes one of its own lane."""
        rank = int(item.rank)
        lane = self._lanes.get(item.lane)
        if lane is None:
            self._lanes[item.lane] = [1, rank]
        else:
            lane[0] += 1
            rank = lane[1] = max(lane[1], rank)
        self._push(rank, item)

    def put_back(self, items: Iterable[Item]) -> None:
        """Items of a commit that came to nothing: before all others, whatever came for their lanes since."""
        for item in items:
            self._lanes.setdefault(item.lane, [0, FIRST])[0] += 1
            self._push(FIRST, item)

    def _push(self, rank: int, item: Item) -> None:
        self._arrivals += 1
        self._from_outside += _from_outside(item)
        self._by_rank[item.rank] += 1
        heapq.heappush(self._heap, (rank, self._arrivals, item))

    def only(self, *ranks: Rank) -> bool:
        """Something waits, and all of it is of these ranks."""
        return bool(self._heap) and sum(self._by_rank[rank] for rank in ranks) == len(self._heap)

    def take(self, most: int) -> list[Item]:
        """Up to `most` items, most urgent first; those already refused are left out."""
        taken: list[Item] = []
        while self._heap and len(taken) < most:
            _, _, item = heapq.heappop(self._heap)
            self._from_outside -= _from_outside(item)
            self._by_rank[item.rank] -= 1
            lane = self._lanes[item.lane]
            lane[0] -= 1
            if lane[0] == 0:
                del self._lanes[item.lane]
            if not item.refused:
                taken.append(item)
        return taken


def _from_outside(item: Item) -> bool:
    """Somebody waits for it, or it is a receipt."""
    return item.future is not None or item.rank is Rank.RECEIPT
