"""SMPP 3.4: the ESME's side of one connection, bound as transceiver.

It binds at once, and closes when it is refused. `submit` sends a message under a name of the owner's, within
the window; each is answered, or given up after `response_ms`. What the network delivers waits for `answer`:
nothing is acknowledged here by itself. While the other side is silent it is asked whether it is there
(enquire_link), and taken for gone when it does not say so.

It refuses to answer a delivery before its owner has, to keep more unanswered than `most_unanswered`, and to
go on after a length that no PDU can have.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct

from protocols.smpp_pdu import (
    HEADER,
    LONGEST_PDU_BYTES,
    RESPONSE,
    Command,
    Delivery,
    Login,
    Pdu,
    Status,
    Submit,
    bind_body,
    encode,
    read_delivery,
    read_string,
    status_words,
    submit_body,
)

_LAST_SEQUENCE: Final = 0x7FFF_FFFF
_DELIVERS: Final = (Command.DELIVER_SM, Command.DATA_SM)


class Pace(Struct, frozen=True):
    """How fast, and how long. Durations in ms."""

    window: int = 10
    enquire_ms: int = 30_000
    response_ms: int = 10_000
    most_unanswered: int = 64


class Bound(Struct, frozen=True):
    """The network has let us in."""

    system_id: str


class Alive(Struct, frozen=True):
    """The other side said something."""


class Submitted(Struct, frozen=True):
    """A message was answered: taken under the network's own id, or refused with a status."""

    token: str
    status: int
    message_id: str = ""


class SubmitLost(Struct, frozen=True):
    """Nothing is known of a message: no answer in time, or the connection went. It may have been taken."""

    token: str
    cause: str


class Arrived(Struct, frozen=True):
    """Something was delivered; it is `answer`ed by its ticket."""

    ticket: tuple[int, int]
    delivery: Delivery


class PduRefused(Struct, frozen=True):
    """The other side sent what cannot be used."""

    cause: str


SmppEvent: TypeAlias = Bound | Alive | Submitted | SubmitLost | Arrived | PduRefused


