"""One broken file per fault: each is found, named by its path, and nothing else is blamed for it."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.policies import built_in
from alarmhub.core.site import Hours, Site, TeamRole
from alarmhub.site import Fault, check

GOOD = """
site = "f"
name = "Fjäll"
holidays = [2026-12-24]

[[unit]]
id = "201"
name = "Medicin 201"
last_resort = ["vaxeln"]
neighbours = ["202"]

[[unit]]
id = "202"
name = "Medicin 202"
last_resort = ["role:guard", "unit:201"]

[[place]]
unit = "201"
rooms = "1-3"
beds = 2
wc = true

[[place]]
unit = "201"
id = "blodkyl"
point = "equipment"
label = "blodkyl"

[[place]]
unit = "202"
rooms = [7]
add_attend = 180

[[role]]
id = "ssk"
name = "sjuksköterska"
deputy = "guard"

[[role]]
id = "guard"
name = "väktare"

[[staff]]
id = "vaxeln"
name = "Växeln"
desk = true

[[staff]]
id = "anna"
name = "Anna Berg"
units = ["201"]
pager = "1042"

[[staff]]
id = "bo"
name = "Bo Ek"
pager = "1043"

[[duty]]
staff = "anna"
unit = ["201", "202"]
roles = ["ssk"]
hours = ["daily 21:00-07:00 not on holidays", "Fri 16:00 - Mon 07:00"]

[[duty]]
staff = "bo"
unit = "201"
roles = ["guard"]
hours = "always"
beds = ["1", "2-3"]

[[cover]]
by = "202"
unit = "201"
hours = "2026-12-24 07:00 .. 2026-12-24 21:00"

[[cover]]
by = "202"
place = "201/3"
hours = "always"

[[type]]
id = "hjart"
kind = "team"
label = "Hjärtlarm"
leader = "guard"
team = [{ role = "ward", count = 2 }, { role = "guard", deputy = "ssk" }]
policy = "hjart"

[[type]]
id = "wc"
kind = "toilet_call"
label = "WC"

[[policy]]
name = "hjart"
steps = [{ to = "team unit", answer_within = 15 }]

[[policy]]
name = "natt"
kind = "patient_call"
unit = "201"
last_resort_every = 45
steps = [
  { to = ["care_team"], answer_within = 45, reach_within = 10 },
  { to = ["unit", "anna"], answer_within = 60 },
]

[[source]]
id = "plant"
name = "Anläggning"
fallback_unit = "201"
protocol = "espa"
rules = [
  { address = '^2010$', text = 'Sal (?P<room>\\d+) WC', place = "201/{room}/wc", type = "wc" },
  { address = '^2010$', text = 'Sal (?P<room>\\d+) plats (?P<bed>\\d)', place = "201/{room}/{bed}" },
]
samples = [
  { address = "2010", text = "Sal 2 plats 1", place = "201/2/1", kind = "patient_call", priority = "low" },
  { address = "2010", text = "Sal 2 WC", place = "201/2/wc", kind = "toilet_call", priority = "medium" },
]
"""


def good() -> Site:
    """The unbroken file, compiled."""
    site = check(GOOD)
    assert isinstance(site, Site), [str(fault) for fault in site]
    return site


def faults_of(text: str) -> list[Fault]:
    """All faults of a file that has some."""
    found = check(text)
    assert not isinstance(found, Site), "the file was accepted"
    return found


ANNA = """[[staff]]
id = "anna"
name = "Anna Ek"

