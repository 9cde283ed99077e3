"""The adapter of Alertmanager's webhook: groups as they are posted, a hub that behaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import MappingRule
from alarmhub.inbound import alertmanager
from alarmhub.inbound.alertmanager import AlertmanagerAdapter, AlertmanagerLink
from alarmhub.inbound.feed import Feed
from alarmhub.metrics import Metrics
from alarmhub.ports import Hooked, NotStored, Refused, SignalOutcome
from alarmhub.tasks import Crew
from tests.support.intake import BED, Intake
from tests.support.waiting import until

START, UPDATE, END = SignalEvent.START, SignalEvent.UPDATE, SignalEvent.END


class Hub(Intake):
    """An intake that refuses what it is told to, alert by alert."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, Exception] = {}

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Refuse by key, else take."""
        if signal.key in self.refused:
            raise self.refused[signal.key]
        return await super().signal(signal)


class Rig:
    """One Alertmanager's line and the hub behind it."""

    def __init__(self, **settings: Any) -> None:
        self.hub = Hub()
        self.crew = Crew("test")
        self.feed = Feed(
            "plant", "alertmanager", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=Metrics()
        )
        self.adapter = AlertmanagerAdapter(AlertmanagerLink(**({"source": "plant"} | settings)), self.feed)

    async def post(self, *alerts: dict[str, Any], **more: Any) -> Hooked:
        """One notification."""
        return await self.adapter.notified(json.dumps({"alerts": alerts, "groupKey": "g", **more}).encode())

    @property
    def told(self) -> list[tuple[str, SignalEvent]]:
        """Key and event of every signal that was stored."""
        return [(signal.key, signal.event) for signal in self.hub.taken]


@asynccontextmanager
async def rig(**settings: Any) -> AsyncIterator[Rig]:
    """A line that is open."""
    one = Rig(**settings)
    await one.adapter.start()
    try:
        yield one
    finally:
        await one.adapter.close()
        one.feed.close()
        assert await one.crew.close()
        assert not one.crew.fatal.done()


def alert(key: str = "f1", status: str = "firing", name: str = "DiskFull", **labels: str) -> dict[str, Any]:
    """One alert."""
    return {
        "status": status,
        "fingerprint": key,
        "labels": {"alertname": name, "instance": "pacs-2:9100", **labels},
        "annotations": {"summary": "Disken på pacs-2 är full"},
        "startsAt": "2026-11-05T14:03:07Z",
    }


async def test_firing_raises_and_resolved_ends() -> None:
    """A technical alarm with the summary, the labels that matter, and since when."""
    async with rig() as one:
        assert await one.post(alert(severity="critical")) == Hooked("stored", alerts=1)
        (raised,) = one.hub.taken
        assert (raised.event, raised.kind, raised.priority) == (START, Kind.TECHNICAL, Priority.HIGH)
        assert raised.source_text == "Disken på pacs-2 är full (instance=pacs-2:9100 severity=critical)"
        assert (raised.ref, raised.key, raised.occurred_at) == ("DiskFull", "f1", 1_793_887_387_000)
        await one.post(alert(status="resolved"))
        assert one.told == [("f1", START), ("f1", END)]
        assert not one.hub.open_alarms()


async def test_a_repeat_renews_the_words_and_presses_nothing() -> None:
    """The group is sent again at each change of any of its alerts; that is no new press of the others."""
    async with rig() as one:
        await one.post(alert("f1"))
        await one.post(alert("f1"), alert("f2"))
        await one.post(alert("f1", "resolved"), alert("f2"))
        await one.post(alert("f1"), alert("f2"))
        assert one.told == [
            ("f1", START),
            ("f1", UPDATE), ("f2", START),
            ("f1", END), ("f2", UPDATE),
            ("f1", START), ("f2", UPDATE),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "priority"),
    [
        ("critical", Priority.HIGH),
        (" Warning ", Priority.MEDIUM),
        ("info", Priority.LOW),
        ("odd", None),
        ("", None),
    ],
)
async def test_severity_becomes_priority(severity: str, priority: Priority | None) -> None:
    """By the usual words; another word says nothing, and the kind's floor holds."""
    async with rig() as one:
        await one.post(alert(severity=severity))
        assert one.hub.taken[0].priority == priority


