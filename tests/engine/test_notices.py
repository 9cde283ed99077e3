"""What the hub itself has to say: to whom, how loud, in words staff understand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import Site
from alarmhub.engine import notices
from tests.support.ward import T0, Ward

SITE = Ward().site


def with_plant(**fields: object) -> Site:
    """The ward's plant, changed."""
    plant = replace(SITE.sources["plant"], **fields)
    return replace(SITE, sources={**SITE.sources, "plant": plant})


def test_a_silent_source_goes_to_the_engineer_and_to_every_affected_unit() -> None:
    """The engineer once; each unit once, high, in plain words; the return takes back exactly those."""
    site = with_plant(units=("201", "202"))
    down = notices.link(site, "plant", up=False)
    assert [(s.type, s.unit, s.priority) for s in down] == [
        ("source_lost", "desk", Priority.MEDIUM),
        ("calls_not_arriving", "201", Priority.HIGH),
        ("calls_not_arriving", "202", Priority.HIGH),
    ]
    assert down[0].targets == () and down[1].targets == ("unit",)
    assert "når INTE telefonerna" in down[1].text and "Avd 201" in down[1].text
    up = notices.link(site, "plant", up=True)
    assert [s.event for s in up] == [SignalEvent.END] * 3
    assert [s.key for s in up] == [s.key for s in down]


def test_a_source_without_units_concerns_its_fallback_unit() -> None:
    """Somebody is always told."""
    assert [s.unit for s in notices.link(SITE, "plant", up=False)] == ["desk", "201"]


def test_a_source_nobody_knows_says_nothing() -> None:
    """It was removed from the site meanwhile."""
    assert notices.link(SITE, "gone", up=False) == []


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_notice_has_words_of_its_own_in_both_languages(language: str) -> None:
    """Technical, no floor of care, keyed so that a repeat raises the count."""
    site = replace(SITE, language=language)
    said: list[Signal] = [
        *notices.link(site, "plant", up=False),
        notices.nonsense(site, "plant"),
        notices.poison(site, "x"),
        notices.clock_jumped(site, 6_000),
        notices.phones_lost(site, "201", 4),
    ]
    for signal in said:
        assert signal.source == notices.HUB and signal.kind is Kind.TECHNICAL and signal.text
        assert signal.unit in site.units and signal.key == signal.ref
    assert len({s.text for s in said}) == len(said) == len({s.key for s in said})


def test_words_differ_by_language() -> None:
    """Swedish on a Swedish site, English elsewhere."""
    english = replace(SITE, language="en")
    assert notices.poison(SITE, "x").text != notices.poison(english, "x").text


def test_lost_phones_go_to_cover_and_engineer() -> None:
    """Not to the phones that are lost."""
    signal = notices.phones_lost(SITE, "201", 4)
    assert signal.targets == ("cover", "role:duty_engineer") and "4 telefoner på Avd 201" in signal.text


def test_a_site_without_units_or_places_still_speaks() -> None:
    """Before anything was loaded the hub can report its own faults."""
    site = notices.empty_site()
    assert notices.poison(site, "x").unit == ""
    assert notices.link(site, "plant", up=False) == []
    assert notices.unstaffed(site, T0, T0 + 1, set(), {}) == ([], set())


def test_the_key_of_a_long_cause_stays_short() -> None:
    """A lane can be as long as a plant's text."""
    assert len(notices.poison(SITE, "x" * 5_000).key) <= 200


def test_an_empty_ward_is_warned_of_once_per_gap() -> None:
    """While it is coming nothing is said again; a ward that is empty already is no news."""
    site = replace(SITE, covers=(), duties=tuple(d for d in SITE.duties if d.staff != "olle"))
    assert notices.unstaffed(site, T0, T0 + 1_800_000, set(), {}) == ([], set()), "empty now and then"
    bounded = replace(SITE.duties[6], hours=replace(SITE.duties[6].hours, to_at=T0 + 900_000))
    assert bounded.staff == "olle"
    site = replace(site, duties=(*site.duties, bounded))
    said, warned = notices.unstaffed(site, T0, T0 + 1_800_000, set(), {})
    assert [(s.type, s.unit) for s in said] == [("unit_unstaffed", "205")] and warned == {"205"}
    again, warned = notices.unstaffed(site, T0 + 30_000, T0 + 1_830_000, warned, {})
    assert again == [] and warned == {"205"}
    over, warned = notices.unstaffed(site, T0 + 900_001, T0 + 2_700_001, warned, {})
    assert over == [] and warned == set()


def test_a_substitute_is_asked_by_name_and_the_word_ends_under_the_same_key() -> None:
    """A request of her alone, in the site's language, about the unit she answers for."""
    signal = notices.stands_in(SITE, "olle", "eva", "205")
    over = notices.stands_in_no_more(SITE, "olle")
    assert (signal.kind, signal.targets, signal.unit) == (Kind.REQUEST, ("staff:eva",), "205")
    assert signal.text == "Eva svarar för Avd 205 medan Olle är borta"
    assert (over.event, over.source, over.key) == (SignalEvent.END, signal.source, signal.key)
    english = notices.stands_in(replace(SITE, language="en"), "olle", "gone", "999")
    assert english.text == "gone answers for 999 while Olle is away"


def test_a_test_ring_is_a_heard_drill_of_one_person_and_known_as_hers() -> None:
    """Each has a key of its own, so that another rings anew."""
    first, second = (notices.trial_ring(SITE, "eva", "202", at) for at in (T0, T0 + 1))
    assert (first.kind, first.heard, first.targets) == (Kind.DRILL, True, ("staff:eva",))
    assert first.key != second.key
    ward = Ward()
    (id,) = ward.take(first)
    assert notices.is_trial_ring(ward.alarms[id], "eva")
    assert not notices.is_trial_ring(ward.alarms[id], "ev")
    assert not notices.is_trial_ring(ward.press("12/1").alarm, "eva")
