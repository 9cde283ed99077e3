"""Text messages: who is sent one and when, what replies by text do for each kind, and what it all says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, told_of
from alarmhub.core.effects import Page, Push, Says, Sms
from alarmhub.core.events import TextReported, WorldChanged
from alarmhub.core.kinds import RULES, Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.site import Duty
from alarmhub.core.texting import worded
from alarmhub.core.words import LANGUAGES
from protocols.smpp_text import gsm7
from tests.support.ward import ALWAYS, Call, Ward

NUMBERS = {"anna": "+46701740605", "bo": "+46701740606", "ivar": "+46701740607", "kim": "+46701740608"}
NEEDS_NO_HANDS = [kind for kind in Kind if not RULES[kind].needs_hands and kind is not Kind.DRILL]


def ward_with_numbers(*staff: str, reach: Reach = Reach.ONE_WAY) -> Ward:
    """These have a number and no open socket."""
    ward = Ward()
    ward.texts = True
    everybody = ward.world.site.staff
    ward.change_site(staff=everybody | {s: replace(everybody[s], sms=NUMBERS[s]) for s in staff})
    for person in staff:
        ward.phone(person, reach)
    return ward


def texts(ward: Ward, call: Call) -> list[Sms]:
    """Every message so far, in order."""
    return [effect for effect in ward.effects[call.id] if isinstance(effect, Sms)]


def said(ward: Ward, call: Call) -> list[tuple[str, str]]:
    """To whom, and what about."""
    return [(sms.staff, str(sms.says)) for sms in texts(ward, call)]


def by_text(call: Call, staff: str, answer: str) -> tuple[bool, str]:
    """A reply, with the verdict."""
    verdict = call.says(staff, answer, via="sms")
    return verdict.ok, verdict.error


# Who is sent one.


def test_who_is_to_ring_and_has_no_socket_is_texted() -> None:
    """Her number, how urgent, nothing of what or where; the colleague with a phone is not."""
    ward = ward_with_numbers("anna", "bo")
    ward.phone("bo", Reach.LIVE)
    call = ward.press("12/1")
    (sms,) = texts(ward, call)
    assert sms == Sms("anna", NUMBERS["anna"], call.id, Says.RINGS, ward.now, "low")
    assert call.facts("texted") == {"staff": "anna"}


def test_a_sleeping_phone_is_pushed_to_and_texted() -> None:
    """Push needs data, which she may be without."""
    ward = ward_with_numbers("anna", reach=Reach.PUSHABLE)
    call = ward.press("12/1")
    assert [type(e) for e in ward.effects[call.id] if isinstance(e, Push | Sms)] == [Push, Sms]


def test_a_pager_is_paged_and_its_owner_texted() -> None:
    """Both are one-way; neither stands for the other."""
    ward = ward_with_numbers("anna")
    ward.change_site(staff=ward.site.staff | {"anna": replace(ward.site.staff["anna"], pager="2001")})
    call = ward.press("12/1")
    assert [type(e) for e in ward.effects[call.id] if isinstance(e, Page | Sms)] == [Page, Sms]


@pytest.mark.parametrize("reach", [Reach.LIVE, Reach.RECENT, Reach.NONE])
def test_nobody_else_is_texted(reach: Reach) -> None:
    """An open socket rings by itself, one lost a moment ago may be back at once."""
    ward = ward_with_numbers("anna")
    ward.phone("anna", reach)
    assert texts(ward, ward.press("12/1")) == []


def test_without_a_link_nobody_is_texted() -> None:
    """A number alone reaches nobody."""
    ward = ward_with_numbers("anna")
    ward.texts = False
    call = ward.press("12/1")
    assert texts(ward, call) == [] and "texted" not in call.codes


def test_a_phone_lost_before_it_rang_leaves_the_number() -> None:
    """She is waited for, so she is texted; once."""
    ward = ward_with_numbers("anna")
    ward.mute_phones = {"anna"}
    ward.phone("anna", Reach.LIVE)
    call = ward.press("12/1")
    ward.at(4).phone("anna", Reach.RECENT)
    assert texts(ward, call) == []
    ward.at(9).phone("anna", Reach.ONE_WAY)
    ward.at(9.5).phone("anna", Reach.ONE_WAY)
    assert said(ward, call) == [("anna", "rings")]


def link(ward: Ward, up: bool, reach: Reach, *staff: str) -> None:
    """The link goes or comes back, and with it the reach of these."""
    ward.texts = up
    ward.reach.update(dict.fromkeys(staff, reach))
    ward.tell_all(WorldChanged("texts"))


def test_a_link_that_goes_leaves_nobody_to_wait_for() -> None:
    """Nobody of the step can be reached any more: the next one rings at once, and is not texted."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12/1")
    ward.at(5)
    link(ward, False, Reach.NONE, "anna", "bo")
    assert call.alarm.step == 1 and {"cia", "dan"} <= call.ringing
    assert len(said(ward, call)) == 2


