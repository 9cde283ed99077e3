"""One HL7 line in front of a behaving hub, and what tests say to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal
from alarmhub.core.kinds import Kind
from alarmhub.core.site import MappingRule, Site
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.hl7 import Hl7Adapter
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.metrics import Metrics
from alarmhub.ports import SignalOutcome
from alarmhub.tasks import Crew
from load.hl7_monitor import Monitor
from tests.support.intake import Intake, small_site

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "ihe-acm"
LINE = Hl7Link(source="plant", listen="127.0.0.1:0", application="ALARM_HUB^0012AAFFFE001122^EUI-64")
RULES = (
    MappingRule(
        address=r"^(?P<unit>\d+)\^(?P<room>\d+)\^(?P<bed>\d+)$",
        text="NURSE_CALL",
        place="fjall/{unit}/sal{room}/plats{bed}",
        kind=Kind.PATIENT_CALL,
    ),
)


def sample(name: str) -> bytes:
    """The bytes of one published or synthesized message."""
    return (SAMPLES / name).read_bytes()


class GatedIntake(Intake):
    """An intake whose commits wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    async def signal(self, signal: Signal) -> SignalOutcome:
        self.begun += 1
        await self.gate.wait()
        return await super().signal(signal)


class Hl7Rig:
    """One line, its hub, its reporters."""

    def __init__(self, settings: Hl7Link, site: Site | None) -> None:
        self.hub = GatedIntake()
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.clock = MonotonicClock()
        self.hub.world_now = replace(self.hub.world_now, site=site or with_rules())
        self.settings = settings
        self._build()

    def _build(self) -> None:
        self.feed = Feed("plant", "hl7", hub=self.hub, clock=self.clock, crew=self.crew, metrics=self.metrics)
        self.adapter = Hl7Adapter(self.settings, self.feed)

    async def restart(self) -> None:
        """The hub's news so far are alarms, and the line is as after a start of the hub."""
        await self.adapter.close()
        self.feed.close()
        for notice in self.hub.said:
            await self.hub.signal(notice)
        self._build()
        await self.adapter.start()

    async def monitor(self) -> Monitor:
        """A reporter that has connected."""
        return await Monitor(self.clock.now).connect("127.0.0.1", self.adapter.port)

    def told(self, status: ReportStatus, staff: str = "", *, of: int = 0) -> Report:
        """A report about one of the signals taken."""
        signal = self.hub.taken[of]
        name, role = ("Anna Lind", "ssk") if staff else ("", "")
        return Report(
            "plant",
            status,
            signal.ref,
            signal.source_text,
            key=signal.key,
            origin=signal.origin,
            staff=staff,
            name=name,
            role=role,
        )


def with_rules(
    rules: tuple[MappingRule, ...] = RULES, *, enabled_by: str = "", default_kind: Kind = Kind.PATIENT_CALL
) -> Site:
    """A small site whose plant has these rules."""
    site = small_site()
    plant = replace(
        site.sources["plant"],
        protocol="hl7",
        rules=rules,
        clinical_enabled_by=enabled_by,
        default_kind=default_kind,
    )
    return replace(site, sources=site.sources | {"plant": plant})


@asynccontextmanager
async def hl7_rig(settings: Hl7Link = LINE, site: Site | None = None) -> AsyncIterator[Hl7Rig]:
    """A line that listens; afterwards no task is left and none has died."""
    it = Hl7Rig(settings, site)
    await it.adapter.start()
    try:
        yield it
    finally:
        it.hub.gate.set()
        await it.adapter.close()
        it.feed.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()
