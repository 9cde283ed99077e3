"""What is said of devices that need an engineer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.inbound.mqtt_notices import DeviceNotices
from protocols.mqtt_says import BridgeSaid, Seen
from tests.support.mqtt_link import Rig, link


@pytest.fixture
async def it() -> AsyncIterator[Rig]:
    """A link that was never opened."""
    rig = Rig(link(1883, link_down_s=0.001, silent_after_s=7_200.0))
    yield rig
    rig.feed.close()
    await rig.crew.close()


def notices(it: Rig, **more: object) -> DeviceNotices:
    """What watches this link's devices."""
    return DeviceNotices(replace(link(1883, link_down_s=0.001, silent_after_s=7_200.0), **more), it.feed)


async def test_plain_words_with_the_place_where_a_rule_knows_it(it: Rig) -> None:
    """In the site's language."""
    told = notices(it)
    told.seen(Seen("bed12_button", battery=9))
    told.seen(Seen("unmapped", low=True))
    it.hub.world_now = replace(it.hub.world_now, site=replace(it.hub.world_now.site, language="en"))
    told.seen(Seen("third", battery=0))

    assert [notice.text for notice in it.hub.said] == [
        "Knapp bed12_button (sal 12 plats 2): batteri lågt 9 %",
        "Knapp unmapped: batteri lågt",
        "Button third: battery low 0 %",
    ]


async def test_a_lamp_in_the_same_network_is_nobodys_button(it: Rig) -> None:
    """Until it has pressed, or a rule names it."""
    told = notices(it)
    told.seen(Seen("lamp", battery=1, button=False))
    assert it.hub.said == []

    told.seen(Seen("bed12_button", battery=1, button=False))
    told.seen(Seen("lamp"))
    told.seen(Seen("lamp", battery=1, button=False))
    assert [notice.key.rpartition(":")[2] for notice in it.hub.said] == ["bed12_button", "lamp"]


async def test_bridges_offline_and_silent_ones(it: Rig) -> None:
    """Each by its own word."""
    told = notices(it, devices=("quiet",))
    told.bridge(BridgeSaid("zigbee2mqtt", False))
    told.seen(Seen("b", online=False, live=False))
    it.feed.clock = type("Later", (), {"now": lambda self: 2**52})()
    told.check()

    texts = {notice.text for notice in it.hub.said}
    assert "zigbee2mqtt är nere: tryck på dess knappar når inte hubben" in texts
    assert "Knapp b har tappat kontakten" in texts
    assert "Knapp quiet har inte hörts på 2 h" in texts


async def test_what_a_hub_before_told_is_not_told_again_but_taken_back(it: Rig) -> None:
    """The open notices are the memory."""
    await it.hub.signal(
        Signal("other", SignalEvent.START, key="trouble:plant:battery:b", place="x", kind=Kind.TECHNICAL)
    )
    (alarm,) = it.hub.alarms.values()
    it.hub.alarms[alarm.id] = replace(alarm, source="hub")
    told = notices(it)
    told.begin()
    told.seen(Seen("b", battery=9))
    assert it.hub.said == []

    told.seen(Seen("b", battery=90))
    assert [(notice.key, notice.event) for notice in it.hub.said] == [
        ("trouble:plant:battery:b", SignalEvent.END)
    ]
