"""SNPP in: consoles, laboratories and old programs that page by number (RFC 1861, levels 1 to 3).

One page to several numbers is one alarm a number; SEND is answered (250, or 960 with a tag) only after all of
them are committed, 554 when one is not. The same page again within the repeat window is the same one, also
after a restart, and gets the same answer and tag. What became of a two-way page is told when its sender asks.

It refuses to decide whom a number rings (the site file and the engine do), to page onwards, and whoever does
not come from an allowed network.
"""

from __future__ import annotations

import hmac
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from alarmhub.core.effects import Report
from alarmhub.core.events import Signal
from alarmhub.core.reach import Reach
from alarmhub.core.site import Number, number_of
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.pages import Transmissions, as_pages, known_address, names_of
from alarmhub.inbound.peers import Peers
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.snpp_settings import SnppLink
from alarmhub.inbound.snpp_status import UNKNOWN, Answers, Tickets, asked_of
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from protocols.snpp import SnppServer
from protocols.snpp_page import Dialect, LineRefused, Page, PageSent, Refusal, Reply, SnppEvent

MAX_PAGER_CHARS: Final = 32
_encode = msgspec.json.Encoder().encode


class Sent(Struct, frozen=True):
    """One transmission of a page: the key of its alarms, and how its sender may ask for it."""

    key: str
    tag: str
    password: str


class SnppSession:
    """One connection: its conversation, and the events it hands to the adapter."""

    def __init__(self, adapter: SnppAdapter, connection: Connection[SnppEvent], codec: SnppServer) -> None:
        self.codec = codec
        self.connection = connection
        self._adapter = adapter

    async def take(self, event: SnppEvent) -> None:
        """Act on one event, in order."""
        await self._adapter.take(self, event)

    def lost(self, cause: str) -> None:
        """The connection is over."""
        self._adapter.lost(self, cause)


class SnppAdapter:
    """One SNPP door. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: SnppLink, feed: Feed) -> None:
        self.source = settings.source
        self._settings, self._feed = settings, feed
        self._peers = Peers(settings.allow)
        self._dialect = Dialect(
            login=settings.password is not None,
            dot_stuffing=settings.dot_stuffing,
            hold=settings.hold,
            fallback_charset=settings.charset,
            idle_ms=round(settings.idle_s * 1000),
        )
        self._desk = SnppDesk(settings, feed)
        secret = settings.password.reveal() if settings.password is not None else ""
        self._transmissions = Transmissions(
            round(settings.repeat_window_s * 1000),
            secret,
            lambda: names_of(feed.hub.open_alarms(), feed.source),
        )
        self._server: StreamServer[SnppEvent] = StreamServer(
            self._open,
            crew=feed.crew,
            clock=feed.clock,
            limits=Limits(connections=settings.connections),
            name=f"snpp {self.source}",
        )

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        host, port = self._settings.address()
        await self._server.start(host, port)
        self._feed.listening(f"{host}:{self.port}")
        expected_s = self._settings.expected_every_s
        if expected_s is not None:
            self._feed.supervise(down_s=expected_s, up_s=self._settings.link_up_s, polls=True)

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port

    async def close(self) -> None:
        """Stop listening; pages already read are still stored."""
        await self._server.close()

    async def report(self, report: Report, alarm: str) -> None:
        """Keep what became of an alarm until its sender asks (`feed.Adapter`)."""
        self._desk.tickets.take(report)

    # Connections

    def _open(self, connection: Connection[SnppEvent]) -> SnppSession:
        codec = SnppServer(self._dialect, self._desk, self._feed.now())
        self._feed.connected(connection.peer)
        if not self._peers.allows(connection.peer.rpartition(":")[0]):
            codec.turn_away("Not from this address")
            self._feed.refused(
                "not_allowed", "not from an allowed network", peer=connection.peer, fault=False
            )
        return SnppSession(self, connection, codec)

    def lost(self, session: SnppSession, cause: str) -> None:
        """A connection is over."""
        self._feed.disconnected(session.connection.peer, cause)

    async def take(self, session: SnppSession, event: SnppEvent) -> None:
        """Act on one event of one connection."""
        self._feed.life()
        if isinstance(event, LineRefused):
            self._feed.refused(
                event.reason.name.lower(),
                event.reason.value,
                peer=session.connection.peer,
                fault=event.reason is not Refusal.UNFINISHED,
            )
            return
        await self._send(session, event)

    # Pages

    async def _send(self, session: SnppSession, event: PageSent) -> None:
        feed, page = self._feed, event.page
        sent = _sent(self._transmissions.name(_said(page), feed.now()))
        stored = await feed.store(*self._signals(page, sent))
        codec, now = session.codec, feed.now()
        if stored.answer is Answer.STORED:
            if page.two_way:
                self._desk.tickets.open(asked_of(page, sent.tag, sent.password, now))
            codec.queued(event.token, now, (sent.tag, sent.password) if page.two_way else None)
            feed.answered("960" if page.two_way else "250")
        else:
            busy = stored.answer is Answer.BUSY
            codec.refused(event.token, "try again later" if busy else "it can never be stored", now)
            feed.answered("554")
        session.connection.flush()

    def _signals(self, page: Page, sent: Sent) -> tuple[Signal, ...]:
        """One a pager, or what the site's rules make of it."""
        feed, site = self._feed, self._feed.site()
        origin = ""
        if page.two_way:
            origin = _encode(asked_of(page, sent.tag, sent.password, feed.now())).decode()
        urgent = page.alert or page.level == 0
        text = ": ".join(part for part in (page.subject, page.text) if part)
        if page.caller and not _dialled(page.caller):
            text = f"{text} ({page.caller})"
        signals: list[Signal] = []
        for pager in page.pagers:
            words = Words(
                pager,
                text,
                priority=self._settings.urgent_priority if urgent else None,
                callback=page.caller if _dialled(page.caller) else None,
                ref=pager,
                origin=origin,
                because=("snpp:urgent",) if urgent else (),
            )
            signals += as_pages(feed.map(words), site, f"{sent.key}:{pager}", text)
        return tuple(signals)


