"""What every adapter shares: one `Feed` a source, between the protocol and the hub.

It maps a protocol's words by the site's rules, stores signals and tells what became of them, watches the
link, counts what was refused, and remembers what `alarmhub doctor` shows of the source. It refuses to know a
protocol, and to answer anybody: adapters do, and positively only after `store` returned STORED.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.effects import Page, Report, Sms
from alarmhub.core.events import Signal
from alarmhub.core.signalling import clinical_is_off
from alarmhub.core.site import Site, SourceRules
from alarmhub.engine import notices
from alarmhub.engine.texts import Texts
from alarmhub.inbound.mapping import Words, map_words, unmapped_words
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.supervision import FaultTally, LinkState, LinkWatch
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import Desk, Intake, NotStored, Refused, SignalOutcome, SourceStatus
from alarmhub.tasks import Crew, spawn

LONGEST_CAUSE_CHARS: Final = 200
UNTOLD: Final = "reports"
UNTOLD_FOR_S: Final = 30.0
"""A source that takes no status for so long, though its link is up, is a trouble by the name of `UNTOLD`."""

_log = logs.get("inbound")


class Hub(Intake, Desk, Protocol):
    """The engine as adapters see it."""

    async def link(self, source: str, *, up: bool) -> None:
        """A source's link went down or is stable again."""
        ...

    def say(self, notice: Signal) -> None:
        """The hub's own news; nobody waits for it and it is never refused."""
        ...

    @property
    def texts(self) -> Texts:
        """What is known of text messages."""
        ...


class Adapter(Protocol):
    """One link of one protocol."""

    @property
    def port(self) -> int:
        """The port listened on; 0 for one that does not listen."""
        ...

    async def start(self) -> None:
        """Open the door, or begin to connect. Raises OSError when a door cannot be had; whoever connects
        keeps trying and does not fail."""
        ...

    async def close(self) -> None:
        """Close; what was read is still stored."""
        ...

    async def report(self, report: Report, alarm: str) -> None:
        """Tell the source what became of an alarm. Returns once it has taken it, or when there is nothing to
        say here. Raises ports.DeliveryFailed when it did not take it in time; it is tried again."""
        ...


@runtime_checkable
class PageCarrier(Protocol):
    """An adapter that can send to one-way pagers."""

    def carries(self, pager: str) -> bool:
        """Whether it reaches this pager."""
        ...

    async def page(self, page: Page) -> None:
        """Send a page, or take one back. Returns once it is taken. Raises ports.DeliveryFailed."""
        ...


@runtime_checkable
class TextCarrier(Protocol):
    """An adapter that can send text messages."""

    @property
    def ready(self) -> bool:
        """Whether it could send one now."""
        ...

    async def text(self, sms: Sms) -> None:
        """Send a message. Returns once it is taken, or refused for good. Raises ports.DeliveryFailed."""
        ...


class Stored(Struct, frozen=True):
    """What became of signals that belong together: one answer for all. `why`: of the first that failed."""

    answer: Answer
    outcomes: tuple[SignalOutcome | None, ...] = ()
    why: str = ""
    retry_after_s: int = 0


