"""A phone gateway and an HTTP server on the load generator's own loop, that say what a test tells them.

They know just enough of the handshakes to be connected to; every frame and answer comes from the test.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from load import wsframes
from load.reactor import Reactor

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class RawServer:
    """Accepts on loopback and hands each connection's bytes to `heard`."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.port = int(self.listener.getsockname()[1])
        self.connections: list[socket.socket] = []
        self.buffers: dict[int, bytes] = {}
        reactor.watch(self.listener.fileno(), self._accept)

    def close(self) -> None:
        self.reactor.forget(self.listener.fileno())
        self.listener.close()
        for connection in self.connections:
            if connection.fileno() >= 0:
                self.reactor.forget(connection.fileno())
                connection.close()

    def _accept(self, events: int) -> None:
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        number = len(self.connections)
        self.connections.append(connection)
        self.buffers[number] = b""
        self.reactor.watch(connection.fileno(), lambda _: self._read(number))

    def _read(self, number: int) -> None:
        connection = self.connections[number]
        try:
            data = connection.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self.reactor.forget(connection.fileno())
            connection.close()
            return
        self.buffers[number] += data
        self.heard(number)

    def heard(self, number: int) -> None:
        raise NotImplementedError


class RawGateway(RawServer):
    """Welcomes and syncs every phone; `said` holds the frames of each, `send` sends one of ours."""

    def __init__(self, reactor: Reactor, beat_every_s: float = 60) -> None:
        super().__init__(reactor)
        self.beat_every_s = beat_every_s
        self.upgraded: set[int] = set()
        self.said: dict[int, list[dict[str, Any]]] = {}
        self.controls: list[tuple[int, bytes]] = []

    def send(self, number: int, **frame: Any) -> None:
        self.connections[number].sendall(wsframes.server_frame(json.dumps(frame).encode()))

    def heard(self, number: int) -> None:
        if number not in self.upgraded:
            if b"\r\n\r\n" not in self.buffers[number]:
                return
            self.buffers[number] = self.buffers[number].partition(b"\r\n\r\n")[2]
            self.upgraded.add(number)
            self.connections[number].sendall(SWITCH)
        while (frame := self._next(number)) is not None:
            opcode, payload = frame
            if opcode != wsframes.TEXT:
                self.controls.append((opcode, payload))
                continue
            said = json.loads(payload)
            self.said.setdefault(number, []).append(said)
            if said["type"] == "hello":
                self.send(number, type="welcome", staff="s", beat_every=self.beat_every_s, at=0)
                self.send(number, type="synced")

    def _next(self, number: int) -> tuple[int, bytes] | None:
        data = self.buffers[number]
        if len(data) < 6:
            return None
        size, head = data[1] & 0x7F, 2
        if size == 126:
            size, head = int.from_bytes(data[2:4], "big"), 4
        stop = head + 4 + size
        if len(data) < stop:
            return None
        assert data[1] & 0x80, "a phone must mask"
        assert data[head : head + 4] == b"\0\0\0\0", "the test's gateway unmasks nothing"
        self.buffers[number] = data[stop:]
        return data[0] & 0x0F, data[head + 4 : stop]


class RawHttp(RawServer):
    """Keeps whole requests in `requests` as (connection, head, body); answers only when told, or at once."""

    def __init__(self, reactor: Reactor, answer: bytes | None = None) -> None:
        super().__init__(reactor)
        self.requests: list[tuple[int, bytes, bytes]] = []
        self.answer = answer

    def heard(self, number: int) -> None:
        while b"\r\n\r\n" in self.buffers[number]:
            head, _, rest = self.buffers[number].partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.requests.append((number, head, rest[:length]))
            self.buffers[number] = rest[length:]
            if self.answer is not None:
                self.reply(number, self.answer)

    def reply(self, number: int, body: bytes, status: int = 201) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.connections[number].sendall(head.encode() + body)
