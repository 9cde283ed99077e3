"""Join rules in the site file: what they become, what cannot be one, and that a dump says the same."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind
from alarmhub.core.site import JoinRule, Site
from alarmhub.site import Fault, check, dump
from tests.support.site_file import GOOD

SOURCES = """
[[source]]
id = "old"
name = "Old plant"
fallback_unit = "201"

[[source]]
id = "new"
name = "New plant"
fallback_unit = "201"
"""


def joined(row: str) -> Site | list[Fault]:
    """The good file with two sources more and this rule."""
    return check(f"{GOOD}{SOURCES}\n[[join]]\n{row}\n")


def test_a_rule_names_its_sources_and_how_close() -> None:
    """Kinds and places narrow it; a place is read as everywhere in the file."""
    site = joined('sources = ["old", "new"]\nwithin_s = 5\nkinds = ["patient_call"]\nplaces = ["201/1"]')
    assert isinstance(site, Site), [str(fault) for fault in site]
    assert site.joins == (JoinRule(("old", "new"), 5, (Kind.PATIENT_CALL,), ("f/201/1",)),)
    again = check(dump(site))
    assert isinstance(again, Site), [str(fault) for fault in again]
    assert again.joins == site.joins


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('sources = ["old", "nobody"]\nwithin_s = 5', "join[0].sources[1]"),
        ('sources = ["old", "old"]\nwithin_s = 5', "join[0].sources[1]"),
        ('sources = ["old"]\nwithin_s = 5', "join[0].sources"),
        ('sources = ["old", "new"]\nwithin_s = 0', "join[0].within_s"),
        ('sources = ["old", "new"]\nwithin_s = 301', "join[0].within_s"),
        ('sources = ["old", "new"]\nwithin_s = 5\nkinds = ["drill"]', "join[0].kinds[0]"),
        ('sources = ["old", "new"]\nwithin_s = 5\nplaces = ["201/99"]', "join[0].places[0]"),
        ('sources = ["old", "new"]', "join[0].within_s"),
    ],
)
def test_what_could_join_nothing_or_must_not_is_refused_with_its_path(row: str, fault: str) -> None:
    """An unknown or repeated source, one alone, no time or too much of it, drills, an unknown place."""
    faults = joined(row)
    assert isinstance(faults, list)
    assert fault in {found.path for found in faults}


@pytest.mark.parametrize("within_s", [1, 300])
def test_both_ends_of_the_time_are_allowed(within_s: int) -> None:
    """A second, and five minutes."""
    assert isinstance(joined(f'sources = ["old", "new"]\nwithin_s = {within_s}'), Site)
