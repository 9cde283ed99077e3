"""ESPA 4.4.4 in: one adapter per link, the hub as pager system and TCP server.

A call is mapped, handed to the engine, and acknowledged only after its commit: stored gets ACK, not stored
`2 NAK`, never storable `3 NAK`. Identical blocks within the repeat window are one press, answered with what
the first one got, and only a stored one counts as the first. Status goes back when the control station polls.

It refuses to decide what an alarm is or whom it rings (the engine does), to answer before the commit, and to
tell a plant "acknowledged" unless its link is set so: many plants take that as the end of the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.effects import ReportStatus
from alarmhub.core.events import Signal
from alarmhub.core.site import Site, SourceRules
from alarmhub.inbound.link import SPOKEN, LinkSettings, News, link_of, remembered, says
from alarmhub.inbound.mapping import Telegram, map_telegram, unmapped
from alarmhub.inbound.presses import Answer, Presses, begins
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from alarmhub.inbound.supervision import (
    FaultTally,
    LinkState,
    LinkWatch,
    PollHabit,
)
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, Intake, NotStored, Refused
from alarmhub.tasks import Crew
from protocols.espa444 import LinkMode, PagerSystem, StatusMemory, StatusReport
from protocols.espa444_events import (
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    PollSeen,
    Selected,
    StatusDelivered,
    StatusFailed,
    StatusRequested,
)

REPORT_WITHIN_S: Final = 15.0
"""A status the control station has not taken by then failed; the outbox tries it again."""

_log = logs.get("espa")


class EspaSession:
    """One connection of a link: its conversation, and the events it hands to the adapter."""

    def __init__(self, adapter: EspaAdapter, connection: Connection[EspaEvent], codec: PagerSystem) -> None:
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

    def __init__(
        self,
        settings: LinkSettings,
        *,
        intake: Intake,
        site: Callable[[], Site],
        news: News,
        clock: Clock,
        crew: Crew,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.source = settings.source
        self._settings = settings
        self._link = link_of(settings)
        self._intake, self._site, self._news = intake, site, news
        self._clock, self._crew, self._metrics = clock, crew, metrics
        self._server: StreamServer[EspaEvent] = StreamServer(
            self._open, crew=crew, clock=clock, limits=limits, name=f"espa {self.source}"
        )
        self._sessions: list[EspaSession] = []
        self._polled: EspaSession | None = None
        self._polling_seen = False
        self._memory = StatusMemory()
        self._presses = Presses(round(settings.repeat_window_s * 1000))
        down_ms = round(settings.link_down_s * 1000)
        self._watch = LinkWatch(
            self.source,
            down_ms=down_ms,
            up_ms=round(settings.link_up_s * 1000),
            now=clock.now(),
            polls=self._link.mode is LinkMode.POLLED,
        )
        self._habit = PollHabit(down_ms)
        self._tally = FaultTally(self.source)
        self._checking: asyncio.TimerHandle | None = None
        self._reports: dict[str, asyncio.Future[None]] = {}
        self._report_number = 0
        self._bcc_rules: set[str] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        host, port = self._settings.address()
        await self._server.start(host, port)
        _log.info(Line.LISTENING, door="espa", source=self.source, address=f"{host}:{self.port}")
        self._watch_on()

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port

    @property
    def state(self) -> LinkState:
        """Whether the link counts as up."""
        return self._watch.state

    async def close(self) -> None:
        """Stop listening; calls already read are still stored."""
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        await self._server.close()

    # Connections.

    def _open(self, connection: Connection[EspaEvent]) -> EspaSession:
        codec = PagerSystem(self._link, memory=self._memory, polling_seen=self._polling_seen)
        session = EspaSession(self, connection, codec)
        self._sessions.append(session)
        _log.info(Line.SOURCE_CONNECTED, source=self.source, peer=connection.peer)
        self._watch.connected(self._clock.now(), True)
        self._watch_on()
        return session

    def lost(self, session: EspaSession, cause: str) -> None:
        """A connection is over."""
        self._sessions.remove(session)
        if self._polled is session:
            self._polled = None
        _log.info(Line.SOURCE_CLOSED, source=self.source, peer=session.connection.peer, cause=cause)
        if not self._sessions:
            self._watch.connected(self._clock.now(), False)
        self._watch_on()

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
            case StatusDelivered():
                self._settle(event.id, None)
            case StatusFailed():
                self._settle(event.id, event.cause)
            case AnswerUnwanted():
                self._count_refusal("answer_unwanted")

    # Calls.

    async def _call(self, session: EspaSession, event: BlockReceived) -> None:
        if event.bcc_rule not in self._bcc_rules:
            self._bcc_rules.add(event.bcc_rule)
            _log.info(Line.SOURCE_HABIT, source=self.source, habit=f"block check: {event.bcc_rule}")
        answer = await self._presses.answer(event.block, self._clock.now(), lambda: self._store(event))
        codec, now = session.codec, self._clock.now()
        if answer is Answer.STORED:
            codec.accept(event.token, now)
        elif answer is Answer.BUSY:
            codec.refuse_busy(event.token, now)
        else:
            codec.refuse_invalid(event.token, now)
        session.connection.flush()

    async def _store(self, event: BlockReceived) -> tuple[Answer, bool]:
        """Map and store one call; what to answer, and whether it begins something (or ends it)."""
        signals = self._map(Telegram(event.address, event.text, event.priority, event.call_type))
        results = await asyncio.gather(
            *(self._intake.signal(signal) for signal in signals), return_exceptions=True
        )
        answer = Answer.STORED
        for result in results:
            if isinstance(result, NotStored):
                answer = Answer.BUSY
                _log.warning(Line.SIGNAL_REFUSED, source=self.source, reason=result.why)
                self._count_refusal("not_stored")
            elif isinstance(result, Refused):
                answer = Answer.INVALID if answer is Answer.STORED else answer
                _log.warning(Line.SIGNAL_REFUSED, source=self.source, reason=str(result))
                self._count_refusal("invalid")
            elif isinstance(result, BaseException):
                raise result
        return answer, begins(signals[0])

    def _map(self, telegram: Telegram) -> tuple[Signal, ...]:
        site = self._site()
        rules = self._rules(site)
        try:
            return map_telegram(telegram, rules, site)
        except Exception as error:  # noqa: BLE001  whatever is wrong with the rules, the call still rings
            _log.error(Line.SOURCE_FAULT, exc=error, source=self.source, cause="mapping failed")
            return (unmapped(telegram, rules, site, "mapping_failed"),)

    def _rules(self, site: Site) -> SourceRules:
        """The source's rules; a source the site does not know has none, and its calls still ring."""
        separator = self._settings.address_separator
        rules = site.sources.get(self.source)
        if rules is None:
            return SourceRules(
                self.source, self.source, site.site, fallback_unit="", list_separator=separator
            )
        return rules if rules.list_separator is not None else replace(rules, list_separator=separator)

    # Status back.

    async def report(self, *, status: ReportStatus, ref: str, source_text: str, alarm: str) -> None:
        """Tell the control station what became of a call (`ports.Reporter`). Returns once it has taken it, or
        when there is nothing to say on this link. Raises DeliveryFailed when it did not take it."""
        spoken = SPOKEN[status]
        text = source_text or None
        if not says(self._settings, status):
            if remembered(self._settings, status):
                self._memory.note(ref, text, spoken)
            return
        if not self._link.takes_status:
            raise DeliveryFailed("this link is never polled, nothing can be sent back")
        session = self._polled or (self._sessions[-1] if self._sessions else None)
        if session is None:
            raise DeliveryFailed("no connection")
        self._report_number += 1
        report_id = f"{alarm}:{self._report_number}"
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not session.codec.queue_status(StatusReport(report_id, ref, text, spoken)):
            raise DeliveryFailed("too many reports are waiting")
        self._reports[report_id] = taken
        try:
            async with asyncio.timeout(REPORT_WITHIN_S):
                await taken
        except TimeoutError as error:
            raise DeliveryFailed("not polled in time") from error
        finally:
            del self._reports[report_id]
            session.codec.forget_status(report_id)

    def _settle(self, report_id: str, cause: str | None) -> None:
        taken = self._reports.get(report_id)
        if taken is None or taken.done():
            return
        if cause is None:
            taken.set_result(None)
        else:
            taken.set_exception(DeliveryFailed(str(cause)))

    # The link itself.

    def _on_poll(self, session: EspaSession, event: PollSeen) -> None:
        self._polling_seen = self._polling_seen or session.codec.polling_seen
        if event.mine:
            self._polled = session
        if self._link.mode is LinkMode.AUTO and self._habit.poll(self._clock.now()):
            self._watch.polls = True
        self._life()

    def _life(self) -> None:
        self._watch.life(self._clock.now())
        self._watch_on()

    def _on_refused(self, session: EspaSession, event: FrameRefused) -> None:
        self._count_refusal(event.cause.name.lower())
        if event.cause is Cause.NOT_STORED:
            return  # no fault of the plant's
        _log.warning(
            Line.SOURCE_FAULT,
            source=self.source,
            peer=session.connection.peer,
            cause=str(event.cause),
            answer=event.answer,
        )
        news = self._tally.fault(str(event.cause), self._clock.now())
        if news is not None:
            self._news.fault(news)

    def _count_refusal(self, reason: str) -> None:
        if self._metrics is not None:
            self._metrics.refusals.labels("espa", reason).inc()

    def _watch_on(self) -> None:
        """Look again when the watch may have news. A look too early costs nothing, so it is not re-armed."""
        if self._checking is None and (due := self._watch.next_check()) is not None:
            wait_s = max(0.001, (due - self._clock.now()) / 1000)
            self._checking = asyncio.get_running_loop().call_later(wait_s, self._check)

    def _check(self) -> None:
        self._checking = None
        changed = self._watch.check(self._clock.now())
        if changed is not None:
            self._news.link(changed)
        self._watch_on()