"""
LAST = 'last_resort = ["vaxeln"]'
PAGED = 'pager = "1043"'
HOLIDAYS = "holidays = [2026-12-24]"
NEIGHBOURS = 'neighbours = ["202"]'
CARE_TEAM = 'to = ["care_team"]'
WEEKEND = '"Fri 16:00 - Mon 07:00"'
TO = "policy[1].steps[0].to[0]"
SAMPLE = "source[0].samples[0]"
KEY_AND_TYPE_CASES = [
    (NEIGHBOURS, 'clinical = "yes"', "unit[0].clinical", "expected bool, got str"),
    (NEIGHBOURS, "colour = 1", "unit[0].colour", 'no key "colour"'),
    (NEIGHBOURS, 'neighbors = ["202"]', "unit[0].neighbors", 'did you mean "neighbours"?'),
    (HOLIDAYS, 'language = "no"', "language", "invalid enum value"),
    (HOLIDAYS, 'zone = "Europe/Nowhere"', "zone", "no time zone"),
    (HOLIDAYS, 'zone = "../../etc/passwd"', "zone", "no time zone"),
    (HOLIDAYS, 'holidays = ["24/12"]', "holidays[0]", "invalid"),
    ('name = "Bo Ek"', 'name = ""', "staff[2].name", "length >= 1"),
    (PAGED, 'pager = "10 43"', "staff[2].pager", "regex"),
    ("rooms = [7]", 'rooms = "3-1"', "place[2].rooms", "no range"),
    ("rooms = [7]", 'rooms = "1-9999"', "place[2].rooms", "at most 500 rooms"),
    ('id = "blodkyl"', 'id = "blodkyl"\nwc = true', "place[1].id", "go with rooms"),
    ('id = "blodkyl"', 'id = "9/x"', "place[1]", "lies in no room"),
    ("rooms = [7]", 'rooms = [7]\nid = "7"', "place[2]", "give one of"),
]
NAME_CASES = [
    ('[[staff]]\nid = "bo"', ANNA + '[[staff]]\nid = "bo"', "staff[2].id", '"anna" is there twice'),
    (PAGED, 'pager = "1042"', "staff[2].pager", 'already the pager of "anna"'),
    ('label = "blodkyl"', 'label = "kyl"\n[[place]]\nunit = "201"\nrooms = 3', "place[2]", "already a place"),
    (LAST, 'last_resort = ["vaxlen"]', "unit[0].last_resort[0]", "no unit, role, staff"),
    (LAST, 'last_resort = ["role:gard"]', "unit[0].last_resort[0]", 'no role "gard"'),
    (NEIGHBOURS, 'neighbours = ["203"]', "unit[0].neighbours[0]", 'no unit "203"'),
    (NEIGHBOURS, 'neighbours = ["201"]', "unit[0].neighbours[0]", "no neighbour of its own"),
    ('unit = "202"\nrooms', 'unit = "209"\nrooms', "place[2].unit", 'no unit "209"'),
    ('deputy = "guard"', 'deputy = "gurad"', "role[0].deputy", 'did you mean "guard"?'),
    ('units = ["201"]', 'units = ["301"]', "staff[1].units[0]", 'no unit "301"'),
    ('staff = "bo"', 'staff = "bosse"', "duty[1].staff", 'no staff "bosse"'),
    ('beds = ["1", "2-3"]', 'beds = ["1", "9"]', "duty[1].beds[1]", 'no place of unit "201" "9"'),
    ('roles = ["guard"]', 'roles = ["gard"]', "duty[1].roles[0]", 'no role "gard"'),
    ('unit = "201"\nhours = "2026', 'unit = "209"\nhours = "2026', "cover[0].unit", 'no unit "209"'),
    ('place = "201/3"', 'place = "201/9"', "cover[1].place", 'no place "201/9"'),
    ('place = "201/3"', 'unit = "201"\nplace = "201/3"', "cover[1]", "one of them"),
    ('by = "202"\nunit = "201"', 'by = "201"\nunit = "201"', "cover[0].by", "no cover of its own"),
    ("rooms = [7]", 'rooms = [7]\nperson = "x"', "place[2].person", 'no staff "x"'),
]
HOURS_CASES = [
    ('hours = "always"\nbeds', 'hours = "allways"\nbeds', "duty[1].hours", "make no sense"),
    (WEEKEND, '"Mod-Fri 21:00-07:00"', "duty[0].hours[1]", 'no day "Mod"'),
    (WEEKEND, '"daily 25:00-07:00"', "duty[0].hours[1]", "no time of day"),
    (WEEKEND, '"2026-12-24 21:00 .. 2026-12-24 07:00"', "duty[0].hours[1]", "before it begins"),
]
LAST_RESORT_CASES = [
    (LAST, "", "unit[0].last_resort", "is missing"),
    (LAST, 'last_resort = ["anna", "unit", "unit:201"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["role:ssk"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["neighbours", "care_team"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["vaxeln", "staff:vaxeln"]', "unit[0].last_resort[1]", "there twice"),
]
RULE_CASES = [
    ('kind = "toilet_call"', 'kind = "toilet_call"\npriority = "low"', "type[1].priority", "below the floor"),
    ('leader = "guard"', 'leader = "ssk"', "type[0].leader", "no role of the team"),
    ('role = "ward", count = 2', 'role = "narkos"', "type[0].team[0].role", 'no role "narkos"'),
    ('label = "WC"', 'label = "WC"\nteam = [{ role = "ssk" }]', "type[1].team", "only the kind team"),
    ('label = "WC"', 'label = "WC"\npolicy = "nat"', "type[1].policy", 'did you mean "natt"?'),
    ('label = "WC"', 'label = "WC"\npolicy = "natt"', "type[1].policy", "is for patient_call"),
    (CARE_TEAM, "to = []", "policy[1].steps[0].to", "rings nobody"),
    (CARE_TEAM, 'to = ["care_taem"]', TO, 'did you mean "care_team"?'),
    (CARE_TEAM, 'to = ["guards:1"]', TO, "is no target"),
    (CARE_TEAM, 'to = ["switchboard"]', TO, 'rings the role "switchboard"'),
    (CARE_TEAM, 'to = ["on_call"]', TO, "on_call = true"),
    ("reach_within = 10", "reach_within = 46", "policy[1].steps[0].reach_within", "longer"),
    ("last_resort_every = 45", "last_resort_every = 0", "policy[1].last_resort_every", ">= 1"),
    ("last_resort_every = 45", "enough = 3", "policy[1].enough", "means nothing for patient_call"),
    ('name = "natt"', 'name = "default/door"', "policy[1].name", "built-in"),
    (
        '"patient_call"\nunit',
        '"toilet_call"\npriority = "low"\nunit',
        "policy[1].priority",
        "below the floor",
    ),
    ('"patient_call"\nunit = "201"', '"patient_call"\ntype = "wc"', "policy[1].kind", "is toilet_call"),
]
SOURCE_CASES = [
    ('fallback_unit = "201"', 'fallback_unit = "209"', "source[0].fallback_unit", 'no unit "209"'),
    ("address = '^2010$'", "address = '^20(10$'", "source[0].rules[0].address", "no regular expression"),
    ("{room}/wc", "{rum}/wc", "source[0].rules[0].place", '"{rum}" is no group'),
    ('place = "201/{room}/wc"', 'place = "201/9"', "source[0].rules[0].place", 'no place "201/9"'),
    ('type = "wc" }', 'type = "wc", priority = "low" }', "source[0].rules[0].priority", "below the floor"),
    ('type = "wc" }', 'type = "wc", kind = "door" }', "source[0].rules[0].kind", "is toilet_call"),
    ('place = "201/2/1"', 'place = "201/3/1"', SAMPLE, "place is f/201/2/1, expected f/201/3/1"),
    ('priority = "low" }', 'priority = "medium" }', SAMPLE, "priority is low, expected medium"),
    ('text = "Sal 2 plats 1"', 'text = "AKUT Sal 2 plats 1"', SAMPLE, "priority is high"),
    ('priority = "low" }', 'priority = "information" }', "source[0].samples[0].priority", "below the floor"),
]
CASES = [
    *KEY_AND_TYPE_CASES,
    *NAME_CASES,
    *HOURS_CASES,
    *LAST_RESORT_CASES,
    *RULE_CASES,
    *SOURCE_CASES,
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_a_broken_file_is_refused_with_the_path_of_its_fault(
    old: str, new: str, path: str, message: str
) -> None:
    """One change to the good file makes one fault, at its path, in words that say what is wrong."""
    assert old in GOOD
    found = faults_of(GOOD.replace(old, new, 1))
    assert [fault.path for fault in found] == [path], [str(fault) for fault in found]
    assert message in found[0].message, str(found[0])


def test_the_good_file_becomes_places_people_and_policies() -> None:
    """Ranges become places with labels, ids targets, and what a policy leaves out is its kind's."""
    site = good()
    assert site.places["f/201/2/1"].label == "sal 2 plats 1"
    assert site.places["f/201/2/wc"].room == "f/201/2"
    assert (site.places["f/201/blodkyl"].point, site.places["f/202/7"].add_attend_s) == ("equipment", 180)
    assert site.units["201"].last_resort == ("staff:vaxeln",)
    assert [duty.beds for duty in site.duties if duty.staff == "bo"] == [("f/201/1", "f/201/2", "f/201/3")]
    assert len([duty for duty in site.duties if duty.staff == "anna"]) == 4
    assert site.covers[1].place == "f/201/3"
    assert site.types["hjart"].team == (TeamRole("ward", 2), TeamRole("guard", 1, "ssk"))
    natt = site.policies["natt"][1]
    assert natt.steps[1].targets == ("unit", "staff:anna")
    assert (natt.steps[1].reach_s, natt.last_resort_s, natt.return_s) == (10, 45, 180)
    assert site.policy_rules[0].unit == "201" and site.policy_rules[0].kind is Kind.PATIENT_CALL
    assert site.duties[0].hours == Hours((0, 1, 2, 3, 4, 5, 6), 1260, 420, 1, holidays=False)


