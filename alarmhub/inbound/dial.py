"""Drives a stream codec over a connection of our own making: called, lost, called again, with back-off.

The counterpart of `stream.StreamServer` for links on which the hub is the client, or where there is a wire
instead of a network. It refuses to know a protocol and what it calls (`Dial` does), and to give up: whoever
cannot be reached is tried again until the hub stops.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from alarmhub.clock import Clock
from alarmhub.inbound.stream import CHUNK_BYTES, Connection, Limits, Session, keep_alive
from alarmhub.tasks import Crew, end, spawn

CONNECT_WITHIN_S: Final = 5.0
AGAIN_AFTER_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Before the next try; the last for ever. A connection that was useful starts from the first again."""

TAKEN_WITHIN_S: Final = 5.0
"""What was read is taken, and the peer has let go, within this time of a stop."""

E = TypeVar("E")

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Makes the connection. Raises OSError when it cannot be had."""


class Door(Protocol):
    """How a link is had, whoever calls whom."""

    @property
    def port(self) -> int:
        """The port listened on; 0 for one that does not listen."""
        ...

    async def start(self) -> None:
        """Open it, or begin to connect. Raises OSError when an address to listen on cannot be had."""
        ...

    async def close(self) -> None:
        """Close it; what was read is still taken."""
        ...


def tcp(host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Dial:
    """Call a TCP address, with TLS where a context is given. A peer that vanishes is noticed by keepalive."""

    async def call() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host, port, limit=CHUNK_BYTES, ssl=tls)
        keep_alive(writer)
        return reader, writer

    return call


class Dialer(Generic[E]):
    """One connection at a time, kept up. `failed` hears why a try failed: once, until one has succeeded."""

    port = 0

    def __init__(
        self,
        dial: Dial,
        open_session: Callable[[Connection[E]], Session[E]],
        *,
        peer: str,
        crew: Crew,
        clock: Clock,
        failed: Callable[[str], None],
        limits: Limits | None = None,
        spread: float = 0.0,
    ) -> None:
        """`spread`: by how much of itself each wait differs by chance, so that many do not call at once."""
        self._spread = spread
        self._dial, self._open_session, self._peer = dial, open_session, peer
        self._crew, self._clock, self._failed = crew, clock, failed
        self._limits = limits or Limits()
        self._connection: Connection[E] | None = None
        self._stop = asyncio.Event()
        self._runs: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Begin to connect."""
        self._runs = spawn(self._run(), f"dial {self._peer}", self._crew, ends=True)

    async def close(self) -> None:
        """Hang up, and wait until what was read has been taken."""
        self._stop.set()
        if self._runs is None:
            return
        if self._connection is not None:
            self._connection.close("hub is stopping")
            await asyncio.wait({self._runs}, timeout=TAKEN_WITHIN_S)
        await end(self._runs)

    async def _run(self) -> None:
        tries, said = 0, False
        while not self._stop.is_set():
            cause = await self._connect()
            if cause is None:
                tries, said = 0, False
            elif not said:
                said = True
                self._failed(cause)
            wait_s = AGAIN_AFTER_S[min(tries, len(AGAIN_AFTER_S) - 1)]
            wait_s *= random.uniform(1 - self._spread, 1 + self._spread)
            tries += 1
            try:
                async with asyncio.timeout(wait_s):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def _connect(self) -> str | None:
        """One connection from its beginning to its end. Why it was no use, None when it was some."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                reader, writer = await self._dial()
        except TimeoutError:
            return "no answer"
        except OSError as error:
            return error.strerror or str(error) or type(error).__name__
        connection: Connection[E] = Connection(reader, writer, self._clock, self._limits, peer=self._peer)
        self._connection = connection
        try:
            await connection.run(self._open_session(connection), self._crew)
        finally:
            self._connection = None
        return None if connection.useful_at else (connection.cause or "closed")
