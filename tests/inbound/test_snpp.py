"""The SNPP door: real bytes over real sockets, a hub that behaves."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.core.reach import Reach
from alarmhub.inbound.pages import Transmissions
from alarmhub.inbound.snpp import SnppAdapter
from alarmhub.inbound.snpp_settings import SnppLink
from alarmhub.ports import NotStored, Refused
from alarmhub.secret import Secret
from load.snpp_console import Reply, SnppConsole
from tests.support.intake import BED
from tests.support.paging import Rig, rig_of
from tests.support.waiting import until

QUIET_S = 0.1
"""So long nothing is heard."""


def rig(**settings: Any) -> AbstractAsyncContextManager[Rig[SnppAdapter]]:
    """A door with these settings."""
    link = SnppLink(source="lab", listen="127.0.0.1:0", **settings)
    return rig_of(lambda feed: SnppAdapter(link, feed))


def console(it: Rig[SnppAdapter], **more: str) -> SnppConsole:
    """A console at this door."""
    return SnppConsole("127.0.0.1", it.port, **more)


async def told(it: Rig[SnppAdapter], status: ReportStatus, at: int = 0, **more: str) -> None:
    """The hub says something of every page so far."""
    for signal in it.taken:
        await it.adapter.report(
            Report("lab", status, signal.ref, key=signal.key, origin=signal.origin, at=at, **more), "a1"
        )


async def test_a_page_is_answered_after_its_commit_and_not_before() -> None:
    """The promise of the hub, on the wire; what is said meanwhile waits."""
    async with rig() as it, console(it) as desk:
        it.hub.gate.clear()
        await desk.write("PAGE 1042", "MESS Ring 4711", "SEND", "ALER 1")
        await until(lambda: it.hub.begun, "the page to reach the hub")
        assert [reply.code for reply in await _answers(desk, 2)] == [250, 250]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_answers(desk, 1), QUIET_S)
        it.hub.gate.set()
        assert [reply.code for reply in await _answers(desk, 2)] == [250, 250]
        (page,) = it.taken
        assert (page.event, page.targets, page.unit) == (SignalEvent.ONCE, ("staff:anna",), "201")
        assert (page.ref, page.source_text, page.place) == ("1042", "Ring 4711", "")


async def _answers(desk: SnppConsole, count: int) -> list[Reply]:
    return [await desk._reply() for _ in range(count)]


async def test_one_page_to_several_is_one_alarm_each() -> None:
    """Each with people of its own; the urgent one says so, the subject comes first."""
    async with rig() as it, console(it) as desk:
        reply = await desk.page(["1042", "2010", "9999"], "4711\nnu", subject="Lab", alert=True)
        assert reply.code == 250
        assert [(page.ref, page.targets) for page in it.taken] == [
            ("1042", ("staff:anna",)),
            ("2010", ("unit",)),
            ("9999", ()),
        ]
        assert {page.source_text for page in it.taken} == {"Lab: 4711 nu"}
        assert {page.priority for page in it.taken} == {Priority.MEDIUM}
        assert len({page.key for page in it.taken}) == 3
        assert it.feed.status.last_answer == "250"


async def test_nothing_but_digits_is_called_back() -> None:
    """In the text, or as the caller's id beside it."""
    async with rig() as it, console(it) as desk:
        await desk.page(["1042"], "4711")
        for line in ("PAGE 1042", "CALL 090-785 00 00", "MESS Ring", "SEND", "PAGE 1042", "CALL växeln"):
            await desk.say(line)
        assert (await desk.say("MESS Hej")).ok and (await desk.say("SEND")).code == 250
        assert [page.callback for page in it.taken] == ["4711", "090-785 00 00", None]
        assert it.taken[2].source_text == "Hej (växeln)"


async def test_a_place_the_rules_know_is_a_call_there() -> None:
    """Keyed and ended like any plant's."""
    async with rig() as it, console(it) as desk:
        await desk.page(["2010"], "Sal 12 plats 2")
        (call,) = it.taken
        assert (call.event, call.place, call.key, call.targets) == (SignalEvent.START, BED, "", ())


