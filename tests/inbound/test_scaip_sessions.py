"""What messages mean, without SIP around them: the corners that `test_scaip` does not walk into."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from alarmhub.core.alarm import Flag
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import SignalEvent
from alarmhub.core.site import MappingRule, Place
from alarmhub.inbound.scaip_calls import Way
from alarmhub.inbound.scaip_replies import way_of
from alarmhub.inbound.scaip_sessions import NotNow, Sessions
from alarmhub.ports import NotStored
from protocols.scaip import Mrq, Mrs, Snu, read
from tests.support.intake import BED
from tests.support.scaip_line import CID, PENDANT, ScaipLine
from tests.support.waiting import until

WAY = Way("udp", "127.0.0.1", 5060, "sip:arc@x", f"sip:{CID}@x")
RESET = Mrq(ref="A1B2C3", mty="RE", cid=CID, dty="0003")
NEWS = Mrq(ref="A1B2C3", mty="IN", cid=CID, dty="0003", ite="Ligger i hallen")


class Talk:
    """Sessions of one link before a hub that behaves."""

    def __init__(self, **settings: object) -> None:
        self.line = ScaipLine(**settings)
        self.heard: list[str] = []
        self.sessions = Sessions(self.line.settings, self.line.feed, lambda said: self.heard.append(said.cid))

    async def say(self, request: Mrq) -> int | str:
        """The number a request is answered with."""
        reply = await self.sessions.said(request, WAY, "unit")
        return "later" if isinstance(reply, NotNow) else reply.snu

    def map_to(self, *rules: tuple[str, str]) -> None:
        """The site's rules: what an address ends in, and its place."""
        hub = self.line.hub
        site = hub.world_now.site
        places = {path: Place(path=path, label=path, unit="201") for _, path in rules}
        mapping = tuple(MappingRule(address=address, place=path) for address, path in rules)
        plant = replace(site.sources["plant"], rules=mapping)
        site = replace(site, places=places | site.places, sources={**site.sources, "plant": plant})
        hub.world_now = replace(hub.world_now, site=site)

    @property
    def events(self) -> list[SignalEvent]:
        """What the hub was told."""
        return [signal.event for signal in self.line.hub.taken]

    def reported(self, status: ReportStatus) -> bool:
        """A report; whether there is news for the unit."""
        return self.sessions.reported(Report("plant", status, f"{CID}/A1B2C3")) is not None


async def test_two_that_come_at_once_are_one_alarm() -> None:
    """The second waits for the first one's commit."""
    talk = Talk()
    talk.line.hub.gate.clear()
    both = asyncio.gather(talk.say(PENDANT), talk.say(PENDANT))
    await until(lambda: talk.line.hub.begun, "the alarm to reach the hub")
    talk.line.hub.gate.set()
    assert await both == [4, 4]
    assert talk.events == [SignalEvent.START]


async def test_a_reset_waits_for_the_alarm_it_ends() -> None:
    """However soon it comes."""
    talk = Talk()
    talk.line.hub.gate.clear()
    both = asyncio.gather(talk.say(PENDANT), talk.say(RESET))
    await until(lambda: talk.line.hub.begun, "the alarm to reach the hub")
    talk.line.hub.gate.set()
    assert await both == [4, 0]
    assert talk.events == [SignalEvent.START, SignalEvent.END]


async def test_a_reset_that_was_not_stored_ended_nothing() -> None:
    """The unit hears 6, repeats, and then it has."""
    talk = Talk()
    await talk.say(PENDANT)
    talk.line.hub.refuse = NotStored("away", 7)
    assert await talk.say(RESET) == Snu.BUSY
    talk.line.hub.refuse = None
    assert await talk.say(PENDANT) == Snu.HOLD
    assert await talk.say(RESET) == Snu.DONE
    assert talk.events == [SignalEvent.START, SignalEvent.END]


async def test_an_update_that_was_not_stored_is_not_remembered() -> None:
    """So that its repetition is stored."""
    talk = Talk(not_stored="503")
    await talk.say(PENDANT)
    talk.line.hub.refuse = NotStored("away", 7)
    assert await talk.say(NEWS) == "later"
    talk.line.hub.refuse = None
    assert await talk.say(NEWS) == Snu.HOLD
    assert talk.events == [SignalEvent.START, SignalEvent.UPDATE]


async def test_a_mapping_rule_does_not_turn_a_reset_into_an_alarm() -> None:
    """Though the rule says of every word of this controller that it is an alarm without an end."""
    talk = Talk()
    site = talk.line.hub.world_now.site
    rule = MappingRule(address=f"^{CID}", event="once")
    sources = {**site.sources, "plant": replace(site.sources["plant"], rules=(rule,))}
    talk.line.hub.world_now = replace(talk.line.hub.world_now, site=replace(site, sources=sources))
    assert [await talk.say(PENDANT), await talk.say(RESET)] == [4, 0]
    assert talk.events == [SignalEvent.ONCE, SignalEvent.END]


async def test_information_about_what_is_over_raises_nothing() -> None:
    """As "manually reset" after the alarm was answered and ended; new trouble rings, and is held anew."""
    talk = Talk()
    await talk.say(PENDANT)
    talk.line.hub.alarms.clear()
    talk.reported(ReportStatus.ACCEPTED)
    talk.reported(ReportStatus.ENDED)
    assert await talk.say(replace(NEWS, ite="", stc="0093")) == Snu.DONE
    assert talk.events == [SignalEvent.START]
    assert await talk.say(replace(NEWS, stc="0010")) == Snu.HOLD
    assert talk.events == [SignalEvent.START, SignalEvent.UPDATE]


