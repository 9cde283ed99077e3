"""ESPA 4.4.4, the line as the pager system sees it: who may speak when, and what is answered.

`PagerSystem` is a stream codec (`protocols.codec`) in the role of slave: a control station polls and selects
it, sends it calls, and takes status back when it polls. Blocks are `espa444_block`, polls and selects
`espa444_line`, events `espa444_events`. It refuses three things: to acknowledge a call by itself (the owner
does, after its commit, with `accept`), to guess a character set, and to answer what was meant for others.

    IDLE ── x ENQ (select) ─▶ SELECTED ── SOH ─▶ BLOCK ── ETX ─▶ CHECK ── call ─▶ HELD ── answer ─▶ SELECTED
      └──── x ENQ (poll), status waiting ─▶ WAIT_SELECT ── ACK ─▶ WAIT_BLOCK ── ACK ─▶ IDLE

Poll and select of us are the same two bytes. A poll is the first `x ENQ` after an EOT, a select comes after a
poll. Senders that never poll end each call with EOT, so that their next select looks like a poll: `LinkMode`
says how to tell. Answering a select with EOT loses a call; answering a poll with ACK only delays a status.

An answer is only worth giving while somebody waits for it. A control station that speaks again `GAVE_UP_MS`
after its block has given that block up; a late ACK would be read as the answer to its next select, and the
ACK of that select as the answer to a block that is not stored. So the held answer is dropped. One that speaks
again at once never waits for answers; what it sends is kept and handled after the answer.
"""

from __future__ import annotations

import re
from enum import Enum

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
    RecordId,
)
from protocols.espa444_charset import decode
from protocols.espa444_events import (
    NAK_FOR,
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    PollSeen,
    Selected,
    StatusCause,
    StatusDelivered,
    StatusFailed,
    StatusRequested,
)
from protocols.espa444_line import Line, Link, LinkMode, Meaning, Timers
from protocols.espa444_reader import BlockReader, Stop
from protocols.espa444_status import StatusMemory, StatusQueue, StatusReport, Waiting, first_status

__all__ = ["Link", "LinkMode", "PagerSystem", "StatusMemory", "StatusReport", "Timers"]

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
    """Where the conversation stands (picture in the module docstring)."""

    IDLE = 0
    SELECTED = 1
    BLOCK = 2
    CHECK = 3
    HELD = 4
    WAIT_SELECT = 5
    WAIT_BLOCK = 6


_MASTER = (State.WAIT_SELECT, State.WAIT_BLOCK)


