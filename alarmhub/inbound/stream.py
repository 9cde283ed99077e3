"""Drives any stream codec over TCP: one reader, one timer, bounded everything.

A `Session` pairs a codec with what its adapter does with events. The reader feeds bytes and stops when the
codec, or the session's backlog of events, asks for it; events are taken one after the other, in order, beside
the reader, so that a commit that is waited for stops neither timers nor the notice that the peer has gone.
Whoever changes the codec from outside (an answer, a status) calls `Connection.flush`.

It refuses to know a protocol, and to keep a peer that does not read: what is not written within
`write_within_s` closes the connection. A half-open connection is found by TCP keepalive. When there are more
connections than allowed, the one that has been useful least lately goes, so that a plant that reconnects is
never locked out by its own dead connection, nor by somebody who just holds sockets.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.tasks import Crew, spawn
from protocols.codec import StreamCodec

CHUNK_BYTES: Final = 4 * 1024
CLOSE_WITHIN_S: Final = 1.0
EARLY_S: Final = 0.001  # a timer that fired a hair too soon is armed again no shorter than this
KEEPALIVE_IDLE_S: Final = 10
KEEPALIVE_EVERY_S: Final = 3
KEEPALIVE_PROBES: Final = 3

E = TypeVar("E")

_log = logs.get("stream")


class Limits(Struct, frozen=True):
    """What one door grants its peers. Times in seconds."""

    connections: int = 4
    events_waiting: int = 64
    write_within_s: float = 5.0


class Session(Protocol[E]):
    """What an adapter supplies for one connection."""

    @property
    def codec(self) -> StreamCodec[E]:
        """The conversation."""
        ...

    async def take(self, event: E) -> None:
        """Act on one event. An exception is a defect: it is logged and closes this connection."""
        ...

    def lost(self, cause: str) -> None:
        """The connection is over; no further event will be taken. Called once."""
        ...


class Connection(Generic[E]):
    """One peer: its socket, its session, its timer. Made by `StreamServer`, or by `dial.Dialer`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        clock: Clock,
        limits: Limits,
        *,
        peer: str = "",
    ) -> None:
        """`peer`: its name, where the socket does not know it."""
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._limits = limits
        self._session: Session[E] | None = None
        self._events: deque[E] = deque()
        self._event_came = asyncio.Event()
        self._room = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: int | None = None
        self._write_guard: asyncio.TimerHandle | None = None
        self._written = 0
        self._over = False
        self._no_more = False
        self.cause = ""
        self.useful_at = 0  # when it last said something its codec understood; 0: never
        address = writer.get_extra_info("peername")
        self.peer = peer or (
            f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address or "unknown")
        )

    @property
    def over(self) -> bool:
        """Whether this connection is closed or closing."""
        return self._over

    def flush(self) -> None:
        """Write what the codec wants written, collect its events, arm its timer. Never blocks."""
        session = self._session
        if session is None or self._over:
            return
        codec = session.codec
        self._collect(codec)
        data = codec.data_to_send()
        if data:
            self._write(data)
        if codec.closed:
            self.close(codec.error or "conversation over")
            return
        self._arm(codec)
        if codec.wants_data and len(self._events) < self._limits.events_waiting:
            self._room.set()
        else:
            self._room.clear()

    def close(self, cause: str) -> None:
        """End the connection; the first cause counts."""
        if self._over:
            return
        self._over, self.cause = True, cause
        for handle in (self._timer, self._write_guard):
            if handle is not None:
                handle.cancel()
        self._timer = self._write_guard = None
        self._writer.close()
        self._room.set()

    async def run(self, session: Session[E], crew: Crew) -> None:
        """Read until the end, taking events beside it; returns when everything read has been taken."""
        self._session = session
        taker = spawn(self._guarded(self._take_all(session)), f"take {self.peer}", crew, ends=True)
        try:
            self.flush()
            await self._guarded(self._read_all(session))
        finally:
            if not session.codec.closed:
                session.codec.receive_eof(self._clock.now())
                self._collect(session.codec)
            self.close("stopped")
            self._no_more = True
            self._event_came.set()
            try:
                # What was read before the end is still taken: a call is not lost because its plant hung up.
                await taker
            finally:
                session.lost(self.cause)
                await self._wait_closed()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  a defect met by one peer must not stop the others
            _log.error(Line.SOURCE_CLOSED, exc=error, peer=self.peer, cause="defect")
            self.close(f"defect: {type(error).__name__}")

    async def _read_all(self, session: Session[E]) -> None:
        codec = session.codec
        while True:
            await self._room.wait()
            if self._over:
                return
            try:
                await self._writer.drain()
                data = await self._reader.read(CHUNK_BYTES)
                cause = "closed by the other side"
            except OSError as error:
                data, cause = b"", error.strerror or type(error).__name__
            if not data:
                codec.receive_eof(self._clock.now())
                self._collect(codec)
                self.close(cause)
                return
            codec.receive_data(data, self._clock.now())
            self.flush()

    async def _take_all(self, session: Session[E]) -> None:
        while True:
            while self._events:
                await session.take(self._events.popleft())
                self.flush()
            if self._no_more:
                return
            self._event_came.clear()
            await self._event_came.wait()

    def _collect(self, codec: StreamCodec[E]) -> None:
        events = codec.events_received()
        if events:
            self._events.extend(events)
            self.useful_at = self._clock.now()
            self._event_came.set()

    # Timer.

    def _arm(self, codec: StreamCodec[E]) -> None:
        due = codec.next_timer()
        if due == self._timer_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, due
        if due is not None:
            self._call_at(due)

    def _call_at(self, due: int) -> None:
        wait_s = max(EARLY_S, (due - self._clock.now()) / 1000)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer, due)

    def _on_timer(self, due: int) -> None:
        self._timer = self._timer_at = None
        session = self._session
        if session is None or self._over:
            return
        now = self._clock.now()
        if now < due:
            self._timer_at = due
            self._call_at(due)
            return
        session.codec.handle_timer(now)
        after = session.codec.next_timer()
        if after is not None and after <= now:
            # It would spin the event loop for everybody; the connection is the smaller loss.
            _log.error(Line.SOURCE_CLOSED, peer=self.peer, cause="defect: the codec does not clear its timer")
            self.close("defect: the codec does not clear its timer")
            return
        self.flush()

    # Writing.

    def _write(self, data: bytes) -> None:
        self._writer.write(data)
        self._written += len(data)
        if self._write_guard is None and self._unwritten():
            self._guard_writes()

    def _unwritten(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def _guard_writes(self) -> None:
        self._write_guard = asyncio.get_running_loop().call_later(
            self._limits.write_within_s, self._on_write_guard, self._written
        )

    def _on_write_guard(self, must_be_out: int) -> None:
        self._write_guard = None
        unwritten = self._unwritten()
        if self._written - unwritten < must_be_out:
            self._writer.transport.abort()
            self.close("the other side does not read")
        elif unwritten:
            self._guard_writes()

    async def _wait_closed(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


class StreamServer(Generic[E]):
    """A door: listens on one address, makes a session for each peer, and keeps their number bounded."""

    def __init__(
        self,
        open_session: Callable[[Connection[E]], Session[E]],
        *,
        crew: Crew,
        clock: Clock,
        limits: Limits | None = None,
        name: str = "stream",
        admits: Callable[[str], bool] | None = None,
    ) -> None:
        """`admits`: whether a peer at this address may connect; without it, anybody may."""
        self._admits = admits
        self._open_session = open_session
        self._crew = crew
        self._clock = clock
        self._limits = limits or Limits()
        self._name = name
        self._server: asyncio.Server | None = None
        self._connections: set[Connection[E]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen, with TLS where a context is given. Raises OSError when it cannot."""
        self._server = await asyncio.start_server(
            self._on_connect, host, port, limit=CHUNK_BYTES, backlog=16, ssl=tls
        )

    @property
    def port(self) -> int:
        """The port listened on (of interest when 0 was asked for). 0 when not listening."""
        if self._server is None or not self._server.sockets:
            return 0
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> list[Connection[E]]:
        """Those that are open, the most lately useful last."""
        return sorted((c for c in self._connections if not c.over), key=lambda c: c.useful_at)

    async def close(self) -> None:
        """Stop listening, end all connections, wait a moment for them."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close("hub is stopping")
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S * 2):
                await self._empty.wait()
        except TimeoutError:
            _log.warning(Line.SOURCE_CLOSED, door=self._name, cause="left behind at a stop")

    def _on_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")
        if self._admits is not None and not self._admits(str(address[0] if address else "")):
            writer.transport.abort()
            return
        open_now = self.connections
        if len(open_now) >= self._limits.connections:
            open_now[0].close("a newer connection took its place")
        keep_alive(writer)
        connection: Connection[E] = Connection(reader, writer, self._clock, self._limits)
        self._connections.add(connection)
        self._empty.clear()
        spawn(self._serve(connection), f"{self._name} {connection.peer}", self._crew, ends=True)

    async def _serve(self, connection: Connection[E]) -> None:
        try:
            await connection.run(self._open_session(connection), self._crew)
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """A peer that vanished is noticed after about 20 s, whether or not anything is sent to it."""
    sock = writer.get_extra_info("socket")
    if not isinstance(sock, socket.socket) and not hasattr(sock, "setsockopt"):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle_ms = (KEEPALIVE_IDLE_S + KEEPALIVE_EVERY_S * KEEPALIVE_PROBES) * 1000
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", idle_ms),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