class SnppDesk:
    """What a conversation asks and is told at once (`protocols.snpp_page.Gateway`)."""

    def __init__(self, settings: SnppLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._answers = Answers(settings.accept_words, settings.choice_first)
        self.tickets = Tickets()

    def login(self, user: str, password: str) -> bool:
        """Whether these are the door's; any will do where none are set. Takes the same time for any wrong."""
        own, secret = self._settings.user, self._settings.password
        if own is None or secret is None:
            return True
        right_user = hmac.compare_digest(user.encode(), own.encode())
        right_password = hmac.compare_digest(password.encode(), secret.reveal().encode())
        return right_user and right_password

    def takes(self, pager: str) -> bool:
        """Whether a page to this id would ring anybody: all do, unless the door refuses strangers."""
        if len(pager) > MAX_PAGER_CHARS:
            return False
        if self._settings.unknown_number == "ring":
            return True
        return known_address(pager, self._feed.rules(), self._feed.site())

    def ping(self, pager: str) -> Reply:
        """Whether somebody behind a number has a phone that can be reached now. Never where."""
        number = number_of(self._feed.site(), pager)
        if number is None:
            return Reply(550, "Unknown pager ID")
        if self._reachable(number):
            return Reply(821, "Unit on system, no location information available")
        return Reply(920, "Unit not online, but the message can be queued")

    def status(self, tag: str, password: str) -> Reply:
        """What became of a two-way page."""
        self._feed.life()
        ticket = self.tickets.find(tag, password)
        if ticket is None:
            own = (alarm for alarm in self._feed.hub.open_alarms() if alarm.source == self._feed.source)
            ticket = self.tickets.recall(tag, password, own)
        return UNKNOWN if ticket is None else ticket.reply(self._answers, ZoneInfo(self._feed.site().zone))

    def forget(self, tag: str, password: str) -> bool:
        """Its sender will not ask again."""
        return self.tickets.forget(tag, password)

    def _reachable(self, number: Number) -> bool:
        world = self._feed.hub.world()
        if number.staff is not None:
            people: tuple[str, ...] = (number.staff,)
        else:
            people = tuple(duty.staff for duty in world.roster.by_unit.get(number.unit or "", ()))
        return any(world.reach.get(staff, Reach.NONE) is not Reach.NONE for staff in people)


def _said(page: Page) -> tuple[str, ...]:
    """The words of a page that make it the same one again."""
    return (*page.pagers, page.subject, page.text, page.caller, "2WAY" if page.two_way else "")


def _sent(name: bytes) -> Sent:
    """Tag and pass code are digits (Net::SNPP reads nothing else)."""
    return Sent(
        f"snpp:{name[:8].hex()}",
        f"{int.from_bytes(name[:4], 'big'):010d}",
        f"{int.from_bytes(name[8:12], 'big'):010d}",
    )


def _dialled(caller: str) -> bool:
    """Whether a caller id is a number to call back."""
    return any(char.isdigit() for char in caller) and not any(char.isalpha() for char in caller)
