"""One HTTP/2 connection of a client (RFC 9113): many small requests at a time, each answered or failed alone.

`h2` knows the protocol, this drives it: streams up to the peer's limit, windows in both directions, PING,
GOAWAY. Every way in which an answer can fail to come ends the request: the stream is reset, the connection
ends, the peer goes away, or silence makes the connection doubtful and a PING stays unanswered. It refuses to
read large answers, to follow anything, and to try again: its caller has another connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import FrameTooLargeError, ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple
from msgspec import Struct

BODY_MOST: Final = 8_192
"""Bytes of an answer that are read; a longer one is cut off and its stream reset."""
UNSENT_MOST: Final = 1_048_576
"""Bytes that may wait for a peer which does not read, before new requests go elsewhere."""
PING_EVERY_S: Final = 45.0
"""After so much silence, before a firewall forgets the connection."""
PONG_WITHIN_S: Final = 1.0
PONG_WITHIN_IDLE_S: Final = 5.0
FRAME_HEADER_BYTES: Final = 9

Headers = Sequence[HeaderTuple]


class Broken(Exception):
    """No answer on this connection. `unseen`: the peer surely has not acted on the request."""

    def __init__(self, why: str, *, unseen: bool) -> None:
        super().__init__(why)
        self.unseen = unseen


class Reply(Struct, frozen=True):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connection(H2Connection):
    # Of ended streams h2 remembers how each ended, 65,536 of them. What comes late comes within seconds.
    MAX_CLOSED_STREAMS = 1_024


class _Stream:
    """A request under way."""

    __slots__ = ("body", "headers", "id", "is_over", "reply", "status", "unsent")

    def __init__(self, id: int, unsent: bytes, reply: asyncio.Future[Reply]) -> None:
        self.id, self.unsent, self.reply = id, unsent, reply
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_over = False

    def fail(self, why: str, *, unseen: bool) -> None:
        self.is_over = True
        if not self.reply.done():
            self.reply.set_exception(Broken(why, unseen=unseen))


class Link(asyncio.Protocol):
    """The connection. `on_change` is called when it becomes usable, or no longer is.

    `cause`: why it ended or is to end; `answered`: requests that got an answer.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._h2 = _Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, _Stream] = {}
        self._blocked: dict[int, _Stream] = {}
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._buffer = bytearray()
        self._is_leaving = self._is_paused = False
        self._doubt: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self.cause = ""
        self.answered = 0
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        """Done once the peer has said what it allows. Raises ConnectionError when it closed instead."""
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        """Whether new requests may begin."""
        return self.greeted.done() and not (self.leaving or self._is_paused)

    @property
    def leaving(self) -> bool:
        """Whether no request will ever begin here again."""
        return self._is_leaving or self.closed.done()

    @property
    def in_doubt(self) -> bool:
        """Whether a sign of life is awaited."""
        return self._doubt is not None

    @property
    def in_flight(self) -> int:
        """Requests under way, and those that wait for a stream."""
        return len(self._streams) + len(self._waiting)

    async def exchange(self, headers: Headers, body: bytes, *, doubt_after_s: float) -> Reply:
        """One POST: `headers` as they go out, pseudo-headers first; `body` is not empty. Silence of
        `doubt_after_s` makes the connection prove that it lives. Raises Broken; cancelling it resets its
        stream and nothing else."""
        await self._free_stream()
        stream = self._begin(headers, body)
        doubt = self._loop.call_later(doubt_after_s, self.doubt)
        try:
            return await stream.reply
        finally:
            doubt.cancel()
            self._end(stream)

    def doubt(self, within_s: float = PONG_WITHIN_S) -> None:
        """Ask for a sign of life; without one the connection is given up."""
        if self._doubt is None and self._transport is not None and not self._transport.is_closing():
            self._doubt = self._loop.call_later(within_s, self.abort, "no answer to PING")
            self._h2.ping(b"alarmhub")
            self._flush()

    def abort(self, cause: str) -> None:
        """Give it up: every request on it fails now."""
        self.cause = self.cause or cause
        if self._transport is not None:
            self._transport.abort()
        self._fail_all(cause)
        self._leave()

    def close(self) -> None:
        """End it in good order once the requests under way are answered."""
        self._leave()
        self._close_when_empty()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: say hello."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNSENT_MOST)
        self._h2.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0})
        self._h2.initiate_connection()
        self._beat = self._loop.call_later(PING_EVERY_S, self._look)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Asyncio: take in frames."""
        self._heard_at = self._loop.time()
        self._buffer += data
        try:
            # One frame at a time: h2 takes a GOAWAY for the end of the connection, although the streams that
            # it spares are still to be answered (RFC 9113 §6.8), and drops what came with an error.
            for frame in self._frames():
                for event in self._h2.receive_data(frame):
                    self._take(event)
        except ProtocolError as exc:
            self._flush()
            self.abort(f"protocol error: {type(exc).__name__}")
            return
        self._flush()
        self._close_when_empty()

    def pause_writing(self) -> None:
        """Asyncio: the peer does not read."""
        self._is_paused = True
        self.doubt()
        self._on_change()

    def resume_writing(self) -> None:
        """Asyncio: it reads again."""
        self._is_paused = False
        self._on_change()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: it is over."""
        self.cause = self.cause or (f"{type(exc).__name__}: {exc}" if exc else "closed by the peer")
        for timer in (self._doubt, self._beat):
            if timer is not None:
                timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(self.cause))
            self.greeted.exception()  # nobody may be waiting for it
        self._fail_all(self.cause)
        self._on_change()

    def _frames(self) -> Iterator[bytes]:
        while len(self._buffer) >= FRAME_HEADER_BYTES:
            length = int.from_bytes(self._buffer[:3], "big")
            if length > self._h2.max_inbound_frame_size:
                # h2 would wait for all of it first.
                raise FrameTooLargeError(f"a frame of {length} bytes")
            size = FRAME_HEADER_BYTES + length
            if len(self._buffer) < size:
                return
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield frame

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived() | events.InformationalResponseReceived():
                self._take_headers(event)
            case events.DataReceived():
                self._take_data(event)
            case events.StreamEnded():
                self._take_end(event)
            case events.StreamReset():
                self._take_reset(event)
            case events.ConnectionTerminated():
                self._take_goaway(event)
            case events.PingAckReceived():
                self._trust()
            case events.RemoteSettingsChanged():
                if not self.greeted.done():
                    self.greeted.set_result(None)
                self._pump_all()
                self._on_change()
            case events.WindowUpdated():
                self._pump_all()

    def _take_headers(self, event: events.ResponseReceived | events.InformationalResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        stream.headers = {
            bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in event.headers
        }
        status = stream.headers.get(":status", "")
        stream.status = int(status) if status.isdecimal() else 0

    def _take_data(self, event: events.DataReceived) -> None:
        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        stream.body += event.data
        if len(stream.body) > BODY_MOST:
            # The status has come; the rest of a body of this size explains nothing.
            stream.body = stream.body[:BODY_MOST]
            self._answer(stream)

    def _take_end(self, event: events.StreamEnded) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.is_over = not stream.unsent
            self._answer(stream)

    def _answer(self, stream: _Stream) -> None:
        self._trust()
        self.answered += 1
        if not stream.reply.done():
            stream.reply.set_result(Reply(stream.status, stream.headers, stream.body))

    def _take_reset(self, event: events.StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            code = event.error_code
            stream.fail(f"stream reset: {_named(code)}", unseen=code == ErrorCodes.REFUSED_STREAM)

    def _take_goaway(self, event: events.ConnectionTerminated) -> None:
        self._h2.state_machine.state = ConnectionState.CLIENT_OPEN
        last = event.last_stream_id or 0
        why = f"the provider goes away: {_named(event.error_code)}"
        self.cause = self.cause or why
        for stream in list(self._streams.values()):
            if stream.id > last:
                stream.fail(why, unseen=True)
        self._leave()

    def _trust(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    async def _free_stream(self) -> None:
        """Wait until the peer allows one stream more."""
        while not self.leaving and len(self._streams) >= self._h2.remote_settings.max_concurrent_streams:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting[turn] = None
            try:
                await turn
            except asyncio.CancelledError:
                self._wake(1)
                raise
            finally:
                self._waiting.pop(turn, None)
        if self.leaving:
            raise Broken(self.cause or "the connection is closing", unseen=True)

    def _begin(self, headers: Headers, body: bytes) -> _Stream:
        try:
            id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(id, headers)
        except ProtocolError as exc:
            # No stream ids left after a billion requests, or h2 holds the connection for closed.
            self.close()
            raise Broken(f"no stream: {type(exc).__name__}", unseen=True) from exc
        stream = _Stream(id, body, self._loop.create_future())
        self._streams[id] = stream
        self._pump(stream)
        self._flush()
        return stream

    def _end(self, stream: _Stream) -> None:
        self._streams.pop(stream.id, None)
        self._blocked.pop(stream.id, None)
        if not stream.is_over and not self.closed.done():
            try:
                self._h2.reset_stream(stream.id, ErrorCodes.CANCEL)
            except ProtocolError:
                pass  # it ended in the same instant
            self._flush()
        self._wake(1)
        self._close_when_empty()

    def _wake(self, count: int) -> None:
        """Let so many of those who wait for a stream look again."""
        for turn in self._waiting:
            if count <= 0:
                return
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def _pump(self, stream: _Stream) -> None:
        """Send as much of a body as the peer's windows allow."""
        while stream.unsent and not stream.is_over:
            room = min(self._h2.local_flow_control_window(stream.id), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._blocked[stream.id] = stream
                return
            part, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            self._h2.send_data(stream.id, part, end_stream=not stream.unsent)
        self._blocked.pop(stream.id, None)

    def _pump_all(self) -> None:
        for stream in list(self._blocked.values()):
            self._pump(stream)
        self._wake(self._h2.remote_settings.max_concurrent_streams - len(self._streams))

    def _look(self) -> None:
        """Keep it warm, and find out that it is not."""
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= PING_EVERY_S:
            self.doubt(PONG_WITHIN_IDLE_S)
        self._beat = self._loop.call_later(max(1.0, PING_EVERY_S - silent_s), self._look)

    def _leave(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self._wake(len(self._waiting))
            self._on_change()

    def _fail_all(self, why: str) -> None:
        for stream in list(self._streams.values()):
            stream.fail(why, unseen=False)
        self._wake(len(self._waiting))

    def _close_when_empty(self) -> None:
        if self._is_leaving and not self._streams and self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _named(code: ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, ErrorCodes) else str(code)
