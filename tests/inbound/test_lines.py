"""All lines of a hub: opened and closed together, reports to the right one, news to the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Page, Report, ReportStatus, Says, Sms
from alarmhub.core.events import SignalEvent
from alarmhub.inbound.callback import CallbackLink
from alarmhub.inbound.espa_settings import EspaLink, EspaSender
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.lines import Lines
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.ports import DeliveryFailed, OutboxRow
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from load.espa_station import EspaStation
from protocols.espa444_block import encode_block
from tests.support.espa_plant import Plant
from tests.support.espa_talk import ACK, EOT, POLL, SELECT, call
from tests.support.intake import Intake
from tests.support.smsc import Smsc
from tests.support.waiting import until


def link(source: str, port: int = 0, **more: Any) -> EspaLink:
    """A polled link on a free port."""
    return EspaLink(source=source, listen=f"127.0.0.1:{port}", mode="polled", **more)


@asynccontextmanager
async def lines(*links: EspaLink) -> AsyncIterator[tuple[Lines, Intake]]:
    """Open lines; afterwards no task is left and none has died."""
    crew, hub = Crew("test"), Intake()
    them = Lines({"espa": links}, clock=MonotonicClock(), crew=crew)
    await them.start(hub)
    try:
        yield them, hub
    finally:
        await them.stop()
        assert await crew.close()
        assert not crew.fatal.done()


def row(source: str, body: bytes | None = None) -> OutboxRow:
    """A report as the outbox holds it."""
    report = Report(source, ReportStatus.PAGED, "1201", "Sal 12 plats 1")
    return OutboxRow("1", "a1", "report", source, body or msgspec.json.encode(report), 0, 60_000)


async def test_each_line_speaks_for_its_own_source() -> None:
    """Two plants with the same words are two sources."""
    async with lines(link("plant"), link("other")) as (them, hub):
        for source in ("plant", "other"):
            async with Plant(them.port(source)) as plant:
                await plant.call(SELECT, call())
        assert [signal.source for signal in hub.taken] == ["plant", "other"]


async def test_a_report_goes_out_on_the_line_of_its_source() -> None:
    """As the outbox stored it; done when the control station has taken it."""
    async with (
        lines(link("plant"), link("other")) as (them, _),
        Plant(them.port("plant")) as plant,
        Plant(them.port("other")) as other,
    ):
        for one in (plant, other):
            await one.say(POLL)
            await one.hear(EOT)
        told = asyncio.get_running_loop().create_task(them.report(row("plant")))
        await until(lambda: them._open["plant"][0]._reports, "the report to wait")
        await other.say(POLL)
        await other.hear(EOT)
        await plant.say(POLL)
        await plant.hear(b"1\x05")
        await plant.say(ACK)
        await plant.hear(encode_block("2", [("1", b"1201"), ("2", b"Sal 12 plats 1"), ("7", b"3")]))
        await plant.say(ACK)
        await plant.hear(EOT)
        await told


async def test_reports_that_cannot_be_told() -> None:
    """A source without a line, a row nobody can read: failed, for the outbox to settle."""
    async with lines(link("plant")) as (them, _):
        with pytest.raises(DeliveryFailed, match="no line to http-plant"):
            await them.report(row("http-plant"))
        with pytest.raises(DeliveryFailed, match="unreadable"):
            await them.report(row("plant", b"{}"))


async def test_a_source_that_takes_no_status_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its link is up and its calls come, so nothing else shows that responsibility cannot be returned."""
    monkeypatch.setattr("alarmhub.inbound.feed.UNTOLD_FOR_S", 0.05)
    crew, hub = Crew("test"), Intake()
    back = CallbackLink("plant", "http://127.0.0.1:1/told")
    them = Lines({"callback": [back]}, clock=MonotonicClock(), crew=crew)
    await them.start(hub)

    async def failed() -> bool:
        with pytest.raises(DeliveryFailed):
            await them.report(row("plant"))
        return bool(hub.said)

    async with asyncio.timeout(5):
        while not await failed():
            assert not hub.said
    await failed()
    (said,) = hub.said
    assert said.key == "trouble:plant:reports"
    assert said.text.startswith("plant kan inte få besked om sina larm: callback: Client")
    await them.stop()
    assert await crew.close()


async def test_a_status_that_is_never_said_is_no_sign_that_others_are_taken() -> None:
    """ESPA keeps "queued" for when it is asked: a plant that refuses every other one is in trouble."""
    async with lines(link("plant")) as (them, hub):
        before = Feed("plant", "espa", hub=hub, clock=MonotonicClock(), crew=Crew("before"))
        before.trouble("reports", "x", "x")
        await hub.signal(hub.said.pop())
        queued = msgspec.json.encode(Report("plant", ReportStatus.QUEUED, "1201"))
        await them.report(row("plant", queued))
        assert hub.said == []
        async with Plant(them.port("plant")) as plant:
            await plant.say(POLL)
            await plant.hear(EOT)
            told = asyncio.get_running_loop().create_task(them.report(row("plant")))
            await plant.say(POLL)
            await plant.hear(b"1\x05")
            await plant.say(ACK)
            await plant.hear(encode_block("2", [("1", b"1201"), ("2", b"Sal 12 plats 1"), ("7", b"3")]))
            await plant.say(ACK)
            await told
        assert [said.key for said in hub.said] == ["trouble:plant:reports"]


