"""An I/O module on Modbus/TCP: a server of its own, written from the specification alone.

It holds the four tables, with holes where a module has no address, answers exceptions as real modules do, and
can be made slow, busy, silent or garbled. It shares no line with the hub's reader or its library. It refuses
writes: contacts are moved by whoever holds the object.

Clauses: Modbus Application Protocol V1.1b3 (sections 6 and 7), Messaging on TCP/IP V1.0b (3.1.3).
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, BUSY = 1, 2, 3, 4, 6
_TABLES: Final = {READ_COILS: "coil", READ_DISCRETE: "discrete", READ_HOLDING: "holding", READ_INPUT: "input"}
_MOST: Final = {READ_COILS: 2000, READ_DISCRETE: 2000, READ_HOLDING: 125, READ_INPUT: 125}


class ModbusModule:
    """One module. `async with ModbusModule() as module:` serves on a free port of this machine."""

    def __init__(self, port: int = 0, unit: int = 1) -> None:
        self._port, self.unit = port, unit
        self.tables: dict[str, dict[int, int]] = {name: {} for name in _TABLES.values()}
        self.exception: int | None = None
        """Answer every read with this exception code."""
        self.failing: dict[str, int] = {}
        """Answer every read of a table with this exception code."""
        self.delay_s = 0.0
        self.silent = False
        """Take requests and answer none."""
        self.garble: bytes | None = None
        """Send this instead of the answer's function and data."""
        self.reads: list[tuple[str, int, int]] = []
        """Table, address and count of each read."""
        self.connections = 0
        self.counter: tuple[str, int] | None = None
        """Register that counts up at each change."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> ModbusModule:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """Where it serves; the same after a restart."""
        return self._port

    async def start(self) -> None:
        """Power on. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Power off: all connections break."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        await server.wait_closed()

    def put(self, table: str, address: int, value: int) -> None:
        """A contact moves, or a register changes. Addresses never put do not exist."""
        if self.tables[table].get(address) == value:
            return
        self.tables[table][address] = value
        if self.counter is not None and (table, address) != self.counter:
            name, at = self.counter
            self.tables[name][at] = (self.tables[name].get(at, 0) + 1) & 0xFFFF

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while True:
                head = await reader.readexactly(7)
                body = await reader.readexactly(max(0, int.from_bytes(head[4:6], "big") - 1))
                if head[2:4] != b"\0\0" or self.silent:
                    continue
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                answer = self.garble if self.garble is not None else self._answer(body)
                if head[6] != self.unit:
                    continue  # as a gateway without such a device behind it
                writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:7] + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, body: bytes) -> bytes:
        """The answer's function and data (6.1 to 6.4, figure 13 for each)."""
        function = body[0] if body else 0
        if function not in _TABLES:
            return bytes([function | 0x80, ILLEGAL_FUNCTION])
        if len(body) != 5:
            return bytes([function | 0x80, ILLEGAL_VALUE])
        address, count = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        self.reads.append((_TABLES[function], address, count))
        code = self.failing.get(_TABLES[function], self.exception)
        if code is not None:
            return bytes([function | 0x80, code])
        if not 1 <= count <= _MOST[function]:
            return bytes([function | 0x80, ILLEGAL_VALUE])
        table = self.tables[_TABLES[function]]
        values = [table.get(address + offset) for offset in range(count)]
        if None in values:
            return bytes([function | 0x80, ILLEGAL_ADDRESS])
        known = [value or 0 for value in values]
        if function in (READ_HOLDING, READ_INPUT):
            data = b"".join((value & 0xFFFF).to_bytes(2, "big") for value in known)
        else:
            bits = sum(1 << at for at, value in enumerate(known) if value)
            data = bits.to_bytes((count + 7) // 8, "little")
        return bytes([function, len(data)]) + data