def test_every_kind_has_its_policy_without_a_word_in_the_file() -> None:
    """The table of kinds is compiled to default policies, a monitor's by its priority."""
    site = good()
    for kind in Kind:
        for priority in (Priority.LOW, Priority.MEDIUM, Priority.HIGH):
            default = built_in(kind, priority)
            compiled = site.policies[default.name][site.newest[default.name]]
            assert (compiled.steps, compiled.last_resort_s) == (default.steps, default.last_resort_s)
    assert [step.answer_s for step in site.policies["default/clinical-medium"][1].steps] == [45, 60]


def test_all_faults_of_a_file_are_listed_at_once() -> None:
    """One reading shows them all, so that one correction can mend them all."""
    text = (
        GOOD.replace('last_resort = ["vaxeln"]', "last_resort = []")
        .replace('deputy = "guard"', 'deputy = "x"')
        .replace('hours = "always"\nbeds', 'hours = "never"\nbeds')
    )
    assert [fault.path for fault in faults_of(text)] == [
        "role[0].deputy",
        "duty[1].hours",
        "unit[0].last_resort",
    ]


def test_a_bad_unit_is_not_blamed_on_those_who_name_it() -> None:
    """A unit with a wrong name is known by its id all the same."""
    found = faults_of(GOOD.replace('name = "Medicin 202"', "name = 202"))
    assert [fault.path for fault in found] == ["unit[1].name"]


