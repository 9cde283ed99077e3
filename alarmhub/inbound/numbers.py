"""A pager number as a target: what the site says of it, where the source's own rules have found no place.

So a switchboard, a laboratory or a plant goes on dialling what it always dialled. A rule's kind, type and
priority win over the number's, but never lower it. It refuses to speak a protocol, and to turn anything away:
an address that is no known number stays as it was.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import PRIORITY_RANK, Priority
from alarmhub.core.site import Site, number_of

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
    by_rule = signal.kind is not None or signal.type is not None
    return replace(
        signal,
        unit=number.unit,
        targets=number.targets,
        kind=signal.kind if by_rule else number.kind,
        type=signal.type if by_rule else number.type,
        priority=_higher(signal.priority, number.priority),
        mapped_by=(*signal.mapped_by, f"number:{number}" + (f" {number.label}" if number.label else "")),
    )


def callback_of(signal: Signal) -> str | None:
    """The number to call back that a text of nothing but digits is; None for other words, and for an end."""
    text = signal.source_text.strip()
    if signal.event not in (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE):
        return None
    return text if _CALLBACK.fullmatch(text) and any(char.isdigit() for char in text) else None


def _higher(one: Priority | None, other: Priority | None) -> Priority | None:
    said = [priority for priority in (one, other) if priority is not None]
    return max(said, key=PRIORITY_RANK.__getitem__, default=None)
