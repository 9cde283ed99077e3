"""The ESPA adapter: real bytes over real sockets, a hub that behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.site import MappingRule, Site
from alarmhub.inbound.espa import EspaAdapter
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.supervision import FAULTS
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, NotStored, Refused, SignalOutcome
from alarmhub.tasks import Crew
from load.espa_plant import EspaPlant, Mode, Outcome
from protocols.espa444_block import encode_block
from tests.support.espa_plant import Plant
from tests.support.espa_replay import load_transactions, replay_stream
from tests.support.espa_talk import ACK, BARE_SELECT, EOT, POLL, SELECT, call
from tests.support.intake import BED, Intake, small_site
from tests.support.waiting import until

BUSY, INVALID, WRONG = b"2\x15", b"3\x15", b"1\x15"
VECTORS = load_transactions()
LINK = EspaLink(source="plant", listen="127.0.0.1:0", mode="polled")
RULES = (MappingRule(text=r"Sal (?P<room>\d+) plats (?P<bed>\d)", place="fjall/201/sal{room}/plats{bed}"),)


class Hub(Intake):
    """An intake whose commits wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Wait for the gate, then take."""
        self.begun += 1
        await self.gate.wait()
        return await super().signal(signal)


class Rig:
    """One link, its hub, and what it told about itself."""

    def __init__(self, settings: EspaLink, site: Site | None) -> None:
        self.hub = Hub()
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.site = site or with_rules(RULES)
        self.feed = Feed(
            "plant", "espa", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.adapter = EspaAdapter(settings, self.feed)

    def plant(self) -> Plant:
        """A plant on this link."""
        return Plant(self.adapter.port)

    def peer(self, **more: Any) -> EspaPlant:
        """A plant of another make on this link."""
        return EspaPlant("127.0.0.1", self.adapter.port, **more)

    @property
    def site(self) -> Site:
        """The site in force."""
        return self.hub.world_now.site

    @site.setter
    def site(self, site: Site) -> None:
        self.hub.world_now = replace(self.hub.world_now, site=site)

    @property
    def texts(self) -> list[str]:
        """The plant's words of what was stored."""
        return [signal.source_text for signal in self.hub.taken]


def with_rules(rules: tuple[MappingRule, ...], **more: Any) -> Site:
    """A small site whose plant has these rules."""
    site = small_site()
    plant = replace(site.sources["plant"], protocol="espa", rules=rules, **more)
    return replace(site, floor_words=("HJÄRT",), sources=site.sources | {"plant": plant})


@asynccontextmanager
async def rig(settings: EspaLink = LINK, site: Site | None = None) -> AsyncIterator[Rig]:
    """A link that listens; afterwards no task is left and none has died."""
    it = Rig(settings, site)
    await it.adapter.start()
    try:
        yield it
    finally:
        it.hub.gate.set()
        await it.adapter.close()
        it.feed.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


async def test_a_call_is_acknowledged_after_its_commit_and_not_before() -> None:
    """The promise of the hub, on the wire."""
    async with rig() as it, it.plant() as plant:
        it.hub.gate.clear()
        await plant.say(SELECT)
        await plant.hear(ACK)
        await plant.say(call(text="Sal 12 plats 2"))
        await until(lambda: it.hub.begun, "the call to reach the hub")
        await plant.hear_nothing()
        it.hub.gate.set()
        await plant.hear(ACK)
        (signal,) = it.hub.taken
        assert (signal.event, signal.place, signal.ref) == (SignalEvent.START, BED, "1201")
        assert signal.source_text == "Sal 12 plats 2"


@pytest.mark.parametrize(
    ("refusal", "answer"), [(NotStored("database away"), BUSY), (Refused("poison"), INVALID)]
)
async def test_what_is_not_stored_is_refused_in_the_plants_own_words(
    refusal: Exception, answer: bytes
) -> None:
    """`2 NAK` and `3 NAK`; the repetition that can be stored is stored and acknowledged."""
    async with rig() as it, it.plant() as plant:
        it.hub.refuse = refusal
        await plant.say(SELECT)
        await plant.hear(ACK)
        await plant.say(call())
        await plant.hear(answer)
        it.hub.refuse = None
        await plant.say(call())
        await plant.hear(ACK)
        assert len(it.hub.taken) == 1


