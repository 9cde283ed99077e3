"""A shift on an invented ward with a real engine: memory store, phones that ring, time that jumps.

`Shift` is one database and the hubs that serve it one after the other: `begin`, `crash`, `begin` again.
The ward, its people and its places are those of `tests.support.ward`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from alarmhub.clock import Clock
from alarmhub.core.alarm import Alarm, concerned
from alarmhub.core.answers import rings
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Site
from alarmhub.engine.engine import Engine
from alarmhub.engine.express import Courier
from alarmhub.metrics import Metrics
from alarmhub.ports import AnswerOutcome, Batch, Change, DeliveryFailed, Lease, OutboxRow, SignalOutcome
from alarmhub.store.memory import MemoryStore, Tables
from alarmhub.tasks import Crew
from tests.support.virtual import VirtualClock
from tests.support.ward import Ward, path

TTL_MS = 1_500
COMMIT_S = 0.002


class SlowStore(MemoryStore):
    """A memory store whose commits take time, before and after they are applied."""

    def __init__(self, clock: VirtualClock, tables: Tables) -> None:
        super().__init__(clock, tables)
        self.before_s = self.after_s = COMMIT_S / 2
        self.batches: list[Batch] = []
        self.claims = 0
        """How often effects were asked for."""
        self.refuse: Callable[[Batch], BaseException | None] = lambda batch: None
        """What the database says to a batch, before anything else."""

    async def write(self, epoch: int, batch: Batch) -> None:
        self.batches.append(batch)
        await asyncio.sleep(self.before_s)
        error = self.refuse(batch)
        if error is not None:
            raise error
        await super().write(epoch, batch)
        await asyncio.sleep(self.after_s)

    async def claim(self, epoch: int, now: int, lease_ms: int, limit: int) -> Sequence[OutboxRow]:
        self.claims += 1
        return await super().claim(epoch, now, lease_ms, limit)


class Screens:
    """All phones as the engine sees them; those within reach report that they rang, unless muted."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self.changes: list[Change] = []
        self.said_storing: list[bool] = []
        self.muted: set[str] = set()

    def refresh(self, changes: Sequence[Change]) -> None:
        self.changes.extend(changes)
        for change in changes:
            self.ring(change.after)

    def ring(self, alarm: Alarm) -> None:
        engine = self._shift.engine
        for told in alarm.told:
            live = engine.contacts.reach.get(told.staff) is Reach.LIVE
            if live and told.rang_at is None and told.staff not in self.muted and rings(alarm, told.staff):
                engine.receipt(
                    staff=told.staff, device=f"{told.staff}-phone", alarm=alarm.id, rev=alarm.rev, seen=False
                )

    def storing(self, storing: bool) -> None:
        self.said_storing.append(storing)


class Plants:
    """Where reports, pushes and pages go: taken, unless `broken` has something to say about it."""

    def __init__(self) -> None:
        self.taken: list[OutboxRow] = []
        self.broken: Callable[[OutboxRow], BaseException | None] = lambda row: None
        self.takes_s = 0.0

    async def carry(self, row: OutboxRow) -> None:
        await asyncio.sleep(self.takes_s)
        error = self.broken(row)
        if error is not None:
            raise error
        self.taken.append(row)

    @property
    def heard(self) -> list[str]:
        """Statuses the sources were told."""
        return [msgspec.json.decode(r.body)["status"] for r in self.taken if r.channel == "report"]


