"""Apple's push service as it is on a bad day: HTTP/2 on a real socket, each fault as the test says.

`answer` decides what each request gets; a connection may besides be deaf (reads nothing more, PING included),
which is what a half-open one looks like from the other side. What was asked is counted, and the newest kept.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

KEPT = 200


@dataclass
class Asked:
    """One request. `connection`: its number, from 0; `stream`: its id there."""

    connection: int
    stream: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def device_token(self) -> str:
        return self.headers[":path"].rpartition("/")[2]

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """An ordinary answer, after `after_s`. `padding`: so many bytes more in the body."""

    status: int = 200
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    timestamp: int | None = None
    after_s: float = 0.0
    padding: int = 0
    raw: bytes = b""

    def body(self) -> bytes:
        if self.raw or not self.reason:
            return self.raw
        said: dict[str, Any] = {"reason": self.reason}
        if self.timestamp is not None:
            said["timestamp"] = self.timestamp
        return json.dumps(said).encode() + b" " * self.padding


@dataclass
class Reset:
    """RST_STREAM."""

    code: ErrorCodes = ErrorCodes.INTERNAL_ERROR


@dataclass
class GoAway:
    """GOAWAY that spares this stream and all before it (`spares`), or none after `last`; then the spared are
    answered."""

    spares: bool = False
    last: int | None = None


class Silence:
    """No answer to this request, ever."""


class Deaf:
    """Nothing more is heard or answered on this connection, as if a cable were pulled."""


class HangUp:
    """The connection is cut."""


Fate = Answer | Reset | GoAway | Silence | Deaf | HangUp


class _Streams(H2Connection):
    MAX_CLOSED_STREAMS = 1_024  # it shares its process with what is measured


class _Connection(asyncio.Protocol):
    def __init__(self, server: ApnsServer) -> None:
        self._server = server
        self._h2 = _Streams(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asked: dict[int, Asked] = {}
        self._unsent: dict[int, bytes] = {}
        self.number = -1
        self.is_deaf = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self.number = self._server.opened
        self._server.opened += 1
        self._server.open.add(self)
        if self._server.greets:
            self._h2.local_settings = Settings(client=False, initial_values=self._server.settings)
            self._h2.initiate_connection()
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self)

    def data_received(self, data: bytes) -> None:
        if self.is_deaf or not self._server.greets:
            return
        try:
            taken = self._h2.receive_data(data)
        except ProtocolError as exc:
            self._server.faults.append(repr(exc))
            self._flush()
            return
        for event in taken:
            if self.is_deaf:
                return
            self._take(event)
        self._flush()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                self._asked[event.stream_id] = Asked(self.number, event.stream_id, headers)
                self._server.most_streams = max(self._server.most_streams, len(self._asked))
            case events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._asked[event.stream_id].body += event.data
            case events.StreamEnded():
                self._server.take(self, self._asked[event.stream_id])
            case events.StreamReset():
                self._asked.pop(event.stream_id, None)
                self._unsent.pop(event.stream_id, None)
                self._server.resets += 1
            case events.WindowUpdated():
                for stream in list(self._unsent):
                    self._pump(stream)
            case events.PingReceived():
                self._server.pings += 1

    def give(self, asked: Asked, fate: Fate) -> None:
        match fate:
            case Answer() if fate.after_s:
                asyncio.get_running_loop().call_later(fate.after_s, self._answer, asked.stream, fate)
            case Answer():
                self._answer(asked.stream, fate)
            case Reset():
                self._asked.pop(asked.stream, None)
                self._h2.reset_stream(asked.stream, fate.code)
            case GoAway():
                last = (
                    fate.last if fate.last is not None else asked.stream if fate.spares else asked.stream - 2
                )
                self.go_away(max(0, last))
            case Deaf():
                self.is_deaf = True
            case HangUp():
                self.transport.abort()
            case Silence():
                pass
        self._flush()

    def go_away(self, last: int) -> None:
        """GOAWAY in one packet with the answers to the streams that it spares."""
        from hyperframe.frame import GoAwayFrame

        self.transport.write(self._h2.data_to_send() + GoAwayFrame(0, last_stream_id=last).serialize())
        for stream in sorted(self._asked):
            if stream <= last:
                self._answer(stream, Answer())

    def _answer(self, stream: int, answer: Answer) -> None:
        if self._asked.pop(stream, None) is None or self.is_deaf or stream not in self._h2.streams:
            return
        body = answer.body()
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        self._h2.send_headers(stream, headers, end_stream=not body)
        if body:
            self._unsent[stream] = body
            self._pump(stream)
        self._flush()

    def _pump(self, stream: int) -> None:
        body = self._unsent.pop(stream)
        while body:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._unsent[stream] = body
                return
            part, body = body[:room], body[room:]
            self._h2.send_data(stream, part, end_stream=not body)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self.transport is not None and not self.transport.is_closing() and not self.is_deaf:
            self.transport.write(data)


class ApnsServer:
    """The service. `fate`: what a request gets; `asked`: the newest ones; `counted`: all, by device token."""

    def __init__(self) -> None:
        self.fate: Callable[[Asked], Fate] = lambda asked: Answer()
        self.asked: deque[Asked] = deque(maxlen=KEPT)
        self.counted: Counter[str] = Counter()
        self.open: set[_Connection] = set()
        self.opened = self.pings = self.resets = self.most_streams = 0
        self.faults: list[str] = []
        self.greets = True
        self.settings: dict[SettingCodes, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: 1000}
        self.url = ""

    def take(self, connection: _Connection, asked: Asked) -> None:
        self.asked.append(asked)
        self.counted[asked.device_token] += 1
        connection.give(asked, self.fate(asked))


@asynccontextmanager
async def apns_server(tls: ssl.SSLContext | None = None, *, port: int = 0) -> AsyncIterator[ApnsServer]:
    """On this machine, by default on a free port; `tls` with ALPN h2 set."""
    server = ApnsServer()
    listening = await asyncio.get_running_loop().create_server(
        lambda: _Connection(server), "127.0.0.1", port, ssl=tls
    )
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        for connection in list(server.open):
            connection.transport.abort()
        await listening.wait_closed()
