"""A message centre on a free port that does what a test tells it, right or wrong, octet by octet.

It speaks SMPP 3.4 from the header up, without the hub's codec. `submits` is what it was sent. For a centre
that behaves, made by others, see tests/acceptance/test_smpp_peers.py.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import deque
from typing import NamedTuple

from tests.support.waiting import until

HEADER = struct.Struct("!IIII")
RESPONSE = 0x8000_0000
BIND, SUBMIT, DELIVER, ENQUIRE, UNBIND = 0x09, 0x04, 0x05, 0x15, 0x06


class Heard(NamedTuple):
    """One PDU it was sent."""

    command: int
    status: int
    sequence: int
    body: bytes


class Sms(NamedTuple):
    """One message it was sent."""

    source: str
    destination: str
    text: bytes
    receipt: bool
    priority: int
    validity: str
    sequence: int


class Smsc:
    """See the module. `password`: what binds must say. `answers`: statuses of the next messages, then 0;
    None = no answer at all. `deaf`: takes connections and says nothing."""

    def __init__(self, *, password: str = "secret", tls: ssl.SSLContext | None = None) -> None:
        self.password, self.tls = password, tls
        self.answers: deque[int | None] = deque()
        self.deaf = False
        self.silent = False
        self.heard: list[Heard] = []
        self.submits: list[Sms] = []
        self.binds = 0
        self.port = 0
        self._count = 0
        self._sequence = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Gone, with all its connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def hang_up(self) -> None:
        """Every connection at once, without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    @property
    def connected(self) -> bool:
        """Somebody is bound."""
        return bool(self._writers) and self.binds > 0

    def say(self, data: bytes) -> None:
        """These octets, to whoever called last."""
        self._writers[-1].write(data)

    def deliver(
        self, text: bytes, *, source: str = "46701740605", ton: int = 1, esm_class: int = 0, coding: int = 0,
        options: bytes = b"", sequence: int | None = None,
    ) -> int:  # fmt: skip
        """A message or receipt, to whoever called last; its sequence number."""
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        body = b"".join(
            (
                b"\x00",
                bytes((ton, 1)) + source.encode() + b"\x00",
                b"\x01\x0146700000000\x00",
                bytes((esm_class, 0, 0, 0, 0, 0, 0, coding, 0, len(text))),
                text,
                options,
            )
        )
        self.say(HEADER.pack(HEADER.size + len(body), DELIVER, 0, sequence) + body)
        return sequence

    def receipt(self, message_id: str, stat: str = "DELIVRD", **more: object) -> int:
        """The usual text of one."""
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611240900 done date:2611240901 stat:{stat} "
            "err:000 text:Alarmhub"
        )
        return self.deliver(text.encode(), esm_class=4, **more)  # type: ignore[arg-type]

    async def answered(self, sequence: int) -> int:
        """The status with which a delivery was answered."""

        def status() -> list[int]:
            return [
                h.status for h in self.heard if h.command == DELIVER | RESPONSE and h.sequence == sequence
            ]

        return (await until(status, f"delivery {sequence} is answered"))[-1]

    def unanswered(self, sequence: int) -> bool:
        """Nothing was said of this delivery."""
        return not any(h.command == DELIVER | RESPONSE and h.sequence == sequence for h in self.heard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        try:
            while True:
                length, command, status, sequence = HEADER.unpack(await reader.readexactly(HEADER.size))
                body = await reader.readexactly(length - HEADER.size)
                self.heard.append(Heard(command, status, sequence, body))
                if not self.deaf:
                    self._answer(writer, command, sequence, body)
        except (OSError, asyncio.IncompleteReadError, struct.error):
            return
        finally:
            if writer in self._writers:
                self._writers.remove(writer)
            writer.close()
            self._tasks.discard(task)

    def _answer(self, writer: asyncio.StreamWriter, command: int, sequence: int, body: bytes) -> None:
        def say(status: int, answer: bytes = b"") -> None:
            size = HEADER.size + len(answer)
            writer.write(HEADER.pack(size, command | RESPONSE, status, sequence) + answer)

        if command == BIND:
            right = body.split(b"\x00")[1] == self.password.encode()
            self.binds += right
            say(0 if right else 0x0E, b"TESTSMSC\x00" if right else b"")
        elif command == SUBMIT:
            self.submits.append(_read(sequence, body))
            status = self.answers.popleft() if self.answers else 0
            self._count += 1
            if status is not None:
                say(status, b"" if status else f"M{self._count}".encode() + b"\x00")
        elif command in (ENQUIRE, UNBIND) and not self.silent:
            say(0)


def _read(sequence: int, body: bytes) -> Sms:
    at = body.index(b"\x00") + 1
    addresses = []
    for _ in range(2):
        end = body.index(b"\x00", at + 2)
        addresses.append(body[at + 2 : end].decode())
        at = end + 1
    priority = body[at + 2]
    schedule_end = body.index(b"\x00", at + 3)
    validity_end = body.index(b"\x00", schedule_end + 1)
    rest = body[validity_end + 1 :]
    return Sms(
        addresses[0], addresses[1], rest[5 : 5 + rest[4]], bool(rest[0] & 1), priority,
        body[schedule_end + 1 : validity_end].decode(), sequence,
    )  # fmt: skip
