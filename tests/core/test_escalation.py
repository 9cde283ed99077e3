"""Turns and steps: who rings when, when it passes on, and that it never gives up."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import CLINICAL_STEPS_S, RULES, Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.site import Cover, Hours, Policy, PolicyRule, Step
from tests.support.ward import MIN, Call, Ward

UNIT = {"anna", "bo", "cia", "dan"}
COVER = {"eva", "finn"}
ENGINEERS = {"ivar", "jon"}


def rings_at(ward: Ward, call: Call, *times: tuple[float, set[str]]) -> None:
    """At each second these phones have joined those that rang before; a millisecond earlier not yet."""
    so_far: set[str] = set(call.ringing)
    for second, joining in times:
        ward.at(second - 0.001)
        assert call.ringing == so_far, f"just before {second} s"
        ward.at(second)
        so_far |= joining
        assert call.ringing == so_far, f"at {second} s"


def test_a_patient_call_goes_from_care_team_to_unit_to_cover_to_last_resort() -> None:
    """Care team 45, unit 60, cover and shift leader 60, then the last resort every 60 s, all ringing on."""
    ward = Ward()
    call = ward.press("12/1")
    assert call.ringing == {"anna", "bo"}
    rings_at(ward, call, (45, UNIT), (105, COVER), (165, {"gun"}))
    assert call.facts("last_resort_rings")["times"] == 1
    ward.at(165 + 3 * 60 - 0.001)
    assert call.facts("last_resort_rings")["times"] == 3
    ward.at(165 + 3 * 60)
    assert call.facts("last_resort_rings")["times"] == 4


def test_a_toilet_call_goes_faster_and_is_medium() -> None:
    """Care team of the room 30, unit 30, cover 30, last resort every 30 s."""
    ward = Ward()
    call = ward.press("12/wc", Kind.TOILET_CALL)
    assert (call.ringing, str(call.alarm.priority)) == ({"anna", "bo"}, "medium")
    rings_at(ward, call, (30, UNIT), (60, COVER), (90, {"gun"}), (120, set()))
    assert call.facts("last_resort_rings")["times"] == 2


def test_assistance_rings_the_unit_then_cover() -> None:
    """Unit 20, cover 20, last resort every 30 s."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    assert call.ringing == UNIT
    rings_at(ward, call, (20, COVER), (40, {"gun"}), (70, set()))
    assert call.facts("last_resort_rings")["times"] == 2