class PagerSystem:
    """The slave side of one connection. All `now` are integer milliseconds; nothing here raises on bytes.

    `memory` outlives the connection (one per link). `polling_seen`: what an earlier connection of an `auto`
    link has shown. `ready` False answers every select with busy. Tokens count up from 1 per connection.
    """

    def __init__(self, link: Link, *, memory: StatusMemory | None = None, polling_seen: bool = False) -> None:
        self.link = link
        self.memory = memory if memory is not None else StatusMemory()
        self.ready = True
        self._line = Line(link, polling_seen)
        self._state = State.IDLE
        self._deadline: int | None = None
        self._pending = bytearray()
        self._out = bytearray()
        self._events: list[EspaEvent] = []
        self._reports = StatusQueue()
        self._closed = False
        self._digit: str | None = None
        self._noise = 0
        self._fresh_select = False  # selected, and nothing came since
        self._block: BlockReader | None = None
        self._token = 0
        self._held: BlockReceived | None = None
        self._held_at = 0
        self._held_selected = False

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
        """The connection is gone: an unfinished block and unsent status fail, a held answer is void."""
        if self._closed:
            return
        if self._block is not None:
            self._cut_off(self._block)
        if self._held is not None:
            self._events.append(AnswerUnwanted(self._held.token))
        while self._reports:
            self._fail(self._reports.pop(), StatusCause.CONNECTION_LOST)
        self._pending.clear()
        self._block = self._held = self._deadline = None
        self._state = State.IDLE
        self._closed = True

    def handle_timer(self, now: int) -> None:
        """Act on the deadline that has come; before it, nothing."""
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        if self._state is State.SELECTED:
            self._refuse(Cause.NO_BLOCK)
            self._state = State.IDLE
        elif self._block is not None:
            self._block_overdue(self._block, now)
        elif self._held is not None:
            self._refuse(Cause.NOT_STORED)
            self._release(now)
        elif self._state is State.WAIT_SELECT:
            self._not_selected()
            self._send_eot()
        elif self._state is State.WAIT_BLOCK:
            self._repeat_status(StatusCause.NO_ANSWER, now)
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

    @property
    def polling_seen(self) -> bool:
        """Whether the control station of this link was seen polling; for the next connection."""
        return self._line.polling_seen

    def accept(self, token: int, now: int) -> bool:
        """The call is stored: ACK. False when no answer is owed for it any more (too late, harmless)."""
        held = self._held
        if held is None or held.token != token:
            return False
        self.memory.note(held.address, held.text, first_status(held.call_type))
        return self._answer(bytes([ACK]), now)

    def refuse_busy(self, token: int, now: int) -> bool:
        """The call could not be stored: `2 NAK`, the sender repeats and shows its own fault. As `accept`."""
        return self._held is not None and self._held.token == token and self._answer(NAK_BUSY, now)

    def refuse_invalid(self, token: int, now: int) -> bool:
        """The call can never be stored: `3 NAK`. As `accept`."""
        return self._held is not None and self._held.token == token and self._answer(NAK_INVALID, now)

    def queue_status(self, report: StatusReport) -> bool:
        """Send this status at a poll, in order. False when it cannot be: link without polls, full, closed."""
        if report.call_status is not None:
            self.memory.note(report.address, report.text, report.call_status)
        if self._closed or not self.link.takes_status:
            return False
        return self._reports.add(report.id, report.encoded(self.link.charset))

    def forget_status(self, id: str) -> bool:
        """Take back a queued status; False when it is unknown or on the line just now."""
        return self._reports.remove(id, keep_first=self._state in _MASTER)

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
            self._on_enq(digit, now)
        elif code == ACK:
            self._on_ack(now)
        elif code == NAK:
            self._on_nak(now)
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
            self._on_eot(now)

    # The line.

    def _on_eot(self, now: int) -> None:
        if self._fresh_select and self._state is State.SELECTED and self._out.endswith(b"\x06"):
            # Select and EOT came together: their master has gone, the ACK must not meet its next select.
            del self._out[-1:]
        ended_something = self._state is not State.IDLE
        if self._state in _MASTER:
            self._not_selected()
            self._send_eot()
        self._go_idle()
        self._block = None
        self._line.eot(now, ended_something=ended_something)

    def _on_enq(self, station: str, now: int) -> None:
        if self._state in _MASTER:
            self._not_selected()
        self._noise = 0
        self._go_idle()
        meaning = self._line.enq(station, now)
        if meaning is Meaning.POLL_OF_US:
            self._on_poll(now)
        elif meaning is Meaning.SELECT_OF_US:
            self._on_select(now)
        elif meaning is Meaning.POLL_OF_OTHER:
            self._events.append(PollSeen(station, mine=False))

    def _on_poll(self, now: int) -> None:
        self._events.append(PollSeen(self.link.own, mine=True))
        if not self._reports:
            self._send_eot()
            return
        if self._out == b"\x04":
            self._out.clear()  # an EOT owed from before would read as "nothing to send"
        self._out += self.link.control.encode("ascii") + bytes([ENQ])
        self._state = State.WAIT_SELECT
        self._deadline = now + self.link.timers.reply_ms

    def _on_select(self, now: int) -> None:
        self._events.append(Selected(self.ready))
        if not self.ready:
            self._out += NAK_BUSY
            return
        self._out.append(ACK)
        self._state = State.SELECTED
        self._fresh_select = True
        self._deadline = now + self.link.timers.select_to_block_ms

    def _go_idle(self) -> None:
        self._state = State.IDLE
        self._deadline = None

    def _send_eot(self) -> None:
        self._out.append(EOT)
        self._line.own_eot()

    # A block for us.

    def _start_block(self, now: int, *, started: bool = True, selected: bool | None = None) -> None:
        if self._state in _MASTER:
            self._not_selected()
        self._fresh_select = False
        self._block = BlockReader(
            by=now + self.link.timers.block_ms,
            selected=self._state is State.SELECTED if selected is None else selected,
            foreign=self._line.foreign,
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
        self._after_block(block.selected, now)

    def _after_block(self, selected: bool, now: int) -> None:
        self._block = None
        self._state = State.SELECTED if selected else State.IDLE
        self._deadline = now + self.link.timers.select_to_block_ms if selected else None

    def _finish_block(self, check: int, now: int) -> None:
        block = self._block
        assert block is not None
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
            event = BlockReceived(self._token + 1, block, self.link.charset, rule)
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
            self._on_status_request(block)
        elif block.header in (Header.STATUS, Header.OTHER):
            self._out.append(ACK)
            self._events.append(InformationReceived(block, rule))
        else:
            self._refuse(Cause.UNKNOWN_HEADER)

    def _on_status_request(self, block: Block) -> None:
        address = decode(block.get(RecordId.ADDRESS) or b"", self.link.charset).strip()
        data = block.get(RecordId.TEXT)
        text = None if data is None else decode(data, self.link.charset)
        status = self.memory.last(address, text)
        known = status is not None and self.queue_status(StatusReport("", address, text, status))
        self._events.append(StatusRequested(address, text, known))

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

    # Temporary master: status back to the control station.

    def _on_ack(self, now: int) -> None:
        if self._state is State.WAIT_SELECT:
            report = self._reports.first
            report.repeats = 0
            self._out += report.block
            self._state = State.WAIT_BLOCK
            self._deadline = now + self.link.timers.reply_ms
        elif self._state is State.WAIT_BLOCK:
            report = self._reports.pop()
            if report.id:
                self._events.append(StatusDelivered(report.id))
            self._go_idle()
            self._send_eot()

    def _on_nak(self, now: int) -> None:
        # The prefix says why; without one it counts as a transmission error. All of them mean: again.
        if self._state is State.WAIT_SELECT:
            self._not_selected()
            self._send_eot()
        elif self._state is State.WAIT_BLOCK:
            self._repeat_status(StatusCause.REFUSED, now)

    def _repeat_status(self, cause: StatusCause, now: int) -> None:
        report = self._reports.first
        if report.repeats < self.link.timers.repeats:
            report.repeats += 1
            self._out += report.block
            self._deadline = now + self.link.timers.reply_ms
            return
        self._fail(self._reports.pop(), cause)
        self._go_idle()
        self._send_eot()

    def _not_selected(self) -> None:
        self._go_idle()
        report = self._reports.first
        report.attempts += 1
        if report.attempts >= self.link.timers.select_attempts:
            self._fail(self._reports.pop(), StatusCause.NOT_SELECTED)

    def _fail(self, report: Waiting, cause: StatusCause) -> None:
        if report.id:
            self._events.append(StatusFailed(report.id, cause))
