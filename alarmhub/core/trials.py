"""Test mode, maintenance and walk tests: what of a source's signals is a trial now, as pure functions.

A trial never outlives its end (two hours at most), and never concerns an emergency, a team or an assault
(ward.md, "Never possible" 6). What is in doubt is real: an alarm that is open stays what it is, and a trial
forgotten in a crash only makes things ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.signalling import kind_of
from alarmhub.core.site import Site
from alarmhub.core.world import World

LONGEST_S: Final = 2 * 3600
NEVER: Final = frozenset({Kind.EMERGENCY, Kind.TEAM, Kind.ASSAULT})
_FLOORS: Final = ("floor_word:", "espa_priority:1", "espax:emergency")
"""Reasons of a mapping that say it is never below high, whatever kind it was mapped to."""
BEGINS: Final = frozenset({SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE})


class Test(Struct, frozen=True):
    """Test mode of a place (and all below it) or of a source. `heard`: phones show and speak PROV."""

    __test__ = False  # no test case, whatever its name

    id: str
    by: str
    from_at: int
    until_at: int
    source: str = ""
    place: str = ""
    heard: bool = False


class Maintenance(Struct, frozen=True):
    """A source is worked on: its silence is announced, its units see a banner, a drill ends it."""

    source: str
    by: str
    from_at: int
    until_at: int
    note: str = ""


class Pressed(Struct, frozen=True):
    """A point that was pressed in a walk test, and what the hub made of it."""

    at: int
    kind: str
    text: str


class Walk(Struct, frozen=True):
    """A walk test (gångprov) under way: what `by` presses rings silently, at nobody else's phone."""

    source: str
    by: str
    from_at: int
    until_at: int
    pressed: dict[str, Pressed] = field(default_factory=dict)


class Verified(Struct, frozen=True):
    """The points of a source that an engineer has ticked, each with when. `rules`: hash of the mapping they
    were ticked under; another mapping has verified nothing."""

    rules: str
    points: dict[str, int] = field(default_factory=dict)


def test_of(signal: Signal, tests: Iterable[Test], world: World, now: int) -> Test | None:
    """The test mode this signal falls under. A heard one wins over a silent one."""
    fits = [test for test in tests if test.from_at <= now < test.until_at and _covers(test, signal, world)]
    return max(fits, key=lambda test: test.heard, default=None)


def _covers(test: Test, signal: Signal, world: World) -> bool:
    if test.source:
        return test.source == signal.source
    return signal.place == test.place or signal.place.startswith(f"{test.place}/")


def may_be_trial(signal: Signal, world: World) -> bool:
    """Whether it begins something that a trial may concern at all: no kind that never is one, and no words or
    priority of the plant that say so whatever it was mapped to."""
    said = any(reason.startswith(_FLOORS) for reason in signal.mapped_by)
    return signal.event in BEGINS and not said and kind_of(signal, world)[0] not in NEVER


def as_drill(signal: Signal, *, heard: bool, targets: tuple[str, ...] = ()) -> Signal:
    """The same signal as a drill: never escalated, ended by itself, interrupted by a real alarm."""
    return replace(
        signal,
        kind=Kind.DRILL,
        type=None,
        priority=None,
        heard=heard,
        targets=targets,
        mapped_by=(*signal.mapped_by, "trial"),
    )


def hears(by: str, world: World) -> bool:
    """Whether who walks can hear what is pressed. Pressed for somebody who cannot, it would reach nobody."""
    duties = world.roster.by_staff.get(by, ())
    away = any(duty.availability in ("busy", "break") for duty in duties)
    return not away and world.reach.get(by, Reach.NONE) not in (Reach.NONE, Reach.ONE_WAY)


def verified(place: str, known: Verified | None, rules: str) -> bool:
    """Whether a point counts as verified. A source nobody ever walked has no unverified points."""
    return known is None or (known.rules == rules and place in known.points)


def points_of(source: str, site: Site) -> tuple[str, ...]:
    """The points a walk of this source should press: beds, WCs and others in its units, else everywhere."""
    rules = site.sources.get(source)
    units = set(rules.units) if rules is not None and rules.units else set(site.units)
    return tuple(p.path for p in site.places.values() if p.unit in units and p.point != "room")


def banners(
    site: Site, maintenances: Mapping[str, Maintenance], unit: str, now: int, clock: Mapping[str, str]
) -> tuple[str, ...]:
    """What stands on the screens of a unit while a source of its is worked on, or soon will be.

    `clock`: from and until of each source's window, as the site's wall clock shows them.
    """
    shown = []
    for source, window in maintenances.items():
        rules = site.sources.get(source)
        name = rules.name if rules is not None else source
        if now >= window.until_at or (rules is not None and unit not in units_of(site, source)):
            continue
        hours = clock[source]
        if site.language == "sv":
            text = f"Underhåll {hours}: {name}. Kallelser därifrån kan utebli, lyssna i korridoren."
        else:
            text = f"Maintenance {hours}: {name}. Its calls may not arrive, listen in the corridor."
        shown.append(f"{text} {window.note}".strip())
    return tuple(shown)


def units_of(site: Site, source: str) -> tuple[str, ...]:
    """The units a source's silence concerns."""
    rules = site.sources.get(source)
    if rules is None:
        return ()
    return rules.units or (rules.fallback_unit,)
