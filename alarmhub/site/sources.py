"""Sources: what each can say, how its words become places and kinds, and its sample telegrams.

Every sample is run through the mapping the hub uses live (`alarmhub.inbound.mapping`); one that maps wrong
is a fault. This module refuses to map anything itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from alarmhub.core.events import HUB_SOURCE
from alarmhub.core.kinds import Kind
from alarmhub.core.site import MappingRule, Reports, Sample, SourceRules
from alarmhub.site.entries import RuleEntry, SampleEntry, SourceEntry
from alarmhub.site.reading import Reading, numbered, under_site
from alarmhub.site.rules import check_floor

_GROUP = re.compile(r"\{(\w+)\}")


def compile_sources(reading: Reading) -> dict[str, SourceRules]:
    """The sources by id."""
    sources: dict[str, SourceRules] = {}
    for path, entry in numbered("source", reading.file.source):
        if entry.id in sources:
            reading.faults.add(f"{path}.id", f'"{entry.id}" is there twice')
            continue
        if entry.id == HUB_SOURCE:
            reading.faults.add(f"{path}.id", f'"{HUB_SOURCE}" is the hub itself')
        reading.known("unit", entry.fallback_unit, f"{path}.fallback_unit")
        for index, unit in enumerate(entry.units):
            reading.known("unit", unit, f"{path}.units[{index}]")
        _clinical(entry, path, reading)
        sources[entry.id] = SourceRules(
            id=entry.id,
            name=entry.name,
            site=entry.site or reading.file.site,
            fallback_unit=entry.fallback_unit,
            ends=entry.ends,
            protocol=entry.protocol,
            units=tuple(entry.units),
            assistance_by=entry.assistance_by,
            addresses_are_points=entry.addresses_are_points,
            key=entry.key,
            list_separator=entry.list_separator,
            rules=tuple(_rules(entry, path, reading)),
            samples=tuple(_samples(entry, path, reading)),
            default_kind=entry.default_kind,
            reports=_reports(entry),
            clinical_enabled_by=entry.clinical_enabled_by,
            ends_by_desk=entry.ends_by_desk,
        )
    return sources


def _clinical(entry: SourceEntry, path: str, reading: Reading) -> None:
    """Clinical alarms stay off until a named person has enabled them for this source."""
    if entry.clinical_enabled_by:
        return
    types = {one.id for one in reading.types.values() if one.kind is Kind.CLINICAL}
    asked = [f"{path}.default_kind"] if entry.default_kind is Kind.CLINICAL else []
    for index, rule in enumerate(entry.rules):
        if rule.kind is Kind.CLINICAL:
            asked.append(f"{path}.rules[{index}].kind")
        elif rule.type in types:
            asked.append(f"{path}.rules[{index}].type")
    for where in asked:
        reading.faults.add(
            where, 'clinical is off until someone answers for it: clinical_enabled_by = "name, date"'
        )


def _reports(entry: SourceEntry) -> Reports:
    if isinstance(entry.reports, bool):
        return Reports.ALARM if entry.reports else Reports.NONE
    return Reports(entry.reports)


def _rules(entry: SourceEntry, path: str, reading: Reading) -> Iterator[MappingRule]:
    for index, rule in enumerate(entry.rules):
        where = f"{path}.rules[{index}]"
        groups: set[str] = set()
        for name, pattern in (("address", rule.address), ("text", rule.text)):
            try:
                groups |= set(re.compile(pattern or "").groupindex)
            except re.error as error:
                reading.faults.add(f"{where}.{name}", f"is no regular expression: {error}")
        kind = rule.kind
        if rule.type is not None and reading.known("type", rule.type, f"{where}.type"):
            known = reading.types.get(rule.type)
            if known is not None and kind not in (None, known.kind):
                reading.faults.add(f"{where}.kind", f'type "{rule.type}" is {known.kind}, not {kind}')
            kind = kind or (known.kind if known is not None else None)
        check_floor(kind or entry.default_kind, rule.priority, f"{where}.priority", reading)
        yield MappingRule(
            address=rule.address,
            text=rule.text,
            place=_place(rule, groups, where, reading),
            kind=rule.kind,
            type=rule.type,
            priority=rule.priority,
            event=rule.event,
        )


def _place(rule: RuleEntry, groups: set[str], where: str, reading: Reading) -> str | None:
    """The rule's place as a path from the site on; its groups must be groups of the patterns."""
    if rule.place is None:
        return None
    missing = [group for group in _GROUP.findall(rule.place) if group not in groups]
    for group in missing:
        reading.faults.add(f"{where}.place", f'"{{{group}}}" is no group of address or text')
    whole = under_site(rule.place, reading)
    if not _GROUP.search(whole) and not reading.is_place(whole):
        reading.faults.unknown(f"{where}.place", "place", rule.place, reading.places)
    return whole


def _samples(entry: SourceEntry, path: str, reading: Reading) -> Iterator[Sample]:
    for index, sample in enumerate(entry.samples):
        where = f"{path}.samples[{index}]"
        place = None if sample.place is None else under_site(sample.place, reading)
        if place is not None and not reading.is_place(place):
            reading.faults.unknown(f"{where}.place", "place", sample.place or "", reading.places)
        check_floor(sample.kind, sample.priority, f"{where}.priority", reading)
        yield _sample(sample, place)


def _sample(entry: SampleEntry, place: str | None) -> Sample:
    return Sample(
        address=entry.address,
        text=entry.text,
        place=place,
        kind=entry.kind,
        priority=entry.priority,
        espa_priority=entry.espa_priority,
        call_type=entry.call_type,
        event=entry.event,
        says=entry.says,
        says_priority=entry.says_priority,
    )
