"""Join rules: from entries to the core's values, for months in which one event comes over two paths.

This module refuses a rule that could join nothing, and one that would join drills.
"""

from __future__ import annotations

from collections.abc import Mapping

from alarmhub.core.kinds import Kind
from alarmhub.core.site import JoinRule, SourceRules
from alarmhub.site.entries import JoinEntry
from alarmhub.site.reading import Reading, numbered, under_site


def compile_joins(reading: Reading, sources: Mapping[str, SourceRules]) -> tuple[JoinRule, ...]:
    """The rules of `[[join]]`, in the file's order."""
    return tuple(_join(entry, path, reading, sources) for path, entry in numbered("join", reading.file.join))


def _join(entry: JoinEntry, path: str, reading: Reading, sources: Mapping[str, SourceRules]) -> JoinRule:
    for index, source in enumerate(entry.sources):
        if source not in sources:
            reading.faults.unknown(f"{path}.sources[{index}]", "source", source, sources)
        elif source in entry.sources[:index]:
            reading.faults.add(f"{path}.sources[{index}]", f'"{source}" is there twice')
    if len(set(entry.sources)) < 2:
        reading.faults.add(f"{path}.sources", "name at least two sources: one event over two paths")
    if Kind.DRILL in entry.kinds:
        reading.faults.add(f"{path}.kinds[{entry.kinds.index(Kind.DRILL)}]", "drills are never joined")
    places = tuple(under_site(place, reading) for place in entry.places)
    for index, place in enumerate(places):
        if not reading.is_place(place):
            written = entry.places[index]
            reading.faults.unknown(f"{path}.places[{index}]", "place", written, reading.places)
    return JoinRule(tuple(entry.sources), entry.within_s, tuple(entry.kinds), places)
