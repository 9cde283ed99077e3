"""Signing on and off: what a person says at shift start and end, as a `Shift` that the roster reads.

The person's own word counts before the schedule, for a while: it always ends by itself. This module refuses
clocks, alarms in hand (`core.answering.on_handed_over`), and who may sign on for whom (`core.rights`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from alarmhub.core.roster import EARLY_MS, Shift, duties_of
from alarmhub.core.site import Site

LONGEST_MS = 14 * 3_600_000
"""Longer than any shift a person works: what still says "on duty" then was forgotten."""
OVERLAP_MS = 30 * 60_000
"""How long after a scheduled duty who signed on still counts: handing over to the next shift takes up to half
an hour, and a phone in a drawer must not count as a nurse for longer."""
LONGEST_OFF_MS = 24 * 3_600_000
"""What a schedule has as one duty without end is many: who went home is expected again after a day."""


class Wrong(Struct, frozen=True):
    """What cannot be signed on with: the member, and what was expected there."""

    field: str
    expected: str


def fault_in(
    site: Site, staff: str, unit: str, beds: Sequence[str], roles: Sequence[str], now: int
) -> Wrong | None:
    """Whether the site knows unit, beds and roles. Beds lie in the unit, or in another where the schedule has
    this person at the same time."""
    if staff not in site.staff:
        return Wrong("staff", "a person of the site")
    if unit not in site.units:
        return Wrong("unit", "the id of a unit of the site")
    units = {unit} | {duty.unit for duty, _ in duties_of(site, staff, now, now + EARLY_MS)}
    for path in beds:
        place = site.places.get(path)
        if place is None or place.point != "bed" or place.unit not in units:
            return Wrong("beds", f"beds of {site.units[unit].name}")
    if any(role not in site.roles for role in roles):
        return Wrong("roles", "ids of roles of the site")
    return None


def signed_on(
    site: Site, staff: str, unit: str, beds: Sequence[str], roles: Sequence[str], now: int
) -> Shift:
    """On duty there from `now` (epoch ms), with these beds, and the chosen and the scheduled roles."""
    here = [(duty, end) for duty, end in duties_of(site, staff, now, now + EARLY_MS) if duty.unit == unit]
    ends = [end + OVERLAP_MS for _, end in here if end is not None]
    scheduled = (role for duty, _ in here for role in duty.roles)
    return Shift(
        at=now,
        until=min(now + LONGEST_MS, max(ends)) if ends and len(ends) == len(here) else now + LONGEST_MS,
        unit=unit,
        beds=tuple(dict.fromkeys(beds)),
        roles=tuple(dict.fromkeys((*scheduled, *roles))),
        lent=not here,
    )


def signed_off(site: Site, staff: str, now: int) -> Shift:
    """Off duty from `now` on, whatever the schedule says, to the end of the duties it has then."""
    ends = [
        now + LONGEST_OFF_MS if end is None else min(end, now + LONGEST_OFF_MS)
        for _, end in duties_of(site, staff, now, now)
    ]
    return Shift(at=now, until=max(ends, default=now))