def test_an_emergency_rings_the_whole_unit_then_cover_and_those_on_call() -> None:
    """Whole unit 15, cover and on-call 15, last resort every 15 s."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    assert (call.ringing, str(call.alarm.priority)) == (UNIT, "high")
    rings_at(ward, call, (15, COVER | {"lena", "rolf"}), (30, {"gun"}), (45, set()))
    assert call.facts("last_resort_rings")["times"] == 2


def test_an_assault_rings_unit_neighbours_and_guards_then_everyone_on_site() -> None:
    """At once; after 10 s everyone on site, but nobody at home and nobody at another site."""
    ward = Ward()
    call = ward.press("13", Kind.ASSAULT, person="cia")
    assert call.ringing == UNIT - {"cia"} | COVER | {"hugo"}
    ward.at(9.999)
    assert call.ringing == UNIT - {"cia"} | COVER | {"hugo"}
    ward.at(10)
    assert {"gun", "vera", "kim", "ivar", "olle"} <= call.ringing
    assert not {"cia", "rolf", "pia", "stig"} & call.ringing
    ward.at(20)
    assert call.facts("last_resort_rings")["every_s"] == 10


@pytest.mark.parametrize("priority", ["high", "medium", "low"])
def test_a_monitor_alarm_has_the_steps_of_its_priority(priority: str) -> None:
    """High 20-20-20, medium 45-60, low 30-60, and the last resort every 15 or 30 s."""
    ward = Ward()
    call = ward.press("12/1", Kind.CLINICAL, priority=Priority(priority))
    seconds = CLINICAL_STEPS_S[Priority(priority)]
    assert call.ringing == {"anna", "bo"}
    joining = [UNIT, COVER][: len(seconds) - 1]
    ends = [sum(seconds[: i + 1]) for i in range(len(seconds))]
    rings_at(ward, call, *zip(ends[:-1], joining, strict=True), (ends[-1], {"gun"}))
    assert call.facts("last_resort_rings")["every_s"] == (15 if priority == "high" else 30)


def test_a_technical_alarm_goes_to_the_duty_engineer_then_the_second() -> None:
    """180 s each, last resort every 300 s."""
    ward = Ward()
    call = ward.press("pump", Kind.TECHNICAL)
    assert call.ringing == {"ivar"}
    rings_at(ward, call, (180, {"jon"}), (360, {"gun"}), (660, set()))
    assert call.facts("last_resort_rings")["times"] == 2


def test_a_door_rings_the_unit_and_expires_after_three_minutes() -> None:
    """No last resort; whoever rings, rings until then."""
    ward = Ward()
    call = ward.press("pump", Kind.DOOR)
    ward.at(30)
    assert call.ringing == UNIT
    ward.at(179.999)
    assert call.ringing == UNIT
    assert ward.at(180) and (call.phase, call.alarm.ended_by) == ("ended", "expired")


def test_a_request_goes_to_whom_it_names_then_on() -> None:
    """120 to the named, 180 to the unit, then cover and shift leader, last resort every 300 s."""
    ward = Ward()
    call = ward.press("pump", Kind.REQUEST, targets=("staff:eva",))
    assert call.ringing == {"eva"}
    rings_at(ward, call, (120, UNIT), (300, COVER), (480, {"gun"}))
    assert call.facts("last_resort_rings")["every_s"] == 300


def page(ward: Ward, *targets: str, kind: Kind = Kind.REQUEST, **more: str) -> Call:
    """A page to a number: no place, people of its own, a unit behind them."""
    return ward.press("", kind, event="once", source="button", unit="201", targets=targets, **more)


def test_a_page_to_a_person_rings_that_person_then_her_unit_its_cover_and_its_last_resort() -> None:
    """Nobody else before; the place is not unknown, there is none."""
    ward = Ward()
    call = page(ward, "staff:olle")
    assert call.ringing == {"olle"} and "place_unknown" not in call.flags
    rings_at(ward, call, (120, UNIT), (300, COVER), (480, {"gun"}))


def test_a_page_to_a_role_of_a_unit_rings_those_who_have_it_there() -> None:
    """Not the nurses of the ward next door; to a care team, that team."""
    ward = Ward()
    assert page(ward, "role:ssk@201").ringing == {"anna", "dan"}
    assert page(ward, "beds:f/201/12").ringing == {"anna", "bo"}
    assert page(ward, "unit").ringing == UNIT


def test_a_page_to_nobody_at_work_goes_on_at_once() -> None:
    """Who has the role is at home: the ward behind the number rings."""
    ward = Ward()
    assert page(ward, "role:guard@202").ringing == UNIT


@pytest.mark.parametrize("kind", [Kind.EMERGENCY, Kind.ASSAULT])
def test_no_number_narrows_an_emergency(kind: Kind) -> None:
    """Whom the number names rings beside everybody the kind demands."""
    ward = Ward()
    call = page(ward, "staff:olle", kind=kind)
    assert call.ringing == UNIT | {"olle"} | (COVER | {"hugo"} if kind is Kind.ASSAULT else set())


def test_a_team_alarm_rings_roles_and_unit_then_deputies_then_the_switchboard() -> None:
    """All roles and the unit at once; a role unfilled at 15 s its deputy; at 30 s the switchboard."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    assert call.ringing == UNIT | {"kim", "lena"}
    rings_at(ward, call, (15, {"nora"}), (30, {"vera"}), (45, {"gun"}))


