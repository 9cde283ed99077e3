"""Target words of steps and last resorts: whether each names something, and something outside a unit.

The words' meaning at an instant is `core.routing`. This module refuses clocks and rosters.
"""

from __future__ import annotations

from collections.abc import Iterable

from alarmhub.core.site import Unit
from alarmhub.site.reading import Reading

WORDS = frozenset(
    (
        "care_team",
        "unit",
        "cover",
        "shift_leader",
        "on_call",
        "neighbours",
        "guards",
        "everyone",
        "belongs",
        "team",
        "deputies",
        "switchboard",
    )
)
ROLE_OF_WORD = {"shift_leader": "shift_leader", "guards": "guard", "switchboard": "switchboard"}
SECTIONS = ("unit", "role", "staff")


def compile_targets(words: Iterable[tuple[str, str]], reading: Reading) -> tuple[str, ...]:
    """Check (path, word) pairs and write ids with their section: `anna` becomes `staff:anna`."""
    found: list[str] = []
    for path, word in words:
        target = _target(word, path, reading)
        if target is not None and target in found:
            reading.faults.add(path, f'"{word}" is there twice')
        elif target is not None:
            found.append(target)
    return tuple(found)


def _target(word: str, path: str, reading: Reading) -> str | None:
    if word in WORDS:
        role = ROLE_OF_WORD.get(word)
        if role is not None and role not in reading.named["role"]:
            reading.faults.add(path, f'"{word}" rings the role "{role}", and there is no such role')
            return None
        if word == "on_call" and not any(known.on_call for known in reading.roles.values()):
            reading.faults.add(path, '"on_call" rings the roles with on_call = true, and there is none')
            return None
        return word
    section, colon, name = word.partition(":")
    if colon:
        if section not in SECTIONS:
            reading.faults.add(path, f'"{word}" is no target: write unit:, role: or staff:')
            return None
        return word if reading.known(section, name, path) else None
    sections = [known for known in SECTIONS if word in reading.named[known]]
    if len(sections) == 1:
        return f"{sections[0]}:{word}"
    if sections:
        reading.faults.add(path, f'"{word}" is a {" and a ".join(sections)}: write {sections[0]}:{word}')
    else:
        names = (name for known in SECTIONS for name in reading.named[known])
        reading.faults.unknown(path, "unit, role, staff or target word", word, [*WORDS, *names])
    return None


def outside(target: str, unit: Unit, reading: Reading) -> bool:
    """Whether a last resort names at least one person or desk outside the unit's own duty list.

    A lone nurse is never her own last resort (ward.md, never possible 7).
    """
    own = {duty.staff for duty in reading.duties if duty.unit == unit.id}
    section, _, name = target.partition(":")
    if section == "staff" and name:
        return name not in own
    return any(
        duty.staff not in own
        for duty in reading.duties
        if _rings(section, name, duty.unit, duty.roles, unit, reading)
    )


def _rings(
    section: str, name: str, duty_unit: str, roles: tuple[str, ...], unit: Unit, reading: Reading
) -> bool:
    match section:
        case "unit" if name:
            return duty_unit == name
        case "role":
            return name in roles
        case "guards" | "switchboard":
            return ROLE_OF_WORD[section] in roles
        case "on_call":
            return any(reading.roles[role].on_call for role in roles if role in reading.roles)
        case "neighbours":
            return duty_unit in unit.neighbours
        case "everyone":
            home = reading.units.get(duty_unit)
            return home is not None and home.site == unit.site
    return False
