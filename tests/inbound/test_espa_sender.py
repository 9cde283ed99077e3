"""The hub feeds an old pager transmitter: pages, resets, and what the transmitter says of itself."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Page, Report, ReportStatus
from alarmhub.engine import notices
from alarmhub.inbound.espa_sender import EspaSenderAdapter
from alarmhub.inbound.espa_settings import EspaSender
from alarmhub.inbound.feed import Feed, PageCarrier
from alarmhub.inbound.link import sending_of
from alarmhub.ports import DeliveryFailed
from alarmhub.tasks import Crew
from load.espa_plant import CALL, block
from load.espa_station import EspaStation
from protocols.espa444_line import Timers
from tests.support.espa_plant import Plant
from tests.support.intake import Intake
from tests.support.waiting import until
from tests.support.wires import Wire

PAGE = Page("rut", "1042", "a1", "patientkallelse", "sal 12 plats 1", "Avd 201", "low")


class Rig:
    """One sender, its transmitter, and the hub behind it."""

    def __init__(self, transmitter: EspaStation, settings: EspaSender) -> None:
        self.transmitter = transmitter
        self.hub = Intake()
        self.crew = Crew("test")
        self.feed = Feed("old", "espa_sender", hub=self.hub, clock=MonotonicClock(), crew=self.crew)
        self.sender = EspaSenderAdapter(settings, self.feed)

    @property
    def pages(self) -> list[tuple[str, str, str]]:
        """Number, text and call type of what was taken."""
        return [(taken.get("1"), taken.get("2"), taken.get("4")) for taken in self.transmitter.taken]

    @property
    def news(self) -> list[str]:
        """What the hub said about itself."""
        return [notice.text or f"over: {notice.key}" for notice in self.hub.said]

    async def connected(self) -> None:
        """The line is open."""
        await until(lambda: self.feed.status.connected, "the connection")


@asynccontextmanager
async def rig(
    transmitter: EspaStation | None = None, *, told: str = "", **settings: Any
) -> AsyncIterator[Rig]:
    """A sender on the line of a transmitter; afterwards no task is left and none has died. `told`: trouble
    that a hub before this one has told."""
    transmitter = transmitter or EspaStation()
    if "serial" not in settings and "listen" not in settings:
        settings["connect"] = f"127.0.0.1:{await transmitter.listen()}"
    it = Rig(transmitter, EspaSender(source="old", **({"poll_every_s": 0.05} | settings)))
    if told:
        await it.hub.signal(notices.trouble(it.feed.site(), "old", told, told, told))
    await it.sender.start()
    try:
        yield it
    finally:
        await it.sender.close()
        it.feed.close()
        transmitter.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reply times of a line in a hurry."""
    hurried = Timers(reply_ms=30, repeats=1)
    monkeypatch.setattr(
        "alarmhub.inbound.espa_sender.sending_of",
        lambda settings: dataclasses.replace(
            sending_of(settings), timers=hurried, busy_ms=20, offline_ms=200
        ),
    )


async def test_a_page_is_done_when_the_transmitter_has_taken_it() -> None:
    """All records, in the words of the settings."""
    async with rig() as it:
        await it.connected()
        await it.sender.page(PAGE)
        (taken,) = it.transmitter.taken
        assert taken.records == (
            ("1", "1042"), ("2", "Patientkallelse Avd 201 sal 12 plats 1"),
            ("3", "1"), ("4", "3"), ("5", "1"), ("6", "3"),
        )  # fmt: skip
        assert (taken.header, it.feed.status.last_answer) == ("1", "ACK")
        assert isinstance(it.sender, PageCarrier)


@pytest.mark.parametrize(
    ("priority", "beep", "said"),
    [("high", "9", "1"), ("medium", "5", "2"), ("low", "1", "3"), ("?", "1", "3")],
)
async def test_priority_is_said_in_the_protocols_words(priority: str, beep: str, said: str) -> None:
    """Record 6, and the beep agreed with the transmitter."""
    async with rig(beep_high="9", beep_medium="5", transmissions="2") as it:
        await it.connected()
        await it.sender.page(replace(PAGE, priority=priority))
        (taken,) = it.transmitter.taken
        assert (taken.get("3"), taken.get("5"), taken.get("6")) == (beep, "2", said)


async def test_letters_and_length_are_the_lines() -> None:
    """Seven bits, twenty characters; a drill says so first."""
    async with rig(charset="iso646-se", text_chars=20) as it:
        await it.connected()
        await it.sender.page(replace(PAGE, label="hjärtlarm vuxen", unit="Ögon", place="", drill=True))
        assert it.pages == [("1042", "PROV Hj{rtlarm vuxen", "3")]


