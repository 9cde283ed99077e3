"""A behaving MQTT broker (3.1.1 and 5, QoS 0 and 1) for tests that need to see and to spoil what it does.

It keeps sessions and retained messages in memory, redelivers what was not acknowledged, and can be told to
fall silent, to drop connections and to refuse. Written from the standard; it shares no code with the hub but
the matching of topic filters. Where a real broker will do, use `tests.support.mosquitto`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from protocols.mqtt_topics import matches

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1,
    2,
    3,
    4,
    8,
    9,
    12,
    13,
    14,
)


@dataclass
class Session:
    """What the broker keeps for one client id."""

    filters: dict[str, int] = field(default_factory=dict)
    unacked: dict[int, tuple[str, bytes, bool]] = field(default_factory=dict)
    last_mid: int = 0
    five: bool = False
    writer: asyncio.StreamWriter | None = None


class FakeBroker:
    """Start it, publish on it, and look at what the client did."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self.published: list[tuple[str, bytes, bool]] = []
        self.acknowledged: list[bytes] = []
        self.connects: list[bytes] = []
        self.goodbyes = 0
        self.refuse_connect = 0
        self.refused_filters: set[str] = set()
        self.silent = False
        self.takes_publications = True
        self.port = 0
        self._server: asyncio.Server | None = None
        self._wills: dict[asyncio.StreamWriter, tuple[str, bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Every connection is cut, without a word."""
        for session in self.sessions.values():
            if session.writer is not None:
                session.writer.transport.abort()
                session.writer = None

    @property
    def connected(self) -> bool:
        return any(session.writer is not None for session in self.sessions.values())

    def publish(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Somebody publishes this; every session that asked gets it, now or later."""
        body = payload.encode() if isinstance(payload, str) else payload
        if retain:
            self._retain(topic, body)
        for session in self.sessions.values():
            granted = [q for wanted, q in session.filters.items() if matches(wanted, topic)]
            if granted:
                self._deliver(session, topic, body, min(qos, max(granted)), retained=False)

    def _retain(self, topic: str, body: bytes) -> None:
        if body:
            self.retained[topic] = body
        else:
            self.retained.pop(topic, None)

    def _deliver(self, session: Session, topic: str, body: bytes, qos: int, *, retained: bool) -> None:
        mid = 0
        if qos:
            mid = session.last_mid = session.last_mid % 65_535 + 1
            session.unacked[mid] = (topic, body, retained)
        self._send(session, topic, body, mid, retained=retained, again=False)

    def _send(
        self, session: Session, topic: str, body: bytes, mid: int, *, retained: bool, again: bool
    ) -> None:
        if session.writer is None:
            return
        name = topic.encode()
        packet = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"")
        flags = (again << 3) | (bool(mid) << 1) | retained
        self._write(session.writer, PUBLISH, packet + (b"\0" if session.five else b"") + body, flags)

    def _write(self, writer: asyncio.StreamWriter, kind: int, body: bytes, flags: int = 0) -> None:
        if not self.silent:
            writer.write(bytes([kind << 4 | flags]) + _length(len(body)) + body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session: Session | None = None
        try:
            while True:
                head = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _read_length(reader))
                if head >> 4 == DISCONNECT:
                    self.goodbyes += 1
                    self._wills.pop(writer, None)
                    break
                session = self._packet(head, body, session, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if session is not None and session.writer is writer:
                session.writer = None
            will = self._wills.pop(writer, None)
            if will is not None:
                self.publish(*will, retain=True)
            writer.close()
            self._tasks.discard(task)

    def _packet(
        self, head: int, body: bytes, session: Session | None, writer: asyncio.StreamWriter
    ) -> Session | None:
        kind = head >> 4
        if kind == CONNECT:
            return self._connect(body, writer)
        assert session is not None
        if kind == SUBSCRIBE:
            self._subscribe(body, session, writer)
        elif kind == PUBLISH:
            self._take(head, body, session, writer)
        elif kind == PUBACK:
            taken = session.unacked.pop(int.from_bytes(body[:2], "big"), None)
            if taken is not None:
                self.acknowledged.append(taken[1])
        elif kind == PINGREQ:
            self._write(writer, PINGRESP, b"")
        return session

    def _connect(self, body: bytes, writer: asyncio.StreamWriter) -> Session | None:
        self.connects.append(body)
        at = 2 + int.from_bytes(body[:2], "big")
        five, flags, at = body[at] == 5, body[at + 1], at + 4
        if five:
            at += 1 + body[at]
        client, at = _string(body, at)
        if flags & 4:
            if five:
                at += 1 + body[at]
            topic, at = _string(body, at)
            will, at = _string(body, at)
            self._wills[writer] = (topic.decode(), will)
        present = client.decode() in self.sessions
        session = self.sessions.setdefault(client.decode(), Session())
        session.five, session.writer = five, writer
        code = self.refuse_connect
        self._write(writer, CONNACK, bytes([present and not code, code]) + (b"\0" if five else b""))
        for mid, (topic_, payload, retained) in list(session.unacked.items()):
            self._send(session, topic_, payload, mid, retained=retained, again=True)
        return session

    def _subscribe(self, body: bytes, session: Session, writer: asyncio.StreamWriter) -> None:
        at = 2 + (1 + body[2] if session.five else 0)
        codes, asked = b"", []
        while at < len(body):
            wanted, at = _string(body, at)
            qos, at = body[at] & 3, at + 1
            refused = wanted.decode() in self.refused_filters
            codes += bytes([0x80 if refused else qos])
            if not refused:
                session.filters[wanted.decode()] = qos
                asked.append((wanted.decode(), qos))
        self._write(writer, SUBACK, body[:2] + (b"\0" if session.five else b"") + codes)
        for wanted_, qos in asked:
            for topic, payload in self.retained.items():
                if matches(wanted_, topic):
                    self._deliver(session, topic, payload, qos, retained=True)

    def _take(self, head: int, body: bytes, session: Session, writer: asyncio.StreamWriter) -> None:
        topic, at = _string(body, 0)
        mid, at = body[at : at + 2], at + 2
        if session.five:
            at += 1 + body[at]
        if not self.takes_publications:
            return
        payload, retain = body[at:], bool(head & 1)
        self.published.append((topic.decode(), payload, retain))
        if retain:
            self._retain(topic.decode(), payload)
        self._write(writer, PUBACK, mid)


def _length(number: int) -> bytes:
    encoded = b""
    while True:
        number, rest = divmod(number, 128)
        encoded += bytes([rest | (0x80 if number else 0)])
        if not number:
            return encoded


async def _read_length(reader: asyncio.StreamReader) -> int:
    number, scale = 0, 1
    while True:
        byte = (await reader.readexactly(1))[0]
        number += (byte & 127) * scale
        scale *= 128
        if not byte & 128:
            return number


def _string(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end], end
