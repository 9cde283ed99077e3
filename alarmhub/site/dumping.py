"""A site as the text of a site file that checks back to an equal site.

Everything is written out: one entry per place, duty and window. This module refuses to keep comments or
the ranges somebody once wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from alarmhub.core.site import (
    AlarmType,
    Duty,
    Number,
    Place,
    Policy,
    PolicyRule,
    Site,
    SourceRules,
    Staff,
    Unit,
)
from alarmhub.site.hourtext import format_hours
from alarmhub.site.rules import DEFAULT_PREFIX

Table = dict[str, object]


def dump(site: Site) -> str:
    """The site file. Version numbers are not part of it: `publish` finds them again."""
    zone = ZoneInfo(site.zone)
    head: Table = {
        "site": site.site,
        "name": site.name,
        "zone": site.zone,
        "language": site.language,
        "holidays": [date.fromisoformat(day) for day in sorted(site.holidays)],
        "floor_words": site.floor_words,
    }
    if site.extra:
        head["extra"] = site.extra
    lines = list(_lines(head))
    for section, tables in _sections(site, zone):
        for table in tables:
            lines += ["", f"[[{section}]]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _sections(site: Site, zone: ZoneInfo) -> Iterator[tuple[str, list[Table]]]:
    yield "unit", [_unit(unit, site) for unit in site.units.values()]
    yield "place", [_place(place) for place in site.places.values()]
    yield "role", [_plain(role) for role in site.roles.values()]
    yield "staff", [_staff(staff) for staff in site.staff.values()]
    yield "duty", [_duty(duty, zone) for duty in site.duties]
    yield "cover", [_plain(cover) | {"hours": format_hours(cover.hours, zone)} for cover in site.covers]
    yield "type", [_type(alarm_type) for alarm_type in site.types.values()]
    yield "policy", list(_policies(site))
    yield "source", [_source(source) for source in site.sources.values()]
    yield "number", [_number(number) for number in site.numbers]
    yield "join", [_plain(rule) for rule in site.joins]


def _plain(value: Struct, **renamed: str) -> Table:
    """A struct's fields that say something, under the file's names."""
    table: Table = {}
    for spec in msgspec.structs.fields(value):
        said = getattr(value, spec.name)
        if said is not None and said != () and (spec.required or said != spec.default):
            table[renamed.get(spec.name, spec.name)] = said
    return table


def _unit(unit: Unit, site: Site) -> Table:
    table = _plain(unit)
    if unit.site == site.site:
        del table["site"]
    return table


def _place(place: Place) -> Table:
    return _plain(place, add_attend_s="add_attend") | {"point": place.point}


def _staff(staff: Staff) -> Table:
    return _plain(staff)


def _duty(duty: Duty, zone: ZoneInfo) -> Table:
    return _plain(duty) | {"hours": format_hours(duty.hours, zone)}


def _type(alarm_type: AlarmType) -> Table:
    table = _plain(alarm_type)
    if alarm_type.team:
        table["team"] = [_plain(member) for member in alarm_type.team]
    return table


def _policies(site: Site) -> Iterator[Table]:
    """The policies of the file, in the order in which they match; then those that types name."""
    ruled = {rule.policy for rule in site.policy_rules}
    for rule in site.policy_rules:
        yield _policy(site.policies[rule.policy][site.newest[rule.policy]], rule)
    for name in dict.fromkeys(t.policy for t in site.types.values() if t.policy is not None):
        if name not in ruled and not name.startswith(DEFAULT_PREFIX):
            yield _policy(site.policies[name][site.newest[name]], None)


def _policy(policy: Policy, rule: PolicyRule | None) -> Table:
    table: Table = {"name": policy.name}
    if rule is not None:
        table |= {key: said for key, said in _plain(rule).items() if key != "policy"}
    table["steps"] = [
        {"to": step.targets, "answer_within": step.answer_s, "reach_within": step.reach_s}
        for step in policy.steps
    ]
    clocks = {
        "last_resort_every": policy.last_resort_s,
        "return_after": policy.return_s,
        "remind_after": policy.remind_s,
        "ring_next_after": policy.lapse_s,
        "enough": policy.enough,
    }
    return table | {key: said for key, said in clocks.items() if said is not None}


def _source(source: SourceRules) -> Table:
    table = _plain(source)
    for name in ("rules", "samples"):
        if name in table:
            table[name] = [_plain(entry) for entry in getattr(source, name)]
    return table


def _number(number: Number) -> Table:
    table = {key: said for key, said in _plain(number).items() if key not in ("first", "last", "targets")}
    return {"number": str(number)} | table


def _lines(table: Mapping[str, object]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"  {_toml(row)}" for row in value)
            yield f"{key} = [\n{rows},\n]"
        else:
            yield f"{_key(key)} = {_toml(value)}"


def _toml(value: object) -> str:
    """One value in TOML. JSON's strings are TOML's basic strings, but for the delete character."""
    match value:
        case bool():
            return "true" if value else "false"
        case StrEnum() | str():
            return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007F")
        case int():
            return str(value)
        case date():
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    raise TypeError(f"a site file has no {type(value).__name__}")


def _key(key: str) -> str:
    """A bare key where TOML allows one."""
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _toml(key)
