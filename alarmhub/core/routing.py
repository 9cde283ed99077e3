"""From target words to people: who a step rings now, and who was left out and why.

Reads the live roster, never a pinned one (ward.md, "Where, and whose"). It refuses clocks and turns: it
does not know what a deadline is, and it never drops a person without a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from alarmhub.core.alarm import Alarm
from alarmhub.core.kinds import RULES, Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.roster import OnDuty
from alarmhub.core.site import TeamRole
from alarmhub.core.world import World

WARD_ROLE = "ward"
"""A team role anyone of the alarm's own unit fills."""


class Candidate(Struct, frozen=True, gc=False):
    """A person a step could ring, and the target word that named them."""

    staff: str
    why: str


class LeftOut(Struct, frozen=True, gc=False):
    """A person a step did not count on, and why: declined, in_room, victim, on_break, busy, unreachable."""

    staff: str
    why: str


class Resolved(Struct, frozen=True):
    """The people of a step; `gap` names a target that fell back (a bed without a care team)."""

    people: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    gaps: tuple[str, ...] = ()


def answering_units(unit: str, place: str, world: World) -> tuple[str, ...]:
    """The units that answer for a place now: an active place cover, else the own unit, or who covers it
    while it has nobody on duty."""
    best = ""
    by: list[str] = []
    for cover in world.roster.covers:
        path = cover.place
        if path and len(path) >= len(best) and (place == path or place.startswith(path + "/")):
            if len(path) > len(best):
                by = []
            best = path
            by.append(cover.by)
    if by:
        return tuple(by)
    if not world.roster.by_unit.get(unit):
        covering = tuple(c.by for c in world.roster.covers if c.unit == unit)
        if covering:
            return covering
    return (unit,)


def covering_units(unit: str, world: World) -> tuple[str, ...]:
    """The units that cover a unit now."""
    return tuple(c.by for c in world.roster.covers if c.unit == unit)


def unstaffed(alarm: Alarm, world: World) -> bool:
    """Nobody is on duty for the place and nobody covers it: every phone of the unit rings at once."""
    units = answering_units(alarm.unit, alarm.place, world) + covering_units(alarm.unit, world)
    return not any(world.roster.by_unit.get(u) for u in units)


def alone(staff: str, unit: str, world: World) -> bool:
    """This person is the only one on duty in the unit."""
    on_duty = world.roster.by_unit.get(unit, ())
    return bool(on_duty) and all(d.staff == staff for d in on_duty)


def _units(units: Iterable[str], world: World) -> list[str]:
    return [d.staff for u in units for d in world.roster.by_unit.get(u, ())]


def _role(role: str, world: World, units: Sequence[str]) -> list[str]:
    return [d.staff for d in world.roster.by_role.get(role, ()) if d.unit in units]


def _role_near(role: str, alarm: Alarm, world: World) -> list[str]:
    """Who has the role at the alarm's own site; where nobody has it there, whoever has it anywhere."""
    people, units = world.roster.by_role.get(role, ()), world.site.units
    here = units[alarm.unit].site if alarm.unit in units else None
    near = [d.staff for d in people if d.unit in units and units[d.unit].site == here]
    return near or [d.staff for d in people]


def _role_of(role: str, unit: str, world: World) -> list[str]:
    """Who has the role in a unit; where nobody has it there, in the units that cover it."""
    own = _role(role, world, answering_units(unit, "", world))
    return own or _role(role, world, covering_units(unit, world))


def _beds(path: str, world: World) -> list[str]:
    """The care teams of a place and of the beds in it."""
    below = path + "/"
    teams = (team for bed, team in world.roster.by_bed.items() if bed == path or bed.startswith(below))
    return list(dict.fromkeys(staff for team in teams for staff in team))


def shift_leaders(unit: str, place: str, world: World) -> list[str]:
    """Who leads the shift where a place, or "" a unit, is answered for."""
    units = answering_units(unit, place, world) + covering_units(unit, world)
    return _role("shift_leader", world, units)


