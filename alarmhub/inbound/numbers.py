"""A pager number as a target: what the site says of it, where the source's own rules have found no place.

So a switchboard, a laboratory or a plant goes on dialling what it always dialled. A rule's kind, type and
priority win over the number's, but never make it less urgent. It refuses to speak a protocol, and to turn
anything away: an address that is no known number stays as it was.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import KIND_URGENCY, PRIORITY_RANK, Kind, Priority
from alarmhub.core.site import Number, Site, number_of

MAX_CALLBACK_CHARS: Final = 32
_CALLBACK = re.compile(r"\+?[0-9*#][0-9*# -]{1,30}")


def by_number(signal: Signal, address: str, site: Site) -> Signal:
    """The signal with what the site says of its address: unit, targets, kind, type, priority, and a number to
    call back. A signal whose place is known needs none of it."""
    if signal.place in site.places:
        return signal
    signal = replace(signal, callback=signal.callback or callback_of(signal))
    number = number_of(site, address.strip())
    if number is None:
        return signal
    by_rule = _says_more(signal, number, site)
    return replace(
        signal,
        unit=number.unit,
        targets=number.targets,
        kind=signal.kind if by_rule else number.kind,
        type=signal.type if by_rule else number.type,
        priority=_higher(signal.priority, number.priority),
        mapped_by=(*signal.mapped_by, f"number:{number}" + (f" {number.label}" if number.label else "")),
    )


def _says_more(signal: Signal, number: Number, site: Site) -> bool:
    """Whether a rule has said what it is, and that is no less urgent than what was dialled. A drill is said
    on purpose."""
    said, dialled = _kind(signal.kind, signal.type, site), _kind(number.kind, number.type, site)
    if said is None or dialled is None or said is Kind.DRILL:
        return signal.kind is not None or signal.type is not None
    return KIND_URGENCY[said] >= KIND_URGENCY[dialled]


def _kind(kind: Kind | None, type_id: str | None, site: Site) -> Kind | None:
    known = site.types.get(type_id or "")
    return known.kind if known is not None and kind is not Kind.DRILL else kind


def callback_of(signal: Signal) -> str | None:
    """The number to call back that a text of nothing but digits is; None for other words, and for an end."""
    text = signal.source_text.strip()
    if signal.event not in (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE):
        return None
    return text if _CALLBACK.fullmatch(text) and any(char.isdigit() for char in text) else None


def _higher(one: Priority | None, other: Priority | None) -> Priority | None:
    said = [priority for priority in (one, other) if priority is not None]
    return max(said, key=PRIORITY_RANK.__getitem__, default=None)
