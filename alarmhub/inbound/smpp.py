"""SMS over SMPP 3.4: the hub as one account at a telephone network's message centre.

A message is done when the centre has taken it: that is a promise to deliver, and no receipt of a person. What
it throttles is tried again by the outbox while the alarm has time; what it refuses for good is told to the
alarm at once, as is, later, what its receipts say. A link that is down, or a centre that takes nothing any
more, is a technical alarm.

It refuses to choose whom to text and to word an answer (the core does), and to acknowledge a reply before it
is stored (`inbound.smpp_inbox`).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import ssl
from typing import Final

from msgspec import Struct

from alarmhub.core.effects import Report, Says, Sms
from alarmhub.core.kinds import PRIORITY_RANK, Priority
from alarmhub.core.texting import worded
from alarmhub.inbound.dial import Dialer, tcp
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.smpp_inbox import Inbox, network_id
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.inbound.stream import Connection, Limits
from alarmhub.inbound.tls import client_context
from alarmhub.ports import DeliveryFailed
from protocols.smpp import Alive, Arrived, Bound, Esme, Pace, PduRefused, SmppEvent, SubmitLost, Submitted
from protocols.smpp_pdu import Address, Login, Status, Submit, status_words
from protocols.smpp_text import gsm7

SEND_WITHIN_S: Final = 18.0
"""A message that the centre has not taken by then failed; the outbox, which waits a little longer, tries it
again."""
PAUSE_S: Final = 1.0
"""After the centre has throttled, nothing more is sent to it for so long."""
UNANSWERED_IN_A_ROW: Final = 2
"""So many messages in a row that were not answered: whoever says that it is there does nothing, and is called
anew."""
FAILED_IN_A_ROW: Final = 3
"""So many messages in a row that a centre did not take, though its link is up, are news."""
AGAIN_SPREAD: Final = 0.3
"""Waits before the next call differ by so much of themselves."""

_FOLLOW_UPS: Final = (Says.OVER, Says.PASSED_ON)
_THROTTLED: Final = (Status.THROTTLED, Status.QUEUE_FULL)
_SILENT: Final = "silent"
_NOT_TAKEN: Final = "texts"


class _Outgoing(Struct):
    """A message on its way, and who waits for it."""

    token: str
    sms: Sms
    submit: Submit
    result: asyncio.Future[None]


class _Session:
    """One connection to the centre."""

    def __init__(self, adapter: SmppAdapter, connection: Connection[SmppEvent], codec: Esme) -> None:
        self.codec, self.connection = codec, connection
        self._adapter = adapter

    async def take(self, event: SmppEvent) -> None:
        """Act on one event, in order."""
        self._adapter.take(self, event)

    def lost(self, cause: str) -> None:
        """The connection is over."""
        self._adapter.lost(self, cause)


class SmppAdapter:
    """One link. Make it inside a running event loop, `start` it, `close` it."""

    port = 0

    def __init__(self, settings: SmppLink, feed: Feed) -> None:
        self.source = settings.source
        self._settings, self._feed = settings, feed
        self._inbox = Inbox(settings, feed)
        self._session: _Session | None = None
        self._bound = False
        self._numbers = itertools.count(1)
        self._waiting: dict[str, _Outgoing] = {}
        self._order: list[tuple[int, int, str]] = []  # heap: rank, arrival, token
        self._under_way: dict[str, _Outgoing] = {}
        self._paused_until = 0.0  # time of the event loop
        self._busy: dict[str, asyncio.Task[None]] = {}  # by number, the last delivery that is being stored
        self._why_not = ""
        self._silent = False
        self._failed_in_a_row = 0
        self._unanswered_in_a_row = 0
        self._pace = Pace(
            window=settings.window,
            enquire_ms=round(settings.enquire_every_s * 1000),
            response_ms=round(settings.answer_within_s * 1000),
        )
        self._dialer: Dialer[SmppEvent] | None = None

    async def start(self) -> None:
        """Begin to connect. Raises OSError when its authority's file cannot be used."""
        settings = self._settings
        host, port = settings.address()
        self._dialer = Dialer(
            tcp(host, port, tls=self._tls()),
            self._open,
            peer=settings.connect,
            crew=self._feed.crew,
            clock=self._feed.clock,
            failed=self._not_bound,
            limits=Limits(connections=1, events_waiting=self._pace.window + self._pace.most_unanswered),
            spread=AGAIN_SPREAD,
        )
        self._silent = self._feed.in_trouble(_SILENT)
        self._failed_in_a_row = FAILED_IN_A_ROW if self._feed.in_trouble(_NOT_TAKEN) else 0
        self._feed.supervise(
            down_s=settings.down_s, up_s=settings.up_s, polls=False, tell=self._tell, down=self._silent
        )
        self._feed.hub.texts.link(self.source, up=not self._silent)
        await self._dialer.start()

    def _tls(self) -> ssl.SSLContext | None:
        settings = self._settings
        if not settings.tls:
            return None
        try:
            return client_context(settings.ca_file)
        except OSError as error:
            why = error.strerror or str(error)
            raise OSError(f"[[smpp]] {self.source} ca_file: {settings.ca_file}: {why}") from error

    async def close(self) -> None:
        """Unbind and hang up; what was delivered is still stored."""
        if self._session is not None and self._session.codec.bound:
            self._session.codec.unbind()
            self._session.connection.flush()
        if self._dialer is not None:
            await self._dialer.close()
        if self._busy:
            await asyncio.wait(set(self._busy.values()))

    async def report(self, report: Report, alarm: str) -> None:
        """A message centre raises no alarms, so it is told nothing of any (`feed.Adapter`)."""

    # Messages.

    @property
    def ready(self) -> bool:
        """Whether a message could be sent now."""
        return self._session is not None and self._session.codec.bound

    async def text(self, sms: Sms) -> None:
        """Send a message. Returns once it is taken, or refused for good. Raises DeliveryFailed."""
        if sms.says in _FOLLOW_UPS and not self._settings.follow_up:
            return
        if not self.ready:
            raise DeliveryFailed(self._why_not or "no connection")
        number = next(self._numbers)
        outgoing = _Outgoing(str(number), sms, self._submit(sms), asyncio.get_running_loop().create_future())
        self._waiting[outgoing.token] = outgoing
        heapq.heappush(self._order, (-PRIORITY_RANK[_priority(sms)], number, outgoing.token))
        self._pump()
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await outgoing.result
        except TimeoutError as error:
            raise DeliveryFailed("not taken in time") from error
        finally:
            self._waiting.pop(outgoing.token, None)

    def _submit(self, sms: Sms) -> Submit:
        settings, text = self._settings, worded(sms, self._feed.site().language)
        encoded = gsm7(text) if settings.charset == "gsm7" else text.encode("latin-1", "replace")
        sender = settings.sender
        international = sender.startswith("+")
        return Submit(
            source=Address(sender.removeprefix("+"), 1, 1) if international else Address(sender),
            destination=Address(sms.number.removeprefix("+"), 1, 1),
            text=encoded if encoded is not None else text.encode("ascii", "replace"),
            priority=int(_priority(sms) is Priority.HIGH),
            validity=settings.validity(),
            receipt=sms.says is Says.RINGS,
        )

    def _pump(self) -> None:
        """Send what waits, the most urgent first, while there is room."""
        session = self._session
        if session is None or asyncio.get_running_loop().time() < self._paused_until:
            return
        sent = False
        while self._order and session.codec.room:
            outgoing = self._waiting.pop(heapq.heappop(self._order)[2], None)
            if outgoing is not None:
                self._under_way[outgoing.token] = outgoing
                session.codec.submit(outgoing.token, outgoing.submit, self._feed.now())
                sent = True
        if sent:
            session.connection.flush()

    # What the centre says.

    def _open(self, connection: Connection[SmppEvent]) -> _Session:
        settings = self._settings
        login = Login(settings.system_id, settings.password.reveal(), settings.system_type)
        self._session = _Session(self, connection, Esme(login, self._pace, self._feed.now()))
        self._bound = False
        return self._session

    def lost(self, session: _Session, cause: str) -> None:
        """A connection is over; nobody waits for one that could still come."""
        self._session = None
        if self._bound:
            self._bound = False
            self._feed.disconnected(session.connection.peer, cause)
            self._why_not = ""
        else:
            self._not_bound(cause)
        for outgoing in [*self._waiting.values(), *self._under_way.values()]:
            _settle(outgoing, DeliveryFailed(f"connection lost: {cause}"))
        self._waiting.clear()
        self._under_way.clear()
        self._order.clear()

    def take(self, session: _Session, event: SmppEvent) -> None:
        """Act on one event."""
        match event:
            case Bound():
                self._bound, self._why_not, self._unanswered_in_a_row = True, "", 0
                self._feed.connected(session.connection.peer)
                self._pump()
            case Alive():
                self._feed.life()
            case Submitted():
                self._on_submitted(event)
                self._pump()
            case SubmitLost():
                self._on_lost(session, event)
                self._pump()
            case Arrived():
                self._on_arrived(session, event)
            case PduRefused():
                self._feed.refused("unreadable", event.cause, fault=False)

    def _on_submitted(self, event: Submitted) -> None:
        self._unanswered_in_a_row = 0
        outgoing = self._under_way.pop(event.token, None)
        if outgoing is None:
            return
        words = status_words(event.status)
        if not event.status:
            if outgoing.submit.receipt and event.message_id:
                self._feed.hub.texts.sent(network_id(self.source, event.message_id), outgoing.sms)
            self._feed.text("sent")
            self._feed.answered("taken")
            self._taken()
            _settle(outgoing, None)
        elif event.status in _THROTTLED:
            self._pause()
            self._feed.text("throttled")
            _settle(outgoing, DeliveryFailed(words))
        else:
            # Again it would be refused again. The alarm must not go on hoping.
            self._feed.text("refused")
            self._feed.answered(words)
            self._feed.refused("not_taken", words, fault=False)
            self._feed.hub.texts.failed(outgoing.sms, words)
            self._count_failed(words)
            _settle(outgoing, None)

    def _on_lost(self, session: _Session, event: SubmitLost) -> None:
        outgoing = self._under_way.pop(event.token, None)
        if outgoing is None:
            return
        self._feed.text("lost")
        _settle(outgoing, DeliveryFailed(event.cause))
        if session.codec.bound:
            self._count_failed(event.cause)
            self._unanswered_in_a_row += 1
            if self._unanswered_in_a_row == UNANSWERED_IN_A_ROW:
                session.connection.close("messages are not answered")

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        self._paused_until = loop.time() + PAUSE_S
        loop.call_later(PAUSE_S, self._pump)

    def _on_arrived(self, session: _Session, event: Arrived) -> None:
        """Store it beside the others; of one number one after the other."""
        number = self._inbox.sender(event.delivery)
        task = self._feed.beside(self._deliver(session, event, self._busy.get(number)), "sms")
        self._busy[number] = task
        task.add_done_callback(lambda done: self._through(number, done))

    def _through(self, number: str, task: asyncio.Task[None]) -> None:
        if self._busy.get(number) is task:
            del self._busy[number]

    async def _deliver(self, session: _Session, event: Arrived, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        session.codec.answer(event.ticket, await self._inbox.take(event.delivery))
        session.connection.flush()

    # The link.

    def _not_bound(self, cause: str) -> None:
        """Why there is no link; said when it is another reason than before."""
        if cause != self._why_not:
            self._why_not = cause
            self._feed.refused("no_connection", cause, fault=False)

    def _taken(self) -> None:
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            self._feed.well(_NOT_TAKEN)
        self._failed_in_a_row = 0

    def _count_failed(self, cause: str) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row == FAILED_IN_A_ROW:
            self._feed.trouble(
                _NOT_TAKEN,
                f"SMS-länken {self.source} tar inte emot SMS ({cause}): den som saknar data nås inte",
                f"The SMS link {self.source} takes no messages ({cause}): who has no data is not reached",
            )

    def _tell(self, up: bool) -> None:
        self._silent = not up
        self._feed.hub.texts.link(self.source, up=up)
        if up:
            self._feed.well(_SILENT)
            return
        why = f" ({self._why_not})" if self._why_not else ""
        self._feed.trouble(
            _SILENT,
            f"SMS-länken {self.source} är nere{why}: den som saknar data nås inte",
            f"The SMS link {self.source} is down{why}: who has no data is not reached",
        )


def _priority(sms: Sms) -> Priority:
    return Priority(sms.priority) if sms.priority in PRIORITY_RANK else Priority.LOW


def _settle(outgoing: _Outgoing, exc: DeliveryFailed | None) -> None:
    if outgoing.result.done():
        return
    if exc is None:
        outgoing.result.set_result(None)
    else:
        outgoing.result.set_exception(exc)
