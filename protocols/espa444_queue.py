"""What a control station has to do next: blocks that wait for their station, and stations due for a poll.

Bounded values without a line: `espa444_control` speaks. Nothing overtakes another block to the same station;
a station that is busy holds up no other one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_SENDINGS = 64


class Sending:
    """One block for one station: `attempts` at which it was not taken, `repeats` within the present one."""

    __slots__ = ("attempts", "block", "due_at", "id", "repeats", "station")

    def __init__(self, id: str, station: str, block: bytes, due_at: int) -> None:
        self.id = id
        self.station = station
        self.block = block
        self.due_at = due_at
        self.attempts = 0
        self.repeats = 0


class Sendings:
    """First in, first out per station, at most `MAX_SENDINGS`."""

    def __init__(self) -> None:
        self._waiting: list[Sending] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sending: Sending) -> bool:
        """False when the queue is full."""
        if len(self._waiting) >= MAX_SENDINGS:
            return False
        self._waiting.append(sending)
        return True

    def remove(self, sending: Sending) -> None:
        """Sent, or given up."""
        self._waiting.remove(sending)

    def named(self, id: str) -> Sending | None:
        """The one with this id."""
        return next((sending for sending in self._waiting if sending.id == id), None)

    def drain(self) -> list[Sending]:
        """Take all out."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def due(self, now: int) -> Sending | None:
        """What can be sent now."""
        return next((sending for sending in self._heads() if sending.due_at <= now), None)

    def next_at(self) -> int | None:
        """When something can be sent; None while nothing waits."""
        return min((sending.due_at for sending in self._heads()), default=None)

    def _heads(self) -> Iterable[Sending]:
        """The first of each station, oldest first."""
        heads: dict[str, Sending] = {}
        for sending in self._waiting:
            heads.setdefault(sending.station, sending)
        return heads.values()


@dataclass(slots=True)
class Polled:
    """One station: when it is polled next (None: never), and how often in a row it has been silent."""

    address: str
    due_at: int | None
    silent: int = 0
    offline: bool = False


class Stations:
    """The stations of a line: those polled, and those only spoken to. Times in ms."""

    def __init__(self, polled: Iterable[str], *, every_ms: int, offline_after: int, offline_ms: int) -> None:
        self._known = {address: Polled(address, 0 if every_ms else None) for address in polled}
        self._every_ms, self._offline_after, self._offline_ms = every_ms, offline_after, offline_ms

    @property
    def offline(self) -> tuple[str, ...]:
        """Who is off-line."""
        return tuple(station.address for station in self._known.values() if station.offline)

    def due(self, now: int) -> str | None:
        """Who is polled now: whoever has waited longest."""
        waiting = [s for s in self._known.values() if s.due_at is not None and s.due_at <= now]
        return min(waiting, key=lambda station: station.due_at or 0).address if waiting else None

    def next_at(self) -> int | None:
        """When somebody is polled next; None: never."""
        return min((s.due_at for s in self._known.values() if s.due_at is not None), default=None)

    def polled(self, address: str, now: int) -> None:
        """It is polled now, and next after its interval."""
        station = self._known[address]
        station.due_at = now + (self._offline_ms if station.offline else self._every_ms)

    def heard(self, address: str, now: int) -> bool:
        """It answered. True when it was off-line until now."""
        station = self._known.setdefault(address, Polled(address, None))
        back, station.offline, station.silent = station.offline, False, 0
        if back and station.due_at is not None:
            station.due_at = min(station.due_at, now + self._every_ms)
        return back

    def silent(self, address: str, now: int) -> bool:
        """It did not answer. True when that makes it off-line."""
        station = self._known.setdefault(address, Polled(address, None))
        station.silent += 1
        if station.offline or station.silent < self._offline_after:
            return False
        station.offline = True
        if station.due_at is not None:
            station.due_at = now + self._offline_ms
        return True
