"""The broker with buttons behind it, asked by a client that is not the hub's: mosquitto's, or bare bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from load.mqtt_buttons import ButtonBroker, fits
from tests.support import mosquitto
from tests.support.waiting import until


@pytest.fixture
async def broker() -> AsyncIterator[ButtonBroker]:
    """One that serves."""
    async with ButtonBroker() as it:
        yield it


async def dialled(broker: ButtonBroker, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare client of version 3.1.1 that asks for b/# at QoS 1 and has heard the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    client = name.encode()
    body = b"\0\4MQTT\4\0\0\x3c" + len(client).to_bytes(2, "big") + client
    writer.write(bytes([0x10, len(body)]) + body + bytes.fromhex("82 08 0001 0003 622f23 01"))
    answer = await reader.readexactly(9)
    assert answer[:2] == b"\x20\x02" and answer[4:] == bytes.fromhex("90 03 0001 01")
    return reader, writer


async def test_a_press_takes_until_it_is_acknowledged(broker: ButtonBroker) -> None:
    """And no longer."""
    reader, writer = await dialled(broker, "c")
    pressing = asyncio.get_running_loop().create_task(broker.press("b/1", "on"))
    assert await reader.readexactly(11) == bytes.fromhex("32 09 0003 622f31 0001 6f6e")
    assert not pressing.done()

    writer.write(bytes.fromhex("40 02 0001"))
    assert 0 < await pressing < 5
    assert broker.acknowledged == [b"on"]
    writer.close()


async def test_what_is_not_acknowledged_comes_again_as_such(broker: ButtonBroker) -> None:
    """On the next connection of the same client; what came meanwhile follows."""
    reader, writer = await dialled(broker, "c")
    broker.publish("b/1", "on")
    await reader.readexactly(11)
    writer.close()
    await until(lambda: not broker.connected, "the end")
    broker.publish("b/1", "of")
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(bytes.fromhex("10 0d 0004 4d515454 04 00 003c 0001 63"))

    assert await reader.readexactly(4) == bytes.fromhex("20 02 01 00")
    assert await reader.readexactly(22) == bytes.fromhex(
        "3a 09 0003 622f31 0001 6f6e32 09 0003 622f31 0002 6f66"
    )
    writer.close()


async def test_no_more_in_flight_than_the_client_allows(broker: ButtonBroker) -> None:
    """Receive maximum 1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(bytes.fromhex("10 11 0004 4d515454 05 00 003c 03 210001 0001 63"))
    writer.write(bytes.fromhex("82 09 0001 00 0003 622f23 01"))
    await reader.readexactly(5 + 6)
    for _ in range(2):
        broker.publish("b/1", "on")
    await reader.readexactly(12)
    assert len(broker.sessions["c"].waiting) == 1

    writer.write(bytes.fromhex("40 02 0001"))
    assert (await reader.readexactly(12))[-5:] == bytes.fromhex("0002 00 6f6e")
    writer.close()


async def test_a_press_nobody_asked_for_and_one_nobody_acknowledges(broker: ButtonBroker) -> None:
    """Each has its own way to fail."""
    with pytest.raises(LookupError):
        await broker.press("b/1", "on")
    _, writer = await dialled(broker, "c")
    with pytest.raises(TimeoutError):
        await broker.press("b/1", "on", within_s=0.05)
    writer.close()


async def test_mosquittos_clients_take_it_for_a_broker(broker: ButtonBroker) -> None:
    """Both versions: publish, retained, subscribe."""
    peer = mosquitto.Clients(broker.port)
    for version in ("mqttv311", "mqttv5"):
        await peer.pub("lamp/1", version, "-r", "-V", version)
        assert await peer.sub("lamp/#", 1, "-V", version) == [f"1 lamp/1 {version}"]
    assert broker.retained == {"lamp/1": b"mqttv5"}


def test_filters() -> None:
    """4.7."""
    assert fits("a/#", "a") and fits("a/+/c", "a/b/c") and fits("#", "a/b")
    assert not fits("a/+", "a") and not fits("#", "$SYS/x") and not fits("a", "b")
