"""A serial line over a pseudo-terminal pair: bytes both ways, and no device that can hold up the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from alarmhub.inbound.serial_line import FRAMES, is_seven_bit, serial_line
from tests.support.waiting import until
from tests.support.wires import Wire

WITHIN_S = 5.0
EVERY_BYTE = bytes(range(256))


async def talk(frame: str) -> None:
    """Every byte in both directions; XON and XOFF are bytes like any."""
    async with asyncio.timeout(WITHIN_S), Wire() as wire:
        reader, writer = await serial_line(wire.device, 9600, frame)()
        await wire.say(EVERY_BYTE)
        assert await reader.readexactly(256) == EVERY_BYTE
        writer.write(EVERY_BYTE)
        await wire.hear(EVERY_BYTE)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("frame", FRAMES)
async def test_bytes_go_both_ways_in_every_frame(frame: str) -> None:
    """A pseudo-terminal has no wire, so only that the device takes the setting is seen of it."""
    await talk(frame)


def test_it_works_on_the_hubs_own_event_loop() -> None:
    """uvloop, as the hub is delivered."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk("7E1"))


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_device_that_takes_no_bytes_holds_up_nobody(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Nobody reads at the other end: writing returns, the loop turns, and closing does not wait."""

    async def flood() -> None:
        async with asyncio.timeout(WITHIN_S), Wire() as wire:
            _, writer = await serial_line(wire.device, 9600, "8N1")()
            wire.far.pause_reading()

            def full() -> bool:
                writer.write(b"x" * 4096)
                return writer.transport.get_write_buffer_size() > 0

            await until(full, "the device to take no more")
            writer.transport.abort()
            await writer.wait_closed()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(flood())


async def test_a_line_that_is_pulled_out_ends() -> None:
    """Reading ends with an OSError or the end of the stream; nothing hangs."""
    async with asyncio.timeout(WITHIN_S), Wire() as wire:
        reader, writer = await serial_line(wire.device, 9600, "8N1")()
        wire.unplug()
        try:
            assert await reader.read(1) == b""
        except OSError:
            pass
        writer.transport.abort()


async def test_a_line_belongs_to_one() -> None:
    """A second opener is refused: it would swallow half of every call."""
    async with asyncio.timeout(WITHIN_S), Wire() as wire:
        _, writer = await serial_line(wire.device, 9600, "8N1")()
        with pytest.raises(OSError):
            await serial_line(wire.device, 9600, "8N1")()
        writer.transport.abort()


async def test_what_is_no_serial_line_is_an_os_error(tmp_path: Path) -> None:
    """Absent, or a file: whoever dials tries again and says why."""
    file = tmp_path / "file"
    file.touch()
    for device in (str(tmp_path / "none"), str(file)):
        with pytest.raises(OSError):
            await serial_line(device, 9600, "8N1")()


def test_seven_bit_frames() -> None:
    """Their check is compared in seven bits."""
    assert {frame for frame in FRAMES if is_seven_bit(frame)} == {f for f in FRAMES if f[0] == "7"}
