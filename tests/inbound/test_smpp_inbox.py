"""How what a network delivers is answered; whole conversations are in test_smpp.py."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.engine.codes import Code, SentText
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.smpp_inbox import Inbox, network_id
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.ports import NotStored, Refused
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from protocols.smpp_pdu import Address, Delivery, Status
from tests.support.intake import Intake

ANNA = "+46701740605"
SETTINGS = SmppLink(
    source="operator", connect="127.0.0.1:2775", system_id="hub", password=Secret("x"), sender="33333"
)


class Rig:
    """An inbox, and a hub that knows one code and one message."""

    def __init__(self) -> None:
        self.hub = Intake()
        site = self.hub.world_now.site
        staff = site.staff | {"anna": replace(site.staff["anna"], sms=ANNA)}
        self.hub.world_now = replace(self.hub.world_now, site=replace(site, staff=staff))
        self.hub.state.codes[ANNA] = (Code("4711", "a1", "anna", 1),)
        self.hub.state.sent_texts[network_id("operator", "1F")] = SentText("a1", "anna", 1)
        self.feed = Feed("operator", "smpp", hub=self.hub, clock=MonotonicClock(), crew=Crew("test"))
        self.inbox = Inbox(SETTINGS, self.feed)

    async def takes(self, text: str, esm_class: int = 0) -> Status:
        """One delivery from Anna's number."""
        return await self.inbox.take(
            Delivery(Address("46701740605", 1, 1), Address("33333"), esm_class, 3, text.encode("latin-1"), {})
        )


@pytest.mark.parametrize(
    ("refuse", "status"),
    [(None, Status.OK), (NotStored("full"), Status.TEMPORARY), (Refused("invalid"), Status.PERMANENT)],
)
async def test_the_answer_says_what_the_store_said(refuse: Exception | None, status: Status) -> None:
    """Again later, never, or stored; for replies and receipts alike."""
    rig = Rig()
    rig.hub.refuse = refuse
    assert await rig.takes("1 4711") is status
    assert await rig.takes("id:1F stat:DELIVRD", 0x04) is status
    assert (len(rig.hub.answers), len(rig.hub.reports)) == ((1, 1) if refuse is None else (0, 0))


async def test_a_receipt_that_writes_the_id_otherwise_finds_its_message() -> None:
    """31 is 1F."""
    rig = Rig()
    assert await rig.takes("id:0000000031 stat:DELIVRD", 0x04) is Status.OK
    assert len(rig.hub.reports) == 1


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x18, 0x20])
async def test_other_kinds_of_delivery_answer_nothing(esm_class: int) -> None:
    """Acknowledgements of a half-way, or of a person's terminal."""
    rig = Rig()
    assert await rig.takes("1 4711", esm_class) is Status.OK
    assert not rig.hub.answers and not rig.hub.reports
