"""Units, roles, staff, duty and cover: from entries to the core's values, every dangling name a fault.

It refuses to say who is on duty at an instant: that is `core.roster`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from alarmhub.core import rights
from alarmhub.core.site import Cover, Duty, Role, Staff, Unit
from alarmhub.site.entries import CoverEntry, StaffEntry
from alarmhub.site.reading import Reading, as_list, numbered
from alarmhub.site.targets import compile_targets, outside

E164: Final = r"\+[1-9][0-9]{6,14}"
"""A number in international form (ITU-T E.164)."""
LONGEST_SHOWN_CHARS: Final = 40


def compile_units(reading: Reading) -> None:
    """Fill `reading.units`; their last resorts follow when people and duties are known."""
    for path, entry in numbered("unit", reading.file.unit):
        if _first(entry.id, reading.units, path, reading):
            reading.units[entry.id] = Unit(
                id=entry.id,
                name=entry.name,
                site=entry.site or reading.file.site,
                neighbours=tuple(entry.neighbours),
                clinical=entry.clinical,
                warn_unstaffed=entry.warn_unstaffed,
            )
        for index, neighbour in enumerate(entry.neighbours):
            where = f"{path}.neighbours[{index}]"
            if neighbour == entry.id:
                reading.faults.add(where, "a unit is no neighbour of its own")
            else:
                reading.known("unit", neighbour, where)


def compile_last_resorts(reading: Reading) -> None:
    """Give every unit its last resort, or say which unit has none outside itself."""
    done: set[str] = set()
    duties_known = not any(fault.path.startswith("duty[") for fault in reading.faults.found)
    for path, entry in numbered("unit", reading.file.unit):
        if entry.id in done:
            continue
        done.add(entry.id)
        unit = reading.units[entry.id]
        words = ((f"{path}.last_resort[{i}]", word) for i, word in enumerate(entry.last_resort))
        targets = compile_targets(words, reading)
        if not entry.last_resort:
            reading.faults.add(
                f"{path}.last_resort", "is missing: name a person, desk or role outside the unit"
            )
        elif duties_known and targets and not any(outside(target, unit, reading) for target in targets):
            reading.faults.add(
                f"{path}.last_resort",
                "names nobody outside the unit's own duty list: a lone nurse would be her own last resort",
            )
        reading.units[entry.id] = Unit(
            unit.id, unit.name, unit.site, targets, unit.neighbours, unit.clinical, unit.warn_unstaffed
        )


def compile_roles(reading: Reading) -> None:
    """Fill `reading.roles`."""
    for path, entry in numbered("role", reading.file.role):
        if _first(entry.id, reading.roles, path, reading):
            reading.roles[entry.id] = Role(entry.id, entry.name, entry.deputy, entry.on_call)
        if entry.deputy == entry.id:
            reading.faults.add(f"{path}.deputy", "a role is no deputy of its own")
        elif entry.deputy is not None:
            reading.known("role", entry.deputy, f"{path}.deputy")


def compile_staff(reading: Reading) -> None:
    """Fill `reading.staff`; a pager number is one person's, and so is a number for text messages."""
    pagers: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for path, entry in numbered("staff", reading.file.staff):
        for index, unit in enumerate(entry.units):
            reading.known("unit", unit, f"{path}.units[{index}]")
        if entry.pager is not None and (owner := pagers.setdefault(entry.pager, entry.id)) != entry.id:
            reading.faults.add(f"{path}.pager", f'"{entry.pager}" is already the pager of "{owner}"')
        if entry.sms is not None:
            _check_number(entry.sms, numbers.setdefault(entry.sms, entry.id), entry.id, path, reading)
        if _first(entry.id, reading.staff, path, reading):
            reading.staff[entry.id] = Staff(
                entry.id,
                entry.name,
                tuple(entry.units),
                entry.pager,
                entry.desk,
                tuple(entry.grants),
                entry.sms,
            )
        _check_grants(entry, path, reading)


