"""Where answers go, and what is said when they do not arrive."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound import scaip_replies
from alarmhub.inbound.scaip_calls import Way
from alarmhub.inbound.scaip_replies import way_from, way_in, way_of
from alarmhub.inbound.sip_ends import Path
from load.scaip_alarm import ScaipUnit
from protocols.scaip import CONTENT_TYPE, Mrs, write_mrq
from protocols.sip import Request
from tests.support.hub import free_ports
from tests.support.scaip_line import CID, PENDANT, ScaipLine, scaip_line
from tests.support.waiting import until

WAY = Way("udp", "127.0.0.1", 5060, "sip:arc@x", f"sip:{CID}@x", form=CONTENT_TYPE)


def request(**headers: str) -> Request:
    """A MESSAGE with these headers."""
    said = {"from": f"<sip:{CID}@x>;tag=1", "to": "<sip:arc@x>"} | headers
    return Request("MESSAGE", "sip:arc@x", tuple(said.items()))


async def raised(unit: ScaipUnit, **headers: str) -> int:
    """Send an alarm by hand, without waiting for its answer; the SIP status."""
    extra = (("content-type", CONTENT_TYPE), *headers.items())
    return (await unit.request("MESSAGE", extra, write_mrq(PENDANT))).status


def test_a_way_survives_in_words() -> None:
    """As it is kept with the alarm; what is none is none."""
    assert way_from(way_of(WAY)) == WAY
    for text in ("", "x", "{}", '{"transport":1}'):
        assert way_from(text) is None


def test_a_way_is_read_from_the_request() -> None:
    """Both sides, the Contact, the form; addresses that are none or too long are left out."""
    path = Path("udp", "192.0.2.7", 40_000)
    way = way_in(request(contact="<sip:u@10.0.0.1:5062>;expires=1"), path, "luc", CONTENT_TYPE, "scaip")
    assert way == Way(
        "udp", "192.0.2.7", 40_000, "sip:arc@x", f"sip:{CID}@x", "luc", "sip:u@10.0.0.1:5062", CONTENT_TYPE,
        "scaip",
    )  # fmt: skip
    odd = way_in(request(**{"from": "<tel:+46>", "contact": f"<sip:{'x' * 400}@y>"}), path, "", "", "mrq")
    assert (odd.them, odd.contact, odd.root) == ("", "", "mrs")


async def test_the_contact_of_the_message_is_used() -> None:
    """Where none is registered."""
    async with scaip_line() as line, line.unit() as sender, line.unit() as other:
        assert await raised(sender, contact=f"<{other.contact}>") == 200
        assert await other.reply("A1B2C3") == Mrs("A1B2C3", 4)
        assert sender.replies == []


@pytest.mark.parametrize("settings", [{"reply_to": "source"}, {"allow": ("127.0.0.1",)}])
async def test_the_source_is_used_where_the_contact_must_not_be(settings: dict[str, Any]) -> None:
    """Because it is so set, or because the link does not allow its address."""
    contact = "<sip:u@127.0.0.9:9>" if "allow" in settings else "<sip:u@127.0.0.1:9>"
    async with scaip_line(**settings) as line, line.unit() as sender:
        assert await raised(sender, contact=contact) == 200
        assert await sender.reply("A1B2C3") == Mrs("A1B2C3", 4)


async def test_a_contact_that_cannot_be_reached_leaves_the_open_connection() -> None:
    """As of a unit behind address translation; also for news it did not ask for."""
    (nobody,) = free_ports(1)
    contact = f"<sip:u@127.0.0.1:{nobody};transport=tcp>"
    async with scaip_line() as line, line.unit("tcp") as unit:
        assert await raised(unit, contact=contact) == 200
        assert await unit.reply("A1B2C3") == Mrs("A1B2C3", 4)
        assert line.refused("reply_undelivered") == 0


async def test_what_cannot_be_delivered_is_counted() -> None:
    """The connection is gone and nobody listens: no exception, a line in the log, a number."""
    async with scaip_line() as line:
        async with line.unit("tcp") as unit:
            assert await raised(unit) == 200
            await unit.reply("A1B2C3")
        await until(lambda: line.feed.status.connected == 0, "the unit to be gone")
        way = way_from(line.hub.taken[0].origin)
        assert way is not None
        assert not await line.adapter._replies.send(Mrs("A1B2C3", 0), way)
        assert line.refused("reply_undelivered") == 1
        assert line.feed.status.last_refusal.startswith("reply not taken: ")


async def test_a_unit_that_refuses_the_answer_is_not_pressed() -> None:
    """Its 4xx is final."""
    async with scaip_line() as line, line.unit() as unit:
        unit.refuses = 486
        assert await raised(unit) == 200
        await until(lambda: line.refused("reply_undelivered"), "the refusal")
        assert line.feed.status.last_refusal == "reply not taken: 486 Status"


async def test_the_number_of_remembered_connections_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one unheard longest goes."""
    monkeypatch.setattr(scaip_replies, "MAX_LINES", 2)
    line = ScaipLine()
    replies = line.adapter._replies
    open_line: Any = object()
    for number in range(4):
        replies.heard(Way("tcp", "h", 1, "us", f"them{number}"), open_line)
    assert len(replies._lines) == 2
    replies.heard(Way("tcp", "h", 1, "us", "them3"), None)
    assert len(replies._lines) == 1
    assert await line.crew.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_contact_no_resolver_can_be_asked_for_stops_nothing(transport: str) -> None:
    """It is a unit's own word; the answer goes to where the message came from."""
    for contact in ("sip:luc@a..b", f"sip:luc@{'a' * 64}.example"):
        async with scaip_line() as line, line.unit(transport, contact=contact) as unit:
            assert (await unit.register()).status == 200
            assert await unit.send(PENDANT) == Mrs("A1B2C3", 4)
            assert not line.crew.fatal.done()
