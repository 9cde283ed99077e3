"""Types and policies: nothing rings lower than its kind allows."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.policies import built_in
from alarmhub.site import Fault
from tests.support.site_file import GOOD, assert_one_fault, faults_of, good

CASES = [
    ('kind = "toilet_call"', 'kind = "toilet_call"\npriority = "low"', "type[1].priority", "below the floor"),
    ('leader = "guard"', 'leader = "ssk"', "type[0].leader", "no role of the team"),
    ('role = "ward", count = 2', 'role = "narkos"', "type[0].team[0].role", 'no role "narkos"'),
    ('label = "WC"', 'label = "WC"\nteam = [{ role = "ssk" }]', "type[1].team", "only the kind team"),
    ('label = "WC"', 'label = "WC"\npolicy = "nat"', "type[1].policy", 'did you mean "natt"?'),
    ('label = "WC"', 'label = "WC"\npolicy = "natt"', "type[1].policy", "is for patient_call"),
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


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_a_type_or_policy_that_cannot_work_is_refused(old: str, new: str, path: str, message: str) -> None:
    """Below the floor, for another kind, without roles, with clocks that make no sense."""
    assert_one_fault(old, new, path, message)


def test_every_kind_has_its_policy_without_a_word_in_the_file() -> None:
    """The table of kinds is compiled to default policies, a monitor's by its priority."""
    site = good()
    for kind in Kind:
        for priority in (Priority.LOW, Priority.MEDIUM, Priority.HIGH):
            default = built_in(kind, priority)
            compiled = site.policies[default.name][site.newest[default.name]]
            assert (compiled.steps, compiled.last_resort_s) == (default.steps, default.last_resort_s)
    assert [step.answer_s for step in site.policies["default/clinical-medium"][1].steps] == [45, 60]


def test_a_policy_that_serves_nothing_is_refused() -> None:
    """Neither a selection nor a type that names it: it would be believed and never used."""
    found = faults_of(GOOD.replace('policy = "hjart"\n', "", 1))
    assert found == [
        Fault("policy[0]", "serves no alarm: give a kind or a type, or name it in a [[type]]"),
    ]
