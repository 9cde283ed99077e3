"""Somebody is in the room, or answered at the source itself."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind
from tests.support.ward import MIN, Ward

UNIT = {"anna", "bo", "cia", "dan"}


def test_presence_attends_the_ringing_patient_calls_of_the_room_and_stops_the_phones() -> None:
    """Without touching a phone; calls of other rooms ring on."""
    ward = Ward()
    one, two, other = ward.press("12/1"), ward.press("12/2"), ward.press("13/1")
    ward.present("12")
    assert (one.phase, two.phase, other.phase) == ("attended", "attended", "ringing")
    assert not one.ringing and not one.shown and other.ringing
    assert one.reports[-1] == "accepted"


@pytest.mark.parametrize(
    "kind", [Kind.TOILET_CALL, Kind.ASSISTANCE, Kind.EMERGENCY, Kind.TEAM, Kind.ASSAULT, Kind.CLINICAL]
)
def test_presence_attends_nothing_else(kind: Kind) -> None:
    """Never a WC call, assistance, emergency, team or assault."""
    ward = Ward()
    place = "12/wc" if kind is Kind.TOILET_CALL else "12"
    call = ward.press(place, kind, type="heart" if kind is Kind.TEAM else None)
    before = call.alarm
    ward.present("12")
    assert call.alarm is before and call.ringing


def test_presence_marks_who_had_accepted_as_arrived() -> None:
    """She is believed to be the one."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.present("12")
    assert call.phase == "attended" and call.alarm.acceptances[0].arrived_at == ward.now
    assert call.shown == {"anna"} and call.reports.count("accepted") == 1


def test_presence_does_not_change_when_somebody_arrived() -> None:
    """She was there before the lamp."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    arrived_at = ward.now
    ward.at(60)
    ward.present("12")
    assert call.alarm.acceptances[0].arrived_at == arrived_at


def test_presence_told_twice_is_told_once() -> None:
    """Plants repeat themselves."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    before = call.alarm
    ward.later(10)
    ward.present("12")
    assert call.alarm is before and call.reports.count("accepted") == 1


def test_presence_gone_without_a_reset_rings_again_after_half_a_minute() -> None:
    """On the millisecond; everybody of the first step, who had accepted too."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.present("12")
    ward.at(100)
    ward.present("12", False)
    ward.at(129.999)
    assert not call.ringing and call.phase == "attended"
    ward.at(130)
    assert (call.phase, call.ringing, call.takers) == ("ringing", {"anna", "bo"}, [])


def test_back_in_the_room_within_half_a_minute_is_presence_as_before() -> None:
    """She fetched something."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    ward.present("12", False)
    ward.at(20)
    ward.present("12")
    ward.at(10 * MIN)
    assert not call.ringing and call.phase == "attended"


def test_a_reset_before_or_after_leaving_ends_it() -> None:
    """The usual case."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    ward.present("12", False)
    ward.at(10)
    ward.reset("12/1", Kind.PATIENT_CALL)
    ward.at(60)
    assert call.phase == "ended" and not call.ringing


def test_leaving_the_room_of_a_call_that_rings_again_does_not_set_its_steps_back() -> None:
    """Given back while present: the escalation runs on."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.present("12")
    call.says("anna", "release")
    ward.at(40)
    ward.present("12", False)
    ward.at(45)
    assert call.ringing == UNIT
    ward.at(71)
    assert call.alarm.step == 1


def test_leaving_the_room_of_a_call_a_colleague_has_taken_over_rings_nobody() -> None:
    """Her arrival is checked as any other."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.present("12")
    call.says("bo", "take_over")
    ward.present("12", False)
    ward.at(60)
    assert call.phase == "accepted" and not call.ringing


def test_a_call_attended_by_presence_alone_may_still_be_taken() -> None:
    """It has nobody's name yet."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    assert call.accepts("bo").ok and call.takers == ["bo"] and call.phase == "attended"


def test_a_call_that_rises_while_somebody_is_there_rings() -> None:
    """And leaving the room then changes nothing."""
    ward = Ward()
    call = ward.press("12/1", source="points", ref="1")
    ward.present("12", source="points")
    ward.signal("12/1", Kind.EMERGENCY, source="points", ref="1")
    assert call.ringing == UNIT and "presence" not in call.flags


# -- answered at the source


def test_an_answer_at_the_monitor_is_being_there() -> None:
    """The others fall silent, the source's own word is not echoed twice."""
    ward = Ward()
    call = ward.press("12/1", Kind.CLINICAL)
    ward.signal("12/1", Kind.CLINICAL, event="acknowledged")
    ward.signal("12/1", Kind.CLINICAL, event="acknowledged")
    assert call.phase == "attended" and not call.ringing and call.reports.count("accepted") == 1
    assert "acknowledged_at_source" in call.flags


def test_an_answer_at_the_panel_is_a_promise_to_come() -> None:
    """A patient call answered by intercom rings again when nobody has reset it in time."""
    ward = Ward()
    call = ward.press("12/1")
    ward.signal("12/1", event="acknowledged")
    assert call.phase == "accepted" and not call.ringing
    ward.at(5 * MIN - 0.001)
    assert not call.ringing
    ward.at(5 * MIN)
    assert call.ringing == UNIT


@pytest.mark.parametrize("kind", [Kind.TOILET_CALL, Kind.ASSISTANCE, Kind.EMERGENCY, Kind.ASSAULT])
def test_an_answer_at_the_source_never_silences_what_needs_hands_on_the_spot(kind: Kind) -> None:
    """Noted, and it rings on."""
    ward = Ward()
    call = ward.press("12", kind)
    before = set(call.ringing)
    ward.signal("12", kind, event="acknowledged")
    assert call.ringing == before and call.phase == "ringing" and "acknowledged_at_source" in call.flags


def test_an_answer_at_the_panel_does_not_take_a_call_from_who_has_it() -> None:
    """Nor does it start her arrival anew."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    lapse_at = call.alarm.lapse_at
    ward.at(60)
    ward.signal("12/1", event="acknowledged")
    assert call.takers == ["anna"] and call.alarm.lapse_at == lapse_at and call.shown == {"anna"}
