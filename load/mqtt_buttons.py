"""Buttons and the MQTT broker in front of them: the hub connects to it, and its PUBACKs are timed.

A broker of its own (3.1.1 and 5, QoS 0 and 1), written from the OASIS standards; it shares no line with the
hub's reader or its library. It keeps sessions and retained messages in memory, delivers again what was not
acknowledged, and can be made silent, deaf or refusing. It is no broker for anything else: it trusts everybody
and checks little. Clauses are those of MQTT 5.0.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Final

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
REFUSED: Final = 0x80
LAST_ID: Final = 65_535


@dataclass(slots=True)
class _Message:
    topic: str
    payload: bytes
    retained: bool
    taken: asyncio.Future[None]


@dataclass(slots=True)
class Session:
    """What the broker keeps for one client id, connected or not."""

    filters: dict[str, int] = field(default_factory=dict)
    five: bool = False
    receive_maximum: int = LAST_ID
    unacked: dict[int, _Message] = field(default_factory=dict)
    waiting: deque[_Message] = field(default_factory=deque)
    last_id: int = 0
    writer: asyncio.StreamWriter | None = None


class ButtonBroker:
    """One broker. `async with ButtonBroker() as broker:` serves on a free port of this machine."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self.published: list[tuple[str, bytes, bool]] = []
        """What clients published: topic, payload, retain."""
        self.acknowledged: list[bytes] = []
        """Payloads in the order of their PUBACKs."""
        self.connects: list[bytes] = []
        """The bodies of the CONNECTs."""
        self.goodbyes = 0
        self.refuse_connect = 0
        """Answer CONNECT with this code."""
        self.refused_filters: set[str] = set()
        self.silent = False
        """Take everything and say nothing."""
        self.takes_publications = True
        """Whether what clients publish is taken and acknowledged."""
        self._server: asyncio.Server | None = None
        self._wills: dict[asyncio.StreamWriter, tuple[str, bytes]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ButtonBroker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Power on, with what was kept. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Power off: all connections break."""
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Every connection is cut, without a word."""
        for writer in self._writers:
            writer.transport.abort()
        for session in self.sessions.values():
            session.writer = None

    @property
    def connected(self) -> bool:
        """Whether any client is connected."""
        return any(session.writer is not None for session in self.sessions.values())

    # What buttons do.

    async def zigbee(self, name: str, action: str = "single", *, within_s: float = 10.0) -> float:
        """A press by way of Zigbee2MQTT; see `press`."""
        body = {"action": action, "battery": 97, "linkquality": 120}
        return await self.press(f"zigbee2mqtt/{name}", json.dumps(body), within_s=within_s)

    async def lorawan(self, eui: str, uplink: int, *, name: str = "", within_s: float = 10.0) -> float:
        """A press by way of ChirpStack; `uplink`: its number, unique per device. See `press`."""
        info = {"applicationName": "help-buttons", "deviceName": name or eui, "devEui": eui}
        body = {"deduplicationId": f"{eui}-{uplink}", "deviceInfo": info, "fCnt": uplink, "fPort": 2}
        body |= {"data": "AQ==", "object": {"button": 1}}
        topic = f"application/5c4b0f0e/device/{eui}/event/up"
        return await self.press(topic, json.dumps(body), within_s=within_s)

    async def press(self, topic: str, payload: str, *, within_s: float = 10.0) -> float:
        """Publish at QoS 1. Returns the seconds until the first PUBACK of a subscriber; raises TimeoutError
        when none came in time, the message is still kept, and LookupError when nobody had asked for it."""
        began, taken = monotonic(), self.publish(topic, payload)
        if not taken:
            raise LookupError(topic)
        async with asyncio.timeout(within_s):
            await asyncio.wait(taken, return_when=asyncio.FIRST_COMPLETED)
        return monotonic() - began

    def publish(
        self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False
    ) -> list[asyncio.Future[None]]:
        """Somebody publishes; every session that asked gets it, now or later. A future for each of them, done
        when it has acknowledged."""
        body = payload.encode() if isinstance(payload, str) else payload
        if retain:
            self._retain(topic, body)
        taken = []
        for session in self.sessions.values():
            granted = [most for wanted, most in session.filters.items() if fits(wanted, topic)]
            if granted:
                taken.append(self._hand(session, topic, body, min(qos, max(granted)), retained=False))
        return taken

    # To a subscriber.

    def _retain(self, topic: str, body: bytes) -> None:
        if body:
            self.retained[topic] = body
        else:
            self.retained.pop(topic, None)  # 3.3.1.3: an empty one clears

    def _hand(
        self, session: Session, topic: str, body: bytes, qos: int, *, retained: bool
    ) -> asyncio.Future[None]:
        message = _Message(topic, body, retained, asyncio.get_running_loop().create_future())
        if qos:
            session.waiting.append(message)
            self._next(session)
        else:
            self._send(session, message, 0)
        return message.taken

    def _next(self, session: Session) -> None:
        """4.9: no more in flight than the receiver allows; offline, what waits is kept."""
        while session.waiting and session.writer and len(session.unacked) < session.receive_maximum:
            number = session.last_id % LAST_ID + 1
            while number in session.unacked:
                number = number % LAST_ID + 1
            message = session.waiting.popleft()
            session.last_id, session.unacked[number] = number, message
            self._send(session, message, number)

    def _send(self, session: Session, message: _Message, number: int, *, again: bool = False) -> None:
        if session.writer is None:
            return
        name = message.topic.encode()
        head = len(name).to_bytes(2, "big") + name + (number.to_bytes(2, "big") if number else b"")
        flags = (again << 3) | (bool(number) << 1) | message.retained
        body = head + (b"\0" if session.five else b"") + message.payload
        self._write(session.writer, PUBLISH, body, flags)

    def _write(self, writer: asyncio.StreamWriter, kind: int, body: bytes, flags: int = 0) -> None:
        if not self.silent:
            writer.write(bytes([kind << 4 | flags]) + _length(len(body)) + body)

    # From a client.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        session: Session | None = None
        try:
            while True:
                head = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _read_length(reader))
                if head >> 4 == DISCONNECT:
                    self.goodbyes += 1
                    self._wills.pop(writer, None)  # 3.14.4
                    break
                session = self._take(head, body, session, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            self._over(session, writer)
            self._tasks.discard(task)

    def _over(self, session: Session | None, writer: asyncio.StreamWriter) -> None:
        if session is not None and session.writer is writer:
            session.writer = None
        will = self._wills.pop(writer, None)
        if will is not None:
            self.publish(*will, retain=True)
        writer.close()

    def _take(
        self, head: int, body: bytes, session: Session | None, writer: asyncio.StreamWriter
    ) -> Session | None:
        kind = head >> 4
        if kind == CONNECT:
            return self._connect(body, writer)
        if session is None:
            raise ConnectionError("no CONNECT")  # 3.1: it must be the first
        if kind == SUBSCRIBE:
            self._subscribe(body, session, writer)
        elif kind == PUBLISH:
            self._published(head, body, session, writer)
        elif kind == PUBACK:
            message = session.unacked.pop(int.from_bytes(body[:2], "big"), None)
            if message is not None:
                self.acknowledged.append(message.payload)
                if not message.taken.done():
                    message.taken.set_result(None)
            self._next(session)
        elif kind == PINGREQ:
            self._write(writer, PINGRESP, b"")
        return session

    def _connect(self, body: bytes, writer: asyncio.StreamWriter) -> Session:
        self.connects.append(body)
        at = 2 + int.from_bytes(body[:2], "big")
        five, flags, at = body[at] == 5, body[at + 1], at + 4
        maximum = LAST_ID
        if five:
            maximum = _receive_maximum(body[at + 1 : at + 1 + body[at]])
            at += 1 + body[at]
        client, at = _string(body, at)
        if flags & 4:
            at += 1 + body[at] if five else 0
            topic, at = _string(body, at)
            will, at = _string(body, at)
            self._wills[writer] = (topic.decode(), will)
        present = client.decode() in self.sessions
        session = self.sessions.setdefault(client.decode(), Session())
        session.five, session.receive_maximum, session.writer = five, maximum, writer
        code = self.refuse_connect
        self._write(writer, CONNACK, bytes([present and not code, code]) + (b"\0" if five else b""))
        for number, message in list(session.unacked.items()):
            self._send(session, message, number, again=True)  # 4.4
        self._next(session)
        return session

    def _subscribe(self, body: bytes, session: Session, writer: asyncio.StreamWriter) -> None:
        at = 2 + (1 + body[2] if session.five else 0)
        codes, asked = b"", []
        while at < len(body):
            raw, at = _string(body, at)
            wanted, qos, at = raw.decode(), body[at] & 3, at + 1
            if wanted in self.refused_filters:
                codes += bytes([REFUSED])
                continue
            codes += bytes([qos])
            session.filters[wanted] = qos
            asked.append((wanted, qos))
        self._write(writer, SUBACK, body[:2] + (b"\0" if session.five else b"") + codes)
        for wanted, qos in asked:
            for topic, payload in list(self.retained.items()):
                if fits(wanted, topic):
                    self._hand(session, topic, payload, qos, retained=True)

    def _published(self, head: int, body: bytes, session: Session, writer: asyncio.StreamWriter) -> None:
        raw, at = _string(body, 0)
        qos, topic, number = head >> 1 & 3, raw.decode(), b""
        if qos:
            number, at = body[at : at + 2], at + 2
        if session.five:
            at += 1 + body[at]
        if not self.takes_publications:
            return
        payload, retain = body[at:], bool(head & 1)
        self.published.append((topic, payload, retain))
        self.publish(topic, payload, qos=qos, retain=retain)
        if qos:
            self._write(writer, PUBACK, number)


def fits(wanted: str, topic: str) -> bool:
    """Whether a topic is under a filter (4.7)."""
    if topic[:1] == "$" and wanted[:1] in "+#":
        return False
    want, have = wanted.split("/"), topic.split("/")
    if want[-1] == "#":
        want.pop()
        have = have[: len(want)]
    return len(want) == len(have) and all(a in ("+", b) for a, b in zip(want, have, strict=True))


def _receive_maximum(properties: bytes) -> int:
    """Property 21h of CONNECT (3.1.2.11.3), unless one of variable length comes before it."""
    sizes, at = {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1}, 0
    while at < len(properties) and properties[at] in sizes:
        size = sizes[properties[at]]
        if properties[at] == 0x21:
            return int.from_bytes(properties[at + 1 : at + 3], "big")
        at += 1 + size
    return LAST_ID


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
