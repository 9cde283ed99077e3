"""What is a trial now: pure functions over signals, tests, walks and the site."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core import trials
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.trials import Maintenance, Test, Verified
from tests.support.intake import BED, small_site, small_world

NOW = 1_000_000
WORLD = small_world()


def call(place: str = BED, kind: Kind = Kind.PATIENT_CALL, event: SignalEvent = SignalEvent.START) -> Signal:
    """A call of the plant."""
    return Signal(source="plant", event=event, key="k", place=place, kind=kind, priority=Priority.MEDIUM)


def mode(**fields: object) -> Test:
    """Test mode for ten seconds from now."""
    usual = {"id": "t", "by": "anna", "from_at": NOW, "until_at": NOW + 10_000}
    return Test(**(usual | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(("at", "fits"), [(-1, False), (0, True), (9_999, True), (10_000, False)])
def test_a_test_has_a_beginning_and_an_end(at: int, fits: bool) -> None:
    """On both sides of both."""
    found = trials.test_of(call(), [mode(source="plant")], WORLD, NOW + at)
    assert (found is not None) is fits


@pytest.mark.parametrize(
    ("of", "fits"),
    [
        ({"source": "plant"}, True),
        ({"source": "other"}, False),
        ({"place": BED}, True),
        ({"place": "fjall/201"}, True),
        ({"place": "fjall/20"}, False),
        ({"place": "fjall/202"}, False),
    ],
)
def test_a_test_covers_a_source_or_a_place_and_what_lies_below(of: dict[str, str], fits: bool) -> None:
    """A prefix of a name is no place above."""
    assert (trials.test_of(call(), [mode(**of)], WORLD, NOW) is not None) is fits


def test_of_several_tests_a_heard_one_counts() -> None:
    """Somebody wants to hear it."""
    both = [mode(source="plant"), mode(id="h", place=BED, heard=True)]
    found = trials.test_of(call(), both, WORLD, NOW)
    assert found is not None and found.id == "h"


@pytest.mark.parametrize("kind", list(Kind))
def test_emergency_team_and_assault_are_never_a_trial(kind: Kind) -> None:
    """ward.md, "Never possible" 6."""
    never = kind in (Kind.EMERGENCY, Kind.TEAM, Kind.ASSAULT)
    assert trials.may_be_trial(call(kind=kind), WORLD) is not never


def test_a_type_of_a_team_is_never_a_trial_either() -> None:
    """The site's own name for it says the kind."""
    signal = replace(call(), kind=None, type="hjartlarm")
    assert not trials.may_be_trial(signal, WORLD)


@pytest.mark.parametrize("event", [SignalEvent.END, SignalEvent.ACKNOWLEDGED, SignalEvent.PRESENCE])
def test_only_what_begins_something_can_be_a_trial(event: SignalEvent) -> None:
    """An end ends what is open, whatever it is."""
    assert not trials.may_be_trial(call(event=event), WORLD)


def test_a_drill_keeps_the_place_and_the_key_and_nothing_that_rings_higher() -> None:
    """So that the reset finds it; the reason stands with it."""
    drill = trials.as_drill(call(), heard=True, targets=("staff:anna",))
    assert (drill.kind, drill.type, drill.priority, drill.heard) == (Kind.DRILL, None, None, True)
    assert (drill.place, drill.key, drill.targets) == (BED, "k", ("staff:anna",))
    assert drill.mapped_by == ("trial",)


def test_points_count_as_verified_under_the_mapping_they_were_ticked_under() -> None:
    """A source nobody walked has no unverified points; another mapping has verified nothing."""
    known = Verified("rules-1", {BED: NOW})
    assert trials.verified(BED, None, "rules-1")
    assert trials.verified(BED, known, "rules-1")
    assert not trials.verified(BED, known, "rules-2")
    assert not trials.verified("elsewhere", known, "rules-1")


def test_the_points_of_a_source_are_those_of_its_units() -> None:
    """Without units of its own, all of the site."""
    site = small_site()
    assert trials.points_of("plant", site) == (BED,)
    plant = replace(site.sources["plant"], units=("202",))
    assert trials.points_of("plant", replace(site, sources={"plant": plant})) == ()


@pytest.mark.parametrize(("at", "count"), [(0, 1), (9_999, 1), (10_000, 0)])
def test_a_banner_stands_from_its_announcement_to_the_end(at: int, count: int) -> None:
    """On the screens of the source's units only."""
    site = small_site()
    windows = {"plant": Maintenance("plant", "anna", NOW + 5_000, NOW + 10_000, "ny nätdel")}
    clock = {"plant": "2026-11-23 14:00-15:00"}
    shown = trials.banners(site, windows, "202", NOW + at, clock)
    assert len(shown) == count
    assert all(text.startswith("Underhåll 2026-11-23 14:00-15:00: plant.") for text in shown)
    assert trials.banners(site, windows, "201", NOW, clock) == ()
    english = trials.banners(replace(site, language="en"), windows, "202", NOW, clock)
    assert "listen in the corridor. ny nätdel" in english[0]


@pytest.mark.parametrize("because", ["floor_word:AKUT", "espa_priority:1", "espax:emergency"])
def test_what_is_never_below_high_is_never_a_trial(because: str) -> None:
    """Whatever kind it was mapped to (ward.md, floor words and ESPA priority 1)."""
    signal = replace(call(), priority=Priority.HIGH, mapped_by=("rule:1", because))
    assert not trials.may_be_trial(signal, WORLD)
    assert trials.may_be_trial(replace(signal, mapped_by=("rule:1",)), WORLD)
