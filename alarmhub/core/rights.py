"""Who may do what, where: the roles of people who sign in, and what each role may do in which unit.

A role at work (`core.site.Role`: ssk, guard …) decides whom an alarm rings; a role here decides what somebody
may do who sits at a browser. Everybody is nurse of the units they belong to, and of those where they are on
duty now; more is a grant of the site file or of the hospital's sign-in. It refuses to widen: what is not in
the table is not permitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

EVERY_UNIT: Final = ""


class Office(StrEnum):
    """A role of somebody signed in."""

    NURSE = "nurse"
    SHIFT_LEADER = "shift_leader"
    UNIT_MANAGER = "unit_manager"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """What a route lets people do."""

    ALARMS_READ = "alarms.read"
    ALARMS_ANSWER = "alarms.answer"
    SHIFT_OWN = "shift.own"
    SHIFT_OTHERS = "shift.others"
    DEVICES_OWN = "devices.own"
    DEVICES_UNIT = "devices.unit"
    DEVICES_ALL = "devices.all"
    DRILLS_RUN = "drills.run"
    BOARD_READ = "board.read"
    TRIALS_WRITE = "trials.write"
    SOURCES_READ = "sources.read"
    ACCOUNTS_WRITE = "accounts.write"


class Grant(Struct, frozen=True):
    """A role in one unit, or in every unit (`EVERY_UNIT`)."""

    role: Office
    unit: str = EVERY_UNIT

    def __str__(self) -> str:
        """As the site file says it."""
        return f"{self.role}:{self.unit}" if self.unit else str(self.role)


_NURSE: Final = frozenset(
    {Action.ALARMS_READ, Action.ALARMS_ANSWER, Action.SHIFT_OWN, Action.DEVICES_OWN, Action.BOARD_READ}
)
PERMITTED: Final[dict[Office, frozenset[Action]]] = {
    Office.NURSE: _NURSE,
    Office.SHIFT_LEADER: _NURSE | {Action.SHIFT_OTHERS, Action.DEVICES_UNIT, Action.DRILLS_RUN},
    # Answering is for who is on duty: a manager who takes a shift is nurse there by being on duty.
    Office.UNIT_MANAGER: frozenset(
        {
            Action.ALARMS_READ, Action.BOARD_READ, Action.SHIFT_OWN, Action.SHIFT_OTHERS, Action.DEVICES_OWN,
            Action.DEVICES_UNIT, Action.DRILLS_RUN,
        }
    ),
    Office.ENGINEER: frozenset(
        {
            Action.ALARMS_READ, Action.BOARD_READ, Action.DEVICES_OWN, Action.DEVICES_UNIT,
            Action.DEVICES_ALL, Action.DRILLS_RUN, Action.TRIALS_WRITE, Action.SOURCES_READ,
        }
    ),
    # Accounts and phones, no alarms: who hands out access need not see what happens on a ward.
    Office.ADMINISTRATOR: frozenset(
        {
            Action.DEVICES_OWN, Action.DEVICES_UNIT, Action.DEVICES_ALL, Action.SOURCES_READ,
            Action.ACCOUNTS_WRITE,
        }
    ),
}  # fmt: skip
"""Of each role, in the units of its grant."""

HOSPITAL_WIDE: Final = frozenset({Action.DEVICES_ALL, Action.SOURCES_READ, Action.ACCOUNTS_WRITE})
"""Of no single unit: only a grant for every unit gives these."""


def read(text: str) -> Grant | None:
    """A grant as the site file writes it ("engineer", "shift_leader:201"); None for anything else."""
    role, colon, unit = text.partition(":")
    if role not in set(Office) or (colon and not unit):
        return None
    return Grant(Office(role), unit)


def grants(texts: Iterable[str], *, nurse_of: Iterable[str] = ()) -> tuple[Grant, ...]:
    """What somebody has: grants in words (those that say nothing are left out), and nurse of these units."""
    said = [grant for text in texts if (grant := read(text)) is not None]
    return tuple(dict.fromkeys([*(Grant(Office.NURSE, unit) for unit in sorted(set(nurse_of))), *said]))


def permitted(grants: Iterable[Grant], action: Action, unit: str) -> bool:
    """Whether somebody with these grants may do this in that unit; `EVERY_UNIT`: in all of them at once."""
    return any(action in PERMITTED[grant.role] and _reaches(grant, action, unit) for grant in grants)


def somewhere(grants: Iterable[Grant], action: Action) -> bool:
    """Whether they may do it in some unit."""
    return any(
        action in PERMITTED[grant.role] and (grant.unit == EVERY_UNIT or action not in HOSPITAL_WIDE)
        for grant in grants
    )


def units_of(grants: Iterable[Grant], action: Action) -> frozenset[str] | None:
    """In which units they may do it; None = in every one."""
    where = {g.unit for g in grants if action in PERMITTED[g.role] and _reaches(g, action, g.unit)}
    return None if EVERY_UNIT in where else frozenset(where)


def _reaches(grant: Grant, action: Action, unit: str) -> bool:
    if grant.unit == EVERY_UNIT:
        return True
    return unit == grant.unit and action not in HOSPITAL_WIDE
