"""What happens when a clock runs out: not a millisecond before, once, and in the order it fell due."""

from __future__ import annotations

import pytest

from alarmhub.core.decide import decide
from alarmhub.core.events import DeadlinePassed, Rang
from alarmhub.core.kinds import RULES, Kind
from alarmhub.core.reach import Reach
from tests.support.ward import MIN, T0, Ward

UNIT = {"anna", "bo", "cia", "dan"}
ARRIVALS = [k for k in Kind if RULES[k].lapse_s and k not in (Kind.EMERGENCY, Kind.TEAM, Kind.ASSISTANCE)]


@pytest.mark.parametrize("kind", ARRIVALS)
def test_accepted_and_nobody_there_in_time_rings_the_next_step_and_who_accepted(kind: Kind) -> None:
    """First the reminder, where the kind has one, then the next step."""
    rules = RULES[kind]
    assert rules.lapse_s is not None
    ward = Ward()
    call = ward.press("12/1", kind)
    who = "anna"
    call.accepts(who)
    if kind is Kind.ASSAULT:
        call.attends("bo")  # one is there: content
        call.says("bo", "release")
    if rules.remind_s is not None:
        ward.at(rules.remind_s - 0.001)
        assert not call.alarm.reminded
        ward.at(rules.remind_s)
        assert call.alarm.reminded and call.facts("reminded")["staff"] == [who]
        assert "not_attended" not in call.flags and call.alarm.remind_at is None
    ward.at(rules.lapse_s - 0.001)
    assert call.phase == "accepted"
    ward.at(rules.lapse_s)
    assert call.phase == "ringing" and "not_attended" in call.flags
    assert call.ringing >= {who, "cia"} and call.takers == []
    assert call.alarm.step == 1


def test_who_arrives_in_time_hears_nothing_more() -> None:
    """Only after half an hour the question whether it is still open."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(4 * MIN)
    assert call.attends("anna").ok and call.phase == "attended"
    ward.at(33 * MIN)
    assert not call.ringing and not call.alarm.reminded
    ward.at(34 * MIN)
    assert call.alarm.reminded and call.facts("still_open")["attended_by"] == ["anna"]
    assert not call.ringing and call.phase == "attended"


def test_who_accepted_is_rung_even_where_the_next_step_does_not_name_her() -> None:
    """The neighbour who took it, by push when she has no open socket."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("dan")
    ward.on_duty(*[d for d in ward.site.duties if d.staff == "hugo"])
    ward.at(4 * MIN)
    ward.phone("dan", Reach.PUSHABLE)
    ward.at(5 * MIN - 0.5)
    assert call.phase == "ringing" or call.pushed == []
    ward.at(5 * MIN)
    assert "dan" in call.ringing and "dan" in call.pushed


def test_the_neighbour_who_took_it_unasked_is_rung_and_pushed_to_as_well() -> None:
    """No step so far names her."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("finn")
    ward.at(5 * MIN - 10)
    ward.phone("finn", Reach.PUSHABLE)
    ward.at(5 * MIN)
    assert call.ringing == UNIT | {"finn"} and call.pushed == ["finn"]


def test_the_desk_that_took_it_at_the_last_resort_is_rung_again_with_it() -> None:
    """Nothing of the next step named her but herself."""
    ward = Ward()
    call = ward.press("pump", Kind.REQUEST, targets=("staff:eva",))
    ward.phone("eva", Reach.PUSHABLE)
    call.accepts("eva")
    ward.phone("eva", Reach.LIVE)
    ward.at(30 * MIN)
    assert call.ringing == UNIT | {"eva"}


def test_an_isolation_room_gives_three_minutes_to_dress() -> None:
    """Places may add time, to the reminder and the check."""
    ward = Ward()
    call = ward.press("iso/1")
    call.accepts("anna")
    ward.at(6 * MIN - 0.001)
    assert not call.alarm.reminded
    ward.at(6 * MIN)
    assert call.alarm.reminded
    ward.at(8 * MIN - 0.001)
    assert not call.ringing
    ward.at(8 * MIN)
    assert call.ringing


def test_an_emergency_rings_again_when_fewer_than_two_have_arrived_after_a_minute() -> None:
    """Who is there stays; who only said so rings again."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    call.attends("anna")
    call.accepts("bo")
    ward.at(59.999)
    assert call.phase == "accepted"
    ward.at(60)
    assert call.phase == "partly_accepted" and call.takers == ["anna"]
    assert call.ringing >= {"bo", "cia", "dan", "eva", "lena"} and "anna" not in call.ringing
    call.attends("bo")
    assert call.phase == "attended"