class Feed:
    """One source's way into the hub. Make it inside a running event loop; `close` it after its adapter."""

    def __init__(
        self,
        source: str,
        protocol: str,
        *,
        hub: Hub,
        clock: Clock,
        crew: Crew,
        metrics: Metrics | None = None,
    ) -> None:
        """`protocol`: the name of the link's table in the settings; also the door in the metrics."""
        self.source, self.protocol = source, protocol
        self.clock, self.crew = clock, crew
        self.hub = hub
        self.status = SourceStatus(source, protocol)
        self._metrics = metrics
        self._tally = FaultTally(source)
        self._watch: LinkWatch | None = None
        self._checking: asyncio.TimerHandle | None = None
        self._tell: Callable[[bool], None] | None = None
        self._untold_since: int | None = None
        self._untold_is_news: bool | None = None
        """None: a hub before this one may have told."""

    def now(self) -> int:
        """The clock of lines, epoch ms."""
        return self.clock.now()

    def site(self) -> Site:
        """The site in force."""
        return self.hub.world().site

    def rules(self) -> SourceRules:
        """The source's rules; a source the site does not know has none, and its signals still ring."""
        site = self.site()
        known = site.sources.get(self.source)
        return known or SourceRules(self.source, self.source, site.site, fallback_unit="")

    # Signals

    def map(self, words: Words) -> tuple[Signal, ...]:
        """The signals these words mean: one, or one per address when they list several. Never raises:
        whatever is wrong with the rules, it still rings."""
        return self.guarded(words, map_words)

    def guarded(
        self, words: Words, mapping: Callable[[Words, SourceRules, Site], tuple[Signal, ...]]
    ) -> tuple[Signal, ...]:
        """As `map`, with a protocol's own mapping."""
        rules, site = self.rules(), self.site()
        try:
            return mapping(words, rules, site)
        except Exception as error:  # noqa: BLE001  see `map`
            _log.error(Line.SOURCE_FAULT, exc=error, source=self.source, cause="mapping failed")
            return (unmapped_words(words, rules, site, "mapping_failed"),)

    async def store(self, *signals: Signal) -> Stored:
        """Hand the signals to the engine together; returns after their commits. What the engine cannot take
        now is BUSY, what it never can INVALID, as is a clinical alarm of a source nobody has answered for.
        A signal that was stored stays stored whatever became of the others, so senders repeat the whole and
        each counts once (`Signal.id`, `Signal.key`)."""
        results = await asyncio.gather(*(self._offer(signal) for signal in signals), return_exceptions=True)
        answer, why, retry_after_s = Answer.STORED, "", 0
        outcomes: list[SignalOutcome | None] = []
        for result in results:
            if isinstance(result, SignalOutcome):
                outcomes.append(result)
                continue
            outcomes.append(None)
            if isinstance(result, NotStored):
                answer, why, retry_after_s = Answer.BUSY, result.why, result.retry_after_s
                self.refused("not_stored", result.why, fault=False)
            elif isinstance(result, Refused):
                answer = Answer.INVALID if answer is Answer.STORED else answer
                why = why or str(result)
                self.refused("invalid", str(result), fault=False)
            elif isinstance(result, BaseException):
                raise result
        if answer is Answer.STORED:
            self.status.last_signal_at = self.now()
        return Stored(answer, tuple(outcomes), why, retry_after_s)

    async def _offer(self, signal: Signal) -> SignalOutcome:
        if clinical_is_off(signal, self.hub.world()):
            raise Refused("clinical is off until someone answers for this source (clinical_enabled_by)")
        return await self.hub.signal(signal)

    def answered(self, answer: str) -> None:
        """What the source was last told, in its own words ("ACK", "CA", "250")."""
        self.status.last_answer, self.status.last_answer_at = answer, self.now()

    def refused(self, reason: str, cause: str = "", *, peer: str = "", fault: bool = True) -> None:
        """A message was turned away. `reason`: a word of a closed list, for the metrics; `cause`: plain.
        `fault`: it is the source's own; three in a minute are worth a technical alarm."""
        status, now = self.status, self.now()
        status.refused += 1
        status.last_refusal, status.last_refusal_at = (cause or reason)[:LONGEST_CAUSE_CHARS], now
        if self._metrics is not None:
            self._metrics.refusals.labels(self.protocol, reason).inc()
        if not fault:
            _log.warning(Line.SIGNAL_REFUSED, source=self.source, reason=status.last_refusal)
            return
        _log.warning(Line.SOURCE_FAULT, source=self.source, peer=peer, cause=status.last_refusal)
        if self._tally.fault(status.last_refusal, now) is not None:
            self.hub.say(notices.nonsense(self.site(), self.source))

    def text(self, outcome: str) -> None:
        """What became of a text message or a reply, a word of a closed list, for the metrics."""
        if self._metrics is not None:
            self._metrics.texts.labels(outcome).inc()

    def habit(self, habit: str) -> None:
        """What this source does where its protocol leaves room."""
        _log.info(Line.SOURCE_HABIT, source=self.source, habit=habit)

    def trouble(self, what: str, swedish: str, english: str) -> None:
        """Something behind this source needs an engineer: a technical alarm, one while `what` lasts."""
        self.hub.say(notices.trouble(self.site(), self.source, what, swedish, english))

    def well(self, what: str) -> None:
        """That trouble is over."""
        self.hub.say(notices.trouble_over(self.site(), self.source, what))

    def in_trouble(self, what: str) -> bool:
        """Whether that trouble is still open, perhaps since before a restart."""
        return self._is_told(notices.trouble_over(self.site(), self.source, what))

    def told(self) -> None:
        """The source has taken a status."""
        self._untold_since = None
        if self._untold_is_news is None:
            self._untold_is_news = self.in_trouble(UNTOLD)
        if self._untold_is_news:
            self.well(UNTOLD)
        self._untold_is_news = False

    def not_told(self, cause: str) -> None:
        """The source has not taken a status, and why. Where that lasts though its link is up, responsibility
        cannot be returned to it: an engineer must know."""
        now = self.now()
        if not self.up:
            self._untold_since = None  # that its link is down has been told
        elif self._untold_since is None:
            self._untold_since = now
        elif now - self._untold_since >= UNTOLD_FOR_S * 1000 and not self._untold_is_news:
            self._untold_is_news = True
            name, why = self.rules().name, cause[:LONGEST_CAUSE_CHARS]
            self.trouble(
                UNTOLD,
                f"{name} kan inte få besked om sina larm: {why}",
                f"{name} cannot be told what becomes of its alarms: {why}",
            )

    def _is_told(self, *over: Signal) -> bool:
        """Whether any of the news that these would end is open."""
        keys = {signal.key for signal in over}
        return any(alarm.source == notices.HUB and alarm.key in keys for alarm in self.hub.open_alarms())

    # The link

    def listening(self, address: str) -> None:
        """The door is open."""
        _log.info(Line.LISTENING, door=self.protocol, source=self.source, address=address)

    def connected(self, peer: str) -> None:
        """A connection opened."""
        _log.info(Line.SOURCE_CONNECTED, source=self.source, peer=peer)
        self.status.connected += 1
        self.status.peer = peer
        self._watched(lambda watch: watch.connected(self.now(), True))

    def disconnected(self, peer: str, cause: str) -> None:
        """A connection is over."""
        _log.info(Line.SOURCE_CLOSED, source=self.source, peer=peer, cause=cause[:LONGEST_CAUSE_CHARS])
        self.status.connected = max(0, self.status.connected - 1)
        if not self.status.connected:
            self._watched(lambda watch: watch.connected(self.now(), False))

    def supervise(
        self,
        *,
        down_s: float,
        up_s: float,
        polls: bool,
        tell: Callable[[bool], None] | None = None,
        down: bool = False,
    ) -> None:
        """Watch the link from now on, or in another way than before. What was told of it, also before a
        restart, is taken back when it is over. `polls`: the source speaks all the time, an open connection is
        no life; what the protocol says is told by `life`. `tell`: hears whether the link is up, instead of
        the hub, where it is none of a source; `down`: it has heard from a hub before this one that it is
        not."""
        self.close()
        self._tell = tell
        if tell is None:
            down = self._is_told(*notices.link(self.site(), self.source, up=True))
        self.status.up = self.status.up and not down
        self._watch = LinkWatch(
            self.source,
            down_ms=round(down_s * 1000),
            up_ms=round(up_s * 1000),
            now=self.now(),
            polls=polls,
            down=not self.status.up,
        )
        self._watch.connected(self.now(), self.status.connected > 0)
        self._watch_on()

    def speaks_all_the_time(self) -> None:
        """It has turned out that the source polls."""
        if self._watch is not None:
            self._watch.polls = True

    def life(self) -> None:
        """The protocol said something."""
        self._watched(lambda watch: watch.life(self.now()))

    @property
    def up(self) -> bool:
        """Whether the link counts as up."""
        return self.status.up

    def close(self) -> None:
        """Watch no more."""
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        self._watch = None

    def later(self, coro: Coroutine[Any, Any, None], name: str) -> None:
        """Run beside the adapter, owned by the hub's crew."""
        self.beside(coro, name)

    def beside(self, coro: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """As `later`, for who waits for its end."""
        return spawn(coro, f"{name} {self.source}", self.crew, ends=True)

    def _watched(self, act: Callable[[LinkWatch], None]) -> None:
        if self._watch is not None:
            act(self._watch)
            self._watch_on()

    def _watch_on(self) -> None:
        """Look again when the watch may have news. A look too early costs nothing, so it is not re-armed."""
        if self._watch is None or self._checking is not None:
            return
        due = self._watch.next_check()
        if due is not None:
            wait_s = max(0.001, (due - self.now()) / 1000)
            self._checking = asyncio.get_running_loop().call_later(wait_s, self._check)

    def _check(self) -> None:
        self._checking = None
        changed = None if self._watch is None else self._watch.check(self.now())
        if changed is not None:
            self.status.up = changed.state is LinkState.UP
            if self._tell is not None:
                self._tell(self.status.up)
            else:
                self.later(self.hub.link(self.source, up=self.status.up), "link")
        self._watch_on()
