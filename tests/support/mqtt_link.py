"""One MQTT link on a broker of the test's, with a hub that behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.events import Signal
from alarmhub.core.site import MappingRule, Site
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mqtt import MqttAdapter
from alarmhub.inbound.mqtt_settings import MqttLink
from alarmhub.metrics import Metrics
from alarmhub.ports import SignalOutcome
from alarmhub.tasks import Crew
from tests.support.intake import BED, Intake, small_site
from tests.support.waiting import until

SIGNALS = "alarmhub/plant/signals"
ZIGBEE = "zigbee2mqtt/bed12_button"
RULES = (
    MappingRule(address="^bed12_button$", text="^hold$", place=BED, event="end"),
    MappingRule(address="^bed12_button$", place=BED),
    MappingRule(text=r"location=CARD2-12-2", place=BED),
)


class Hub(Intake):
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


def with_rules(rules: tuple[MappingRule, ...] = RULES) -> Site:
    site = small_site()
    plant = replace(site.sources["plant"], protocol="mqtt", rules=rules)
    return replace(site, sources=site.sources | {"plant": plant})


def link(port: int, **more: Any) -> MqttLink:
    """Settings of a link to this broker: quick to reconnect, all dialects spoken."""
    said: dict[str, Any] = {
        "source": "plant",
        "broker": f"127.0.0.1:{port}",
        "reconnect_s": 1.0,
        "chirpstack": "application",
        "zigbee2mqtt": "zigbee2mqtt",
        "shelly_gen1": "shellies",
        "shelly_gen2": ("+",),
        "buttons": ("callbuttons/+/event",),
        "state_prefix": "lamp",
    }
    return MqttLink(**said | more)


class Rig:
    """The link, its hub and what it told."""

    def __init__(self, settings: MqttLink, hub: Hub | None = None) -> None:
        self.hub = hub or Hub()
        self.hub.world_now = replace(self.hub.world_now, site=with_rules())
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.feed = Feed(
            "plant", "mqtt", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.adapter = MqttAdapter(settings, self.feed)

    @property
    def refs(self) -> list[str]:
        return [signal.ref for signal in self.hub.taken]

    def refusals(self, reason: str) -> float:
        return self.metrics.refusals.labels("mqtt", reason)._value.get()

    async def start(self) -> None:
        await self.adapter.start()

    async def connected(self) -> None:
        await until(lambda: self.feed.status.connected, "the link to come up")

    async def close(self) -> None:
        self.hub.gate.set()
        await self.adapter.close()
        self.feed.close()
        assert await self.crew.close()
        assert not self.crew.fatal.done()


@asynccontextmanager
async def rig(settings: MqttLink, hub: Hub | None = None) -> AsyncIterator[Rig]:
    """A link that is up; afterwards no task is left and none has died."""
    it = Rig(settings, hub)
    await it.start()
    try:
        await it.connected()
        yield it
    finally:
        await it.close()


def start(ref: str, **more: Any) -> str:
    """Our own JSON: a patient call."""
    said = {"event": "start", "ref": ref, "place": BED, "kind": "patient_call"}
    return msgspec.json.encode(said | more).decode()
