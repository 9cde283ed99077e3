"""Which alarms the board of a unit shows, how much of them, and which it sounds for: rules, pure.

A board hangs on a wall, and nobody knows who stands before it. It is beside the phones and never instead of
them: whoever is to come has the alarm in the pocket. So it refuses what could harm somebody in its room.

Decisions: a ward's board shows what is the ward's to answer: alarms of its own places and of those it covers
now. An urgent one elsewhere that called its people away is shown too, in silence, so that those who stay see
where the others went. *An assault is on no board of the unit where it happens*, nor on any when nobody knows
where it happens (a carried button, an unknown place): the board may hang behind the attacker's back, and who
is called is called by phone (ward.md, "Never possible" 8). Other units' staff boards say the kind and the
unit, no more, without a sound; a public board never says a word of it, nor of who went.
A drill is shown only when it is heard (PROV), and never sounds: the phones speak for it.
"""

from __future__ import annotations

from enum import StrEnum

from alarmhub.core.alarm import Alarm, Flag, Phase, concerned
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.routing import answering_units, covering_units
from alarmhub.core.site import Place, Site
from alarmhub.core.world import World

WAITS = frozenset({Phase.RINGING, Phase.PARTLY_ACCEPTED})
_PRESSING = frozenset({Flag.UNANSWERED, Flag.LAST_RESORT, Flag.NOT_ATTENDED, Flag.RETURNED})


class Sight(StrEnum):
    """How much of an alarm a board shows."""

    NONE = "none"
    OURS = "ours"  # of the unit, or covered by it: all of it, and it may sound
    ELSEWHERE = "elsewhere"  # its people were called away: all of it, in silence
    VEILED = "veiled"  # kind and unit only, in silence


def responsible_units(alarm: Alarm, world: World) -> frozenset[str]:
    """The units whose alarm this is: its own, and who answers for or covers its place now."""
    answering = answering_units(alarm.unit, alarm.place, world)
    return frozenset((alarm.unit, *answering, *covering_units(alarm.unit, world)))


def units_concerned(alarm: Alarm, world: World) -> frozenset[str]:
    """Every unit whose board may look different for this alarm: besides the responsible ones those of all who
    are told of it or take it."""
    by_staff = world.roster.by_staff
    people = (*concerned(alarm), *(taken.staff for taken in alarm.acceptances))
    return responsible_units(alarm, world).union(
        duty.unit for staff in people for duty in by_staff.get(staff, ())
    )


def beds_of(unit: str, site: Site) -> tuple[Place, ...]:
    """The unit's beds, in the order of the site file. Made once per site value."""
    known = site.__dict__.get("beds")
    if known is None:
        known = {}
        for place in site.places.values():
            if place.point == "bed":
                known.setdefault(place.unit, []).append(place)
        known = site.__dict__["beds"] = {name: tuple(beds) for name, beds in known.items()}
    found: tuple[Place, ...] = known.get(unit, ())
    return found


def gaps_of(unit: str, world: World) -> tuple[Place, ...]:
    """The unit's beds without a care team, as far as no other unit answers for them."""
    by_bed = world.roster.by_bed
    return tuple(
        bed
        for bed in beds_of(unit, world.site)
        if not by_bed.get(bed.path) and answering_units(unit, bed.path, world) == (unit,)
    )


def sight(alarm: Alarm, unit: str, world: World, *, public: bool) -> Sight:
    """What the board of `unit` shows of an alarm."""
    if not alarm.open or (alarm.drill and not alarm.heard):
        return Sight.NONE
    if alarm.kind is Kind.ASSAULT:
        return Sight.NONE if public else _assault(alarm, unit, world)
    if unit in responsible_units(alarm, world):
        return Sight.OURS
    return Sight.ELSEWHERE if _called_away(alarm, unit, world) else Sight.NONE


def _assault(alarm: Alarm, unit: str, world: World) -> Sight:
    place = world.site.places.get(alarm.place)
    if place is None or place.person is not None or alarm.person is not None:
        return Sight.NONE  # it may be happening before this board
    if unit in (alarm.unit, place.unit):
        return Sight.NONE
    near = unit in responsible_units(alarm, world) or _called_away(alarm, unit, world)
    return Sight.VEILED if near else Sight.NONE


def _called_away(alarm: Alarm, unit: str, world: World) -> bool:
    """Whether an urgent alarm elsewhere concerns somebody who is on duty here."""
    if alarm.priority is not Priority.HIGH:
        return False
    told = set(concerned(alarm))
    return any(duty.staff in told for duty in world.roster.by_unit.get(unit, ()))


def sound(alarm: Alarm, seen: Sight) -> Priority | None:
    """With which priority's sound a board calls for this alarm now; None: it is silent.

    It sounds while nobody has taken it, or not enough have. A low one only once it has waited too long: a
    board that sounds at every call is soon switched off.
    """
    if seen is not Sight.OURS or alarm.drill or alarm.phase not in WAITS:
        return None
    if alarm.priority in (Priority.HIGH, Priority.MEDIUM):
        return alarm.priority
    return Priority.LOW if _PRESSING.intersection(alarm.flags) else None