@pytest.mark.parametrize("name", [n for n in sorted(VECTORS) if n[:2] not in ("03", "05", "06", "09")])
async def test_recorded_conversations_over_a_socket(name: str) -> None:
    """Byte for byte, with nothing done by the hub but storing."""
    async with rig() as it, it.plant() as plant:
        await replay_stream(VECTORS[name], plant.reader, plant.writer)
        await plant.hear_nothing()


async def test_a_recorded_sender_gives_up_after_three_busy_answers() -> None:
    """Conversation 03: the database is away all the time."""
    async with rig() as it, it.plant() as plant:
        it.hub.refuse = NotStored("database away")
        await replay_stream(VECTORS["03_busy_then_giveup"], plant.reader, plant.writer)
        assert it.hub.taken == []


async def test_identical_blocks_within_the_window_are_one_press() -> None:
    """Sent again over the same and over a new connection: acknowledged, no second event."""
    async with rig() as it:
        async with it.plant() as plant:
            await plant.call(SELECT, call())
            await plant.call(SELECT, call())
        async with it.plant() as plant:
            await plant.call(SELECT, call())
            await plant.call(SELECT, call(text="another"))
        assert it.texts == ["Sal 12 plats 1", "another"]


async def test_after_the_window_the_same_block_is_a_new_press() -> None:
    """A window of nothing: every block counts."""
    async with rig(replace(LINK, repeat_window_s=0)) as it, it.plant() as plant:
        await plant.call(SELECT, call())
        await plant.call(SELECT, call())
        assert len(it.hub.taken) == 2


async def test_call_reset_call_reset_within_the_window_are_four_events() -> None:
    """The second reset looks like the first; swallowing it would leave the alarm ringing."""
    async with rig() as it, it.plant() as plant:
        for _ in range(2):
            await plant.call(SELECT, call())
            await plant.call(SELECT, call(r4="1"))
        assert [s.event for s in it.hub.taken] == [SignalEvent.START, SignalEvent.END] * 2


async def test_a_master_that_gave_up_and_repeats_gets_one_answer_for_one_event() -> None:
    """The commit takes longer than the plant waits: its repetition joins the press that is being stored."""
    async with rig() as it, it.plant() as plant:
        it.hub.gate.clear()
        await plant.say(SELECT)
        await plant.hear(ACK)
        await plant.say(call())
        await until(lambda: it.hub.begun, "the call to reach the hub")
        async with it.plant() as again:
            await again.say(SELECT)
            await again.hear(ACK)
            await again.say(call())
            await again.hear_nothing()
            it.hub.gate.set()
            await again.hear(ACK)
        await plant.hear(ACK)
        assert it.hub.begun == 1


async def test_a_call_whose_plant_hung_up_is_stored_all_the_same() -> None:
    """A dropped connection never cancels a commit."""
    async with rig() as it:
        it.hub.gate.clear()
        async with it.plant() as plant:
            await plant.say(SELECT + call())
            await until(lambda: it.hub.begun, "the call to reach the hub")
            (session,) = it.adapter._sessions
        await until(lambda: session.codec.closed, "the loss")
        assert it.hub.taken == []
        it.hub.gate.set()
        await until(lambda: it.hub.taken, "the call to be stored")


async def test_a_good_call_before_nonsense_is_stored_and_nonsense_is_told_once() -> None:
    """Three refused frames in a minute are a technical alarm; the line works on."""
    async with rig() as it, it.plant() as plant:
        await plant.say(SELECT)
        await plant.hear(ACK)
        await plant.say(call(text="good") + call()[:-1] + b"\x7f")
        await plant.hear(ACK + WRONG)
        for _ in range(4):
            await plant.say(call()[:-1] + b"\x7f")
            await plant.hear(WRONG)
        await plant.say(call(text="after"))
        await plant.hear(ACK)
        assert it.texts == ["good", "after"]
        await until(lambda: it.hub.said, "the news")
        assert [notice.key for notice in it.hub.said] == ["nonsense:plant"]
        assert it.feed.status.last_refusal == "wrong block check"
        assert b'door="espa",reason="bcc"} 5.0' in it.metrics.render()


async def test_a_hub_that_cannot_store_does_not_blame_the_plant() -> None:
    """The codec's own time for an answer runs out, again and again: `2 NAK`, and no news of nonsense."""
    async with rig() as it, it.plant() as plant:
        it.hub.gate.clear()
        for _ in range(FAULTS):
            await plant.say(SELECT)
            await plant.hear(ACK)
            await plant.say(call(text="good"))
            await plant.hear(BUSY)
            await plant.say(EOT)
        it.hub.gate.set()
        await until(lambda: b'reason="not_stored"} 3.0' in it.metrics.render(), "it is counted")
        assert it.hub.said == []


