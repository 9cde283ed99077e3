"""The world changes under an open alarm: roster, cover, reach, site, a lost link."""

from __future__ import annotations

import pytest

from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Cover, Duty, Hours, Policy, PolicyRule, Step
from tests.support.ward import MIN, Ward

UNIT = {"anna", "bo", "cia", "dan"}
NIGHT = Duty("nils", "201", ("ssk",), Hours(), ("f/201/12",))
ELSEWHERE = Duty("anna", "202", ("ssk",), Hours())


# -- shift change


def test_a_shift_change_hands_an_open_alarm_to_who_comes() -> None:
    """Who goes home is let go, who comes rings, in the same instant; the step's clock runs on."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(20)
    ward.on_duty(NIGHT, instead_of=("anna", "bo"))
    assert call.ringing == call.shown == {"nils"}
    ward.at(44.999)
    assert call.ringing == {"nils"}
    ward.at(45)
    assert call.ringing == {"nils", "cia", "dan"}


def test_who_comes_on_duty_is_pushed_to_when_no_socket_is_open() -> None:
    """Being told is not enough."""
    ward = Ward()
    ward.reach["nils"] = Reach.PUSHABLE
    call = ward.press("12/1")
    ward.on_duty(NIGHT)
    assert call.ringing == {"anna", "bo", "nils"} and call.pushed == ["nils"]


def test_who_comes_on_duty_has_the_kinds_time_to_ring() -> None:
    """Her phone is given its 10 s from now on, the only one left."""
    ward = Ward()
    ward.mute_phones = {"nils"}
    call = ward.press("12/1")
    ward.at(30)
    ward.on_duty(NIGHT, instead_of=("anna", "bo"))
    ward.at(39.999)
    assert call.ringing == {"nils"}
    ward.at(40)
    assert call.ringing == {"nils", "cia", "dan"}


def test_who_moves_to_another_ward_keeps_what_rings() -> None:
    """She is at work, and knows of it."""
    ward = Ward()
    call = ward.press("12/1")
    ward.on_duty(ELSEWHERE, instead_of=("anna",))
    assert "anna" in call.ringing


def test_the_last_one_is_not_let_go_before_somebody_else_rings() -> None:
    """Everybody of the step goes home: the next step rings at once."""
    ward = Ward()
    call = ward.press("12/1")
    ward.off_duty("anna", "bo")
    assert call.ringing == {"cia", "dan"}


def test_when_nobody_else_can_be_reached_the_last_one_keeps_the_alarm() -> None:
    """Off duty or not: a shift change orphans no alarm (never possible 10)."""
    ward = Ward()
    call = ward.press("12/1")
    ward.no_phone(*(set(ward.site.staff) - {"anna"}))
    ward.off_duty("anna", "bo", "gun")
    assert call.ringing >= {"anna"}
    assert call.facts("roster_left_nobody")["kept"]


def test_at_the_last_resort_who_goes_home_is_let_go_when_others_ring() -> None:
    """And who takes over the desk rings with it."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(170)
    ward.on_duty(Duty("nils", "desk", ("bed_coordinator",), Hours()), instead_of=("gun", "anna"))
    assert "nils" in call.ringing and not {"gun", "anna"} & call.shown


def test_at_the_last_resort_with_everybody_gone_it_rings_whoever_it_rang() -> None:
    """Until there is somebody else."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(170)
    ward.off_duty(*{d.staff for d in ward.site.duties})
    assert call.ringing
    ward.at(10 * MIN)
    assert call.ringing


def test_an_acceptor_who_goes_off_duty_before_arriving_gives_the_alarm_back() -> None:
    """It rings the others at once, and her no more."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.off_duty("anna")
    assert call.phase == "ringing" and call.ringing == {"bo"} and "anna" not in call.shown
    assert "acceptor_off_duty" in call.codes


def test_one_who_is_there_finishes_what_she_began() -> None:
    """Arrived is arrived, off duty or not."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    ward.off_duty("anna")
    assert call.phase == "attended" and call.takers == ["anna"] and call.shown == {"anna"}


def test_one_of_a_team_who_is_there_stays_while_others_are_on_the_way() -> None:
    """Off duty or not, she is at the patient's side."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.attends("kim")
    call.accepts("lena", "anna", "bo")
    assert call.phase == "accepted"
    ward.off_duty("kim")
    assert call.takers == ["kim", "lena", "anna", "bo"] and call.phase == "accepted"


def test_one_who_accepted_without_being_on_duty_is_not_sent_home_by_the_roster() -> None:
    """She was not on it when she took it."""
    ward = Ward()
    call = ward.press("empty:12/1")
    call.accepts("tove")
    ward.available("anna", "busy")
    assert call.phase == "accepted" and call.takers == ["tove"]


