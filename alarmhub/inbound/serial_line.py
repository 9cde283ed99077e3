"""A serial line as a pair of streams, so that a codec is driven over it like over TCP.

`7E1` is seven data bits, even parity, one stop bit. Flow control is off, whatever the device says: a block
check may be XON or XOFF. It refuses to share a line (another process on it would swallow half of every call)
and to wait for a device that takes no bytes: neither a write nor a close ever holds up the hub.
"""

from __future__ import annotations

import asyncio
import os
import termios
from typing import Literal, get_args

import serial
from serial_asyncio_fast import connection_for_serial

from alarmhub.inbound.dial import Dial
from alarmhub.inbound.stream import CHUNK_BYTES

Frame = Literal["7E1", "7E2", "7O1", "7O2", "7N1", "7N2", "8N1", "8N2", "8E1", "8E2", "8O1", "8O2"]
FRAMES: tuple[str, ...] = get_args(Frame)
BITS_A_CHARACTER = 12
"""The most a frame has: start, eight data bits, parity, two stop bits."""


def is_seven_bit(frame: str) -> bool:
    """Whether a character has seven data bits."""
    return frame.startswith("7")


def character_us(baud: int) -> int:
    """How long one character takes, with start, parity and stop bits; in whole microseconds, rounded up."""
    return -(-BITS_A_CHARACTER * 1_000_000 // baud)


def serial_line(device: str, baud: int, frame: str) -> Dial:
    """Open a device like `/dev/ttyUSB0`. Its absence, another's lock on it, or settings it cannot have are an
    OSError."""

    async def call() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        try:
            port = _Port(
                device,
                baudrate=baud,
                bytesize=int(frame[0]),
                parity=frame[1],
                stopbits=int(frame[2]),
                xonxoff=False,
                rtscts=False,
                dsrdtr=False,
                exclusive=True,
            )
        except (termios.error, ValueError) as error:
            raise OSError(f"{device} cannot be {baud} {frame}: {error}") from error
        reader = asyncio.StreamReader(limit=CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await connection_for_serial(loop, lambda: protocol, port)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    return call


class _Port(serial.Serial):  # type: ignore[misc]  # pyserial has no types
    """pyserial's own `write` spins while the device's buffer is full, and its `flush` waits for ever."""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """What fits. Raises BlockingIOError when nothing does."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            raise
        except OSError as error:
            raise serial.SerialException(error.errno, error.strerror) from error

    def _reconfigure_port(self, force_update: bool = False) -> None:
        # Once, at the opening. asyncio sets time-outs afterwards, none of which is the device's, and one that
        # ignores a setting in silence (a pseudo-terminal has no parity) would refuse the second time.
        if force_update:
            super()._reconfigure_port(force_update=True)

    def flush(self) -> None:
        """The kernel sends what it has taken; nobody waits for it."""