async def test_a_list_of_addresses_is_one_signal_each_and_one_answer() -> None:
    """All of them are stored before the plant hears ACK; one that is not makes it `2 NAK`."""
    async with rig(site=with_rules(RULES, list_separator=",")) as it, it.plant() as plant:
        await plant.call(SELECT, call(address="2010,2011"))
        assert sorted(signal.ref for signal in it.hub.taken) == ["2010", "2011"]
        it.hub.refuse = NotStored("database away")
        await plant.call(SELECT, call(address="2012,2013"), BUSY)


async def test_a_mapping_that_fails_still_rings(log_lines: list[dict[str, Any]]) -> None:
    """A rule that cannot be run is an engineer's problem; the call goes to the fallback unit."""
    async with rig(site=with_rules((MappingRule(text="(unclosed"),))) as it, it.plant() as plant:
        await plant.call(SELECT, call(text="HJÄRTLARM sal 3"))
        (signal,) = it.hub.taken
        assert signal.mapped_by == ("mapping_failed", "floor_word:HJÄRT")
        assert signal.priority == "high"
        assert any(line.get("cause") == "mapping failed" for line in log_lines)


async def test_a_source_the_site_does_not_know_still_rings() -> None:
    """The link is set, the site file not yet."""
    async with rig(site=replace(small_site(), sources={})) as it, it.plant() as plant:
        await plant.call(SELECT, call())
        assert it.texts == ["Sal 12 plats 1"]


@pytest.mark.parametrize("mode", ["select-only", "auto"])
async def test_two_calls_from_a_sender_that_never_polls(mode: str) -> None:
    """Over the real line too."""
    async with rig(replace(LINK, mode=mode)) as it, it.plant() as plant:
        await plant.call(BARE_SELECT, call(text="one"))
        await plant.call(BARE_SELECT, call(text="two"))
        assert it.texts == ["one", "two"]


async def test_what_an_auto_link_has_shown_survives_a_reconnect() -> None:
    """A polled plant that comes back is answered as a polled plant at once."""
    async with rig(replace(LINK, mode="auto")) as it:
        async with it.plant() as plant:
            await plant.call(SELECT, call())
        await until(lambda: not it.adapter._sessions, "the loss")
        async with it.plant() as plant:
            await plant.say(EOT)
            await plant.hear_nothing()
            await plant.hear_nothing()
            await plant.hear_nothing()
            await plant.say(BARE_SELECT)
            await plant.hear(EOT)


# Status back.


async def report(it: Rig, status: ReportStatus, text: str = "Sal 12 plats 1") -> None:
    """What the outbox says."""
    await it.adapter.report(Report("plant", status, "1201", text), "a1")


def status_block(value: str, text: str = "Sal 12 plats 1") -> bytes:
    """The block a plant expects."""
    return encode_block("2", [("1", b"1201"), ("2", text.encode()), ("7", value.encode())])


@pytest.mark.parametrize(
    ("status", "value"),
    [(ReportStatus.PAGED, "3"), (ReportStatus.ABSENT, "4"), (ReportStatus.UNANSWERED, "8")],
)
async def test_a_status_is_delivered_when_the_control_station_has_taken_it(
    status: ReportStatus, value: str
) -> None:
    """At the next poll, and not counted before its ACK."""
    async with rig() as it, it.plant() as plant:
        await plant.call(SELECT, call())
        told = asyncio.get_running_loop().create_task(report(it, status))
        await plant.say(POLL)
        await plant.hear(b"1\x05")
        await plant.say(ACK)
        await plant.hear(status_block(value))
        assert not told.done()
        await plant.say(ACK)
        await plant.hear(EOT)
        await told