async def test_a_page_is_taken_back_with_the_words_it_was_sent_with() -> None:
    """Even when the place has been named since; one this process did not send is worded as it would be."""
    async with rig() as it:
        await it.connected()
        await it.sender.page(PAGE)
        await it.sender.page(replace(PAGE, place="sal 13", ends=True))
        await it.sender.page(replace(PAGE, alarm="before the restart", ends=True))
        text = "Patientkallelse Avd 201 sal 12 plats 1"
        assert it.pages == [("1042", text, "3"), ("1042", text, "1"), ("1042", text, "1")]


async def test_a_transmitter_that_knows_no_resets_gets_none() -> None:
    """As set."""
    async with rig(resets=False) as it:
        await it.connected()
        await it.sender.page(PAGE)
        await it.sender.page(replace(PAGE, ends=True))
        assert len(it.pages) == 1


async def test_a_number_that_is_anothers_is_not_carried() -> None:
    """Whole numbers only; without a setting all of them."""
    async with rig(numbers="10[0-9]{2}|9001") as it:
        assert [it.sender.carries(number) for number in ("1042", "9001", "10421", "2010")] == [
            True, True, False, False,
        ]  # fmt: skip
    async with rig() as it:
        assert it.sender.carries("2010")


async def test_noise_and_a_full_queue_are_overcome(quick: None) -> None:
    """Repeated after `1 NAK`, tried again after `2 NAK`."""
    async with rig() as it:
        await it.connected()
        it.transmitter.busy, it.transmitter.damaged = 2, 1
        await it.sender.page(PAGE)
        assert len(it.pages) == 1


async def test_a_page_that_is_not_taken_failed_for_the_outbox_to_try_again(quick: None) -> None:
    """No connection, busy for good, no answer: each says why, and is counted."""
    async with rig(connect="127.0.0.1:1") as it:
        with pytest.raises(DeliveryFailed, match="no connection"):
            await it.sender.page(PAGE)
    async with rig() as it:
        await it.connected()
        it.transmitter.busy = 99
        with pytest.raises(DeliveryFailed, match="busy"):
            await it.sender.page(PAGE)
        it.transmitter.deaf = True
        with pytest.raises(DeliveryFailed, match="did not answer"):
            await it.sender.page(PAGE)
        assert it.feed.status.last_refusal == "station did not answer"


