"""The table of kinds is ward.md's, cell by cell."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import (
    CLINICAL_LAST_RESORT_S,
    CLINICAL_STEPS_S,
    KIND_URGENCY,
    PRIORITY_RANK,
    RULES,
    AcceptRule,
    Kind,
    Priority,
    raised_to_floor,
)

R, N = AcceptRule.RELEASE, AcceptRule.NOBODY
TABLE = {
    # kind: floor, accept, reach, remind, ring next, last resort, return
    Kind.PATIENT_CALL: ("low", R, 10, 180, 300, 60, 180),
    Kind.TOILET_CALL: ("medium", R, 5, 120, 180, 30, 90),
    Kind.ASSISTANCE: ("medium", AcceptRule.ENOUGH, 5, 60, 90, 30, 60),
    Kind.EMERGENCY: ("high", N, 5, None, 60, 15, 30),
    Kind.TEAM: ("high", AcceptRule.ROLES, 5, None, 120, 15, 30),
    Kind.ASSAULT: ("high", N, 5, None, 60, 10, 20),
    Kind.CLINICAL: ("low", R, 5, 60, 90, 15, 60),
    Kind.TECHNICAL: ("low", R, 10, 1800, None, 300, None),
    Kind.DOOR: ("low", R, 10, None, None, None, None),
    Kind.REQUEST: ("low", R, 10, 900, 1800, 300, None),
    Kind.DRILL: ("information", N, 10, None, None, None, None),
}
STEPS = {
    Kind.PATIENT_CALL: (("care_team", 45), ("unit", 60), ("cover shift_leader", 60)),
    Kind.TOILET_CALL: (("care_team", 30), ("unit", 30), ("cover", 30)),
    Kind.ASSISTANCE: (("unit", 20), ("cover", 20)),
    Kind.EMERGENCY: (("unit", 15), ("cover on_call", 15)),
    Kind.TEAM: (("team unit", 15), ("deputies", 15), ("switchboard", 15)),
    Kind.ASSAULT: (("unit neighbours guards", 10), ("everyone", 10)),
    Kind.TECHNICAL: (("role:duty_engineer", 180), ("role:duty_engineer_second", 180)),
    Kind.DOOR: (("unit", 30),),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_row_of_the_table(kind: Kind) -> None:
    """Floor, accept rule and clocks are those of ward.md."""
    rules = RULES[kind]
    row = (
        str(rules.floor),
        rules.accept,
        rules.reach_s,
        rules.remind_s,
        rules.lapse_s,
        rules.last_resort_s,
        rules.return_s,
    )
    assert row == TABLE[kind]


@pytest.mark.parametrize("kind", list(STEPS))
def test_the_default_steps(kind: Kind) -> None:
    """Targets and seconds are those of ward.md."""
    assert RULES[kind].steps == STEPS[kind]


def test_a_monitor_alarm_has_the_clocks_of_its_priority() -> None:
    """High 20-20-20, medium 45-60, low 30-60; last resort every 15 or 30 s."""
    assert CLINICAL_STEPS_S[Priority.HIGH] == (20, 20, 20)
    assert CLINICAL_STEPS_S[Priority.MEDIUM] == (45, 60)
    assert CLINICAL_STEPS_S[Priority.LOW] == (30, 60)
    assert (CLINICAL_LAST_RESORT_S[Priority.HIGH], CLINICAL_LAST_RESORT_S[Priority.LOW]) == (15, 30)


def test_only_the_three_gravest_break_through_break_and_mute_and_are_never_ended_by_staff() -> None:
    """Emergency, team and assault (never possible 6; "done ... never for emergency, team or assault")."""
    gravest = {Kind.EMERGENCY, Kind.TEAM, Kind.ASSAULT}
    assert {k for k in Kind if not RULES[k].test_mode_hides} == gravest
    assert {k for k in Kind if not RULES[k].staff_may_end} == gravest


def test_presence_attends_patient_calls_alone() -> None:
    """Never a WC call, assistance, emergency, team or assault."""
    assert [k for k in Kind if RULES[k].presence_attends] == [Kind.PATIENT_CALL]


def test_which_kinds_can_be_taken_without_hands_and_which_expire() -> None:
    """Requests and technical alarms by SMS too; doors after 3 min, requests and drills some day."""
    assert {k for k in Kind if not RULES[k].needs_hands} == {Kind.TECHNICAL, Kind.REQUEST, Kind.DRILL}
    assert {k for k in Kind if RULES[k].expire_s} == {Kind.DOOR, Kind.REQUEST, Kind.DRILL}
    assert RULES[Kind.DOOR].expire_s == 180


def test_numbers_needed() -> None:
    """Assistance wants two, an emergency two on the spot."""
    assert (RULES[Kind.ASSISTANCE].enough, RULES[Kind.EMERGENCY].arrive) == (2, 2)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("priority", list(Priority))
def test_no_priority_is_below_the_floor(kind: Kind, priority: Priority) -> None:
    """Raised to it, and left alone above it."""
    raised = raised_to_floor(kind, priority)
    assert PRIORITY_RANK[raised] == max(PRIORITY_RANK[priority], PRIORITY_RANK[RULES[kind].floor])


def test_a_drill_is_less_urgent_than_anything_real() -> None:
    """So a real start of the same key makes it real, and a drill never makes a real one a drill."""
    assert all(KIND_URGENCY[Kind.DRILL] < KIND_URGENCY[k] for k in Kind if k is not Kind.DRILL)
    order = [Kind.PATIENT_CALL, Kind.TOILET_CALL, Kind.CLINICAL, Kind.ASSISTANCE, Kind.TEAM, Kind.EMERGENCY]
    assert sorted(order, key=KIND_URGENCY.__getitem__) == order
