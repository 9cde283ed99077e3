"""ESPA 4.4.4, the line as the control station sees it: it polls the others, takes their calls, and sends.

`ControlStation` is a stream codec (`protocols.codec`) in two uses: the hub polls stations that have no
control station of their own, and the hub sends calls to a pager transmitter. Bytes and blocks are
`espa444_station`, what waits is `espa444_queue`. It refuses to speak while another station has the line, for
at most 10 s.

    IDLE ── EOT x ENQ (poll) ─▶ POLLED ── EOT, silence ─▶ IDLE
      │                            ├──── me ENQ ─▶ SELECTED ── SOH ─▶ BLOCK … HELD ─▶ SELECTED ── EOT ─▶ IDLE
      │                            └──── y ENQ ──▶ OTHERS ── EOT, 10 s ─▶ IDLE
      └── EOT me ENQ y ENQ (select) ─▶ WAIT_SELECT ── ACK ─▶ WAIT_BLOCK ── ACK ─▶ IDLE

No time-out follows a poll without an answer; who is silent several times in a row is off-line, polled once a
minute, and told to the owner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.espa444_block import ACK, ENQ, EOT, MAX_BLOCK_BYTES, NAK_BUSY, Block, RecordId
from protocols.espa444_charset import CHARSETS, decode
from protocols.espa444_events import (
    BlockReceived,
    Cause,
    Selected,
    SendCause,
    SendFailed,
    SendTaken,
    StationHeard,
    StationLost,
    StatusRequested,
)
from protocols.espa444_line import Timers
from protocols.espa444_queue import Sending, Sendings, Stations
from protocols.espa444_station import State, Station
from protocols.espa444_status import StatusMemory, StatusReport, first_status

_MASTER = (State.WAIT_SELECT, State.WAIT_BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """What is agreed for a line whose control station is the hub. Raises ValueError when it cannot be.

    `stations` are polled every `poll_every_ms` (0: never, the hub only sends). Times in ms.
    """

    own: str = "1"
    stations: tuple[str, ...] = ()
    poll_every_ms: int = 1_000
    offline_after: int = 3  # polls in a row without an answer
    offline_ms: int = 60_000
    traffic_ms: int = 10_000  # a station that has the line and says nothing loses it
    busy_ms: int = 1_000  # before a block that was not taken is tried again
    attempts: int = 3
    charset: str = "latin-1"
    seven_bit: bool = False
    max_block_bytes: int = MAX_BLOCK_BYTES
    timers: Timers = field(default_factory=Timers)

    def __post_init__(self) -> None:
        for address in (self.own, *self.stations):
            if len(address) != 1 or address not in "0123456789":
                raise ValueError(f"a station address must be one digit, not {address!r}")
        if self.own in self.stations:
            raise ValueError("the control station does not poll itself")
        if self.charset not in CHARSETS:
            raise ValueError(f"unknown character set {self.charset!r}; one of {', '.join(CHARSETS)}")


class ControlStation(Station[ControlLine]):
    """The control station of one connection. All `now` are integer ms; nothing here raises on bytes.

    It begins at its first timer, which is due at once. `memory`: as for `PagerSystem`.
    """

    def __init__(self, link: ControlLine, *, memory: StatusMemory | None = None) -> None:
        super().__init__(link)
        self.memory = memory if memory is not None else StatusMemory()
        self._stations = Stations(
            link.stations,
            every_ms=link.poll_every_ms,
            offline_after=link.offline_after,
            offline_ms=link.offline_ms,
        )
        self._sendings = Sendings()
        self._sending: Sending | None = None  # on the line now
        self._others = False
        self._block_seen = False
        self._polls_first = False
        self._deadline = 0

    @property
    def offline(self) -> tuple[str, ...]:
        """Stations that do not answer."""
        return self._stations.offline

    def send(self, id: str, station: str, block: bytes, now: int) -> bool:
        """Send a block to a station as soon as the line is free. False: too many wait, or closed."""
        if self._closed or not self._sendings.add(Sending(id, station, block, now)):
            return False
        if self._state is State.IDLE:
            self._rest(now)
        return True

    def send_status(self, report: StatusReport, station: str, now: int) -> bool:
        """Tell a station what became of its call (header 2). As `send`."""
        if report.call_status is not None:
            self.memory.note(report.address, report.text, report.call_status)
        return self.send(report.id, station, report.encoded(self.link.charset), now)

    def forget(self, id: str) -> bool:
        """Take back what waits; False when it is unknown or on the line just now."""
        sending = self._sendings.named(id)
        if sending is None or sending is self._sending:
            return False
        self._sendings.remove(sending)
        return True

    # The line is ours.

    def _rest(self, now: int) -> None:
        """Nobody speaks: send or poll what is due, or wait for it. Polls and sends take turns."""
        self._state, self._sending, self._others, self._block_seen = State.IDLE, None, False, False
        sending, station = self._sendings.due(now), self._stations.due(now)
        if sending is not None and not (self._polls_first and station is not None):
            self._polls_first = True
            self._select(sending, now)
        elif station is not None:
            self._polls_first = False
            self._poll(station, now)
        else:
            nexts = (self._sendings.next_at(), self._stations.next_at())
            self._deadline = min((at for at in nexts if at is not None), default=None)

    def _poll(self, station: str, now: int) -> None:
        self._speaker = station
        self._stations.polled(station, now)
        self._out += bytes([EOT]) + station.encode("ascii") + bytes([ENQ])
        self._state = State.POLLED
        self._deadline = now + self.link.timers.reply_ms

    def _select(self, sending: Sending, now: int) -> None:
        self._speaker = sending.station
        self._sending = sending
        sending.repeats = 0
        # It makes itself master by a poll of its own, then selects.
        for station in (bytes([EOT]) + self.link.own.encode("ascii"), sending.station.encode("ascii")):
            self._out += station + bytes([ENQ])
        self._state = State.WAIT_SELECT
        self._deadline = now + self.link.timers.reply_ms

    def _send_block(self, now: int) -> None:
        assert self._sending is not None
        self._out += self._sending.block
        self._state = State.WAIT_BLOCK
        self._deadline = self._answer_by(self._sending.block, now)

    def _taken(self, now: int) -> None:
        assert self._sending is not None
        self._sendings.remove(self._sending)
        if self._sending.id:
            self._events.append(SendTaken(self._sending.id))
        self._end(now)

    def _repeat(self, cause: SendCause, now: int) -> None:
        assert self._sending is not None
        if self._sending.repeats < self.link.timers.repeats:
            self._sending.repeats += 1
            self._send_block(now)
        else:
            self._give_up(cause, now)

    def _again_later(self, cause: SendCause, now: int) -> None:
        """It was not taken; it may be later."""
        assert self._sending is not None
        self._sending.attempts += 1
        self._sending.due_at = now + self.link.busy_ms
        if self._sending.attempts >= self.link.attempts:
            self._give_up(cause, now)
        else:
            self._end(now)

    def _give_up(self, cause: SendCause, now: int) -> None:
        assert self._sending is not None
        self._sendings.remove(self._sending)
        self._fail(self._sending, cause)
        self._end(now)

    def _fail(self, sending: Sending, cause: SendCause) -> None:
        if sending.id:
            self._events.append(SendFailed(sending.id, cause))

    def _end(self, now: int) -> None:
        """Our transaction is over; what we have to say next begins with an EOT anyway."""
        before = len(self._out)
        self._rest(now)
        if len(self._out) == before:
            self._out.append(EOT)

    def _give_way(self, now: int) -> None:
        """A station speaks where an answer was due: what we were sending comes after it."""
        if self._sending is not None:
            self._sending.attempts += 1
            self._sending.due_at = now
            if self._sending.attempts >= self.link.attempts:
                self._sendings.remove(self._sending)
                self._fail(self._sending, SendCause.NOT_SELECTED)
            self._sending = None

    # What the stations say.

    def _heard(self, now: int) -> None:
        if self._speaker:
            self._events.append(StationHeard(self._speaker, self._stations.heard(self._speaker, now)))

    def _silent(self, now: int) -> None:
        if self._stations.silent(self._speaker, now):
            self._events.append(StationLost(self._speaker))

    def _on_eot(self, now: int) -> None:
        if self._state in _MASTER:
            self._heard(now)
            self._again_later(SendCause.NOT_SELECTED, now)
        elif self._state is not State.IDLE:
            if self._state is State.POLLED:
                self._heard(now)
            self._rest(now)

    def _on_enq(self, station: str, now: int) -> None:
        if self._state is State.WAIT_BLOCK or (self._state is State.IDLE and station != self.link.own):
            return
        if self._state in (State.POLLED, State.WAIT_SELECT):
            self._heard(now)
        if station == self.link.own:
            self._give_way(now)
            self._on_select(now)
        elif self._state in (State.POLLED, State.SELECTED):
            self._leave_to_others(now)

    def _on_select(self, now: int) -> None:
        self._events.append(Selected(self.ready))
        if not self.ready:
            self._out += NAK_BUSY
            self._leave_to_others(now)
            return
        self._out.append(ACK)
        self._state, self._others, self._block_seen = State.SELECTED, False, False
        self._deadline = now + self.link.traffic_ms

    def _leave_to_others(self, now: int) -> None:
        self._state, self._others = State.OTHERS, True
        self._deadline = now + self.link.traffic_ms

    def _on_ack(self, now: int) -> None:
        if self._state is State.WAIT_SELECT:
            self._heard(now)
            self._send_block(now)
        elif self._state is State.WAIT_BLOCK:
            self._taken(now)

    def _on_nak(self, prefix: str, now: int) -> None:
        if self._state not in _MASTER:
            return
        self._heard(now)
        if prefix == "2":
            self._again_later(SendCause.BUSY, now)
        elif self._state is State.WAIT_SELECT:
            self._again_later(SendCause.NOT_SELECTED, now)
        elif prefix == "3":
            self._give_up(SendCause.INVALID, now)
        else:
            self._repeat(SendCause.REFUSED, now)

    def _overdue(self, now: int) -> None:
        if self._state is State.WAIT_SELECT:
            self._silent(now)
            self._again_later(SendCause.NO_ANSWER, now)
        elif self._state is State.WAIT_BLOCK:
            self._repeat(SendCause.NO_ANSWER, now)
        elif self._state is State.POLLED:
            self._silent(now)
            self._rest(now)
        elif self._state is State.IDLE:
            self._rest(now)
        else:
            if self._state is State.SELECTED and not self._block_seen:
                self._refuse(Cause.NO_BLOCK)
            self._end(now)

    # Blocks.

    @property
    def _foreign(self) -> bool:
        return self._others

    def _block_begins(self, now: int) -> None:
        if self._state in (State.POLLED, State.WAIT_SELECT):
            self._heard(now)
        if self._state in _MASTER:
            self._give_way(now)

    def _after_block(self, selected: bool, now: int) -> None:
        if self._others:
            self._leave_to_others(now)
            return
        # A station that never says EOT must not keep the line for 10 s after its call.
        self._state, self._block_seen = State.SELECTED, True
        self._deadline = now + self.link.timers.reply_ms

    def _stored(self, call: BlockReceived) -> None:
        self.memory.note(call.address, call.text, first_status(call.call_type))

    def _on_status_request(self, block: Block, now: int) -> None:
        address = decode(block.get(RecordId.ADDRESS) or b"", self.link.charset).strip()
        data = block.get(RecordId.TEXT)
        text = None if data is None else decode(data, self.link.charset)
        status = self.memory.last(address, text)
        known = bool(self._speaker) and status is not None
        if known:
            known = self.send_status(StatusReport("", address, text, status), self._speaker, now)
        self._events.append(StatusRequested(address, text, known))

    def _connection_lost(self) -> None:
        for sending in self._sendings.drain():
            self._fail(sending, SendCause.CONNECTION_LOST)
        self._sending = None
