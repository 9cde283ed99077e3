"""Units, roles, staff, duty and cover: every name in them exists."""

from __future__ import annotations

import pytest

from alarmhub.core.site import Site
from alarmhub.site import check, dump
from tests.support.site_file import GOOD, assert_one_fault, faults_of

ANNA = """[[staff]]
id = "anna"
name = "Anna Ek"

"""
LAST = 'last_resort = ["vaxeln"]'
PAGED = 'pager = "1043"'
NEIGHBOURS = 'neighbours = ["202"]'
GRANTS = 'grants = ["shift_leader:201"]'

CASES = [
    ('[[staff]]\nid = "bo"', ANNA + '[[staff]]\nid = "bo"', "staff[2].id", '"anna" is there twice'),
    (PAGED, 'pager = "1042"', "staff[2].pager", 'already the pager of "anna"'),
    (PAGED, 'sms = "070-1740605"', "staff[2].sms", "not in international form"),
    (PAGED, 'sms = "+46701740605\\n"', "staff[2].sms", "not in international form"),
    (PAGED, 'sms = "+4607017406051234"', "staff[2].sms", "not in international form"),
    (LAST, 'last_resort = ["vaxlen"]', "unit[0].last_resort[0]", "no unit, role, staff"),
    (LAST, 'last_resort = ["role:gard"]', "unit[0].last_resort[0]", 'no role "gard"'),
    (NEIGHBOURS, 'neighbours = ["203"]', "unit[0].neighbours[0]", 'no unit "203"'),
    (NEIGHBOURS, 'neighbours = ["201"]', "unit[0].neighbours[0]", "no neighbour of its own"),
    ('deputy = "guard"', 'deputy = "gurad"', "role[0].deputy", 'did you mean "guard"?'),
    (GRANTS, 'grants = ["shift_leader:209"]', "staff[1].grants[0]", 'no unit "209"'),
    (GRANTS, 'grants = ["engineer", "boss:201"]', "staff[1].grants[1]", "expected ROLE or ROLE:UNIT"),
    (GRANTS, 'grants = ["administrator:201"]', "staff[1].grants[0]", "belongs to no unit"),
    ("desk = true", 'desk = true\ngrants = ["engineer"]', "staff[0].grants", "a desk does not sign in"),
    ('units = ["201"]', 'units = ["301"]', "staff[1].units[0]", 'no unit "301"'),
    ('staff = "bo"', 'staff = "bosse"', "duty[1].staff", 'no staff "bosse"'),
    ('beds = ["1", "2-3"]', 'beds = ["1", "9"]', "duty[1].beds[1]", 'no place of unit "201" "9"'),
    ('roles = ["guard"]', 'roles = ["gard"]', "duty[1].roles[0]", 'no role "gard"'),
    ('unit = "201"\nhours = "2026', 'unit = "209"\nhours = "2026', "cover[0].unit", 'no unit "209"'),
    ('place = "201/3"', 'place = "201/9"', "cover[1].place", 'no place "201/9"'),
    ('place = "201/3"', 'unit = "201"\nplace = "201/3"', "cover[1]", "one of them"),
    ('by = "202"\nunit = "201"', 'by = "201"\nunit = "201"', "cover[0].by", "no cover of its own"),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_a_name_that_nobody_has_is_a_fault(old: str, new: str, path: str, message: str) -> None:
    """Or that somebody else has already."""
    assert_one_fault(old, new, path, message)


def test_a_bad_unit_is_not_blamed_on_those_who_name_it() -> None:
    """A unit with a wrong name is known by its id all the same."""
    found = faults_of(GOOD.replace('name = "Medicin 202"', "name = 202"))
    assert [fault.path for fault in found] == ["unit[1].name"]


def test_a_number_for_text_messages_is_one_persons() -> None:
    """And is dumped as it was written."""
    two = GOOD.replace('pager = "1042"', 'pager = "1042"\nsms = "+46701740605"')
    (fault,) = faults_of(two.replace(PAGED, 'sms = "+46701740605"'))
    assert (fault.path, fault.message) == ("staff[2].sms", '"+46701740605" is already the number of "anna"')
    site = check(two.replace(PAGED, 'sms = "+46701740606"'))
    assert isinstance(site, Site)
    assert [s.sms for s in site.staff.values() if s.sms] == ["+46701740605", "+46701740606"]
    assert check(dump(site)) == site
