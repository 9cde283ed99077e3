"""What people answer: who is silenced by it, what is refused, and with which word."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import RULES, AcceptRule, Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Cover, Duty, Hours, Policy, PolicyRule, Step
from tests.support.ward import DUTIES, MIN, Ward

UNIT = {"anna", "bo", "cia", "dan"}
RELEASING = [k for k in Kind if RULES[k].accept is AcceptRule.RELEASE and k is not Kind.DOOR]


# -- accept per kind


@pytest.mark.parametrize("kind", RELEASING)
def test_an_accept_silences_the_others_where_the_kind_says_so(kind: Kind) -> None:
    """They hear who took it; no step rings any more; the source is told."""
    ward = Ward()
    call = ward.press("12/1", kind, targets=("unit",))
    assert call.accepts("cia").ok
    assert (call.phase, call.ringing, call.shown, call.takers) == ("accepted", set(), {"cia"}, ["cia"])
    assert sorted(call.facts("others_released")["released"]) == ["anna", "bo", "dan"]
    assert call.reports.count("accepted") == 1
    assert call.alarm.answer_at is None and call.alarm.reach_at is None


def test_assistance_wants_two_and_then_silences_the_rest() -> None:
    """enough(n): one is partly accepted and the others ring on."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    assert call.accepts("anna").ok
    assert (call.phase, call.ringing) == ("partly_accepted", {"bo", "cia", "dan"})
    assert "accepted" not in call.reports
    assert call.accepts("bo").ok
    assert (call.phase, call.ringing, call.shown) == ("accepted", set(), {"anna", "bo"})
    assert call.accepts("cia").error == "taken"


def test_one_taker_of_an_assistance_does_not_stop_its_steps() -> None:
    """Partly accepted goes on to cover in its own time, and only for those who did not answer."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    ward.at(19.999)
    assert not call.ringing & {"eva", "finn"}
    ward.at(20)
    assert call.ringing == {"bo", "cia", "dan", "eva", "finn"}


def test_when_everybody_of_the_step_has_answered_and_more_are_needed_the_next_rings_at_once() -> None:
    """Nobody is waited for in vain, after accepts neither."""
    ward = Ward()
    ward.off_duty("bo", "cia", "dan")
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    assert call.ringing == {"eva", "finn"} and call.facts("step_passed")["because"] == "more_needed"


@pytest.mark.parametrize("kind", [Kind.EMERGENCY, Kind.ASSAULT])
def test_in_an_emergency_each_phone_stops_by_its_own_answer_only(kind: Kind) -> None:
    """Everyone called is to answer, also after others have come."""
    ward = Ward()
    call = ward.press("12", kind)
    before = set(call.ringing)
    call.accepts("anna")
    assert call.ringing == before - {"anna"} and call.phase == "accepted"
    assert call.declines("bo").ok
    assert call.ringing == before - {"anna", "bo"}
    call.attends("anna", "cia")
    assert call.phase == "attended" and call.ringing == before - {"anna", "bo", "cia"}


# -- teams


def test_a_team_is_accepted_when_every_role_is_filled_and_releases_nobody() -> None:
    """Anaesthetist, physician and two of the ward; the others ring until their own answer."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("kim", "lena", "anna")
    assert call.phase == "partly_accepted"
    call.accepts("bo")
    assert call.phase == "accepted" and call.ringing == {"cia", "dan"}
    assert {a.staff: a.role for a in call.alarm.acceptances} == {
        "kim": "anaesthetist",
        "lena": "physician",
        "anna": "ward",
        "bo": "ward",
    }


def test_a_role_filled_is_not_filled_again_by_a_third() -> None:
    """One more of the ward comes without a role: the physician is still missing."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("anna", "bo", "cia", "kim")
    assert call.phase == "partly_accepted" and call.alarm.acceptances[2].role == ""


def test_a_deputy_fills_the_role_it_stands_in_for() -> None:
    """At 15 s the physician's deputy rings, and her accept counts as physician."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("kim", "anna", "bo")
    ward.at(15)
    assert "nora" in call.ringing
    call.accepts("nora")
    assert call.phase == "accepted" and call.alarm.acceptances[-1].role == "physician"


