"""Reading blocks of a module: what is an answer, and what is none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.inbound.modbus_reader import ModuleAway, ModuleReader, ReadRefused, _answers, _frame_of
from load.modbus_module import DEVICE_FAILURE, ModbusModule
from protocols.contacts import Block, Table

BIT = Block(Table.DISCRETE, 0, 1, (0,))
ASKED = bytes.fromhex("0001 0000 0006 01 02 0000 0009")
ANSWER = bytes.fromhex("0001 0000 0005 01 02 02 0101")


@pytest.fixture
async def module() -> AsyncIterator[ModbusModule]:
    """A module with something in each table."""
    async with ModbusModule() as one:
        for address in range(10):
            for table in ("coil", "discrete"):
                one.put(table, address, address % 2)
            one.put("input", address, 1000 + address)
            one.put("holding", address, 0xFFFF - address)
        yield one


async def connected(module: ModbusModule, unit: int = 1) -> ModuleReader:
    """A reader that may wait a tenth of a second."""
    reader = ModuleReader("127.0.0.1", module.port, unit, within_s=0.1)
    await reader.connect()
    return reader


async def test_each_table_is_read_with_its_own_function(module: ModbusModule) -> None:
    """As many values as asked for, in order."""
    reader = await connected(module)
    assert await reader.read(Block(Table.COIL, 1, 9, ())) == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert await reader.read(Block(Table.DISCRETE, 0, 3, ())) == [0, 1, 0]
    assert await reader.read(Block(Table.INPUT, 2, 2, ())) == [1002, 1003]
    assert await reader.read(Block(Table.HOLDING, 0, 1, ())) == [0xFFFF]
    assert module.reads == [("coil", 1, 9), ("discrete", 0, 3), ("input", 2, 2), ("holding", 0, 1)]
    reader.close()


async def test_an_exception_is_a_refusal_and_the_connection_stays(module: ModbusModule) -> None:
    """With its code and words."""
    reader = await connected(module)
    with pytest.raises(ReadRefused, match=r"illegal data address \(2\)"):
        await reader.read(Block(Table.DISCRETE, 99, 1, ()))
    module.exception = DEVICE_FAILURE
    with pytest.raises(ReadRefused, match="device failure"):
        await reader.read(BIT)
    module.exception = None
    assert await reader.read(BIT) == [0]
    assert module.connections == 1
    reader.close()


@pytest.mark.parametrize(
    "garble", [b"\x02\x01", b"\x02\x00", b"\x02\x09\x00", b"\x04\x02\x00\x00", b"\x82", b"\xff\xff", b""]
)
async def test_an_answer_of_the_wrong_kind_or_length_is_none(module: ModbusModule, garble: bytes) -> None:
    """Too short, too long, of another function: the connection is closed, nothing is taken from it."""
    module.garble = garble
    reader = await connected(module)
    with pytest.raises(ModuleAway, match=r"wrong kind|no answer"):
        await reader.read(BIT)
    with pytest.raises(ModuleAway, match="no connection"):
        await reader.read(BIT)


async def test_a_late_answer_is_never_that_of_the_next_read(module: ModbusModule) -> None:
    """The connection ends with the read that was not answered in time."""
    reader = await connected(module)
    module.delay_s = 0.2
    with pytest.raises(ModuleAway, match=r"no answer within 0\.1 s"):
        await reader.read(BIT)
    module.delay_s = 0
    await reader.connect()
    assert await reader.read(Block(Table.DISCRETE, 1, 1, ())) == [1]
    reader.close()


async def test_a_connection_that_breaks_is_a_loss(module: ModbusModule) -> None:
    """And one that cannot be had."""
    reader = await connected(module)
    await module.stop()
    with pytest.raises(ModuleAway):
        await reader.read(BIT)
    with pytest.raises(ModuleAway):
        await reader.connect()
    assert reader.peer == f"127.0.0.1:{module.port} unit 1"


def test_a_frame_is_whole_or_not_there_yet() -> None:
    """Split anywhere, and with more behind it."""
    assert [_frame_of(ANSWER[:size]) for size in range(len(ANSWER))] == [b""] * len(ANSWER)
    assert _frame_of(ANSWER + b"more") == ANSWER
    assert _answers(ASKED, ANSWER)


@given(st.binary(max_size=40), st.sampled_from([b"", ASKED[:4], ASKED[:7]]))
def test_any_other_frame_is_no_answer(tail: bytes, head: bytes) -> None:
    """Only one with our transaction, unit, function and length is."""
    frame = head + tail
    if _answers(ASKED, frame):
        assert (frame[:4], frame[6]) == (ASKED[:4], ASKED[6])
        assert (frame[7], len(frame)) in ((0x02, len(ANSWER)), (0x82, 9))