def test_a_drill_never_escalates_and_never_reaches_a_last_resort() -> None:
    """Not by time, not by declines, and not by a policy a site wrote for everything."""
    ward = Ward()
    strict = Policy("strict", 1, (Step(("unit",), 5, 2), Step(("everyone",), 5, 2)), 5, 5, 5, 5)
    ward.publish(strict)
    ward.rule(PolicyRule("strict"))
    call = ward.press("12", Kind.DRILL, heard=True)
    assert call.ringing == UNIT
    for person in sorted(UNIT):
        call.declines(person)
    ward.at(119.999)
    assert not call.ringing and "last_resort_rings" not in call.codes
    ward.at(120)
    assert call.alarm.ended_by == "expired"


def test_a_silent_drill_sounds_nowhere() -> None:
    """Silent is for the machine alone."""
    ward = Ward()
    assert not ward.press("12", Kind.DRILL).ringing


def test_the_second_step_waits_its_own_time() -> None:
    """Clocks start when the step starts: passed early, the next still has its full 60 s."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(7)
    call.declines("anna")
    call.declines("bo")
    assert call.ringing == UNIT
    ward.at(66.999)
    assert call.ringing == UNIT
    ward.at(67)
    assert call.ringing == UNIT | COVER


# -- nobody is waited for in vain


def test_a_step_whose_people_cannot_be_reached_is_passed_at_once() -> None:
    """Both of the care team without a phone: the unit rings at the same instant."""
    ward = Ward()
    ward.no_phone("anna", "bo")
    call = ward.press("12/1")
    assert {"cia", "dan"} <= call.ringing
    assert call.facts("step_passed_at_once")["because"] == "nobody_reachable"


def test_a_step_that_resolves_to_nobody_is_passed_at_once() -> None:
    """205 has no shift leader and its own people are its unit: cover follows at once after the unit."""
    ward = Ward()
    steps = (Step(("role:nobody_has_this",), 45, 10), Step(("unit",), 60, 10))
    ward.publish(Policy("p", 1, steps, 60, 180, 180, 300))
    ward.rule(PolicyRule("p", kind=Kind.PATIENT_CALL))
    call = ward.press("12/1")
    assert call.ringing == UNIT
    assert call.facts("step_passed_at_once")["because"] == "resolves_to_nobody"


def test_all_steps_empty_ends_at_the_last_resort_at_once() -> None:
    """Whoever is unreachable on the way, somebody rings in the same instant."""
    ward = Ward()
    ward.no_phone(*UNIT, *COVER)
    call = ward.press("12/1")
    assert call.ringing >= {"gun"} and "last_resort" in call.flags


def test_nobody_at_all_can_be_reached_and_it_goes_on_trying() -> None:
    """The source hears "absent", and the last resort comes again every minute until somebody is back."""
    ward = Ward()
    ward.no_phone(*ward.site.staff)
    call = ward.press("12/1")
    assert "absent" in call.reports and "nobody_reachable_at_all" in call.codes
    ward.at(10 * MIN)
    assert call.facts("last_resort_rings")["times"] == 11 and call.reports.count("absent") == 1
    ward.phone("anna", Reach.LIVE)
    assert call.accepts("anna").ok and call.phase == "accepted"


def test_a_phone_that_never_rang_passes_the_turn_on_and_rings_on() -> None:
    """Reached means a device rang: without a receipt within 10 s the unit rings, the slow phones too."""
    ward = Ward()
    ward.mute_phones |= {"anna", "bo"}
    call = ward.press("12/1")
    ward.at(9.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(10)
    assert call.ringing == UNIT and call.facts("step_passed")["because"] == "nobody_rang"


def test_one_phone_that_rang_is_enough_to_wait_for() -> None:
    """The other may be slow: the step has its full time."""
    ward = Ward()
    ward.mute_phones |= {"anna"}
    call = ward.press("12/1")
    ward.at(44.999)
    assert call.ringing == {"anna", "bo"}


def test_who_rang_and_then_declined_leaves_only_a_phone_that_never_rang() -> None:
    """After the time to ring, the silent phone is no reason to wait."""
    ward = Ward()
    ward.mute_phones |= {"anna"}
    call = ward.press("12/1")
    ward.at(20)
    call.declines("bo")
    assert call.ringing >= {"cia", "dan"}


def test_a_one_way_pager_cannot_confirm_and_is_waited_for() -> None:
    """ "Receipt impossible" is not "unreachable": the step has its full time, the pager is sent to."""
    ward = Ward()
    call = ward.press("pump", Kind.REQUEST, targets=("role:pager_doctor",))
    assert call.paged == ["1042"]
    ward.at(119.999)
    assert call.ringing == {"rut"}
    ward.at(120)
    assert call.ringing == {"rut"} | UNIT


def test_a_phone_lost_to_its_owners_pager_is_waited_for() -> None:
    """The pager cannot confirm; she is not unreachable."""
    ward = Ward()
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1")
    ward.phone("anna", Reach.ONE_WAY)
    ward.at(44.999)
    assert call.ringing == {"anna", "bo"}


def test_a_phone_that_only_push_reaches_is_pushed_and_given_its_time() -> None:
    """Pushable is not unreachable; with no receipt in time the turn passes on."""
    ward = Ward()
    ward.phone("anna", Reach.PUSHABLE)
    ward.phone("bo", Reach.NONE)
    call = ward.press("12/1")
    assert call.pushed == ["anna"]
    ward.at(9.999)
    assert not call.ringing & {"cia", "dan"}
    ward.at(10)
    assert call.ringing >= {"cia", "dan"}


def test_a_push_carries_the_rev_the_phone_will_be_shown() -> None:
    """So that the phone can tell a stale push from a new one."""
    ward = Ward()
    ward.phone("anna", Reach.PUSHABLE)
    call = ward.press("12/1")
    (push,) = (e for e in ward.effects[call.id] if hasattr(e, "rev"))
    assert push.rev == 1 and push.priority == "low"


def test_after_a_restart_nobody_recent_is_skipped_before_the_grace_is_over() -> None:
    """Phones come back after 8 s: no step is passed for want of receipts."""
    ward = Ward()
    ward.grace_until = ward.now + 30_000
    for person in ward.reach:
        ward.reach[person] = Reach.RECENT
    call = ward.press("12/1")
    ward.at(29.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(30)
    assert call.ringing == UNIT, "and after the grace they are skipped"


def test_a_restart_in_the_middle_of_a_step_grants_its_phones_the_grace_too() -> None:
    """The time to ring was running when the hub went down."""
    ward = Ward()
    ward.mute_phones = set(ward.site.staff)
    call = ward.press("12/1")
    ward.at(5)
    ward.reach = dict.fromkeys(ward.reach, Reach.RECENT)
    ward.grace_until = ward.now + 30_000
    ward.at(34.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(35)
    assert call.ringing == UNIT


def test_phones_back_within_the_grace_have_the_whole_step() -> None:
    """The step goes on as if nothing had been."""
    ward = Ward()
    ward.grace_until = ward.now + 30_000
    for person in ("anna", "bo"):
        ward.reach[person] = Reach.RECENT
    call = ward.press("12/1")
    ward.at(8)
    ward.phone("anna", Reach.LIVE)
    ward.receipts(call.id)
    ward.at(44.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(45)
    assert call.ringing == UNIT


def test_a_recent_phone_without_a_grace_has_the_ordinary_time_to_ring() -> None:
    """Lost a moment ago is not gone; but it does not buy more time either."""
    ward = Ward()
    for person in ("anna", "bo"):
        ward.reach[person] = Reach.RECENT
    call = ward.press("12/1")
    ward.at(9.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(10)
    assert call.ringing == UNIT


# -- last resort


def test_from_the_last_resort_on_somebody_else_may_still_take_it() -> None:
    """Anyone who was told; then it is silent, and the last resort comes no more."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(10 * MIN)
    assert call.accepts("cia").ok
    rang = call.facts("last_resort_rings")["times"]
    ward.at(12 * MIN)
    assert call.ringing == set() and call.facts("last_resort_rings")["times"] == rang