def test_a_link_that_is_back_texts_whom_it_could_not() -> None:
    """Whoever is still to ring; who was texted a moment ago is not texted again."""
    ward = ward_with_numbers("anna", "bo", reach=Reach.NONE)
    ward.phone("bo", Reach.LIVE)
    ward.texts = False
    call = ward.press("12/1")
    assert said(ward, call) == []
    ward.at(5)
    link(ward, True, Reach.ONE_WAY, "anna")
    link(ward, True, Reach.ONE_WAY, "anna")
    assert said(ward, call) == [("anna", "rings")]


def test_a_silent_drill_sounds_on_no_phone_by_text() -> None:
    """A heard one does, and says that it is one."""
    for heard in (False, True):
        ward = ward_with_numbers("anna")
        call = ward.press("12/1", Kind.DRILL, heard=heard)
        assert [sms.drill for sms in texts(ward, call)] == [True] * heard


# How often.


def test_while_it_rings_on_she_is_texted_once_a_minute() -> None:
    """Not with every ring of a last resort, which is every 15 s."""
    ward = ward_with_numbers("anna")
    ward.mute_phones = set(ward.site.staff)
    call = ward.press("12", Kind.EMERGENCY)
    for second in range(1, 301):
        ward.at(second)
    at = [sms.at for sms in texts(ward, call)]
    assert len(at) >= 3
    assert all(later - earlier >= 60_000 for earlier, later in pairwise(at))
    assert call.alarm.turn > 2 * len(at)


def test_what_became_worse_is_said_at_once() -> None:
    """The message had said another priority."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    ward.at(5).press("12/1", Kind.PATIENT_CALL, priority=Priority.HIGH)
    assert [sms.priority for sms in texts(ward, call)] == ["low", "high"]


# What becomes of it.


def reported(ward: Ward, call: Call, staff: str, *, delivered: bool, at: int | None = None) -> None:
    """The network's word on the last message to her."""
    told = told_of(call.alarm, staff)
    assert told is not None and told.texted is not None
    text_at = told.texted.at if at is None else at
    ward.feed(call.id, TextReported(staff, text_at, delivered, "" if delivered else "EXPIRED"))


def test_delivered_is_a_fact_and_never_a_ring() -> None:
    """Nobody hears "paged", her entry says nothing of a ring, and the step goes on as it would have."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12/1")
    due = call.alarm.due
    reported(ward, call, "anna", delivered=True)
    told = told_of(call.alarm, "anna")
    assert told is not None and told.texted is not None
    assert (told.rang_at, told.seen_at, told.texted.delivered_at) == (None, None, ward.now)
    assert call.reports == ["queued"] and "rang" not in call.codes and call.alarm.due == due
    assert call.codes.count("text_delivered") == 1
    reported(ward, call, "anna", delivered=True)
    reported(ward, call, "anna", delivered=False)
    assert call.codes.count("text_delivered") == 1 and "text_undelivered" not in call.codes


def test_what_cannot_be_delivered_is_not_waited_for() -> None:
    """One-way is not unreachable, but this is: the step is passed as soon as it is known of all of it."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12/1")
    ward.at(3)
    reported(ward, call, "anna", delivered=False)
    assert call.alarm.step == 0
    reported(ward, call, "bo", delivered=False)
    assert call.alarm.step == 1
    assert call.facts("text_undelivered") == {"staff": "bo", "cause": "EXPIRED"}


def test_a_failed_message_is_no_bar_to_the_next() -> None:
    """The next turn that rings her texts her again, whenever that is."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12/1")
    for staff in ("anna", "bo"):
        reported(ward, call, staff, delivered=False)
    assert said(ward, call)[:2] == [("anna", "rings"), ("bo", "rings")]
    assert sorted(said(ward, call)[2:]) == [("anna", "rings"), ("bo", "rings")]


def test_what_is_said_of_an_earlier_message_is_no_news() -> None:
    """It is about another one than she was sent last."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    reported(ward, call, "anna", delivered=False, at=ward.now - 1)
    ward.feed(call.id, TextReported("cia", ward.now, False, ""))
    assert not {"text_undelivered", "text_delivered"} & set(call.codes)


# Replies.


