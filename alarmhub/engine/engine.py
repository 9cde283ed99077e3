"""The hub's engine: takes events, keeps the committed state, shows and answers after the commit.

`Engine` is what adapters (Intake) and those who show (Desk) see. It owns the background work of one shard:
the writer, the lease, the deadlines, the roster watch, the outbox. It refuses to serve before the lease is
held and the state is loaded, and to go on once it is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import msgspec

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Answer, Signal, SignalEvent
from alarmhub.core.reach import Reach
from alarmhub.core.shifts import Available, Word
from alarmhub.core.site import Site
from alarmhub.core.world import World
from alarmhub.engine import ids, notices
from alarmhub.engine.contact import Contacts
from alarmhub.engine.deadlines import Deadlines
from alarmhub.engine.fold import Folder
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import (
    RANK_OF,
    AnswerItem,
    DeadlineItem,
    FactItem,
    Item,
    ReceiptItem,
    SignalItem,
    WordItem,
)
from alarmhub.engine.lease import Tenure
from alarmhub.engine.measures import Measures
from alarmhub.engine.outbox import Courier, Outbox
from alarmhub.engine.ranking import lane_of, rank_of
from alarmhub.engine.reaching import Reaching
from alarmhub.engine.state import State
from alarmhub.engine.texts import Texts
from alarmhub.engine.timer import DeadlineTimer
from alarmhub.engine.watch import Watch
from alarmhub.engine.writer import STORE_WITHIN_MS, Writer
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import (
    AnswerOutcome,
    Change,
    FactRow,
    Lease,
    Loaded,
    NotStored,
    Phones,
    SignalOutcome,
    Store,
    StoreUnavailable,
)
from alarmhub.tasks import Crew, spawn

STUCK_AGAIN_S = 30.0
"""A deadline that could not even be decided by the fallback is tried again after this."""

_log = logs.get("engine")
_OUTCOME = msgspec.json.Decoder(SignalOutcome)
_ANSWER = msgspec.json.Decoder(AnswerOutcome)
_ANSWERS = {str(a): a for a in Answer}


class Engine:
    """One shard at work. `start` after `Store.acquire`; `stop` drains and gives the lease back."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        crew: Crew,
        metrics: Metrics,
        owner: str,
        lease_ttl_ms: int,
        couriers: dict[str, Courier],
        pagers: Callable[[str], bool] | None = None,
        texts: bool = False,
    ) -> None:
        """`pagers`: whether something sends to a pager number; `texts`: there is a link for text messages."""
        self._store, self._clock, self._crew, self._metrics = store, clock, crew, metrics
        self._owner, self._ttl_ms = owner, lease_ttl_ms
        self._couriers = couriers
        self.state = State()
        self.contacts = Contacts()
        self._reaching = Reaching(
            contacts=self.contacts, state=self.state, clock=clock, put=lambda item: self._writer.put(item)
        )
        self._deadlines = Deadlines()
        self._timer = DeadlineTimer(clock, self._deadlines, self._deadline_due)
        self._watch = Watch(
            clock=clock,
            state=self.state,
            contacts=self.contacts,
            pagers=pagers,
            put=lambda item: self._writer.put(item),
            tell=self.say,
            texts=texts,
        )
        self.texts = Texts(clock, self.state, lambda item: self._writer.put(item), self._watch.texts_up)
        self._phones: list[Phones] = []
        self._measures = Measures(metrics, clock)
        self.facts: Sequence[FactRow] = ()
        """Facts the start found, for those who keep their own (the gateway's last-seen times)."""
        self._began = False
        self._writer: Writer
        self.admit: Callable[[Signal], Signal] = lambda signal: signal
        """What a source's signal counts as (`engine.trials`)."""
        self.announced: Callable[[str], bool] = lambda source: False
        """Whether a source's silence is announced."""
        self.on_receipt: list[Callable[[str, str, str, str, str, int], None]] = []
        """Told of each receipt, also where another came before: person, device, alarm, channel, rang or seen,
        when."""
        self.on_flight: list[Callable[[Sequence[Change]], None]] = []
        """Told of what is being committed, while the database is at it: time to prepare what will be shown.
        It may yet come to nothing."""
        self.on_site: list[Callable[[Site], None]] = []
        self.on_tokens: list[Callable[[], None]] = []
        self.on_roster = self._watch.on_change
        self.on_contact, self.on_pushable = self._reaching.on_device, self._reaching.on_pushable

    # Life

    async def start(self, lease: Lease) -> None:
        """Load the committed state and take events in. Raises StoreUnavailable."""
        now = self._clock.now()
        loaded = await self._store.load(now)
        await self._store.unclaim(lease.epoch)
        self._take_in(loaded)
        self._watch.begin(loaded.site, now, site_at=loaded.site_at)
        self._compose(lease)
        self._metrics.storing.set(1)
        spawn(self._writer.run(), "writer", self._crew)
        spawn(self._writer.sweep(), "sweep", self._crew)
        spawn(self._tenure.run(), "lease", self._crew)
        spawn(self._outbox.run(), "outbox", self._crew)

    def begin(self) -> None:
        """Serve deadlines and shift changes from now on, and those that came while no hub ran. Call it once
        it is known, by `contact`, whose phones were there before the start: whoever is not is passed over at
        once. Acceptors on their way of whom nothing is heard are treated as lost from now on."""
        self._began = True
        spawn(self._watch.run(), "roster", self._crew)
        self._watch.catch_up()
        self._reaching.count_on_nobody_absent()
        self._arm()

    def _take_in(self, loaded: Loaded) -> None:
        for fact in loaded.facts:
            self.state.take_fact(fact.scope, fact.key, fact.body)
        self.facts = loaded.facts
        for reply in reversed(loaded.answered):  # the oldest is forgotten first
            self.state.remember(reply.scope, reply.id, reply.answer)
        self.state.replies_complete = loaded.answered_complete
        self.state.remember_ended(loaded.ended_recently)
        for alarm in loaded.alarms:
            self.state.put(alarm)
            self._deadlines.note(alarm)
        self._measures.loaded(loaded.alarms)

    def _compose(self, lease: Lease) -> None:
        numbers = ids.Numbers(lease.epoch)
        self._writer = Writer(
            store=self._store,
            clock=self._clock,
            metrics=self._metrics,
            crew=self._crew,
            folder=Folder(self.state, numbers),
            numbers=numbers,
            world=self.world,
            prepare=self._prepare,
            publish=self._publish,
            storing=self._storing_changed,
            poisoned=self._poisoned,
            epoch=lease.epoch,
            owner=self._owner,
            ttl_ms=self._ttl_ms,
        )
        self._outbox = Outbox(
            store=self._store,
            clock=self._clock,
            crew=self._crew,
            metrics=self._metrics,
            couriers=self._couriers,
            epoch=lambda: self._writer.epoch,
            holds=self._writer.holds,
            given_up=self.texts.given_up,
        )
        self._tenure = Tenure(
            store=self._store,
            clock=self._clock,
            crew=self._crew,
            writer=self._writer,
            lease=lease,
            ttl_ms=self._ttl_ms,
            on_site=self._site_published,
            on_tokens=self._tokens_changed,
            on_clock_moved=self.time_moved,
            on_trim=self._forget,
        )

    async def stop(self) -> None:
        """Commit what waits, then give the lease back. Doors must be closed before."""
        self._began = False
        self._timer.stop()
        await self._writer.drained()

    async def idle(self) -> None:
        """Wait until all that was taken in so far is committed."""
        await self._writer.drained()

    async def give_back(self) -> None:
        """After the crew is closed: let a standby take over at once."""
        await self._store.release(self._writer.epoch)

    def show_to(self, phones: Phones) -> None:
        """Whom to tell of each commit."""
        self._phones.append(phones)

    # Intake

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Take a source's signal; returns after the commit. Raises NotStored, Refused."""
        now, world, signal = self._clock.now(), self.world(), self.admit(signal)
        if signal.id is not None:
            known = await self._known(f"source:{signal.source}", signal.id)
            if known is not None:
                return _OUTCOME.decode(known)
        future: asyncio.Future[SignalOutcome] = asyncio.get_running_loop().create_future()
        begins = signal.event in (SignalEvent.START, SignalEvent.ONCE) and signal.key != ""
        fresh = begins and self.state.by_key(signal.source, signal.key) is None
        rank, lane = rank_of(signal, world), lane_of(signal, world)
        self._writer.put(SignalItem(now, rank, lane, future, signal, fresh=fresh))
        return await future

    async def _known(self, scope: str, id: str) -> bytes | None:
        known = self.state.reply(scope, id)
        if known is not None or self.state.replies_complete:
            return known
        try:
            async with asyncio.timeout(STORE_WITHIN_MS / 1000):
                return await self._store.remembered(scope, id)
        except (StoreUnavailable, TimeoutError) as exc:
            raise NotStored("database away") from exc

    async def answer(
        self, *, staff: str, device: str, req: str, alarm: str, answer: str, rev: int, reason: str, via: str
    ) -> AnswerOutcome:
        """Take a person's answer; returns after the commit. Raises NotStored, Refused."""
        word = _ANSWERS.get(answer)
        if word is None:
            return AnswerOutcome(False, "unknown_answer")
        now = self._clock.now()
        if req:
            known = await self._known(f"device:{staff}/{device}", req)
            if known is not None:
                return await self._or_ended(_ANSWER.decode(known), alarm)
        future: asyncio.Future[AnswerOutcome] = asyncio.get_running_loop().create_future()
        self._writer.put(
            AnswerItem(
                now, future, staff=staff, device=device, req=req, alarm=alarm, answer=word, rev=rev,
                reason=reason, via=via,
            )
        )  # fmt: skip
        return await self._or_ended(await future, alarm)

    async def _or_ended(self, outcome: AnswerOutcome, alarm: str) -> AnswerOutcome:
        """Memory knows open alarms only: the store says whether this one is over, or never was."""
        if outcome.error != "unknown_alarm":
            return outcome
        try:
            return AnswerOutcome(False, "ended") if await self._store.alarm(alarm) is not None else outcome
        except StoreUnavailable:
            return outcome

    def receipt(
        self, *, staff: str, device: str, alarm: str, rev: int, seen: bool, via: str = "socket"
    ) -> None:
        """A phone rang or was looked at; one for an alarm that is over, or not this person's, is dropped."""
        known = self.state.get(alarm)
        if known is None or rev > known.rev or not any(t.staff == staff for t in known.told):
            return
        now = self._clock.now()
        self._writer.put(ReceiptItem(now, staff=staff, device=device, alarm=alarm, seen=seen, via=via))
        for heard in self.on_receipt:
            heard(staff, device, alarm, via, "seen" if seen else "rang", now)

    async def availability(
        self, *, staff: str, device: str, req: str, state: str, substitute: str = ""
    ) -> AnswerOutcome:
        """available, busy or break; in force from its commit on."""
        return await self.duty(staff=staff, said=Available(state, substitute), device=device, req=req)

    async def duty(self, *, staff: str, said: Word, device: str = "", req: str = "") -> AnswerOutcome:
        """What a person says of being at work; in force from its commit on. Raises NotStored, Refused."""
        now = self._clock.now()
        if req:
            known = await self._known(f"device:{staff}/{device}", req)
            if known is not None:
                return _ANSWER.decode(known)
        future: asyncio.Future[AnswerOutcome] = asyncio.get_running_loop().create_future()
        self._writer.put(WordItem(now, future, staff=staff, device=device, req=req, said=said))
        return await future

    def fact(self, scope: str, key: str, body: bytes | None) -> None:
        """Store a small fact with the next batch."""
        self._writer.put(FactItem(self._clock.now(), scope, key, body))

    async def forgotten(self, scope: str, key: str) -> None:
        """Forget a fact; returns after the commit. Raises NotStored; it is still forgotten when that can be
        written."""
        self.fact(scope, key, None)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(FactItem(self._clock.now(), scope, key, None, future))
        await future

    async def link(self, source: str, *, up: bool) -> None:
        """A source's link went down or came back (already with hysteresis): the hub itself is the news.
        Nobody is told while its silence is announced."""
        _log.warning(Line.SOURCE_UP if up else Line.SOURCE_DOWN, source=source)
        self._watch.link(source, up=up)
        if not up and self.announced(source):
            return
        for signal in notices.link(self.world().site, source, up=up):
            self.say(signal)

    def say(self, notice: Signal) -> None:
        """What the hub itself has to say. Nobody waits for it and it is never refused: while the database is
        away it waits, and is stored with the first batch afterwards."""
        rank, lane = rank_of(notice, self.world()), lane_of(notice, self.world())
        self._writer.put(SignalItem(self._clock.now(), rank, lane, None, notice))

    # Desk

    @property
    def storing(self) -> bool:
        """Whether the database takes writes."""
        return self._writer.is_storing

    @property
    def epoch(self) -> int:
        """The epoch this process writes under."""
        return self._writer.epoch

    @property
    def open_deadlines(self) -> int:
        """Alarms that wait for a deadline."""
        return len(self._deadlines)

    def now(self) -> int:
        """The hub's clock, epoch ms."""
        return self._clock.now()

    def world(self) -> World:
        """Site, roster and reach of this instant. `reach` changes in place."""
        return self._watch.world()

    def open_alarm(self, id: str) -> Alarm | None:
        """One open alarm."""
        return self.state.get(id)

    def open_alarms(self) -> Collection[Alarm]:
        """All open alarms."""
        return self.state.alarms.values()

    def shown_to(self, staff: str) -> Sequence[Alarm]:
        """The open alarms this person's phone shows now, most urgent first."""
        return self.state.of_staff(staff)

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        """A device's reach changed; alarms that wait for or count on this person are looked at again."""
        self._reaching.device(staff, device, reach, at)

    def pushable(self, staff: str, devices: tuple[str, ...]) -> None:
        """The devices of this person that a push reaches from now on. Say it before `begin` too: who sleeps
        then can be reached."""
        self._reaching.pushable(staff, devices)

    def lost_many(self, at: int) -> None:
        """Many phones dropped at once: nobody `recent` is skipped before the grace has passed."""
        self._watch.grant_grace(at)

    def time_moved(self) -> None:
        """The clock was set forward: shift changes and deadlines that have passed thereby are taken now.
        Timers count the machine's waking time, which does not move along."""
        self._watch.clock_moved()
        self._arm()

    # During and after a commit

    def _prepare(self, folded: Folded) -> None:
        folded.world_at = self._reaching.changes, self._watch.changes
        for heard in self.on_flight:
            heard(folded.changes())

    def _publish(self, folded: Folded) -> None:
        changes = folded.changes()
        state = self.state
        for change in changes:
            state.put(change.after)
            self._watch.overtook(change.after, folded.world_at[1])
            self._reaching.overtook(change, folded.world_at[0])
        self._keep(folded)
        if changes:
            for phones in self._phones:
                phones.refresh(changes)
        # Phones ring first; what follows takes no time that anybody would wait for.
        for change in changes:
            self._deadlines.note(change.after)
        for alarm in filter(None, map(state.get, folded.rearm)):
            self._deadlines.note(alarm)
        if folded.outbox:
            self._outbox.hand_over(folded.outbox)
        for item, reply in folded.replies:
            item.settle(reply)
        self._measures.committed(folded, changes)
        for alarm_id, exc in folded.failed:
            self._decide_failed(alarm_id, exc)
        for item, exc in folded.poison:
            self._poisoned(item, exc)
        self._arm()

    def _keep(self, folded: Folded) -> None:
        overlay = folded.overlay
        self.state.keep(overlay)
        if folded.rosters:
            self._writer.stored_rosters(folded.rosters)
        if folded.touched or folded.untouched:
            self._watch.touches(folded.touched, folded.untouched)
        if overlay.availability or overlay.shifts or overlay.substitutes:
            self._watch.words_changed()

    def _forget(self, now: int) -> None:
        self.state.forget(now)
        self.texts.forget(now)

    # Deadlines, site, tokens

    def _arm(self) -> None:
        if self._began and self._writer.is_storing:
            self._timer.arm()

    def _deadline_due(self, due: int, id: str) -> None:
        alarm = self.state.get(id)
        if alarm is not None:
            self._writer.put(DeadlineItem(due, RANK_OF[alarm.priority], id))

    def _site_published(self, site: Site) -> None:
        self._watch.take_site(site)
        for heard in self.on_site:
            heard(site)

    def _tokens_changed(self) -> None:
        for heard in self.on_tokens:
            heard()

    # Faults

    def _storing_changed(self, storing: bool) -> None:
        self._metrics.storing.set(1 if storing else 0)
        for phones in self._phones:
            phones.storing(storing)
        if storing:
            self._arm()
        else:
            self._timer.stop()

    def _decide_failed(self, id: str, exc: Exception) -> None:
        """An alarm went to its fallback. News of the hub's own alarms would breed news for ever."""
        _log.error(Line.DECIDE_FAILED, exc=exc, alarm=id)
        alarm = self.state.get(id)
        if alarm is None or alarm.source != notices.HUB:
            self.say(notices.poison(self.world().site, id))

    def _poisoned(self, item: Item, exc: Exception) -> None:
        """An event was set aside. A deadline is tried again after a while: an open alarm always has one."""
        _log.error(Line.EVENT_QUARANTINED, exc=exc, lane=item.lane)
        if isinstance(item, DeadlineItem):
            asyncio.get_running_loop().call_later(STUCK_AGAIN_S, self._note_again, item.alarm)
        if not (isinstance(item, SignalItem) and item.signal.source == notices.HUB):
            self.say(notices.poison(self.world().site, item.lane))

    def _note_again(self, id: str) -> None:
        alarm = self.state.get(id)
        if alarm is not None:
            self._deadlines.note(alarm)
            self._arm()
