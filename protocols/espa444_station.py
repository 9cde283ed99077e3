"""One station's half of an ESPA 4.4.4 conversation: bytes told apart, blocks received, an answer owed.

`Station` is what pager system (`espa444`) and control station (`espa444_control`) have in common: a stream
codec that reads the line, takes blocks meant for it, and holds each call until its owner has answered it. Who
may speak when is theirs: they fill in the hooks at the end. It refuses to acknowledge a call by itself (the
owner does, after its commit, with `accept`) and to guess a character set.

An answer is only worth giving while somebody waits for it. A master that speaks again `GAVE_UP_MS` after its
block has given that block up; a late ACK would be read as the answer to its next select, and the ACK of that
select as the answer to a block that is not stored. So the held answer is dropped. One that speaks again at
once never waits for answers; what it sends is kept and handled after the answer.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from enum import Enum
from typing import Generic, Protocol, TypeVar

from protocols.espa444_block import (
    ACK,
    ENQ,
    EOT,
    NAK,
    NAK_BUSY,
    NAK_INVALID,
    SOH,
    STX,
    BccRule,
    Block,
    Header,
)
from protocols.espa444_events import (
    NAK_FOR,
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
)
from protocols.espa444_line import Timers
from protocols.espa444_reader import BlockReader, Stop

GAVE_UP_MS = 300
"""A master that speaks again this long after its block no longer waits for the answer to it."""
MAX_PENDING_BYTES = 16 * 1024
"""What is kept, at most, while an answer is held; a quarter of it asks the owner to stop reading."""
NOISE_BYTES = 256
"""So many bytes in a row that are no protocol are reported, once."""

_ON_LINE = re.compile(rb"[\x01\x02\x04\x05\x06\x15\x30-\x39]")
_BETWEEN_FRAMES = b"\r\n\x00"
_TO_SEVEN_BITS = bytes(code & 0x7F for code in range(256))


class State(Enum):
    """Where the conversation stands. The first five belong to both roles."""

    IDLE = 0
    SELECTED = 1  # by a master: its block comes next
    BLOCK = 2
    CHECK = 3
    HELD = 4  # a call waits for its owner's answer
    WAIT_SELECT = 5  # we selected, the answer comes next
    WAIT_BLOCK = 6  # we sent a block, the answer comes next
    POLLED = 7  # we polled, the answer comes next
    OTHERS = 8  # whom we polled talks to another station


class Agreed(Protocol):
    """What both roles have agreed for their line."""

    @property
    def charset(self) -> str:
        """A name of `espa444_charset.CHARSETS`."""
        ...

    @property
    def seven_bit(self) -> bool:
        """The top bit of each byte is parity."""
        ...

    @property
    def max_block_bytes(self) -> int:
        """From SOH to ETX."""
        ...

    @property
    def timers(self) -> Timers:
        """Deadlines and repeats."""
        ...


L = TypeVar("L", bound=Agreed)


class Station(ABC, Generic[L]):
    """A stream codec but for the hooks. All `now` are integer milliseconds; nothing here raises on bytes.

    `ready` False answers every select with busy. Tokens count up from 1 per connection.
    """

    def __init__(self, link: L) -> None:
        self.link: L = link
        self.ready = True
        self._state = State.IDLE
        self._deadline: int | None = None
        self._pending = bytearray()
        self._out = bytearray()
        self._events: list[EspaEvent] = []
        self._closed = False
        self._digit: str | None = None
        self._noise = 0
        self._block: BlockReader | None = None
        self._token = 0
        self._held: BlockReceived | None = None
        self._held_at = 0
        self._held_selected = False
        self._speaker = ""  # who has the line, where it is known

    # The codec interface.

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes in any split."""
        if self._closed or not data:
            return
        if self.link.seven_bit:
            data = data.translate(_TO_SEVEN_BITS)
        # A stray CR after the message gives nothing up.
        if self._held is not None and now - self._held_at >= GAVE_UP_MS and data.strip(_BETWEEN_FRAMES):
            self._drop_held(now)
        self._pending += data
        self._pump(now)
        while self._held is not None and len(self._pending) > MAX_PENDING_BYTES:
            self._drop_held(now)
            self._pump(now)

    def receive_eof(self, now: int) -> None:
        """The connection is gone: an unfinished block and what was not sent fail, a held answer is void."""
        if self._closed:
            return
        if self._block is not None:
            self._cut_off(self._block)
        if self._held is not None:
            self._events.append(AnswerUnwanted(self._held.token))
        self._connection_lost()
        self._pending.clear()
        self._block = self._held = self._deadline = None
        self._state = State.IDLE
        self._closed = True

    def handle_timer(self, now: int) -> None:
        """Act on the deadline that has come; before it, nothing."""
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        if self._block is not None:
            self._block_overdue(self._block, now)
        elif self._held is not None:
            self._refuse(Cause.NOT_STORED)
            self._release(now)
        else:
            self._overdue(now)
        self._pump(now)

    def events_received(self) -> list[EspaEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """What to write since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timer(self) -> int | None:
        """The deadline of what is waited for."""
        return self._deadline

    @property
    def wants_data(self) -> bool:
        """False while an answer is owed and enough has been kept already."""
        return self._held is None or len(self._pending) < MAX_PENDING_BYTES // 4

    @property
    def closed(self) -> bool:
        """True after the end of the stream."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Always None: a bad line is answered and listened to on, never closed from this side."""
        return None

    # What the owner decides.

    def accept(self, token: int, now: int) -> bool:
        """The call is stored: ACK. False when no answer is owed for it any more (too late, harmless)."""
        held = self._held
        if held is None or held.token != token:
            return False
        self._stored(held)
        return self._answer(bytes([ACK]), now)

    def refuse_busy(self, token: int, now: int) -> bool:
        """The call could not be stored: `2 NAK`, the sender repeats and shows its own fault. As `accept`."""
        return self._held is not None and self._held.token == token and self._answer(NAK_BUSY, now)

    def refuse_invalid(self, token: int, now: int) -> bool:
        """The call can never be stored: `3 NAK`. As `accept`."""
        return self._held is not None and self._held.token == token and self._answer(NAK_INVALID, now)

    # Bytes, by state.

    def _pump(self, now: int) -> None:
        while self._pending and self._state is not State.HELD:
            if self._state is State.BLOCK:
                self._take_in_block(now)
            elif self._state is State.CHECK:
                # Taken blindly: the check may be any value, EOT and ACK included.
                self._finish_block(self._next(), now)
            else:
                self._take_on_line(now)

    def _next(self) -> int:
        code = self._pending[0]
        del self._pending[:1]
        return code

    def _take_on_line(self, now: int) -> None:
        match = _ON_LINE.search(self._pending)
        end = len(self._pending) if match is None else match.start()
        if end:
            self._skip_noise(bytes(self._pending[:end]))
            del self._pending[:end]
        if match is None:
            return
        code = self._next()
        digit, self._digit = self._digit, None
        if code == EOT:
            self._on_eot(now)
        elif code == SOH:
            self._start_block(now)
        elif code == ENQ and digit is not None:
            self._noise = 0
            self._on_enq(digit, now)
        elif code == ACK:
            self._on_ack(now)
        elif code == NAK:
            self._on_nak(digit or "1", now)
        elif code == STX and self._state is State.SELECTED:
            # SOH was lost: answered at its end, so that the sender repeats instead of waiting.
            self._start_block(now, started=False)
        elif code in (ENQ, STX):
            self._skip_noise(bytes([code]))
        else:
            if digit is not None:
                self._skip_noise(digit.encode("ascii"))
            self._digit = chr(code)

    def _skip_noise(self, noise: bytes) -> None:
        count = len(noise.translate(None, _BETWEEN_FRAMES))
        if not count:
            return
        self._digit = None
        if self._noise < NOISE_BYTES <= self._noise + count:
            self._refuse(Cause.NOISE)
        self._noise = min(self._noise + count, NOISE_BYTES)

    def _take_in_block(self, now: int) -> None:
        block = self._block
        assert block is not None
        stop = block.take(self._pending)
        self._deadline = min(now + self.link.timers.inter_character_ms, block.by)
        if stop is Stop.ETX:
            self._state = State.CHECK
        elif stop is Stop.RESTART:
            if not block.empty:
                self._cut_off(block)
            self._start_block(now, selected=block.selected)
        elif stop is Stop.EOT:
            self._cut_off(block)
            self._block = None
            self._on_eot(now)

    # A block for us.

    def _start_block(self, now: int, *, started: bool = True, selected: bool | None = None) -> None:
        self._block_begins(now)
        self._block = BlockReader(
            by=now + self.link.timers.block_ms + self.link.timers.wire_ms(self.link.max_block_bytes),
            selected=self._state is State.SELECTED if selected is None else selected,
            foreign=self._foreign,
            started=started,
            max_bytes=self.link.max_block_bytes,
        )
        self._state = State.BLOCK
        self._deadline = min(now + self.link.timers.inter_character_ms, self._block.by)

    def _cut_off(self, block: BlockReader) -> None:
        if not block.foreign:
            self._events.append(FrameRefused(Cause.CUT_OFF))

    def _block_overdue(self, block: BlockReader, now: int) -> None:
        if not block.foreign:
            self._refuse(Cause.TOO_LONG if block.too_long else Cause.TIMED_OUT)
        self._block = None
        self._after_block(block.selected, now)

    def _finish_block(self, check: int, now: int) -> None:
        block = self._block
        assert block is not None
        self._block = None
        self._after_block(block.selected, now)
        if block.foreign:
            return
        verdict = block.verdict(check, seven_bit_line=self.link.seven_bit)
        if isinstance(verdict, Cause):
            self._refuse(verdict)
        else:
            self._noise = 0
            self._take_block(*verdict, block.selected, now)

    def _take_block(self, block: Block, rule: BccRule, selected: bool, now: int) -> None:
        if block.header in (Header.CALL, Header.SUBSCRIBER_CALL):
            event = BlockReceived(self._token + 1, block, self.link.charset, rule, self._speaker)
            if not event.address and not event.text.strip():
                self._refuse(Cause.NOT_A_MESSAGE)
                return
            self._token += 1
            self._held, self._held_at, self._held_selected = event, now, selected
            self._state = State.HELD
            self._deadline = now + self.link.timers.answer_ms
            self._events.append(event)
        elif block.header == Header.STATUS_REQUEST:
            self._out.append(ACK)
            self._on_status_request(block, now)
        elif block.header in (Header.STATUS, Header.OTHER):
            self._out.append(ACK)
            self._events.append(InformationReceived(block, rule))
        else:
            self._refuse(Cause.UNKNOWN_HEADER)

    def _refuse(self, cause: Cause) -> None:
        answer = NAK_FOR.get(cause, b"")
        self._out += answer
        self._events.append(FrameRefused(cause, answer[:1].decode("ascii")))

    # The answer that is owed.

    def _answer(self, answer: bytes, now: int) -> bool:
        self._out += answer
        self._release(now)
        self._pump(now)
        return True

    def _release(self, now: int) -> None:
        self._held = None
        self._after_block(self._held_selected, now)

    def _drop_held(self, now: int) -> None:
        assert self._held is not None
        self._events.append(AnswerUnwanted(self._held.token))
        self._release(now)

    def _answer_by(self, sent: bytes, now: int) -> int:
        """When the answer to these bytes is overdue: they have to get there first."""
        return now + self.link.timers.wire_ms(len(sent)) + self.link.timers.reply_ms

    # What a role fills in.

    @property
    @abstractmethod
    def _foreign(self) -> bool:
        """The block that begins is for another station."""

    @abstractmethod
    def _on_eot(self, now: int) -> None:
        """EOT, outside a check."""

    @abstractmethod
    def _on_enq(self, station: str, now: int) -> None:
        """`station ENQ`."""

    @abstractmethod
    def _on_ack(self, now: int) -> None:
        """ACK."""

    @abstractmethod
    def _on_nak(self, prefix: str, now: int) -> None:
        """NAK; without a prefix it counts as a transmission error, `1`."""

    @abstractmethod
    def _on_status_request(self, block: Block, now: int) -> None:
        """Header 3 was acknowledged."""

    @abstractmethod
    def _block_begins(self, now: int) -> None:
        """SOH, before the block is begun."""

    @abstractmethod
    def _after_block(self, selected: bool, now: int) -> None:
        """The block is over, or answered: where the conversation stands now."""

    @abstractmethod
    def _overdue(self, now: int) -> None:
        """The deadline of a state that is no block and no held answer has come."""

    @abstractmethod
    def _stored(self, call: BlockReceived) -> None:
        """The call is about to be acknowledged."""

    @abstractmethod
    def _connection_lost(self) -> None:
        """What was to be sent fails."""