def team_role(role: str, alarm: Alarm, world: World) -> list[str]:
    """Everybody on duty who can fill a team's role."""
    if role == WARD_ROLE:
        return _units(answering_units(alarm.unit, alarm.place, world), world)
    return _role_near(role, alarm, world)


def fills(role: TeamRole, staff: str, alarm: Alarm, world: World) -> bool:
    """Whether this person can fill a team's role: has it, or stands in for it as its deputy."""
    if staff in team_role(role.role, alarm, world):
        return True
    deputy = _deputy(role, world)
    return deputy is not None and staff in team_role(deputy, alarm, world)


def team_of(alarm: Alarm, world: World) -> tuple[TeamRole, ...]:
    """The roles this alarm's type asks for; empty for everything but teams."""
    alarm_type = world.site.types.get(alarm.type)
    return alarm_type.team if alarm_type is not None and alarm.kind is Kind.TEAM else ()


def unfilled(alarm: Alarm, world: World) -> tuple[TeamRole, ...]:
    """Team roles with fewer accepts than they need."""
    return tuple(
        r for r in team_of(alarm, world) if sum(a.role == r.role for a in alarm.acceptances) < r.count
    )


def _deputy(role: TeamRole, world: World) -> str | None:
    known = world.site.roles.get(role.role)
    return role.deputy or (known.deputy if known is not None else None)


def deputies(roles: Iterable[TeamRole], alarm: Alarm, world: World) -> list[str]:
    """Who stands in for these roles."""
    found: list[str] = []
    for role in roles:
        deputy = _deputy(role, world)
        if deputy is not None:
            found += team_role(deputy, alarm, world)
    return found


def _care_team(alarm: Alarm, world: World) -> tuple[list[str], bool]:
    """The bed's care team (for a room or WC: of its room), else everyone on duty in the unit."""
    by_bed, place = world.roster.by_bed, world.site.places.get(alarm.place)
    team = by_bed.get(alarm.place)
    if not team and alarm.room and (place is None or place.point != "bed"):
        # A bed without a team is a gap: its neighbours in the room do not answer for it.
        team = by_bed.get(alarm.room)
    units = answering_units(alarm.unit, alarm.place, world)
    if team and units == (alarm.unit,):
        return list(team), False
    return _units(units, world), not team


def _role_word(word: str, alarm: Alarm, world: World) -> list[str]:
    match word:
        case "guards":
            return _role_near("guard", alarm, world)
        case "switchboard":
            return _role_near("switchboard", alarm, world)
        case "on_call":
            return [s for r in world.site.roles.values() if r.on_call for s in _role_near(r.id, alarm, world)]
        case "shift_leader":
            return shift_leaders(alarm.unit, alarm.place, world)
        case "team":
            return [s for r in team_of(alarm, world) for s in team_role(r.role, alarm, world)]
        case "deputies":
            return deputies(unfilled(alarm, world), alarm, world)
    return []


def _unit_word(word: str, alarm: Alarm, world: World) -> list[str]:
    match word:
        case "unit":
            return _units(answering_units(alarm.unit, alarm.place, world), world)
        case "cover":
            return _units(covering_units(alarm.unit, world), world)
        case "neighbours":
            unit = world.site.units.get(alarm.unit)
            return _units(unit.neighbours if unit else (), world)
        case "everyone":
            units = world.site.units
            here = units[alarm.unit].site if alarm.unit in units else None
            return [
                d.staff
                for u, people in world.roster.by_unit.items()
                if here is None or (u in units and units[u].site == here)
                for d in people
                if d.on_site
            ]
        case "belongs":
            return [s.id for s in world.site.staff.values() if alarm.unit in s.units]
    return []