def test_a_policy_cannot_do_without_the_last_resort_of_its_kind() -> None:
    """It never gives up in silence, whatever a site has written; and a policy without steps rings it."""
    ward = Ward()
    ward.publish(Policy("p", 1, (Step(("unit",), 20, 5),), None, None, None, None))
    ward.rule(PolicyRule("p", kind=Kind.PATIENT_CALL))
    call = ward.press("12/1")
    ward.at(20)
    assert "gun" in call.ringing
    ward.publish(Policy("p", 2, (), None, None, None, None))
    assert "gun" in ward.press("13/1").ringing


def test_an_alarm_of_no_known_unit_reaches_somebody_and_can_be_taken() -> None:
    """Without a unit there is no last resort of its own: every last resort there is rings."""
    ward = Ward()
    call = ward.press("?", Kind.PATIENT_CALL, source="nobody_knows", key="x")
    assert call.ringing >= {"gun", "vera"}
    assert call.accepts("gun").ok and call.phase == "accepted"


def test_the_newest_policy_applies_from_the_last_resort_on_and_says_so() -> None:
    """Until then the version it started with, whatever is published."""
    ward = Ward()
    ward.publish(Policy("p", 1, (Step(("care_team",), 45, 10), Step(("unit",), 60, 10)), 60, 180, 180, 300))
    ward.rule(PolicyRule("p", kind=Kind.PATIENT_CALL))
    call = ward.press("12/1")
    ward.publish(Policy("p", 2, (Step(("role:guard",), 1, 1),), 20, 180, 180, 300))
    rings_at(ward, call, (45, UNIT), (105, {"gun"}))
    assert "newest_policy" in call.flags and call.facts("newest_policy_applies")["policy_version"] == 2
    ward.at(125)
    assert call.facts("last_resort_rings")["times"] == 2, "every 20 s now"