@pytest.mark.parametrize("kind", [k for k in Kind if RULES[k].needs_hands])
def test_an_accept_by_text_is_only_noted_where_hands_are_needed(kind: Kind) -> None:
    """It silences nobody, moves nothing, and she is told so."""
    ward = ward_with_numbers("anna")
    call = ward.press("12", kind) if kind is not Kind.TEAM else ward.press("12", kind, type="heart")
    assert "anna" in call.ringing
    before = call.alarm
    assert by_text(call, "anna", "accept") == (True, "noted")
    after = call.alarm
    assert (after.phase, after.told, after.acceptances, after.due) == (
        before.phase, before.told, before.acceptances, before.due,
    )  # fmt: skip
    assert after.noted == ("anna",)
    assert said(ward, call)[-1] == ("anna", "noted")
    assert by_text(call, "anna", "accept") == (True, "noted")
    assert said(ward, call).count(("anna", "noted")) == 1


@pytest.mark.parametrize("kind", NEEDS_NO_HANDS)
def test_an_accept_by_text_is_an_accept_where_none_are(kind: Kind) -> None:
    """A technical alarm, a colleague's request: the others are released, and she is told that she has it."""
    ward = ward_with_numbers("anna", "ivar")
    who = "ivar" if kind is Kind.TECHNICAL else "anna"
    call = ward.press("12/1", kind)
    assert by_text(call, who, "accept") == (True, "")
    assert (call.phase, call.takers, call.ringing) == ("accepted", [who], set())
    assert said(ward, call)[-1] == (who, "taken")
    assert by_text(call, who, "accept") == (True, "")
    assert said(ward, call).count((who, "taken")) == 1


def test_needs_no_hands_is_what_it_was_when_this_was_written() -> None:
    """A kind that joins them is a decision about who may silence it from afar."""
    assert set(NEEDS_NO_HANDS) == {Kind.TECHNICAL, Kind.REQUEST}


def test_a_drill_is_confirmed_by_text() -> None:
    """Nobody is needed there."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1", Kind.DRILL, heard=True)
    assert by_text(call, "anna", "accept") == (True, "")


def test_a_decline_by_text_counts_in_whichever_turn_it_comes() -> None:
    """The message names the alarm and no ring of it; both declined, the step is passed."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12/1")
    rev = call.alarm.rev
    assert call.says("anna", "decline", rev=rev, via="sms").ok
    ward.at(46)
    assert call.alarm.turn_rev > rev
    assert call.says("bo", "decline", rev=rev, via="sms").ok
    assert told_of(call.alarm, "bo").answer == "declined"  # type: ignore[union-attr]
    assert not call.says("cia", "decline", rev=rev).ok, "a phone's decline is for the turn it saw"


def test_a_decline_by_text_of_who_is_alone_holds_it() -> None:
    """As on the phone, and she is told what it counted as."""
    ward = Ward()
    ward.texts = True
    staff = ward.site.staff
    ward.change_site(staff=staff | {"olle": replace(staff["olle"], sms="+46701740609")})
    ward.phone("olle", Reach.ONE_WAY)
    call = ward.press("205:12/1")
    assert by_text(call, "olle", "decline") == (True, "")
    assert told_of(call.alarm, "olle").answer == "holding"  # type: ignore[union-attr]
    assert said(ward, call)[-1] == ("olle", "holding")


def test_a_decline_said_again_is_the_same_answer_until_she_is_texted_again() -> None:
    """Where everybody has declined the last resort asks again: the network's repeat of her words is no second
    no. What she says to the next message is."""
    ward = ward_with_numbers("anna")
    ward.off_duty(*(s for s in ward.site.staff if s != "anna"))
    call = ward.press("12/1", Kind.TOILET_CALL)
    by_text(call, "anna", "decline")
    told = told_of(call.alarm, "anna")
    assert told is not None and told.declined_by_text
    before = call.alarm
    by_text(call, "anna", "decline")
    assert call.alarm == before
    ward.at(125)
    assert said(ward, call).count(("anna", "rings")) >= 2
    assert not told_of(call.alarm, "anna").declined_by_text  # type: ignore[union-attr]
    by_text(call, "anna", "decline")
    assert told_of(call.alarm, "anna").declined_by_text  # type: ignore[union-attr]


