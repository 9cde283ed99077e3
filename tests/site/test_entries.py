"""Keys, types and shapes of a site file."""

from __future__ import annotations

import pytest

from tests.support.site_file import assert_one_fault, faults_of

PAGED = 'pager = "1043"'
HOLIDAYS = "holidays = [2026-12-24]"
NEIGHBOURS = 'neighbours = ["202"]'

CASES = [
    (NEIGHBOURS, 'clinical = "yes"', "unit[0].clinical", "expected bool, got str"),
    (NEIGHBOURS, "colour = 1", "unit[0].colour", 'no key "colour"'),
    (NEIGHBOURS, 'neighbors = ["202"]', "unit[0].neighbors", 'did you mean "neighbours"?'),
    (HOLIDAYS, 'language = "no"', "language", "invalid enum value"),
    (HOLIDAYS, 'zone = "Europe/Nowhere"', "zone", "no time zone"),
    (HOLIDAYS, 'zone = "../../etc/passwd"', "zone", "no time zone"),
    (HOLIDAYS, 'holidays = ["24/12"]', "holidays[0]", "invalid"),
    ('name = "Bo Ek"', 'name = ""', "staff[2].name", "length >= 1"),
    (PAGED, 'pager = "10 43"', "staff[2].pager", "regex"),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_an_unknown_key_or_wrong_type_is_named_by_its_path(
    old: str, new: str, path: str, message: str
) -> None:
    """The nearest key is suggested; wrong types are told apart."""
    assert_one_fault(old, new, path, message)


def test_a_file_of_wrong_shapes_never_raises() -> None:
    """Every section as text, number, list of numbers, and table."""
    for section in ("unit", "place", "role", "staff", "duty", "cover", "type", "policy", "source"):
        for shape in ('"x"', "1", "[1]", "{ id = 1 }", "[{ id = [] }]", "[{}]"):
            assert faults_of(f'site = "f"\nname = "F"\n{section} = {shape}')
