"""Hours and names as one reading of a file knows them."""

from __future__ import annotations

import pytest

from alarmhub.site import Fault
from tests.support.site_file import GOOD, assert_one_fault, faults_of

WEEKEND = '"Fri 16:00 - Mon 07:00"'

CASES = [
    ('hours = "always"\nbeds', 'hours = "allways"\nbeds', "duty[1].hours", "make no sense"),
    (WEEKEND, '"Mod-Fri 21:00-07:00"', "duty[0].hours[1]", 'no day "Mod"'),
    (WEEKEND, '"daily 25:00-07:00"', "duty[0].hours[1]", "no time of day"),
    (WEEKEND, '"2026-12-24 21:00 .. 2026-12-24 07:00"', "duty[0].hours[1]", "before it begins"),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_hours_that_make_no_sense_are_named_by_their_path(
    old: str, new: str, path: str, message: str
) -> None:
    """In a list of hours, the one that is wrong."""
    assert_one_fault(old, new, path, message)


def test_an_id_that_is_both_a_unit_and_a_person_must_be_spelt_out() -> None:
    """The file says which, the hub does not guess."""
    text = GOOD.replace('id = "vaxeln"', 'id = "201"', 1).replace('"vaxeln"', '"201"')
    found = faults_of(text)
    assert found == [Fault("unit[0].last_resort[0]", '"201" is a unit and a staff: write unit:201')]
