"""Which messages of a broker are in hand, and when each is acknowledged: in order, and only when done with.

PUBACKs go out in the order the messages came (MQTT 5, 4.6), except that one which must wait (the database is
away) holds nobody else up. A message that was not acknowledged when its connection was lost is delivered
again under the same id; it is then *the same message*, not another press: it is not stored twice, and what
still waits is acknowledged on the new connection. Where an acknowledgement was sent and lost, nobody can know
that; the repeat counts, unless its sender gave it an id. It refuses to store anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from alarmhub.inbound.mqtt_broker import Incoming

MOST_ORPHANS: Final = 5_000
"""Messages of lost connections that are kept in mind; more than any broker has in flight."""


class Acknowledging(Protocol):
    """A connection, as seen from here."""

    def ack(self, mid: int) -> None:
        """Let the broker forget this message."""
        ...


class Delivery:
    """One message in hand. `mid` and connection change when it is delivered again."""

    __slots__ = ("connection", "done", "held", "incoming")

    def __init__(self, incoming: Incoming, connection: Acknowledging) -> None:
        self.incoming = incoming
        self.connection: Acknowledging | None = connection
        self.done = False
        self.held = False

    @property
    def same(self) -> tuple[int, str, bytes]:
        """What a redelivery has in common with its original (MQTT 5, 3.3.1.1: the id, and all of it)."""
        return self.incoming.mid, self.incoming.topic, self.incoming.payload


class Deliveries:
    """The messages of one link. `acknowledged` is called with each PUBACK sent."""

    def __init__(self, acknowledged: Callable[[], None]) -> None:
        self._acknowledged = acknowledged
        self._in_order: deque[Delivery] = deque()
        self._held: set[Delivery] = set()
        self._orphans: dict[tuple[int, str, bytes], Delivery] = {}
        self.open = 0
        """Messages not yet done with, whether anybody waits for them or not."""

    def arrived(self, incoming: Incoming, connection: Acknowledging) -> Delivery | None:
        """A message came. None: it is one already in hand, delivered again; nothing is to be done."""
        delivery = Delivery(incoming, connection)
        known = self._orphans.pop(delivery.same, None) if incoming.again else None
        if known is not None:
            known.connection, known.held = connection, False
            self._in_order.append(known)
            self._flush()
            return None
        self.open += 1
        if incoming.qos:
            self._in_order.append(delivery)
        return delivery

    def done(self, delivery: Delivery) -> None:
        """It is stored, or never will be: acknowledge it as soon as it is its turn."""
        delivery.done = True
        self.open -= 1
        if delivery in self._held:
            self._held.remove(delivery)
            self._ack(delivery)
        self._flush()

    def hold(self, delivery: Delivery) -> None:
        """It must wait; those behind it need not."""
        if delivery.incoming.qos and not delivery.held:
            delivery.held = True
            self._flush()

    def lost(self) -> None:
        """The connection is over. What was not acknowledged will come again."""
        for delivery in (*self._held, *self._in_order):
            delivery.connection = None
            self._orphans[delivery.same] = delivery
        self._held.clear()
        self._in_order.clear()
        for oldest in list(self._orphans)[: max(0, len(self._orphans) - MOST_ORPHANS)]:
            del self._orphans[oldest]

    def forget_lost(self) -> None:
        """The broker has not kept the session: nothing comes again. What is in hand is still stored."""
        self._orphans.clear()

    def _flush(self) -> None:
        while self._in_order:
            first = self._in_order[0]
            if first.done:
                self._ack(first)
            elif first.held:
                self._held.add(first)
            else:
                return
            self._in_order.popleft()

    def _ack(self, delivery: Delivery) -> None:
        if delivery.connection is not None:
            delivery.connection.ack(delivery.incoming.mid)
            self._acknowledged()
