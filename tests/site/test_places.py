"""Rooms, beds and points, one path each."""

from __future__ import annotations

import pytest

from tests.support.site_file import assert_one_fault

CASES = [
    ("rooms = [7]", 'rooms = "3-1"', "place[2].rooms", "no range"),
    ("rooms = [7]", 'rooms = "1-9999"', "place[2].rooms", "at most 500 rooms"),
    ('id = "blodkyl"', 'id = "blodkyl"\nwc = true', "place[1].id", "go with rooms"),
    ('id = "blodkyl"', 'id = "9/x"', "place[1]", "lies in no room"),
    ("rooms = [7]", 'rooms = [7]\nid = "7"', "place[2]", "give one of"),
    ('label = "blodkyl"', 'label = "kyl"\n[[place]]\nunit = "201"\nrooms = 3', "place[2]", "already a place"),
    ('unit = "202"\nrooms', 'unit = "209"\nrooms', "place[2].unit", 'no unit "209"'),
    ("rooms = [7]", 'rooms = [7]\nperson = "x"', "place[2].person", 'no staff "x"'),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_places_that_cannot_be_are_refused(old: str, new: str, path: str, message: str) -> None:
    """Ranges that make no sense, points without a room, paths given twice."""
    assert_one_fault(old, new, path, message)