def _check_grants(entry: StaffEntry, path: str, reading: Reading) -> None:
    if entry.desk and entry.grants:
        reading.faults.add(f"{path}.grants", "a desk does not sign in: only people have accounts")
    for index, text in enumerate(entry.grants):
        where = f"{path}.grants[{index}]"
        grant = rights.read(text)
        if grant is None:
            roles = ", ".join(rights.Office)
            reading.faults.add(where, f'expected ROLE or ROLE:UNIT with a role of {roles}; got "{text}"')
        elif grant.unit:
            reading.known("unit", grant.unit, where)
            if grant.role is rights.Office.ADMINISTRATOR:
                reading.faults.add(where, f"{grant.role} belongs to no unit: leave :{grant.unit} out")


def _check_number(number: str, owner: str, staff: str, path: str, reading: Reading) -> None:
    if re.fullmatch(E164, number) is None:
        shown = number[:LONGEST_SHOWN_CHARS]
        reading.faults.add(
            f"{path}.sms",
            f'"{shown}" is not in international form: expected + and 7 to 15 digits, as "+46701740605"',
        )
    elif owner != staff:
        reading.faults.add(f"{path}.sms", f'"{number}" is already the number of "{owner}"')


def compile_duties(reading: Reading) -> None:
    """Fill `reading.duties`: one for each person, unit and window an entry names."""
    for path, entry in numbered("duty", reading.file.duty):
        staff = _known_names("staff", entry.staff, f"{path}.staff", reading)
        units = _known_names("unit", entry.unit, f"{path}.unit", reading)
        for index, role in enumerate(entry.roles):
            reading.known("role", role, f"{path}.roles[{index}]")
        if not entry.roles:
            reading.faults.add(f"{path}.roles", "name at least one role")
        windows = list(reading.hours(entry.hours, f"{path}.hours"))
        beds = {unit: tuple(known_beds(entry.beds, unit, path, reading)) for unit in units}
        reading.duties += [
            Duty(person, unit, tuple(entry.roles), window, beds[unit], entry.on_site)
            for person in staff
            for unit in units
            for window in windows
        ]


def compile_covers(reading: Reading) -> Iterator[Cover]:
    """The covers, one for each window."""
    for path, entry in numbered("cover", reading.file.cover):
        reading.known("unit", entry.by, f"{path}.by")
        place = _covered_place(entry, path, reading)
        for window in reading.hours(entry.hours, f"{path}.hours"):
            yield Cover(entry.by, window, entry.unit, place)


def _covered_place(entry: CoverEntry, path: str, reading: Reading) -> str | None:
    if (entry.unit is None) == (entry.place is None):
        reading.faults.add(path, "give a unit or a place, one of them")
        return None
    if entry.unit is not None:
        reading.known("unit", entry.unit, f"{path}.unit")
        if entry.unit == entry.by:
            reading.faults.add(f"{path}.by", "a unit is no cover of its own")
        return None
    place = entry.place or ""
    found = next((p for p in (place, f"{reading.file.site}/{place}") if reading.is_place(p)), None)
    if found is None:
        reading.faults.unknown(f"{path}.place", "place", place, reading.places)
    return found


def known_beds(beds: Iterable[str], unit: str, path: str, reading: Reading) -> Iterator[str]:
    """The paths of beds written as places of a unit ("3", "3/1", "3-7") or whole paths; a fault for each
    that is none. `path`: of the entry with the `beds`."""
    for index, written in enumerate(beds):
        for bed in _expanded(written):
            found = reading.known_unit_place(unit, bed)
            if found is None and unit in reading.units:
                reading.faults.unknown(
                    f"{path}.beds[{index}]", f'place of unit "{unit}"', bed, reading.places
                )
            elif found is not None:
                yield found


def _expanded(written: str) -> Iterable[str]:
    """Read "3-7" as five rooms; anything else is one place."""
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", written)
    return map(str, range(int(match[1]), int(match[2]) + 1)) if match else (written,)


def _known_names(section: str, written: str | list[str], path: str, reading: Reading) -> list[str]:
    single = isinstance(written, str)
    paths = ((path if single else f"{path}[{i}]", name) for i, name in enumerate(as_list(written)))
    return [name for where, name in paths if reading.known(section, name, where)]


def _first(name: str, known: Iterable[str], path: str, reading: Reading) -> bool:
    if name in known:
        reading.faults.add(f"{path}.id", f'"{name}" is there twice')
        return False
    return True
