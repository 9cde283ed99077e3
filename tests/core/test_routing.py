"""From target words to people, at this instant, and nobody left out without a reason."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.routing import (
    alone,
    answering_units,
    fills,
    named,
    on_duty_for,
    on_site,
    resolve,
    unstaffed,
)
from alarmhub.core.site import Cover, Duty, Hours, TeamRole
from tests.support.ward import Ward

UNIT = ["anna", "bo", "cia", "dan"]


@pytest.mark.parametrize(
    ("word", "people"),
    [
        ("unit", UNIT),
        ("cover", ["eva", "finn"]),
        ("shift_leader", ["dan"]),
        ("neighbours", ["eva", "finn"]),
        ("guards", ["hugo"]),
        ("switchboard", ["vera"]),
        ("on_call", ["lena", "rolf"]),
        ("belongs", ["anna", "bo", "cia", "dan", "stig"]),
        ("role:bed_coordinator", ["gun"]),
        ("staff:olle", ["olle"]),
        ("staff:nobody", []),
        ("unit:205", ["olle"]),
        ("role:ssk@201", ["anna", "dan"]),
        ("role:ssk@205", ["eva"]),
        ("role:guard@202", []),
        ("beds:f/201/12", ["anna", "bo"]),
        ("beds:f/201/12/1", ["anna", "bo"]),
        ("beds:f/201/14", []),
        ("room:12", []),
        ("nonsense", []),
        ("team", []),
    ],
)
def test_what_a_target_word_means(word: str, people: list[str]) -> None:
    """For a call in 201."""
    ward = Ward()
    alarm = ward.press("12/1").alarm
    assert sorted(named(word, alarm, ward.world)) == people


def test_everyone_is_who_is_on_duty_and_on_site_at_this_site() -> None:
    """Not at home, not at the health centre 35 km away."""
    ward = Ward()
    found = set(named("everyone", ward.press("12").alarm, ward.world))
    assert found == {d.staff for d in ward.site.duties} - {"rolf", "pia"}
    assert named("everyone", ward.press("v/vc/1").alarm, ward.world) == ["pia"]


def test_a_role_is_looked_for_at_the_alarms_own_site_first() -> None:
    """The guard of the health centre answers there, the hospital's where there is none."""
    ward = Ward()
    assert named("guards", ward.press("v/vc/1").alarm, ward.world) == ["hugo"]
    ward.on_duty(Duty("ulf", "vc", ("guard",), Hours()))
    assert named("guards", ward.press("v/vc/1").alarm, ward.world) == ["ulf"]
    assert named("guards", ward.press("12/1").alarm, ward.world) == ["hugo"]


def test_each_person_once_in_the_order_of_the_words_with_the_word_that_named_them() -> None:
    """Why a phone rings is the first word that named its owner."""
    ward = Ward()
    found = resolve(("care_team", "unit", "shift_leader"), ward.press("12/1").alarm, ward.world)
    whys = [(c.staff, c.why) for c in found.people]
    assert whys == [("anna", "care_team"), ("bo", "care_team"), ("cia", "unit"), ("dan", "unit")]


def test_who_is_left_out_is_left_out_with_the_reason() -> None:
    """Declined or in the room, on a break, busy, the victim."""
    ward = Ward()
    ward.available("bo", "break")
    ward.available("cia", "busy")
    call = ward.press("12", Kind.ASSISTANCE)
    call.declines("anna")
    found = resolve(("unit",), call.alarm, ward.world)
    assert [(o.staff, o.why) for o in found.left_out] == [
        ("anna", "declined_or_in_room"),
        ("bo", "break"),
        ("cia", "busy"),
    ]
    assault = ward.press("13", Kind.ASSAULT, person="dan")
    out = resolve(("unit",), assault.alarm, ward.world).left_out
    assert [(o.staff, o.why) for o in out] == [("dan", "victim")]


def test_a_break_keeps_nothing_from_the_last_one_of_a_unit_whose_phone_can_be_rung() -> None:
    """Colleagues who are there but cannot be called are no reason to leave her in peace."""
    ward = Ward()
    ward.available("anna", "break")
    ward.no_phone("bo", "cia", "dan")
    call = ward.press("12/1")
    assert "anna" in call.ringing and call.alarm.step == 0
    ward.phone("bo", Reach.LIVE)
    found = resolve(("unit",), call.alarm, ward.world)
    assert [(o.staff, o.why) for o in found.left_out] == [("anna", "break")]


def test_who_is_on_a_break_is_rung_when_the_last_colleagues_phone_is_lost() -> None:
    """The call had begun with the colleague alone: the next step finds the one on a break."""
    ward = Ward()
    ward.available("anna", "break")
    ward.no_phone("cia", "dan")
    call = ward.press("12/1")
    assert call.ringing == {"bo"}
    ward.no_phone("bo")
    assert "anna" in call.ringing