def test_a_role_with_nobody_to_reach_goes_to_its_deputy_without_waiting() -> None:
    """At once, not after 15 s; by push too."""
    ward = Ward()
    ward.no_phone("lena")
    ward.phone("nora", Reach.PUSHABLE)
    call = ward.press("12", None, type="heart")
    assert "nora" in call.ringing and call.pushed == ["nora"]
    assert call.facts("role_has_nobody")["roles"] == ["physician"]


def test_a_team_ends_by_its_leader_or_the_reset_and_by_nobody_else() -> None:
    """The leader is the first role unless the type names another."""
    ward = Ward()
    call = ward.press("12", None, type="heart", source="button")
    call.accepts("kim", "lena", "anna", "bo")
    call.attends("anna")
    for person in ("anna", "lena", "cia"):
        assert call.says(person, "done").error == "not_allowed"
    assert call.says("kim", "done").ok and call.alarm.ended_by == "team_leader"


# -- decline, hold, mute


def test_who_declines_is_left_out_of_that_step_and_asked_again_by_a_later_one() -> None:
    """Never for the alarm: the unit's step asks anna again, and the last resort everybody who rings."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna", reason="with a patient")
    assert call.ringing == {"bo"} and call.shown == {"bo"}
    ward.at(45)
    assert "anna" in call.ringing


def test_when_all_have_declined_the_next_step_rings_at_once() -> None:
    """Without waiting for the clock."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna")
    call.declines("bo")
    assert call.ringing >= {"cia", "dan"}
    assert call.facts("step_passed")["because"] == "all_declined_or_unreachable"


def test_who_declined_may_still_take_it() -> None:
    """An accept is valid from anyone told of it, late ones too."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna")
    assert call.accepts("anna").ok and call.phase == "accepted"


def test_declining_twice_is_declining_once() -> None:
    """A repeat of the same answer changes nothing."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna")
    before = call.alarm
    call.declines("anna")
    assert call.alarm is before


def test_a_decline_for_an_earlier_turn_is_stale() -> None:
    """What the phone had seen was another ringing; one from the future is no better."""
    ward = Ward()
    call = ward.press("12/1")
    seen = call.alarm.rev
    ward.at(45)
    assert call.declines("anna", rev=seen).error == "stale"
    assert call.declines("anna", rev=call.alarm.rev + 1).error == "stale"
    assert "anna" in call.ringing
    assert call.declines("anna").ok


