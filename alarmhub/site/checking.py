"""Reads a whole site file and checks it before anything changes: a `Site`, or every fault with its path.

It refuses to publish: that is `alarmhub.site.publishing`.
"""

from __future__ import annotations

import tomllib
from typing import Any

from alarmhub.core.site import Site
from alarmhub.inbound.mapping import sample_mismatch
from alarmhub.site.endings import check_endings
from alarmhub.site.entries import FileEntry, read
from alarmhub.site.faults import Fault, Faults
from alarmhub.site.joins import compile_joins
from alarmhub.site.numbers import compile_numbers
from alarmhub.site.people import (
    compile_covers,
    compile_duties,
    compile_last_resorts,
    compile_roles,
    compile_staff,
    compile_units,
)
from alarmhub.site.places import compile_places
from alarmhub.site.reading import Reading, numbered
from alarmhub.site.rules import FIRST_VERSION, compile_policies, compile_types
from alarmhub.site.sources import compile_sources

MAX_FILE_BYTES = 4 * 1024 * 1024
UNPUBLISHED = 0
"""Version of a site that was checked and not published yet."""


def check(text: str) -> Site | list[Fault]:
    """Check a site file's text. Returns the compiled site (version 0, policies version 1), or all faults
    in the order of the sections. Never raises on what the text says."""
    if len(text.encode()) > MAX_FILE_BYTES:
        return [Fault("", f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")]
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [Fault("", f"no TOML: {error}")]
    faults = Faults()
    file = read(FileEntry, raw, "", faults)
    if file is None:
        return faults.found
    site = _compile(file, raw, faults)
    return faults.found or site


def _compile(file: FileEntry, raw: dict[str, Any], faults: Faults) -> Site:
    reading = Reading(file, raw, faults)
    if not file.unit:
        faults.add("unit", "a site has at least one unit")
    compile_units(reading)
    compile_roles(reading)
    compile_staff(reading)
    compile_places(reading)
    compile_duties(reading)
    compile_last_resorts(reading)
    compile_types(reading)
    policies, policy_rules = compile_policies(reading)
    sources = compile_sources(reading)
    check_endings(reading)
    site = Site(
        version=UNPUBLISHED,
        site=file.site,
        name=file.name,
        zone=file.zone,
        language=file.language,
        holidays=frozenset(day.isoformat() for day in file.holidays),
        floor_words=tuple(file.floor_words),
        units=reading.units,
        places=reading.places,
        roles=reading.roles,
        staff=reading.staff,
        duties=tuple(reading.duties),
        covers=tuple(compile_covers(reading)),
        types=reading.types,
        policies={name: {FIRST_VERSION: policy} for name, policy in policies.items()},
        newest=dict.fromkeys(policies, FIRST_VERSION),
        policy_rules=policy_rules,
        sources=sources,
        extra=file.extra,
        numbers=compile_numbers(reading),
        joins=compile_joins(reading, sources),
    )
    _check_samples(site, reading)
    return site


def _check_samples(site: Site, reading: Reading) -> None:
    """Run every sample telegram through the live mapping, but for sources whose rules are faulty already."""
    for path, entry in numbered("source", reading.file.source):
        if any(fault.path.startswith(f"{path}.") for fault in reading.faults.found):
            continue
        source = site.sources[entry.id]
        for index, sample in enumerate(source.samples):
            wrong = sample_mismatch(sample, source, site)
            if wrong is not None:
                reading.faults.add(f"{path}.samples[{index}]", f'"{sample.address} {sample.text}": {wrong}')
