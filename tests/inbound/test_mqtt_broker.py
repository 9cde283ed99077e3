"""One connection to a broker: opening, acknowledging when told, publishing, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop

from alarmhub.inbound.mqtt_broker import Asked, BrokerConnection, Incoming, Will
from alarmhub.ports import DeliveryFailed
from alarmhub.secret import Secret
from load.mqtt_buttons import ButtonBroker
from tests.support.mqtt_link import link
from tests.support.waiting import turns, until

ASKED = (Asked("t/#"),)


@pytest.fixture
async def broker() -> AsyncIterator[ButtonBroker]:
    """A broker that listens."""
    it = ButtonBroker()
    await it.start()
    yield it
    await it.stop()


class Opened:
    """A connection and what came over it."""

    def __init__(self, port: int, will: Will | None = None, **more: object) -> None:
        self.came: list[Incoming] = []
        self.connection = BrokerConnection(link(port, **more), take=self.came.append, will=will)


async def test_only_what_is_acknowledged_is_forgotten(broker: ButtonBroker) -> None:
    """The library acknowledges nothing by itself, and the broker delivers again what nobody acknowledged."""
    first = Opened(broker.port)
    await first.connection.open(ASKED)
    assert not first.connection.resumed
    broker.publish("t/1", "one")
    broker.publish("t/1", "two")
    await until(lambda: len(first.came) == 2, "both messages")
    first.connection.ack(first.came[0].mid)
    await until(lambda: broker.acknowledged == [b"one"], "the acknowledgement")
    await turns(20)
    await first.connection.close()

    second = Opened(broker.port)
    await second.connection.open(ASKED)
    await until(lambda: second.came, "the redelivery")
    assert second.connection.resumed
    assert [(m.payload, m.again) for m in second.came] == [(b"two", True)]
    await second.connection.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_refused_connection_says_why(broker: ButtonBroker, version: str) -> None:
    """In the broker's words."""
    broker.refuse_connect = 0x87 if version == "5" else 5
    opened = Opened(broker.port, version=version)

    with pytest.raises(ConnectionRefusedError, match="Not authorized"):
        await opened.connection.open(ASKED)
    assert not opened.connection.is_open


async def test_nobody_there_is_an_error_of_the_line(broker: ButtonBroker) -> None:
    """Not an exception of the library's own."""
    await broker.stop()

    with pytest.raises(ConnectionError):
        await Opened(broker.port).connection.open(ASKED)


async def test_credentials_and_the_bound_go_with_connect(broker: ButtonBroker) -> None:
    """Client id, session expiry, receive maximum, name and password."""
    opened = Opened(
        broker.port, username="hub", password=Secret("hush"), client_id="me", session_s=3600, in_flight=7
    )
    await opened.connection.open(ASKED)
    (packet,) = broker.connects

    assert packet[7] & 0b1100_0010 == 0b1100_0000  # name, password, and no clean start
    assert b"\x11" + (3600).to_bytes(4, "big") in packet
    assert b"\x21" + (7).to_bytes(2, "big") in packet
    assert all(word in packet for word in (b"\0\x02me", b"\0\x03hub", b"\0\x04hush"))
    await opened.connection.close()


async def test_it_ends_once_with_its_cause_and_the_will_is_said(broker: ButtonBroker) -> None:
    """Cut, not closed; what is published then fails."""
    opened = Opened(broker.port, Will("will", b"gone"))
    await opened.connection.open(ASKED)
    publishing = asyncio.ensure_future(opened.connection.publish("a", b"b"))  # noqa: TID251
    broker.drop()

    assert await opened.connection.lost
    await until(lambda: broker.retained.get("will") == b"gone", "the will")
    with pytest.raises(DeliveryFailed):
        await opened.connection.publish("a", b"c")
    await asyncio.wait([publishing])
    publishing.exception()
    opened.connection.ack(1)


async def test_after_a_pause_nothing_is_taken(broker: ButtonBroker) -> None:
    """It stays with the broker; publishing still works."""
    opened = Opened(broker.port)
    await opened.connection.open(ASKED)
    opened.connection.pause()
    broker.publish("t/1", "one")
    await opened.connection.publish("a", b"b")

    assert opened.came == []
    await opened.connection.close()
    assert broker.sessions["alarmhub-plant"].unacked


async def test_opening_can_be_given_up(broker: ButtonBroker) -> None:
    """While it waits for an answer; nothing is left behind."""
    broker.silent = True
    opened = Opened(broker.port)
    opening = asyncio.ensure_future(opened.connection.open(ASKED))  # noqa: TID251
    await until(lambda: broker.connects, "the broker to be asked")
    opening.cancel()
    await asyncio.wait([opening])

    assert not opened.connection.is_open
    await until(lambda: not broker.connected, "the socket to close")


def test_it_works_under_uvloop_too() -> None:
    """The hub's own loop."""

    async def talk() -> None:
        async with ButtonBroker() as broker:
            opened = Opened(broker.port, in_flight=300)
            try:
                await opened.connection.open(ASKED)
                for number in range(300):
                    broker.publish("t/1", str(number))
                await until(lambda: len(opened.came) == 300, "all messages")
                for message in opened.came:
                    opened.connection.ack(message.mid)
                await until(lambda: len(broker.acknowledged) == 300, "all acknowledgements")
                await opened.connection.publish("a", b"x" * 50_000)
            finally:
                await opened.connection.close()

    uvloop.run(talk())
