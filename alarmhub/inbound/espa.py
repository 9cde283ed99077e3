"""ESPA 4.4.4 in: one adapter per link, the hub as pager system or as control station of its line.

A call is mapped, handed to the engine, and acknowledged only after its commit: stored gets ACK, not stored
`2 NAK`, never storable `3 NAK`. Identical blocks within the repeat window are one press, answered with what
the first one got, and only a stored one counts as the first. Status goes back when the control station polls;
as control station the hub selects the station that called.

It refuses to decide what an alarm is or whom it rings (the engine does), to answer before the commit, and to
tell a plant "acknowledged" unless its link is set so: many plants take that as the end of the call.
"""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec.structs import replace

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.link import RETURNED, SPOKEN, control_of, door_of, link_of, remembered, says
from alarmhub.inbound.mapping import Telegram, words_of
from alarmhub.inbound.presses import Answer, Presses, begins
from alarmhub.inbound.stream import Connection, Limits
from alarmhub.inbound.supervision import PollHabit
from alarmhub.ports import DeliveryFailed
from protocols.espa444 import LinkMode, PagerSystem, StatusMemory, StatusReport
from protocols.espa444_control import ControlStation
from protocols.espa444_events import (
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    PollSeen,
    Selected,
    SendFailed,
    SendTaken,
    StationHeard,
    StationLost,
    StatusDelivered,
    StatusFailed,
    StatusRequested,
)

REPORT_WITHIN_S: Final = 15.0
"""A status the other side has not taken by then failed; the outbox tries it again."""

Codec = PagerSystem | ControlStation


class EspaSession:
    """One connection of a link: its conversation, and the events it hands to the adapter."""

    def __init__(self, adapter: EspaAdapter, connection: Connection[EspaEvent], codec: Codec) -> None:
        self.codec = codec
        self.connection = connection
        self._adapter = adapter

    async def take(self, event: EspaEvent) -> None:
        """Act on one event, in order."""
        await self._adapter.take(self, event)

    def lost(self, cause: str) -> None:
        """The connection is over."""
        self._adapter.lost(self, cause)


