"""Which alarm is due next: a heap over the committed alarms, rebuilt from rows at the start.

A deadline is data in the alarm; this is only the index. Entries are not removed, stale ones are
recognised when they come up, or swept out when they are many. It refuses to know the time: the caller says
what is due.
"""

from __future__ import annotations

import heapq

from alarmhub.core.alarm import Alarm

STALE_KEPT = 1_000
"""So many stale entries may lie in the heap, beside as many as there are alarms."""


class Deadlines:
    """Due times of open alarms."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    @property
    def held(self) -> int:
        """Entries in memory, stale ones included."""
        return len(self._heap)

    def note(self, alarm: Alarm) -> None:
        """The alarm's deadline may have changed."""
        due = alarm.due if alarm.open else None
        if due is None:
            self._due.pop(alarm.id, None)
        elif self._due.get(alarm.id) != due:
            self._due[alarm.id] = due
            heapq.heappush(self._heap, (due, alarm.id))
            if len(self._heap) > STALE_KEPT + 2 * len(self._due):
                self._heap = [(at, id) for id, at in self._due.items()]
                heapq.heapify(self._heap)

    def next(self) -> int | None:
        """The earliest due time, None when no alarm waits."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now: int) -> list[tuple[int, str]]:
        """All (due, alarm) that are due; each is handed out once, until noted again."""
        taken: list[tuple[int, str]] = []
        while (due := self.next()) is not None and due <= now:
            _, id = heapq.heappop(self._heap)
            del self._due[id]
            taken.append((due, id))
        return taken
