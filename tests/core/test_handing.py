"""Handing over an alarm in hand: whose it is then, whose phone rings, and when it rings everybody again."""

from __future__ import annotations

import pytest

from alarmhub.core.answers import allowed
from alarmhub.core.events import HandedOver
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.world import Verdict
from tests.support.ward import Call, Ward


def taken(ward: Ward, by: str = "anna") -> Call:
    """A call of bed 12/1 that somebody has taken."""
    call = ward.press("12/1")
    call.accepts(by)
    return call


def hands(ward: Ward, call: Call, giver: str, to: str) -> Verdict:
    """The giver goes off duty; twice, as everything here."""
    return ward.feed(call.id, HandedOver(giver, to)).verdict


def test_it_is_the_receivers_at_once_and_rings_with_her_alone() -> None:
    """Nobody else is woken, and it is hers to answer: take it, be there, or say no."""
    ward = Ward()
    call = taken(ward)
    assert hands(ward, call, "anna", "cia").ok
    assert (call.phase, call.takers, call.ringing, call.shown) == ("accepted", ["cia"], {"cia"}, {"cia"})
    assert allowed(call.alarm, "cia", ward.world) == ("accept", "attend", "decline")
    assert call.facts("handed_over") == {"staff": "anna", "to": "cia"}


@pytest.mark.parametrize("answer", ["accept", "attend", "help", "extend"])
def test_whatever_she_says_to_it_but_no_takes_it_on(answer: str) -> None:
    """Her phone stops, and the others stay in peace."""
    ward = Ward()
    call = taken(ward)
    hands(ward, call, "anna", "cia")
    assert call.says("cia", answer).ok
    assert call.takers == ["cia"] and not call.ringing and call.alarm.confirm_at is None
    assert "accepted_from_colleague" in call.codes
    ward.at(100)
    assert call.takers == ["cia"] and not call.ringing


@pytest.mark.parametrize("answer", ["decline", "release"])
def test_her_no_gives_it_back_and_it_rings(answer: str) -> None:
    """As when somebody gives back what she had taken."""
    ward = Ward()
    call = taken(ward)
    hands(ward, call, "anna", "cia")
    assert call.says("cia", answer).ok
    assert call.phase == "ringing" and call.takers == [] and "bo" in call.ringing


def test_who_never_answers_gives_it_back_when_the_step_would_have_passed() -> None:
    """Her phone rang: 45 s, not a millisecond less. Then it rings her too."""
    ward = Ward()
    call = taken(ward)
    ward.at(20)
    hands(ward, call, "anna", "cia")
    ward.at(64.999)
    assert (call.takers, call.ringing) == (["cia"], {"cia"})
    ward.at(65)
    assert call.takers == [] and call.phase == "ringing" and {"bo", "cia"} <= call.ringing
    assert call.facts("receiver_silent")["staff"] == ["cia"]


def test_a_phone_that_never_rings_gives_it_back_after_the_kinds_time_to_ring() -> None:
    """Ten seconds for a patient call."""
    ward = Ward()
    ward.mute_phones = {"cia"}
    call = taken(ward)
    hands(ward, call, "anna", "cia")
    ward.at(9.999)
    assert call.takers == ["cia"]
    ward.at(10)
    assert call.takers == [] and call.phase == "ringing" and "bo" in call.ringing


@pytest.mark.parametrize("reach", [Reach.NONE, Reach.ONE_WAY])
def test_who_cannot_be_reached_is_handed_nothing_and_it_rings(reach: Reach) -> None:
    """No alarm is without somebody for a moment: it rings in the same decision."""
    ward = Ward()
    call = taken(ward)
    ward.phone("cia", reach)
    assert hands(ward, call, "anna", "cia").ok
    assert (call.phase, call.takers, call.ringing) == ("ringing", [], {"anna", "bo"})
    ward.off_duty("anna")
    assert call.ringing == call.shown == {"bo"}
    assert call.facts("receiver_unreachable")["staff"] == ["anna"]


def test_a_receiver_without_an_open_socket_is_pushed_to() -> None:
    """She may be asleep, her phone is not."""
    ward = Ward()
    call = taken(ward)
    ward.phone("cia", Reach.PUSHABLE)
    hands(ward, call, "anna", "cia")
    assert call.pushed == ["cia"] and call.takers == ["cia"]