def test_a_roster_change_rings_nobody_while_somebody_has_it() -> None:
    """Not in accepted, not in attended."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.on_duty(NIGHT)
    assert call.shown == {"anna"}
    call.attends("anna")
    ward.off_duty("bo")
    assert call.shown == {"anna"} and call.phase == "attended"


def test_a_bed_handed_to_a_colleague_rings_her_too() -> None:
    """The care team of this instant, beside who already rings."""
    ward = Ward()
    call = ward.press("12/1")
    ward.on_duty(Duty("cia", "201", ("usk",), Hours(), ("f/201/12/1",)), instead_of=("cia",))
    assert call.ringing == {"anna", "bo", "cia"}


def test_a_change_of_availability_is_a_change_of_roster() -> None:
    """A break begun while it rings silences nothing that rings."""
    ward = Ward()
    call = ward.press("12/1")
    ward.available("anna", "break")
    assert call.ringing == {"anna", "bo"}


def test_cover_that_begins_rings_for_the_step_it_names() -> None:
    """A unit closes while its call rings."""
    ward = Ward()
    call = ward.press("empty:12/1")
    ward.covers(Cover("202", Hours(), unit="empty"))
    assert {"eva", "finn"} <= call.ringing


# -- reach


def test_the_last_reachable_phone_of_a_step_going_dark_passes_it_on_at_once() -> None:
    """Not at the end of its time; before that it only waits for who is left."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(20)
    ward.phone("anna", Reach.NONE)
    assert call.ringing == {"anna", "bo"}
    ward.phone("bo", Reach.NONE)
    assert call.ringing == UNIT


def test_a_phone_that_is_merely_recent_is_not_given_up() -> None:
    """It rang, and may answer when it is back."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(20)
    for person in ("anna", "bo"):
        ward.phone(person, Reach.RECENT)
    assert call.ringing == {"anna", "bo"}


def test_the_loss_of_a_phone_counts_from_its_first_loss() -> None:
    """Going from recent to none is no new loss."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.phone("anna", Reach.RECENT)
    ward.at(30)
    ward.phone("anna", Reach.NONE)
    ward.at(60)
    assert call.phase == "ringing"


def test_another_persons_phone_is_nothing_to_the_acceptor() -> None:
    """Only hers."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    before = call.alarm
    ward.phone("bo", Reach.NONE)
    ward.phone("anna", Reach.LIVE)
    assert call.alarm is before


# -- policies and sites


def test_publishing_a_policy_does_not_touch_an_open_alarm() -> None:
    """It is pinned until the last resort (never possible 10); a new alarm follows the new one."""
    ward = Ward()
    old = Policy("p", 1, (Step(("care_team",), 45, 10), Step(("unit",), 60, 10)), 60, 180, 180, 300)
    ward.publish(old)
    ward.rule(PolicyRule("p", kind=Kind.PATIENT_CALL))
    call = ward.press("12/1")
    before = call.alarm
    ward.publish(Policy("p", 2, (Step(("role:guard",), 5, 1),), 20, 10, 10, 10))
    assert (call.alarm.policy_version, call.alarm.answer_at) == (1, before.answer_at)
    assert ward.press("13/1").ringing == {"hugo"}
    ward.at(45)
    assert call.ringing == UNIT


def test_an_alarm_whose_policy_nobody_knows_any_more_goes_on() -> None:
    """By the newest there is."""
    ward = Ward()
    ward.publish(Policy("p", 1, (Step(("unit",), 45, 10),), 60, 180, 180, 300))
    ward.rule(PolicyRule("p", kind=Kind.PATIENT_CALL))
    call = ward.press("12/1")
    ward.change_site(policies={}, newest={}, policy_rules=())
    ward.at(45)
    assert call.ringing >= UNIT
    ward.at(10 * MIN)
    assert "gun" in call.ringing


def test_a_site_that_forgets_the_unit_still_has_a_last_resort_for_it() -> None:
    """Somebody's last resort is better than none."""
    ward = Ward()
    call = ward.press("12/1")
    ward.change_site(units={u: v for u, v in ward.site.units.items() if u != "201"})
    ward.at(10 * MIN)
    assert call.ringing >= {"gun", "vera"}


# -- links


def test_a_lost_link_marks_what_the_plant_has_not_confirmed_and_it_keeps_ringing() -> None:
    """Nothing is dropped for its age; the next word of the plant confirms it."""
    ward = Ward()
    call = ward.press("12/1")
    ward.tell_all(WorldChanged("link_lost"))
    assert "unconfirmed" in call.flags and call.ringing == {"anna", "bo"}
    ward.tell_all(WorldChanged("link_back"))
    assert "unconfirmed" in call.flags, "not before the plant has said so"
    ward.at(45)
    assert call.ringing == UNIT
    ward.press("12/1")
    assert "unconfirmed" not in call.flags


def test_an_update_confirms_too() -> None:
    """Any word about this alarm."""
    ward = Ward()
    call = ward.press("12/1")
    ward.tell_all(WorldChanged("link_lost"))
    ward.signal("12/1", event="update")
    assert "unconfirmed" not in call.flags


@pytest.mark.parametrize("cause", ["restart", "grace", "something newer"])
def test_a_cause_that_changes_nothing_changes_nothing(cause: str) -> None:
    """Looking again is all."""
    ward = Ward()
    call = ward.press("12/1")
    before = call.alarm
    ward.tell_all(WorldChanged(cause))
    assert call.alarm is before
