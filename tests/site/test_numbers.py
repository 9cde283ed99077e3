"""Pager numbers in the site file: what each rings, and which rows cannot be."""

from __future__ import annotations

import pytest

from alarmhub.core.site import Site, number_of
from alarmhub.site import Fault, check, dump
from tests.support.site_file import GOOD

NUMBERS = """
[[number]]
number = 1042
staff = "anna"

[[number]]
number = "2010"
unit = "201"
label = "201 alla"

[[number]]
number = "2011-2018"
unit = "201"
beds = ["1-2"]
priority = "medium"

[[number]]
number = "2019"
unit = "201"
role = "ssk"
kind = "request"

[[number]]
number = "9010"
type = "wc"
"""


def numbered(rows: str) -> Site | list[Fault]:
    """The good file with these numbers."""
    return check(GOOD + rows)


def good(rows: str = NUMBERS) -> Site:
    """As `numbered`, without faults."""
    site = numbered(rows)
    assert isinstance(site, Site), [str(fault) for fault in site]
    return site


def test_each_number_rings_whom_it_names_with_a_unit_behind() -> None:
    """A person, a ward, a care team, a role of a ward, and what a type rings by itself."""
    numbers = {str(number): number for number in good().numbers}
    assert {text: (n.unit, n.targets) for text, n in numbers.items()} == {
        "1042": ("201", ("staff:anna",)),
        "2010": ("201", ("unit",)),
        "2011-2018": ("201", ("beds:f/201/1", "beds:f/201/2")),
        "2019": ("201", ("role:ssk@201",)),
        "9010": (None, ()),
    }
    assert numbers["2010"].label == "201 alla" and numbers["9010"].type == "wc"


def test_a_number_is_found_by_its_digits_alone() -> None:
    """Within a range of the same length; another length, a gap and other words are no number."""
    site = good()
    assert [str(number_of(site, address)) for address in ("2011", "2015", "2018", "1042")] == [
        "2011-2018", "2011-2018", "2011-2018", "1042",
    ]  # fmt: skip
    assert [number_of(site, address) for address in ("2020", "201", "20110", "", "2011a", "1", "٢٠١٠")] == [
        None
    ] * 7


def test_numbers_survive_a_dump() -> None:
    """Written out and read again they are the same."""
    site = good()
    again = check(dump(site))
    assert isinstance(again, Site) and again == site


def test_a_role_of_one_unit_needs_no_unit_and_one_from_elsewhere_is_found_where_it_is() -> None:
    """Guard works in 201 only; asked for behind 202, whoever has it near is meant."""
    site = good('[[number]]\nnumber = "1"\nrole = "guard"\n')
    assert (site.numbers[0].unit, site.numbers[0].targets) == ("201", ("role:guard@201",))
    elsewhere = good('[[number]]\nnumber = "1"\nrole = "guard"\nunit = "202"\n')
    assert elsewhere.numbers[0].targets == ("role:guard",)


FAULTS = [
    ('number = "2010-2019"\nunit = "201"', "number[1].number", "already a number of number[0]"),
    ('number = "2009-2010"\nunit = "201"', "number[0].number", "already a number of number[1]"),
    ('number = "2o11"\nunit = "201"', "number[1].number", "no number and no range"),
    ('number = "99-101"\nunit = "201"', "number[1].number", "of one length"),
    ('number = "2019-2011"\nunit = "201"', "number[1].number", "no range"),
    ('number = "00000-99999"\nunit = "201"', "number[1].number", "at most 10000"),
    ('number = "1"', "number[1]", "rings nobody"),
    ('number = "1"\nunit = "209"', "number[1].unit", 'no unit "209"'),
    ('number = "1"\nunit = "201"\nrole = "sks"', "number[1].role", 'did you mean "ssk"'),
    ('number = "1"\nstaff = "ann"', "number[1].staff", 'did you mean "anna"'),
    ('number = "1"\ntype = "wcc"', "number[1].type", 'did you mean "wc"'),
    ('number = "1"\nstaff = "bo"', "number[1].unit", "stand behind"),
    ('number = "1"\nrole = "ssk"', "number[1].unit", "stand behind"),
    ('number = "1"\nunit = "201"\nrole = "ssk"\nstaff = "anna"', "number[1]", "one of role, staff, beds"),
    ('number = "1"\nstaff = "anna"\nbeds = ["1"]', "number[1]", "one of role, staff, beds"),
    ('number = "1"\nunit = "201"\nbeds = ["9"]', "number[1].beds[0]", 'no place of unit "201" "9"'),
    ('number = "1"\ntype = "wc"\nkind = "door"', "number[1].kind", "is toilet_call, not door"),
    ('number = "1"\ntype = "wc"\npriority = "low"', "number[1].priority", "below the floor"),
    ('number = "1"\nunit = "201"\nkind = "team"\npriority = "low"', "number[1].priority", "below the floor"),
    ('number = "1"\nunit = "201"\nkinds = "team"', "number[1].kinds", 'did you mean "kind"'),
]


@pytest.mark.parametrize(("row", "path", "message"), FAULTS, ids=[f"{f[1]}: {f[2]}" for f in FAULTS])
def test_a_row_that_cannot_be_is_named_by_its_path(row: str, path: str, message: str) -> None:
    """Overlaps, dangling references, floors, rows that ring nobody."""
    faults = numbered(f'[[number]]\nnumber = "2010"\nunit = "201"\n[[number]]\n{row}\n')
    assert isinstance(faults, list)
    assert any(fault.path == path and message in fault.message for fault in faults), faults
