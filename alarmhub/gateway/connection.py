"""One phone's WebSocket: bytes to text frames and back, limits, closing. Nothing about alarms.

It drives the sans-I/O protocol of the websockets library straight from the transport's callbacks, so an idle
phone costs no task, no timer, no queue; the sweep of the server calls `tick` instead. It refuses to wait for
anybody: `send` writes or, past the byte budget, breaks the connection off.

Decisions: websockets' own asyncio connection (a task, a queue and half a dozen futures per phone) was
rejected for memory and for `await send()`, which lets one slow phone hold up the others. Server frames are
written by hand because without extensions and masking a text frame is a length and its payload (RFC 6455
section 5.2); reading, where the peer is hostile, stays with the library, but for the one plain case that is
nearly all of what phones send: a chunk that is exactly one short text frame, when the library waits for none
of its own to be completed.
"""

from __future__ import annotations

import asyncio
import logging
from enum import IntEnum
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from msgspec import Struct
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, OPEN, SERVER
from websockets.protocol import Protocol as WebSocket
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from protocols.phone import MAX_FRAME_BYTES, PATH, SUBPROTOCOL, Closing

TICK_S: Final = 0.5
"""How often the server calls `tick`; all patience below is counted in ticks."""
CLOSING_TICKS: Final = 4
"""A peer that does not take part in closing is cut off after this many."""
FRAMES_PER_TICK: Final = 200
"""Past it nothing is read from this phone until the next tick."""
_VANISHED: Final = 1006
"""RFC 6455 section 7.1.5: ended without a closing frame."""
SLICE_BYTES: Final = 4096
FRAGMENTS_MAX: Final = 32

_quiet = logging.getLogger("alarmhub.gateway.websockets")
_quiet.setLevel(logging.ERROR)  # opening and closing are said in the hub's own log


class Stage(IntEnum):
    """How far a connection is."""

    WAITING = -1  # for its turn to come in (`entrance`); nothing is read meanwhile
    HANDSHAKE = 0
    HELLO = 1  # upgraded, has not said who it is
    CHECKING = 2  # its token is being looked up; nothing is read meanwhile
    OPEN = 3
    CLOSING = 4
    CLOSED = 5


class Limits(Struct, frozen=True):
    """What every connection is held to. `origins`: browser origins allowed besides the host's own pages; apps
    send none."""

    frame_bytes: int = MAX_FRAME_BYTES
    budget_bytes: int = 262_144
    origins: tuple[Origin, ...] = ()


class Owner(Protocol):
    """What a connection tells the server. None of these may raise or wait."""

    def opened(self, connection: Connection) -> bytes | None:
        """A TCP connection came in. An HTTP response refuses it."""
        ...

    def received(self, connection: Connection, payload: bytes) -> None:
        """A whole text message, valid UTF-8."""
        ...

    def received_binary(self, connection: Connection) -> None:
        """A binary message; its content is gone."""
        ...

    def left(self, connection: Connection) -> None:
        """Nothing more will be read or written; called once, `close_code` says how."""
        ...

    def closed(self, connection: Connection) -> None:
        """The TCP connection is gone; called once, after `left`."""
        ...


