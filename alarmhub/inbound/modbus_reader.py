"""One Modbus/TCP module as something to read blocks from, with a deadline for each read.

The transport is pymodbus. Two things of it are kept out of the hub: its own reconnecting and repeating (they
hide how long a module has been silent), and answers of the wrong kind or length, which it hands over as they
are or raises about where nobody listens: each frame is looked at before pymodbus sees it. After a read that
was not answered in time the connection is closed: a late answer must never be taken for that of the next
read. It refuses to write to a module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse

from protocols.contacts import Block, Table

ILLEGAL: Final = frozenset({1, 2, 3})
"""Exception codes that no repeat mends: illegal function, address, value (V1.1b3, section 7)."""
_WORDS: Final = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
    5: "acknowledged, not ready", 6: "device busy", 8: "memory parity error",
    10: "gateway path unavailable", 11: "gateway target does not answer",
}  # fmt: skip
_HEADER_BYTES: Final = 6
"""Of the MBAP header, before what its length counts (V1.1b3, 4.1; Modbus Messaging on TCP/IP, 3.1.3)."""
_READS_OF_BITS: Final = (1, 2)

# What it would say goes into the hub's own log, in the hub's words.
logging.getLogger("pymodbus").addHandler(logging.NullHandler())
logging.getLogger("pymodbus").propagate = False


class ModuleAway(Exception):
    """No connection, no answer in time, or an answer that is none."""


class ReadRefused(Exception):
    """The module answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{_WORDS.get(code, 'exception')} ({code})")
        self.code = code


class ModuleReader:
    """One module. `connect`, then `read`; after ModuleAway `connect` again."""

    def __init__(self, host: str, port: int, unit: int, *, within_s: float) -> None:
        self._host, self._port, self._unit, self._within_s = host, port, unit, within_s
        self._client: AsyncModbusTcpClient | None = None
        self._asked = b""  # the request that waits for its answer
        self._garbled = False

    @property
    def peer(self) -> str:
        """Host, port and unit."""
        return f"{self._host}:{self._port} unit {self._unit}"

    async def connect(self) -> None:
        """Raises ModuleAway."""
        self.close()
        client = AsyncModbusTcpClient(
            self._host, port=self._port, timeout=self._within_s, retries=0, reconnect_delay=0,
            trace_packet=self._look,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._within_s):
                connected = await client.connect()
        except (TimeoutError, OSError, ModbusException) as error:
            client.close()
            raise ModuleAway(str(error) or "no connection in time") from error
        if not connected:
            client.close()
            raise ModuleAway("no connection")
        self._client = client

    def close(self) -> None:
        """Close the connection. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def read(self, block: Block) -> Sequence[int]:
        """Bits (0 or 1) or registers, `block.count` of them. Raises ModuleAway (the connection is closed
        then) and ReadRefused."""
        client = self._client
        if client is None:
            raise ModuleAway("no connection")
        self._garbled = False
        try:
            async with asyncio.timeout(self._within_s):
                answer = await self._ask(client, block)
        except (TimeoutError, OSError, ModbusException) as error:
            why = f"no answer within {self._within_s:g} s"
            if self._garbled:
                why = "an answer of the wrong kind or length"
            elif not client.connected:
                why = "the connection was lost"
            self.close()
            raise ModuleAway(why) from error
        if isinstance(answer, ExceptionResponse):
            raise ReadRefused(int(answer.exception_code))
        values: Sequence[int] = answer.bits if block.table.is_bits else answer.registers
        return [int(value) for value in values[: block.count]]

    async def _ask(self, client: AsyncModbusTcpClient, block: Block) -> Any:
        reads = {
            Table.COIL: client.read_coils,
            Table.DISCRETE: client.read_discrete_inputs,
            Table.HOLDING: client.read_holding_registers,
            Table.INPUT: client.read_input_registers,
        }
        return await reads[block.table](block.address, count=block.count, device_id=self._unit)

    def _look(self, sending: bool, data: bytes) -> bytes:
        """One frame of the answer to what was asked, or nothing yet."""
        if sending:
            self._asked = data
            return data
        frame = _frame_of(data)
        if frame and not _answers(self._asked, frame):
            self._garbled, frame = True, b""
        return frame


def _frame_of(data: bytes) -> bytes:
    """The first frame, b"" while it is not whole."""
    if len(data) < _HEADER_BYTES:
        return b""
    length = _HEADER_BYTES + int.from_bytes(data[4:6], "big")
    return data[:length] if len(data) >= length else b""


def _answers(asked: bytes, frame: bytes) -> bool:
    """Whether the frame is an answer to this request, of the length its count demands."""
    if len(asked) < 12 or len(frame) < 9 or frame[:4] != asked[:4] or frame[6] != asked[6]:
        return False
    function = asked[7]
    if frame[7] == function | 0x80:
        return len(frame) == 9
    count = int.from_bytes(asked[10:12], "big")
    size = (count + 7) // 8 if function in _READS_OF_BITS else 2 * count
    return frame[7] == function and frame[8] == size and len(frame) == 9 + size
