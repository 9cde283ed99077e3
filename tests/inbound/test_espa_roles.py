"""One ESPA link over a wire, over a call of our own, and with the hub as control station."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound.espa import EspaAdapter
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.link import control_of
from alarmhub.ports import DeliveryFailed, NotStored
from alarmhub.tasks import Crew
from load.espa_plant import Outcome
from load.espa_station import EspaStation
from protocols.espa444_line import Timers
from tests.support.espa_plant import Plant
from tests.support.espa_replay import load_transactions, replay_stream
from tests.support.espa_talk import ACK, EOT, POLL, SELECT, call
from tests.support.intake import Intake
from tests.support.waiting import until
from tests.support.wires import Called, Wire

VECTORS = load_transactions()


class Rig:
    """One link and its hub."""

    def __init__(self, **settings: Any) -> None:
        self.hub = Intake()
        self.crew = Crew("test")
        self.feed = Feed("plant", "espa", hub=self.hub, clock=MonotonicClock(), crew=self.crew)
        self.adapter = EspaAdapter(EspaLink(source="plant", **settings), self.feed)

    @property
    def texts(self) -> list[str]:
        """The plant's words of what was stored."""
        return [signal.source_text for signal in self.hub.taken]

    @property
    def news(self) -> list[str]:
        """What the hub said about itself."""
        return [notice.text or notice.key for notice in self.hub.said]

    async def report(self, status: ReportStatus = ReportStatus.PAGED, origin: str = "") -> None:
        """What the outbox says."""
        await self.adapter.report(Report("plant", status, "1201", "Sal 12 plats 1", origin=origin), "a1")


@asynccontextmanager
async def rig(**settings: Any) -> AsyncIterator[Rig]:
    """A link that works; afterwards no task is left and none has died."""
    it = Rig(**settings)
    await it.adapter.start()
    try:
        yield it
    finally:
        await it.adapter.close()
        it.feed.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


# Over a wire.


@pytest.mark.parametrize("frame", ["7E1", "7E2", "8E1", "8N1"])
@pytest.mark.parametrize("name", ["01_call_selfpoll_select", "02_bcc_error_retransmit", "07_idle_poll"])
async def test_recorded_conversations_over_a_serial_line(name: str, frame: str) -> None:
    """Byte for byte, like over TCP."""
    async with Wire() as wire, rig(serial=wire.device, frame=frame, mode="polled") as it:
        await until(lambda: it.feed.status.connected, "the line to be open")
        await replay_stream(VECTORS[name], wire.reader, wire.writer)
        await wire.hear_nothing()
        assert it.feed.status.peer == wire.device


@pytest.mark.parametrize(("frame", "answer"), [("7E1", ACK), ("8N1", b"1\x15")])
async def test_on_a_wire_of_seven_bits_a_check_is_compared_in_seven(frame: str, answer: bytes) -> None:
    """Whatever the driver leaves in the eighth."""
    block = call(text="Sal 12")
    async with Wire() as wire, rig(serial=wire.device, frame=frame, mode="polled") as it:
        await until(lambda: it.feed.status.connected, "the line to be open")
        await wire.say(SELECT)
        await wire.hear(ACK)
        await wire.say(block[:-1] + bytes((block[-1] | 0x80,)))
        await wire.hear(answer)


