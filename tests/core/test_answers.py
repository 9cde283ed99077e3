"""The buttons a phone shows: each is a promise that the answer will be taken."""

from __future__ import annotations

import pytest

from alarmhub.core.answers import allowed
from alarmhub.core.kinds import Kind
from alarmhub.core.site import TeamRole
from tests.support.ward import HEART, Call, Ward


def can(ward: Ward, call: Call, staff: str) -> tuple[str, ...]:
    """The buttons of one person now."""
    return allowed(call.alarm, staff, ward.world)


def test_whoever_rings_may_take_it_be_there_or_decline() -> None:
    """And who is alone says "Kommer strax" instead of declining."""
    ward = Ward()
    assert can(ward, ward.press("12/1"), "anna") == ("accept", "attend", "decline")
    lone = ward.press("205:12/1")
    assert can(ward, lone, "olle") == ("accept", "attend", "hold")
    lone.says("olle", "hold")
    assert can(ward, lone, "olle") == ("accept", "attend", "help")


def test_who_has_taken_it_may_arrive_ask_for_help_give_back_or_take_more_time() -> None:
    """More time once; `done` never where the room resets."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    assert can(ward, call, "anna") == ("attend", "help", "release", "extend")
    call.says("anna", "extend")
    assert can(ward, call, "anna") == ("attend", "help", "release")
    call.attends("anna")
    assert can(ward, call, "anna") == ("help", "release")


def test_colleagues_may_take_over_what_releases_and_nothing_else() -> None:
    """Also who is on duty for the place and was not told."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    assert can(ward, call, "bo") == can(ward, call, "eva") == ("take_over",)
    pair = ward.press("13", Kind.ASSISTANCE)
    pair.accepts("anna", "bo")
    assert can(ward, pair, "cia") == ()
    emergency = ward.press("14", Kind.EMERGENCY)
    emergency.attends("anna", "bo")
    assert can(ward, emergency, "cia") == ("accept", "attend", "decline")


def test_done_is_shown_to_who_is_there_when_the_source_sends_no_ends() -> None:
    """Before arriving only where no hands are needed."""
    ward = Ward()
    call = ward.press("12/1", source="button")
    call.accepts("anna")
    assert "done" not in can(ward, call, "anna")
    call.attends("anna")
    assert "done" in can(ward, call, "anna")
    request = ward.press("pump", Kind.REQUEST, source="button", targets=("staff:bo",))
    request.accepts("bo")
    assert "done" in can(ward, request, "bo")


def test_a_teams_leader_alone_may_say_done() -> None:
    """The first role, or the one the type names."""
    for leader, who in ((None, "kim"), ("physician", "lena")):
        ward = Ward()
        team = (TeamRole("anaesthetist"), TeamRole("physician"))
        heart = {"heart": type(HEART)("heart", Kind.TEAM, "Hjärtlarm", team=team, leader=leader)}
        ward.change_site(types=heart)
        call = ward.press("12", None, type="heart")
        call.accepts("kim", "lena", "anna")
        assert [p for p in ("kim", "lena", "anna") if "done" in can(ward, call, p)] == [who]


def test_safe_is_shown_to_a_responder_on_the_spot() -> None:
    """And to nobody else."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="anna")
    call.accepts("bo")
    assert "safe" not in can(ward, call, "bo")
    call.attends("bo")
    assert "safe" in can(ward, call, "bo") and "safe" not in can(ward, call, "hugo")


def test_the_victim_a_stranger_and_a_drill_have_no_buttons() -> None:
    """Nor has anybody after the end."""
    ward = Ward()
    assault = ward.press("12", Kind.ASSAULT, person="anna")
    assert can(ward, assault, "anna") == ()
    assert can(ward, ward.press("12/1"), "pia") == ()
    drill = ward.press("13", Kind.DRILL, heard=True)
    assert can(ward, drill, "anna") == ()
    call = ward.press("13/1")
    ward.reset("13/1", Kind.PATIENT_CALL)
    assert can(ward, call, "cia") == ()


def test_help_is_not_offered_in_an_assistance() -> None:
    """It is help already."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    assert "help" not in can(ward, call, "anna")


def test_who_declined_or_gave_back_may_still_take_it() -> None:
    """No second decline."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna")
    assert can(ward, call, "anna") == ("accept", "attend")
    other = ward.press("12/2")
    other.accepts("cia")
    other.says("cia", "release")
    assert other.ringing == {"anna"} and can(ward, other, "cia") == ("accept", "attend")


def test_a_call_attended_by_presence_alone_is_offered_to_be_taken() -> None:
    """It has nobody's name yet."""
    ward = Ward()
    call = ward.press("12/1")
    ward.present("12")
    assert can(ward, call, "anna") == ("accept", "attend")


@pytest.mark.parametrize("kind", [k for k in Kind if k is not Kind.DRILL])
def test_every_button_shown_is_taken(kind: Kind) -> None:
    """Along a whole life: pressed at the moment it is shown, it is never refused."""
    for path in ((), ("accept",), ("attend",), ("accept", "extend"), ("accept", "release"), ("decline",)):
        ward = Ward()
        call = ward.press("12", kind, type="heart" if kind is Kind.TEAM else None, source="button")
        for answer in path:
            call.says("anna" if kind is not Kind.TECHNICAL else "ivar", answer)
        for staff in sorted(ward.site.staff):
            for answer in can(ward, call, staff):
                other = Ward()
                other.alarms = dict(ward.alarms)
                other.reasons, other.effects = {call.id: []}, {call.id: []}
                verdict = Call(other, call.id).says(staff, answer)
                assert verdict.ok, (path, staff, answer, verdict)