async def test_information_of_an_unknown_session_reaches_the_hub() -> None:
    """The hub may know it, of before a restart; if not it rings."""
    talk = Talk()
    assert await talk.say(NEWS) == Snu.HOLD
    (signal,) = talk.line.hub.taken
    assert (signal.event, signal.key) == (SignalEvent.UPDATE, f"{CID}/A1B2C3")


async def test_what_nobody_has_to_accept_is_done() -> None:
    """An end by the site's rules: there is no alarm to wait for."""
    talk = Talk()
    site = talk.line.hub.world_now.site
    rule = MappingRule(text="stc0102", event="end")
    sources = {**site.sources, "plant": replace(site.sources["plant"], rules=(rule,))}
    talk.line.hub.world_now = replace(talk.line.hub.world_now, site=replace(site, sources=sources))
    assert await talk.say(replace(PENDANT, stc="0102")) == Snu.DONE


async def test_news_is_only_what_the_unit_does_not_know() -> None:
    """Hold is told as the answer to the alarm; of unknown sessions without a way there is none."""
    talk = Talk()
    assert not talk.reported(ReportStatus.ACCEPTED)
    await talk.say(PENDANT)
    assert [talk.reported(status) for status in (ReportStatus.PAGED, ReportStatus.REJECTED)] == [False, False]
    assert talk.reported(ReportStatus.ABSENT)
    await talk.say(RESET)
    assert not talk.reported(ReportStatus.ENDED)


async def test_a_report_of_before_a_restart_makes_its_session_known() -> None:
    """By the way kept with the alarm; the unit's next question is answered from it."""
    talk = Talk()
    report = Report("plant", ReportStatus.UNANSWERED, f"{CID}/A1B2C3", key="k", origin=way_of(WAY))
    call = talk.sessions.reported(report)
    assert call is not None
    assert (call.way, talk.sessions.standing(call, call.known, WAY)) == (WAY, Mrs("A1B2C3", 5))
    assert await talk.say(PENDANT) == Snu.NOT_TREATED
    assert talk.events == []


async def test_a_faulty_message_of_a_known_controller_is_heard() -> None:
    """It lives, whatever it says; a faulty reset ends nothing."""
    talk = Talk()
    await talk.say(PENDANT)
    body = f"<mrq><ref>A1B2C3</ref><mty>RE</mty><cid>{CID}</cid></mrq>".encode()
    reply = await talk.sessions.said(read(body), WAY, "unit")
    assert reply == Mrs("A1B2C3", Snu.TAG_MISSING)
    assert talk.heard == [CID, CID]
    assert talk.events == [SignalEvent.START]


async def test_a_faulty_alarm_that_cannot_be_stored_is_not_called_faulty() -> None:
    """It is to be repeated, and 1 would end that."""
    talk = Talk()
    talk.line.hub.refuse = NotStored("away", 7)
    body = f"<mrq><ref>1</ref><cid>{CID}</cid><dty>3</dty><lte>{'x' * 40}</lte></mrq>".encode()
    assert await talk.sessions.said(read(body), WAY, "unit") == Mrs("1", Snu.BUSY)


async def test_normal_again_in_the_session_of_something_else_ends_nothing() -> None:
    """It is news of that alarm; in the session of the fault, or alone, it ends the fault."""
    fault, normal = replace(PENDANT, ref="F1", stc="0016"), replace(PENDANT, stc="0070")
    talk = Talk()
    for request in (PENDANT, fault, normal):
        assert await talk.say(request) == Snu.HOLD
    start, update, end = SignalEvent.START, SignalEvent.UPDATE, SignalEvent.END
    assert talk.events == [start, start, update]
    assert await talk.say(replace(normal, ref="F1", mty="IN")) == Snu.DONE
    assert talk.line.hub.taken[-1].key == f"{CID}///fault"
    assert await talk.say(replace(normal, ref="F2")) == Snu.DONE
    assert talk.events == [start, start, update, end, end]


async def test_responsibility_returned_before_a_restart_is_still_returned() -> None:
    """A unit that asks again is told 5 and not to hold, and 0 once somebody has taken it after all."""
    talk = Talk()
    assert await talk.say(PENDANT) == 4
    assert talk.reported(ReportStatus.UNANSWERED)
    (alarm,) = talk.line.hub.alarms.values()
    talk.line.hub.alarms[alarm.id] = replace(alarm, flags=(*alarm.flags, Flag.RETURNED))
    talk.sessions = Sessions(talk.line.settings, talk.line.feed, lambda said: None)
    assert await talk.say(PENDANT) == 5
    assert talk.reported(ReportStatus.ACCEPTED)
    assert await talk.say(PENDANT) == 0


async def test_a_reset_that_does_not_say_where_ends_the_alarm_of_its_session() -> None:
    """Rules that would put it elsewhere make it nobody else's end, and no end of nothing."""
    talk = Talk(place_from="cid/lco")
    talk.map_to(("/012$", BED), ("", "fjall/201/dagrum"))
    assert [await talk.say(request) for request in (PENDANT, RESET)] == [4, 0]
    start, end = talk.line.hub.taken
    assert (start.place, end.event, end.key, end.place) == (BED, SignalEvent.END, start.key, "")


async def test_a_session_that_went_on_in_another_room_ends_in_both() -> None:
    """One reference at two places is two alarms to the hub (never two patients in one); one reset, both."""
    talk = Talk()
    await talk.say(PENDANT)
    (alarm,) = talk.line.hub.alarms.values()
    key = f"{alarm.key}|fjall/201/dagrum"
    talk.line.hub.alarms["second"] = replace(alarm, id="second", key=key, place="fjall/201/dagrum")
    assert await talk.say(RESET) == 0
    assert talk.line.hub.open_alarms() == []