def test_two_at_an_emergency_are_enough() -> None:
    """At 60 s nothing happens."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    call.attends("anna", "bo")
    ward.at(10 * MIN)
    assert call.phase == "attended" and "rings_again" not in call.codes


def test_an_assault_rings_again_when_nobody_has_arrived_after_a_minute() -> None:
    """One on the spot is enough."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT)
    call.accepts("hugo")
    ward.at(60)
    assert call.phase == "ringing" and "hugo" in call.ringing
    call.attends("hugo")
    ward.at(3 * MIN)
    assert call.phase == "attended"


def test_a_team_whose_members_are_not_all_there_after_two_minutes_looks_for_the_missing() -> None:
    """Who is there keeps her role; the role of the missing rings again, with its deputy."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("lena")
    call.attends("kim", "anna", "bo")
    ward.at(2 * MIN - 0.001)
    assert call.phase == "accepted"
    ward.at(2 * MIN)
    assert (call.phase, call.takers) == ("partly_accepted", ["kim", "anna", "bo"])
    assert call.ringing >= {"lena", "nora"} and not {"kim", "anna", "bo"} & call.ringing
    call.attends("nora")
    assert call.phase == "attended"


def test_an_assistance_is_content_with_one_on_the_spot() -> None:
    """Two have said they come, one is there: nothing rings at 90 s."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    call.attends("anna")
    assert call.phase == "attended"
    ward.at(5 * MIN)
    assert not call.ringing


def test_one_there_before_the_second_accepts_is_attended_at_once() -> None:
    """Nothing is left to check."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.attends("anna")
    assert call.phase == "partly_accepted"
    call.accepts("bo")
    assert call.phase == "attended"


def test_a_lasting_fault_is_reminded_of_after_half_an_hour_and_then_hourly() -> None:
    """And rings nobody else."""
    ward = Ward()
    call = ward.press("pump", Kind.TECHNICAL)
    call.accepts("ivar")
    reminders = []
    for minute in range(1, 240):
        ward.at(minute * MIN)
        if call.codes.count("reminded") > len(reminders):
            reminders.append(minute)
    assert reminders == [30, 90, 150, 210] and call.phase == "accepted" and call.shown == {"ivar"}


def test_after_a_lapse_who_declined_the_step_before_is_asked_again() -> None:
    """Another step, another chance."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("bo")
    call.accepts("anna")
    ward.at(5 * MIN)
    assert "bo" in call.ringing


# -- return of responsibility


@pytest.mark.parametrize("kind", [k for k in Kind if RULES[k].return_s is not None])
def test_the_source_is_told_when_nobody_has_accepted_in_time(kind: Kind) -> None:
    """Once, on the millisecond; it is also a flag of the alarm."""
    return_s = RULES[kind].return_s
    assert return_s is not None
    ward = Ward()
    call = ward.press("12", kind, type="heart" if kind is Kind.TEAM else None)
    ward.at(return_s - 0.001)
    assert "unanswered" not in call.reports
    ward.at(return_s)
    assert call.reports[-1] == "unanswered" and {"unanswered", "returned"} <= call.flags
    ward.at(return_s + 20 * MIN)
    assert call.reports.count("unanswered") == 1


