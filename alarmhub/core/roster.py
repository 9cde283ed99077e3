"""Who is on duty, with which roles, beds and cover, at one instant (design.md, "roster").

A roster is a snapshot: computed from the site's schedule, what people said when they signed on and off, and
the availability they told their phones; stored by hash so that a decision can be replayed. It refuses to know
about reach, which is a separate argument, and to make a shift (`core.shifts`).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from alarmhub.core.hours import Calendar, calendar, next_boundary, within
from alarmhub.core.site import Cover, Duty, Hours, Place, Site

EARLY_MS = 60 * 60_000
"""Who signs on so long before a duty begins means that duty."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class OnDuty(Struct, frozen=True):
    """One person at work at the snapshot's instant. `availability`: available, busy or break."""

    staff: str
    unit: str
    roles: tuple[str, ...]
    beds: tuple[str, ...] = ()
    on_site: bool = True
    availability: str = "available"


class ActiveCover(Struct, frozen=True):
    """A cover whose hours include the snapshot's instant (`unit` or `place` is set)."""

    by: str
    unit: str | None = None
    place: str | None = None


class Roster(Struct, frozen=True):
    """Snapshot with the indexes decisions need. Dicts are never mutated."""

    hash: str
    on_duty: tuple[OnDuty, ...]
    covers: tuple[ActiveCover, ...]
    by_unit: dict[str, tuple[OnDuty, ...]]
    by_role: dict[str, tuple[OnDuty, ...]]
    by_bed: dict[str, tuple[str, ...]]  # place path → staff of its care team
    by_staff: dict[str, tuple[OnDuty, ...]]


