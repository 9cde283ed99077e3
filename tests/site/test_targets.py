"""Target words: each rings somebody, and a last resort somebody outside."""

from __future__ import annotations

import pytest

from tests.support.site_file import assert_one_fault

LAST = 'last_resort = ["vaxeln"]'
CARE_TEAM = 'to = ["care_team"]'
TO = "policy[1].steps[0].to[0]"

CASES = [
    (LAST, "", "unit[0].last_resort", "is missing"),
    (LAST, 'last_resort = ["anna", "unit", "unit:201"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["role:ssk"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["neighbours", "care_team"]', "unit[0].last_resort", "own duty list"),
    (LAST, 'last_resort = ["vaxeln", "staff:vaxeln"]', "unit[0].last_resort[1]", "there twice"),
    (CARE_TEAM, "to = []", "policy[1].steps[0].to", "rings nobody"),
    (CARE_TEAM, 'to = ["care_taem"]', TO, 'did you mean "care_team"?'),
    (CARE_TEAM, 'to = ["guards:1"]', TO, "is no target"),
    (CARE_TEAM, 'to = ["switchboard"]', TO, 'rings the role "switchboard"'),
    (CARE_TEAM, 'to = ["on_call"]', TO, "on_call = true"),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_a_target_that_rings_nobody_is_refused(old: str, new: str, path: str, message: str) -> None:
    """Unknown words, roles nobody has, and last resorts inside the unit itself."""
    assert_one_fault(old, new, path, message)
