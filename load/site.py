"""The site of a load run: units with beds, each bed with a care team of two phones, one HTTP source.

Writes a site file as text; knows the file's format and nothing of how the hub reads it. Only `site_file`
knows that format. Names are numbers: nobody is meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SITE = "load"
SOURCE = "load-source"
STEP_TYPE = "load-step"
"""A type whose first step lasts STEP_S and whose second rings one phone: for measuring escalation."""
HOLD_TYPE = "load-hold"
"""A type whose first step lasts an hour: for alarms that just stay open."""
STEP_S = 60
HOLD_S = 3600
PHONES_PER_BED = 2
DESKS = ("desk-1", "desk-2", "engineer-1", "engineer-2", "guard-1", "guard-2")
"""Who else there is: last resorts, technical duty, guards. Only the hospital profile gives them phones."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a site of `phones` staff phones looks like; the last unit may have a bed fewer."""

    phones: int
    beds_per_unit: int = 5

    @property
    def beds(self) -> int:
        """One bed for each two phones, at least one."""
        return max(1, self.phones // PHONES_PER_BED)

    @property
    def units(self) -> int:
        """Units that hold all beds."""
        return math.ceil(self.beds / self.beds_per_unit)

    def unit_of(self, bed: int) -> str:
        """Id of the unit a bed lies in."""
        return f"u{bed // self.beds_per_unit:04d}"

    def place(self, bed: int) -> str:
        """Path of a bed, as signals name it."""
        return f"{self.room(bed)}/bed"

    def room(self, bed: int) -> str:
        """Path of the room of a bed."""
        return f"{SITE}/{self.unit_of(bed)}/r{bed % self.beds_per_unit + 1}"

    def team(self, bed: int) -> list[str]:
        """Staff ids of the bed's care team."""
        return [staff_id(bed * PHONES_PER_BED + member) for member in range(PHONES_PER_BED)]

    @property
    def places(self) -> list[str]:
        """Paths of all beds, in order."""
        return [self.place(bed) for bed in range(self.beds)]


def staff_id(phone: int) -> str:
    """Staff id of the phone with this index."""
    return f"s{phone:06d}"


def site_file(layout: Layout) -> str:
    """The site file (TOML). Everybody is on duty always; a desk outside all units is the last resort."""
    lines = [
        f'site = "{SITE}"',
        'name = "Load site"',
        "",
        *_table("unit", id="desk", name="Desk", clinical=False, warn_unstaffed=False, last_resort=["desk-2"]),
        *_table(
            "unit", id="desk2", name="Desk 2", clinical=False, warn_unstaffed=False, last_resort=["desk-1"]
        ),
        *_table("role", id="ssk", name="Nurse"),
        *_table("role", id="shift_leader", name="Shift leader"),
        *_table("role", id="desk", name="Desk"),
        *_table("role", id="duty_engineer", name="Duty engineer"),
        *_table("role", id="duty_engineer_second", name="Second duty engineer"),
        *_table("role", id="guard", name="Guard"),
        *_desk("desk-1", "desk", "desk"),
        *_desk("desk-2", "desk2", "desk"),
        *_desk("engineer-1", "desk", "duty_engineer"),
        *_desk("engineer-2", "desk2", "duty_engineer_second"),
        *_desk("guard-1", "desk", "guard"),
        *_desk("guard-2", "desk2", "guard"),
        *_policy("load-steps", STEP_TYPE, ("care_team", STEP_S), ("shift_leader", 300)),
        *_policy("load-holds", HOLD_TYPE, ("care_team", HOLD_S)),
        *_table(
            "source",
            id=SOURCE,
            name="Load source",
            fallback_unit="desk",
            clinical_enabled_by="Load, 2026-11-23",
        ),
    ]
    for unit in range(layout.units):
        name = f"u{unit:04d}"
        lines += _table("unit", id=name, name=f"Unit {unit}", last_resort=["desk-1"])
        first = unit * layout.beds_per_unit
        for bed in range(first, min(first + layout.beds_per_unit, layout.beds)):
            lines += _bed(layout, bed, name)
    return "\n".join(lines) + "\n"


def _bed(layout: Layout, bed: int, unit: str) -> list[str]:
    leads = bed % layout.beds_per_unit == 0
    room = layout.room(bed)
    lines = [
        *_table("place", unit=unit, path=room, point="room", label=f"Room of bed {bed}"),
        *_table("place", unit=unit, path=layout.place(bed), room=room, point="bed", label=f"Bed {bed}"),
    ]
    for member, staff in enumerate(layout.team(bed)):
        roles = ["ssk", "shift_leader"] if leads and member == 0 else ["ssk"]
        lines += _table("staff", id=staff, name=f"Nurse {staff[1:]}", units=[unit])
        lines += _table("duty", staff=staff, unit=unit, roles=roles, hours="always", beds=[layout.place(bed)])
    return lines


def _desk(staff: str, unit: str, role: str) -> list[str]:
    return [
        *_table("staff", id=staff, name=staff.capitalize(), units=[unit], desk=staff.startswith("desk")),
        *_table("duty", staff=staff, unit=unit, roles=[role], hours="always"),
    ]


def _policy(name: str, kind: str, *steps: tuple[str, int]) -> list[str]:
    rows = ", ".join(f'{{to = "{to}", answer_within = {seconds}}}' for to, seconds in steps)
    return [
        *_table("type", id=kind, kind="patient_call", label=name, policy=name),
        "[[policy]]",
        f'name = "{name}"',
        f"steps = [{rows}]",
        "",
    ]


def _table(table: str, **fields: object) -> list[str]:
    return [f"[[{table}]]", *(f"{key} = {_value(value)}" for key, value in fields.items()), ""]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