def test_responsibility_is_taken_back_by_who_accepts_later() -> None:
    """The source hears that too."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(4 * MIN)
    call.accepts("anna")
    assert call.reports[-2:] == ["unanswered", "accepted"]
    assert not {"unanswered", "returned"} & call.flags and "responsibility_taken_back" in call.codes


def test_what_was_returned_once_is_not_returned_again_until_it_was_taken_back() -> None:
    """One of two came and went: the source knows already that nobody has it."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    ward.at(60)
    call.accepts("anna")
    assert "unanswered" not in call.flags and "returned" in call.flags
    call.says("anna", "release")
    ward.at(5 * MIN)
    assert call.reports.count("unanswered") == 1


def test_after_an_accept_nothing_is_returned_until_it_is_given_back() -> None:
    """Then the time counts from there."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(170)
    call.accepts("anna")
    ward.at(200)
    assert "unanswered" not in call.reports
    call.says("anna", "release")
    ward.at(379.999)
    assert "unanswered" not in call.reports
    ward.at(380)
    assert "unanswered" in call.reports


# -- an acceptor who is lost


def test_an_acceptor_without_contact_for_a_minute_gives_the_alarm_back() -> None:
    """Not at 59.999 s; it rings the others, and her if she comes back."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(10)
    ward.phone("anna", Reach.RECENT)
    ward.at(69.999)
    assert call.phase == "accepted"
    ward.at(70)
    assert call.phase == "ringing" and call.ringing == {"anna", "bo"} and call.takers == []
    assert call.facts("acceptor_lost")["staff"] == ["anna"]


def test_one_lost_on_the_way_where_another_is_there_rings_nobody() -> None:
    """Somebody is with the patient."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("bo")
    call.attends("anna")
    ward.phone("bo", Reach.NONE)
    ward.at(70)
    assert call.phase == "attended" and call.takers == ["anna"] and not call.ringing


def test_an_acceptor_back_in_time_keeps_it() -> None:
    """A lift, a cellar."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(10)
    ward.phone("anna", Reach.NONE)
    ward.at(60)
    ward.phone("anna", Reach.LIVE)
    ward.at(2 * MIN)
    assert call.takers == ["anna"] and call.phase == "accepted"


def test_an_acceptor_lost_again_has_a_minute_again() -> None:
    """Each loss counts from its own beginning."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    for second, reach in ((10, Reach.NONE), (60, Reach.LIVE), (100, Reach.NONE), (130, Reach.RECENT)):
        ward.at(second)
        ward.phone("anna", reach)
    ward.at(159.999)
    assert call.phase == "accepted"
    ward.at(160)
    assert call.phase == "ringing"


def test_an_acceptor_whose_phone_sleeps_in_her_pocket_keeps_the_alarm() -> None:
    """She put it away and walks: push reaches it, nothing is lost. That she arrives is still seen to."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(10)
    ward.phone("anna", Reach.RECENT)
    ward.at(40)
    ward.phone("anna", Reach.PUSHABLE)
    ward.at(5 * MIN - 0.001)
    assert call.takers == ["anna"] and call.phase == "accepted"
    ward.at(5 * MIN)
    assert call.phase == "ringing" and "anna" in call.ringing and call.pushed[-1] == "anna"


def test_an_acceptor_whose_push_address_dies_has_a_minute_from_then() -> None:
    """Nothing reaches her phone any more: now contact is lost."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.phone("anna", Reach.PUSHABLE)
    ward.at(70)
    ward.phone("anna", Reach.NONE)
    ward.at(129.999)
    assert call.phase == "accepted"
    ward.at(130)
    assert call.phase == "ringing"


def test_one_who_is_there_may_be_without_contact() -> None:
    """Arrived is arrived."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.phone("anna", Reach.NONE)
    call.attends("anna")
    ward.at(5 * MIN)
    assert call.phase == "attended" and call.takers == ["anna"]