async def test_acknowledged_is_said_only_where_the_link_is_set_so() -> None:
    """Many plants take status 6 as the end of the call: not sent, and not said when asked either."""
    request = encode_block("3", [("1", b"1201"), ("2", b"Sal 12 plats 1")])
    for accepted_status, value in ((False, "2"), (True, "6")):
        settings = replace(LINK, accepted_status=accepted_status)
        async with rig(settings) as it, it.plant() as plant:
            await plant.call(SELECT, call())
            telling = asyncio.get_running_loop().create_task(report(it, ReportStatus.ACCEPTED))
            if accepted_status:
                await plant.say(POLL)
                await plant.hear(b"1\x05")
                await plant.say(ACK)
                await plant.hear(status_block("6"))
                await plant.say(ACK)
                await plant.hear(EOT)
            await telling
            await plant.call(SELECT, request)
            await plant.say(POLL)
            await plant.hear(b"1\x05")
            await plant.say(ACK)
            await plant.hear(status_block(value))


@pytest.mark.parametrize("returned", [ReportStatus.UNANSWERED, ReportStatus.ABSENT])
async def test_what_was_returned_is_taken_back_where_acknowledged_is_never_said(
    returned: ReportStatus,
) -> None:
    """As "paged", once; a plant that would show the fault for ever is no help."""
    async with rig() as it, it.peer(poll_every_s=0.02) as plant:
        assert await plant.call("1201", "Sal 12 plats 1") is Outcome.TAKEN
        for status in (returned, ReportStatus.ACCEPTED, ReportStatus.ACCEPTED):
            await report(it, status)
        value = "8" if returned is ReportStatus.UNANSWERED else "4"
        assert [s.call_status for s in plant.statuses] == [value, "3"]


async def test_what_a_hub_before_this_one_may_have_returned_is_taken_back() -> None:
    """Nobody knows what it told; "paged" is true in any case, unless the link is set never to say it."""
    async with rig() as it, it.peer(poll_every_s=0.02) as plant:
        await report(it, ReportStatus.ACCEPTED)
        assert [s.call_status for s in plant.statuses] == ["3"]
    async with rig(replace(LINK, paged_status=False)) as it:
        await report(it, ReportStatus.ACCEPTED)


async def test_queued_and_ended_are_said_only_when_asked() -> None:
    """They return at once; the plant that asks hears the last of them, over a new connection too."""
    async with rig() as it:
        async with it.plant() as plant:
            await plant.call(SELECT, call())
        await report(it, ReportStatus.ENDED)
        async with it.plant() as plant:
            await plant.say(POLL)
            await plant.hear(EOT)
            await plant.call(SELECT, encode_block("3", [("1", b"1201")]))
            await plant.say(POLL)
            await plant.hear(b"1\x05")
            await plant.say(ACK)
            await plant.hear(encode_block("2", [("1", b"1201"), ("7", b"5")]))


async def test_a_status_without_anybody_to_tell_failed() -> None:
    """No connection, or a link that is never polled: the outbox tries again, or gives up."""
    async with rig() as it:
        with pytest.raises(DeliveryFailed, match="no connection"):
            await report(it, ReportStatus.PAGED)
    async with rig(replace(LINK, mode="select-only")) as it:
        with pytest.raises(DeliveryFailed, match="never polled"):
            await report(it, ReportStatus.PAGED)


async def test_a_status_that_was_waiting_when_the_connection_went_failed() -> None:
    """It is not lost in silence; the next try goes over the next connection."""
    async with rig() as it:
        async with it.plant() as plant:
            await plant.say(POLL)
            await plant.hear(EOT)
            telling = asyncio.get_running_loop().create_task(report(it, ReportStatus.PAGED))
            await until(lambda: it.adapter._reports, "the report to wait")
        with pytest.raises(DeliveryFailed, match="connection lost"):
            await telling
        assert not it.adapter._reports


async def test_a_status_that_is_refused_three_times_failed() -> None:
    """NAK, NAK, NAK."""
    async with rig() as it, it.plant() as plant:
        await plant.say(POLL)
        await plant.hear(EOT)
        telling = asyncio.get_running_loop().create_task(report(it, ReportStatus.PAGED))
        await until(lambda: it.adapter._reports, "the report to wait")
        await plant.say(POLL)
        await plant.hear(b"1\x05")
        for answer in (ACK, WRONG, WRONG):
            await plant.say(answer)
            await plant.hear(status_block("3"))
        await plant.say(WRONG)
        await plant.hear(EOT)
        with pytest.raises(DeliveryFailed, match="refused the block"):
            await telling


