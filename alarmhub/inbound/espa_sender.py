"""ESPA 4.4.4 out: the hub as the control station of an old pager transmitter, for as long as both are used.

A page is worded by the line's `text`, sent, and done when the transmitter has acknowledged it: that is a
promise to transmit, and no receipt of a person (ward.md: a pager cannot confirm). When it is over for that
person the call is reset. A transmitter that falls silent, says that it has failed, or takes no page any more
is a technical alarm.

It refuses to choose whom to page (the core does) and to take calls: what feeds the hub has a link of its own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from alarmhub.core.effects import Page, Report
from alarmhub.core.kinds import Priority
from alarmhub.inbound.espa_settings import EspaSender
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.link import door_of, sending_of
from alarmhub.inbound.stream import Connection, Limits
from alarmhub.ports import DeliveryFailed
from protocols.espa444_block import CallStatus, RecordId
from protocols.espa444_call import PagerCall
from protocols.espa444_control import ControlStation
from protocols.espa444_events import (
    BlockReceived,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    SendCause,
    SendFailed,
    SendTaken,
    StationHeard,
    StationLost,
)

PAGE_WITHIN_S: Final = 15.0
"""A page that the transmitter has not taken by then failed; the outbox tries it again."""
FAILED_IN_A_ROW: Final = 3
"""So many pages in a row, repeats counted, that an answering transmitter did not take are news."""
REMEMBERED_PAGES: Final = 1024
DRILL_MARK: Final = "PROV"

_ESPA_PRIORITY: Final = {Priority.HIGH: "1", Priority.MEDIUM: "2", Priority.LOW: "3"}
_SILENT: Final = "silent"
_NOT_TAKEN: Final = "pages"
_FAILED: Final = "1"
"""Record 8: transmitter failure."""


class _Session:
    """One connection to the transmitter."""

    def __init__(self, sender: EspaSenderAdapter, connection: Connection[EspaEvent]) -> None:
        self.codec = ControlStation(sender.line)
        self.connection = connection
        self._sender = sender

    async def take(self, event: EspaEvent) -> None:
        """Act on one event, in order."""
        self._sender.take(self, event)

    def lost(self, cause: str) -> None:
        """The connection is over."""
        self._sender.lost(self, cause)


class EspaSenderAdapter:
    """One line to a transmitter. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: EspaSender, feed: Feed, *, limits: Limits | None = None) -> None:
        self.source = settings.source
        self.line = sending_of(settings)
        self._settings, self._feed = settings, feed
        self._door = door_of(settings, self._open, feed, limits=limits or Limits(connections=1))
        self._sessions: list[_Session] = []
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._number = 0
        self._silent = False
        self._failed_in_a_row = 0
        self._sent: OrderedDict[tuple[str, str], PagerCall] = OrderedDict()

    async def start(self) -> None:
        """Begin to connect, or listen. Raises OSError when an address to listen on cannot be had."""
        await self._door.start()
        self._silent = self._feed.in_trouble(_SILENT)
        self._failed_in_a_row = FAILED_IN_A_ROW if self._feed.in_trouble(_NOT_TAKEN) else 0
        self._feed.supervise(
            down_s=self._settings.down_s,
            up_s=self._settings.up_s,
            polls=bool(self._settings.poll_every_s),
            tell=self._tell,
            # One that is not polled is back when it has answered; a connection to it may say nothing.
            down=self._silent and bool(self._settings.poll_every_s),
        )

    @property
    def port(self) -> int:
        """The port listened on; 0 where the hub connects."""
        return self._door.port

    async def close(self) -> None:
        """Close the line."""
        await self._door.close()

    async def report(self, report: Report, alarm: str) -> None:
        """A transmitter raises no alarms, so it is told nothing of any (`feed.Adapter`)."""

    # Pages.

    def carries(self, pager: str) -> bool:
        """Whether this transmitter reaches the pager."""
        return self._settings.reaches(pager)

    async def page(self, page: Page) -> None:
        """Send a page, or take one back. Returns once the transmitter has taken it. Raises DeliveryFailed."""
        key = (page.alarm, page.pager)
        if page.ends:
            # The words of the call it resets, as they were sent, if this process sent it.
            call = self._sent.pop(key, None) or self._call(page)
            if self._settings.resets:
                await self._send(call.reset())
            return
        call = self._call(page)
        self._sent[key] = call
        if len(self._sent) > REMEMBERED_PAGES:
            self._sent.popitem(last=False)
        await self._send(call)

    def _call(self, page: Page) -> PagerCall:
        settings = self._settings
        priority = Priority(page.priority) if page.priority in _ESPA_PRIORITY else Priority.LOW
        label = page.label[:1].upper() + page.label[1:]
        text = settings.worded(label=label, place=page.place, unit=page.unit, priority=str(priority).upper())
        beep = {Priority.HIGH: settings.beep_high, Priority.MEDIUM: settings.beep_medium}
        return PagerCall(
            address=page.pager,
            text=f"{DRILL_MARK} {text}" if page.drill else text,
            beep=beep.get(priority, settings.beep_low),
            transmissions=settings.transmissions,
            priority=_ESPA_PRIORITY[priority],
        )

    async def _send(self, call: PagerCall) -> None:
        if not self._sessions:
            raise DeliveryFailed("no connection")
        session = self._sessions[-1]
        self._number += 1
        id = str(self._number)
        block = call.encoded(self._settings.charset, text_chars=self._settings.text_chars)
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[id] = taken
        try:
            if not session.codec.send(id, self._settings.pager_address, block, self._feed.now()):
                raise DeliveryFailed("too many pages are waiting")
            session.connection.flush()
            async with asyncio.timeout(PAGE_WITHIN_S):
                await taken
        except TimeoutError as error:
            raise DeliveryFailed("not taken in time") from error
        finally:
            del self._waiting[id]
            session.codec.forget(id)

    # The line.

    def _open(self, connection: Connection[EspaEvent]) -> _Session:
        session = _Session(self, connection)
        self._sessions.append(session)
        self._feed.connected(connection.peer)
        return session

    def lost(self, session: _Session, cause: str) -> None:
        """A connection is over."""
        self._sessions.remove(session)
        self._feed.disconnected(session.connection.peer, cause)

    def take(self, session: _Session, event: EspaEvent) -> None:
        """Act on one event."""
        match event:
            case SendTaken():
                self._feed.answered("ACK")
                self._on_taken()
                self._settle(event.id, None)
            case SendFailed():
                self._on_failed(session, event)
            case StationHeard():
                self._feed.life()
                if self._silent and not self._settings.poll_every_s:
                    self._tell(up=True)
            case StationLost():
                # Where it is not polled, nothing else would tell.
                if not self._settings.poll_every_s:
                    self._tell(up=False)
            case InformationReceived():
                self._on_information(event)
            case BlockReceived():
                session.codec.refuse_invalid(event.token, self._feed.now())
                self._feed.refused("not_a_source", "a pager transmitter sent a call", fault=False)
            case FrameRefused():
                self._feed.refused(event.cause.name.lower(), str(event.cause), fault=False)

    def _on_taken(self) -> None:
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            self._feed.well(_NOT_TAKEN)
        self._failed_in_a_row = 0

    def _on_failed(self, session: _Session, event: SendFailed) -> None:
        if event.cause is SendCause.INVALID:
            self._feed.answered("3 NAK")
        if event.cause is not SendCause.CONNECTION_LOST:
            self._feed.refused(event.cause.name.lower(), str(event.cause), fault=False)
            # Its silence is told by whoever watches the line.
            if self._settings.pager_address not in session.codec.offline:
                self._count_failed(str(event.cause))
        self._settle(event.id, str(event.cause))

    def _count_failed(self, cause: str) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row == FAILED_IN_A_ROW:
            self._feed.trouble(
                _NOT_TAKEN,
                f"Sökarsändaren {self.source} tar inte emot sökningar ({cause}): personsökare nås inte",
                f"The pager transmitter {self.source} takes no pages ({cause}): pagers are not reached",
            )

    def _on_information(self, event: InformationReceived) -> None:
        """What the transmitter says of itself: record 8 a failure, and its end; a call that went out ends it
        too."""
        system, call = event.block.get(RecordId.SYSTEM_STATUS), event.block.get(RecordId.CALL_STATUS)
        if system is not None and system.strip() == _FAILED.encode("ascii"):
            self._feed.trouble(
                "failure",
                f"Sökarsändaren {self.source} är ur funktion: personsökare nås inte",
                f"The pager transmitter {self.source} has failed: pagers are not reached",
            )
        elif system is not None or call == CallStatus.PAGED.encode("ascii"):
            self._feed.well("failure")

    def _settle(self, id: str, cause: str | None) -> None:
        taken = self._waiting.get(id)
        if taken is None or taken.done():
            return
        if cause is None:
            taken.set_result(None)
        else:
            taken.set_exception(DeliveryFailed(cause))

    def _tell(self, up: bool) -> None:
        self._silent = not up
        if up:
            self._feed.well(_SILENT)
            return
        self._feed.trouble(
            _SILENT,
            f"Sökarsändaren {self.source} svarar inte: personsökare nås inte",
            f"The pager transmitter {self.source} does not answer: pagers are not reached",
        )
