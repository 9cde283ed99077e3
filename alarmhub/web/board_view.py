"""The board of a unit as a value: what hangs on the wall, built from committed state. Pure.

Every word in it is the hub's own or the site's name for something: kinds, types, phases, flags, places,
roles, units, and in the staff variant people. It refuses free text of any kind: what a plant, an engineer or
a colleague wrote is never on a wall, and a place nobody knows is "unknown", not what the plant called it. The
public variant has no person in it at all: counts instead of people, no word of anybody's phone.

It holds no ages and no clock: instants only, so that an unchanged board is an equal one. Which alarms it
shows is `core.board`. Labels are in both languages; the page chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from alarmhub.core import words
from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.board import Sight, beds_of, gaps_of, sight, sound
from alarmhub.core.drilling import DrillLine
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.roster import OnDuty, Shift
from alarmhub.core.routing import covering_units, unfilled
from alarmhub.core.site import Site
from alarmhub.core.trials import Maintenance, units_of
from alarmhub.core.wording import flag_label, kind_label, phase_label, type_label, why_label
from alarmhub.core.world import World
from alarmhub.engine.handset import PhoneWarning
from alarmhub.engine.state import urgency
from alarmhub.people import DrillRow

ALARMS_MOST: Final = 60
"""More open alarms than this are counted, not listed."""
GAPS_MOST: Final = 60
NOT_ARRIVING: Final = "calls_not_arriving"
_SAID: Final = frozenset(Flag) - {
    Flag.REMINDED, Flag.MIXED_POLICY, Flag.ACKNOWLEDGED_AT_SOURCE, Flag.RETURNED,
    Flag.PLACE_UNKNOWN,  # said in place of the place
}  # fmt: skip
_CARRIED: Final = ("buren larmknapp", "carried button")
_UNKNOWN: Final = ("okänd plats", "unknown place")


class Label(Struct, frozen=True, gc=False):
    """The same words in Swedish and English."""

    sv: str
    en: str


class AlarmOnBoard(Struct, frozen=True, kw_only=True, gc=False):
    """One open alarm. `shown`: ours | elsewhere | veiled. `coming`, `there`: how many are on their way and in
    place; `names`, `there_names`: who, in the staff variant. `soon`: how many said *Kommer strax*. `missing`:
    roles of a team that nobody fills. `sound`: high | medium | low | "" = silent."""

    id: str
    shown: str
    kind: Kind
    label: Label
    priority: Priority
    phase: Phase
    phase_label: Label
    place: Label
    unit: str
    raised_at: int
    count: int
    again: int
    flags: tuple[Label, ...]
    coming: int
    there: int
    soon: int
    names: tuple[str, ...]
    there_names: tuple[str, ...]
    missing: tuple[Label, ...]
    sound: str
    drill: bool


class PersonOnBoard(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody on duty here. `reach`: see `core.reach`; `state`: available | busy | break; `beds`: how many
    of this unit's beds are theirs; `at`: what they have taken, and where; `signed_on`: said so at shift
    start, not only scheduled."""

    name: str
    roles: tuple[Label, ...]
    reach: Reach
    state: str
    on_site: bool
    beds: int
    at: tuple[Label, ...]
    signed_on: bool


class OnDutyCounts(Struct, frozen=True, kw_only=True, gc=False):
    """The people of a public board: how many are on duty, and how many of them can be reached."""

    on_duty: int
    reachable: int
    away: int


class Banner(Struct, frozen=True, kw_only=True, gc=False):
    """What stands across the board. `code`: maintenance (of `source`, from and until) or
    calls_not_arriving."""

    code: str
    source: str = ""
    from_at: int | None = None
    until_at: int | None = None


class RedPhone(Struct, frozen=True, kw_only=True, gc=False):
    """A phone on duty that supervision or the last drill found wanting. `code`: what is wrong, from
    `core.handsets.Cause` or, of a drill, `core.drilling.Why`; `channel`: the way a drill took, "" = none;
    `since`: epoch ms."""

    staff: str
    device: str
    code: str
    since: int
    channel: str = ""


class RedOnBoard(Struct, frozen=True, kw_only=True, gc=False):
    """One line of the red list: whose phone, and see `RedPhone`."""

    name: str
    code: str
    channel: str
    since: int


class Board(Struct, frozen=True, kw_only=True, gc=False):
    """A unit's board. `more`: open alarms that are not listed. `people` and `red` are empty in the public
    variant, `counts` and `red_phones` tell how many. `gaps`: beds that ring everybody, for they have no care
    team; `gap_count`: how many. `unstaffed`: nobody is on duty and nobody covers. `covers`: units and places
    elsewhere it answers for, `lent`: its own places another unit answers for."""

    unit: str
    name: str
    public: bool
    zone: str
    language: str
    storing: bool
    alarms: tuple[AlarmOnBoard, ...]
    more: int
    counts: OnDutyCounts
    people: tuple[PersonOnBoard, ...]
    gaps: tuple[str, ...]
    gap_count: int
    unstaffed: bool
    covered_by: tuple[str, ...]
    covers: tuple[str, ...]
    lent: tuple[str, ...]
    banners: tuple[Banner, ...]
    red: tuple[RedOnBoard, ...]
    red_phones: int


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """What a board is built from beside the world. `alarms`: those that concern the unit; `shown_to`: open
    alarms of a person; `red`: phones of this unit; `shifts`: what people said of being at work."""

    now: int
    storing: bool
    alarms: Iterable[Alarm]
    shown_to: Callable[[str], Sequence[Alarm]]
    maintenances: Mapping[str, Maintenance]
    red: Sequence[RedPhone] = ()
    shifts: Mapping[str, Shift] = MappingProxyType({})


