"""What is agreed for a link, and what its plant is told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.inbound.link import SPOKEN, link_of, remembered, says
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
