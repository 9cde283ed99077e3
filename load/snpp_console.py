"""A switchboard's console on SNPP (RFC 1861): pages numbers and asks what became of it.

Written from the RFC's commands and the recorded transcripts alone; it shares no line with the terminal it is
used to test. It is no conformity test.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

REPLY_WITHIN_S = 10.0
CLOSED_WITHIN_S = 1.0


@dataclass(frozen=True)
class Reply:
    """One answer: its code, and the text of all its lines."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether it is a yes: 2xx, 3xx, or the 8xx and 9xx of two-way paging."""
        return self.code // 100 in (2, 3, 8, 9)


class Hung(ConnectionError):
    """The terminal closed the connection instead of answering."""


class SnppConsole:
    """One connection. Use as `async with SnppConsole(host, port) as console`."""

    def __init__(
        self, host: str, port: int, *, user: str = "", password: str = "", charset: str = "utf-8"
    ) -> None:
        self._where = (host, port)
        self._user, self._password = user, password
        self._charset = charset
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.greeting = Reply(0, "")

    async def __aenter__(self) -> SnppConsole:
        """Connect, hear the greeting, log in where there is a user. Raises OSError."""
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        try:
            self.greeting = await self._reply()
            if self._user:
                await self.say(f"LOGI {self._user} {self._password}")
        except BaseException:
            self._writer.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), CLOSED_WITHIN_S)

    async def say(self, line: str) -> Reply:
        """One command, and its answer. Raises Hung, or TimeoutError when there is none."""
        await self.write(line)
        return await self._reply()

    async def write(self, *lines: str) -> None:
        """Lines without waiting for answers. Raises OSError."""
        assert self._writer is not None
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode(self._charset))
        await self._writer.drain()

    async def page(
        self, pagers: Sequence[str], text: str, *, subject: str = "", alert: bool = False
    ) -> Reply:
        """One page, and what SEND was answered; or the first no before it."""
        return await self._page([f"PAGE {pager}" for pager in pagers], text, subject=subject, alert=alert)

    async def page_two_way(
        self,
        pagers: Sequence[str],
        text: str,
        *,
        choices: Sequence[tuple[str, str]] = (),
        ack_read: bool = False,
    ) -> Reply:
        """As `page`, to be asked for: the answer is `960 tag pass …`."""
        lines = ["2WAY", *(f"PAGE {pager}" for pager in pagers)]
        if choices:
            lines += ["RTYP MULTICHOICE", *(f"MCRE {code} {said}" for code, said in choices)]
        return await self._page([*lines, f"ACKR {int(ack_read)}"], text)

    async def status(self, sent: Reply) -> Reply:
        """What became of a two-way page, by what its SEND was answered."""
        tag, password = sent.text.split()[:2]
        return await self.say(f"MSTA {tag} {password}")

    async def _page(
        self, lines: Sequence[str], text: str, *, subject: str = "", alert: bool = False
    ) -> Reply:
        more = [f"SUBJ {subject}"] * bool(subject) + ["ALER 1"] * alert
        for line in (*lines, *more, "DATA"):
            reply = await self.say(line)
            if not reply.ok:
                return reply
        await self.write(*(f".{row}" if row.startswith(".") else row for row in text.split("\n")))
        reply = await self.say(".")
        return await self.say("SEND") if reply.ok else reply

    async def _reply(self) -> Reply:
        """One answer; lines of 214 go on."""
        assert self._reader is not None
        texts: list[str] = []
        async with asyncio.timeout(REPLY_WITHIN_S):
            while True:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    raise Hung(line.decode(self._charset, "replace"))
                said = line.decode(self._charset, "replace").rstrip("\r\n")
                texts.append(said[4:])
                if said[:3] != "214":
                    return Reply(int(said[:3]), "\n".join(texts))
