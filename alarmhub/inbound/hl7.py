"""HL7 v2 over MLLP in: the hub as Alert Manager of IHE ACM (PCD-04 in, PCD-05 back). One adapter per line.

A message is read, mapped, handed to the engine, and acknowledged (CA, or AA in the original mode) only after
its commit; what is not taken is answered with the field at fault (CE), or with why it never will be (CR).
What became of an alert goes back to its reporter as statuses, on the same or on a connection of our own.

It refuses to answer before the commit, to answer an acknowledgement, to take clinical alarms of a source that
no named person has enabled, and to pass on anything of PID unless the line says so.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from msgspec.structs import replace

from alarmhub.core.effects import Report
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.core.site import Site, SourceRules
from alarmhub.inbound.feed import Feed, Stored
from alarmhub.inbound.hl7_held import Held
from alarmhub.inbound.hl7_session import Caller, Hl7Session, taken
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.inbound.hl7_status import Statuses
from alarmhub.inbound.hl7_watchdog import MISSED, Watchdogs
from alarmhub.inbound.hl7_words import key_of, party_of, text_of, words_of
from alarmhub.inbound.mapping import Words, effective, map_words
from alarmhub.inbound.peers import Peers
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from alarmhub.inbound.tls import client_context, server_context
from alarmhub.ports import DeliveryFailed
from alarmhub.tasks import end, spawn
from protocols.hl7 import Message, Unreadable, composed, read
from protocols.hl7_ack import Party, ack, answer_code, read_ack, verdict_of
from protocols.mllp import Fault, FrameRefused, Framing, MllpEvent
from protocols.pcd04 import Alert, Phase, Problem, read_alerts

EVENTS_WAITING: Final = 8
"""Messages read and not yet taken, for each connection; then reading stops."""
REFRESHED_REMEMBERED: Final = 4_096
_BEGINNING: Final = frozenset({SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE})
_REFRESHING: Final = frozenset({Phase.CONTINUE, Phase.PRESENT})


class Hl7Adapter:
    """One HL7 line. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: Hl7Link, feed: Feed) -> None:
        self.source = settings.source
        self._settings, self._feed = settings, feed
        limits = Limits(connections=settings.connections, events_waiting=EVENTS_WAITING)
        self._limits = limits
        self._server: StreamServer[MllpEvent] = StreamServer(
            self._open,
            crew=feed.crew,
            clock=feed.clock,
            limits=limits,
            name=f"hl7 {self.source}",
            admits=self._admits,
        )
        self._peers = Peers(settings.allow)
        self._sessions: list[Hl7Session] = []
        self._caller: Caller | None = None
        self._calling: asyncio.Task[None] | None = None
        self._statuses = Statuses(settings)
        self._held = Held(feed, self._tell)
        self._watchdogs = Watchdogs()
        self._watching: asyncio.TimerHandle | None = None
        self._planned = False
        self._spoke_at = 0
        self._untold: set[str] = set()  # reporters that fell silent while nobody else was heard either
        self._refreshed: dict[str, tuple[str, int]] = {}
        self._number = 0
        self._started_at = 0

    async def start(self) -> None:
        """Listen, and begin to connect where statuses go. Raises OSError when the door cannot be had or a
        certificate cannot be used."""
        line = self._settings
        tls: ssl.SSLContext | None = None
        if line.tls_cert_file is not None and line.tls_key_file is not None:
            tls = server_context(line.tls_cert_file, line.tls_key_file, client_ca=line.tls_client_ca_file)
        address = line.listens()
        if address is not None:
            await self._server.start(*address, tls=tls)
            self._feed.listening(f"{address[0]}:{self.port}")
        self._started_at = self._feed.now()
        # A reporter that was shut down on purpose before a restart of the hub still is.
        self._planned = self._feed.in_trouble("planned")
        if not self._planned:
            self._supervise()
        self._call()

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port

    async def close(self) -> None:
        """Stop listening and connecting; alerts already read are still stored."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        self._held.close()
        if self._caller is not None:
            self._caller.close()
        await end(self._calling)
        await self._server.close()

    # Connections

    def _admits(self, host: str) -> bool:
        if self._peers.allows(host):
            return True
        self._feed.refused("not_allowed", "address is not allowed", peer=host, fault=False)
        return False

    def _open(self, connection: Connection[MllpEvent]) -> Hl7Session:
        session = self._session(connection)
        self._sessions.append(session)
        self._feed.connected(connection.peer)
        return session

    def _session(self, connection: Connection[MllpEvent]) -> Hl7Session:
        return Hl7Session(self, connection, Framing(max_message_bytes=self._settings.message_limit))

    def lost(self, session: Hl7Session, cause: str) -> None:
        """A connection is over."""
        if session in self._sessions:
            self._sessions.remove(session)
            self._feed.disconnected(session.connection.peer, cause)

    def _call(self) -> None:
        address = self._settings.connects()
        if address is None:
            return
        line, feed = self._settings, self._feed
        self._caller = Caller(
            address,
            self._session,
            tls=client_context(line.status_ca_file) if line.status_tls else None,
            clock=feed.clock,
            crew=feed.crew,
            limits=self._limits,
            patience_s=line.link_down_s,
            in_trouble=feed.in_trouble("status"),
            trouble=self._status_trouble,
            well=lambda: feed.well("status"),
        )
        self._calling = spawn(self._caller.run(), f"hl7 status {self.source}", feed.crew, ends=True)

    def _status_trouble(self, cause: str) -> None:
        name = self._feed.rules().name
        self._feed.trouble(
            "status",
            f"{name} får inga svar om sina larm: {cause}",
            f"{name} is not told what becomes of its alarms: {cause}",
        )

    # Messages

    async def take(self, session: Hl7Session, event: MllpEvent) -> None:
        """Act on one message of one connection, and answer it."""
        if isinstance(event, FrameRefused):
            self._refused_frame(session, event)
            return
        message = read(event.data)
        if isinstance(message, Unreadable):
            self._feed.refused("unreadable", message.cause, peer=session.connection.peer)
            return
        if message.header.text(9).upper() in ("ACK", "MCF"):
            self._acknowledged(session, message)
            return
        self._spoken(session, message)
        alerts = _header_problems(message) or read_alerts(
            message, with_patient=self._settings.patient != "none"
        )
        problems = tuple(one for one in alerts if isinstance(one, Problem))
        if not problems:
            problems = await self._take_alerts(message, [one for one in alerts if isinstance(one, Alert)])
        elif message.header.text(11).upper() in ("", "P"):
            self._feed.refused("faulty_message", _in_words(problems), peer=session.connection.peer)
        else:
            self._feed.refused("not_production", _in_words(problems), fault=False)
        self._answer(session, message, problems)

    def _refused_frame(self, session: Hl7Session, event: FrameRefused) -> None:
        self._feed.refused(event.fault, f"MLLP: {event.fault}", peer=session.connection.peer)
        if event.fault is not Fault.TOO_LONG:
            return
        head = read(event.head)
        if isinstance(head, Message):
            limit = self._settings.message_limit
            self._answer(session, head, (Problem(207, f"message longer than {limit} bytes", rejected=True),))

    def _spoken(self, session: Hl7Session, message: Message) -> None:
        sender = party_of(message, 3)
        session.heard(sender)
        self._spoke_at = self._feed.now()
        self._feed.life()
        if self._planned:
            self._planned = False
            self._feed.well("planned")
            self._supervise()
        if self._watchdogs.spoke(sender, self._feed.now()):
            self._feed.well(f"watchdog {sender}")
        self._untold.discard(sender)
        while self._untold:
            # The line lives, so that no news of the line tells of these any more.
            self._tell_silent(self._untold.pop())

    def _answer(self, session: Hl7Session, message: Message, problems: tuple[Problem, ...]) -> None:
        code = answer_code(message, verdict_of(problems))
        if code is None:
            return
        me = Party(composed(*self._settings.application.split("^")), composed(self._settings.facility))
        session.send(
            ack(message, code, control_id=self._control_id(), at=self._feed.now(), me=me, problems=problems)
        )
        self._feed.answered(" ".join((code, _in_words(problems))).strip())

    def _control_id(self) -> str:
        """Unique with MSH-3, also after a restart; at most 20 characters (v2.6)."""
        self._number += 1
        return f"{self._started_at:x}-{self._number:x}"

    # Alerts

    async def _take_alerts(self, message: Message, alerts: list[Alert]) -> tuple[Problem, ...]:
        """Store what these alerts mean; why not, if not."""
        signals: list[Signal] = []
        for number, alert in enumerate(alerts):
            if alert.watchdog:
                self._watchdog(party_of(message, 3), alert)
            elif not self._only_refreshes(alert, message):
                signals += self._signals(alert, message, number)
        if any(self._clinical_off(signal) for signal in signals):
            why = (
                f"clinical alarms of {self.source} are off until a responsible person has enabled them"
                " (clinical_enabled_by in the site file)"
            )
            self._feed.refused("clinical_off", why, fault=False)
            return (Problem(207, why, rejected=True),)
        if not signals and any(alert.watchdog for alert in alerts) and not self._feed.hub.storing:
            # It asks whether an alert would be taken, and now none would.
            return (Problem(207, "nothing can be stored now"),)
        stored = await self._feed.store(*signals) if signals else Stored(Answer.STORED)
        if stored.answer is Answer.STORED:
            for alert in alerts:
                self._remember(alert, message)
            return ()
        if stored.answer is Answer.BUSY:
            return (Problem(207, "not stored, send it again"),)
        return (Problem(207, "cannot be stored", rejected=True),)

    def _signals(self, alert: Alert, message: Message, number: int) -> tuple[Signal, ...]:
        words = words_of(alert, message, self._settings, number)
        signals = self._feed.guarded(words, _mapping)
        if words.event is SignalEvent.END and not alert.location.address():
            # An end need not repeat where: no rule for the nameless may make it one of another place.
            signals = tuple(replace(one, place="") for one in signals)
        if alert.type != "SP":
            return signals
        # What a monitor says of a patient is clinical, whether or not the site has thought of it.
        return tuple(
            replace(one, kind=Kind.CLINICAL) if one.kind is None and one.type is None else one
            for one in signals
        )

    def _clinical_off(self, signal: Signal) -> bool:
        """Whether it would raise or change a clinical alarm of a source nobody has enabled them for."""
        rules = self._feed.rules()
        if rules.clinical_enabled_by or signal.event not in _BEGINNING:
            return False
        return effective(signal, rules, self._feed.site())[0] is Kind.CLINICAL

    def _only_refreshes(self, alert: Alert, message: Message) -> bool:
        """Whether it says nothing but "still there" of what was stored a moment ago."""
        if alert.phase not in _REFRESHING:
            return False
        said, at = self._refreshed.get(key_of(alert, message), ("", 0))
        within_ms = self._settings.refresh_s * 1000
        return said == self._gist(alert) and self._feed.now() - at < within_ms

    def _remember(self, alert: Alert, message: Message) -> None:
        key = key_of(alert, message)
        before = self._refreshed.pop(key, None)
        if alert.phase in (Phase.END, Phase.RESET, Phase.STOP, Phase.TPOINT) or alert.watchdog:
            return
        gist, now = self._gist(alert), self._feed.now()
        fresh = before is not None and before[0] == gist and self._only_within(before[1], now)
        self._refreshed[key] = (gist, before[1] if before is not None and fresh else now)
        if len(self._refreshed) > REFRESHED_REMEMBERED:
            del self._refreshed[next(iter(self._refreshed))]

    def _only_within(self, at: int, now: int) -> bool:
        return now - at < self._settings.refresh_s * 1000

    def _gist(self, alert: Alert) -> str:
        return "|".join((text_of(alert, self._settings), alert.priority, alert.location.address()))

    # Watchdog messages

    def _watchdog(self, sender: str, alert: Alert) -> None:
        """A reporter says that it lives, or, inactive, that it stops on purpose."""
        if alert.state == "inactive" or alert.phase in (Phase.END, Phase.STOP):
            self._watchdogs.leaves(sender)
            self._untold.discard(sender)
            if not len(self._watchdogs):
                self._shut_down()
            return
        known = len(self._watchdogs), self._watchdogs.within_ms
        trouble = f"watchdog {sender}"
        back = self._watchdogs.barked(sender, alert.confirm_within_s, self._feed.now())
        if back or (known[0] != len(self._watchdogs) and self._feed.in_trouble(trouble)):
            self._feed.well(trouble)
        if known != (len(self._watchdogs), self._watchdogs.within_ms):
            self._supervise()
            self._feed.life()
        self._watch_on()

    def _shut_down(self) -> None:
        """The silence that follows is no fault of the line, but the duty engineer is to know of it."""
        self._planned = True
        self._feed.close()
        name = self._feed.rules().name
        self._feed.trouble(
            "planned",
            f"{name} har stängts av planerat: inga larm kommer därifrån",
            f"{name} was shut down on purpose: no alarms come from it",
        )

    def _supervise(self) -> None:
        """Watch the line: by its connection, or by watchdog messages where they come or are expected."""
        line = self._settings
        within_ms = self._watchdogs.within_ms
        if within_ms is None and line.watchdog_s is not None:
            within_ms = round(line.watchdog_s * 1000) * MISSED
        self._feed.supervise(
            down_s=line.link_down_s if within_ms is None else within_ms / 1000,
            up_s=line.link_up_s,
            polls=within_ms is not None,
        )

    def _watch_on(self) -> None:
        due = self._watchdogs.next_check()
        if due is not None and self._watching is None:
            wait_s = max(0.001, (due - self._feed.now()) / 1000)
            self._watching = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        self._watching = None
        now = self._feed.now()
        for sender in self._watchdogs.silent(now):
            # The line as a whole is watched by its feed; here, one reporter of several.
            if len(self._watchdogs) > 1 or now - self._spoke_at < (self._watchdogs.within_ms or 0):
                self._tell_silent(sender)
            else:
                self._untold.add(sender)
        self._watch_on()

    def _tell_silent(self, sender: str) -> None:
        who = sender.partition("^")[0]
        self._feed.trouble(
            f"watchdog {sender}",
            f"{who} har tystnat: inga larm kommer därifrån",
            f"{who} has fallen silent: no alarms come from it",
        )

    # Statuses back

    async def report(self, report: Report, alarm: str) -> None:
        """Tell the reporter what became of an alert (`feed.Adapter`)."""
        if self._settings.status_back == "none":
            return
        status = self._statuses.status(report, alarm, self._feed.now())
        if status is None:
            return
        sender = status.sender
        if self._held.has(sender) and self._held.keep(sender, report, alarm):
            return
        try:
            await self._tell(report, alarm)
        except DeliveryFailed:
            if not self._others(sender) or not self._held.keep(sender, report, alarm):
                raise

    def _others(self, sender: str) -> bool:
        """Whether other reporters of this line are there, who must not wait for this one."""
        return self._caller is None and any(session.senders.keys() - {sender} for session in self._sessions)

    async def _tell(self, report: Report, alarm: str) -> None:
        status = self._statuses.status(report, alarm, self._feed.now())
        if status is None:
            return
        session = self._session_to(status.sender)
        control_id = self._control_id()
        message = status.message(control_id, self._feed.now())
        if self._settings.status_acknowledged:
            answer = await session.tell(message, control_id, self._settings.status_within_s)
            if not taken(answer):
                # It will say the same to the same message for ever; what comes after must not wait for it.
                why = f"status {report.status}: {answer.code} {answer.words}"
                self._feed.refused("status_rejected", why, fault=False)
        else:
            session.send(message)
        self._statuses.sent(report, alarm)

    def _session_to(self, sender: str) -> Hl7Session:
        """The connection this reporter is told on. Raises DeliveryFailed when there is none now."""
        if self._caller is not None:
            if self._caller.session is None:
                raise DeliveryFailed("no connection to where statuses go")
            return self._caller.session
        of_sender = [session for session in self._sessions if sender in session.senders]
        if not of_sender:
            raise DeliveryFailed("the reporter is not connected")
        return of_sender[-1]

    def _acknowledged(self, session: Hl7Session, message: Message) -> None:
        answer = read_ack(message)
        if answer is None or not session.acknowledged(answer):
            self._feed.refused("answer_unwanted", "an acknowledgement nobody waits for", fault=False)


def _mapping(words: Words, rules: SourceRules, site: Site) -> tuple[Signal, ...]:
    """One alert is one signal: a location is no list of addresses."""
    return map_words(words, replace(rules, list_separator=None), site)


def _header_problems(message: Message) -> tuple[Problem, ...]:
    """Why a message is not for us, by its header alone."""
    header = message.header
    kind, event = header.text(9).upper(), header.text(9, 2).upper()
    if kind != "ORU":
        return (Problem(200, f"{kind or 'no type'} is not taken here", "MSH", 1, 9, rejected=True),)
    if event != "R40":
        return (Problem(201, f"{event or 'no event'} is not taken here", "MSH", 1, 9, rejected=True),)
    if not header.text(10):
        return (Problem(101, "no control id", "MSH", 1, 10),)
    if header.text(11).upper() not in ("", "P"):
        return (Problem(202, "only production messages are taken", "MSH", 1, 11, rejected=True),)
    if header.text(12) and not header.text(12).startswith("2"):
        return (Problem(203, "only version 2 is taken", "MSH", 1, 12, rejected=True),)
    return ()


def _in_words(problems: tuple[Problem, ...]) -> str:
    """Field and words of each problem, for the log and `doctor`."""
    return "; ".join(
        f"{problem.segment}-{problem.field} {problem.words}" if problem.segment else problem.words
        for problem in problems
    )