# -- nobody on duty


def test_a_unit_without_anybody_rings_every_phone_that_belongs_to_it_and_the_last_resort_at_once() -> None:
    """And says so."""
    ward = Ward()
    call = ward.press("empty:12/1")
    assert call.ringing == {"tove", "gun"} and "unit_unstaffed" in call.codes


def test_a_covered_unit_without_people_of_its_own_rings_its_cover() -> None:
    """303 on a Saturday."""
    ward = Ward()
    ward.covers(Cover("202", Hours(), unit="empty"))
    call = ward.press("empty:12/1")
    assert call.ringing == COVER and call.facts("covered_by")["by"] == ["202"]
    assert call.accepts("eva").ok


def test_a_heart_alarm_in_an_empty_unit_still_rings_its_team() -> None:
    """The phones of the unit come on top, never instead."""
    ward = Ward()
    call = ward.press("empty:12", None, type="heart")
    assert call.ringing >= {"kim", "lena", "tove", "gun"}


def test_an_assault_in_an_empty_unit_still_rings_the_guards_and_then_everyone() -> None:
    """Its steps go on as ever."""
    ward = Ward()
    call = ward.press("empty:12", Kind.ASSAULT)
    assert call.ringing >= {"hugo", "tove", "gun"}
    ward.at(10)
    assert call.ringing >= {"vera", "anna", "olle"}


def test_an_empty_unit_in_an_emergency_gets_those_on_call_too() -> None:
    """Second step after 15 s, first not passed for want of phones that ring."""
    ward = Ward()
    call = ward.press("empty:12", Kind.EMERGENCY)
    assert call.ringing == {"tove", "gun"}
    ward.at(15)
    assert call.ringing >= {"lena", "rolf"}


def test_an_alarm_given_back_in_an_empty_unit_rings_its_phones_again() -> None:
    """Not only the last resort."""
    ward = Ward()
    call = ward.press("empty:12/1")
    call.accepts("gun")
    call.says("gun", "release")
    assert "tove" in call.ringing


