"""Which messages are acknowledged when, without a broker."""

from __future__ import annotations

from alarmhub.inbound import mqtt_deliveries
from alarmhub.inbound.mqtt_broker import Incoming
from alarmhub.inbound.mqtt_deliveries import Deliveries, Delivery


class Line:
    """A connection that notes what was acknowledged on it."""

    def __init__(self) -> None:
        self.acked: list[int] = []

    def ack(self, mid: int) -> None:
        """Note it."""
        self.acked.append(mid)


def message(mid: int, *, again: bool = False, qos: int = 1, payload: bytes = b"x") -> Incoming:
    """A message of this id."""
    return Incoming("t", payload, mid, qos, again, False)


def arrive(deliveries: Deliveries, incoming: Incoming, line: Line) -> Delivery:
    """It is new."""
    delivery = deliveries.arrived(incoming, line)
    assert delivery is not None
    return delivery


def make() -> tuple[Deliveries, Line, list[int]]:
    """Deliveries, a line, and a list that grows with each acknowledgement."""
    told: list[int] = []
    return Deliveries(lambda: told.append(1)), Line(), told


def test_in_order_whatever_is_done_first() -> None:
    """MQTT 5, 4.6."""
    deliveries, line, told = make()
    first, second = arrive(deliveries, message(1), line), arrive(deliveries, message(2), line)
    deliveries.done(second)
    assert line.acked == []

    deliveries.done(first)
    assert line.acked == [1, 2]
    assert (len(told), deliveries.open) == (2, 0)


def test_what_is_held_is_stepped_over_and_acknowledged_by_itself() -> None:
    """Also when it is not the first when it is held."""
    deliveries, line, _ = make()
    one, two, three = (arrive(deliveries, message(n), line) for n in (1, 2, 3))
    deliveries.hold(two)
    deliveries.done(three)
    assert line.acked == []

    deliveries.done(one)
    assert line.acked == [1, 3]
    deliveries.done(two)
    assert line.acked == [1, 3, 2]


def test_at_most_once_is_not_acknowledged() -> None:
    """There is nothing to."""
    deliveries, line, _ = make()
    deliveries.done(arrive(deliveries, message(0, qos=0), line))

    assert (line.acked, deliveries.open) == ([], 0)


def test_what_comes_again_is_the_same_message() -> None:
    """It waits on, and is acknowledged where it came last."""
    deliveries, old, _ = make()
    delivery = arrive(deliveries, message(7), old)
    deliveries.lost()
    new = Line()
    assert deliveries.arrived(message(7, again=True), new) is None

    deliveries.done(delivery)
    assert (old.acked, new.acked, deliveries.open) == ([], [7], 0)


def test_what_was_done_meanwhile_is_acknowledged_at_once() -> None:
    """And so is what was done and waited for its turn."""
    deliveries, old, _ = make()
    first, second = arrive(deliveries, message(1), old), arrive(deliveries, message(2), old)
    deliveries.done(second)
    deliveries.lost()
    deliveries.done(first)
    new = Line()

    assert deliveries.arrived(message(1, again=True), new) is None
    assert deliveries.arrived(message(2, again=True), new) is None
    assert new.acked == [1, 2]


def test_another_message_under_a_used_id_is_another() -> None:
    """Ids are reused; content, or not being marked as again, tells."""
    deliveries, old, _ = make()
    arrive(deliveries, message(1), old)
    deliveries.lost()
    new = Line()

    assert deliveries.arrived(message(1, again=True, payload=b"y"), new) is not None
    assert deliveries.arrived(message(1), new) is not None


def test_what_was_acknowledged_before_the_loss_counts_again() -> None:
    """Nobody can know whether the acknowledgement arrived: it rings rather than not."""
    deliveries, old, _ = make()
    deliveries.done(arrive(deliveries, message(1), old))
    deliveries.lost()

    assert deliveries.arrived(message(1, again=True), Line()) is not None


def test_a_forgotten_session_delivers_nothing_again() -> None:
    """What is in hand is still done, for nobody."""
    deliveries, old, _ = make()
    delivery = arrive(deliveries, message(1), old)
    deliveries.lost()
    deliveries.forget_lost()
    assert deliveries.arrived(message(1, again=True), Line()) is not None

    deliveries.done(delivery)
    assert old.acked == []


def test_not_all_is_kept_in_mind() -> None:
    """The oldest go first."""
    deliveries, old, _ = make()
    for mid in range(mqtt_deliveries.MOST_ORPHANS + 5):
        arrive(deliveries, message(mid), old)
    deliveries.lost()

    assert len(deliveries._orphans) == mqtt_deliveries.MOST_ORPHANS
