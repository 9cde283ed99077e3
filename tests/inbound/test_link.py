"""What is agreed for a link, and what its plant is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.espa_settings import EspaLink, EspaSender
from alarmhub.inbound.link import SPOKEN, control_of, link_of, remembered, says, sending_of
from protocols.espa444 import LinkMode
from protocols.espa444_block import CallStatus

SETTINGS = EspaLink(source="plant", listen="127.0.0.1:0")


def test_the_settings_of_a_link_become_a_line() -> None:
    """The codec knows addresses, mode, letters and the select switch."""
    link = link_of(
        replace(
            SETTINGS,
            own_address="5",
            control_address="0",
            mode="polled",
            charset="iso646-se",
            poll_select=True,
        )
    )
    assert (link.own, link.control, link.mode) == ("5", "0", LinkMode.POLLED)
    assert (link.charset, link.eot_select) == ("iso646-se", True)
    with pytest.raises(ValueError, match="the same"):
        link_of(replace(SETTINGS, own_address="1"))


def test_every_status_has_its_word_in_the_protocol() -> None:
    """Record 7, as the standard numbers them."""
    assert {status: CallStatus(value).name for status, value in SPOKEN.items()} == {
        ReportStatus.QUEUED: "QUEUED",
        ReportStatus.PAGED: "PAGED",
        ReportStatus.ABSENT: "ABSENT",
        ReportStatus.ENDED: "TERMINATED",
        ReportStatus.ACCEPTED: "ACKNOWLEDGED",
        ReportStatus.UNANSWERED: "FAULT",
    }


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("paged", [False, True])
def test_what_a_plant_is_told_unasked_and_asked(paged: bool, accepted: bool) -> None:
    """Absent and fault always; paged and acknowledged as set; queued and ended only when it asks."""
    settings = replace(SETTINGS, paged_status=paged, accepted_status=accepted)
    unasked = {status for status in ReportStatus if says(settings, status)}
    always = {ReportStatus.ABSENT, ReportStatus.UNANSWERED}
    as_set = {s for s, on in ((ReportStatus.PAGED, paged), (ReportStatus.ACCEPTED, accepted)) if on}
    assert unasked == always | as_set
    asked = {status for status in ReportStatus if remembered(settings, status)}
    assert asked == unasked | {ReportStatus.QUEUED, ReportStatus.ENDED}


def test_a_line_whose_control_station_is_the_hub() -> None:
    """Stations and pace as set, in milliseconds."""
    line = control_of(
        replace(SETTINGS, role="control-station", stations=("2", "3"), poll_every_s=0.15, charset="cp850")
    )
    assert (line.own, line.stations, line.poll_every_ms, line.charset) == ("1", ("2", "3"), 150, "cp850")


@pytest.mark.parametrize(("every_s", "polled"), [(5.0, ("4",)), (0.0, ())])
def test_a_transmitter_is_polled_unless_it_cannot_stand_it(every_s: float, polled: tuple[str, ...]) -> None:
    """Nobody is polled every zero milliseconds."""
    sender = EspaSender(source="old", connect="127.0.0.1:1", pager_address="4", poll_every_s=every_s)
    assert sending_of(sender).stations == polled


@pytest.mark.parametrize(
    ("way", "seven"),
    [
        ({"serial": "/dev/ttyS0", "frame": "7E2"}, True),
        ({"serial": "/dev/ttyS0", "frame": "8E1"}, False),
        ({"listen": "127.0.0.1:0", "frame": "7E2"}, False),
        ({"listen": "127.0.0.1:0", "seven_bit": True}, True),
    ],
)
def test_seven_bits_of_a_wire_or_as_set(way: dict[str, Any], seven: bool) -> None:
    """A frame is of serial lines only; behind a device server it is a setting."""
    settings = EspaLink(source="plant", **way)
    assert link_of(settings).seven_bit is seven
    control = replace(settings, role="control-station", stations=("2",))
    assert control_of(control).seven_bit is seven


@pytest.mark.parametrize(("way", "block_ms"), [({"serial": "/dev/ttyS0"}, 4_000), ({"listen": "h:1"}, 0)])
def test_a_slow_wire_has_time_for_its_bytes(way: dict[str, Any], block_ms: int) -> None:
    """300 bit/s are 25 characters a second; a socket is no wire."""
    settings = EspaLink(source="plant", baud=300, **way)
    assert link_of(settings).timers.wire_ms(100) == block_ms
