"""Stations at the other end of a `ControlStation`'s line, in virtual time."""

from __future__ import annotations

from typing import TypeVar

from protocols.espa444 import StatusMemory
from protocols.espa444_control import ControlLine, ControlStation
from protocols.espa444_events import BlockReceived, EspaEvent

T = TypeVar("T")


class Stations:
    """Speaks as the stations and keeps what came of it.

    `answers`: what the owner of the codec does with each call: accept, busy, invalid, or hold (nothing).
    """

    def __init__(
        self, line: ControlLine, *, answers: str = "accept", memory: StatusMemory | None = None
    ) -> None:
        self.codec = ControlStation(line, memory=memory)
        self.answers = answers
        self.now = 1_000_000
        self.events: list[EspaEvent] = []

    def begin(self) -> bytes:
        """The connection is open: what the control station says first."""
        return self.wait(0)

    def say(self, data: bytes) -> bytes:
        """Send bytes now; what is answered at once."""
        self.codec.receive_data(data, self.now)
        return self.hear()

    def send(self, id: str, station: str, block: bytes) -> bytes:
        """The owner has a block to send; what is said at once."""
        assert self.codec.send(id, station, block, self.now)
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
