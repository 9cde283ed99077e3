"""SIP over TCP or TLS: a byte stream cut into messages (RFC 3261 18.3), as a codec of `protocols.codec`.

A keep-alive of two line ends is answered with one (RFC 5626 4.4.1). What cannot be framed (headers without
end, no or a false Content-Length, a body over the limit) ends the conversation after a `Garbled` event: the
next message cannot be found. A message that is framed but faulty is only an event, those after it count.

It refuses to answer requests: whoever owns the connection sends with `send`.
"""

from __future__ import annotations

from typing import Final

from protocols.sip import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Garbled,
    Message,
    Request,
    content_length,
    parse,
    read_head,
)

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"
MESSAGES_WAITING: Final = 32
IDLE_MS: Final = 0


class SipStream:
    """One connection. Fulfils `StreamCodec[Message]`.

    `idle_ms`: silence after which the connection is closed (0: never); `begun_within_ms`: how long a message
    that has begun may take, so that a trickle does not hold a connection for ever."""

    def __init__(self, *, idle_ms: int = IDLE_MS, begun_within_ms: int = 30_000) -> None:
        self._buffer = bytearray()
        self._looked = 0  # so many bytes hold no end of headers
        self._head: tuple[int, int] | None = None  # length of the head with its blank line, and of the body
        self._events: list[Message] = []
        self._out = bytearray()
        self._closed = False
        self._error: str | None = None
        self._idle_ms, self._begun_within_ms = idle_ms, begun_within_ms
        self._idle_at: int | None = None
        self._whole_by: int | None = None

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes in any split."""
        if self._closed:
            return
        self._buffer += data
        if self._idle_ms:
            self._idle_at = now + self._idle_ms
        while self._step():
            self._whole_by = None
        if not self._buffer.strip():
            self._whole_by = None
        elif self._whole_by is None:
            self._whole_by = now + self._begun_within_ms

    def receive_eof(self, now: int) -> None:
        """The peer has gone; half a message is dropped."""
        if not self._closed:
            self._fail("closed in the middle of a message" if self._buffer.strip() else None)

    def handle_timer(self, now: int) -> None:
        """A message took too long, or nothing came for too long."""
        if self._closed:
            return
        if self._whole_by is not None and now >= self._whole_by:
            self._fail("a message took too long")
        elif self._idle_at is not None and now >= self._idle_at:
            self._fail("idle")

    def send(self, data: bytes) -> None:
        """Write this message."""
        if not self._closed:
            self._out += data

    def events_received(self) -> list[Message]:
        """The messages, each once."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """The bytes to write, each once."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timer(self) -> int | None:
        """When silence ends the conversation."""
        if self._closed:
            return None
        times = [at for at in (self._whole_by, self._idle_at) if at is not None]
        return min(times, default=None)

    @property
    def wants_data(self) -> bool:
        """False while too many messages wait to be taken."""
        return not self._closed and len(self._events) < MESSAGES_WAITING

    @property
    def closed(self) -> bool:
        """Whether the conversation is over."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Why it was closed from this side."""
        return self._error

    def _step(self) -> bool:
        """Take one thing off the buffer; False when more bytes are needed, or it is over."""
        if self._head is None and not self._find_head():
            return False
        if self._head is None:
            return True
        head, body = self._head
        if len(self._buffer) < head + body:
            return False
        self._events.append(parse(bytes(self._buffer[: head + body]), framed=True))
        del self._buffer[: head + body]
        self._head, self._looked = None, 0
        return True

    def _find_head(self) -> bool:
        """Find the end of the headers and with them the length of the body; or take a keep-alive away."""
        buffer = self._buffer
        if buffer.startswith((b"\r", b"\n")):
            return self._keep_alive()
        place, mark = self._blank_line()
        if place < 0:
            if len(buffer) > MAX_HEAD_BYTES + len(PING) - 1:  # part of the blank line may be there
                self._garbled(Garbled("headers too long"))
            self._looked = max(0, len(buffer) - 3)
            return False
        if place > MAX_HEAD_BYTES:
            self._garbled(Garbled("headers too long"))
            return False
        message = read_head(bytes(buffer[:place]))
        if isinstance(message, Garbled) and message.request is None:
            self._garbled(message)
            return False
        request = message.request if isinstance(message, Garbled) else message
        assert request is not None
        answerable = request if isinstance(request, Request) else None
        length = content_length(request.headers)
        if length is None:
            length = "no content length in a stream"
        if isinstance(length, str):
            self._garbled(Garbled(length, request=answerable))
        elif length > MAX_BODY_BYTES:
            self._garbled(Garbled("body too long", 413, answerable))
        else:
            self._head = (place + len(mark), length)
        return self._head is not None

    def _blank_line(self) -> tuple[int, bytes]:
        find = self._buffer.find
        found = [(place, mark) for mark in (PING, b"\n\n") if (place := find(mark, self._looked)) >= 0]
        return min(found, default=(-1, b""))

    def _keep_alive(self) -> bool:
        """Line ends before a message are ignored (RFC 3261 7.5); two of them ask for an answer."""
        if self._buffer.startswith(PING):
            del self._buffer[: len(PING)]
            self._out += PONG
            return True
        if PING.startswith(bytes(self._buffer)):
            return False  # the rest of it may be on its way
        del self._buffer[: 2 if self._buffer.startswith(PONG) else 1]
        return True

    def _garbled(self, event: Garbled) -> None:
        self._events.append(event)
        self._fail(event.cause)

    def _fail(self, cause: str | None) -> None:
        self._closed, self._error = True, cause
        self._buffer.clear()
        self._head = None