@pytest.mark.parametrize("to", ["anna", "stig", "nobody", "pia"])
def test_it_is_handed_to_nobody_who_is_not_at_work_there(to: str) -> None:
    """Herself, somebody off duty, a stranger, somebody at another site: refused, and she still has it."""
    ward = Ward()
    call = taken(ward)
    verdict = hands(ward, call, "anna", to)
    assert (verdict.ok, verdict.error) == (False, "no_receiver")
    assert call.takers == ["anna"] and call.phase == "accepted"


def test_who_has_not_taken_it_cannot_hand_it_over() -> None:
    """Nor give it to herself that way."""
    ward = Ward()
    call = taken(ward)
    assert hands(ward, call, "bo", "cia").error == "not_yours"
    assert call.takers == ["anna"]


def test_the_giver_then_going_off_duty_changes_nothing_more() -> None:
    """The roster of the next instant finds it in good hands."""
    ward = Ward()
    call = taken(ward)
    hands(ward, call, "anna", "cia")
    ward.off_duty("anna")
    assert call.takers == ["cia"] and call.ringing == {"cia"}


def test_a_receiver_who_goes_off_duty_herself_gives_it_back() -> None:
    """As any acceptor."""
    ward = Ward()
    call = taken(ward)
    hands(ward, call, "anna", "cia")
    ward.off_duty("cia")
    assert call.takers == [] and call.phase == "ringing" and "bo" in call.ringing


def test_who_was_at_the_patient_hands_it_over_as_something_to_come_to() -> None:
    """Attended by nobody any more: accepted, with the arrival's clocks from now."""
    ward = Ward()
    call = taken(ward)
    call.attends("anna")
    ward.at(60)
    hands(ward, call, "anna", "cia")
    assert call.phase == "accepted" and call.ringing == {"cia"}
    call.accepts("cia")
    ward.at(239.999)
    assert "reminded" not in call.flags
    ward.at(240)
    assert "reminded" in call.flags


def test_who_was_at_the_patient_and_has_nobody_to_hand_it_to_makes_it_ring() -> None:
    """Unreachable receiver, and nobody left in the room."""
    ward = Ward()
    call = taken(ward)
    call.attends("anna")
    ward.phone("cia", Reach.NONE)
    hands(ward, call, "anna", "cia")
    assert call.phase == "ringing" and "bo" in call.ringing


def test_one_of_two_who_come_to_an_assistance_hands_over_her_part() -> None:
    """The other keeps hers; enough come, and one phone rings."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    hands(ward, call, "anna", "cia")
    assert call.takers == ["bo", "cia"] and call.phase == "accepted" and call.ringing == {"cia"}


def test_handing_to_who_comes_already_leaves_one_too_few_and_it_rings() -> None:
    """Two were wanted."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    hands(ward, call, "anna", "bo")
    assert call.takers == ["bo"] and call.phase == "partly_accepted" and {"cia", "dan"} <= call.ringing


def test_a_team_role_goes_to_who_can_fill_it() -> None:
    """Another of the ward stands in; the role stays filled and the team complete."""
    ward = Ward()
    call = ward.press("12", Kind.TEAM, type="heart")
    call.accepts("kim", "lena", "anna", "bo")
    before = {a.staff: a.role for a in call.alarm.acceptances}
    hands(ward, call, "anna", "cia")
    after = {a.staff: a.role for a in call.alarm.acceptances}
    assert after["cia"] == before["anna"] == "ward"


def test_the_step_clock_of_those_still_asked_runs_on() -> None:
    """Partly accepted: the hand-over of one part delays nothing for the missing one."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    ward.at(10)
    hands(ward, call, "anna", "cia")
    ward.at(19.999)
    assert not call.ringing & {"eva", "finn"}
    ward.at(20)
    assert {"eva", "finn"} <= call.ringing


def test_the_victim_of_an_assault_is_handed_nothing() -> None:
    """Her phone stays dark."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="cia")
    call.accepts("anna")
    assert hands(ward, call, "anna", "cia").error == "no_receiver"
    assert "cia" not in call.shown


def test_after_the_end_there_is_nothing_to_hand_over() -> None:
    """The room was reset in the same second."""
    ward = Ward()
    call = taken(ward)
    ward.reset("12/1")
    assert call.phase == "ended"
    ward.feed(call.id, HandedOver("anna", "cia"))
    assert call.phase == "ended" and not call.shown
