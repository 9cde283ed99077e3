"""A call plant at the other end of a TCP line, for tests: says bytes, hears bytes, within a deadline."""

from __future__ import annotations

import asyncio
from types import TracebackType

HEAR_WITHIN_S = 5.0
SILENCE_S = 0.05
"""How long a test listens before it believes that nothing is said."""


class Plant:
    """One connection. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Plant:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, expected: bytes) -> None:
        """Exactly these bytes are next."""
        async with asyncio.timeout(HEAR_WITHIN_S):
            heard = await self.reader.readexactly(len(expected))
        assert heard == expected, f"expected {expected!r}, heard {heard!r}"

    async def hear_nothing(self) -> None:
        try:
            async with asyncio.timeout(SILENCE_S):
                heard = await self.reader.read(64)
        except TimeoutError:
            return
        raise AssertionError(f"expected silence, heard {heard!r}")

    async def call(self, select: bytes, block: bytes, answer: bytes = b"\x06") -> None:
        """Select, send, hear the answer, end."""
        await self.say(select)
        await self.hear(b"\x06")
        await self.say(block)
        await self.hear(answer)
        await self.say(b"\x04")