def named(word: str, alarm: Alarm, world: World) -> list[str]:
    """The staff one target word means at this instant, before anybody is left out."""
    kind, _, name = word.partition(":")
    if name:
        match kind:
            case "role":
                role, _, unit = name.partition("@")
                return _role_of(role, unit, world) if unit else _role_near(role, alarm, world)
            case "staff":
                return [name] if name in world.site.staff else []
            case "unit":
                return _units((name,), world)
            case "beds":
                return _beds(name, world)
        return []
    return _unit_word(word, alarm, world) or _role_word(word, alarm, world)


_HIDEABLE_AVAILABILITY = {"busy", "break"}


def _away(alarm: Alarm, staff: str, world: World) -> str | None:
    """Why a person is left in peace (busy, break), where that may keep an alarm away (ward.md, never
    possible 6): never a high one, and never from the last of a unit who could come."""
    if not RULES[alarm.kind].test_mode_hides or alarm.priority is Priority.HIGH:
        return None
    if alarm.drill and not alarm.heard:
        return None  # nobody hears it: a break is no reason not to try her phone
    duties: tuple[OnDuty, ...] = world.roster.by_staff.get(staff, ())
    if not duties or duties[0].availability not in _HIDEABLE_AVAILABILITY:
        return None
    for duty in duties:
        if not any(_is_there(d, world) for d in world.roster.by_unit.get(duty.unit, ())):
            return None
    return duties[0].availability


def _is_there(duty: OnDuty, world: World) -> bool:
    """At work, and can be called: a colleague without a phone is no reason to leave another in peace."""
    unreachable = world.reach.get(duty.staff, Reach.NONE) is Reach.NONE
    return duty.availability not in _HIDEABLE_AVAILABILITY and not unreachable


def resolve(words: Sequence[str], alarm: Alarm, world: World) -> Resolved:
    """Who these targets mean now, in order and once each, and who was left out with the reason."""
    people: list[Candidate] = []
    left_out: list[LeftOut] = []
    gaps: list[str] = []
    seen: set[str] = set()
    for word in words:
        if word == "care_team":
            found, gap = _care_team(alarm, world)
            if gap:
                gaps.append(word)
        else:
            found = named(word, alarm, world)
        for staff in found:
            if staff in seen:
                continue
            seen.add(staff)
            out = _why_not(alarm, staff, world)
            if out is None:
                people.append(Candidate(staff, word))
            else:
                left_out.append(LeftOut(staff, out))
    return Resolved(tuple(people), tuple(left_out), tuple(gaps))


def _why_not(alarm: Alarm, staff: str, world: World) -> str | None:
    if staff == alarm.person and alarm.kind is Kind.ASSAULT:
        return "victim"
    if staff in alarm.excluded:
        return "declined_or_in_room"
    return _away(alarm, staff, world)


def on_duty_for(alarm: Alarm, staff: str, world: World) -> bool:
    """Own unit, cover, or team: whose accept is valid without having been told (ward.md)."""
    units = answering_units(alarm.unit, alarm.place, world) + covering_units(alarm.unit, world)
    duties = world.roster.by_staff.get(staff, ())
    if any(d.unit in units or d.unit == alarm.unit for d in duties):
        return True
    return any(staff in team_role(r.role, alarm, world) for r in team_of(alarm, world))


def on_site(alarm: Alarm, staff: str, world: World) -> bool:
    """On duty, in place, at the alarm's own site. A desk or a person without duty is judged by its units."""
    units = world.site.units
    here = units[alarm.unit].site if alarm.unit in units else None
    duties = world.roster.by_staff.get(staff, ())
    if here is None:
        # Of an alarm whose place nobody knows, everybody at work may be near: it must be possible to take it.
        return any(d.on_site for d in duties) or (not duties and staff in world.site.staff)
    if duties:
        return any(d.on_site and d.unit in units and units[d.unit].site == here for d in duties)
    person = world.site.staff.get(staff)
    return person is not None and any(u in units and units[u].site == here for u in person.units)
