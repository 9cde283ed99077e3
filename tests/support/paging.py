"""A door that takes pages, with a hub behind it that behaves, and a site that knows some numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.events import Signal
from alarmhub.core.kinds import Kind
from alarmhub.core.site import MappingRule, Number, Site, SourceRules
from alarmhub.inbound.feed import Adapter, Feed
from alarmhub.metrics import Metrics
from alarmhub.ports import SignalOutcome
from alarmhub.tasks import Crew
from tests.support.intake import BED, Intake, small_site

SOURCE = SourceRules(
    "lab",
    "Labbet",
    "fjall",
    "202",
    default_kind=Kind.REQUEST,
    rules=(
        MappingRule(text=r"Sal (?P<room>\d+) plats (?P<bed>\d)", place="fjall/201/sal{room}/plats{bed}"),
        MappingRule(address="^kyl$", type="hjartlarm"),
    ),
)
NUMBERS = (
    Number("1042", "1042", ("staff:anna",), "201", staff="anna"),
    Number("1043", "1043", ("staff:bo",), "202", staff="bo"),
    Number("2010", "2019", ("unit",), "201"),
)

A = TypeVar("A", bound=Adapter)


class Hub(Intake):
    """An intake whose commits wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.world_now = replace(self.world_now, site=paging_site())
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Wait for the gate, then take."""
        self.begun += 1
        await self.gate.wait()
        return await super().signal(signal)


class Rig(Generic[A]):
    """One door, its hub, and what it told about itself."""

    def __init__(self, open_door: Callable[[Feed], A]) -> None:
        self.hub = Hub()
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.feed = Feed(
            "lab", "pages", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.adapter = open_door(self.feed)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.adapter.port

    @property
    def taken(self) -> list[Signal]:
        """What was stored."""
        return self.hub.taken


def paging_site() -> Site:
    """The small site with numbers, and a source that pages."""
    site = small_site()
    assert BED in site.places
    return replace(site, sources={**site.sources, "lab": SOURCE}, numbers=NUMBERS)


@asynccontextmanager
async def rig_of(open_door: Callable[[Feed], A]) -> AsyncIterator[Rig[A]]:
    """A door that listens; afterwards no task is left and none has died."""
    it = Rig(open_door)
    await it.adapter.start()
    try:
        yield it
    finally:
        it.hub.gate.set()
        await it.adapter.close()
        it.feed.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()
