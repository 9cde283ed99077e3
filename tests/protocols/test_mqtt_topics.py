"""Topic filters, prefixes, and whose dialect a topic speaks."""

from __future__ import annotations

import pytest

from protocols.mqtt_topics import Dialect, Routes, filter_fault, level, matches, prefix_fault


@pytest.mark.parametrize(
    ("wanted", "topic", "fits"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport", True),
        ("#", "$SYS/uptime", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
    ],
)
def test_filters_match_as_the_standard_says(wanted: str, topic: str, fits: bool) -> None:
    """MQTT 5, 4.7, its own examples."""
    assert matches(wanted, topic) is fits


@pytest.mark.parametrize("wanted", ["a/b", "+", "#", "a/+/b/#", "/a"])
def test_these_are_filters(wanted: str) -> None:
    """Nothing is wrong with them."""
    assert filter_fault(wanted) == ""


@pytest.mark.parametrize("wanted", ["", "a#", "a/#/b", "a+/b", "a\0b", "x" * 2_000])
def test_these_are_not(wanted: str) -> None:
    """Each is named as a fault."""
    assert filter_fault(wanted)


@pytest.mark.parametrize(
    ("prefix", "good"),
    [
        ("alarmhub/state", True),
        ("a", True),
        ("", False),
        ("a/", False),
        ("/a", False),
        ("a/+", False),
        ("$SYS", False),
    ],
)
def test_prefixes(prefix: str, good: bool) -> None:
    """Plain levels without slashes at the ends."""
    assert (prefix_fault(prefix) == "") is good


def test_a_name_becomes_one_level() -> None:
    """What topics cannot hold is replaced."""
    assert level("sal 12/plats+2#") == "sal 12_plats_2_"
    assert level("") == "_"
    assert level("a\0b") == "a_b"


def test_who_speaks_where() -> None:
    """The most particular filter names the dialect."""
    routes = Routes(
        own="alarmhub/b",
        chirpstack="application",
        zigbee2mqtt="z",
        shelly_gen2=("+",),
        buttons=("z/special",),
    )

    assert routes.dialect("alarmhub/b/signals") is Dialect.SIGNAL
    assert routes.dialect("alarmhub/b/signals/201") is Dialect.SIGNAL
    assert routes.dialect("alarmhub/b/devices/x") is Dialect.DEVICE
    assert routes.dialect("application/a/device/e/event/up") is Dialect.CHIRPSTACK
    assert routes.dialect("z/special") is Dialect.BUTTON
    assert routes.dialect("z/x/action") is Dialect.ZIGBEE2MQTT
    assert routes.dialect("shellyplus1/events/rpc") is Dialect.SHELLY_GEN2
    assert routes.dialect("elsewhere") is None
    assert Routes().filters() == ()
