"""The source: sends each signal at its intended time, whatever the hub is doing.

A few keep-alive connections and a minimal HTTP/1.1 client on the reactor. A request never waits for the
answer to another: a free connection is taken, and if none is free one more is opened (up to a bound;
beyond it, requests queue on the connection with the least before them, as a real source would pipeline).
It understands Content-Length answers only and refuses everything else as a fault.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter, deque
from collections.abc import Callable

from load.reactor import READ, WRITE, Reactor, now_ns

Answer = Callable[[int, bytes, int], None]
"""Called with (status, body, monotonic ns of receipt); status 0 if the connection broke first."""

FEW = 8
MOST = 512


class _Connection:
    __slots__ = ("fd", "incoming", "outgoing", "sock", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.incoming = b""
        self.outgoing = b""
        self.waiting: deque[Answer] = deque()


class Sender:
    """HTTP connections to one address. `counts` tells of opened connections and faults."""

    def __init__(self, reactor: Reactor, host: str, port: int, secret: str) -> None:
        self._reactor = reactor
        self._address = (host, port)
        self._head = (
            f"Host: {host}:{port}\r\nAuthorization: Bearer {secret}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self.counts: Counter[str] = Counter()

    def open(self, connections: int = FEW) -> None:
        """Opens the first connections ahead of time, so that no alarm pays for a handshake."""
        for _ in range(connections):
            self._idle.append(self._connect())

    def post(self, path: bytes, body: bytes, answer: Answer) -> None:
        """Sends one POST now and calls `answer` when its response is there."""
        request = (
            b"POST " + path + b" HTTP/1.1\r\n" + self._head + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        connection = self._pick()
        connection.waiting.append(answer)
        self._send(connection, request)

    @property
    def in_flight(self) -> int:
        """Requests without an answer so far."""
        return sum(len(connection.waiting) for connection in self._all)

    def close(self) -> None:
        """Closes all connections; answers still awaited are not called."""
        for connection in tuple(self._all):
            connection.waiting.clear()
            self._drop(connection)

    def _pick(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection in self._all:
                return connection
        if len(self._all) < MOST:
            return self._connect()
        self.counts["pipelined"] += 1
        return min(self._all, key=lambda one: len(one.waiting))

    def _connect(self) -> _Connection:
        # Loopback: connects at once, or the listener's backlog is full and the kernel retries for us.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        try:
            sock.connect(self._address)
        except BlockingIOError:
            pass
        connection = _Connection(sock)
        self._all.add(connection)
        self.counts["connections"] += 1
        self._reactor.watch(sock.fileno(), lambda events: self._ready(connection, events))
        return connection

    def _send(self, connection: _Connection, data: bytes) -> None:
        if connection.outgoing:
            connection.outgoing += data
            return
        try:
            sent = connection.sock.send(data)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOTCONN):
                self._drop(connection)
                return
            sent = 0
        if sent < len(data):
            connection.outgoing = data[sent:]
            self._reactor.change(connection.fd, READ | WRITE)

    def _ready(self, connection: _Connection, events: int) -> None:
        if connection.outgoing and events & WRITE:
            data, connection.outgoing = connection.outgoing, b""
            self._reactor.change(connection.fd, READ)
            self._send(connection, data)
        if not events & ~WRITE:
            return
        try:
            data = connection.sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._receive(connection, data, now_ns())
        else:
            self._drop(connection)

    def _receive(self, connection: _Connection, data: bytes, at_ns: int) -> None:
        data = connection.incoming + data if connection.incoming else data
        while data:
            parsed = parse_response(data)
            if parsed is None:
                break
            status, body, used = parsed
            data = data[used:]
            if status == 0 or not connection.waiting:
                self.counts["http_faults"] += 1
                self._drop(connection)
                return
            if status >= 200:
                connection.waiting.popleft()(status, body, at_ns)
        connection.incoming = data
        if not connection.waiting and connection in self._all:
            self._idle.append(connection)

    def _drop(self, connection: _Connection) -> None:
        if connection not in self._all:
            return
        self._all.discard(connection)
        self._reactor.forget(connection.fd)
        connection.sock.close()
        if connection.waiting:
            self.counts["broken_with_requests"] += 1
        at_ns = now_ns()
        while connection.waiting:
            connection.waiting.popleft()(0, b"", at_ns)


def parse_response(data: bytes) -> tuple[int, bytes, int] | None:
    """(status, body, bytes used) of the first whole response in `data`; None while it is incomplete.

    Status 0 means: not an HTTP/1.1 response with a Content-Length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None if len(data) < 65_536 else (0, b"", len(data))
    if not data.startswith(b"HTTP/1.1 ") or not data[9:12].isdigit():
        return 0, b"", len(data)
    status = int(data[9:12])
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return (status, b"", end + 4) if status < 200 or status == 204 else (0, b"", len(data))
    length = head[at + 17 :].split(b"\r\n", 1)[0].strip()
    if not length.isdigit():
        return 0, b"", len(data)
    stop = end + 4 + int(length)
    return None if len(data) < stop else (status, data[end + 4 : stop], stop)