def test_a_door_in_an_empty_unit_does_not_trouble_the_last_resort() -> None:
    """But rings the phones that belong there."""
    ward = Ward()
    call = ward.press("empty:12", Kind.DOOR)
    assert call.ringing == {"tove"}


# -- the phone in the locker


def test_a_phone_nobody_touches_rings_with_the_next_step_together() -> None:
    """And the shift leader is told, by a request of the hub's own."""
    ward = Ward()
    ward.untouched = frozenset({"anna"})
    call = ward.press("12/1")
    assert call.ringing == UNIT and call.facts("untouched_phone")["staff"] == ["anna"]
    (notice,) = ward.calls(Kind.REQUEST)
    assert notice.ringing == {"dan"} and notice.alarm.type == "untouched_phone"
    ward.at(170)
    assert call.codes.count("untouched_phone") == 1


def test_a_drill_in_an_empty_unit_rings_nobody_instead() -> None:
    """It is no call: nobody's last resort is tried."""
    assert not Ward().press("empty:12", Kind.DRILL, heard=True).shown


def test_a_door_given_back_after_its_last_step_rings_it_again() -> None:
    """There is no last resort to go to."""
    ward = Ward()
    call = ward.press("pump", Kind.DOOR)
    ward.at(40)
    call.accepts("anna")
    call.says("anna", "release")
    assert call.ringing == {"bo", "cia", "dan"}


def test_a_grace_buys_no_time_for_phones_that_are_there() -> None:
    """Only who is recent is waited for."""
    ward = Ward()
    ward.grace_until = ward.now + 30_000
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1")
    ward.at(10)
    assert call.ringing == UNIT


def test_who_is_in_the_room_of_an_assistance_is_no_candidate_of_any_step() -> None:
    """Unlike a decline, being inside is not over with the step."""
    ward = Ward()
    ward.publish(Policy("p", 1, (Step(("unit",), 20, 5), Step(("unit",), 20, 5)), 30, 60, 60, 90, enough=2))
    ward.rule(PolicyRule("p", kind=Kind.ASSISTANCE))
    ward.press("12/1").attends("anna")
    call = ward.press("12", Kind.ASSISTANCE)
    call.declines("bo")
    assert call.ringing == {"cia", "dan"}
    ward.at(20)
    assert call.ringing == {"bo", "cia", "dan"}


def test_an_untouched_phone_of_another_bed_changes_nothing() -> None:
    """Only whoever this alarm asks first."""
    ward = Ward()
    ward.untouched = frozenset({"cia"})
    assert ward.press("12/1").ringing == {"anna", "bo"}
    assert not ward.calls(Kind.REQUEST)


# -- care team


def test_a_bed_without_a_care_team_rings_the_unit_first_and_is_listed_as_a_gap() -> None:
    """Its neighbours in the room do not answer for it."""
    ward = Ward()
    ward.off_duty("anna")
    call = ward.press("12/2")
    assert call.ringing == {"bo", "cia", "dan"} and "no_care_team" in call.codes
    assert ward.press("14/1").ringing == {"bo", "cia", "dan"}


@pytest.mark.parametrize("kind", [k for k in Kind if RULES[k].last_resort_s is not None])
def test_every_kind_with_a_last_resort_rings_it_again_and_again(kind: Kind) -> None:
    """Until somebody accepts or the source clears (an assault also wants a responder's word)."""
    ward = Ward()
    call = ward.press("12", kind, type=None if kind is not Kind.TEAM else "heart")
    ward.at(20 * MIN)
    assert "gun" in call.ringing and call.facts("last_resort_rings")["times"] >= 3
    ward.reset("12", kind, type=None if kind is not Kind.TEAM else "heart")
    assert call.phase == ("ringing" if kind is Kind.ASSAULT else "ended")


def test_who_comes_is_not_rung_again_by_later_steps() -> None:
    """A role filled stays filled while the alarm looks for the others."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("kim", "anna")
    ward.at(MIN)
    assert not {"kim", "anna"} & call.ringing and call.phase == "partly_accepted"
    assert {"kim", "anna"} <= call.shown
