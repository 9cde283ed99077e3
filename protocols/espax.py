"""ESPA-X 1.00, the framing: `E X`, the length of all of it, an invoke number, and an XML document.

    0  2  'E' 'X'
    2  4  length in bytes, big-endian, with these ten
    6  4  invoke number, big-endian; what it says is never relied on (real clients send 0 or a constant)
    10 .. the document

A client that writes zero into the first two bytes of the length and 16 bits into the others is read alike. It
refuses to look into the document (`espax_document`), to keep more than one message of the largest size, and
to look for the next message after a header that is none: whoever owns it answers 600 and closes.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAGIC: Final = b"EX"
HEADER_BYTES: Final = 10
MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_INVOKE: Final = 2**32 - 1


class Frame(Struct, frozen=True):
    """One message: the invoke number of its header, and its document as bytes."""

    invoke: int
    document: bytes


def frame(invoke: int, document: bytes) -> bytes:
    """A message with its header. The invoke number is cut to its 32 bits."""
    length = HEADER_BYTES + len(document)
    return MAGIC + length.to_bytes(4, "big") + (invoke & MAX_INVOKE).to_bytes(4, "big") + document


class FrameReader:
    """Cuts a stream into messages. `fault` is why it stopped reading, None while it reads."""

    def __init__(self, longest: int = MAX_MESSAGE_BYTES) -> None:
        self.fault: str | None = None
        self._longest = longest
        self._pending = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept of a message that is not whole yet."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Frame]:
        """The messages completed by these bytes, in order. After a fault everything is dropped."""
        if self.fault is not None:
            return []
        self._pending += data
        frames: list[Frame] = []
        start = 0
        while True:
            head = bytes(self._pending[start : start + HEADER_BYTES])
            length = int.from_bytes(head[2:6], "big")
            fault = self._fault(head, length)
            if fault is not None:
                self.fault = fault
                self._pending.clear()
                return frames
            if len(head) < HEADER_BYTES or len(self._pending) - start < length:
                del self._pending[:start]
                return frames
            document = bytes(self._pending[start + HEADER_BYTES : start + length])
            frames.append(Frame(int.from_bytes(head[6:], "big"), document))
            start += length

    def _fault(self, head: bytes, length: int) -> str | None:
        if head[: len(MAGIC)] != MAGIC[: len(head)]:
            return "no ESPA-X header"
        if len(head) < HEADER_BYTES:
            return None
        if length < HEADER_BYTES:
            return "a length shorter than the header"
        return f"a message of more than {self._longest} bytes" if length > self._longest else None