def test_an_accept_is_valid_from_any_rev() -> None:
    """However old the view was."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(170)
    assert call.says("anna", "accept", rev=0).ok


def test_the_lone_nurse_says_kommer_strax_and_cover_rings_at_once() -> None:
    """It holds the alarm, stays on her phone, and skips what nobody else could answer."""
    ward = Ward()
    call = ward.press("205:12/1")
    assert call.ringing == {"olle"}
    assert call.says("olle", "hold").ok
    assert call.ringing == {"eva", "finn"} and "olle" in call.shown
    assert call.accepts("olle").ok and call.phase == "accepted"


def test_declining_while_alone_is_kommer_strax() -> None:
    """The alarm stays hers, and cover rings."""
    ward = Ward()
    call = ward.press("205:12/1")
    assert call.declines("olle").ok
    assert call.ringing == {"eva", "finn"} and "olle" in call.shown
    assert call.codes.count("declined_while_alone") == 1 and "declined" not in call.codes


def test_who_holds_is_rung_again_with_the_last_resort_and_never_instead_of_it() -> None:
    """A lone nurse is not her own last resort (never possible 7)."""
    ward = Ward()
    call = ward.press("205:12/1")
    call.says("olle", "hold")
    ward.at(60)
    assert call.ringing == {"eva", "finn", "gun", "olle"}


def test_the_hold_of_one_without_cover_goes_to_the_last_resort() -> None:
    """There is nobody between."""
    ward = Ward()
    ward.covers()
    call = ward.press("205:12/1")
    call.says("olle", "hold")
    assert "gun" in call.ringing


def test_holding_at_the_last_resort_does_not_hurry_it() -> None:
    """It rings already; it comes again in its own time."""
    ward = Ward()
    call = ward.press("205:12/1")
    ward.at(170)
    rings = call.facts("last_resort_rings")["times"]
    assert call.says("olle", "hold").ok and "olle" not in call.ringing
    assert call.facts("last_resort_rings")["times"] == rings


def test_a_lone_nurse_may_decline_when_somebody_else_comes() -> None:
    """Kommer strax is for when nobody does."""
    ward = Ward()
    call = ward.press("205:12", Kind.ASSISTANCE)
    call.accepts("eva")
    call.declines("olle")
    assert "olle" not in call.shown and "declined" in call.codes


def test_kommer_strax_skips_the_steps_before_cover() -> None:
    """A site whose second step is somebody else: the hold is for cover, at once."""
    ward = Ward()
    steps = (Step(("care_team",), 45, 10), Step(("role:guard",), 60, 10), Step(("cover",), 60, 10))
    ward.publish(Policy("p", 1, steps, 60, 180, 180, 300))
    ward.rule(PolicyRule("p"))
    call = ward.press("205:12/1")
    call.says("olle", "hold")
    assert call.ringing == {"eva", "finn"}


def test_kommer_strax_is_only_for_who_is_alone() -> None:
    """With colleagues there is decline."""
    ward = Ward()
    call = ward.press("12/1")
    assert call.says("anna", "hold").error == "not_allowed"
    assert call.ringing == {"anna", "bo"}


# -- who may answer


def test_an_accept_is_valid_from_whoever_is_on_duty_for_the_place() -> None:
    """Own unit, cover and team, rung or not; nobody else."""
    for person, ok in (("dan", True), ("eva", True), ("olle", False), ("pia", False), ("ivar", False)):
        call = Ward().press("12/1")
        assert call.accepts(person).ok is ok, person
        assert (call.phase == "accepted") is ok
    team = Ward().press("empty:12", None, type="heart")
    assert team.accepts("lena").ok


def test_an_outsider_can_do_nothing() -> None:
    """Every answer is refused, and nothing changes."""
    ward = Ward()
    call = ward.press("12/1")
    before = call.alarm
    for answer in ("accept", "decline", "release", "attend", "done", "help", "extend", "take_over", "hold"):
        assert call.says("pia", answer).error == "not_concerned"
    assert call.alarm is before and not ward.calls(Kind.ASSISTANCE)


def test_an_answer_after_the_end_is_told_so() -> None:
    """Whatever it is."""
    ward = Ward()
    call = ward.press("12/1")
    ward.reset("12/1", Kind.PATIENT_CALL)
    before = call.alarm
    for answer in ("accept", "decline", "attend", "done", "take_over"):
        assert call.says("anna", answer).error == "ended"
    assert call.alarm is before


@pytest.mark.parametrize("kind", [k for k in Kind if RULES[k].needs_hands])
@pytest.mark.parametrize("how", ["sms", "elsewhere", "at home"])
def test_nobody_silences_from_afar_a_call_that_needs_hands(kind: Kind, how: str) -> None:
    """By SMS, from another site or from home: noted, and everything rings on (never possible 1)."""
    ward = Ward()
    who = {"sms": "anna", "elsewhere": "pia", "at home": "rolf"}[how]
    if how == "elsewhere":
        ward.covers(*ward.site.covers, *_cover("vc"))
    if how == "at home":
        ward.on_duty(Duty("rolf", "201", ("house_doctor",), Hours(), on_site=False), instead_of=("rolf",))
    call = ward.press("12", kind, type="heart" if kind is Kind.TEAM else None)
    before = set(call.ringing)
    for answer in ("accept", "attend"):
        verdict = call.says(who, answer, via="sms" if how == "sms" else "phone")
        assert verdict.ok and verdict.error == "noted"
    assert call.ringing == before and call.takers == []
    assert call.alarm.noted == (who,)


def _cover(by: str) -> tuple[Cover, ...]:
    return (Cover(by, Hours(), unit="201"),)


@pytest.mark.parametrize("kind", [Kind.TECHNICAL, Kind.REQUEST])
def test_what_needs_no_hands_can_be_taken_by_sms(kind: Kind) -> None:
    """A duty engineer at home takes it."""
    ward = Ward()
    call = ward.press("pump", kind, targets=("role:duty_engineer",))
    verdict = call.says("ivar", "accept", via="sms")
    assert verdict.ok and not verdict.error and call.phase == "accepted"


def test_arriving_cannot_be_said_by_sms_even_by_who_has_taken_it() -> None:
    """It would stop the check of the arrival."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    assert call.says("anna", "attend", via="sms").error == "noted"
    assert call.phase == "accepted"