class Shift:
    """See the module. Everybody's phone is within reach unless told otherwise."""

    def __init__(self, site: Site | None = None, *, couriers: tuple[str, ...] = ("report", "push")) -> None:
        self.clock = VirtualClock()
        self.hub_clock: Clock = self.clock
        """The hub's own, where it is another than the database's."""
        self.store_kind = SlowStore
        self.tables = Tables()
        self.site = site if site is not None else Ward().site
        self.plants = Plants()
        self.reach: dict[str, Reach] = {staff: Reach.LIVE for staff in self.site.staff if staff != "rut"}
        self._channels = couriers
        self.hubs = 0
        self.store = SlowStore(self.clock, self.tables)
        self.engine: Engine
        self.crew: Crew
        self.screens: Screens
        self.metrics: Metrics

    # -- life

    async def begin(self, *, owner: str = "hub", seed_after_s: float = 0.0) -> Shift:
        """A hub starts on this database; the site is published if it is new. Who is within reach is known to
        it only after `seed_after_s`."""
        if not self.tables.sites:
            await self.publish(self.site)
        self.store = self.store_kind(self.clock, self.tables)
        lease = await self.store.acquire(owner, TTL_MS)
        assert lease is not None, "another hub holds the lease"
        await self._serve(lease, owner, seed_after_s)
        return self

    async def _serve(self, lease: Lease, owner: str, seed_after_s: float) -> None:
        self.hubs += 1
        self.crew = Crew(f"hub {self.hubs}")
        self.metrics = Metrics()
        self.screens = Screens(self)
        self.engine = Engine(
            store=self.store,
            clock=self.hub_clock,
            crew=self.crew,
            metrics=self.metrics,
            owner=owner,
            lease_ttl_ms=TTL_MS,
            couriers={**dict.fromkeys(self._channels, self.plants.carry), **self.couriers()},
            texts="sms" in self._channels,
        )
        await self.engine.start(lease)
        await self.started()
        self.engine.show_to(self.screens)
        await asyncio.sleep(seed_after_s)
        for staff, reach in self.reach.items():
            self.phone(staff, reach)
        self.engine.begin()

    def couriers(self) -> dict[str, Courier]:
        """Other couriers than the plants'."""
        return {}

    async def started(self) -> None:
        """The engine knows what is committed and has not begun."""

    async def crash(self) -> None:
        """The process is gone at this very instant."""
        await self.crew.close()

    async def stop(self) -> None:
        """The process ends as it should."""
        await self.engine.stop()
        await self.crew.close()
        await self.engine.give_back()

    async def __aenter__(self) -> Shift:
        return await self.begin()

    async def __aexit__(self, *_: object) -> None:
        await self.crew.close()

    async def publish(self, site: Site) -> None:
        """A new version of the site; a running hub learns of it with its next renewal."""
        policies = [
            (name, version, msgspec.json.encode(policy))
            for name, versions in site.policies.items()
            for version, policy in versions.items()
        ]
        body = msgspec.structs.replace(site, policies={})
        await self.store.publish_site(msgspec.json.encode(body), policies, self.clock.now())

    # -- what happens

    def signal_of(self, place: str, kind: Kind | str | None = None, **more: Any) -> Signal:
        usual: dict[str, Any] = {
            "source": "plant",
            "event": SignalEvent(more.pop("event", "start")),
            "place": path(place),
            "kind": None if kind is None else Kind(kind),
        }
        return Signal(**(usual | more))

    async def press(self, place: str = "12/1", kind: str | None = "patient_call", **more: Any) -> Alarm:
        """A call; returns the alarm it opened or repeated, as committed."""
        outcome = await self.signal(place, kind, **more)
        assert outcome.alarm is not None
        alarm = self.engine.open_alarm(outcome.alarm)
        assert alarm is not None
        return alarm

    async def signal(self, place: str, kind: str | None = None, **more: Any) -> SignalOutcome:
        return await self.engine.signal(self.signal_of(place, kind, **more))

    async def reset(self, place: str = "12/1", kind: str | None = None, **more: Any) -> SignalOutcome:
        return await self.signal(place, kind, event="end", **more)

    async def says(self, staff: str, answer: str, alarm: Alarm | str, **more: Any) -> AnswerOutcome:
        """One answer, with what the phone saw last."""
        id = alarm if isinstance(alarm, str) else alarm.id
        known = self.engine.open_alarm(id)
        usual: dict[str, Any] = {
            "device": f"{staff}-phone", "req": "", "rev": known.rev if known else 1, "reason": "",
            "via": "phone",
        }  # fmt: skip
        return await self.engine.answer(staff=staff, alarm=id, answer=answer, **(usual | more))

    def phone(self, staff: str, reach: Reach, device: str = "") -> None:
        """A phone's reach changed now; one that comes back rings what it is shown."""
        self.engine.contact(staff, device or f"{staff}-phone", reach, self.clock.now())
        for alarm in self.engine.shown_to(staff):
            self.screens.ring(alarm)

    async def later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def settled(self) -> None:
        """All that was taken in is committed, receipts included."""
        await self.engine.idle()

    # -- what is true

    def alarm(self, alarm: Alarm | str) -> Alarm:
        """As it is now, in memory."""
        id = alarm if isinstance(alarm, str) else alarm.id
        found = self.engine.open_alarm(id)
        assert found is not None, f"{id} is not open"
        return found

    def stored(self, alarm: Alarm | str) -> Alarm:
        """As the database has it."""
        id = alarm if isinstance(alarm, str) else alarm.id
        return msgspec.json.decode(self.tables.alarms[id].body, type=Alarm)

    def told(self, alarm: Alarm | str) -> set[str]:
        """Whose phones show it."""
        return set(concerned(self.alarm(alarm)))

    def told_anywhere(self) -> set[str]:
        """Everybody whose phone shows anything."""
        return {staff for alarm in self.engine.open_alarms() for staff in concerned(alarm)}

    def open_of(self, kind: str) -> list[Alarm]:
        return [a for a in self.engine.open_alarms() if a.kind == kind]

    def log_of(self, alarm: Alarm | str) -> list[str]:
        """Types of its stored events, in order."""
        id = alarm if isinstance(alarm, str) else alarm.id
        return [e.type for e in self.tables.events.values() if e.alarm == id]

    @property
    def dead(self) -> bool:
        return self.crew.fatal.done()

    def check(self) -> None:
        """What holds whenever nothing is in flight: memory is the committed truth."""
        stored = {
            id: msgspec.json.decode(row.body, type=Alarm)
            for id, row in self.tables.alarms.items()
            if row.phase != "ended"
        }
        assert self.engine.state.alarms == stored, "memory and store differ"
        for alarm in stored.values():
            assert alarm.due is not None, f"{alarm.id} is open and has no deadline"
        assert self.engine.open_deadlines == len(stored), "an open alarm without an armed deadline"


def lost(_: object = None) -> DeliveryFailed:
    return DeliveryFailed("the line is cut")
