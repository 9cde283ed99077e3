"""A running engine on the memory store, for what a database or a defect can do to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub import site as site_files
from alarmhub.clock import MonotonicClock
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.reach import Reach
from alarmhub.core.site import Site
from alarmhub.engine.engine import Engine
from alarmhub.engine.outbox import Courier
from alarmhub.metrics import Metrics
from alarmhub.ports import Change, SignalOutcome
from alarmhub.store.memory import MemoryStore, Tables
from alarmhub.tasks import Crew
from load.site import SOURCE, Layout, site_file, staff_id

TTL_MS = 1_500
LAYOUT = Layout(20)


class ForwardClock(MonotonicClock):
    """The live clock, which can be set forward."""

    _ahead_ms = 0

    def now(self) -> int:
        return super().now() + self._ahead_ms

    def jump_to(self, at: int) -> None:
        self._ahead_ms += max(0, at - self.now())


class Screens:
    """What every phone was told (ports.Phones)."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.said_storing: list[bool] = []

    def refresh(self, changes: Sequence[Change]) -> None:
        self.changes.extend(changes)

    def storing(self, storing: bool) -> None:
        self.said_storing.append(storing)


class Rig:
    """The engine and what it stands on."""

    def __init__(
        self, tables: Tables | None, couriers: dict[str, Courier], owner: str, *, texts: bool = False
    ) -> None:
        self.clock = ForwardClock()
        self.store = MemoryStore(self.clock, tables)
        self.crew = Crew("test")
        self.screens = Screens()
        self.owner = owner
        self.engine = Engine(
            store=self.store, clock=self.clock, crew=self.crew, metrics=Metrics(), owner=owner,
            lease_ttl_ms=TTL_MS, couriers=couriers, texts=texts,
        )  # fmt: skip

    @property
    def tables(self) -> Tables:
        return self.store.tables

    @property
    def dead(self) -> bool:
        """A background task has died."""
        return self.crew.fatal.done()

    async def press(self, ref: str, bed: int = 0, **more: Any) -> SignalOutcome:
        return await self.engine.signal(start_of(ref, bed, **more))


def start_of(ref: str, bed: int = 0, **more: Any) -> Signal:
    """A start of a patient call at a bed, unless said otherwise."""
    usual: dict[str, Any] = {
        "source": SOURCE, "event": SignalEvent.START, "key": ref, "ref": ref, "place": LAYOUT.place(bed),
        "type": "load-hold",
    }  # fmt: skip
    return Signal(**(usual | more))


@contextlib.asynccontextmanager
async def running(
    *,
    tables: Tables | None = None,
    couriers: dict[str, Courier] | None = None,
    owner: str = "first",
    texts: bool = False,
    numbers: Mapping[str, str] | None = None,
) -> AsyncIterator[Rig]:
    """An engine at work for the load site, all its nurses within reach. `texts`: as of `Engine`; `numbers`:
    who has a number for text messages."""
    rig = Rig(tables, couriers or {}, owner, texts=texts)
    if not rig.tables.sites:
        site = site_files.check(site_file(LAYOUT))
        assert isinstance(site, Site)
        staff = {id: replace(person, sms=(numbers or {}).get(id)) for id, person in site.staff.items()}
        site = replace(site, staff=staff)
        published = site_files.publish(None, site, set())
        assert isinstance(published, Site)
        policies = [
            (p.name, p.version, msgspec.json.encode(p)) for p in site_files.new_policies(None, published)
        ]
        await rig.store.publish_site(site_files.to_json(published), policies, 0)
    lease = await rig.store.acquire(owner, TTL_MS)
    assert lease is not None
    await rig.engine.start(lease)
    rig.engine.show_to(rig.screens)
    for number in range(LAYOUT.phones):
        rig.engine.contact(staff_id(number), "phone", Reach.LIVE, rig.clock.now())
    rig.engine.begin()
    try:
        yield rig
    finally:
        await rig.crew.close()