def test_a_take_over_by_sms_takes_nothing_over() -> None:
    """The alarm stays with who has it."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    assert call.says("bo", "take_over", via="sms").error == "noted"
    assert call.takers == ["anna"]


# -- taken, taken over, given back


def test_a_second_accept_hears_who_has_it() -> None:
    """`taken`; and the first accepting again changes nothing."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    before = call.alarm
    assert call.accepts("bo").error == "taken" and call.facts("already_taken")["by"] == ["anna"]
    assert call.accepts("anna").ok and call.alarm is before


def test_take_over_moves_it_and_starts_the_arrival_anew() -> None:
    """The colleague's phone shows it no more."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(100)
    assert call.says("cia", "take_over").ok
    assert (call.takers, call.shown, call.phase) == (["cia"], {"cia"}, "accepted")
    ward.at(100 + 5 * MIN - 0.001)
    assert not call.ringing
    ward.at(100 + 5 * MIN)
    assert "cia" in call.ringing


def test_a_lost_colleague_who_was_relieved_gives_nothing_back() -> None:
    """Her minute ends with the take-over."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.phone("anna", Reach.NONE)
    call.says("bo", "take_over")
    assert call.alarm.lost_at is None
    ward.at(120)
    assert call.takers == ["bo"] and call.phase == "accepted"


def test_there_is_nothing_to_take_over_before_somebody_has_it_and_where_nobody_is_released() -> None:
    """Then one accepts instead."""
    ward = Ward()
    assert ward.press("12/1").says("anna", "take_over").error == "nothing_to_take_over"
    emergency = ward.press("13", Kind.EMERGENCY)
    emergency.accepts("anna")
    assert emergency.says("bo", "take_over").error == "nothing_to_take_over"
    assert emergency.takers == ["anna"]


def test_one_who_is_there_can_be_relieved() -> None:
    """Attended becomes accepted by the colleague, whose arrival is checked."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    call.says("bo", "take_over")
    assert (call.phase, call.takers) == ("accepted", ["bo"]) and call.alarm.lapse_at is not None
    assert call.alarm.review_at is None


def test_given_back_it_rings_the_others_at_once_but_not_who_gave_it_back() -> None:
    """She is left out of that step, and comes back with the next."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(30)
    assert call.says("anna", "release", reason="another patient").ok
    assert (call.phase, call.ringing, call.takers) == ("ringing", {"bo"}, [])
    ward.at(75)
    assert call.ringing == UNIT


def test_given_back_by_who_was_there_it_is_no_longer_asked_whether_it_is_open() -> None:
    """It rings: the question comes back when somebody is there."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    call.says("anna", "release")
    assert call.alarm.review_at is None


def test_given_back_at_a_later_step_the_earlier_ones_ring_too() -> None:
    """The accept had silenced them: without it they would ring still."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(110)
    call.accepts("eva")
    call.says("eva", "release")
    assert call.ringing == UNIT | {"finn"}


