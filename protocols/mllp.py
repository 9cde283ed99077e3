"""MLLP, the frame HL7 v2 travels in over TCP: `0Bh message 1Ch 0Dh` (HL7 v2 transport specification).

`Framing` cuts a stream into messages and frames what is sent back. It tolerates what is seen in the field: a
missing last CR, line ends between frames, and a frame that begins anew before the one before it ended. A
message that is too long, or that stops half way, is refused and skipped up to the next 0Bh; its head is
handed on, so that the sender can still be told which message it was.

It refuses to know what a message says (`protocols.hl7`), and to answer by itself: an answer means "stored",
which only the owner knows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

START: Final = 0x0B
END: Final = 0x1C
CARRIAGE_RETURN: Final = 0x0D
_BETWEEN: Final = frozenset(b"\r\n \x00")
"""What may stand between two frames without being nonsense."""
_RESTART: Final = b"\x0bMSH"

MAX_MESSAGE_BYTES: Final = 65_536
HEAD_BYTES: Final = 2_048
"""Of a message that is refused for its length: enough for its MSH."""
SILENCE_WITHIN_MS: Final = 10_000
"""Within a frame the next byte comes sooner than this, or the frame is given up."""


class Fault(StrEnum):
    """Why bytes did not become a message."""

    TOO_LONG = "too_long"
    CUT_SHORT = "cut_short"  # a new frame began, the peer went quiet or hung up before the end
    OUTSIDE_FRAME = "outside_frame"
    EMPTY = "empty"


class MessageReceived(Struct, frozen=True):
    """One whole message, without its frame."""

    data: bytes


class FrameRefused(Struct, frozen=True):
    """Bytes that are no message; `head`: the first of them, at most HEAD_BYTES."""

    fault: Fault
    head: bytes = b""


MllpEvent: TypeAlias = MessageReceived | FrameRefused


def framed(message: bytes) -> bytes:
    """A message as it goes on the wire."""
    return b"\x0b" + message + b"\x1c\r"


class Framing:
    """One MLLP connection, either role (`protocols.codec.StreamCodec[MllpEvent]`). Times are ms."""

    def __init__(
        self, *, max_message_bytes: int = MAX_MESSAGE_BYTES, silence_within_ms: int = SILENCE_WITHIN_MS
    ) -> None:
        self._max_bytes = max_message_bytes
        self._silence_ms = silence_within_ms
        self._frame = bytearray()
        self._in_frame = False
        self._strays = False  # bytes outside a frame were already told of
        self._skipping = False  # what follows belongs to a message already refused
        self._due: int | None = None
        self._events: list[MllpEvent] = []
        self._out = bytearray()
        self._closed = False

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes from the peer."""
        if self._closed:
            return
        at = 0
        while at < len(data):
            at = self._inside(data, at) if self._in_frame else self._outside(data, at)
        self._due = now + self._silence_ms if self._in_frame else None

    def receive_eof(self, now: int) -> None:
        """The peer is gone; an unfinished message is refused."""
        if self._in_frame:
            self._refuse(Fault.CUT_SHORT)
        self._closed, self._due = True, None

    def handle_timer(self, now: int) -> None:
        """A frame whose bytes stopped coming is given up; the connection stays."""
        if self._due is not None and now >= self._due:
            self._refuse(Fault.CUT_SHORT)
            self._due, self._skipping = None, True

    def send(self, message: bytes) -> None:
        """Frame a message and put it where `data_to_send` takes it from."""
        if not self._closed:
            self._out += framed(message)

    def events_received(self) -> list[MllpEvent]:
        """What came since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """What to write since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def next_timer(self) -> int | None:
        """When an unfinished frame is given up."""
        return self._due

    @property
    def wants_data(self) -> bool:
        """Always: the owner bounds what waits for it."""
        return True

    @property
    def closed(self) -> bool:
        """Only the peer ends an MLLP connection."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Nothing a peer sends closes it."""
        return None

    def _outside(self, data: bytes, at: int) -> int:
        begin = data.find(START, at)
        between = data[at:] if begin < 0 else data[at:begin]
        if not self._strays and not self._skipping and any(byte not in _BETWEEN for byte in between):
            self._strays = True
            self._events.append(FrameRefused(Fault.OUTSIDE_FRAME))
        if begin < 0:
            return len(data)
        self._in_frame, self._strays, self._skipping = True, False, False
        return begin + 1

    def _inside(self, data: bytes, at: int) -> int:
        end = data.find(END, at)
        upto = len(data) if end < 0 else end
        room = self._max_bytes - len(self._frame)
        self._frame += data[at : min(upto, at + room)]
        if upto - at > room:
            self._refuse(Fault.TOO_LONG)
            self._skipping = True
            return at + room
        if end < 0:
            return upto
        self._finish()
        return end + 1

    def _finish(self) -> None:
        # A sender that starts over sends 0Bh again; what stood before it was cut short.
        again = self._frame.rfind(_RESTART)
        if again >= 0:
            self._events.append(FrameRefused(Fault.CUT_SHORT, bytes(self._frame[:again][:HEAD_BYTES])))
            del self._frame[: again + 1]
        if self._frame.strip():
            self._events.append(MessageReceived(bytes(self._frame)))
        else:
            self._events.append(FrameRefused(Fault.EMPTY))
        self._frame.clear()
        self._in_frame = False

    def _refuse(self, fault: Fault) -> None:
        self._events.append(FrameRefused(fault, bytes(self._frame[:HEAD_BYTES])))
        self._frame.clear()
        self._in_frame = False
