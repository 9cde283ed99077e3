"""What the board of a ward shows, and what it must not: conversations on the invented ward."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.board import Sight, beds_of, gaps_of, responsible_units, sight, sound, units_concerned
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import Cover, Duty, Place
from tests.support.ward import ALONE_WITH_COVER, ALWAYS, HEART, Call, Ward


def seen(call: Call, unit: str, *, public: bool = False) -> Sight:
    """What the board of a unit shows of this alarm now."""
    return sight(call.alarm, unit, call.world, public=public)


def test_a_ward_shows_its_own_calls_on_both_variants() -> None:
    """A patient call of 201 is on the board of 201, and on no other."""
    ward = Ward()
    ward.covers()
    call = ward.press("12/1")

    assert [seen(call, "201"), seen(call, "201", public=True)] == [Sight.OURS, Sight.OURS]
    assert [seen(call, "202"), seen(call, "205")] == [Sight.NONE, Sight.NONE]


def test_an_ended_alarm_is_off_the_board() -> None:
    """Reset in the room: gone."""
    ward = Ward()
    call = ward.press("12/1")
    ward.reset("12/1", "patient_call")

    assert seen(call, "201") is Sight.NONE


def test_who_covers_sees_what_is_covered() -> None:
    """202 covers 201: its calls are on both boards; when the cover ends, on one again."""
    ward = Ward()
    ward.covers(*ALONE_WITH_COVER)
    call = ward.press("12/1")
    assert [seen(call, "201"), seen(call, "202")] == [Sight.OURS, Sight.OURS]

    ward.covers()
    assert [seen(call, "201"), seen(call, "202")] == [Sight.OURS, Sight.NONE]


def test_a_lent_room_is_on_the_board_of_who_answers_for_it() -> None:
    """Room 13 of 201 is lent to 205."""
    ward = Ward()
    ward.covers(Cover("205", ALWAYS, place="f/201/13"))

    assert seen(ward.press("13/1"), "205") is Sight.OURS
    assert seen(ward.press("12/1"), "205") is Sight.NONE


def test_an_urgent_alarm_elsewhere_shows_where_the_others_went_and_is_silent() -> None:
    """The cardiac arrest on 202 called people of the desk: shown there, but never sounded; a patient call
    that somebody of 201 was told of is not 201's news."""
    ward = Ward()
    ward.covers()
    team = ward.press("202:12", "team", type=HEART.id)

    assert "lena" in {told.staff for told in team.alarm.told}
    assert seen(team, "desk") is Sight.ELSEWHERE
    assert sound(team.alarm, seen(team, "desk")) is None
    assert sound(team.alarm, seen(team, "202")) is Priority.HIGH
    assert seen(team, "205") is Sight.NONE

    low = replace(ward.press("202:13/1").alarm, told=team.alarm.told)
    assert sight(low, "desk", ward.world, public=False) is Sight.NONE


@pytest.mark.parametrize("public", [False, True])
def test_an_assault_is_on_no_board_of_the_unit_where_it_happens(public: bool) -> None:
    """The board may hang behind the attacker's back. There is nothing to see, and nothing sounds."""
    ward = Ward()
    assault = ward.press("12", Kind.ASSAULT)

    assert "eva" in {told.staff for told in assault.alarm.told}
    assert seen(assault, "201", public=public) is Sight.NONE
    assert sound(assault.alarm, seen(assault, "201", public=public)) is None


def test_an_assault_elsewhere_is_veiled_and_silent_on_the_neighbours_staff_board() -> None:
    """202 is called to help: its staff board says the kind and the unit, its public one nothing."""
    assault = Ward().press("12", Kind.ASSAULT)

    assert seen(assault, "202") is Sight.VEILED
    assert sound(assault.alarm, Sight.VEILED) is None
    assert seen(assault, "202", public=True) is Sight.NONE


