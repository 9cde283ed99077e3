"""SMTP in: laboratories, building systems and whatever else can only send mail.

A recipient's local part is a pager number or a word the site's rules know; one mail to several is one alarm a
recipient. DATA is answered 250 only after all of them are committed, 451 when one is not, so that the relay
tries again; the same mail again (Message-ID, date and words) is the same one for a day. `aiosmtpd` speaks the
protocol.

It refuses whoever does not come from an allowed network, to relay, to bounce, to answer by mail, and to log
what a mail says.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from hashlib import blake2b
from typing import Any, AnyStr, Final, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from alarmhub.core.effects import Report
from alarmhub.core.events import Signal
from alarmhub.inbound.feed import Feed, Stored
from alarmhub.inbound.mapping import Words, clean
from alarmhub.inbound.pages import Transmissions, as_pages, known_address, names_of
from alarmhub.inbound.peers import Peers
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.smtp_settings import SmtpLink
from alarmhub.inbound.tls import server_context
from alarmhub.tasks import spawn
from protocols.mail import Mail, decode

CLOSE_WITHIN_S: Final = 2.0
MAX_LOCAL_CHARS: Final = 64
SLACK_BYTES: Final = 65_536
"""Beyond the size limit, what a peer may send before it gets an answer to anything."""
NO_WORDS: Final = "(mail without text)"

# The library tells every command it reads, recipients and all, at levels below error.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class SmtpAdapter:
    """One mail door. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: SmtpLink, feed: Feed) -> None:
        self.source = settings.source
        self._settings, self._feed = settings, feed
        self._peers = Peers(settings.allow)
        self._transmissions = Transmissions(
            round(settings.repeat_window_s * 1000),
            opened=lambda: names_of(feed.hub.open_alarms(), feed.source),
        )
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._storing: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had, or a TLS file cannot be used."""
        settings = self._settings
        host, port = settings.address()
        tls = None
        if settings.tls_cert_file is not None and settings.tls_key_file is not None:
            tls = server_context(settings.tls_cert_file, settings.tls_key_file)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, settings, tls, loop), host, port)
        self._feed.listening(f"{host}:{self.port}")
        if settings.expected_every_s is not None:
            self._feed.supervise(down_s=settings.expected_every_s, up_s=settings.link_up_s, polls=True)

    @property
    def port(self) -> int:
        """The port listened on. 0 when not listening."""
        if self._server is None or not self._server.sockets:
            return 0
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening and hang up; mails that were read are still stored."""
        if self._server is not None:
            self._server.close()
        if self._storing:
            await asyncio.wait(self._storing, timeout=CLOSE_WITHIN_S)
        for connection in list(self._open):
            connection.hang_up()

    async def report(self, report: Report, alarm: str) -> None:
        """Nothing is said back by mail (`feed.Adapter`)."""

    # Connections

    def admit(self, connection: _Connection, peer: str) -> str | None:
        """Take in a connection; or the line to turn it away with."""
        if not self._peers.allows(peer.rpartition(":")[0]):
            self._feed.refused("not_allowed", "not from an allowed network", peer=peer, fault=False)
            return "554 5.7.1 Not from this address"
        if len(self._open) >= self._settings.connections:
            self._feed.refused("too_many", "too many connections", peer=peer, fault=False)
            return "421 4.3.2 Too many connections"
        self._open.add(connection)
        self._feed.connected(peer)
        return None

    def lost(self, connection: _Connection, peer: str, cause: str) -> None:
        """A connection that was taken in is over."""
        self._open.discard(connection)
        self._feed.disconnected(peer, cause)

    # What the library asks (its names).

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Whether this recipient is one of ours."""
        local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
        settings = self._settings
        if settings.domains and domain.casefold() not in {name.casefold() for name in settings.domains}:
            return "550 5.7.1 Relaying denied"
        if len(envelope.rcpt_tos) >= settings.max_recipients:
            return "452 4.5.3 Too many recipients"
        if not local or len(local) > MAX_LOCAL_CHARS:
            return "553 5.1.3 No such address"
        if settings.unknown_number == "refuse" and not self._known(_local(address)):
            self._feed.refused("unknown_number", "mail to an unknown number", fault=False)
            return "550 5.1.1 No such number"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the mail; what its relay is told."""
        feed = self._feed
        feed.life()
        mail = decode(bytes(envelope.original_content or b""))
        if mail.fault:
            feed.refused("unreadable", f"unreadable mail, rung as it is: {mail.fault}")
        if mail.from_html and self._settings.html == "refuse":
            feed.refused("html", "a mail without plain text")
            feed.answered("554")
            return "554 5.6.1 No plain text in this mail"
        stored = await self._stored(self._signals(mail, [_local(address) for address in envelope.rcpt_tos]))
        if stored.answer is Answer.STORED:
            feed.answered("250")
            return "250 2.0.0 Stored"
        feed.answered("451" if stored.answer is Answer.BUSY else "554")
        if stored.answer is Answer.BUSY:
            return "451 4.3.0 Not stored, try again"
        return "554 5.6.0 It can never be stored"

    async def handle_exception(self, error: Exception) -> str:
        """A defect here is no reason to lose a mail: its relay tries again."""
        self._feed.refused("defect", f"defect: {type(error).__name__}", fault=False)
        return "451 4.3.0 Not stored, try again"

    # Mails

    def _known(self, local: str) -> bool:
        return known_address(local, self._feed.rules(), self._feed.site())

    async def _stored(self, signals: tuple[Signal, ...]) -> Stored:
        """Store even when the relay hangs up before it has heard the answer."""
        storing = spawn(self._store(signals), f"store mail {self.source}", self._feed.crew, ends=True)
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        return await asyncio.shield(storing)

    async def _store(self, signals: tuple[Signal, ...]) -> Stored:
        try:
            return await self._feed.store(*signals)
        except Exception as error:  # noqa: BLE001  one mail's defect; its relay tries again
            self._feed.refused("defect", f"defect: {type(error).__name__}", fault=False)
            return Stored(Answer.BUSY, why="defect")

    def _signals(self, mail: Mail, recipients: list[str]) -> tuple[Signal, ...]:
        """One a recipient, or what the site's rules make of it."""
        feed, site = self._feed, self._feed.site()
        text = self._words(mail)
        said = (mail.message_id, mail.date, mail.subject, mail.text)
        signals: list[Signal] = []
        for recipient in dict.fromkeys(recipients):
            name = self._transmissions.name((*said, recipient), feed.now()).hex()
            words = Words(
                recipient,
                text,
                priority=self._settings.urgent_priority if mail.urgent else None,
                ref=recipient,
                # A date as well: some devices send all their mails under one id.
                id=_id((*said, recipient)) if mail.message_id and mail.date else None,
                because=("smtp:urgent",) if mail.urgent else (),
            )
            signals += as_pages(feed.map(words), site, f"smtp:{name}", text)
        return tuple(signals)

    def _words(self, mail: Mail) -> str:
        """The words that count, on one line; never none, for every mail rings."""
        parts = {"both": (mail.subject, mail.text), "subject": (mail.subject,), "text": (mail.text,)}
        chosen = [" ".join(part.split()) for part in parts[self._settings.read]]
        return ": ".join(part for part in chosen if part) or mail.subject or NO_WORDS


