"""A `[[scaip]]` link on free ports of this machine, before a hub that behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal
from alarmhub.core.site import MappingRule
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.scaip import ScaipAdapter
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.metrics import Metrics
from alarmhub.ports import SignalOutcome
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from load.scaip_alarm import ScaipUnit
from protocols.scaip import Mrq
from tests.support.intake import BED, Intake

CID = "4670000123"
PASSWORD = "hemligt"
PENDANT = Mrq(
    ref="A1B2C3", cid=CID, dty="0003", stc="0010", pri="9", lco="012", crd="gsm:+46701234567", lte="Sovrum"
)


class GatedHub(Intake):
    """An intake whose commits wait for a gate; `phase` is what it says of a repeated start."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    async def signal(self, signal: Signal) -> SignalOutcome:
        self.begun += 1
        await self.gate.wait()
        return await super().signal(signal)


class ScaipLine:
    """One link with its hub."""

    def __init__(self, clock: Any = None, **settings: Any) -> None:
        self.settings = ScaipLink(
            **{
                "source": "plant", "udp": "127.0.0.1:0", "tcp": "127.0.0.1:0",
                "users": {CID: Secret(PASSWORD), "gateway": Secret("annat")},
            } | settings
        )  # fmt: skip
        assert self.settings.faults() == []
        self.hub = GatedHub()
        site = self.hub.world_now.site
        rule = MappingRule(address=f"^{CID}", place=BED)
        sources = {**site.sources, "plant": replace(site.sources["plant"], protocol="scaip", rules=(rule,))}
        self.hub.world_now = replace(self.hub.world_now, site=replace(site, sources=sources))
        self.crew, self.metrics = Crew("test"), Metrics()
        self.clock = clock or MonotonicClock()
        self.connect()

    def connect(self) -> None:
        """A link, as after a start of the hub."""
        self.feed = Feed(
            "plant", "scaip", hub=self.hub, clock=self.clock, crew=self.crew, metrics=self.metrics
        )
        self.adapter = ScaipAdapter(self.settings, self.feed)

    def unit(self, transport: str = "udp", **more: Any) -> ScaipUnit:
        """A unit that knows its password."""
        port = self.adapter.port_of(transport)
        return ScaipUnit("127.0.0.1", port, transport=transport, **({"password": PASSWORD} | more))

    async def report(self, status: ReportStatus, ref: str = f"{CID}/A1B2C3", **more: Any) -> None:
        """The hub says what became of an alarm."""
        await self.adapter.report(Report("plant", status, ref, **more), "alarm-1")

    def refused(self, reason: str) -> float:
        """How often, for this reason."""
        value = self.metrics.registry.get_sample_value(
            "alarmhub_refusals_total", {"door": "scaip", "reason": reason}
        )
        return value or 0.0


@asynccontextmanager
async def scaip_line(clock: Any = None, **settings: Any) -> AsyncIterator[ScaipLine]:
    """A link that listens; afterwards no task is left and none has died."""
    line = ScaipLine(clock, **settings)
    await line.adapter.start()
    try:
        yield line
    finally:
        line.hub.gate.set()
        await line.adapter.close()
        line.feed.close()
        assert await line.crew.close()
        assert not line.crew.fatal.done()
