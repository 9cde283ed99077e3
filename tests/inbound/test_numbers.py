"""A known number among a source's words: whom it rings, what wins, and what stays as it was."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.events import Signal
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import AlarmType, MappingRule, Number, Place, Site, SourceRules
from alarmhub.inbound.mapping import Telegram, map_telegram

RULES = (
    MappingRule(text=r"Sal (?P<room>\d+)", place="f/201/{room}"),
    MappingRule(text="KALIUM", kind=Kind.REQUEST, priority=Priority.HIGH),
    MappingRule(text="LUGNT", priority=Priority.LOW),
    MappingRule(text="PROV", kind=Kind.DRILL),
)
LAB = SourceRules("lab", "Labbet", "f", "lab", rules=RULES, default_kind=Kind.REQUEST)
SITE = Site(
    version=1,
    site="f",
    name="Fjällmark",
    zone="Europe/Stockholm",
    language="sv",
    holidays=frozenset(),
    floor_words=("AKUT",),
    units={},
    places={"f/201/2": Place("f/201/2", "sal 2", "201", "room", "f/201/2")},
    roles={},
    staff={},
    duties=(),
    covers=(),
    types={"heart": AlarmType("heart", Kind.TEAM, "Hjärtlarm")},
    policies={},
    newest={},
    policy_rules=(),
    sources={"lab": LAB},
    numbers=(
        Number("1042", "1042", ("staff:anna",), "201", staff="anna", label="Anna"),
        Number("2010", "2019", ("unit",), "201", kind=Kind.PATIENT_CALL, priority=Priority.MEDIUM),
        Number("9001", "9001", type="heart"),
    ),
)


def said(address: str, text: str, call_type: str = "3") -> Signal:
    """The signal of one telegram."""
    (signal,) = map_telegram(Telegram(address, text, call_type=call_type), LAB, SITE)
    return signal


def test_a_number_is_a_target() -> None:
    """Its people, its unit behind them, its kind and priority; the source's own words stay."""
    page = said("1042", "Provsvar klart")
    assert (page.targets, page.unit, page.place) == (("staff:anna",), "201", "")
    assert (page.ref, page.source_text) == ("1042", "Provsvar klart")
    assert page.mapped_by == ("no_rule", "number:1042 Anna")
    ward = said("2013", "Ring labbet")
    assert (ward.targets, ward.unit, ward.kind, ward.priority) == (
        ("unit",), "201", Kind.PATIENT_CALL, Priority.MEDIUM,
    )  # fmt: skip
    assert said("9001", "vuxen").type == "heart"


def test_a_place_found_by_a_rule_needs_no_number() -> None:
    """Who answers there is the place's own business."""
    call = said("2010", "Sal 2")
    assert (call.place, call.targets, call.unit, call.kind) == ("f/201/2", (), None, None)


def test_a_place_nobody_knows_leaves_it_to_the_number() -> None:
    """Better the ward that was dialled than the source's fallback."""
    call = said("2010", "Sal 77")
    assert (call.place, call.unit, call.targets) == ("f/201/77", "201", ("unit",))


def test_a_rule_says_what_it_is_and_the_number_whom_it_rings() -> None:
    """Kind and priority of the rule win, but nothing rings lower for it."""
    page = said("1042", "KALIUM 6,9")
    assert (page.kind, page.priority, page.targets) == (Kind.REQUEST, Priority.HIGH, ("staff:anna",))
    assert said("2010", "LUGNT").priority is Priority.MEDIUM
    assert said("2010", "AKUT").priority is Priority.HIGH


def test_no_rule_makes_less_of_what_was_dialled() -> None:
    """Whoever dials the heart team gets it, whatever a rule finds in the words; a drill stays one."""
    heart = said("9001", "KALIUM 6,9")
    assert (heart.kind, heart.type, heart.priority) == (None, "heart", Priority.HIGH)
    ward = said("2010", "KALIUM 6,9")
    assert (ward.kind, ward.type) == (Kind.PATIENT_CALL, None)
    drill = said("9001", "PROV")
    assert (drill.kind, drill.type) == (Kind.DRILL, None)


def test_an_address_nobody_knows_stays_as_it_was() -> None:
    """It rings the source's fallback unit."""
    for address in ("2020", "", "abc", "2010x"):
        page = said(address, "hej")
        assert (page.targets, page.unit, page.mapped_by) == ((), None, ("no_rule",))


@pytest.mark.parametrize(
    ("text", "callback"),
    [
        ("4711", "4711"),
        ("090-785 00 00", "090-785 00 00"),
        ("+46907850000", "+46907850000"),
        (" *21# ", "*21#"),
        ("Ring 4711", None),
        ("**", None),
        ("", None),
        ("1" * 40, None),
    ],
)
def test_nothing_but_digits_is_a_number_to_call_back(text: str, callback: str | None) -> None:
    """As on a numeric pager; words are words."""
    assert said("1042", text).callback == callback
    assert said("4712", text).callback == callback


def test_a_reset_calls_nobody_back_and_means_the_same_people() -> None:
    """An end is found by the same targets as its start."""
    start, end = said("2010", "4711"), said("2010", "4711", call_type="1")
    assert end.callback is None and (end.targets, end.unit) == (start.targets, start.unit)
    assert replace(end, event=start.event, callback="4711", mapped_by=start.mapped_by) == start
