"""Signing on and off: what a person says at shift start and end, as a `Shift` that the roster reads.

The person's own word counts before the schedule, for a while: it always ends by itself. This module refuses
clocks, alarms in hand (`core.handing`), and who may sign on for whom (`core.rights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from alarmhub.core.reach import RINGS, Reach
from alarmhub.core.roster import EARLY_MS, OnDuty, Shift, duties_of
from alarmhub.core.site import Site
from alarmhub.core.world import World

ERRORS = ("last_one", "receiver_needed", "not_in_site", "not_signed_on")
"""Everything a refused word is told."""

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


class Available(Struct, frozen=True, gc=False):
    """available, busy or break; `substitute` answers meanwhile for who is the last one of a unit."""

    state: str
    substitute: str = ""


class SignOn(Struct, frozen=True, gc=False):
    """Me, my unit, my beds."""

    unit: str
    beds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class SignOff(Struct, frozen=True):
    """I go home. `receivers`: alarm id → who takes on what I have in hand."""

    receivers: dict[str, str] = {}


class HandOff(Struct, frozen=True):
    """I stay, and others take on what I have in hand: my phone is going to be somebody else's."""

    receivers: dict[str, str] = {}


class Heard(Struct, frozen=True, gc=False):
    """I heard my phone ring."""


Word: TypeAlias = Available | SignOn | SignOff | HandOff | Heard
"""What a person says of being at work."""


def last_in(staff: str, world: World, away: Mapping[str, str]) -> str | None:
    """The unit in which this person is the last on duty who is available and whose phone can ring; None =
    there are others everywhere. `away`: availability said since the roster was made."""
    for duty in world.roster.by_staff.get(staff, ()):
        others = (d for d in world.roster.by_unit.get(duty.unit, ()) if d.staff != staff)
        if duty.on_site and not any(_able(d, world, away) for d in others):
            return duty.unit
    return None


def candidates(staff: str, units: Iterable[str], world: World, away: Mapping[str, str]) -> tuple[str, ...]:
    """Who could stand in for this person in these units, or take on an alarm there: on duty, available and
    within reach, first in the units themselves, then in their cover, then next door."""
    units = tuple(units)
    near = [c.by for c in world.roster.covers if c.unit in units]
    near += [n for unit in units if unit in world.site.units for n in world.site.units[unit].neighbours]
    found = (d for unit in (*units, *near) for d in world.roster.by_unit.get(unit, ()))
    return tuple(dict.fromkeys(d.staff for d in found if d.staff != staff and _able(d, world, away)))


def _able(duty: OnDuty, world: World, away: Mapping[str, str]) -> bool:
    state = away.get(duty.staff, duty.availability)
    return duty.on_site and state == "available" and world.reach.get(duty.staff, Reach.NONE) in RINGS
