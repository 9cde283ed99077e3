"""The tables of a site file as written, and how they are read: every unknown key and wrong type is a fault.

Names here are those of the file (design.md section 5, "Site file"); durations are seconds. This module
refuses to know what the entries mean together: that is `alarmhub.site.check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

from alarmhub.core.kinds import Kind, Priority
from alarmhub.site.faults import Faults

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9ÅÄÖåäö][A-Za-z0-9ÅÄÖåäö._-]{0,63}$")]
"""Letters, digits, dot, dash and underscore: ids are parts of paths and of target words."""
Path = Annotated[str, Meta(pattern=r"^[A-Za-z0-9ÅÄÖåäö._-]+(/[A-Za-z0-9ÅÄÖåäö._-]+)*$", max_length=200)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=20)]
Point = Literal["bed", "wc", "corridor", "entrance", "equipment", "room"]


class UnitEntry(Struct):
    """`[[unit]]`. `last_resort`: ids or target words; `site`: where it lies, if not at the main site."""

    id: Id
    name: Text
    site: Id | None = None
    last_resort: list[Text] = field(default_factory=list)
    neighbours: list[Id] = field(default_factory=list)
    clinical: bool = True
    warn_unstaffed: bool = True


class PlaceEntry(Struct):
    """`[[place]]`: rooms with beds (`rooms`), one place by its `id` within the unit, or by its whole `path`.

    `rooms`, `beds`: "1-10", "1,3,5-8", a list; a bare number of beds n means 1-n. `label` may say `{room}`
    and `{bed}`. `add_attend`: seconds more to arrive. `person`: whose carried button this is.
    """

    unit: Id
    rooms: str | int | list[str | int] | None = None
    beds: str | int | list[str | int] | None = None
    wc: bool = False
    id: Path | None = None
    path: Path | None = None
    room: Path | None = None
    point: Point | None = None
    label: Text | None = None
    add_attend: Annotated[int, Meta(ge=0, le=3600)] = 0
    person: Id | None = None


class RoleEntry(Struct):
    """`[[role]]`."""

    id: Id
    name: Text
    deputy: Id | None = None
    on_call: bool = False


class StaffEntry(Struct):
    """`[[staff]]`: a person or a desk. `grants`: "shift_leader:201" in one unit, "engineer" in all."""

    id: Id
    name: Text
    units: list[Id] = field(default_factory=list)
    pager: Annotated[str, Meta(pattern=r"^[0-9]{1,16}$")] | None = None
    desk: bool = False
    grants: list[Text] = field(default_factory=list)
    sms: Text | None = None


class DutyEntry(Struct):
    """`[[duty]]`: one or several people, units and hours at once. `beds`: places in the unit, or paths."""

    # Not Id | list[Id]: msgspec 0.22 counts references to a pattern in such a union wrongly and crashes.
    staff: Text | list[Text]
    unit: Text | list[Text]
    roles: list[Id]
    hours: Text | list[Text]
    beds: list[Text] = field(default_factory=list)
    on_site: bool = True


class CoverEntry(Struct):
    """`[[cover]]`: `by` answers for a `unit`, or for the places below `place`."""

    by: Id
    hours: Text | list[Text]
    unit: Id | None = None
    place: Path | None = None


class TeamEntry(Struct):
    """One role of `[[type]] team`. The role `ward` is anyone of the alarm's unit."""

    role: Id
    count: Count = 1
    deputy: Id | None = None


class TypeEntry(Struct):
    """`[[type]]`: the site's own name for a kind."""

    id: Id
    kind: Kind
    label: Text
    label_en: str = ""
    sound: str = ""
    priority: Priority | None = None
    policy: Text | None = None
    team: list[TeamEntry] = field(default_factory=list)
    leader: Id | None = None


class StepEntry(Struct):
    """One step of a policy. `reach_within` is the kind's own when left out."""

    to: Text | list[Text]
    answer_within: Seconds
    reach_within: Seconds | None = None


class PolicyEntry(Struct):
    """`[[policy]]`: serves the alarms its selection (kind, type, unit, priority) names; first match wins.

    What is left out is the kind's own. Without kind and type it serves the types that name it.
    """

    name: Text
    steps: list[StepEntry]
    kind: Kind | None = None
    type: Id | None = None
    unit: Id | None = None
    priority: Priority | None = None
    last_resort_every: Seconds | None = None
    return_after: Seconds | None = None
    remind_after: Seconds | None = None
    ring_next_after: Seconds | None = None
    enough: Count | None = None


Said = Literal["start", "end", "once", "update", "acknowledged"]


class RuleEntry(Struct):
    """`[[source.rules]]`: plant words to place, kind, type, priority; the first that fits wins."""

    address: Annotated[str, Meta(max_length=200)] | None = None
    text: Annotated[str, Meta(max_length=200)] | None = None
    place: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    kind: Kind | None = None
    type: Id | None = None
    priority: Priority | None = None
    event: Literal["start", "end", "once", "presence_on", "presence_off"] | None = None


class SampleEntry(Struct):
    """`[[source.samples]]`: a telegram and what it must map to."""

    address: str
    text: str
    kind: Kind
    priority: Priority
    place: Path | None = None
    espa_priority: Annotated[str, Meta(pattern="^[123]$")] = "3"
    call_type: Annotated[str, Meta(pattern="^[0-9]$")] = "3"
    says: Said | None = None
    says_priority: Priority | None = None
    event: Said | Literal["presence_on", "presence_off"] = "start"


