"""When a device is news; all in virtual time."""

from __future__ import annotations

from alarmhub.inbound.mqtt_watch import Ailment, DeviceNews, DeviceWatch
from protocols.mqtt_says import BridgeSaid, Seen

S = 1000
DAY = 86_400 * S


def watch(expected: tuple[str, ...] = (), told: tuple[tuple[str, Ailment], ...] = ()) -> DeviceWatch:
    """Silent after a day, offline after 30 s, well after 120 s, batteries from 20 %."""
    return DeviceWatch(
        expected, silent_ms=DAY, down_ms=30 * S, up_ms=120 * S, battery_percent=20, now=0, told=told
    )


def test_a_low_battery_is_told_once_and_taken_back_when_it_is_clearly_well() -> None:
    """A warm room is no new cell."""
    it = watch()

    assert it.seen(Seen("b", battery=19), 0) == [DeviceNews("b", Ailment.BATTERY, percent=19)]
    assert it.seen(Seen("b", battery=18), 1) == []
    assert it.seen(Seen("b", battery=22), 2) == []
    assert it.seen(Seen("b", battery=25), 3) == [DeviceNews("b", Ailment.BATTERY, over=True)]
    assert it.seen(Seen("b", battery=100), 4) == []


def test_a_device_may_say_itself_that_its_battery_is_low() -> None:
    """Whatever percentage it gives, and a remembered word counts too."""
    it = watch()

    assert it.seen(Seen("b", battery=60, low=True, live=False), 0)[0].ailment is Ailment.BATTERY
    assert it.seen(Seen("b", low=False), 1) == [DeviceNews("b", Ailment.BATTERY, over=True)]


def test_an_expected_device_that_is_never_heard_is_silent() -> None:
    """From the start on; and well as soon as it speaks."""
    it = watch(("b",))
    assert it.check(DAY - 1) == []

    assert it.check(DAY) == [DeviceNews("b", Ailment.SILENT)]
    assert it.check(2 * DAY) == []
    assert it.seen(Seen("b"), 2 * DAY) == [DeviceNews("b", Ailment.SILENT, over=True)]


def test_a_memory_is_no_sign_of_life() -> None:
    """The broker remembers for ever; but from then on the device is known."""
    it = watch()
    it.seen(Seen("b", battery=90, live=False), 0)
    it.seen(Seen("b", battery=90, live=False), DAY - 1)

    assert it.check(DAY) == [DeviceNews("b", Ailment.SILENT)]


def test_offline_is_news_after_its_time_and_over_when_stable() -> None:
    """One that flaps is one piece of news."""
    it = watch()
    it.seen(Seen("b", online=False, live=False), 0)
    assert it.check(29 * S) == []
    assert it.check(30 * S) == [DeviceNews("b", Ailment.OFFLINE)]

    it.seen(Seen("b", online=True, live=False), 40 * S)
    it.seen(Seen("b", online=False, live=False), 100 * S)
    assert it.check(150 * S) == []
    it.seen(Seen("b"), 200 * S)
    assert it.check(319 * S) == []
    assert it.check(320 * S) == [DeviceNews("b", Ailment.OFFLINE, over=True)]
    assert it.check(500 * S) == []


def test_a_short_absence_is_none() -> None:
    """Within the time allowed."""
    it = watch()
    it.seen(Seen("b", online=False, live=False), 0)
    it.seen(Seen("b"), 29 * S)

    assert it.check(500 * S) == []


def test_a_bridge_is_watched_alike_and_may_be_silent() -> None:
    """It only speaks when its state changes."""
    it = watch()
    it.bridge(BridgeSaid("z", False), 0)
    assert it.check(30 * S) == [DeviceNews("z", Ailment.BRIDGE)]

    it.bridge(BridgeSaid("z", True), 31 * S)
    assert it.check(151 * S) == [DeviceNews("z", Ailment.BRIDGE, over=True)]
    assert it.check(9 * DAY) == []


def test_what_was_told_before_a_restart_is_still_told() -> None:
    """Neither again nor for ever."""
    it = watch(told=(("b", Ailment.BATTERY), ("b", Ailment.OFFLINE), ("z", Ailment.BRIDGE)))

    assert it.seen(Seen("b", battery=9), 0) == []
    assert it.seen(Seen("b", battery=90), 1) == [DeviceNews("b", Ailment.BATTERY, over=True)]
    it.bridge(BridgeSaid("z", True), 1)
    assert {news.ailment for news in it.check(200 * S)} == {Ailment.OFFLINE, Ailment.BRIDGE}


def test_devices_are_bounded() -> None:
    """A stream of invented names fills no memory."""
    it = watch()
    for number in range(10_050):
        it.seen(Seen(f"b{number}", battery=1), 0)

    assert len(it) == 10_000