def test_given_back_after_the_last_resort_the_ward_rings_with_it() -> None:
    """Not only the desk outside."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(200)
    call.accepts("gun")
    call.says("gun", "release")
    assert call.ringing == UNIT | {"eva", "finn"}
    ward.later(60)
    assert "gun" in call.ringing


def test_the_lone_nurse_who_gives_it_back_is_not_waited_for_by_the_next_step() -> None:
    """Care team and unit are she alone: cover rings in the same instant."""
    ward = Ward()
    call = ward.press("205:12/1")
    call.accepts("olle")
    call.says("olle", "release")
    assert call.ringing == {"eva", "finn"}
    ward.at(60)
    assert call.ringing == {"eva", "finn", "gun"}


def test_giving_back_what_one_has_not_taken_is_refused() -> None:
    """And declining what one has taken."""
    ward = Ward()
    call = ward.press("12/1")
    assert call.says("anna", "release").error == "not_yours"
    call.accepts("anna")
    assert call.declines("anna").error == "not_allowed"
    assert call.takers == ["anna"]


def test_one_of_two_gives_an_assistance_back_and_the_others_ring_again() -> None:
    """The one who comes keeps it and does not ring."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    call.says("bo", "release")
    assert (call.phase, call.takers, call.ringing) == ("partly_accepted", ["anna"], {"cia", "dan"})


def test_the_only_taker_of_a_partly_accepted_alarm_gives_it_back_and_the_source_hears_in_time() -> None:
    """Return of responsibility counts from when nobody has it."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    ward.at(60)
    assert "unanswered" not in call.reports
    call.says("anna", "release")
    assert call.phase == "ringing"
    ward.at(119.999)
    assert "unanswered" not in call.reports
    ward.at(120)
    assert "unanswered" in call.reports and "unanswered" in call.flags


def test_one_of_two_at_an_emergency_gives_it_back_and_the_other_keeps_it() -> None:
    """Nobody is rung again by that; the arrival check sees to it."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    call.accepts("anna", "bo")
    call.says("bo", "release")
    assert call.phase == "accepted" and call.takers == ["anna"]


def test_when_one_of_the_two_there_gives_back_the_arrival_is_checked_again() -> None:
    """An emergency wants two on the spot."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    call.attends("anna", "bo")
    assert call.phase == "attended"
    call.says("bo", "release")
    assert call.phase == "accepted"
    ward.later(60)
    assert call.phase == "partly_accepted" and call.takers == ["anna"]


# -- done


@pytest.mark.parametrize("kind", [k for k in Kind if k is not Kind.DRILL])
def test_a_phone_never_ends_what_the_room_must_reset(kind: Kind) -> None:
    """`done` is refused where the source sends ends, in every phase (never possible 3)."""
    ward = Ward()
    call = ward.press("12", kind, type="heart" if kind is Kind.TEAM else None, targets=("unit",))
    for answer in ("accept", "attend"):
        call.says("anna", answer)
        assert call.says("anna", "done").error == "not_allowed"
    assert call.phase != "ended"


@pytest.mark.parametrize("kind", [Kind.PATIENT_CALL, Kind.TOILET_CALL, Kind.ASSISTANCE, Kind.CLINICAL])
def test_done_is_for_who_is_there_where_the_source_sends_no_ends(kind: Kind) -> None:
    """Not for a colleague, and not before arriving."""
    ward = Ward()
    call = ward.press("12/1", kind, source="button")
    call.accepts("anna", "bo")
    assert call.says("bo", "done").error == "not_yours"
    assert call.says("anna", "done").error == "not_yours"
    call.attends("anna")
    assert call.says("anna", "done").ok
    assert (call.phase, call.alarm.ended_by, call.shown) == ("ended", "staff", set())
    assert call.reports[-1] == "ended"


@pytest.mark.parametrize("kind", [Kind.EMERGENCY, Kind.ASSAULT])
def test_done_never_ends_an_emergency_or_an_assault(kind: Kind) -> None:
    """Not even where the source sends no ends."""
    ward = Ward()
    call = ward.press("12", kind, source="button")
    call.attends("anna", "bo")
    assert call.says("anna", "done").error == "not_allowed"


def test_a_signal_once_opens_an_alarm_that_staff_end() -> None:
    """A lab page, a button without a reset."""
    ward = Ward()
    call = ward.press("12/1", Kind.REQUEST, event="once", targets=("staff:anna",), callback="4711")
    call.accepts("anna")
    assert call.says("anna", "done").ok and call.phase == "ended"


# -- assault


def test_the_victim_can_neither_see_nor_answer_the_assault() -> None:
    """Her phone does nothing at all (never possible 8)."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="anna")
    assert "anna" not in call.shown
    for answer in ("accept", "attend", "decline", "safe", "help"):
        assert call.says("anna", answer).error == "not_concerned"
    ward.at(5 * MIN)
    assert "anna" not in call.shown