class Esme:
    """One connection. See `protocols.codec` for the shape; all times in ms."""

    def __init__(self, login: Login, pace: Pace, now: int) -> None:
        self._pace = pace
        self._buffer = bytearray()
        self._out = bytearray()
        self._events: list[SmppEvent] = []
        self._sequence = 0
        self._sent: dict[int, tuple[str, int]] = {}  # sequence → token, when it is given up
        self._unanswered: set[tuple[int, int]] = set()
        self._heard = now
        self._asked: int | None = None  # when enquire_link was sent
        self._bind_by: int | None = now + pace.response_ms
        self._bound = self._closed = False
        self._error: str | None = None
        self._request(Command.BIND_TRANSCEIVER, bind_body(login))

    # The shape of a codec.

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes from the peer."""
        if self._closed:
            return
        self._heard, self._asked = now, None
        self._buffer += data
        while (pdu := self._next()) is not None:
            self._take(pdu)

    def receive_eof(self, now: int) -> None:
        """The peer has gone."""
        self._end(None, "the connection was closed")

    def handle_timer(self, now: int) -> None:
        """Whatever is due: a bind, an answer, a sign of life."""
        if self._closed:
            return
        if self._bind_by is not None and now >= self._bind_by:
            self._end("the bind was not answered")
            return
        for sequence, (token, by) in list(self._sent.items()):
            if now >= by:
                del self._sent[sequence]
                self._events.append(SubmitLost(token, "not answered in time"))
        if not self._bound:
            return
        if self._asked is not None:
            if now >= self._asked + self._pace.response_ms:
                self._end("the other side does not answer")
        elif now >= self._heard + self._pace.enquire_ms:
            self._asked = now
            self._request(Command.ENQUIRE_LINK)

    def events_received(self) -> list[SmppEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """What to write since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def next_timer(self) -> int | None:
        """The next thing that is waited for."""
        if self._closed:
            return None
        due = [by for _, by in self._sent.values()]
        if self._bind_by is not None:
            due.append(self._bind_by)
        elif self._asked is not None:
            due.append(self._asked + self._pace.response_ms)
        else:
            due.append(self._heard + self._pace.enquire_ms)
        return min(due)

    @property
    def wants_data(self) -> bool:
        """False while too much waits for an answer of the owner's."""
        return not self._closed and len(self._unanswered) < self._pace.most_unanswered

    @property
    def closed(self) -> bool:
        """The conversation is over."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Why it was ended here."""
        return self._error

    # What the owner says.

    @property
    def bound(self) -> bool:
        """Whether messages can be sent."""
        return self._bound and not self._closed

    @property
    def room(self) -> int:
        """How many more messages fit into the window now."""
        return max(0, self._pace.window - len(self._sent)) if self.bound else 0

    def submit(self, token: str, message: Submit, now: int) -> bool:
        """Send a message; False when it is not bound or the window is full."""
        if not self.room:
            return False
        sequence = self._request(Command.SUBMIT_SM, submit_body(message))
        self._sent[sequence] = token, now + self._pace.response_ms
        return True

    def answer(self, ticket: tuple[int, int], status: int) -> None:
        """What became of a delivery; once."""
        if ticket not in self._unanswered or self._closed:
            return
        self._unanswered.discard(ticket)
        command, sequence = ticket
        self._send(Pdu(command | RESPONSE, status, sequence, b"\x00"))

    def unbind(self) -> None:
        """Say goodbye, and end."""
        if self.bound:
            self._request(Command.UNBIND)
        self._end(None, "unbound")

    # PDUs.

    def _next(self) -> Pdu | None:
        if self._closed or len(self._buffer) < HEADER.size:
            return None
        length, command, status, sequence = HEADER.unpack_from(self._buffer)
        if not HEADER.size <= length <= LONGEST_PDU_BYTES:
            self._send(Pdu(Command.GENERIC_NACK, Status.INVALID_LENGTH, sequence))
            self._events.append(PduRefused(f"a PDU of {length} octets"))
            self._end(f"a PDU of {length} octets")
            return None
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[HEADER.size : length])
        del self._buffer[:length]
        return Pdu(command, status, sequence, body)

    def _take(self, pdu: Pdu) -> None:
        command = pdu.command
        if command == Command.GENERIC_NACK:
            self._on_nack(pdu)
        elif command == Command.BIND_TRANSCEIVER | RESPONSE:
            self._on_bound(pdu)
        elif not self._bound:
            self._out_of_turn(pdu)
        elif command == Command.SUBMIT_SM | RESPONSE:
            self._on_submitted(pdu, read_string(pdu.body))
        elif command in _DELIVERS:
            self._on_delivered(pdu)
        elif command == Command.ENQUIRE_LINK:
            self._send(Pdu(Command.ENQUIRE_LINK | RESPONSE, Status.OK, pdu.sequence))
        elif command == Command.ENQUIRE_LINK | RESPONSE:
            self._events.append(Alive())
        elif command == Command.UNBIND:
            self._send(Pdu(Command.UNBIND | RESPONSE, Status.OK, pdu.sequence))
            self._end("the other side unbound")
        elif command != Command.ALERT_NOTIFICATION:
            self._out_of_turn(pdu)

    def _on_bound(self, pdu: Pdu) -> None:
        if self._bound or self._bind_by is None:
            return
        self._bind_by = None
        if pdu.status:
            self._end(f"bind refused: {status_words(pdu.status)}")
            return
        self._bound = True
        self._events.append(Bound(read_string(pdu.body, 16)))

    def _on_nack(self, pdu: Pdu) -> None:
        """It did not understand what we sent."""
        if pdu.sequence in self._sent:
            self._on_submitted(pdu, "")
        elif self._bind_by is not None:
            self._end(f"bind refused: {status_words(pdu.status)}")

    def _on_submitted(self, pdu: Pdu, message_id: str) -> None:
        token, _ = self._sent.pop(pdu.sequence, ("", 0))
        if token:
            self._events.append(Submitted(token, pdu.status, message_id))

    def _on_delivered(self, pdu: Pdu) -> None:
        ticket = (pdu.command, pdu.sequence)
        delivery = read_delivery(pdu.command, pdu.body)
        if delivery is None:
            # For ever: the same again could not be read either.
            self._send(Pdu(pdu.command | RESPONSE, Status.REJECTED, pdu.sequence, b"\x00"))
            self._events.append(PduRefused("a delivery that cannot be read"))
        elif ticket not in self._unanswered:
            self._unanswered.add(ticket)
            self._events.append(Arrived(ticket, delivery))

    def _out_of_turn(self, pdu: Pdu) -> None:
        if pdu.command & RESPONSE:
            return
        self._send(Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, pdu.sequence))
        self._events.append(PduRefused(f"command 0x{pdu.command:X} is not expected"))

    def _request(self, command: int, body: bytes = b"") -> int:
        self._sequence = self._sequence % _LAST_SEQUENCE + 1
        self._send(Pdu(command, Status.OK, self._sequence, body))
        return self._sequence

    def _send(self, pdu: Pdu) -> None:
        self._out += encode(pdu)

    def _end(self, error: str | None, lost: str | None = None) -> None:
        if self._closed:
            return
        self._closed, self._error = True, error
        self._buffer.clear()
        self._events += [
            SubmitLost(token, lost or error or "the connection is over") for token, _ in self._sent.values()
        ]
        self._sent.clear()
        self._unanswered.clear()