def board(unit: str, world: World, facts: Facts, *, public: bool) -> Board:
    """The board of a unit of the site."""
    site, roster = world.site, world.roster
    seen = [(alarm, sight(alarm, unit, world, public=public)) for alarm in facts.alarms]
    shown = sorted(((a, s) for a, s in seen if s is not Sight.NONE), key=lambda pair: urgency(pair[0]))
    duties = _each_once(roster.by_unit.get(unit, ()))
    gaps = gaps_of(unit, world)
    covering = covering_units(unit, world)
    return Board(
        unit=unit,
        name=site.units[unit].name,
        public=public,
        zone=site.zone,
        language=site.language,
        storing=facts.storing,
        alarms=tuple(_alarm(alarm, how, world, public=public) for alarm, how in shown[:ALARMS_MOST]),
        more=max(0, len(shown) - ALARMS_MOST),
        counts=_counts(duties, world),
        people=() if public else tuple(_person(duty, unit, world, facts) for duty in duties),
        gaps=tuple(bed.label for bed in gaps[:GAPS_MOST]),
        gap_count=len(gaps),
        unstaffed=not duties and not any(roster.by_unit.get(other) for other in covering),
        covered_by=_names(covering, site),
        covers=_covered(unit, world),
        lent=_lent(unit, world),
        banners=(*_not_arriving(shown), *_maintenance(unit, site, facts)),
        red=() if public else _red(facts.red, site),
        red_phones=len({(one.staff, one.device) for one in facts.red}),
    )


def _alarm(alarm: Alarm, how: Sight, world: World, *, public: bool) -> AlarmOnBoard:
    veiled = how is Sight.VEILED
    coming = [taken.staff for taken in alarm.acceptances if taken.arrived_at is None]
    there = [taken.staff for taken in alarm.acceptances if taken.arrived_at is not None]
    named = not public and not veiled
    site = world.site
    return AlarmOnBoard(
        id=alarm.id,
        shown=how,
        kind=alarm.kind,
        label=_type(alarm, site),
        priority=alarm.priority,
        phase=alarm.phase,
        phase_label=_both(phase_label, alarm.phase),
        place=Label("", "") if veiled else _place(alarm, site),
        unit=_unit_name(alarm, site),
        raised_at=alarm.raised_at,
        count=alarm.count,
        again=alarm.again,
        flags=() if veiled else tuple(_both(flag_label, flag) for flag in alarm.flags if flag in _SAID),
        coming=len(coming),
        there=len(there),
        soon=sum(told.answer == "holding" for told in alarm.told),
        names=tuple(_name(staff, site) for staff in coming) if named else (),
        there_names=tuple(_name(staff, site) for staff in there) if named else (),
        missing=() if veiled else tuple(_role(role.role, site) for role in unfilled(alarm, world)),
        sound=sound(alarm, how) or "",
        drill=alarm.drill,
    )


def _type(alarm: Alarm, site: Site) -> Label:
    """The site's name of the type, or the hub's; what only a source calls so is its kind here."""
    if alarm.type in site.types or alarm.type in words.NOTICES:
        return Label(type_label(alarm.type, "sv", site), type_label(alarm.type, "en", site))
    return _both(kind_label, alarm.kind)


def _place(alarm: Alarm, site: Site) -> Label:
    place = site.places.get(alarm.place)
    if place is None:
        # The hub's own news have no place, and need none.
        return Label("", "") if alarm.type in words.NOTICES else Label(*_UNKNOWN)
    if place.person is not None:
        return Label(*_CARRIED)  # its label may be somebody's name
    return Label(place.label, place.label)


def _unit_name(alarm: Alarm, site: Site) -> str:
    place = site.places.get(alarm.place)
    return _unit_called(alarm.unit if place is None else place.unit, site)


def _person(duty: OnDuty, unit: str, world: World, facts: Facts) -> PersonOnBoard:
    site, staff = world.site, duty.staff
    by_bed = world.roster.by_bed
    taken = [
        alarm
        for alarm in facts.shown_to(staff)
        # Who has gone to an assault must not be seen to be missing either.
        if alarm.kind is not Kind.ASSAULT and any(one.staff == staff for one in alarm.acceptances)
    ]
    return PersonOnBoard(
        name=_name(staff, site),
        roles=tuple(_role(role, site) for role in duty.roles),
        reach=world.reach.get(staff, Reach.NONE),
        state=duty.availability,
        on_site=duty.on_site,
        beds=sum(staff in by_bed.get(bed.path, ()) for bed in beds_of(unit, site)),
        at=tuple(_where(alarm, unit, site) for alarm in taken),
        signed_on=_signed_on(duty, facts),
    )


