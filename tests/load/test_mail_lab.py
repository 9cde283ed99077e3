"""The laboratory that mails: what it writes, against the library's own server as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from load.mail_lab import MailLab, mail
from tests.support.waiting import until


class Keeper:
    """Keeps what it is sent; refuses one recipient."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, to: str, options: Any) -> str:
        """All but one."""
        if to == "no@hub":
            return "550 no"
        envelope.rcpt_tos.append(to)
        return "250 yes"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        """Kept."""
        self.envelopes.append(envelope)
        return "250 kept"


@asynccontextmanager
async def keeper() -> AsyncIterator[Keeper]:
    """A server that keeps mails."""
    it, loop = Keeper(), asyncio.get_running_loop()
    spoken: list[SMTP] = []

    def speak() -> SMTP:
        spoken.append(SMTP(it, loop=loop, hostname="keeper"))
        return spoken[-1]

    server = await loop.create_server(speak, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await until(lambda: all(one.transport is None for one in spoken), "the connections to end")


async def test_a_mail_arrives_as_it_was_written() -> None:
    """To all its recipients, dots and all."""
    async with keeper() as it, MailLab("127.0.0.1", it.port) as lab:
        assert lab.greeting.code == 220 and "8BITMIME" in lab.offers
        reply = await lab.send(["a@hub", "b@hub"], mail("Prov é", ".dold", number=3, urgent=True))
        assert (reply.code, reply.text) == (250, "kept")
        (envelope,) = it.envelopes
        assert envelope.rcpt_tos == ["a@hub", "b@hub"]
        message = message_from_bytes(envelope.original_content or b"")
        assert message["Message-ID"] == "<3@lab.example.org>" and message["X-Priority"] == "1 (Highest)"
        assert str(message.get_payload()).strip() == ".dold"


async def test_the_first_no_ends_the_mail_and_the_next_one_goes() -> None:
    """On the same connection."""
    async with keeper() as it, MailLab("127.0.0.1", it.port) as lab:
        assert (await lab.send(["a@hub", "no@hub"], mail("x", "y"))).code == 550
        assert (await lab.send(["a@hub"], mail("x", "y"))).code == 250
        assert len(it.envelopes) == 1
