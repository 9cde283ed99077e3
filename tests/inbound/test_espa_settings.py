"""What is set for an ESPA line, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound.espa_settings import EspaLink, EspaSender
from alarmhub.inbound.serial_line import FRAMES

LISTEN: dict[str, Any] = {"listen": "127.0.0.1:2023"}


def link(**more: Any) -> EspaLink:
    """One line in."""
    return EspaLink(source="plant", **more)


def sender(**more: Any) -> EspaSender:
    """One line out."""
    return EspaSender(source="old", connect="127.0.0.1:2023", **more)


@pytest.mark.parametrize(
    "way", [LISTEN, {"connect": "10.1.2.3:2023"}, {"serial": "/dev/ttyUSB0", "frame": "7E1", "baud": 1200}]
)
def test_a_line_is_had_in_one_of_three_ways(way: dict[str, Any]) -> None:
    """Each alone is enough; only one that listens has an address others could take."""
    settings = link(**way)
    assert settings.faults() == []
    assert settings.listens() == (("127.0.0.1", 2023) if "listen" in way else None)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, "listen: expected exactly one of listen, connect, serial"),
        ({**LISTEN, "serial": "/dev/ttyS0"}, "serial: expected exactly one of listen, connect, serial"),
        ({"connect": "nowhere"}, "connect: expected host:port, got 'nowhere'"),
        ({**LISTEN, "allow": ("10.1.2.0/24", "pager")}, "allow: not a network: 'pager'"),
        ({"serial": "/dev/ttyS0", "allow": ("10.1.2.3",)}, "allow: only with listen"),
        ({**LISTEN, "own_address": "1"}, "own_address: the same as control_address"),
        ({**LISTEN, "stations": ("3",)}, "stations: only a control station polls"),
        (
            {**LISTEN, "expected_every_s": 60.0},
            "expected_every_s: only as pager system on a serial line",
        ),
    ],
)
def test_a_line_that_cannot_be(more: dict[str, Any], fault: str) -> None:
    """One fault, named after its setting."""
    assert link(**more).faults() == [fault]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, "stations: expected at least one for a control station"),
        ({"stations": ("1", "2")}, "stations: own_address is among them"),
        ({"stations": ("2", "2")}, "stations: one is there twice"),
        (
            {"stations": ("2",), "poll_every_s": 20.0},
            "link_down_s: expected at least three times poll_every_s",
        ),
    ],
)
def test_a_control_station_needs_others(more: dict[str, Any], fault: str) -> None:
    """And itself is none of them."""
    assert link(**LISTEN, role="control-station", **more).faults() == [fault]


def test_each_role_has_its_customary_address() -> None:
    """The pager system is 2, the control station 1, unless it is set."""
    assert link(**LISTEN).own == "2"
    assert link(**LISTEN, role="control-station", stations=("2",)).own == "1"
    assert link(**LISTEN, role="control-station", stations=("2",), own_address="9").own == "9"
    assert link(**LISTEN, role="control-station", stations=("2",)).faults() == []


def test_frames_are_seven_or_eight_bits_with_one_or_two_stop_bits() -> None:
    """From 7E1 to 8N1 and beyond."""
    assert {"7E1", "7E2", "8N1", "8E1"} <= set(FRAMES)
    assert all(frame[0] in "78" and frame[1] in "NEO" and frame[2] in "12" for frame in FRAMES)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"pager_address": "1"}, "pager_address: the same as own_address"),
        ({"poll_every_s": 15.0}, "down_s: expected at least three times poll_every_s"),
        ({"numbers": "10("}, "numbers: is no regular expression"),
        ({"text": "{label} {patient}"}, "text: {patient} is unknown, expected {label}, {place}, {priority}"),
    ],
)
def test_a_sender_that_cannot_be(more: dict[str, Any], fault: str) -> None:
    """The text names only what a pager may show."""
    (said,) = sender(**more).faults()
    assert said.startswith(fault)


def test_a_sender_may_never_poll() -> None:
    """For a transmitter that cannot stand it."""
    assert sender(poll_every_s=0.0).faults() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{label} {unit} {place}", "Toalettlarm Avd 201 sal 3 WC"),
        ("{priority}: {label}", "HIGH: Toalettlarm"),
        ("{place}!", "sal 3 WC!"),
    ],
)
def test_a_page_is_worded_as_set(text: str, said: str) -> None:
    """Parts in any order, between any words."""
    settings = sender(text=text)
    worded = settings.worded(label="Toalettlarm", place="sal 3 WC", unit="Avd 201", priority="HIGH")
    assert (settings.faults(), worded) == ([], said)


def test_what_is_not_known_leaves_no_blanks() -> None:
    """A place nobody knows is not there."""
    assert sender().worded(label="Larm", place="", unit="", priority="LOW") == "Larm"


def test_braces_from_outside_are_text() -> None:
    """A name with braces in it names nothing."""
    assert sender().worded(label="{place}", place="{unit}", unit="x", priority="LOW") == "{place} x {unit}"