def test_a_reply_after_the_end_changes_nothing() -> None:
    """It is refused by name, and nothing more is sent."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    ward.reset("12/1")
    sent = said(ward, call)
    assert by_text(call, "anna", "accept") == (False, "ended")
    assert said(ward, call) == sent


def test_a_reply_of_who_is_not_concerned_is_refused() -> None:
    """Whatever number it came from."""
    ward = ward_with_numbers("anna", "kim")
    call = ward.press("12/1")
    assert by_text(call, "kim", "accept") == (False, "not_concerned")
    assert by_text(call, "kim", "decline") == (False, "not_concerned")


def test_what_was_accepted_by_text_is_kept_without_a_socket() -> None:
    """She never had one to lose: a duty engineer at home keeps what she took."""
    ward = ward_with_numbers("ivar")
    call = ward.press("12/1", Kind.TECHNICAL)
    by_text(call, "ivar", "accept")
    ward.at(900)
    assert call.takers == ["ivar"]


# When it is over.


def test_whoever_was_texted_hears_that_it_is_over() -> None:
    """Once, at the number she was texted at."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    ward.change_site(staff=ward.site.staff | {"anna": replace(ward.site.staff["anna"], sms="+46701740699")})
    ward.reset("12/1")
    assert [(sms.number, str(sms.says)) for sms in texts(ward, call)] == [
        (NUMBERS["anna"], "rings"),
        (NUMBERS["anna"], "over"),
    ]


def test_whoever_was_texted_hears_that_a_colleague_takes_it() -> None:
    """She must not run for nothing; the end says nothing more then."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    call.accepts("bo")
    assert said(ward, call) == [("anna", "rings"), ("anna", "passed_on")]
    ward.reset("12/1")
    assert len(said(ward, call)) == 2


def test_who_said_no_hears_nothing_more() -> None:
    """It was her own answer."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    by_text(call, "anna", "decline")
    ward.reset("12/1")
    assert said(ward, call) == [("anna", "rings")]


def test_who_goes_off_duty_hears_that_it_passed_on() -> None:
    """The alarm goes on without her."""
    ward = ward_with_numbers("anna")
    call = ward.press("12/1")
    ward.off_duty("anna")
    assert said(ward, call) == [("anna", "rings"), ("anna", "passed_on")]


def test_who_has_said_no_to_her_last_message_is_not_waited_for_in_the_next_step() -> None:
    """She would be asked again there, but no new message goes out yet: nobody else hears of it meanwhile."""
    ward = ward_with_numbers("anna")
    ward.no_phone("bo", "cia", "dan")
    call = ward.press("12/1")
    ward.at(5)
    assert by_text(call, "anna", "decline") == (True, "")
    assert said(ward, call) == [("anna", "rings")]
    assert {"eva", "finn"} <= call.ringing


def test_who_turns_out_to_be_the_victim_of_an_assault_is_sent_nothing_more() -> None:
    """Her phone must not light up beside who attacks her, not even to say that it does not concern her."""
    ward = ward_with_numbers("anna", "bo")
    call = ward.press("12", Kind.ASSAULT)
    assert said(ward, call) == [("anna", "rings"), ("bo", "rings")]
    ward.press("12", Kind.ASSAULT, person="anna")
    assert call.alarm.person == "anna" and "anna" not in call.shown
    ward.at(20)
    assert {staff for staff, _ in said(ward, call)[2:]} <= {"bo"}


def test_who_comes_on_duty_within_the_step_is_texted() -> None:
    """She rings with it."""
    ward = ward_with_numbers("kim")
    call = ward.press("12/1")
    ward.on_duty(Duty("kim", "201", ("ssk",), ALWAYS, ("f/201/12",)))
    assert said(ward, call) == [("kim", "rings")]


# The words.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("says", Says)
@pytest.mark.parametrize("priority", Priority)
def test_a_text_is_one_message_and_says_nothing_of_anybody(
    language: str, says: Says, priority: Priority
) -> None:
    """In the network's alphabet, at most 160 characters, the drill's mark included."""
    sms = Sms("anna", NUMBERS["anna"], "an-alarm", says, 0, str(priority), drill=True, code="4711")
    text = worded(sms, language)
    encoded = gsm7(text)
    assert encoded is not None and len(encoded) <= 160
    assert "4711" in text and text.startswith("PROV " if language == "sv" else "DRILL ")
    assert not any(word in text for word in ("anna", "an-alarm", "sal", "Avd", "patient", "hjärt", "{", "}"))


def test_the_text_says_how_to_reply() -> None:
    """In the language of the site."""
    sms = Sms("anna", NUMBERS["anna"], "a", Says.RINGS, 0, "high", code="4711")
    assert worded(sms, "sv") == (
        "Alarmhub: larm, prioritet hög. Svara 1 4711 = jag tar den, 2 4711 = kan inte"
    )
    assert worded(sms, "en") == (
        "Alarmhub: alarm, high priority. Reply 1 4711 = I'll take it, 2 4711 = can't"
    )


def test_an_alarm_of_before_reads_as_ever() -> None:
    """What was stored without messages has none."""
    alarm: Alarm = Ward().press("12/1").alarm
    assert all(told.texted is None for told in alarm.told)
