"""A laboratory that reports by mail: a small SMTP client (RFC 5321) of its own.

Written from the RFC; it shares nothing with the door it is used to test, nor with its library. It sends what
it is given, byte for byte, and says what it was answered. It is no mail server and keeps no queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType

REPLY_WITHIN_S = 10.0
CLOSED_WITHIN_S = 1.0


@dataclass(frozen=True)
class Reply:
    """One answer: its code, and the text of all its lines."""

    code: int
    text: str


class Hung(ConnectionError):
    """The door closed the connection instead of answering."""


def mail(
    subject: str, text: str, *, number: int = 0, urgent: bool = False, sender: str = "lab@example.org"
) -> bytes:
    """A mail as a laboratory system writes it. `number`: makes its Message-ID; 0 = none."""
    message = EmailMessage()
    message["From"] = sender
    message["Subject"] = subject
    if number:
        message["Message-ID"] = f"<{number}@lab.example.org>"
        message["Date"] = "Mon, 23 Nov 2026 03:11:00 +0100"
    if urgent:
        message["X-Priority"] = "1 (Highest)"
    message.set_content(text)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class MailLab:
    """One connection. Use as `async with MailLab(host, port) as lab`."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.greeting = Reply(0, "")
        self.offers = ""

    async def __aenter__(self) -> MailLab:
        """Connect and say who we are. Raises OSError."""
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        try:
            self.greeting = await self._reply()
            if self.greeting.code == 220:
                self.offers = (await self.say("EHLO lab.example.org")).text
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
        await self.write(f"{line}\r\n".encode())
        return await self._reply()

    async def write(self, data: bytes) -> None:
        """Bytes as they are. Raises OSError."""
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """STARTTLS, and who we are once more. Raises ssl.SSLError, or OSError when it is refused."""
        reply = await self.say("STARTTLS")
        if reply.code != 220:
            raise OSError(reply.text)
        assert self._writer is not None
        await self._writer.start_tls(context, server_hostname=name)
        self.offers = (await self.say("EHLO lab.example.org")).text

    async def send(self, recipients: Sequence[str], raw: bytes, *, sender: str = "lab@example.org") -> Reply:
        """One mail to these addresses: what DATA was answered, or the first no before it."""
        reply = await self.say(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            if reply.code == 250:
                reply = await self.say(f"RCPT TO:<{recipient}>")
        if reply.code == 250:
            reply = await self.say("DATA")
        if reply.code != 354:
            await self.say("RSET")
            return reply
        rows = raw.split(b"\r\n")
        await self.write(b"\r\n".join(b"." + row if row.startswith(b".") else row for row in rows) + b"\r\n")
        return await self.say(".")

    async def _reply(self) -> Reply:
        assert self._reader is not None
        texts: list[str] = []
        async with asyncio.timeout(REPLY_WITHIN_S):
            while True:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    raise Hung(line.decode("utf-8", "replace"))
                said = line.decode("utf-8", "replace").rstrip("\r\n")
                texts.append(said[4:])
                if said[3:4] != "-":
                    return Reply(int(said[:3]), "\n".join(texts))
