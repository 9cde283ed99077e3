"""Pager numbers: from entries to the core's values, so that no directory changes on the day of the switch.

A number rings a unit, a role, a care team, a person, or what its type rings; behind each stands a unit, whose
steps, cover and last resort follow. This module refuses two rows for one number, and a row that rings nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from alarmhub.core.site import Number
from alarmhub.site.entries import NumberEntry
from alarmhub.site.people import known_beds
from alarmhub.site.reading import Reading, numbered
from alarmhub.site.rules import check_floor

MAX_RANGE = 10_000
MAX_DIGITS = 16


def compile_numbers(reading: Reading) -> tuple[Number, ...]:
    """The numbers, sorted as `core.site.number_of` needs them."""
    rows: list[tuple[Number, str]] = []
    for path, entry in numbered("number", reading.file.number):
        try:
            first, last = _span(entry.number)
        except ValueError as error:
            reading.faults.add(f"{path}.number", str(error))
            continue
        rows.append((_number(entry, first, last, path, reading), path))
    rows.sort(key=lambda row: row[0].order)
    for (before, before_path), (after, after_path) in pairwise(rows):
        if len(before.last) == len(after.first) and after.first <= before.last:
            reading.faults.add(f"{after_path}.number", f'"{after}" is already a number of {before_path}')
    return tuple(number for number, _ in rows)


def _span(written: str | int) -> tuple[str, str]:
    """First and last of "2010", 2010 or "2010-2019". Raises ValueError."""
    first, dash, last = (part.strip() for part in str(written).partition("-"))
    last = last if dash else first
    if not all(p.isascii() and p.isdigit() and len(p) <= MAX_DIGITS for p in (first, last)):
        raise ValueError(f'"{written}" is no number and no range of numbers')
    if len(first) != len(last) or not int(first) <= int(last) < int(first) + MAX_RANGE:
        raise ValueError(f'"{written}" is no range of at most {MAX_RANGE} numbers of one length')
    return first, last


def _number(entry: NumberEntry, first: str, last: str, path: str, reading: Reading) -> Number:
    _check_names(entry, path, reading)
    if entry.type is not None:
        _check_type(entry, path, reading)
    elif entry.kind is not None:
        check_floor(entry.kind, entry.priority, f"{path}.priority", reading)
    unit = entry.unit or _unit_behind(entry, path, reading)
    beds = tuple(known_beds(entry.beds, entry.unit or "", path, reading))
    return Number(
        first=first,
        last=last,
        targets=tuple(_targets(entry, unit, beds, reading)),
        unit=unit,
        role=entry.role,
        staff=entry.staff,
        beds=beds,
        kind=entry.kind,
        type=entry.type,
        priority=entry.priority,
        label=entry.label,
    )


def _check_names(entry: NumberEntry, path: str, reading: Reading) -> None:
    for section in ("unit", "role", "staff", "type"):
        name = getattr(entry, section)
        if name is not None:
            reading.known(section, name, f"{path}.{section}")
    if not any((entry.unit, entry.role, entry.staff, entry.type)):
        reading.faults.add(path, "rings nobody: give a unit, role, staff or type")
    if sum((entry.role is not None, entry.staff is not None, bool(entry.beds))) > 1:
        reading.faults.add(path, "give one of role, staff, beds")
    if entry.beds and entry.unit is None:
        reading.faults.add(f"{path}.unit", "is missing: whose beds are these")


def _check_type(entry: NumberEntry, path: str, reading: Reading) -> None:
    known = reading.types.get(entry.type or "")
    if known is None:
        return
    if entry.kind not in (None, known.kind):
        reading.faults.add(f"{path}.kind", f'type "{entry.type}" is {known.kind}, not {entry.kind}')
    check_floor(known.kind, entry.priority, f"{path}.priority", reading)


def _unit_behind(entry: NumberEntry, path: str, reading: Reading) -> str | None:
    """The unit whose cover and last resort stand behind a person or a role: the person's first, the role's
    only one. None for a type alone: the source's own unit stands behind it."""
    missing = "is missing: whose cover and last resort stand behind this number"
    if entry.staff is not None:
        person = reading.staff.get(entry.staff)
        if person is not None and not person.units:
            reading.faults.add(f"{path}.unit", missing)
        return person.units[0] if person is not None and person.units else None
    if entry.role is not None:
        units = {duty.unit for duty in reading.duties if entry.role in duty.roles}
        if len(units) != 1 and entry.role in reading.roles:
            reading.faults.add(f"{path}.unit", missing)
        return next(iter(sorted(units)), None)
    return None


def _targets(entry: NumberEntry, unit: str | None, beds: tuple[str, ...], reading: Reading) -> Iterator[str]:
    if entry.staff is not None:
        yield f"staff:{entry.staff}"
    elif entry.role is not None:
        there = any(duty.unit == unit and entry.role in duty.roles for duty in reading.duties)
        yield f"role:{entry.role}@{unit}" if there else f"role:{entry.role}"
    elif beds:
        yield from (f"beds:{bed}" for bed in beds)
    elif entry.type is None:
        yield "unit"
