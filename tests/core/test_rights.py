"""Roles, actions and units: the table said once more, by hand, and what grants mean."""

from __future__ import annotations

import pytest

from alarmhub.core.rights import (
    EVERY_UNIT,
    HOSPITAL_WIDE,
    PERMITTED,
    Action,
    Grant,
    Office,
    grants,
    permitted,
    read,
    somewhere,
    units_of,
)

# Written apart from the table on purpose: nurse, (shift) leader, (unit) manager, engineer, administrator.
EXPECTED = {
    "alarms.read": "nlme",
    "alarms.answer": "nl",
    "shift.own": "nlm",
    "shift.others": "lm",
    "devices.own": "nlmea",
    "devices.unit": "lmea",
    "devices.all": "ea",
    "drills.run": "lme",
    "board.read": "nlme",
    "trials.write": "e",
    "sources.read": "ea",
    "accounts.write": "a",
}
LETTERS = {
    "n": Office.NURSE,
    "l": Office.SHIFT_LEADER,
    "m": Office.UNIT_MANAGER,
    "e": Office.ENGINEER,
    "a": Office.ADMINISTRATOR,
}


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("role", list(Office))
def test_each_role_may_what_the_table_says_and_nothing_else(role: Office, action: Action) -> None:
    """In the unit of its grant; never in another, never in all of them."""
    may = role in {LETTERS[letter] for letter in EXPECTED[action]}
    here = [Grant(role, "201")]

    assert permitted(here, action, "201") == (may and action not in HOSPITAL_WIDE)
    assert not permitted(here, action, "202")
    assert not permitted(here, action, EVERY_UNIT)
    assert permitted([Grant(role)], action, "202") == may
    assert permitted([Grant(role)], action, EVERY_UNIT) == may


def test_every_role_and_every_action_is_in_the_table() -> None:
    """No role without rights, no action that nobody may."""
    assert set(PERMITTED) == set(Office)
    assert set().union(*PERMITTED.values()) == set(Action)
    assert set(EXPECTED) == set(Action)


def test_everybody_is_nurse_of_their_units() -> None:
    """Without any grant; and each is there once."""
    found = grants(["shift_leader:201", "shift_leader:201"], nurse_of=["202", "201", "202"])

    assert [str(grant) for grant in found] == ["nurse:201", "nurse:202", "shift_leader:201"]
    assert permitted(found, Action.SHIFT_OTHERS, "201")
    assert not permitted(found, Action.SHIFT_OTHERS, "202")
    assert permitted(found, Action.ALARMS_ANSWER, "202")


def test_who_has_nothing_may_nothing() -> None:
    """Not even read."""
    assert not any(permitted([], action, "201") for action in Action)
    assert not any(somewhere([], action) for action in Action)


@pytest.mark.parametrize("text", ["", "boss", "nurse:", ":201", "Nurse:201", "nurse :201"])
def test_a_grant_that_says_nothing_gives_nothing(text: str) -> None:
    """An old site, or the hospital's sign-in, may say what is no role."""
    assert read(text) is None
    assert grants([text]) == ()


def test_grants_read_as_they_are_written() -> None:
    """In one unit, or in all."""
    assert read("engineer") == Grant(Office.ENGINEER)
    assert read("shift_leader:201") == Grant(Office.SHIFT_LEADER, "201")
    assert [str(read(text)) for text in ("engineer", "nurse:201")] == ["engineer", "nurse:201"]


def test_in_which_units_somebody_may() -> None:
    """Those of the grants, or every one; what belongs to no unit is in no list of units."""
    leader = grants(["shift_leader:201"], nurse_of=["202"])

    assert units_of(leader, Action.ALARMS_READ) == {"201", "202"}
    assert units_of(leader, Action.DRILLS_RUN) == {"201"}
    assert units_of(leader, Action.TRIALS_WRITE) == set()
    assert units_of(grants(["engineer"]), Action.DRILLS_RUN) is None
    assert units_of(grants(["administrator:201"]), Action.ACCOUNTS_WRITE) == set()
    assert not somewhere(grants(["administrator:201"]), Action.ACCOUNTS_WRITE)
    assert somewhere(leader, Action.DRILLS_RUN)