class Connection(asyncio.Protocol):
    """See the module. `silent_ticks`: ticks since it was heard of, or since the current stage began.

    `seat` and what follows belong to the server: this module never reads them.
    """

    __slots__ = (
        "_allowed_bytes", "_fragments", "_frames", "_held", "_limits", "_owner", "_socket", "_transport",
        "_unread", "_waiting", "close_code", "digest", "faults", "peer", "seat", "shown", "silent_ticks",
        "stage",
    )  # fmt: skip

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self._owner = owner
        self._limits = limits
        self._socket: WebSocket = ServerProtocol(
            origins=[None, *limits.origins],
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=limits.frame_bytes,
            logger=_quiet,
        )
        self._transport: asyncio.Transport | None = None
        self._allowed_bytes = limits.budget_bytes
        self._fragments: list[bytes] | None = None
        self._frames = 0
        self._unread = 0  # bytes of frames the library has not completed
        self._held = b""
        self._waiting: list[bytes] | None = None
        self.stage = Stage.HANDSHAKE
        self.silent_ticks = 0
        self.close_code = 0
        self.peer = ""
        self.faults = 0
        self.digest = b""
        self.seat: Any = None
        self.shown: dict[str, int] = _NOTHING

    # -- what asyncio calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is up. Refusals are answered before anything is read."""
        # uvloop's transports are no subclass of asyncio's, only the same in all that matters.
        self._transport = transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if isinstance(address, tuple) else ""
        refusal = self._owner.opened(self)
        if refusal is not None:
            self._enter(Stage.CLOSING)
            transport.write(refusal)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes from the phone. A chunk is fed in slices so that a flood cannot hold up the loop."""
        if self.stage is Stage.WAITING:
            self._hold(self._held + data)
            return
        if self.stage is Stage.CHECKING or self._held:
            self._held += data
            return
        if self.stage is Stage.OPEN and not self._unread and self._frames < FRAMES_PER_TICK:
            payload = _short_text(data)
            if payload is not None and self._fragments is None:
                self._frames += 1
                self.silent_ticks = 0
                self._message(payload)
                return
        self._feed(data)

    def eof_received(self) -> bool:
        """The phone has closed its half; the transport closes the rest."""
        self._socket.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is gone, whoever ended it."""
        self.close_code = self.close_code or _VANISHED
        self._enter(Stage.CLOSED)
        self._transport = None
        self._held = b""
        self._owner.closed(self)

    # -- reading --------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        at, end = 0, len(data)
        while at < end:
            if self._frames >= FRAMES_PER_TICK or self.stage is Stage.CHECKING:
                self._hold(data[at:])
                return
            piece = data if end <= SLICE_BYTES else data[at : at + SLICE_BYTES]
            at += len(piece)
            if not self._read(piece):
                return

    def _read(self, data: bytes) -> bool:
        socket = self._socket
        socket.receive_data(data)
        self._unread += len(data)
        events = socket.events_received()
        if socket.writes:
            self._flush()
        for event in events:
            if type(event) is Frame:
                self._frames += 1
                self._unread -= _size(event)
                if self.stage is not Stage.HANDSHAKE:
                    self._take(event)
            elif isinstance(event, Request):
                self._upgrade(event, alone=len(events) == 1 and data.endswith(b"\r\n\r\n"))
        if self._socket.state is not OPEN:
            self._wind_up()
        return self.stage < Stage.CLOSING

    def _take(self, frame: Frame) -> None:
        if self.stage >= Stage.CLOSING:
            return
        if self.stage is Stage.OPEN:
            self.silent_ticks = 0
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            self._message(bytes(frame.data))
        elif opcode is Opcode.BINARY and frame.fin:
            self._owner.received_binary(self)
        elif opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._assemble(frame)

    def _assemble(self, frame: Frame) -> None:
        if self._fragments is None:
            self._fragments = [b"binary"] if frame.opcode is Opcode.BINARY else [b""]
        fragments = self._fragments
        if len(fragments) > FRAGMENTS_MAX:
            self.close(Closing.FRAGMENTED, "one message in too many fragments")
            return
        fragments.append(bytes(frame.data))
        if frame.fin:
            self._fragments = None
            if fragments[0]:
                self._owner.received_binary(self)
            else:
                self._message(b"".join(fragments))

    def _message(self, payload: bytes) -> None:
        try:
            payload.decode()
        except UnicodeDecodeError:
            # RFC 6455 section 8.1: text that is no UTF-8 fails the connection.
            self.close(Closing.INVALID_TEXT, "text frames are UTF-8")
            return
        if self.stage is not Stage.CHECKING:
            self._owner.received(self, payload)
        elif self._waiting is None:
            self._waiting = [payload]
        else:
            self._waiting.append(payload)

    def _upgrade(self, request: Request, *, alone: bool) -> None:
        socket = self._socket
        assert isinstance(socket, ServerProtocol)
        if request.path.partition("?")[0] != PATH:
            response = socket.reject(404, f"The phone socket is at {PATH}.\n")
        else:
            if _is_our_page(request):
                socket.origins = None
            response = socket.accept(request)
        socket.send_response(response)
        self._flush()
        if response.status_code != 101:
            self._enter(Stage.CLOSING)
            return
        if alone:
            # The request and the parser that read it are 10 times the size of an idle connection.
            self._socket = WebSocket(SERVER, state=OPEN, max_size=self._limits.frame_bytes, logger=_quiet)
            self._unread = 0
        self._enter(Stage.HELLO)

    # -- pace -----------------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        self._held = data
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _release(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        held, self._held = self._held, b""
        if held:
            self._feed(held)

    def wait(self) -> None:
        """Hold what comes until `let_in`."""
        self.stage = Stage.WAITING

    def let_in(self) -> bool:
        """Its turn has come; False when it has gone meanwhile."""
        if self.stage is not Stage.WAITING:
            return False
        self._enter(Stage.HANDSHAKE)
        self._release()
        return True

    def checking(self) -> None:
        """Hold what comes until `checked`."""
        self.stage = Stage.CHECKING
        self._hold(b"")

    def checked(self) -> None:
        """The token is good: from now on the connection lives as long as it is heard of."""
        was = self.stage
        if was >= Stage.CLOSING:
            return
        self._enter(Stage.OPEN)
        if was is not Stage.CHECKING:
            return
        waiting, self._waiting = self._waiting, None
        for payload in waiting or ():
            self._message(payload)
        self._release()

    def tick(self) -> int:
        """Half a second has passed. Returns `silent_ticks`."""
        self.silent_ticks += 1
        if self._frames:
            self._frames = 0
            if self._held and self.stage is not Stage.CHECKING:
                self._release()
        return self.silent_ticks

    # -- writing --------------------------------------------------------------------------------

    def send(self, payload: bytes) -> bool:
        """Write one text frame. False when the connection is closing, or was broken off as too slow."""
        return self.send_frames(text_frame(payload))

    def send_frames(self, frames: bytes) -> bool:
        """Write whole frames made by `text_frame`; see `send`."""
        transport = self._transport
        if transport is None or self.stage >= Stage.CLOSING or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._allowed_bytes:
            self.abort(Closing.SLOW_READER)
            return False
        transport.write(frames)
        return True

    def send_all(self, frames: bytes) -> bool:
        """Write the state of a newcomer, however large: the budget is counted on top of it."""
        self._allowed_bytes += len(frames)
        return self.send_frames(frames)

    def close(self, code: int, reason: str) -> None:
        """Say why, and close. What the phone sends from now on is not read."""
        if self.stage >= Stage.CLOSING:
            return
        if self.stage <= Stage.HANDSHAKE:
            self.abort(code)
            return
        self.close_code = code
        self._socket.fail(code, reason)
        self._flush()
        self._wind_up()

    def abort(self, code: int) -> None:
        """Break off: the peer is dead, or does not read."""
        self.close_code = self.close_code or code
        self._enter(Stage.CLOSING)
        if self._transport is not None:
            self._transport.abort()

    def _wind_up(self) -> None:
        socket = self._socket
        if self.stage >= Stage.CLOSING or not (socket.close_expected() or socket.state is CLOSED):
            return
        if self.close_code == 0 and socket.close_sent is not None:
            self.close_code = socket.close_sent.code
        self._enter(Stage.CLOSING)
        self._release()

    def _enter(self, stage: Stage) -> None:
        was, self.stage, self.silent_ticks = self.stage, stage, 0
        if was < Stage.CLOSING <= stage:
            self._owner.left(self)

    def _flush(self) -> None:
        """Write what the library wants written; an empty entry stands for the end of the stream."""
        transport = self._transport
        for data in self._socket.data_to_send():
            if transport is None or transport.is_closing():
                continue
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
            else:
                transport.close()


_NOTHING: Final[dict[str, int]] = {}
"""Shared by all phones that show no alarm; never written to."""


def _is_our_page(request: Request) -> bool:
    """Whether a page of the very host that was asked for the socket opens it: pages and socket may have
    different ports. What this lets in still needs a secret, which only a page of its origin can know."""
    try:
        origin, host = request.headers.get("Origin", ""), request.headers.get("Host", "")
        asked = urlsplit(f"//{host}").hostname
        return asked is not None and urlsplit(origin).hostname == asked
    except (WebSocketException, ValueError):
        return False


def _short_text(data: bytes) -> bytes | None:
    """What a phone says, when `data` is one whole, masked text frame of up to 125 bytes and nothing else (RFC
    6455 sections 5.2 and 5.3)."""
    size = len(data) - 6
    if not (0 <= size < 126 and data[0] == 0x81 and data[1] == 0x80 | size):
        return None
    key = (data[2:6] * 32)[:size]
    return (int.from_bytes(data[6:], "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def _size(frame: Frame) -> int:
    """How many bytes a masked frame was on the wire, if its length was written in the least of them; else it
    was more."""
    size = len(frame.data)
    return size + (6 if size < 126 else 8 if size < 65536 else 14)


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