class EspaAdapter:
    """One ESPA link. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: EspaLink, feed: Feed, *, limits: Limits | None = None) -> None:
        self.source = settings.source
        self._settings, self._feed = settings, feed
        self._link = None if settings.controls else link_of(settings)
        if settings.controls:
            limits = replace(limits or Limits(), connections=1)  # two would poll over each other
        self._door = door_of(settings, self._open, feed, limits=limits)
        self._sessions: list[EspaSession] = []
        self._polled: EspaSession | None = None
        self._polling_seen = False
        self._polls_always = False
        self._memory = StatusMemory()
        self._presses = Presses(round(settings.repeat_window_s * 1000))
        self._habit = PollHabit(round(settings.link_down_s * 1000))
        self._reports: dict[str, asyncio.Future[None]] = {}
        self._report_number = 0
        self._bcc_rules: set[str] = set()
        self._lost_stations: set[str] = set()

    async def start(self) -> None:
        """Listen, or begin to connect. Raises OSError when an address to listen on cannot be had."""
        await self._door.start()
        # As a hub before this one has told.
        self._lost_stations = {s for s in self._settings.stations if self._feed.in_trouble(_station(s))}
        settings = self._settings
        polls = self._link is None or self._link.mode is LinkMode.POLLED
        expected_s = None if polls else settings.expected_every_s
        self._feed.supervise(
            down_s=expected_s or settings.link_down_s,
            up_s=settings.link_up_s,
            polls=polls or expected_s is not None,
        )

    @property
    def port(self) -> int:
        """The port listened on; 0 where the hub connects."""
        return self._door.port

    async def close(self) -> None:
        """Close the line; calls already read are still stored."""
        await self._door.close()

    # Connections.

    def _open(self, connection: Connection[EspaEvent]) -> EspaSession:
        codec: Codec
        if self._link is not None:
            codec = PagerSystem(self._link, memory=self._memory, polling_seen=self._polling_seen)
        else:
            codec = ControlStation(control_of(self._settings), memory=self._memory)
        session = EspaSession(self, connection, codec)
        self._sessions.append(session)
        self._feed.connected(connection.peer)
        return session

    def lost(self, session: EspaSession, cause: str) -> None:
        """A connection is over."""
        self._sessions.remove(session)
        if self._polled is session:
            self._polled = None
        self._feed.disconnected(session.connection.peer, cause)

    async def take(self, session: EspaSession, event: EspaEvent) -> None:
        """Act on one event of one connection."""
        match event:
            case BlockReceived():
                self._life()
                await self._call(session, event)
            case PollSeen():
                self._on_poll(session, event)
            case Selected():
                self._habit.select()
                self._life()
            case InformationReceived() | StatusRequested():
                self._life()
            case FrameRefused():
                self._on_refused(session, event)
            case StatusDelivered() | SendTaken():
                self._settle(event.id, None)
            case StatusFailed() | SendFailed():
                self._settle(event.id, event.cause)
            case AnswerUnwanted():
                self._feed.refused("answer_unwanted", fault=False)
            case StationHeard():
                self._on_station(event.station, heard=True)
            case StationLost():
                self._on_station(event.station, heard=False)

    # Calls.

    async def _call(self, session: EspaSession, event: BlockReceived) -> None:
        if event.bcc_rule not in self._bcc_rules:
            self._bcc_rules.add(event.bcc_rule)
            self._feed.habit(f"block check: {event.bcc_rule}")
        feed = self._feed
        press = (event.station, event.block)
        answer = await self._presses.answer(press, feed.now(), lambda: self._store(event))
        codec, now = session.codec, feed.now()
        if answer is Answer.STORED:
            codec.accept(event.token, now)
        elif answer is Answer.BUSY:
            codec.refuse_busy(event.token, now)
        else:
            codec.refuse_invalid(event.token, now)
        feed.answered(_ANSWERS[answer])
        session.connection.flush()

    async def _store(self, event: BlockReceived) -> tuple[Answer, bool]:
        """Map and store one call; what to answer, and whether it begins something (or ends it)."""
        telegram = Telegram(event.address, event.text, event.priority, event.call_type)
        # A status goes back to the station that called.
        signals = self._feed.map(replace(words_of(telegram), origin=event.station))
        stored = await self._feed.store(*signals)
        return stored.answer, begins(signals[0])

    # Status back.

    async def report(self, report: Report, alarm: str) -> None:
        """Tell the plant what became of a call (`feed.Adapter`). Returns once it has taken it, or when there
        is nothing to say on this link. Raises DeliveryFailed when it did not take it."""
        status, ref, text = report.status, report.ref, report.source_text or None
        if status is ReportStatus.ACCEPTED and self._takes_back(ref, text):
            status = ReportStatus.PAGED
        spoken = SPOKEN.get(status)
        if spoken is None:
            return
        if not says(self._settings, status):
            if remembered(self._settings, status):
                self._memory.note(ref, text, spoken)
            return
        if self._link is not None and not self._link.takes_status:
            raise DeliveryFailed("this link is never polled, nothing can be sent back")
        session = self._polled or (self._sessions[-1] if self._sessions else None)
        if session is None:
            raise DeliveryFailed("no connection")
        self._report_number += 1
        said = StatusReport(f"{alarm}:{self._report_number}", ref, text, spoken)
        await self._say(session, said, report.origin)

    def _takes_back(self, ref: str, text: str | None) -> bool:
        """Whether a plant that must not hear "acknowledged" has to hear that its call is not returned any
        more. What a hub before this one has told is not known: to hear "paged" once more is no harm."""
        settings = self._settings
        if settings.accepted_status or not settings.paged_status:
            return False
        if self._link is not None and not self._link.takes_status:
            return False
        return self._memory.last(ref, text) in (None, *RETURNED)

    async def _say(self, session: EspaSession, said: StatusReport, station: str) -> None:
        """Hand a status to the codec and wait until the other side has taken it."""
        codec = session.codec
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reports[said.id] = taken
        try:
            if isinstance(codec, ControlStation):
                station = station if station in self._settings.stations else self._settings.stations[0]
                queued = codec.send_status(said, station, self._feed.now())
                session.connection.flush()
            else:
                queued = codec.queue_status(said)
            if not queued:
                raise DeliveryFailed("too many reports are waiting")
            async with asyncio.timeout(REPORT_WITHIN_S):
                await taken
        except TimeoutError as error:
            raise DeliveryFailed("not taken in time") from error
        finally:
            del self._reports[said.id]
            codec.forget(said.id)

    def _settle(self, report_id: str, cause: str | None) -> None:
        taken = self._reports.get(report_id)
        if taken is None or taken.done():
            return
        if cause is None:
            taken.set_result(None)
        else:
            taken.set_exception(DeliveryFailed(str(cause)))

    # The link itself.

    def _life(self) -> None:
        """Something was said. A line is no more alive than its deadest station: that one's calls are lost."""
        if not self._lost_stations:
            self._feed.life()

    def _on_poll(self, session: EspaSession, event: PollSeen) -> None:
        self._polling_seen = self._polling_seen or bool(getattr(session.codec, "polling_seen", False))
        if event.mine:
            self._polled = session
        if self._settings.mode == "auto" and self._habit.poll(self._feed.now()):
            self._on_habit()
        self._life()

    def _on_habit(self) -> None:
        settings = self._settings
        if settings.expected_every_s is None:
            self._feed.speaks_all_the_time()
        elif not self._polls_always:
            # Now its silence is known much sooner.
            self._feed.supervise(down_s=settings.link_down_s, up_s=settings.link_up_s, polls=True)
        self._polls_always = True

    def _on_station(self, station: str, *, heard: bool) -> None:
        what = _station(station)
        if heard and station in self._lost_stations:
            self._lost_stations.remove(station)
            self._feed.well(what)
        elif not heard and station not in self._lost_stations:
            self._lost_stations.add(station)
            self._feed.trouble(
                what, f"Station {station} på linjen svarar inte", f"Station {station} of the line is silent"
            )
        if heard:
            self._life()

    def _on_refused(self, session: EspaSession, event: FrameRefused) -> None:
        if event.answer:
            self._feed.answered(f"{event.answer} NAK")
        self._feed.refused(
            event.cause.name.lower(),
            str(event.cause),
            peer=session.connection.peer,
            # What could not be stored is no fault of the plant's.
            fault=event.cause is not Cause.NOT_STORED,
        )


def _station(address: str) -> str:
    return f"station {address}"


_ANSWERS: Final = {Answer.STORED: "ACK", Answer.BUSY: "2 NAK", Answer.INVALID: "3 NAK"}