async def test_a_long_message_is_shown_whole() -> None:
    """The rules see its beginning, people all of it."""
    async with rig() as it, console(it) as desk:
        await desk.page(["1042"], "ord " * 100)
        (page,) = it.taken
        assert len(page.source_text) == 256 and page.text == ("ord " * 100).strip()


@pytest.mark.parametrize(
    ("refusal", "words"), [(NotStored("away"), "try again later"), (Refused("poison"), "can never be stored")]
)
async def test_what_is_not_stored_is_no_250(refusal: Exception, words: str) -> None:
    """554 with what to do; SEND again is the same page."""
    async with rig() as it, console(it) as desk:
        it.hub.refuse = refusal
        reply = await desk.page(["1042", "2010"], "hej")
        assert reply.code == 554 and words in reply.text and not it.taken
        it.hub.refuse = None
        assert (await desk.say("SEND")).code == 250
        assert [page.ref for page in it.taken] == ["1042", "2010"]
        assert it.feed.status.refused == 2


async def test_the_same_page_again_is_the_same_one() -> None:
    """Within the window, also on another connection; other words, another number are another."""
    async with rig() as it:
        for text, number in (("hej", "1042"), ("hej", "1042"), ("hej", "1043"), ("hopp", "1042")):
            async with console(it) as desk:
                await desk.page([number], text)
        keys = [page.key for page in it.taken]
        assert keys[0] == keys[1] and len(set(keys)) == 3
    async with rig(repeat_window_s=0) as it, console(it) as desk:
        await desk.page(["1042"], "hej")
        first = it.feed.now()
        await until(lambda: it.feed.now() > first, "a millisecond to pass")
        await desk.page(["1042"], "hej")
        assert len({page.key for page in it.taken}) == 2


async def test_a_page_of_before_a_restart_is_the_same_one_whenever_the_hub_came_back() -> None:
    """Its alarm is open; the stretch of time its name was made from is over."""
    async with rig() as it:
        before = Transmissions(60_000).name(("1042", "", "hej", "", ""), it.feed.now() - 60_000)
        await it.hub.signal(Signal("lab", SignalEvent.ONCE, key=f"snpp:{before[:8].hex()}:1042"))
        ((id, alarm),) = it.hub.alarms.items()
        it.hub.alarms[id] = replace(alarm, raised_at=it.feed.now())
        async with console(it) as desk:
            assert (await desk.page(["1042"], "hej")).code == 250
        assert it.taken[-1].key == alarm.key


async def test_strangers_are_refused_where_the_door_says_so() -> None:
    """Numbers the site has and words its rules look for are none."""
    async with rig(unknown_number="refuse") as it, console(it) as desk:
        said = [
            await desk.say(f"PAGE {pager}") for pager in ("1042", "2015", "kyl", "9999", "kylskåp", "x" * 40)
        ]
        assert [reply.code for reply in said] == [250, 250, 250, 550, 550, 550]


async def test_a_door_with_a_login_hears_nothing_before_it() -> None:
    """And says nothing about what was wrong."""
    async with rig(user="lab", password=Secret("hemlig")) as it:
        for user, password in (("lab", "fel"), ("lob", "hemlig"), ("lab", ""), ("läb", "hemlig")):
            async with console(it, user=user, password=password) as desk:
                assert (await desk.page(["1042"], "hej")).code == 550
        async with console(it, user="lab", password="hemlig") as desk:
            assert (await desk.page(["1042"], "hej")).code == 250
        assert len(it.taken) == 1 and "login refused" in it.feed.status.last_refusal


async def test_who_is_not_allowed_is_turned_away() -> None:
    """421 and nothing else."""
    async with rig(allow=("10.0.0.0/8",)) as it, console(it) as desk:
        assert desk.greeting.code == 421
        await until(lambda: not it.feed.status.connected, "the connection to end")
        assert it.feed.status.last_refusal == "not from an allowed network"