NameAndDate = Annotated[str, Meta(pattern=r"^(\S.{0,150}, [0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
"""Who answers for it and since when: "Name, 2026-11-23"."""


class SourceEntry(Struct):
    """`[[source]]`: who reports, and what it can and cannot say."""

    id: Id
    name: Text
    fallback_unit: Id
    site: Id | None = None
    ends: Literal["source", "staff"] = "source"
    protocol: Literal[
        "http", "espa", "espax", "hl7", "mqtt", "modbus", "alertmanager", "scaip", "snpp", "smtp"
    ] = "http"
    units: list[Id] = field(default_factory=list)
    assistance_by: Literal["source", "hub", "none"] = "source"
    addresses_are_points: bool = False
    key: Literal["mapped", "address", "text"] = "mapped"
    list_separator: Annotated[str, Meta(min_length=1, max_length=4)] | None = None
    rules: list[RuleEntry] = field(default_factory=list)
    samples: list[SampleEntry] = field(default_factory=list)
    default_kind: Kind = Kind.PATIENT_CALL
    reports: bool | Literal["none", "alarm", "each"] = "none"
    clinical_enabled_by: NameAndDate = ""
    ends_by_desk: bool = False


class NumberEntry(Struct):
    """`[[number]]`: a pager number, or a range "2013-2018", and whom it rings: one of `role`, `staff`, `beds`
    (their care team), else the `unit`; what `type` alone rings is its kind's. `unit` also stands behind."""

    number: str | int
    unit: Id | None = None
    role: Id | None = None
    staff: Id | None = None
    beds: list[Text] = field(default_factory=list)
    kind: Kind | None = None
    type: Id | None = None
    priority: Priority | None = None
    label: Annotated[str, Meta(max_length=200)] = ""


class JoinEntry(Struct):
    """`[[join]]`: starts of these sources at one place, of one kind and type, within so many seconds are one
    alarm. Without `kinds`, `places`: all; a place stands for what is below it too."""

    sources: list[Id]
    within_s: Annotated[int, Meta(ge=1, le=300)]
    kinds: list[Kind] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)


class FileEntry(Struct):
    """The file as a whole."""

    site: Id
    name: Text
    zone: Text = "Europe/Stockholm"
    language: Literal["sv", "en"] = "sv"
    holidays: list[date] = field(default_factory=list)
    floor_words: list[Text] = field(default_factory=lambda: ["HJÄRT", "AKUT", "NÖD", "ÖVERFALL"])
    extra: dict[str, str] = field(default_factory=dict)
    unit: list[UnitEntry | None] = field(default_factory=list)
    place: list[PlaceEntry | None] = field(default_factory=list)
    role: list[RoleEntry | None] = field(default_factory=list)
    staff: list[StaffEntry | None] = field(default_factory=list)
    duty: list[DutyEntry | None] = field(default_factory=list)
    cover: list[CoverEntry | None] = field(default_factory=list)
    type: list[TypeEntry | None] = field(default_factory=list)
    policy: list[PolicyEntry | None] = field(default_factory=list)
    source: list[SourceEntry | None] = field(default_factory=list)
    join: list[JoinEntry | None] = field(default_factory=list)
    number: list[NumberEntry | None] = field(default_factory=list)


E = TypeVar("E", bound=Struct)


def read(cls: type[E], table: Mapping[str, Any], path: str, faults: Faults) -> E | None:
    """Read one table, noting every fault below `path`; None when this table itself is unusable.

    An unusable entry of a list of tables stays as None, so that the others keep their numbers.
    """
    fields = {f.name: f for f in msgspec.structs.fields(cls)}
    prefix = f"{path}." if path else ""
    values: dict[str, Any] = {}
    for key in table:
        if key not in fields:
            faults.unknown(f"{prefix}{key}", "key", key, fields)
    unusable = False
    for name, spec in fields.items():
        if name not in table:
            if spec.required:
                faults.add(f"{prefix}{name}", "is missing")
                unusable = True
            continue
        entry = _entry_type(spec.type)
        if entry is not None:
            values[name] = _read_list(entry, table[name], f"{prefix}{name}", faults)
            # A nested list with a bad entry must not pass for a shorter list.
            unusable = unusable or (cls is not FileEntry and None in values[name])
            continue
        try:
            values[name] = msgspec.convert(table[name], spec.type)
        except msgspec.ValidationError as error:
            faults.add(*_located(f"{prefix}{name}", error))
            unusable = unusable or spec.required
    return None if unusable else cls(**values)


def _read_list(entry: type[Struct], raw: object, path: str, faults: Faults) -> list[Struct | None]:
    if not isinstance(raw, list):
        faults.add(path, "expected a list of tables")
        return []
    read_entries: list[Struct | None] = []
    for index, table in enumerate(raw):
        if isinstance(table, dict):
            read_entries.append(read(entry, table, f"{path}[{index}]", faults))
        else:
            faults.add(f"{path}[{index}]", "expected a table")
            read_entries.append(None)
    return read_entries


def _entry_type(annotation: Any) -> type[Struct] | None:
    """The Struct of a `list[Struct]` or `list[Struct | None]` field."""
    if get_origin(annotation) is not list:
        return None
    (item,) = get_args(annotation)
    for choice in (item, *get_args(item)):
        if isinstance(choice, type) and issubclass(choice, Struct):
            return choice
    return None


def _located(path: str, error: msgspec.ValidationError) -> tuple[str, str]:
    """The message of msgspec in our terms: its own path joined to ours, without its ornaments."""
    match = re.fullmatch(r"(.*?)(?: - at `\$(.*)`)?", str(error), re.DOTALL)
    message, inner = (match[1], match[2] or "") if match else (str(error), "")
    message = message.replace("`", "")
    return path + inner, message[:1].lower() + message[1:]
