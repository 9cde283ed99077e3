"""The simulated I/O module: what it answers, byte by byte."""

from __future__ import annotations

import asyncio

import pytest

from load.modbus_module import BUSY, ModbusModule


async def asked(module: ModbusModule, *requests: str) -> list[str]:
    """The answers to these requests on one connection, as hex."""
    reader, writer = await asyncio.open_connection("127.0.0.1", module.port)
    answers = []
    for request in requests:
        writer.write(bytes.fromhex(request))
        head = await reader.readexactly(6)
        answers.append((head + await reader.readexactly(int.from_bytes(head[4:], "big"))).hex(" "))
    writer.close()
    return answers


async def test_the_examples_of_the_specification() -> None:
    """V1.1b3: coils 20-38 (6.1), inputs 197-218 (6.2), holding 108-110 (6.3), input register 9 (6.4)."""
    async with ModbusModule() as module:
        for first, table, bits in ((19, "coil", "CD6B05"), (196, "discrete", "ACDB35")):
            value = int.from_bytes(bytes.fromhex(bits), "little")
            for at in range(22):
                module.put(table, first + at, value >> at & 1)
        for address, register in ((107, 0x022B), (108, 0), (109, 0x64)):
            module.put("holding", address, register)
        module.put("input", 8, 10)
        assert await asked(
            module,
            "0001 0000 0006 01 01 0013 0013",
            "0002 0000 0006 01 02 00C4 0016",
            "0003 0000 0006 01 03 006B 0003",
            "0004 0000 0006 01 04 0008 0001",
        ) == [
            "00 01 00 00 00 06 01 01 03 cd 6b 05",
            "00 02 00 00 00 06 01 02 03 ac db 35",
            "00 03 00 00 00 09 01 03 06 02 2b 00 00 00 64",
            "00 04 00 00 00 05 01 04 02 00 0a",
        ]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("0001 0000 0006 01 06 0000 0001", "00 01 00 00 00 03 01 86 01"),
        ("0001 0000 0006 01 02 0005 0001", "00 01 00 00 00 03 01 82 02"),
        ("0001 0000 0006 01 02 0000 07D1", "00 01 00 00 00 03 01 82 03"),
        ("0001 0000 0004 01 02 0000", "00 01 00 00 00 03 01 82 03"),
    ],
)
async def test_what_it_cannot_answer_is_an_exception(request_: str, answer: str) -> None:
    """Writes, addresses it has not, counts beyond the limit, requests that are too short."""
    async with ModbusModule() as module:
        module.put("discrete", 0, 1)
        assert await asked(module, request_) == [answer]
        module.exception = BUSY
        assert await asked(module, "0001 0000 0006 01 02 0000 0001") == ["00 01 00 00 00 03 01 82 06"]


async def test_its_change_register_counts_each_change() -> None:
    """A value that stays is no change."""
    async with ModbusModule() as module:
        module.counter = ("holding", 9)
        module.put("discrete", 0, 1)
        module.put("discrete", 0, 1)
        module.put("discrete", 0, 0)
        assert module.tables["holding"][9] == 2


async def test_it_keeps_its_port_over_a_power_cut() -> None:
    """And breaks its connections."""
    module = ModbusModule()
    await module.start()
    port = module.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await module.stop()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    await module.start()
    assert module.port == port
    await module.stop()