def test_an_assault_that_may_be_anywhere_is_on_no_board() -> None:
    """A carried button and an unknown place say nothing about who stands before this board."""
    ward = Ward()
    carried = Place("f/201/button", "Annas knapp", "201", "button", person="anna")
    ward.change_site(places={**ward.site.places, carried.path: carried})
    worn = ward.press("button", Kind.ASSAULT, person="anna")
    lost = ward.press("nowhere", Kind.ASSAULT)

    assert worn.alarm.person == "anna"
    assert Flag.PLACE_UNKNOWN in lost.alarm.flags
    every = [seen(one, unit, public=public) for one in (worn, lost) for unit in ward.site.units
             for public in (False, True)]  # fmt: skip
    assert set(every) == {Sight.NONE}


def test_a_drill_is_shown_only_when_it_is_heard_and_never_sounds() -> None:
    """PROV is for eyes; a silent drill is for machines."""
    ward = Ward()
    silent = ward.press("12/1", Kind.DRILL)
    heard = replace(silent.alarm, heard=True, priority=Priority.HIGH)

    assert seen(silent, "201") is Sight.NONE
    assert sight(heard, "201", ward.world, public=False) is Sight.OURS
    assert sound(heard, Sight.OURS) is None


def test_a_board_sounds_until_somebody_has_taken_it() -> None:
    """Assistance sounds while it rings or needs more; once enough come the board is quiet."""
    alarm = Ward().press("12", Kind.ASSISTANCE).alarm
    sounds = {phase: sound(replace(alarm, phase=phase), Sight.OURS) for phase in Phase}

    assert sounds == {
        Phase.RINGING: Priority.MEDIUM, Phase.PARTLY_ACCEPTED: Priority.MEDIUM, Phase.ACCEPTED: None,
        Phase.ATTENDED: None, Phase.ENDED: None,
    }  # fmt: skip


@pytest.mark.parametrize("flag", [Flag.UNANSWERED, Flag.LAST_RESORT, Flag.NOT_ATTENDED, Flag.RETURNED])
def test_a_low_call_sounds_only_when_it_has_waited_too_long(flag: Flag) -> None:
    """A board that sounds at every call is soon switched off."""
    alarm = Ward().press("12/1").alarm

    assert sound(alarm, Sight.OURS) is None
    assert sound(replace(alarm, flags=(Flag.PLACE_NOT_VERIFIED,)), Sight.OURS) is None
    assert sound(replace(alarm, flags=(flag,)), Sight.OURS) is Priority.LOW


def test_the_units_concerned_are_all_whose_board_may_change() -> None:
    """Own, covering, and those of who is told or takes it: wherever a board shows it, it is concerned."""
    ward = Ward()
    ward.covers(*ALONE_WITH_COVER)
    calls = [ward.press("12/1"), ward.press("202:12", "team", type=HEART.id),
             ward.press("205:12", Kind.ASSAULT)]  # fmt: skip
    for call in calls:
        showing = {unit for unit in ward.site.units if seen(call, unit) is not Sight.NONE}
        concerned = units_concerned(call.alarm, ward.world)
        assert showing <= concerned
        assert responsible_units(call.alarm, ward.world) <= concerned
    assert units_concerned(calls[0].alarm, ward.world) == {"201", "202"}
    assert "desk" in units_concerned(calls[1].alarm, ward.world)


def test_gaps_are_beds_without_a_care_team_that_nobody_else_answers_for() -> None:
    """12 and 13 have teams; 14 and the isolation room have none. Lent to 205, room 14 is no gap of 201."""
    ward = Ward()
    assert [bed.label for bed in beds_of("201", ward.site)][:2] == ["sal 12 plats 1", "sal 12 plats 2"]
    assert [bed.label for bed in gaps_of("201", ward.world)] == [
        "sal 14 plats 1", "sal 14 plats 2", "isolering plats 1",
    ]  # fmt: skip

    ward.covers(Cover("205", ALWAYS, place="f/201/14"))
    assert [bed.label for bed in gaps_of("201", ward.world)] == ["isolering plats 1"]
    ward.on_duty(Duty("tor", "201", ("usk",), ALWAYS, ("f/201/iso",)))
    assert gaps_of("201", ward.world) == ()
    assert beds_of("desk", ward.site) == ()