def _signed_on(duty: OnDuty, facts: Facts) -> bool:
    said = facts.shifts.get(duty.staff)
    return said is not None and said.unit == duty.unit and facts.now < said.until


def _where(alarm: Alarm, unit: str, site: Site) -> Label:
    """What somebody has taken and where; in another unit, which."""
    kind, place = _type(alarm, site), _place(alarm, site)
    elsewhere = "" if alarm.unit == unit else f", {_unit_name(alarm, site)}"
    return Label(f"{kind.sv} {place.sv}".strip() + elsewhere, f"{kind.en} {place.en}".strip() + elsewhere)


def _counts(duties: Sequence[OnDuty], world: World) -> OnDutyCounts:
    return OnDutyCounts(
        on_duty=len(duties),
        reachable=sum(world.reach.get(duty.staff, Reach.NONE) is not Reach.NONE for duty in duties),
        away=sum(duty.availability != "available" for duty in duties),
    )


def _each_once(duties: Iterable[OnDuty]) -> list[OnDuty]:
    """One entry a person, the one on site before the one at home."""
    people: dict[str, OnDuty] = {}
    for duty in duties:
        known = people.get(duty.staff)
        if known is None or (duty.on_site and not known.on_site):
            people[duty.staff] = duty
    return list(people.values())


def _not_arriving(shown: Iterable[tuple[Alarm, Sight]]) -> tuple[Banner, ...]:
    ours = any(alarm.type == NOT_ARRIVING and how is Sight.OURS for alarm, how in shown)
    return (Banner(code=NOT_ARRIVING),) if ours else ()


def _maintenance(unit: str, site: Site, facts: Facts) -> list[Banner]:
    """Windows under way or announced; their note is an engineer's free text and stays on the phones."""
    banners = []
    for source, window in facts.maintenances.items():
        if facts.now < window.until_at and unit in units_of(site, source):
            known = site.sources.get(source)
            name = known.name if known is not None else source
            banners.append(
                Banner(code="maintenance", source=name, from_at=window.from_at, until_at=window.until_at)
            )
    return banners


def red_phones(
    unit: str,
    world: World,
    warnings: Iterable[PhoneWarning],
    drill: DrillRow | None,
    failed: Iterable[DrillLine],
) -> list[RedPhone]:
    """The red list of a unit: warnings of now and what failed in its last drill, of who is on duty here."""
    here = {duty.staff for duty in world.roster.by_unit.get(unit, ())}
    red = [
        RedPhone(staff=one.staff, device=one.device, code=one.cause, since=one.since)
        for one in warnings
        if one.staff in here
    ]
    if drill is not None:
        since = drill.ended_at or drill.began_at
        red += [
            RedPhone(staff=n.staff, device=n.device, code=n.why, since=since, channel=n.channel)
            for n in failed
            if n.staff in here
        ]
    return red


def _red(phones: Iterable[RedPhone], site: Site) -> tuple[RedOnBoard, ...]:
    """Each said once: two phones of a person that fail alike are one line."""
    lines = (
        RedOnBoard(name=_name(one.staff, site), code=one.code, channel=one.channel, since=one.since)
        for one in phones
    )
    return tuple({(n.name, n.code, n.channel): n for n in lines}.values())


def _covered(unit: str, world: World) -> tuple[str, ...]:
    """What this unit answers for besides its own: units, and places with the unit they lie in."""
    site, covers = world.site, [c for c in world.roster.covers if c.by == unit]
    places = [site.places[c.place] for c in covers if c.place in site.places]
    units = _names((c.unit for c in covers if c.unit is not None), site)
    return (*units, *(f"{p.label} ({_unit_called(p.unit, site)})" for p in places if p.person is None))


def _lent(unit: str, world: World) -> tuple[str, ...]:
    """Places of this unit that another answers for, and who."""
    site, covers = world.site, [c for c in world.roster.covers if c.by != unit]
    lent = [(site.places[c.place], c.by) for c in covers if c.place in site.places]
    return tuple(
        f"{place.label} ({_unit_called(by, site)})"
        for place, by in lent
        if place.unit == unit and place.person is None
    )


def _unit_called(unit: str, site: Site) -> str:
    known = site.units.get(unit)
    return known.name if known is not None else unit


def _names(units: Iterable[str], site: Site) -> tuple[str, ...]:
    return tuple(dict.fromkeys(site.units[unit].name for unit in units if unit in site.units))


def _name(staff: str, site: Site) -> str:
    person = site.staff.get(staff)
    return person.name if person is not None else staff


def _role(role: str, site: Site) -> Label:
    return Label(why_label(f"role:{role}", "sv", site), why_label(f"role:{role}", "en", site))


def _both(label: Callable[[str, str], str], word: str) -> Label:
    return Label(label(word, "sv"), label(word, "en"))