def test_two_lost_one_after_the_other_are_each_given_back_in_time() -> None:
    """The second loss is not forgotten when the first has rung again."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    call.accepts("kim", "lena", "anna", "bo")
    ward.at(10)
    ward.phone("kim", Reach.NONE)
    ward.at(30)
    ward.phone("lena", Reach.NONE)
    ward.at(70)
    assert call.takers == ["lena", "anna", "bo"]
    ward.at(90)
    assert call.takers == ["anna", "bo"]


def test_an_acceptor_seen_live_when_the_minute_is_over_keeps_it_and_may_be_lost_anew() -> None:
    """The news that she is back may come later than the clock."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.phone("anna", Reach.NONE)
    ward.reach["anna"] = Reach.LIVE
    ward.at(60)
    assert call.takers == ["anna"] and call.alarm.acceptances[0].lost_at is None


def test_one_lost_on_the_way_to_an_emergency_does_not_ring_everybody_while_others_come() -> None:
    """The check of the arrival sees to it; with nobody left it rings at once."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY)
    call.accepts("anna", "bo")
    ward.off_duty("bo")
    assert call.phase == "accepted" and call.takers == ["anna"] and "rings_again" not in call.codes
    ward.off_duty("anna")
    assert call.phase == "ringing"


# -- turns and time


def test_a_deadline_of_another_turn_acts_on_nothing() -> None:
    """A late or repeated one is recognised by its turn."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(45)
    before = call.alarm
    assert decide(before, DeadlinePassed(1, T0 + 45_000), ward.world, T0 + 10**9).alarm is before


def test_several_clocks_that_ran_out_together_are_done_in_their_order_and_burn_one_step_only() -> None:
    """The hub was down for ten minutes: one step further, and its clocks start now."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(20)
    late = T0 + 600_000
    after = decide(call.alarm, DeadlinePassed(1, late), ward.world, late).alarm
    assert after is not None and after.step == 1
    assert after.answer_at == late + 60_000 and after.due is not None and after.due > late


def test_what_fell_due_later_waits_for_its_own_event() -> None:
    """Decided late, a deadline counts at its due time: an answer before the next is still heard."""
    ward = Ward()
    ward.mute_phones.update(("anna", "bo"))
    call = ward.press("12/1")
    first = call.alarm.due or 0
    assert first == call.alarm.reach_at
    ward.feed(call.id, Rang("anna", "phone"))
    after = decide(call.alarm, DeadlinePassed(1, first), ward.world, T0 + 50_000).alarm
    assert after is not None and after.step == 0 and after.due == T0 + 45_000


def test_who_attended_and_went_off_duty_is_not_asked_and_it_rings_again() -> None:
    """Her phone lies in a drawer: after half an hour the ward is asked, not she, and not before."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    call.attends("anna")
    ward.at(5 * MIN)
    ward.off_duty("anna")
    assert call.phase == "attended" and not call.ringing
    ward.at(30 * MIN - 0.001)
    assert not call.ringing
    ward.at(30 * MIN)
    assert (call.phase, call.takers, call.ringing) == ("ringing", [], {"bo"})
    assert call.facts("rings_again")["because"] == "nobody_to_ask"


def test_of_two_who_attend_the_one_still_on_duty_is_asked() -> None:
    """And nobody is rung."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    call.attends("anna", "bo")
    ward.off_duty("anna")
    ward.at(30 * MIN)
    assert call.facts("still_open")["attended_by"] == ["bo"] and not call.ringing


def test_an_attended_call_with_nobody_to_ask_rings_again_after_half_an_hour() -> None:
    """Presence that old is not believed to be somebody at work."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    assert call.phase == "attended" and not call.shown
    ward.at(30 * MIN - 0.001)
    assert not call.ringing
    ward.at(30 * MIN)
    assert call.ringing == {"anna", "bo"} and call.phase == "ringing"