async def test_labels_and_words_can_be_set() -> None:
    """Which label is the address, which are shown, what severity is called and means."""
    settings: dict[str, Any] = {
        "address": "room", "labels": ("job",), "severity": "sev", "priorities": {"p1": "high"},
    }  # fmt: skip
    async with rig(**settings) as one:
        await one.post(alert(room="serverrum", job="node", sev="P1"), alert("f2"))
        first, bare = one.hub.taken
    assert (first.ref, first.source_text) == ("serverrum", "Disken på pacs-2 är full (job=node)")
    assert (first.priority, bare.ref) == (Priority.HIGH, "DiskFull")


async def test_the_site_s_rules_say_where_and_what() -> None:
    """They see the address, and the labels in the text; their kind and priority win."""
    async with rig() as one:
        site = one.hub.world_now.site
        rule = MappingRule(address="^DiskFull$", text="instance=pacs", place=BED, type="hjartlarm")
        sources = {**site.sources, "plant": replace(site.sources["plant"], rules=(rule,))}
        one.hub.world_now = replace(one.hub.world_now, site=replace(site, sources=sources))
        await one.post(alert())
        (raised,) = one.hub.taken
        assert (raised.place, raised.type, raised.kind) == (BED, "hjartlarm", None)


async def test_a_group_is_busy_until_all_of_it_is_stored() -> None:
    """The answer is one for all; what was stored is not pressed again by the repeat."""
    async with rig() as one:
        one.hub.refused["f2"] = NotStored("database", 3)
        assert await one.post(alert("f1"), alert("f2")) == Hooked("busy", why="database", retry_after_s=3)
        one.hub.refused.clear()
        assert (await one.post(alert("f1"), alert("f2"))).answer == "stored"
        assert one.told == [("f1", START), ("f1", UPDATE), ("f2", START)]
        assert one.feed.status.last_answer == "stored"


async def test_what_can_never_be_stored_is_invalid_and_the_others_are_stored() -> None:
    """A poisoned alert holds nobody up."""
    async with rig() as one:
        one.hub.refused["f1"] = Refused("poison")
        assert (await one.post(alert("f1"), alert("f2"))).answer == "invalid"
        assert one.told == [("f2", START)]


async def test_what_is_no_notification_is_refused_and_counted() -> None:
    """With the member's name."""
    async with rig() as one:
        hooked = await one.adapter.notified(b'{"alerts": 7}')
        assert (hooked.answer, hooked.member) == ("malformed", "alerts")
        assert one.feed.status.refused == 1


async def test_a_watchdog_that_fires_is_life_and_its_silence_is_news() -> None:
    """It is never an alarm itself; other alerts are no sign of life of the chain."""
    async with rig(watchdog="Watchdog", down_s=0.3, up_s=0.05) as one:
        await one.post(alert("w", name="Watchdog"))
        assert one.hub.taken == []
        await one.post(alert("f1"), alert("w", "resolved", name="Watchdog"))
        await until(lambda: one.hub.links == [("plant", False)], "the news")

        async def back() -> bool:
            await one.post(alert("w", name="Watchdog"))
            return one.hub.links == [("plant", False), ("plant", True)]

        await until(back, "its return")
        assert one.told == [("f1", START)]


async def test_without_a_watchdog_silence_is_normal() -> None:
    """And an alert of that name is an alert like any other."""
    async with rig(down_s=0.05) as one:
        await one.post(alert("w", name="Watchdog"))
        assert one.told == [("w", START)]
        assert one.feed._watch is None


async def test_alerts_that_were_cut_off_are_told_to_an_engineer() -> None:
    """Until the group comes whole again."""
    async with rig() as one:
        await one.post(alert(), truncatedAlerts=3)
        await one.post(alert(), truncatedAlerts=2)
        assert "3 avskurna" in one.hub.said[0].source_text
        await one.post(alert())
        assert [said.event for said in one.hub.said] == [SignalEvent.ONCE, SignalEvent.ONCE, END]
        assert len({said.key for said in one.hub.said}) == 1
        one.adapter.turned_away("too_large", "the body is larger than 65536 bytes")
        assert "för stort" in one.hub.said[-1].source_text
        assert one.feed.status.refused == 1


async def test_what_is_remembered_of_alerts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was forgotten only counts once more."""
    monkeypatch.setattr(alertmanager, "REMEMBERED", 2)
    async with rig() as one:
        await one.post(alert("f1"), alert("f2"), alert("f3"))
        await one.post(alert("f3"))
        await one.post(alert("f1"))
        assert one.told[3:] == [("f3", UPDATE), ("f1", START)]


async def test_alertmanager_cannot_be_told_anything() -> None:
    """A report is taken and goes nowhere."""
    async with rig() as one:
        await one.adapter.report(Report("plant", ReportStatus.ACCEPTED, "DiskFull"), "a1")
        assert one.adapter.port == 0