class Shift(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a person said of being at work; it counts before the schedule until `until` (epoch ms).

    `unit`: where this person signed on, "" = signed off. `roles`: chosen, or scheduled there. `lent`: the
    schedule has this person elsewhere or nowhere. `heard_at`: when the phone was last proved to ring.
    """

    at: int
    until: int
    unit: str = ""
    beds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    lent: bool = False
    heard_at: int | None = None


class Rota(Struct, frozen=True):
    """A site's duties and covers grouped by their hours, so that each distinct window is asked once."""

    cal: Calendar
    duties: tuple[tuple[Hours, tuple[Duty, ...]], ...]
    covers: tuple[tuple[Hours, tuple[Cover, ...]], ...]
    paths: tuple[str, ...]  # all place paths, sorted
    rooms: dict[str, tuple[Place, ...]]  # room path → its beds


_NO_SHIFTS: Mapping[str, Shift] = {}
_NO_SUBSTITUTES: Mapping[str, str] = {}


def roster_at(
    site: Site,
    now: int,
    availability: Mapping[str, str],
    shifts: Mapping[str, Shift] = _NO_SHIFTS,
    substitutes: Mapping[str, str] = _NO_SUBSTITUTES,
) -> Roster:
    """The roster at `now` (epoch ms), by staff id: `availability` (available, busy or break), `shifts`, and
    `substitutes` (who answers for a person meanwhile), each where it was told at all.

    Duties of one person in one unit that overlap are one entry with all their roles and beds. The same
    people, roles, beds, cover and availability give the same hash, whenever it is asked.
    """
    rota = _rota(site)
    merged = _at_work(site, rota, now, availability, shifts)
    _stand_in(merged, substitutes)
    on_duty = tuple(merged[key] for key in sorted(merged))
    active = {(c.by, c.unit or "", c.place or ""): c for c in _open(rota.covers, now, rota.cal)}
    covers = tuple(ActiveCover(active[key].by, active[key].unit, active[key].place) for key in sorted(active))
    return Roster(
        hash=hashlib.blake2b(msgspec.json.encode((on_duty, covers)), digest_size=16).hexdigest(),
        on_duty=on_duty,
        covers=covers,
        by_unit=_index((entry.unit, entry) for entry in on_duty),
        by_role=_index((role, entry) for entry in on_duty for role in entry.roles),
        by_bed=_care_teams(rota, on_duty),
        by_staff=_index((entry.staff, entry) for entry in on_duty),
    )


_Entries = dict[tuple[str, str, bool], OnDuty]
"""By unit, staff, on site."""


def _at_work(
    site: Site, rota: Rota, now: int, availability: Mapping[str, str], shifts: Mapping[str, Shift]
) -> _Entries:
    """Who signed on, and the scheduled of whom nothing else was said."""
    said = {staff: shift for staff, shift in shifts.items() if now < shift.until and staff in site.staff}
    merged: _Entries = {}
    for staff, shift in said.items():
        if shift.unit in site.units:
            roles = tuple(role for role in shift.roles if role in site.roles)
            state = availability.get(staff, "available")
            merged[shift.unit, staff, True] = OnDuty(staff, shift.unit, roles, shift.beds, True, state)
    for duty in _open(rota.duties, now, rota.cal):
        word = said.get(duty.staff)
        beds, on_site = duty.beds, duty.on_site
        if word is not None and word.unit == duty.unit:
            # The beds are what was claimed, and who signed on is there.
            beds, on_site = (), True
        elif word is not None and _takes_the_place_of(word, duty, now, rota.cal):
            continue
        key = (duty.unit, duty.staff, on_site)
        known = merged.get(key)
        merged[key] = OnDuty(
            duty.staff,
            duty.unit,
            _union(known.roles if known else (), duty.roles),
            _union(known.beds if known else (), beds),
            on_site,
            availability.get(duty.staff, "available"),
        )
    return merged


def _takes_the_place_of(word: Shift, duty: Duty, now: int, cal: Calendar) -> bool:
    """Whether a duty that is open now had begun when this was said, and so is meant by it."""
    if not word.unit:
        return _lasts(duty.hours, word.at, now, cal)
    # Whom the schedule shares between units stays in the others too.
    return word.lent and any(_lasts(duty.hours, at, now, cal) for at in (word.at, word.at + EARLY_MS))


def _lasts(hours: Hours, from_at: int, now: int, cal: Calendar) -> bool:
    """Whether one and the same window is open at `from_at` and `now`, the later."""
    if not within(hours, from_at, cal):
        return False
    end = next_boundary(hours, from_at, cal)
    return end is None or now < end


def _stand_in(merged: _Entries, substitutes: Mapping[str, str]) -> None:
    """Who stands in for a person on a break answers in that unit and for those beds too, while able to; who
    is away too, by whom she has named."""
    if not substitutes:
        return
    able = {e.staff for e in merged.values() if e.on_site and e.availability == "available"}
    at_work = {e.staff for e in merged.values()}
    for away in [merged[key] for key in sorted(merged)]:
        staff, asked = substitutes.get(away.staff), {away.staff}
        while staff in at_work - able - asked:
            asked.add(staff)
            staff = substitutes.get(staff)
        if away.availability == "available" or staff not in able:
            continue
        key = (away.unit, staff, True)
        known = merged.get(key)
        roles, beds = (known.roles, known.beds) if known else ((), ())
        merged[key] = OnDuty(staff, away.unit, roles, _union(beds, away.beds))


def next_change(site: Site, now: int, shifts: Mapping[str, Shift] = _NO_SHIFTS) -> int | None:
    """The next instant after `now` (epoch ms) at which some duty or cover begins or ends, or what somebody
    said of being at work ceases to count; None = never."""
    rota = _rota(site)
    windows = {hours for hours, _ in rota.duties} | {hours for hours, _ in rota.covers}
    changes = [next_boundary(hours, now, rota.cal) for hours in windows]
    changes += [shift.until for shift in shifts.values() if shift.until > now]
    return min((change for change in changes if change is not None), default=None)


def unstaffed(site: Site, at: int, shifts: Mapping[str, Shift] = _NO_SHIFTS) -> tuple[str, ...]:
    """The units, sorted, that at instant `at` have nobody on duty and no cover by a unit that has.

    Somebody on call at home staffs a desk, never a clinical unit. Units that ask for no warning are left out.
    """
    rota = _rota(site)
    staffed = {
        entry.unit
        for entry in _at_work(site, rota, at, {}, shifts).values()
        if entry.on_site or not site.units[entry.unit].clinical
    }
    covered = {c.unit for c in _open(rota.covers, at, rota.cal) if c.unit is not None and c.by in staffed}
    watched = {unit.id for unit in site.units.values() if unit.warn_unstaffed}
    return tuple(sorted(watched - staffed - covered))


def duties_of(site: Site, staff: str, from_at: int, to_at: int) -> list[tuple[Duty, int | None]]:
    """This person's duties that are open at `from_at` or begin by `to_at` (epoch ms), each with the instant
    its window closes; None = never."""
    cal = _rota(site).cal
    found: list[tuple[Duty, int | None]] = []
    for duty in site.duties:
        if duty.staff != staff:
            continue
        boundary = next_boundary(duty.hours, from_at, cal)
        if within(duty.hours, from_at, cal):
            found.append((duty, boundary))
        elif boundary is not None and boundary <= to_at:
            found.append((duty, next_boundary(duty.hours, boundary, cal)))
    return found


def _rota(site: Site) -> Rota:
    """The site's grouped duties, made once per site value: it lives and dies with it."""
    known = site.__dict__.get("rota")
    if isinstance(known, Rota):
        return known
    rooms: dict[str, list[Place]] = {}
    for place in site.places.values():
        if place.point == "bed" and place.room:
            rooms.setdefault(place.room, []).append(place)
    rota = Rota(
        cal=calendar(site.zone, site.holidays),
        duties=tuple(_index((duty.hours, duty) for duty in site.duties).items()),
        covers=tuple(_index((cover.hours, cover) for cover in site.covers).items()),
        paths=tuple(sorted(site.places)),
        rooms={room: tuple(beds) for room, beds in rooms.items()},
    )
    site.__dict__["rota"] = rota
    return rota


def _open(groups: Iterable[tuple[Hours, tuple[T, ...]]], now: int, cal: Calendar) -> list[T]:
    return [item for hours, items in groups if within(hours, now, cal) for item in items]


def _index(pairs: Iterable[tuple[K, T]]) -> dict[K, tuple[T, ...]]:
    lists: dict[K, list[T]] = {}
    for key, item in pairs:
        lists.setdefault(key, []).append(item)
    return {key: tuple(items) for key, items in lists.items()}


def _union(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return known + tuple(item for item in more if item not in known)


def _care_teams(rota: Rota, on_duty: Iterable[OnDuty]) -> dict[str, tuple[str, ...]]:
    """Place path → staff, prefixes expanded. A room and its WC have the people of all its beds as well."""
    teams: dict[str, dict[str, None]] = {}  # the inner dict is an ordered set
    for entry in on_duty:
        for prefix in entry.beds:
            for path in _below(rota.paths, prefix):
                teams.setdefault(path, {})[entry.staff] = None
    by_bed = {path: tuple(team) for path, team in teams.items()}
    for room, beds in rota.rooms.items():
        people: tuple[str, ...] = ()
        for bed in beds:
            people = _union(people, by_bed.get(bed.path, ()))
        if people:
            for path in _below(rota.paths, room):
                # A bed without a care team is a gap to be seen, not to be papered over by its neighbour.
                if all(path != bed.path for bed in beds):
                    by_bed[path] = _union(by_bed.get(path, ()), people)
    return by_bed


def _below(paths: tuple[str, ...], prefix: str) -> list[str]:
    """The sorted paths equal to `prefix` or below it."""
    exact = bisect_left(paths, prefix)
    found = [prefix] if exact < len(paths) and paths[exact] == prefix else []
    return found + list(paths[bisect_left(paths, prefix + "/") : bisect_left(paths, prefix + "0")])