async def test_a_wire_that_is_not_there_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The adapter was not plugged in yet; it is taken when it is, and after it was pulled out."""
    monkeypatch.setattr("alarmhub.inbound.dial.AGAIN_AFTER_S", (0.02,))
    device = tmp_path / "ttyUSB0"
    async with rig(serial=str(device), mode="polled") as it:
        await until(lambda: it.feed.status.refused, "the first try")
        assert "No such file" in it.feed.status.last_refusal
        for text in ("one", "two"):
            async with Wire() as wire:
                device.symlink_to(wire.device)
                await until(lambda: it.feed.status.connected, "the line to be open")
                await wire.call(SELECT, call(text=text))
                device.unlink()
            await until(lambda: not it.feed.status.connected, "the loss")
        assert it.texts == ["one", "two"]


# Over a call of our own.


async def test_the_hub_calls_the_plant_and_again() -> None:
    """As TCP client: calls in, status back, and a new connection when the plant hangs up."""
    async with Called() as plant, rig(connect=plant.address, mode="polled") as it:
        await plant.answered()
        await plant.call(SELECT, call())
        await plant.say(POLL)
        await plant.hear(EOT)
        telling = asyncio.get_running_loop().create_task(it.report())
        await until(lambda: it.adapter._reports, "the report to wait")
        await plant.say(POLL)
        await plant.hear(b"1\x05")
        await plant.say(ACK)
        await plant.reader.readexactly(1)
        await plant.say(b"1\x15")
        plant.writer.transport.abort()
        with pytest.raises(DeliveryFailed, match="connection lost"):
            await telling
        await plant.answered()
        await plant.call(SELECT, call(text="after"))
        assert it.texts == ["Sal 12 plats 1", "after"]
        assert plant.calls == 2


# Who may call.


@pytest.mark.parametrize(
    ("allow", "may"), [((), True), (("127.0.0.0/8",), True), (("10.1.2.0/24", "::1"), False)]
)
async def test_only_listed_addresses_may_call(allow: tuple[str, ...], may: bool) -> None:
    """Others are hung up on and counted; an empty list is any."""
    async with rig(listen="127.0.0.1:0", allow=allow) as it, Plant(it.adapter.port) as plant:
        if may:
            await plant.call(SELECT, call())
            assert it.texts == ["Sal 12 plats 1"]
            return
        with pytest.raises(OSError):
            await plant.say(SELECT)
            if await plant.reader.read(1) == b"":
                raise ConnectionResetError
        await until(lambda: it.feed.status.refused, "it to be counted")
        assert it.feed.status.last_refusal == "address is not allowed"
        assert it.feed.status.connected == 0


async def test_a_serial_line_without_polls_is_missed_when_it_should_have_spoken() -> None:
    """An open device says nothing about its cable."""
    async with Wire() as wire, rig(serial=wire.device, expected_every_s=0.3, link_up_s=0.1) as it:
        await until(lambda: it.feed.status.connected, "the line")
        await until(lambda: it.hub.links, "the news")
        assert it.hub.links == [("plant", False)]
        await wire.say(SELECT)
        await until(lambda: len(it.hub.links) == 2, "its return")


async def test_one_that_turns_out_to_poll_is_missed_as_soon_as_any() -> None:
    """However seldom it was expected to speak."""
    async with Wire() as wire, rig(serial=wire.device, expected_every_s=3600.0, link_down_s=0.3) as it:
        await until(lambda: it.feed.status.connected, "the line")
        for _ in range(7):
            await wire.say(POLL)
            await wire.hear(EOT)
        await until(lambda: it.hub.links, "the news")


# As control station.

FAST: dict[str, Any] = {"role": "control-station", "poll_every_s": 0.05}


@asynccontextmanager
async def stations(*addresses: str, **more: Any) -> AsyncIterator[tuple[Rig, list[EspaStation]]]:
    """A hub that polls these stations, all on one line: each hears the hub, and the hub hears each."""
    there = [EspaStation(address) for address in addresses]
    async with Called() as line, rig(connect=line.address, stations=addresses, **(FAST | more)) as it:
        await line.answered()
        shared = asyncio.get_running_loop().create_task(_share(line, there))
        yield it, there
        shared.cancel()
        for station in there:
            station.close()


async def _share(line: Called, there: list[EspaStation]) -> None:
    """What the hub says goes to every station, what a station says to the hub."""
    readers = [asyncio.StreamReader() for _ in there]
    serving = [
        asyncio.get_running_loop().create_task(station.serve(reader, line.writer))
        for station, reader in zip(there, readers, strict=True)
    ]
    try:
        while data := await line.reader.read(4096):
            for reader in readers:
                reader.feed_data(data)
    finally:
        for task in serving:
            task.cancel()


async def test_polled_stations_give_their_calls() -> None:
    """Each in its turn, each acknowledged after its commit; the source's report finds its way back."""
    async with stations("2", "3") as (it, (second, third)):
        second.call("2010", "Kyl 4 larm")
        third.call("2010", "Kyl 4 larm")
        await until(lambda: second.outcomes and third.outcomes, "both calls to be given")
        assert second.outcomes == third.outcomes == [Outcome.TAKEN]
        assert it.texts == ["Kyl 4 larm"] * 2, "two stations are two presses"
        assert {signal.origin for signal in it.hub.taken} == {"2", "3"}
        await it.report(ReportStatus.UNANSWERED, origin="3")
        assert second.taken == []
        (status,) = third.taken
        assert (status.header, status.get("1"), status.get("7")) == ("2", "1201", "8")