def test_a_policy_that_serves_nothing_is_refused() -> None:
    """Neither a selection nor a type that names it: it would be believed and never used."""
    found = faults_of(GOOD.replace('policy = "hjart"\n', "", 1))
    assert found == [
        Fault("policy[0]", "serves no alarm: give a kind or a type, or name it in a [[type]]"),
    ]


def test_an_id_that_is_both_a_unit_and_a_person_must_be_spelt_out() -> None:
    """The file says which, the hub does not guess."""
    text = GOOD.replace('id = "vaxeln"', 'id = "201"', 1).replace('"vaxeln"', '"201"')
    found = faults_of(text)
    assert found == [Fault("unit[0].last_resort[0]", '"201" is a unit and a staff: write unit:201')]


@pytest.mark.parametrize("text", ["site = ", "[[unit", "\x00", "site = 1\nsite = 2", "[" * 50_000])
def test_what_is_no_toml_is_one_fault(text: str) -> None:
    """The place TOML names is passed on; nothing raises."""
    (fault,) = faults_of(text)
    assert fault.message.startswith("no TOML")


@pytest.mark.parametrize(
    "text", ["", 'site = "f"', 'site = "f"\nname = "F"', 'unit = 3\nsite = "f"\nname = "F"']
)
def test_an_empty_site_is_refused(text: str) -> None:
    """A name and a unit are the least."""
    assert faults_of(text)


def test_a_file_of_wrong_shapes_never_raises() -> None:
    """Every section as text, number, list of numbers, and table."""
    for section in ("unit", "place", "role", "staff", "duty", "cover", "type", "policy", "source"):
        for shape in ('"x"', "1", "[1]", "{ id = 1 }", "[{ id = [] }]", "[{}]"):
            assert faults_of(f'site = "f"\nname = "F"\n{section} = {shape}')
