"""A control station's side of a conversation with a `PagerSystem`, in virtual time."""

from __future__ import annotations

from typing import TypeVar

from protocols.espa444 import Link, LinkMode, PagerSystem, StatusMemory, Timers
from protocols.espa444_block import encode_block
from protocols.espa444_events import BlockReceived, EspaEvent

EOT, ACK, ENQ = b"\x04", b"\x06", b"\x05"
SELECT = b"\x041\x052\x05"
POLL = b"\x042\x05"
BARE_SELECT = b"2\x05"

T = TypeVar("T")


def call(address: str = "1201", text: str = "Sal 12 plats 1", header: str = "1", **more: str) -> bytes:
    """A call block; `more` as record ids prefixed with r: r4="1", r6="1"."""
    records = [("1", address.encode("latin-1")), ("2", text.encode("latin-1"))]
    records += [(name.removeprefix("r"), value.encode("latin-1")) for name, value in more.items()]
    return encode_block(header, records)


class Talk:
    """Speaks as the control station and keeps what came of it.

    `answers`: what the owner of the codec does with each call: accept, busy, invalid, or hold (nothing).
    """

    def __init__(
        self,
        mode: LinkMode = LinkMode.POLLED,
        *,
        answers: str = "accept",
        link: Link | None = None,
        memory: StatusMemory | None = None,
    ) -> None:
        self.codec = PagerSystem(link or Link(mode=mode, timers=Timers()), memory=memory)
        self.answers = answers
        self.now = 1_000_000
        self.events: list[EspaEvent] = []

    def say(self, data: bytes) -> bytes:
        """Send bytes now; what is answered at once."""
        self.codec.receive_data(data, self.now)
        return self.hear()

    def hear(self) -> bytes:
        """Let the owner answer, and take what the codec wants written, in order."""
        heard = b""
        while True:
            events = self.codec.events_received()
            heard += self.codec.data_to_send()
            self.events += events
            for event in events:
                if isinstance(event, BlockReceived):
                    self._answer(event)
            if not events:
                return heard + self.codec.data_to_send()

    def wait(self, ms: int) -> bytes:
        """Let time pass, firing every timer at its instant."""
        until = self.now + ms
        heard = b""
        while (due := self.codec.next_timer()) is not None and due <= until:
            self.now = max(self.now, due)
            self.codec.handle_timer(self.now)
            after = self.codec.next_timer()
            assert after is None or after > self.now, "a codec must clear its timer"
            heard += self.hear()
        self.now = until
        return heard

    def seen(self, kind: type[T]) -> list[T]:
        """The events of one kind, so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def texts(self) -> list[str]:
        """The texts of the calls received."""
        return [event.text for event in self.seen(BlockReceived)]

    def _answer(self, event: BlockReceived) -> None:
        if self.answers == "accept":
            self.codec.accept(event.token, self.now)
        elif self.answers == "busy":
            self.codec.refuse_busy(event.token, self.now)
        elif self.answers == "invalid":
            self.codec.refuse_invalid(event.token, self.now)