async def test_the_sender_may_ask_what_became_of_it() -> None:
    """Queued, delivered, read, accepted; and no more once it has said so."""
    async with rig() as it, console(it) as desk:
        sent = await desk.page_two_way(
            ["1042"], "Kom", choices=[("01", "Nej"), ("02", "Ja tack")], ack_read=True
        )
        assert sent.code == 960
        codes = [(await desk.status(sent)).code]
        for status in (ReportStatus.QUEUED, ReportStatus.PAGED, ReportStatus.READ, ReportStatus.PAGED):
            await told(it, status)
            codes.append((await desk.status(sent)).code)
        assert codes == [960, 960, 860, 870, 870]
        await told(it, ReportStatus.ACCEPTED, at=1_700_000_000_000, name="Anna Lind")
        reply = await desk.status(sent)
        assert (reply.code, reply.text) == (888, "02 20231114231320+1 MCR reply: Accepted by Anna Lind")
        tag, password = sent.text.split()[:2]
        assert (await desk.say(f"MSTA {tag} 1")).code == 550
        assert [(await desk.say(f"KTAG {tag} {password}")).code for _ in range(2)] == [250, 550]
        assert (await desk.status(sent)).code == 550 and len(it.hub.open_alarms()) == 1


async def test_returned_responsibility_is_a_status_until_somebody_accepts() -> None:
    """7xx with the number; a phone that rings after that is no news; then it is taken back."""
    async with rig() as it, console(it) as desk:
        sent = await desk.page_two_way(["1042", "2010"], "Kom")
        await told(it, ReportStatus.ACCEPTED)
        lonely = [signal for signal in it.taken if signal.ref == "2010"]
        it.hub.taken[:] = lonely
        await told(it, ReportStatus.UNANSWERED)
        await told(it, ReportStatus.PAGED)
        reply = await desk.status(sent)
        assert reply.code == 780 and "Still ringing, but nobody has accepted: 2010" in reply.text
        await told(it, ReportStatus.ACCEPTED)
        assert (await desk.status(sent)).code == 889


async def test_a_page_that_a_restart_forgot_can_be_asked_for_after_the_next_report() -> None:
    """The alarm carries what is needed."""
    async with rig() as before, console(before) as desk:
        sent = await desk.page_two_way(["1042"], "Kom")
        (signal,) = before.taken
    async with rig() as it, console(it) as desk:
        assert (await desk.status(sent)).code == 550
        it.hub.taken.append(signal)
        await told(it, ReportStatus.PAGED)
        assert (await desk.status(sent)).code == 880
        for origin in ("", "{", "[]", '["a"]'):
            await it.adapter.report(Report("lab", ReportStatus.PAGED, "1042", origin=origin), "a1")


async def test_a_ping_says_whether_somebody_can_be_reached_never_where() -> None:
    """By the reach of the person, or of anybody on duty in the unit."""
    async with rig() as it, console(it) as desk:
        pings = [(await desk.say(f"PING {number}")).code for number in ("1042", "1043", "2010", "4711")]
        assert pings == [821, 920, 821, 550]
        it.hub.world_now.reach["anna"] = Reach.NONE
        assert (await desk.say("PING 1042")).code == 920


async def test_nonsense_is_counted_and_told_and_does_not_stop_the_door() -> None:
    """Three in a minute are worth a technical alarm; the next console is served."""
    async with rig() as it:
        async with console(it) as desk:
            for _ in range(9):
                assert (await desk.say("HTTP/1.1")).code == 500
            await desk.say("HTTP/1.1")
        await until(lambda: it.hub.said, "the news")
        assert [signal.type for signal in it.hub.said] == ["unreadable_source"]
        async with console(it) as desk:
            assert (await desk.page(["1042"], "hej")).code == 250


async def test_a_silent_source_is_news_only_where_it_is_expected_to_talk() -> None:
    """A console may sleep for days; a laboratory that promised may not."""
    async with rig(expected_every_s=0.05) as it:
        await until(lambda: it.hub.links, "the link to be down")
        assert it.hub.links == [("lab", False)] and not it.feed.up
    async with rig() as it, console(it) as desk:
        await desk.page(["1042"], "hej")
        assert it.feed.up and not it.hub.links


async def test_a_console_that_hangs_up_has_still_paged() -> None:
    """What was read is stored."""
    async with rig() as it:
        async with console(it) as desk:
            await desk.write("PAGE 1042", "MESS hej", "SEND")
        await until(lambda: it.taken, "the page")
