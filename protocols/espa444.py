"""ESPA 4.4.4, the line as the pager system sees it: who may speak when, and what is answered.

`PagerSystem` is a stream codec (`protocols.codec`) in the role of slave: a control station polls and selects
it, sends it calls, and takes status back when it polls. Bytes and blocks are `espa444_station`, polls and
selects `espa444_line`, events `espa444_events`. It refuses to answer what was meant for others.

    IDLE ── x ENQ (select) ─▶ SELECTED ── SOH ─▶ BLOCK ── ETX ─▶ CHECK ── call ─▶ HELD ── answer ─▶ SELECTED
      └──── x ENQ (poll), status waiting ─▶ WAIT_SELECT ── ACK ─▶ WAIT_BLOCK ── ACK ─▶ IDLE

Poll and select of us are the same two bytes. A poll is the first `x ENQ` after an EOT, a select comes after a
poll. Senders that never poll end each call with EOT, so that their next select looks like a poll: `LinkMode`
says how to tell. Answering a select with EOT loses a call; answering a poll with ACK only delays a status.
"""

from __future__ import annotations

from protocols.espa444_block import ACK, ENQ, EOT, NAK_BUSY, Block, RecordId
from protocols.espa444_charset import decode
from protocols.espa444_events import (
    BlockReceived,
    Cause,
    PollSeen,
    Selected,
    StatusCause,
    StatusDelivered,
    StatusFailed,
    StatusRequested,
)
from protocols.espa444_line import Line, Link, LinkMode, Meaning, Timers
from protocols.espa444_station import GAVE_UP_MS, MAX_PENDING_BYTES, NOISE_BYTES, State, Station
from protocols.espa444_status import StatusMemory, StatusQueue, StatusReport, Waiting, first_status

__all__ = [
    "GAVE_UP_MS",
    "MAX_PENDING_BYTES",
    "NOISE_BYTES",
    "Link",
    "LinkMode",
    "PagerSystem",
    "StatusMemory",
    "StatusReport",
    "Timers",
]

_MASTER = (State.WAIT_SELECT, State.WAIT_BLOCK)


class PagerSystem(Station[Link]):
    """The slave side of one connection. All `now` are integer milliseconds; nothing here raises on bytes.

    `memory` outlives the connection (one per link). `polling_seen`: what an earlier connection of an `auto`
    link has shown. `ready` False answers every select with busy. Tokens count up from 1 per connection.
    """

    def __init__(self, link: Link, *, memory: StatusMemory | None = None, polling_seen: bool = False) -> None:
        super().__init__(link)
        self.memory = memory if memory is not None else StatusMemory()
        self._line = Line(link, polling_seen)
        self._reports = StatusQueue()
        self._fresh_select = False  # selected, and nothing came since

    @property
    def polling_seen(self) -> bool:
        """Whether the control station of this link was seen polling; for the next connection."""
        return self._line.polling_seen

    def queue_status(self, report: StatusReport) -> bool:
        """Send this status at a poll, in order. False when it cannot be: link without polls, full, closed."""
        if report.call_status is not None:
            self.memory.note(report.address, report.text, report.call_status)
        if self._closed or not self.link.takes_status:
            return False
        return self._reports.add(report.id, report.encoded(self.link.charset))

    def forget(self, id: str) -> bool:
        """Take back a queued status; False when it is unknown or on the line just now."""
        return self._reports.remove(id, keep_first=self._state in _MASTER)

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
        self._line.eot(now, ended_something=ended_something)

    def _on_enq(self, station: str, now: int) -> None:
        if self._state in _MASTER:
            self._not_selected()
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

    # Blocks.

    @property
    def _foreign(self) -> bool:
        return self._line.foreign

    def _block_begins(self, now: int) -> None:
        if self._state in _MASTER:
            self._not_selected()
        self._fresh_select = False

    def _after_block(self, selected: bool, now: int) -> None:
        self._state = State.SELECTED if selected else State.IDLE
        self._deadline = now + self.link.timers.select_to_block_ms if selected else None

    def _stored(self, call: BlockReceived) -> None:
        self.memory.note(call.address, call.text, first_status(call.call_type))

    def _overdue(self, now: int) -> None:
        if self._state is State.SELECTED:
            self._refuse(Cause.NO_BLOCK)
            self._state = State.IDLE
        elif self._state is State.WAIT_SELECT:
            self._not_selected()
            self._send_eot()
        elif self._state is State.WAIT_BLOCK:
            self._repeat_status(StatusCause.NO_ANSWER, now)

    def _connection_lost(self) -> None:
        while self._reports:
            self._fail(self._reports.pop(), StatusCause.CONNECTION_LOST)

    def _on_status_request(self, block: Block, now: int) -> None:
        address = decode(block.get(RecordId.ADDRESS) or b"", self.link.charset).strip()
        data = block.get(RecordId.TEXT)
        text = None if data is None else decode(data, self.link.charset)
        status = self.memory.last(address, text)
        known = status is not None and self.queue_status(StatusReport("", address, text, status))
        self._events.append(StatusRequested(address, text, known))

    # Temporary master: status back to the control station.

    def _on_ack(self, now: int) -> None:
        if self._state is State.WAIT_SELECT:
            report = self._reports.first
            report.repeats = 0
            self._out += report.block
            self._state = State.WAIT_BLOCK
            self._deadline = self._answer_by(report.block, now)
        elif self._state is State.WAIT_BLOCK:
            report = self._reports.pop()
            if report.id:
                self._events.append(StatusDelivered(report.id))
            self._go_idle()
            self._send_eot()

    def _on_nak(self, prefix: str, now: int) -> None:
        # Whatever the prefix says: again.
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
            self._deadline = self._answer_by(report.block, now)
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
