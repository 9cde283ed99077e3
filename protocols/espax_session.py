"""ESPA-X 1.00, the conversation: one client's connection to the system that pages.

`PagingServer` is a stream codec (`protocols.codec`). It answers what needs nobody else (heartbeat, condition,
parameters, logout), turns login, start, stop and status requests into events, and sends what its owner says.

    CONNECTED ── REQ.LOGIN ─▶ ASKED ── admit ─▶ OPEN ── REQ.LOGOUT, silence, shutdown ─▶ closed
        ▲                       └───── deny ──────┐
        └─────────────────────────────────────────┘

Before the login everything but REQ.LOGIN gets 407, another session's number 401 (none at all is forgiven: the
connection is logged in). An unknown request gets IND.ERROR 501, a message only servers send 405, no XML 601,
no ESPA-X 602; a header that is none 600 and the end. An error or an answer is never answered, so that two
machines cannot talk to each other for ever.

It refuses to check a password, to make session numbers, to know a clock (its owner gives it timestamps), and
to start anything: RSP.P-START 200 is the owner's, after its commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec import Struct

from protocols.espax import HEADER_BYTES, MAX_INVOKE, MAX_MESSAGE_BYTES, Frame, FrameReader, frame
from protocols.espax_document import INVALID, Message, Unreadable, build, parse
from protocols.espax_events import (
    EspaxEvent,
    Heard,
    LoggedOut,
    LoginAsked,
    MessageRefused,
    SessionLapsed,
    StartAsked,
    StatusAsked,
    StopAsked,
)
from protocols.espax_rules import ELEMENTS, MAX_UINT64, PROPRIETARY, REASONS

INVALID_HEADER: Final = 600
MAX_WAITING: Final = 16
"""Requests unanswered at once; what comes beyond is read when one is answered."""
MAX_HELD_BYTES: Final = 2 * MAX_MESSAGE_BYTES
FAULTS_ALLOWED: Final = 20
"""So many refused messages in a row end the conversation."""
NO_SESSION: Final = "0"
"""The schema demands a sessionID in every answer, also where there is no session."""


class Server(Struct, frozen=True):
    """How the server presents itself, and how long it waits (ms)."""

    name: str = "Alarmhub"
    software: str = "Alarmhub"
    login_within_ms: int = 10_000
    session_limit_ms: int = 60_000


class State(Enum):
    """Where the conversation stands (picture in the module docstring)."""

    CONNECTED = 0
    ASKED = 1
    OPEN = 2


class _Request(Struct, frozen=True):
    """What an answer needs of its request."""

    element: str
    invoke: int
    session_id: str
    ref: str


class PagingServer:
    """The server side of one connection. All `now` are integer ms. `stamp` writes such an instant as local
    time, `YYYY-MM-DDThh:mm:ss`; `condition` says S-HEALTH and S-LOAD when the client asks."""

    def __init__(
        self,
        server: Server,
        *,
        stamp: Callable[[int], str],
        now: int,
        condition: Callable[[], tuple[str, str]] = lambda: ("OK", "Normal"),
    ) -> None:
        self.server = server
        self.session_id = ""
        self._stamp, self._condition = stamp, condition
        self._state = State.CONNECTED
        self._due = now + server.login_within_ms
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._held_bytes = 0
        self._events: list[EspaxEvent] = []
        self._out = bytearray()
        self._waiting: dict[int, _Request] = {}
        self._token = 0
        self._said = 0  # invoke number of the last indication
        self._faults = 0
        self._leaving: _Request | None = None
        self._closed = False
        self._error: str | None = None

    # The codec interface.

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes in any split."""
        if self._closed or self._leaving is not None:
            return
        for got in self._reader.feed(data):
            self._frames.append(got)
            self._held_bytes += len(got.document) + HEADER_BYTES
        self._pump(now)
        if self._held_bytes > MAX_HELD_BYTES:
            self._end("sends on without waiting for answers")

    def receive_eof(self, now: int) -> None:
        """The connection is gone. Calls of a logged-in client that were read are still handed out."""
        if self._closed:
            return
        while self._frames and self._state is State.OPEN and self._leaving is None and not self._closed:
            self._next(now)
        self._end("a message was cut off" if self._reader.pending and not self._closed else None)

    def handle_timer(self, now: int) -> None:
        """No login in time, or a client that has fallen silent: the end."""
        if self._closed or now < self._due:
            return
        if self._state is not State.OPEN:
            self._end("no login in time")
            return
        if self._blocked():
            # What it says now is not read: that is no silence of its own.
            self._due = now + self.server.session_limit_ms
            return
        self._events.append(SessionLapsed(self.server.session_limit_ms))
        self.shut_down("Unspecified", "Immediate", now)
        self._error = "no heartbeat"

    def events_received(self) -> list[EspaxEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """What to write since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timer(self) -> int | None:
        """When the client must have logged in, or have said something."""
        return None if self._closed else self._due

    @property
    def wants_data(self) -> bool:
        """False while a login or too many requests wait for their answers."""
        return not self._closed and self._leaving is None and not self._frames and not self._blocked()

    @property
    def closed(self) -> bool:
        """The conversation is over."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Why it was ended from this side."""
        return self._error

    @property
    def open(self) -> bool:
        """Whether a client is logged in."""
        return self._state is State.OPEN and not self._closed

    # What the owner says.

    def admit(self, token: int, session_id: str, now: int) -> None:
        """The login is good: the session begins. `session_id`: 1 to 32 characters."""
        request = self._waiting.pop(token, None)
        if request is None or self._closed:
            return
        self._state, self.session_id = State.OPEN, session_id
        self._due = now + self.server.session_limit_ms
        self._respond(request, 200, now, info="welcome")
        self._pump(now)

    def deny(self, token: int, code: int, info: str, now: int) -> None:
        """The login is not good: 401 for good, 503 for now. The client may try again until its time is up."""
        request = self._waiting.pop(token, None)
        if request is None or self._closed:
            return
        self._state, self.session_id = State.CONNECTED, ""
        self._due = now + self.server.login_within_ms
        self._respond(request, code, now, info=info)
        self._pump(now)

    def answer_start(self, token: int, code: int, tan: int, now: int, *, info: str | None = None) -> None:
        """RSP.P-START: 200 or 450 with the process's number, anything else with 0."""
        self._answer(token, code, now, info=info, more={"SP-PR-TAN": str(tan & MAX_UINT64)})

    def answer(self, token: int, code: int, now: int, *, info: str | None = None) -> None:
        """RSP.P-STOP or RSP.P-GETSTAT."""
        self._answer(token, code, now, info=info)

    def tell(self, element: str, fields: dict[str, str | None], now: int) -> bool:
        """Send an indication (IND.*); False when nobody is logged in to hear it."""
        if not self.open:
            return False
        self._send(element, fields, now, session_id=self.session_id)
        return True

    def shut_down(self, reason: str, mode: str, now: int) -> None:
        """CMD.SHUTDOWN to a logged-in client, and the end."""
        self.tell("CMD.SHUTDOWN", {"SD-REASON": reason, "SD-MODE": mode}, now)
        self._end(None)

    # Reading.

    def _blocked(self) -> bool:
        return self._state is State.ASKED or len(self._waiting) >= MAX_WAITING

    def _pump(self, now: int) -> None:
        while not self._closed and self._leaving is None and not self._blocked():
            if self._frames:
                self._next(now)
                continue
            if self._reader.fault is not None and not self._waiting:
                self._refuse(INVALID_HEADER, self._reader.fault, now)
                self._end(self._reader.fault)
            return

    def _next(self, now: int) -> None:
        got = self._frames.popleft()
        self._held_bytes -= len(got.document) + HEADER_BYTES
        message = parse(got.document)
        before = self._faults
        if isinstance(message, Unreadable):
            self._refuse(message.code, message.why, now)
        else:
            self._take(message, got.invoke, now)
        if self._faults == before:
            self._faults = 0
            if self._state is State.OPEN:
                self._due = now + self.server.session_limit_ms
        elif self._faults >= FAULTS_ALLOWED:
            self._end("too many messages that cannot be used")

    def _take(self, message: Message, invoke: int, now: int) -> None:
        element = message.element
        if element.startswith("RSP.") or element == "IND.ERROR":
            self._faults += 1
            self._events.append(MessageRefused(405, "an answer to nothing", element))
        elif element == PROPRIETARY:
            self._events.append(Heard(element))
        elif element not in ELEMENTS:
            code = 501 if element.startswith("REQ.") else INVALID
            self._refuse(code, f"{element[:40]} is not known", now, element)
        elif not element.startswith("REQ."):
            self._refuse(405, f"{element} is not for a server", now, element)
        else:
            said = message.invoke_id
            request = _Request(
                element,
                invoke if said is None else said,
                self.session_id or message.session_id or NO_SESSION,
                message.fields.get("CP-PR-REF", ""),
            )
            self._take_request(request, message, now)

    def _take_request(self, request: _Request, message: Message, now: int) -> None:
        fields = message.fields
        if request.element == "REQ.LOGIN":
            self._state = State.ASKED
            user, password = fields.get("LI-USER", ""), fields.get("LI-PASSWORD", "")
            client, software = fields.get("LI-CLIENT", ""), fields.get("LI-CLIENTSW", "")
            self._events.append(LoginAsked(self._wait(request), user, password, client, software))
            return
        if self._state is not State.OPEN:
            self._turn_away(request, 407, "log in first", now)
            return
        if message.session_id not in ("", self.session_id):
            self._turn_away(request, 401, "not this session", now)
            return
        match request.element:
            case "REQ.P-START":
                self._events.append(StartAsked(self._wait(request), fields))
            case "REQ.P-STOP":
                self._events.append(StopAsked(self._wait(request), *_named(fields)))
            case "REQ.P-GETSTAT":
                self._events.append(StatusAsked(self._wait(request), *_named(fields)))
            case "REQ.LOGOUT":
                self._events.append(LoggedOut(fields.get("LO-REASON", "")))
                self._leaving = request
                self._leave(now)
            case _:
                self._events.append(Heard(request.element))
                self._respond(request, 200, now)

    def _wait(self, request: _Request) -> int:
        self._token += 1
        self._waiting[self._token] = request
        return self._token

    # Writing.

    def _answer(
        self, token: int, code: int, now: int, *, info: str | None, more: dict[str, str | None] | None = None
    ) -> None:
        request = self._waiting.pop(token, None)
        if request is None or self._closed:
            return
        self._respond(request, code, now, info=info, more=more)
        self._leave(now)
        self._pump(now)

    def _leave(self, now: int) -> None:
        """A client that logs out still gets the answers it waits for."""
        if self._leaving is not None and not self._waiting:
            self._respond(self._leaving, 200, now, info="bye")
            self._end(None)

    def _turn_away(self, request: _Request, code: int, why: str, now: int) -> None:
        self._faults += 1
        self._events.append(MessageRefused(code, why, request.element))
        self._respond(request, code, now, info=why)

    def _refuse(self, code: int, why: str, now: int, element: str = "") -> None:
        self._faults += 1
        self._events.append(MessageRefused(code, why, element))
        fields = {"LI-SERVER": self.server.name, **_code(code), "RSP-INFO": why}
        self._send("IND.ERROR", fields, now)

    def _respond(
        self,
        request: _Request,
        code: int,
        now: int,
        *,
        info: str | None = None,
        more: dict[str, str | None] | None = None,
    ) -> None:
        fields: dict[str, str | None] = {**_code(code), "RSP-INFO": info, **(more or {})}
        match request.element:
            case "REQ.LOGIN":
                fields |= {"LI-SERVER": self.server.name, "LI-SERVERSW": self.server.software}
            case "REQ.S-CONDITION":
                health, load = self._condition()
                fields |= {"S-HEALTH": health, "S-HOTSTBY": "false", "S-LOAD": load}
            case "REQ.P-START":
                fields |= {"CP-PR-REF": request.ref, "S-LOAD": self._condition()[1] if code == 200 else None}
                fields.setdefault("SP-PR-TAN", "0")
        element = request.element.replace("REQ.", "RSP.")
        document = build(
            element,
            self._stamp(now),
            fields,
            invoke_id=request.invoke,
            session_id=self.session_id or request.session_id,
        )
        self._write(request.invoke, document)

    def _send(
        self, element: str, fields: dict[str, str | None], now: int, *, session_id: str | None = None
    ) -> None:
        self._said = self._said % MAX_INVOKE + 1
        self._write(self._said, build(element, self._stamp(now), fields, session_id=session_id))

    def _write(self, invoke: int, document: bytes) -> None:
        self._out += frame(invoke, document)

    def _end(self, error: str | None) -> None:
        if not self._closed:
            self._closed, self._error = True, error
            self._frames.clear()
            self._waiting.clear()
            self._held_bytes = 0


def _code(code: int) -> dict[str, str | None]:
    return {"RSP-CODE": str(code), "RSP-REASON": REASONS[code]}


def _named(fields: dict[str, str]) -> tuple[str, int | None, frozenset[str]]:
    said = fields.get("SP-PR-TAN", "")
    tan = int(said) if said.isascii() and said.isdigit() and len(said) <= 20 else None
    return fields.get("CP-PR-REF", ""), tan, frozenset(fields.get("CP-PR-MASK", "").split())
