"""Push providers that take everything and note when: APNs, FCM and Web Push on one loopback port each.

A program of its own (`python -m load.providers`), so that neither hub nor generator pays for it. What stands
in a request is kept as it came and read when the run is over. It speaks HTTP/2 to who begins so, HTTP/1.1 to
others, hands out OAuth tokens, and checks no credentials: whether a push is right is for tests, here it
counts when it came.

    GET /taken    what came since the last time, as JSON lines: [monotonic ns, path, alarm id or "", and where
                  there is none to be read, the body in base64]
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from functools import partial
from typing import Final, cast

import click
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

PREFACE: Final = b"PRI * HTTP/2.0"
STREAMS: Final = 1000
WINDOW_BYTES: Final = 65_535
HEAD_MOST: Final = 32_768
_ALARM: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.I)
_TOKEN: Final = json.dumps({"access_token": "load", "token_type": "Bearer", "expires_in": 3600}).encode()

Taken = tuple[int, str, bytes]


class Records:
    """What came: when, to which path, and its body."""

    def __init__(self) -> None:
        self._taken: list[Taken] = []

    def answer(self, at_ns: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body for one request."""
        if method == "GET" and path == "/taken":
            return 200, self._told()
        if method == "GET":
            return 200, b"{}"
        if path.endswith("/token"):
            return 200, _TOKEN
        self._taken.append((at_ns, path, body))
        if "/messages:send" in path:
            return 200, b'{"name":"projects/load/messages/1"}'
        return (200, b"") if path.startswith("/3/device/") else (201, b"")

    def _told(self) -> bytes:
        taken, self._taken = self._taken, []
        return "\n".join(json.dumps([at, path, *_readable(body)]) for at, path, body in taken).encode()


def _readable(body: bytes) -> tuple[str, str]:
    found = _ALARM.search(body)
    return (found[0].decode(), "") if found else ("", base64.b64encode(body).decode())


class _Connection(asyncio.Protocol):
    """One connection of the hub; which HTTP it speaks is known from its first bytes."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._transport: asyncio.Transport
        self._speaks: _Http1 | _Http2 | None = None
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        if self._speaks is None:
            self._first += data
            if len(self._first) < len(PREFACE) and PREFACE.startswith(self._first):
                return
            data, self._first = self._first, b""
            kind = _Http2 if data.startswith(PREFACE) else _Http1
            self._speaks = kind(self._records)
        out = self._speaks.receive(data, at_ns)
        if out:
            self._transport.write(out)
        if self._speaks.broken:
            self._transport.close()


class _Http2:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        own = {SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES}
        self._h2.local_settings = Settings(client=False, initial_values=own)
        self._h2.initiate_connection()
        self._open: dict[int, tuple[int, dict[str, str], bytearray]] = {}
        self.broken = False

    def receive(self, data: bytes, at_ns: int) -> bytes:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self.broken, events = True, []
        for event in events:
            self._take(event, at_ns)
        return self._h2.data_to_send()

    def _take(self, event: Event, at_ns: int) -> None:
        if isinstance(event, RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self._open[event.stream_id] = (at_ns, headers, bytearray())
        elif isinstance(event, DataReceived):
            self._open[event.stream_id][2].extend(event.data)
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            began_ns, headers, body = self._open.pop(event.stream_id)
            status, answer = self._records.answer(began_ns, headers[":method"], headers[":path"], bytes(body))
            self._h2.send_headers(event.stream_id, [(":status", str(status))], end_stream=not answer)
            if answer:
                self._h2.send_data(event.stream_id, answer, end_stream=True)


class _Http1:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._unread = b""
        self._began_ns = 0
        self.broken = False

    def receive(self, data: bytes, at_ns: int) -> bytes:
        self._began_ns = self._began_ns or at_ns
        self._unread += data
        out = b""
        while (parsed := self._request()) is not None:
            status, answer = self._records.answer(self._began_ns, *parsed)
            self._began_ns = at_ns if self._unread else 0
            out += b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                status, len(answer), answer,
            )  # fmt: skip
        return out

    def _request(self) -> tuple[str, str, bytes] | None:
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            self.broken = len(self._unread) > HEAD_MOST
            return None
        head, rest = self._unread[:end], self._unread[end + 4 :]
        if _CHUNKED.search(head):
            body, used = _dechunked(rest)
        else:
            found = _LENGTH.search(head)
            used = int(found[1]) if found else 0
            body = rest[:used] if len(rest) >= used else None
        if body is None:
            return None
        self._unread = rest[used:]
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        return method, path, body


def _dechunked(data: bytes) -> tuple[bytes | None, int]:
    """A whole chunked body and how long it was; None while it is incomplete."""
    body, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].split(b";")[0], 16)
        begin = end + 2
        if len(data) < begin + size + 2:
            break
        body, at = body + data[begin : begin + size], begin + size + 2
        if not size:
            return body, at
    return None, 0


async def serve(ports: list[int]) -> None:
    """One set of records for each port, for ever."""
    loop = asyncio.get_running_loop()
    servers = []
    for port in ports:
        servers.append(await loop.create_server(partial(_Connection, Records()), "127.0.0.1", port))
    await asyncio.Event().wait()


@click.command()
@click.argument("ports", type=int, nargs=-1, required=True)
def main(ports: tuple[int, ...]) -> None:
    """Take pushes on these loopback PORTS until told to stop."""
    import uvloop

    uvloop.run(serve(list(ports)))


if __name__ == "__main__":
    main()