async def test_a_page_that_takes_too_long_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not come out of the line later, after the outbox has counted it as failed."""
    monkeypatch.setattr("alarmhub.inbound.espa_sender.PAGE_WITHIN_S", 0.05)
    async with rig(poll_every_s=0.0) as it:
        await it.connected()
        it.transmitter.deaf = True
        paging = [asyncio.get_running_loop().create_task(it.sender.page(PAGE)) for _ in range(2)]
        for page in paging:
            with pytest.raises(DeliveryFailed, match="in time"):
                await page
        assert not it.sender._waiting


async def test_a_lost_connection_fails_what_was_waiting() -> None:
    """And the next page goes over the next one."""
    async with rig(poll_every_s=0.0) as it:
        await it.connected()
        it.transmitter.deaf = True
        paging = asyncio.get_running_loop().create_task(it.sender.page(PAGE))
        await until(lambda: it.sender._waiting, "the page to wait")
        for writer in list(it.transmitter._serving):
            writer.transport.abort()
        with pytest.raises(DeliveryFailed, match="connection lost"):
            await paging
        it.transmitter.deaf = False
        await until(lambda: it.feed.status.connected, "the next connection")
        await it.sender.page(PAGE)
        assert len(it.pages) == 1


async def test_a_transmitter_that_says_it_has_failed_is_news(quick: None) -> None:
    """Record 8 of a header 2; over when it says so, or when a call went out."""
    failed, well = [("8", "1")], [("8", "0")]
    called = [("1", "1042"), ("2", "x"), ("7", "3")]
    async with rig() as it:
        await it.connected()
        for records in (failed, well, failed, called):
            it.transmitter.give(block("2", list(records)))
        await until(lambda: len(it.news) == 4, "the news")
        assert (
            it.news
            == ["Sökarsändaren old är ur funktion: personsökare nås inte", "over: trouble:old:failure"] * 2
        )


async def test_a_silent_transmitter_is_news_to_the_engineer_not_to_the_wards(quick: None) -> None:
    """Down and up again with the hysteresis of any link; no ward is told that its calls do not arrive."""
    async with rig(down_s=0.3, up_s=0.2) as it:
        await it.connected()
        it.transmitter.deaf = True
        await until(lambda: it.news, "the news")
        assert it.news == ["Sökarsändaren old svarar inte: personsökare nås inte"]
        it.transmitter.deaf = False
        await until(lambda: it.feed.up, "the return")
        assert it.news[-1] == "over: trouble:old:silent"
        assert it.hub.links == []


async def test_one_that_is_never_polled_is_silent_when_its_pages_are(quick: None) -> None:
    """Nothing else shows it."""
    async with rig(poll_every_s=0.0) as it:
        await it.connected()
        it.transmitter.deaf = True
        with pytest.raises(DeliveryFailed):
            await it.sender.page(PAGE)
        await until(lambda: it.news, "the news")
        it.transmitter.deaf = False
        await it.sender.page(PAGE)
        await until(lambda: len(it.news) == 2, "the return")
        assert it.transmitter.polls == 0


async def test_a_silent_one_that_is_never_polled_is_back_when_it_answers_on_another_connection(
    quick: None,
) -> None:
    """Also after a restart of the hub: a connection alone is no sign that pages go out."""
    async with rig(poll_every_s=0.0) as it:
        await it.connected()
        it.transmitter.deaf = True
        with pytest.raises(DeliveryFailed):
            await it.sender.page(PAGE)
        await until(lambda: it.news, "the news")
        for writer in list(it.transmitter._serving):
            writer.transport.abort()
        it.transmitter.deaf = False
        await until(lambda: not it.feed.status.connected, "the loss")
        await it.connected()
        await it.sender.page(PAGE)
        await until(lambda: len(it.news) == 2, "the return")
        assert it.news[-1] == "over: trouble:old:silent"


@pytest.mark.parametrize("poll_every_s", [0.0, 0.05])
async def test_a_silence_told_before_a_restart_is_taken_back(quick: None, poll_every_s: float) -> None:
    """Polled or not, once it answers."""
    async with rig(told="silent", poll_every_s=poll_every_s, up_s=0.1) as it:
        await it.connected()
        await it.sender.page(PAGE)
        await until(lambda: it.news, "the return")
        assert it.news == ["over: trouble:old:silent"]


async def test_a_transmitter_that_answers_and_takes_no_page_is_news(quick: None) -> None:
    """Its polls are answered, so nothing else shows it; over with the next page it takes."""
    async with rig() as it:
        await it.connected()
        it.transmitter.busy = 99
        for _ in range(4):
            with pytest.raises(DeliveryFailed, match="busy"):
                await it.sender.page(PAGE)
        (news,) = it.news
        assert news.startswith("Sökarsändaren old tar inte emot sökningar (station is busy")
        it.transmitter.busy = 0
        await it.sender.page(PAGE)
        assert it.news[1:] == ["over: trouble:old:pages"]


async def test_a_transmitter_is_no_source() -> None:
    """A call from it is refused as invalid, and reports are nothing to it."""
    async with rig() as it:
        await it.connected()
        it.transmitter.call("2010", "Sal 3")
        await until(lambda: it.feed.status.refused, "the refusal")
        assert it.hub.taken == []
        await it.sender.report(Report("old", ReportStatus.PAGED, "1"), "a1")


async def test_over_a_serial_line() -> None:
    """As most of them are."""
    transmitter = EspaStation()
    async with Wire() as wire, rig(transmitter, serial=wire.device, frame="7E1") as it:
        serving = asyncio.get_running_loop().create_task(transmitter.serve(wire.reader, wire.writer))
        await it.connected()
        await it.sender.page(PAGE)
        assert [number for number, _, _ in it.pages] == ["1042"]
        serving.cancel()


async def test_a_transmitter_that_calls_the_hub() -> None:
    """Behind a device server that is the client; the newest connection is the line."""
    async with (
        rig(listen="127.0.0.1:0", poll_every_s=0.0) as it,
        Plant(it.sender.port) as old,
        Plant(it.sender.port) as plant,
    ):
        await until(lambda: it.feed.status.connected == 1, "the newest to be left")
        paging = asyncio.get_running_loop().create_task(it.sender.page(PAGE))
        await plant.hear(b"\x041\x052\x05")
        await plant.say(b"\x06")
        heard = await plant.reader.readuntil(b"\x03")
        assert heard.startswith(b"\x01" + CALL.encode()) and b"1042" in heard
        await plant.say(b"\x06")
        await paging
        assert old.reader.at_eof() or await old.reader.read(1) == b""