class _Connection(SMTP):
    """One connection as the library speaks it, with a door in front and a bound on what is not answered."""

    def __init__(
        self,
        adapter: SmtpAdapter,
        settings: SmtpLink,
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            adapter,
            data_size_limit=settings.max_bytes,
            enable_SMTPUTF8=True,
            hostname=settings.hostname,
            ident="ready",
            tls_context=tls,
            require_starttls=settings.require_tls,
            timeout=settings.idle_s,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )
        self._adapter = adapter
        self._most_bytes = settings.max_bytes + SLACK_BYTES
        self._unanswered_bytes = 0
        self._peer = ""
        self._cause = ""
        self._turned_away = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer came, or the same one over TLS."""
        if self._peer:
            super().connection_made(transport)
            return
        name = transport.get_extra_info("peername")
        self._peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name or "unknown")
        refusal = self._adapter.admit(self, self._peer)
        if refusal is None:
            super().connection_made(transport)
            return
        self._turned_away = True
        cast(asyncio.Transport, transport).write(f"{refusal}\r\n".encode())
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass on, unless the peer sends more than it may before any answer."""
        self._unanswered_bytes += len(data)
        if self._turned_away:
            return
        if self._unanswered_bytes > self._most_bytes:
            self.hang_up("too much at once")
            return
        super().data_received(data)

    async def push(self, status: AnyStr) -> None:
        """An answer: what comes next counts anew."""
        self._unanswered_bytes = 0
        await super().push(status)

    def _timeout_cb(self) -> None:
        """Silent for too long, or it does not read: the library would wait for ever until it has read all."""
        self.hang_up("silent for too long")

    def eof_received(self) -> bool | None:
        """The peer will say no more."""
        return None if self._turned_away else super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if self._turned_away:
            return
        super().connection_lost(error)
        self._adapter.lost(self, self._peer, self._cause or "closed")

    def hang_up(self, cause: str = "hub is stopping") -> None:
        """Close at once."""
        self._cause = self._cause or cause
        if self.transport is not None:
            cast(asyncio.Transport, self.transport).abort()


def _local(address: str) -> str:
    """The local part of an address, without quotes."""
    local = address.rpartition("@")[0] if "@" in address else address
    return clean(local.strip('"'), MAX_LOCAL_CHARS).strip()


def _id(words: tuple[str, ...]) -> str:
    return blake2b("\x00".join(words).encode("utf-8", "replace"), digest_size=20).hexdigest()