async def test_a_status_nobody_polls_for_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time it failed, and does not come out of the line later."""
    monkeypatch.setattr("alarmhub.inbound.espa.REPORT_WITHIN_S", 0.05)
    async with rig() as it, it.plant() as plant:
        await plant.say(POLL)
        await plant.hear(EOT)
        with pytest.raises(DeliveryFailed, match="not taken"):
            await report(it, ReportStatus.PAGED)
        await plant.say(POLL)
        await plant.hear(EOT)


# Another implementation at the other end.


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("link_mode", ["polled", "auto", "select-only"])
async def test_a_plant_that_shares_no_code_with_us_is_understood(mode: Mode, link_mode: str) -> None:
    """Calls, a reset, noise on the line and a hub that is away, for every sender that fits the link."""
    if link_mode == "polled" and mode is Mode.SELECT_ONLY:
        link_mode = "auto"  # after its first EOT the standard reads this sender's select as a poll
    async with rig(replace(LINK, mode=link_mode)) as it:
        async with it.peer(mode=mode, poll_every_s=5) as plant:
            assert await plant.call("2010", "Sal 12 plats 1") is Outcome.TAKEN
            plant.damage_next()
            assert await plant.call("2010", "Sal 12 plats 2") is Outcome.TAKEN
            assert await plant.reset("2010", "Sal 12 plats 1") is Outcome.TAKEN
            it.hub.refuse = NotStored("database away")
            assert await plant.call("2011", "Sal 13 plats 1") is Outcome.BUSY
        assert [(s.event, s.source_text) for s in it.hub.taken] == [
            (SignalEvent.START, "Sal 12 plats 1"),
            (SignalEvent.START, "Sal 12 plats 2"),
            (SignalEvent.END, "Sal 12 plats 1"),
        ]


@pytest.mark.parametrize("link_mode", ["polled", "auto"])
async def test_a_plant_that_shares_no_code_with_us_hears_its_status(link_mode: str) -> None:
    """Paged, then fault, each at a poll of its own; the lamps it sends again after a restart are known."""
    async with rig(replace(LINK, mode=link_mode)) as it, it.peer(poll_every_s=0.02) as plant:
        assert await plant.call("1201", "Sal 12 plats 1") is Outcome.TAKEN
        await report(it, ReportStatus.PAGED)
        await report(it, ReportStatus.UNANSWERED)
        assert [(s.address, s.text, s.call_status) for s in plant.statuses] == [
            ("1201", "Sal 12 plats 1", "3"),
            ("1201", "Sal 12 plats 1", "8"),
        ]
        await plant.restart()
        assert it.texts == ["Sal 12 plats 1"]


# The link itself.

FAST = replace(LINK, link_down_s=0.3, link_up_s=0.6)


async def test_a_plant_that_never_comes_is_news_once() -> None:
    """The hub started, the plant did not."""
    async with rig(FAST) as it:
        await until(lambda: it.hub.links, "the news")
        assert it.hub.links == [("plant", False)]
        assert not it.feed.up


async def test_a_polled_plant_that_falls_silent_and_comes_back() -> None:
    """An open connection is no life where the station polls; two pieces of news, in order, in their time."""
    async with rig(FAST) as it, it.plant() as plant:
        await plant.say(POLL)
        await plant.hear(EOT)
        await until(lambda: it.hub.links, "the loss")

        async def polled_until_up() -> bool:
            await plant.say(POLL)
            await plant.hear(EOT)
            return len(it.hub.links) == 2

        await until(polled_until_up, "the return")
        assert it.hub.links == [("plant", False), ("plant", True)]


async def test_a_select_only_plant_may_be_silent() -> None:
    """Its open connection is enough; losing it is news."""
    async with rig(replace(FAST, mode="select-only", link_down_s=0.15)) as it:
        async with it.plant() as plant:
            for _ in range(5):
                await plant.hear_nothing()
            assert it.hub.links == []
        await until(lambda: it.hub.links, "the news")
        assert it.hub.links == [("plant", False)]


async def test_many_connections_lock_nobody_out() -> None:
    """Somebody holds sockets; the plant gets through, and keeps its place."""
    async with rig() as it, it.plant() as plant:
        await plant.call(SELECT, call(text="one"))
        held = [it.plant() for _ in range(8)]
        for other in held:
            await other.__aenter__()
        await until(lambda: len(it.adapter._sessions) <= 4, "the surplus to go")
        await plant.call(SELECT, call(text="two"))
        assert it.texts == ["one", "two"]
        for other in held:
            other.writer.transport.abort()
