"""Who sits behind which connection: one seat per device of a person, at most one connection on it.

Bookkeeping only: it refuses to send, to close and to know what an alarm is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from alarmhub.gateway.connection import Connection
from alarmhub.gateway.reach import DeviceKey
from protocols.phone import AnswerFrame, Availability

Asked = AnswerFrame | Availability


class Seat:
    """A device of a person. `pending`: requests waiting for their turn; `asking`: somebody works on them."""

    __slots__ = ("asking", "connection", "key", "pending")

    def __init__(self, key: DeviceKey) -> None:
        self.key = key
        self.connection: Connection | None = None
        self.pending: deque[Asked] | None = None
        self.asking = False


class Seats:
    """All seats with a connection or with requests still at work."""

    def __init__(self) -> None:
        self._seats: dict[DeviceKey, Seat] = {}
        self._by_staff: dict[str, tuple[Connection, ...]] = {}
        self._occupied = 0

    def __len__(self) -> int:
        """How many seats have a connection."""
        return self._occupied

    def of(self, staff: str) -> tuple[Connection, ...]:
        """The open connections of a person."""
        return self._by_staff.get(staff, ())

    def keys(self) -> Iterator[DeviceKey]:
        """The devices that are connected now."""
        return (seat.key for seat in self._seats.values() if seat.connection is not None)

    def connections(self) -> list[Connection]:
        """All open connections, at this instant."""
        return [seat.connection for seat in self._seats.values() if seat.connection is not None]

    def take(self, key: DeviceKey, connection: Connection) -> Connection | None:
        """Put a connection on its device's seat. Returns the one that sat there, which has no seat now."""
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = Seat(key)
        before = seat.connection
        if before is None:
            self._occupied += 1
        else:
            before.seat = None
            self._unlist(key.staff, before)
        seat.connection, connection.seat = connection, seat
        self._by_staff[key.staff] = (*self.of(key.staff), connection)
        return before

    def leave(self, connection: Connection) -> Seat | None:
        """The connection ended. Returns its seat, None if it had none (any more)."""
        seat: Seat | None = connection.seat
        if seat is None:
            return None
        connection.seat = seat.connection = None
        self._occupied -= 1
        self._unlist(seat.key.staff, connection)
        self.settled(seat)
        return seat

    def settled(self, seat: Seat) -> None:
        """Forget the seat if nobody sits there and nothing is at work."""
        if seat.connection is None and not seat.asking:
            self._seats.pop(seat.key, None)

    def _unlist(self, staff: str, connection: Connection) -> None:
        rest = _without(self.of(staff), connection)
        if rest:
            self._by_staff[staff] = rest
        else:
            self._by_staff.pop(staff, None)


def _without(connections: Iterable[Connection], left: Connection) -> tuple[Connection, ...]:
    return tuple(c for c in connections if c is not left)
