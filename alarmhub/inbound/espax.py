"""ESPA-X in: one adapter a link, the hub as the system that pages, its clients as those that call.

A P-START is mapped, handed to the engine and answered 200 only after its commit; the same CP-PR-REF while its
alarm is open gets 450 with the number it has, across a restart too; what could not be stored 503, what never
can 400. A P-STOP ends the alarm it names; 410 when there is none; 406 when it names nothing, or a process in
a state it does not ask to be stopped in: no call ends by mistake. Numbers (SP-PR-TAN) come from the alarm's
id, states from the open alarms, the client's own words from the alarm's origin: a restart loses none of it.

What became of a call goes to the session that began it, else to the newest of the same client. ESPA-X
confirms no indication, so when sessions are lost, the one that is left or comes next is told the state of
what they had begun again.

It refuses to decide what an alarm is or whom it rings, to answer before the commit, to end an unnamed call,
and to serve a client that has not logged in. Presence by P-START is taken, its P-STOP is not undone.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from alarmhub.core.alarm import Alarm
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.inbound.espax_login import LoginGuard
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.espax_words import (
    ACTIVE,
    NONE,
    Process,
    call_words,
    details_of,
    key_of,
    map_call,
    origin_of,
    process_fields,
    result_of,
    state_of,
    status_of,
    tan_of,
    told,
)
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import clean
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from alarmhub.inbound.tls import server_context
from alarmhub.ports import DeliveryFailed
from protocols.espax_events import (
    EspaxEvent,
    Heard,
    LoggedOut,
    LoginAsked,
    MessageRefused,
    SessionLapsed,
    StartAsked,
    StatusAsked,
    StopAsked,
)
from protocols.espax_session import PagingServer, Server

PROCESSES_REMEMBERED: Final = 20_000
CODES: Final = {Answer.BUSY: 503, Answer.INVALID: 400}
_BEGINS: Final = (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE)


class EspaxSession:
    """One connection of a link: its conversation, and the events it hands to the adapter."""

    def __init__(
        self, adapter: EspaxAdapter, connection: Connection[EspaxEvent], codec: PagingServer
    ) -> None:
        self.codec = codec
        self.connection = connection
        self.admitted = False
        self._adapter = adapter

    async def take(self, event: EspaxEvent) -> None:
        """Act on one event, in order."""
        await self._adapter.take(self, event)

    def lost(self, cause: str) -> None:
        """The connection is over."""
        self._adapter.lost(self, cause)

    @property
    def host(self) -> str:
        """The address it came from, without its port."""
        return self.connection.peer.rpartition(":")[0]


class EspaxAdapter:
    """One ESPA-X link. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: EspaxLink, feed: Feed, *, limits: Limits | None = None) -> None:
        self._settings, self._feed = settings, feed
        self._guard = LoginGuard(settings.user, settings.password)
        self._server: StreamServer[EspaxEvent] = StreamServer(
            self._open,
            crew=feed.crew,
            clock=feed.clock,
            limits=limits or Limits(connections=settings.connections),
            name=f"espax {settings.source}",
        )
        self._presented = Server(
            name=settings.server_name,
            software=settings.server_software,
            login_within_ms=round(settings.login_within_s * 1000),
            session_limit_ms=round(settings.session_limit_s * 1000),
        )
        self._sessions: list[EspaxSession] = []
        self._processes: OrderedDict[str, tuple[Process, EspaxSession | None]] = OrderedDict()
        self._alarms: OrderedDict[int | str, str] = OrderedDict()  # by SP-PR-TAN and by key
        # Keys used for a second call, from elsewhere, while the first was open (`core.addressing`).
        self._shared: OrderedDict[int | str, None] = OrderedDict()
        self._storing = self._told_storing = True

    async def start(self) -> None:
        """Listen. Raises OSError when the address, or the certificate, cannot be had."""
        settings = self._settings
        tls = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            tls = server_context(settings.tls_cert, settings.tls_key)
        host, port = settings.listens() or ("", 0)
        await self._server.start(host, port, tls=tls)
        self._feed.listening(f"{host}:{self.port}")
        self._feed.supervise(down_s=settings.link_down_s, up_s=settings.link_up_s, polls=True)

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port

    async def close(self) -> None:
        """Say so to every client and stop; calls already read are still stored."""
        for session in list(self._sessions):
            session.codec.shut_down("Service", "Quick", self._feed.now())
            session.connection.flush()
        await self._server.close()

    # Connections.

    def _open(self, connection: Connection[EspaxEvent]) -> EspaxSession:
        codec = PagingServer(
            self._presented, stamp=self._stamp, now=self._feed.now(), condition=self._condition
        )
        session = EspaxSession(self, connection, codec)
        self._sessions.append(session)
        return session

    def lost(self, session: EspaxSession, cause: str) -> None:
        """A connection is over."""
        self._sessions.remove(session)
        if not session.admitted:
            return
        self._feed.disconnected(session.connection.peer, cause)
        heir = self._newest()
        if heir is not None:
            begun = {alarm for alarm, (_, began) in self._processes.items() if began is session}
            self._tell_again(heir, begun)
            heir.connection.flush()

    async def take(self, session: EspaxSession, event: EspaxEvent) -> None:
        """Act on one event of one connection."""
        if session.admitted:
            self._feed.life()
        else:
            # Whoever talks without logging in is the first to go when there are too many.
            session.connection.useful_at = 0
        match event:
            case StartAsked():
                await self._start(session, event)
                self._tell_condition()
            case StopAsked():
                await self._stop(session, event)
                self._tell_condition()
            case StatusAsked():
                self._status(session, event)
            case LoginAsked():
                self._login(session, event)
            case MessageRefused():
                cause = f"{event.code} {event.why}"
                peer = session.connection.peer
                self._feed.refused(_reason(event), cause, peer=peer, fault=session.admitted)
            case SessionLapsed():
                cause = f"no heartbeat for {event.after_ms / 1000:g} s"
                self._feed.refused("no_heartbeat", cause, peer=session.connection.peer)
            case Heard() | LoggedOut():
                pass

    def _login(self, session: EspaxSession, event: LoginAsked) -> None:
        now, peer = self._feed.now(), session.connection.peer
        if self._guard.put_off(session.host, now):
            self._feed.refused("login_put_off", "too many wrong logins", peer=peer)
            session.codec.deny(event.token, 503, "too many wrong logins, try again in a minute", now)
        elif not self._guard.check(event.user, event.password, session.host, now):
            self._feed.refused("wrong_login", "wrong user or password", peer=peer)
            session.codec.deny(event.token, 401, "wrong user or password", now)
        else:
            first = self._newest() is None
            number = f"{self._stamp(now).translate(_DIGITS_ONLY)}.{secrets.token_hex(8)}"
            session.codec.admit(event.token, number, now)
            if not session.admitted:
                session.admitted = True
                session.connection.useful_at = now
                self._feed.connected(peer)
                self._feed.habit(f"client: {clean(event.client, 30)} {clean(event.software, 30)}".strip())
            self._feed.life()
            if first:
                self._tell_again(session)
        session.connection.flush()

    def _tell_again(self, session: EspaxSession, begun: Collection[str] | None = None) -> None:
        """What was said last may be lost with sessions that are gone: of calls `begun` there, or of all."""
        for alarm in self._open_alarms():
            if begun is not None and alarm.id not in begun:
                continue
            if result_of(alarm) != NONE and (self._settings.accepted_status or state_of(alarm) == ACTIVE):
                element, fields = status_of(alarm, self._stamp, asked=False)
                session.codec.tell(element, fields, self._feed.now())

    def _newest(self) -> EspaxSession | None:
        """The session that was opened last, of those that are logged in."""
        return next((session for session in reversed(self._sessions) if session.codec.open), None)

    # Calls.

    async def _start(self, session: EspaxSession, event: StartAsked) -> None:
        feed, codec = self._feed, session.codec
        words = call_words(event.fields, feed.now())
        signals = feed.guarded(words, lambda words, rules, site: map_call(words, event.fields, rules, site))
        stored = await feed.store(*signals)
        self._storing = stored.answer is not Answer.BUSY
        now = feed.now()
        if stored.answer is not Answer.STORED:
            code = CODES[stored.answer]
            codec.answer_start(event.token, code, 0, now, info=stored.why or None)
            feed.answered(f"RSP.P-START {code}")
            session.connection.flush()
            return
        outcomes = [outcome for outcome in stored.outcomes if outcome is not None and outcome.alarm]
        alarm = (outcomes[0].alarm if outcomes else None) or ""
        begins = bool(alarm) and signals[0].event in _BEGINS
        new = any(outcome.new for outcome in outcomes)
        code = 450 if begins and not new else 200
        tan = tan_of(alarm or f"{feed.source}/{words.ref}/{event.token}")
        if begins:
            self._remember(alarm, (tan, words.key), session)
        codec.answer_start(event.token, code, tan, now)
        feed.answered(f"RSP.P-START {code}")
        origin = origin_of(words.origin)
        if begins and new and details_of(origin, self._settings)[0]:
            fields = process_fields(origin, tan, words.text, self._stamp) | {"SP-STATUS": "Queued"}
            codec.tell("IND.P-STARTED", fields, now)
        session.connection.flush()

    async def _stop(self, session: EspaxSession, event: StopAsked) -> None:
        code, info = await self._stopped(event)
        session.codec.answer(event.token, code, self._feed.now(), info=info)
        self._feed.answered(f"RSP.P-STOP {code}")
        session.connection.flush()

    async def _stopped(self, event: StopAsked) -> tuple[int, str | None]:
        """The answer to a P-STOP, and why."""
        key = key_of({"CP-PR-REF": event.ref})
        named = self._named(event)
        if not key and event.tan is None:
            return 406, "name the process by CP-PR-REF or SP-PR-TAN"
        if len(named) > 1:
            return 409, f"{len(named)} processes of this CP-PR-REF run: name one by SP-PR-TAN"
        alarm = named[0] if named else None
        if alarm is None and (not key or _limited(event.mask)):
            return 410, None
        if alarm is not None and not _within(alarm, event.mask):
            return 406, f"the process is {state_of(alarm)}"
        process = self._process(alarm.id) if alarm is not None else Process()
        process.stopped = True
        end = Signal(
            self._feed.source,
            SignalEvent.END,
            key=key if alarm is None else alarm.key,
            ref=key if alarm is None else alarm.ref,
            mapped_by=("espax:p_stop",),
        )
        stored = await self._feed.store(end)
        self._storing = stored.answer is not Answer.BUSY
        if stored.answer is not Answer.STORED:
            process.stopped = False
            return CODES[stored.answer], stored.why or None
        outcome = stored.outcomes[0]
        return (200, None) if outcome is not None and outcome.alarm else (410, None)

    def _status(self, session: EspaxSession, event: StatusAsked) -> None:
        codec, now = session.codec, self._feed.now()
        asked_one = bool(event.ref) or event.tan is not None
        found = self._named(event) if asked_one else list(self._open_alarms())
        if asked_one and not found:
            codec.answer(event.token, 410, now)
        else:
            codec.answer(event.token, 200, now)
            for alarm in sorted(found, key=lambda alarm: alarm.id):
                if _within(alarm, event.mask):
                    element, fields = status_of(alarm, self._stamp, asked=True)
                    codec.tell(element, fields, now)
            codec.tell("IND.P-SYNC", {}, now)
        session.connection.flush()

    def _named(self, event: StopAsked | StatusAsked) -> list[Alarm]:
        """The open alarm a request names: by its number, else by the client's own reference."""
        key = key_of({"CP-PR-REF": event.ref})
        if event.tan is not None:
            found = self._found(event.tan, lambda alarm: tan_of(alarm.id) == event.tan)
            if found or not key:
                return found
        elsewhere = f"{key}|"
        return self._found(key, lambda alarm: alarm.key == key or alarm.key.startswith(elsewhere))

    def _found(self, name: int | str, fits: Callable[[Alarm], bool]) -> list[Alarm]:
        """As remembered; else, after a restart, by looking at all that is open."""
        known = None if name in self._shared else self._alarms.get(name)
        alarm = self._feed.hub.open_alarm(known) if known is not None else None
        if alarm is not None and fits(alarm):
            return [alarm]
        return [alarm for alarm in self._open_alarms() if fits(alarm)]

    def _open_alarms(self) -> Iterator[Alarm]:
        return (alarm for alarm in self._feed.hub.open_alarms() if alarm.source == self._feed.source)

    def _remember(self, alarm: str, names: tuple[int | str, ...], session: EspaxSession) -> None:
        self._processes[alarm] = (self._process(alarm), session)
        while len(self._processes) > PROCESSES_REMEMBERED:
            self._processes.popitem(last=False)
        for name in names:
            if not name:
                continue
            before = self._alarms.get(name, alarm)
            if before != alarm and self._feed.hub.open_alarm(before) is not None:
                self._shared[name] = None
            self._alarms[name] = alarm
        while len(self._shared) > PROCESSES_REMEMBERED:
            self._shared.popitem(last=False)
        while len(self._alarms) > 2 * PROCESSES_REMEMBERED:
            self._alarms.popitem(last=False)

    def _process(self, alarm: str) -> Process:
        return self._processes.setdefault(alarm, (Process(), None))[0]

    # Status back.

    async def report(self, report: Report, alarm: str) -> None:
        """Tell the client what became of a call (`feed.Adapter`). Returns once it is written, or when there
        is nothing to say. Raises DeliveryFailed while no client is logged in."""
        known = self._processes.get(alarm)
        session = known[1] if known is not None else None
        if session is None or not session.codec.open or session.connection.over:
            session = self._newest()
            if session is None:
                raise DeliveryFailed("no client is logged in")
        said = told(report, alarm, self._process(alarm), self._settings, self._stamp)
        for element, fields in said:
            session.codec.tell(element, fields, self._feed.now())
            self._feed.answered(f"{element} {report.status}")
        session.connection.flush()
        if report.status is ReportStatus.ENDED:
            self._processes.pop(alarm, None)
            for name in (tan_of(alarm), report.key):
                if self._alarms.get(name) == alarm:
                    del self._alarms[name]

    def _tell_condition(self) -> None:
        """Clients hear when the hub cannot store, and when it can again; whoever asked, after the answer."""
        if self._storing == self._told_storing:
            return
        self._told_storing = self._storing
        for session in self._sessions:
            health, load = self._condition()
            fields: dict[str, str | None] = {"S-HEALTH": health, "S-HOTSTBY": "false", "S-LOAD": load}
            if session.codec.tell("IND.S-SYSTEM", fields, self._feed.now()):
                session.connection.flush()

    def _condition(self) -> tuple[str, str]:
        well = self._storing and self._feed.hub.storing
        return ("OK", "Normal") if well else ("Problem detected", "Unknown")

    def _stamp(self, at: int) -> str:
        local = datetime.fromtimestamp(at / 1000, ZoneInfo(self._feed.site().zone))
        return local.strftime("%Y-%m-%dT%H:%M:%S")


_DIGITS_ONLY: Final = str.maketrans("", "", "-T:")


def _reason(event: MessageRefused) -> str:
    """The word of the metrics for a refusal."""
    if event.code in (401, 407):
        return "not_logged_in"
    return "not_wellformed" if event.code in (600, 601) else "invalid_message"


def _limited(mask: frozenset[str]) -> bool:
    return bool(mask) and "All" not in mask


def _within(alarm: Alarm, mask: frozenset[str]) -> bool:
    return not _limited(mask) or state_of(alarm) in mask
