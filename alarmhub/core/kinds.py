"""Kinds of alarm and how each behaves (ward.md, "Kinds are behaviours"), as data.

A kind fixes behaviour; what a site calls it is a *type* (`core.site.AlarmType`). This module holds
the table and nothing that acts on it. It refuses exceptions per site: those are policies and types.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """How an alarm behaves. Values are the names of the outer contract."""

    PATIENT_CALL = "patient_call"
    TOILET_CALL = "toilet_call"
    ASSISTANCE = "assistance"
    EMERGENCY = "emergency"
    TEAM = "team"
    ASSAULT = "assault"
    CLINICAL = "clinical"
    TECHNICAL = "technical"
    DOOR = "door"
    REQUEST = "request"
    DRILL = "drill"


class Priority(StrEnum):
    """Alarm priority in the terms of IEC 60601-1-8, with `information` below low."""

    INFORMATION = "information"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


PRIORITY_RANK: dict[Priority, int] = {p: i for i, p in enumerate(Priority)}
"""0 for information up to 3 for high."""

KIND_URGENCY: dict[Kind, int] = {
    Kind.DRILL: 0,
    Kind.DOOR: 1,
    Kind.REQUEST: 1,
    Kind.TECHNICAL: 2,
    Kind.PATIENT_CALL: 3,
    Kind.TOILET_CALL: 4,
    Kind.CLINICAL: 5,
    Kind.ASSISTANCE: 6,
    Kind.TEAM: 7,
    Kind.EMERGENCY: 8,
    Kind.ASSAULT: 8,
}
"""Which of two kinds at one place is the more urgent: a reset never closes the more urgent one by guess."""


class AcceptRule(StrEnum):
    """Whom an accept silences (design.md promise 4)."""

    RELEASE = "release"  # everyone else falls silent
    ENOUGH = "enough"  # the others fall silent once `enough` people have accepted
    NOBODY = "nobody"  # each phone stops by its own answer only
    ROLES = "roles"  # accepted once every role of the team is filled; nobody is released


class KindRules(Struct, frozen=True):
    """One row of ward.md's table. Times in seconds; None = does not apply."""

    floor: Priority
    accept: AcceptRule
    reach_s: int
    remind_s: int | None
    lapse_s: int | None
    last_resort_s: int | None
    return_s: int | None
    steps: tuple[tuple[str, int], ...]
    enough: int = 1
    arrive: int = 1  # how many must have arrived before the arrival check is content
    needs_hands: bool = True
    staff_may_end: bool = True  # `done` where the source sends no ends
    presence_attends: bool = False
    expire_s: int | None = None
    test_mode_hides: bool = True  # ward.md never-possible 6