async def test_a_source_that_takes_a_status_again_is_well() -> None:
    """Also when a hub before this one told; and a lost link is news enough."""
    crew, hub = Crew("test"), Intake()
    feed = Feed("plant", "callback", hub=hub, clock=MonotonicClock(), crew=crew)
    feed.told()
    assert hub.said == []
    feed.trouble("reports", "x", "x")
    await hub.signal(hub.said.pop())
    after = Feed("plant", "callback", hub=hub, clock=MonotonicClock(), crew=crew)
    after.told()
    after.told()
    assert [(said.key, said.event) for said in hub.said] == [("trouble:plant:reports", SignalEvent.END)]
    after.status.up = False
    after.not_told("no connection")
    assert after._untold_since is None
    assert await crew.close()


async def test_a_lost_link_is_told_to_the_hub() -> None:
    """Down once, with its name."""
    async with lines(link("plant", link_down_s=0.1), link("other")) as (them, hub):
        await until(lambda: hub.links, "the news")
        assert hub.links == [("plant", False)]
        assert (them.is_up("plant"), them.is_up("other")) == (False, True)
        assert them.is_up("http-plant"), "what has no line has none that is down"


async def test_nonsense_becomes_a_technical_alarm() -> None:
    """Named after the source; the hub's own news is never refused."""
    async with lines(link("plant")) as (them, hub), Plant(them.port("plant")) as plant:
        await plant.say(SELECT)
        await plant.hear(ACK)
        for _ in range(3):
            await plant.say(call()[:-1] + b"\x7f")
            await plant.hear(b"1\x15")
        await until(lambda: hub.said, "the alarm")
        (signal,) = hub.said
        assert (signal.source, signal.kind, signal.key) == ("hub", "technical", "nonsense:plant")
        assert signal.text == "plant sänder telegram som inte går att läsa"
        (status,) = them.status()
        assert (status.refused, status.last_refusal, status.last_answer) == (3, "wrong block check", "1 NAK")


async def test_a_line_that_cannot_listen_stops_the_start_and_closes_the_others() -> None:
    """A hub that runs without a plant's door would look well and hear nothing."""
    async with lines(link("plant")) as (them, _):
        crew, taken = Crew("second"), them.port("plant")
        second = Lines({"espa": [link("other"), link("plant", taken)]}, clock=MonotonicClock(), crew=crew)
        with pytest.raises(OSError, match="address"):
            await second.start(Intake())
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", second._open["other"][0].port or 1)
        assert await crew.close()


def page(pager: str, body: bytes | None = None) -> OutboxRow:
    """A page as the outbox holds it."""
    words = Page("rut", pager, "a1", "patientkallelse", "sal 12")
    return OutboxRow("1", "a1", "page", pager, body or msgspec.json.encode(words), 0, 60_000)


async def test_a_page_goes_to_the_transmitter_that_reaches_its_number() -> None:
    """Of two, the right one; a number of neither, or a row nobody can read, failed."""
    near, far = EspaStation(), EspaStation()
    senders = [
        EspaSender(source=name, connect=f"127.0.0.1:{await station.listen()}", numbers=numbers)
        for name, station, numbers in (("near", near, "1..."), ("far", far, "2..."))
    ]
    crew = Crew("test")
    them = Lines({"espa": [link("plant")], "espa_sender": senders}, clock=MonotonicClock(), crew=crew)
    await them.start(Intake())
    await until(lambda: all(s.connected for s in them.status() if s.source != "plant"), "both lines")
    await them.page(page("2042"))
    assert (len(near.taken), [taken.get("1") for taken in far.taken]) == (0, ["2042"])
    with pytest.raises(DeliveryFailed, match="no transmitter for pager 3042"):
        await them.page(page("3042"))
    with pytest.raises(DeliveryFailed, match="unreadable page"):
        await them.page(page("1042", b"{}"))
    await them.stop()
    near.close()
    far.close()
    assert await crew.close()
    assert not crew.fatal.done()


def text_row(body: bytes | None = None) -> OutboxRow:
    """A text message as the outbox holds it."""
    sms = Sms("anna", "+46701740605", "a1", Says.RINGS, 1, code="4711")
    return OutboxRow("1", "a1", "sms", sms.number, body or msgspec.json.encode(sms), 0, 60_000)


async def test_a_text_message_goes_over_the_first_link_that_is_up() -> None:
    """The second while the first is away; without a link, or of a row nobody can read, it failed."""
    first, second = Smsc(), Smsc()
    links = [
        SmppLink(
            source=name, connect=f"127.0.0.1:{await smsc.start()}", system_id="hub",
            password=Secret("secret"), sender="33333",
        )
        for name, smsc in (("first", first), ("second", second))
    ]  # fmt: skip
    crew = Crew("test")
    them = Lines({"smpp": links}, clock=MonotonicClock(), crew=crew)
    await them.start(Intake())
    await until(lambda: all(s.connected for s in them.status()), "both links")
    await them.text(text_row())
    await first.stop()
    await until(lambda: not all(s.connected for s in them.status()), "one is gone")
    await them.text(text_row())
    assert (len(first.submits), len(second.submits)) == (1, 1)
    with pytest.raises(DeliveryFailed, match="unreadable text message"):
        await them.text(text_row(b"{}"))
    await them.stop()
    await second.stop()
    bare = Lines({}, clock=MonotonicClock(), crew=crew)
    with pytest.raises(DeliveryFailed, match="no link for text messages"):
        await bare.text(text_row())
    assert await crew.close()
    assert not crew.fatal.done()