async def test_a_call_that_cannot_be_stored_stays_at_its_station() -> None:
    """`2 NAK`; it is given again at a later poll, and is one event."""
    async with stations("2") as (it, (station,)):
        it.hub.refuse = NotStored("database away")
        station.call("2010", "Kyl 4 larm")
        await until(lambda: Outcome.BUSY in station.outcomes, "the refusal")
        it.hub.refuse = None
        await until(lambda: Outcome.TAKEN in station.outcomes, "the call to be taken")
        assert it.texts == ["Kyl 4 larm"]


async def test_a_station_that_is_silent_is_news_and_takes_the_link_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which one, and that its calls do not arrive, though the other is well; then that it is back."""
    quick = Timers(reply_ms=50)
    monkeypatch.setattr(
        "alarmhub.inbound.espa.control_of",
        lambda settings: dataclasses.replace(control_of(settings), offline_ms=200, timers=quick),
    )
    async with stations("2", "3", link_down_s=0.6, link_up_s=0.2) as (it, (_, third)):
        await until(lambda: third.polls > 1, "a few polls")
        assert it.feed.up
        third.deaf = True
        await until(lambda: it.news, "the news")
        assert it.news == ["Station 3 på linjen svarar inte"]
        await until(lambda: not it.feed.up, "the link to be down")
        third.deaf = False
        await until(lambda: it.feed.up, "the link to be up")
        assert it.news[-1] == "trouble:plant:station 3"


async def test_a_station_that_was_silent_before_a_restart_is_told_to_be_back() -> None:
    """Or the engineer's alarm would stay for ever."""
    async with rig(connect="127.0.0.1:1", stations=("2",), **FAST) as it:
        it.feed.trouble("station 2", "tyst", "silent")
        await it.hub.signal(it.hub.said[0])
        it.hub.said.clear()
        await it.adapter.close()
        async with Called() as line:
            settings = EspaLink(source="plant", connect=line.address, stations=("2",), **FAST)
            after = EspaAdapter(settings, it.feed)
            await after.start()
            await line.answered()
            station = EspaStation("2")
            serving = asyncio.get_running_loop().create_task(station.serve(line.reader, line.writer))
            await until(lambda: it.news, "the return")
            assert it.news == ["trouble:plant:station 2"]
            serving.cancel()
            await after.close()


async def test_a_second_line_would_poll_over_the_first() -> None:
    """Where stations call the hub through a device server, the newest connection is the line."""
    async with rig(listen="127.0.0.1:0", stations=("2",), **FAST) as it, Plant(it.adapter.port) as first:
        await first.hear(POLL)
        async with Plant(it.adapter.port) as second:
            await second.hear(POLL)
            assert len(it.adapter._sessions) == 1


async def test_a_status_nobody_can_be_told_failed() -> None:
    """No connection yet: the outbox tries again."""
    async with rig(connect="127.0.0.1:1", stations=("2",), **FAST) as it:
        with pytest.raises(DeliveryFailed, match="no connection"):
            await it.report()
