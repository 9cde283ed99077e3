"""Who can end what a source raises: no emergency or assault may come from where nobody could ever end it.

`done` exists never for emergency or assault (ward.md), and a source with `ends = "staff"` sends no end. It is
refused unless it says `ends_by_desk = true`: then a desk ends them in its name, with an `end` over the API
(an api token with the scope signals:write), and for an assault a responder must say that the place is safe
all the same. What a source says over the API itself is not known here. This module ends nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from alarmhub.core.kinds import RULES, Kind
from alarmhub.site.entries import NumberEntry, RuleEntry, SourceEntry
from alarmhub.site.reading import Reading, numbered

_STARTS = (None, "start", "once")


def check_endings(reading: Reading) -> None:
    """A fault for each kind that nobody could end, where it is raised."""
    for path, source in numbered("source", reading.file.source):
        if source.ends_by_desk:
            continue
        for where, kind in _endless(source, path, reading):
            reading.faults.add(
                where,
                f"{kind} from a source that sends no end could never be ended: "
                "ends_by_desk = true, if a desk ends it over the API",
            )


def _endless(source: SourceEntry, path: str, reading: Reading) -> Iterator[tuple[str, Kind]]:
    silent = source.ends == "staff"
    if silent and _needs_reset(source.default_kind):
        yield f"{path}.default_kind", source.default_kind
    for index, rule in enumerate(source.rules):
        kind, key = _kind(rule, reading)
        # A signal "once" opens what staff end, whatever else the source can say.
        if kind is not None and (silent or rule.event == "once") and rule.event in _STARTS:
            yield f"{path}.rules[{index}].{key}", kind
    if silent:
        for _, number in numbered("number", reading.file.number):
            kind, key = _kind(number, reading)
            if kind is not None:
                yield f"{path}.ends", kind
                break


def _kind(entry: RuleEntry | NumberEntry, reading: Reading) -> tuple[Kind | None, str]:
    """The kind an entry raises if only a reset ends it, and the key that says so."""
    known = reading.types.get(entry.type or "")
    kind, key = (known.kind, "type") if known is not None else (entry.kind, "kind")
    return (kind, key) if kind is not None and _needs_reset(kind) else (None, key)


def _needs_reset(kind: Kind) -> bool:
    """A team's leader ends it; nobody's phone ends these."""
    return not RULES[kind].staff_may_end and kind is not Kind.TEAM