RULES: dict[Kind, KindRules] = {
    Kind.PATIENT_CALL: KindRules(
        floor=Priority.LOW,
        accept=AcceptRule.RELEASE,
        reach_s=10,
        remind_s=180,
        lapse_s=300,
        last_resort_s=60,
        return_s=180,
        presence_attends=True,
        steps=(("care_team", 45), ("unit", 60), ("cover shift_leader", 60)),
    ),
    Kind.TOILET_CALL: KindRules(
        floor=Priority.MEDIUM,
        accept=AcceptRule.RELEASE,
        reach_s=5,
        remind_s=120,
        lapse_s=180,
        last_resort_s=30,
        return_s=90,
        steps=(("care_team", 30), ("unit", 30), ("cover", 30)),
    ),
    Kind.ASSISTANCE: KindRules(
        floor=Priority.MEDIUM,
        accept=AcceptRule.ENOUGH,
        enough=2,
        reach_s=5,
        remind_s=60,
        lapse_s=90,
        last_resort_s=30,
        return_s=60,
        steps=(("unit", 20), ("cover", 20)),
    ),
    Kind.EMERGENCY: KindRules(
        floor=Priority.HIGH,
        accept=AcceptRule.NOBODY,
        reach_s=5,
        remind_s=None,
        lapse_s=60,
        arrive=2,
        last_resort_s=15,
        return_s=30,
        staff_may_end=False,
        test_mode_hides=False,
        steps=(("unit", 15), ("cover on_call", 15)),
    ),
    Kind.TEAM: KindRules(
        floor=Priority.HIGH,
        accept=AcceptRule.ROLES,
        reach_s=5,
        remind_s=None,
        lapse_s=120,
        last_resort_s=15,
        return_s=30,
        staff_may_end=False,
        test_mode_hides=False,
        steps=(("team unit", 15), ("deputies", 15), ("switchboard", 15)),
    ),
    Kind.ASSAULT: KindRules(
        floor=Priority.HIGH,
        accept=AcceptRule.NOBODY,
        reach_s=5,
        remind_s=None,
        lapse_s=60,
        last_resort_s=10,
        return_s=20,
        staff_may_end=False,
        test_mode_hides=False,
        steps=(("unit neighbours guards", 10), ("everyone", 10)),
    ),
    Kind.CLINICAL: KindRules(
        floor=Priority.LOW,
        accept=AcceptRule.RELEASE,
        reach_s=5,
        remind_s=60,
        lapse_s=90,
        last_resort_s=15,
        return_s=60,
        steps=(("care_team", 20), ("unit", 20), ("cover shift_leader", 20)),
    ),
    Kind.TECHNICAL: KindRules(
        floor=Priority.LOW,
        accept=AcceptRule.RELEASE,
        reach_s=10,
        remind_s=1800,
        lapse_s=None,
        last_resort_s=300,
        return_s=None,
        needs_hands=False,
        steps=(("role:duty_engineer", 180), ("role:duty_engineer_second", 180)),
    ),
    Kind.DOOR: KindRules(
        floor=Priority.LOW,
        accept=AcceptRule.RELEASE,
        reach_s=10,
        remind_s=None,
        lapse_s=None,
        last_resort_s=None,
        return_s=None,
        expire_s=180,
        steps=(("unit", 30),),
    ),
    Kind.REQUEST: KindRules(
        floor=Priority.LOW,
        accept=AcceptRule.RELEASE,
        reach_s=10,
        remind_s=900,
        lapse_s=1800,
        last_resort_s=300,
        return_s=None,
        needs_hands=False,
        expire_s=7200,
        steps=(("care_team", 120), ("unit", 180), ("cover shift_leader", 180)),
    ),
    Kind.DRILL: KindRules(
        floor=Priority.INFORMATION,
        accept=AcceptRule.NOBODY,
        reach_s=10,
        remind_s=None,
        lapse_s=None,
        last_resort_s=None,
        return_s=None,
        needs_hands=False,
        expire_s=120,
        steps=(("unit", 120),),
    ),
}

CLINICAL_STEPS_S: dict[Priority, tuple[int, ...]] = {
    Priority.HIGH: (20, 20, 20),
    Priority.MEDIUM: (45, 60),
    Priority.LOW: (30, 60),
    Priority.INFORMATION: (30, 60),
}
"""Step lengths of a monitor alarm by the device's own priority."""

CLINICAL_LAST_RESORT_S: dict[Priority, int] = {
    Priority.HIGH: 15,
    Priority.MEDIUM: 30,
    Priority.LOW: 30,
    Priority.INFORMATION: 30,
}

EXTEND_S = 180
"""`extend` adds this to the arrival check, once."""
LASTING_REMIND_S = 3600
"""Where nothing else rings after an accept, the acceptor is reminded so often after the first time."""
ACCEPTOR_LOST_S = 60
"""An acceptor without contact this long before arriving gives the alarm back."""
AGAIN_WITHIN_S = 600
"""A new call this soon after a reset at the same place and kind "rings again"."""
MANY_IN_HOUR = 6
"""This many calls of one place and kind in an hour tell the shift leader, once."""
UNTOUCHED_RINGS = 2
UNTOUCHED_WITHIN_S = 1800
"""So many rings without a touch in this time: the phone in the locker."""
PRESENCE_STALE_S = 1800
"""Presence older than this is not believed to be somebody at work."""
PRESENCE_GONE_RING_S = 30
"""Presence ended without a reset: what is still open rings again after this."""
ATTENDED_REVIEW_S = 1800
"""An attended alarm that nobody resets is asked about this often: is it still open?"""
RECENT_S = 30
"""A device lost less than this ago is `recent`, not gone."""


def raised_to_floor(kind: Kind, priority: Priority) -> Priority:
    """The priority that rings: never below the kind's floor (ward.md, never possible 4)."""
    floor = RULES[kind].floor
    return priority if PRIORITY_RANK[priority] >= PRIORITY_RANK[floor] else floor