def test_cover_answers_for_a_unit_only_while_it_has_nobody() -> None:
    """And the longest place that matches decides before the unit."""
    ward = Ward()
    world = ward.world
    assert answering_units("201", "f/201/12/1", world) == ("201",)
    ward.covers(
        Cover("202", Hours(), unit="empty"),
        Cover("205", Hours(), place="f/201/13"),
        Cover("202", Hours(), place="f/201/13/2"),
        Cover("205", Hours(), place="f/201/1"),
    )
    world = ward.world
    assert answering_units("empty", "f/empty/12/1", world) == ("202",)
    assert answering_units("201", "f/201/13/1", world) == ("205",)
    assert answering_units("201", "f/201/13/2", world) == ("202",)
    assert answering_units("201", "f/201/12/1", world) == ("201",), "room 1 is not room 12"


def test_a_lent_room_rings_who_answers_for_it_and_not_its_old_care_team() -> None:
    """A satellite bed; and its people's accept counts."""
    ward = Ward()
    ward.covers(Cover("205", Hours(), place="f/201/13"))
    call = ward.press("13/1")
    assert call.ringing == {"olle"} and "no_care_team" not in call.codes
    assert call.facts("covered_by")["by"] == ["205"]
    assert call.accepts("olle").ok


def test_a_place_two_units_answer_for_rings_both() -> None:
    """One nurse of each."""
    ward = Ward()
    ward.covers(Cover("205", Hours(), place="f/201/13"), Cover("202", Hours(), place="f/201/13"))
    assert ward.press("13/1").ringing == {"olle", "eva", "finn"}


def test_unstaffed_is_nobody_on_duty_and_nobody_who_covers() -> None:
    """Cover by a unit without people is none."""
    ward = Ward()
    assert unstaffed(ward.press("empty:12/1").alarm, ward.world)
    assert not unstaffed(ward.press("12/1").alarm, ward.world)
    ward.covers(Cover("202", Hours(), unit="empty"))
    alarm = ward.press("empty:12/2").alarm
    assert not unstaffed(alarm, ward.world)
    ward.off_duty("eva", "finn")
    assert unstaffed(alarm, ward.world)


def test_alone_is_the_only_one_on_duty_in_the_unit() -> None:
    """Of no unit without people is anybody the only one."""
    world = Ward().world
    assert alone("olle", "205", world)
    assert not alone("anna", "201", world) and not alone("olle", "201", world)
    assert not alone("tove", "empty", world)


def test_whose_accept_counts_without_being_told() -> None:
    """Own unit, cover and the team of the alarm."""
    ward = Ward()
    call, heart = ward.press("12/1").alarm, ward.press("12", None, type="heart").alarm
    assert [s for s in sorted(ward.site.staff) if on_duty_for(call, s, ward.world)] == [
        "anna",
        "bo",
        "cia",
        "dan",
        "eva",
        "finn",
    ]
    assert on_duty_for(heart, "kim", ward.world) and not on_duty_for(call, "kim", ward.world)


def test_on_site_is_on_duty_here_and_in_place() -> None:
    """A desk, or who has no duty, is judged by the units the phone belongs to."""
    ward = Ward()
    alarm = ward.press("12/1").alarm
    at = {s: on_site(alarm, s, ward.world) for s in ("anna", "eva", "vera", "stig", "rolf", "pia", "nobody")}
    assert at == {
        "anna": True,
        "eva": True,
        "vera": True,
        "stig": True,
        "rolf": False,
        "pia": False,
        "nobody": False,
    }


def test_at_a_place_of_no_known_unit_whoever_is_at_work_counts_as_near() -> None:
    """Else nobody could ever take it; who works from home still does not."""
    ward = Ward()
    alarm = ward.press("?", source="stranger", key="x").alarm
    assert on_site(alarm, "anna", ward.world) and on_site(alarm, "stig", ward.world)
    assert not on_site(alarm, "rolf", ward.world)


def test_who_can_fill_a_teams_role() -> None:
    """Who has it, who stands in for it, and anyone of the unit for `ward`."""
    ward = Ward()
    alarm = ward.press("12", None, type="heart").alarm
    physician, own = TeamRole("physician"), TeamRole("anaesthetist", deputy="usk")
    assert [s for s in ("lena", "nora", "kim") if fills(physician, s, alarm, ward.world)] == ["lena", "nora"]
    assert fills(own, "bo", alarm, ward.world) and not fills(own, "anna", alarm, ward.world)
    assert fills(TeamRole("ward"), "anna", alarm, ward.world)
    assert not fills(TeamRole("ward"), "eva", alarm, ward.world)