def test_an_assault_ends_by_the_reset_and_a_responder_who_says_that_it_is_safe() -> None:
    """Either alone is not enough, in either order."""
    for reset_first in (True, False):
        ward = Ward()
        call = ward.press("12", Kind.ASSAULT, person="anna")
        assert call.says("bo", "safe").error == "not_yours"
        call.accepts("hugo")
        assert call.says("hugo", "safe").error == "not_yours", "nobody can see that from afar"
        call.attends("hugo")
        if reset_first:
            ward.reset("12", Kind.ASSAULT)
            assert call.phase != "ended" and "reset_seen" in call.flags
            call.says("hugo", "safe")
            assert call.alarm.ended_by == "source_and_responder"
        else:
            call.says("hugo", "safe")
            assert call.phase != "ended" and "safe_said" in call.flags
            ward.reset("12", Kind.ASSAULT)
            assert call.phase == "ended"


def test_safe_is_not_said_by_sms_and_not_of_other_kinds() -> None:
    """From afar nobody ends an assault."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT)
    call.attends("hugo")
    assert call.says("hugo", "safe", via="sms").error == "noted"
    ward.reset("12", Kind.ASSAULT)
    assert call.phase != "ended"
    other = ward.press("13", Kind.EMERGENCY)
    other.attends("anna")
    assert other.says("anna", "safe").error == "not_allowed"


# -- help and extend


def test_help_opens_an_assistance_that_spares_who_is_in_the_room() -> None:
    """Hjälp hit: at the same place; asked twice it is one."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    call.says("anna", "help")
    call.says("anna", "help")
    (more,) = ward.calls(Kind.ASSISTANCE)
    assert more.alarm.place == "f/201/12/1" and more.ringing == {"bo", "cia", "dan"}
    ward.at(10 * MIN)
    assert "anna" not in more.shown


def test_help_in_an_assault_spares_the_victim_too() -> None:
    """An assistance at the same place must not light her phone."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="cia")
    call.attends("hugo")
    call.says("hugo", "help")
    (more,) = ward.calls(Kind.ASSISTANCE)
    ward.at(5 * MIN)
    assert not {"cia", "hugo"} & more.shown and more.ringing


def test_help_is_ended_by_the_staff_who_came() -> None:
    """No button in the room belongs to it."""
    ward = Ward()
    ward.press("12/1").attends("anna")
    (call,) = ward.calls(Kind.PATIENT_CALL)
    call.says("anna", "help")
    (more,) = ward.calls(Kind.ASSISTANCE)
    more.attends("bo", "cia")
    assert more.says("bo", "done").ok


def test_extend_adds_three_minutes_once() -> None:
    """To the reminder and to the check."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    assert call.says("bo", "extend").error == "not_yours"
    assert call.says("anna", "extend").ok
    assert call.says("anna", "extend").error == "already_extended"
    ward.at(3 * MIN)
    assert not call.alarm.reminded
    ward.at(6 * MIN)
    assert call.alarm.reminded
    ward.at(8 * MIN - 0.001)
    assert not call.ringing
    ward.at(8 * MIN)
    assert "anna" in call.ringing


def test_more_time_is_only_for_who_is_on_the_way() -> None:
    """Nobody has it, or somebody is there: there is nothing to extend."""
    ward = Ward()
    call = ward.press("12/1")
    assert call.says("anna", "extend").error == "not_yours"
    call.attends("anna")
    assert call.says("anna", "extend").error == "not_yours"


def test_the_people_of_the_ward_are_all_known() -> None:
    """The conversations above name people who exist."""
    assert {d.staff for d in DUTIES} >= UNIT | {"eva", "finn", "gun", "hugo", "olle", "pia", "rolf"}
