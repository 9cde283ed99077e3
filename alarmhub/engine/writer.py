"""The one writer: takes what waits, folds it, commits it, and only then answers and shows.

While a commit is in flight what arrives waits and becomes the next batch (natural batching), but for a press
that is plainly apart from all that is in flight: that one is decided and committed at once, by itself.
Answers and receipts wait a little until no press is on its way. An unknown commit is settled under a new
lease before anything else is decided. It refuses to decide from what is not committed.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.world import World
from alarmhub.engine import ids
from alarmhub.engine.beside import Flight
from alarmhub.engine.fold import Folder, quarantine
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import (
    AnswerItem,
    FactItem,
    Item,
    ReceiptItem,
    SignalItem,
    TextItem,
    WordItem,
)
from alarmhub.engine.queue import Queue
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import Batch, Fenced, NotStored, Refused, Store, StoreUnavailable, Unstorable
from alarmhub.tasks import Begun, Crew, spawn

MOST_EVENTS = 256
DECIDE_WITHIN_S = 0.02
"""A batch is as large as can be decided in this time, judged by the ones before: nothing else runs then."""
LEAST_EVENTS = 8
COMPANY_WITHIN_S = 0.02
"""Receipts and answers wait this long for company: no person notices, and a press finds the database free and
what is before it small."""
MOST_HELD = 64
HANDFUL = 8
"""Of what was held so many are committed at once, so that a press never finds a long commit before it ..."""
HELD_AT_MOST_S = 0.05
"""... and not longer than this do presses go first."""
TURNS_TO_COME_IN = 2
"""Of the event loop, from the bytes of a press in the socket to `put`."""
MOST_PRESSES = 2
"""So many presses are in flight, each by itself; with more than that batches are cheaper."""
ROSTERS_KNOWN = 10_000
"""So many rosters are remembered as stored; afterwards each is written once more, which changes nothing."""
STORE_WITHIN_MS = 2_000
RECONNECT_EVERY_S = 0.2
FULL_SAID_EVERY_MS = 1_000
SWEEP_EVERY_S = 0.05

_Failed = tuple[Folded, StoreUnavailable | Unstorable | Fenced]
"""What was to be written, and why it was not."""

_log = logs.get("writer")


class Writer:
    """Queue in, commits out. `prepare` is called while a commit is in flight, `publish` after it, `storing`
    when that changes."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        crew: Crew,
        folder: Folder,
        numbers: ids.Numbers,
        world: Callable[[], World],
        prepare: Callable[[Folded], None],
        publish: Callable[[Folded], None],
        storing: Callable[[bool], None],
        poisoned: Callable[[Item, Exception], None],
        epoch: int,
        owner: str,
        ttl_ms: int,
    ) -> None:
        self.queue = Queue()
        self.epoch = epoch
        self.is_storing = True
        self._store, self._clock, self._metrics = store, clock, metrics
        self._crew = crew
        self._folder, self._numbers = folder, numbers
        self._world, self._prepare, self._publish = world, prepare, publish
        self._storing, self._poisoned = storing, poisoned
        self._owner, self._ttl_ms = owner, ttl_ms
        metrics.queue_events.set_function(lambda: len(self.queue))
        self._wake = asyncio.Event()
        self._waiting: list[tuple[float, int, Item]] = []  # heap by when each is refused, on the loop's clock
        self._arrivals = itertools.count()
        self._held: list[Item] = []
        self._held_until = 0.0  # time of the event loop
        self._held_timer: asyncio.TimerHandle | None = None
        self._full_said_at = 0
        self._doubt: StoreUnavailable | None = None
        self._flights: dict[str, Flight] = {}  # what is being committed, by batch
        self._presses = 0  # how many of them are presses that go by themselves
        self._landing_awaited = False
        self._failed: list[_Failed] = []  # what of it failed, to be settled before anything is decided
        self._settling = False  # what was taken from the queue waits outside it
        self._ended = False
        self._most = MOST_EVENTS
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, item: Item) -> None:
        """Queue an item; raises NotStored when the backlog is full for its rank (receipts are dropped), and
        when nothing is written any more."""
        if self._ended and item.future is not None:
            raise NotStored("stopping")
        if self.queue.full_for(item):
            if item.future is None:
                return
            self._say_full(item)
            raise NotStored("full")
        self._idle.clear()
        if not self._goes_by_itself(item):
            self._line_up(item)
        if item.future is not None:
            waited_ms = max(0, self._clock.now() - item.at)
            refuse_at = asyncio.get_running_loop().time() + (STORE_WITHIN_MS - waited_ms) / 1000
            heapq.heappush(self._waiting, (refuse_at, next(self._arrivals), item))

    def _goes_by_itself(self, item: Item) -> bool:
        """Commit a fresh press now, if nothing waits and it is apart from whatever is being committed."""
        if not (isinstance(item, SignalItem) and item.fresh):
            return False
        if len(self.queue) or self._presses >= MOST_PRESSES or self._unsettled:
            return False
        world = self._world()
        press = self._folder.fold([item], world, self._clock.now())
        if not all(flight.apart(press, world) for flight in self._flights.values()):
            return False  # a fold that is thrown away leaves no trace
        if press.empty:
            return False  # nothing to commit: the writer answers it
        if self._held and any(change.before is not None for change in press.changes()):
            self._let_go()  # it concerns what was there: answers that came before it count before it
            return False
        write = Begun(self._store.write(self.epoch, press.batch()))
        spawn(self._land(press, write), "press", self._crew, ends=True)
        self._flights[press.batch_id] = Flight(press, world)
        self._presses += 1
        self._prepare(press)
        self._metrics.batch_events.observe(1)
        return True

    @property
    def _unsettled(self) -> bool:
        """Whether something went wrong that must be settled first."""
        return bool(self._failed) or self._settling or self._doubt is not None

    async def _land(self, press: Folded, write: Begun[None]) -> None:
        try:
            await write
        except (StoreUnavailable, Unstorable, Fenced) as exc:
            self._failed.append((press, exc))
        else:
            self._publish(press)
        finally:
            del self._flights[press.batch_id]
            self._presses -= 1
            if self._landing_awaited or self._held or self._failed:
                self._wake.set()
            elif self._nothing_left:
                self._idle.set()

    @property
    def _nothing_left(self) -> bool:
        """Nothing waits and nothing is in flight."""
        return not (self._flights or len(self.queue) or self._held or self._unsettled)

    def _line_up(self, item: Item) -> None:
        """Into the queue, in order of arrival. Answers and receipts are held back a little first, and only a
        start that cannot concern them goes past."""
        if isinstance(item, AnswerItem | WordItem | ReceiptItem | FactItem | TextItem):
            if not self._held:
                self._held_until = asyncio.get_running_loop().time() + COMPANY_WITHIN_S
                self._look_at(self._held_until)
            self._held.append(item)
            if len(self._held) >= MOST_HELD:
                self._let_go()
            return
        if not (isinstance(item, SignalItem) and item.fresh):
            self._let_go()
        self.queue.put(item)
        self._wake.set()

    def _look_at(self, until: float) -> None:
        """Wake the writer then: the time of what is held has come."""
        if self._held_timer is not None:
            self._held_timer.cancel()
        self._held_timer = asyncio.get_running_loop().call_at(until, self._wake.set)

    def _let_go(self) -> None:
        self._release(len(self._held))
        self._wake.set()

    def _release(self, most: int) -> None:
        released, self._held = self._held[:most], self._held[most:]
        for item in released:
            if not item.refused:
                self.queue.put(item)

    def _say_full(self, item: Item) -> None:
        """Once a second at most: a flood must not become a flood of lines."""
        if item.at - self._full_said_at >= FULL_SAID_EVERY_MS:
            self._full_said_at = item.at
            _log.warning(Line.QUEUE_FULL, waiting=len(self.queue), rank=item.rank.name.lower())

    def stored_rosters(self, hashes: Iterable[str]) -> None:
        """These rosters are committed and need not be written again."""
        known = self._folder.stored_rosters
        if len(known) >= ROSTERS_KNOWN:
            known.clear()
        known.update(hashes)

    async def drained(self) -> None:
        """Nothing waits and nothing is in flight."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever. Raises Fenced when another process has taken over; whoever waits is told then."""
        try:
            await self._work()
        finally:
            self._ended = True
            while self._waiting:
                self._refuse_oldest("stopping")

    async def _work(self) -> None:
        while True:
            while not self._has_work():
                if self._held_is_due():
                    await self._take_held()
                    continue
                if self._nothing_left:
                    self._idle.set()
                await self._wake.wait()
                self._wake.clear()
            await self._landed()
            if self._doubt is not None:
                await self._reconnect(self._doubt)
            if self._failed:
                self.queue.put_back(await self._settled())
            if self._held and self._overdue:
                self._let_go()
            items = self.queue.take(self._most)
            if items:
                self.queue.put_back(await self._commit(items))
                await asyncio.sleep(0)  # a press that came meanwhile is decided before the next handful

    def _has_work(self) -> bool:
        """Whether something is to be settled or decided."""
        return bool(len(self.queue)) or self._unsettled

    def _held_is_due(self) -> bool:
        """Whether what is held is to be decided: its time has come and no press is on its way; a press that
        comes meanwhile goes first, but not for ever. Otherwise the writer is woken when it may be."""
        if not self._held:
            return False
        if asyncio.get_running_loop().time() < self._held_until:
            self._look_at(self._held_until)  # a timer may run a little early
            return False
        if self._presses and not self._overdue:
            self._look_at(self._held_until + HELD_AT_MOST_S)
            return False
        return True

    async def _take_held(self) -> None:
        """A handful of what is held joins the queue. Deciding it takes the time of many presses, so those
        that stand at the door come in first."""
        for _ in range(TURNS_TO_COME_IN):
            await asyncio.sleep(0)
        if not self._has_work() and self._held_is_due():
            self._release(len(self._held) if self._overdue else HANDFUL)

    @property
    def _overdue(self) -> bool:
        """Whether what is held must wait no longer."""
        return asyncio.get_running_loop().time() >= self._held_until + HELD_AT_MOST_S

    async def _landed(self) -> None:
        """No press is in flight any more: nothing may be decided from what their commits will change."""
        self._landing_awaited = True
        while self._flights:
            self._wake.clear()
            await self._wake.wait()
        self._landing_awaited = False

    async def _commit(self, items: list[Item]) -> list[Item]:
        """Decide and write. What is returned came to nothing and is to be decided afresh, in this order."""
        world = self._world()
        folded = self._decide(items, world)
        if folded.empty:
            self._publish(folded)
            return []
        self._metrics.batch_events.observe(len(items))
        self._flights[folded.batch_id] = Flight(folded, world)
        try:
            if any(isinstance(item, SignalItem) for item in items):
                write = Begun(self._store.write(self.epoch, folded.batch()))
                self._prepare(folded)
            else:
                self._prepare(folded)
                await asyncio.sleep(0)  # a press that came while this was decided does not wait for the rest
                write = Begun(self._store.write(self.epoch, folded.batch()))
            await write
        except (StoreUnavailable, Unstorable, Fenced) as exc:
            self._failed.append((folded, exc))
        else:
            self._publish(folded)
            return []
        finally:
            del self._flights[folded.batch_id]
        await self._landed()
        return await self._settled()

    async def _settled(self) -> list[Item]:
        """Settle what failed. What is returned came to nothing."""
        failed, self._failed = self._failed, []
        for _, exc in failed:
            if isinstance(exc, Fenced):
                raise exc
        again: list[Item] = []
        settling, self._settling = self._settling, True
        try:
            lost = [(folded, exc) for folded, exc in failed if isinstance(exc, StoreUnavailable)]
            if lost:
                # A connection went during a commit: take the lease anew (which waits for what was in flight),
                # then see whether it was applied. Applied counts as done.
                applied = await self._reconnect(lost[0][1], *(folded.batch_id for folded, _ in lost))
                for folded, _ in lost:
                    if folded.batch_id in applied:
                        self._publish(folded)
                    else:
                        again += folded.items
            for folded, exc in failed:
                if isinstance(exc, Unstorable):
                    again += await self._bisect(folded.items, exc)
        finally:
            self._settling = settling
        return again

    def _decide(self, items: list[Item], world: World) -> Folded:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        folded = self._folder.fold(items, world, self._clock.now())
        took_s = loop.time() - began_at
        if took_s > DECIDE_WITHIN_S:
            self._most = max(LEAST_EVENTS, int(len(items) * DECIDE_WITHIN_S / took_s))
        elif self._most < MOST_EVENTS and len(items) == self._most:
            self._most = min(MOST_EVENTS, self._most + self._most // 2)
        return folded

    async def _bisect(self, items: list[Item], exc: Unstorable) -> list[Item]:
        """A data error stops only the culprit: halves are tried until it stands alone, and is set aside."""
        live = [item for item in items if not item.refused]
        if len(live) > 1:
            middle = len(live) // 2
            again = await self._commit(live[:middle])
            return again + live[middle:] if again else await self._commit(live[middle:])
        for item in live:
            row = quarantine(self._numbers, item, str(exc), self._clock.now())
            try:
                await self._store.write(self.epoch, Batch(self._numbers.next(), quarantined=[row]))
            except StoreUnavailable as lost:
                await self._reconnect(lost)
                return live
            except Unstorable as again:
                _log.error(Line.EVENT_QUARANTINED, lane=item.lane, cause=f"row not kept: {again}")
            _fail(item, Refused("invalid"))
            self._poisoned(item, exc)
        return []

    def holds(self, epoch: int) -> bool:
        """Whether this process believes to hold the lease under `epoch`. While it is being taken anew the
        answer is no: what fails then under the old epoch means nothing."""
        return self.is_storing and epoch == self.epoch

    def doubt(self, exc: StoreUnavailable) -> None:
        """The lease could not be renewed: nothing can be stored, though perhaps nobody tried."""
        self._doubt = exc
        self._wake.set()

    async def _reconnect(self, exc: StoreUnavailable, *batch_ids: str) -> set[str]:
        """Wait for the database under a new lease; which of these batches were applied. Raises Fenced."""
        lost_at = self._clock.now()
        self.is_storing = False
        _log.warning(Line.DATABASE_LOST, cause=str(exc))
        self._storing(False)
        applied = await self._applied_after_reconnect(batch_ids)
        self.is_storing, self._doubt = True, None
        self._let_go()  # answers go before all the presses that wait by now
        _log.info(Line.DATABASE_BACK, lost_ms=self._clock.now() - lost_at, applied=len(applied))
        self._storing(True)
        return applied

    async def _applied_after_reconnect(self, batch_ids: tuple[str, ...]) -> set[str]:
        while True:
            try:
                await self._reacquire_lease()
                return {batch_id for batch_id in batch_ids if await self._store.applied(batch_id)}
            except StoreUnavailable:
                await asyncio.sleep(RECONNECT_EVERY_S)

    async def _reacquire_lease(self) -> None:
        lease = await self._store.acquire(self._owner, self._ttl_ms)
        if lease is None:
            raise Fenced("another process holds the lease")
        self.epoch = lease.epoch

    async def sweep(self) -> None:
        """Refuse, in time, what could not be stored in time."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = asyncio.get_running_loop().time()
            while self._waiting and self._waiting[0][0] <= now:
                self._refuse_oldest("not stored in time")

    def _refuse_oldest(self, why: str) -> None:
        _, _, item = heapq.heappop(self._waiting)
        if item.future is not None and not item.future.done():
            self.queue.drop(item)
            _fail(item, NotStored(why))


def _fail(item: Item, exc: Exception) -> None:
    if item.future is not None and not item.future.done():
        item.future.set_exception(exc)
