"""From a plant's words to a place: rules, floors, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.roster import roster_at
from alarmhub.core.site import AlarmType, MappingRule, Place, Sample, Site, SourceRules
from alarmhub.core.trials import may_be_trial
from alarmhub.core.world import World
from alarmhub.inbound.mapping import (
    MAX_TEXT_CHARS,
    Telegram,
    Words,
    clean,
    effective,
    floor_word,
    map_telegram,
    map_words,
    sample_mismatch,
    unmapped,
)

FLOOR_WORDS = ("HJÄRT", "AKUT", "NÖD", "ÖVERFALL")
BED = r"[Ss]al (?P<room>\d+) plats (?P<bed>\d)"
RULES = (
    MappingRule(text=rf"WC {BED}", place="fj/201/{room}/wc", kind=Kind.TOILET_CALL),
    MappingRule(text=rf"NÄRV {BED}", place="fj/201/{room}", event="presence_on"),
    MappingRule(text=rf"KLAR {BED}", place="fj/201/{room}/{bed}", event="end"),
    MappingRule(address="^9001$", type="hjartlarm", place="fj/201/2", event="once"),
    MappingRule(text=BED, place="fj/201/{room}/{bed}"),
    MappingRule(address=r"^70(?P<n>\d\d)$", kind=Kind.TECHNICAL, priority=Priority.LOW),
)
PLANT = SourceRules(id="plant", name="Plant", site="fj", fallback_unit="201", protocol="espa", rules=RULES)


def place(path: str, point: str = "bed") -> Place:
    """A place of unit 201."""
    return Place(path, path, "201", point, "/".join(path.split("/")[:3]))


SITE = Site(
    version=1,
    site="fj",
    name="Fjällmark",
    zone="Europe/Stockholm",
    language="sv",
    holidays=frozenset(),
    floor_words=FLOOR_WORDS,
    units={},
    places={p.path: p for p in (place("fj/201/2", "room"), place("fj/201/2/1"), place("fj/201/2/wc", "wc"))},
    roles={},
    staff={},
    duties=(),
    covers=(),
    types={"hjartlarm": AlarmType("hjartlarm", Kind.TEAM, "Hjärtlarm vuxen", priority=Priority.HIGH)},
    policies={},
    newest={},
    policy_rules=(),
    sources={"plant": PLANT},
)


def mapped(address: str = "2010", text: str = "", priority: str = "3", call_type: str = "3") -> Signal:
    """The one signal of a telegram."""
    (signal,) = map_telegram(Telegram(address, text, priority, call_type), PLANT, SITE)
    return signal


def test_a_call_becomes_a_place_with_the_plants_own_words_beside_it() -> None:
    """The bed by the rule's groups; address and text stay, so that a status can name the call."""
    signal = mapped(text="Sal 2 plats 1")
    assert (signal.source, signal.event, signal.place) == ("plant", SignalEvent.START, "fj/201/2/1")
    assert (signal.ref, signal.source_text) == ("2010", "Sal 2 plats 1")
    assert (signal.kind, signal.type, signal.priority) == (None, None, None)
    assert signal.mapped_by == ("rule:5",)
    assert effective(signal, PLANT, SITE) == (Kind.PATIENT_CALL, Priority.LOW)


def test_the_first_rule_that_fits_wins() -> None:
    """A WC call also looks like a bed; the order of the rules decides."""
    signal = mapped(text="WC Sal 2 plats 1")
    assert (signal.place, signal.kind) == ("fj/201/2/wc", Kind.TOILET_CALL)
    assert signal.mapped_by == ("rule:1",)


def test_padded_numbers_find_their_place() -> None:
    """Plants write "sal 02"; the site says 2."""
    assert mapped(text="Sal 02 plats 1").place == "fj/201/2/1"


def test_a_place_the_site_does_not_have_is_said_and_still_rings() -> None:
    """The path as the rule made it, with the reason."""
    signal = mapped(text="Sal 77 plats 1")
    assert signal.place == "fj/201/77/1"
    assert signal.mapped_by == ("rule:5", "place_unknown:fj/201/77/1")


def test_what_no_rule_fits_is_a_call_without_a_place() -> None:
    """Never dropped: the engine sends it to the source's fallback unit."""
    signal = mapped(address="4711", text="???")
    assert (signal.event, signal.place, signal.mapped_by) == (SignalEvent.START, "", ("no_rule",))


def test_a_group_that_did_not_take_part_leaves_the_place_open() -> None:
    """An optional group of a pattern may be empty; no half path is made of it."""
    plant = replace(PLANT, rules=(MappingRule(text=r"Sal (?P<room>\d+)?", place="fj/201/{room}"),))
    (signal,) = map_telegram(Telegram("1", "Sal x"), plant, SITE)
    assert (signal.place, signal.mapped_by) == ("", ("rule:1", "place_part_missing:room"))


@pytest.mark.parametrize(
    ("text", "call_type", "event", "present"),
    [
        ("Sal 2 plats 1", "3", SignalEvent.START, None),
        ("Sal 2 plats 1", "1", SignalEvent.END, None),
        ("KLAR Sal 2 plats 1", "3", SignalEvent.END, None),
        ("KLAR Sal 2 plats 1", "1", SignalEvent.END, None),
        ("NÄRV Sal 2 plats 1", "3", SignalEvent.PRESENCE, True),
        ("NÄRV Sal 2 plats 1", "1", SignalEvent.PRESENCE, False),
        ("???", "1", SignalEvent.END, None),
        ("Sal 2 plats 1", "0", SignalEvent.START, None),
        ("Sal 2 plats 1", "01", SignalEvent.START, None),
        ("Sal 2 plats 1", "71", SignalEvent.START, None),
    ],
)
def test_what_a_telegram_says(text: str, call_type: str, event: SignalEvent, present: bool | None) -> None:
    """Reset ends, a reset presence is gone, and any call type that is not reset is a call."""
    signal = mapped(text=text, call_type=call_type)
    assert (signal.event, signal.present) == (event, present)


def test_a_rule_that_says_once_is_believed_against_the_call_type() -> None:
    """Some plants send type 1 with everything: losing a call would be worse than ringing after a reset."""
    signal = mapped(address="9001", text="HJÄRTLARM", call_type="1")
    assert signal.event is SignalEvent.ONCE
    assert "event_by_rule:once" in signal.mapped_by
    assert effective(signal, PLANT, SITE) == (Kind.TEAM, Priority.HIGH)


def test_a_speech_call_offers_to_call_back() -> None:
    """Call type 2: the number called is where to speak."""
    assert mapped(text="Sal 2 plats 1", call_type="2").callback == "2010"
    assert mapped(text="Sal 2 plats 1").callback is None


@pytest.mark.parametrize(
    ("address", "text", "espa", "expected"),
    [
        ("7001", "Larm kyl", "3", Priority.LOW),
        ("7001", "Larm kyl", "2", Priority.LOW),
        ("7001", "Larm kyl", "1", Priority.HIGH),
        ("7001", "akutlarm", "3", Priority.HIGH),
        ("4711", "Larm kyl", "2", Priority.MEDIUM),
        ("4711", "Larm kyl", "3", None),
        ("4711", "Larm kyl", "9", None),
    ],
)
def test_priorities_and_their_floors(address: str, text: str, espa: str, expected: Priority | None) -> None:
    """A rule may name a priority; a floor word and ESPA priority 1 always make it high."""
    assert mapped(address=address, text=text, priority=espa).priority is expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Hjärtlarm sal 3", "HJÄRT"),
        ("HJA\u0308RTLARM", "HJÄRT"),
        ("hjartlarm", "HJÄRT"),
        ("HJ[RTLARM", "HJÄRT"),
        ("Hj{rtlarm", "HJÄRT"),
        ("HJ?RT", "HJÄRT"),
        ("HJ\ufffdRT", "HJÄRT"),
        ("N\\D", "NÖD"),
        ("överfall parkering", "ÖVERFALL"),
        ("Sal 2 plats 1", None),
        ("Nedre botten", None),
        ("hjort", None),
        ("", None),
    ],
)
def test_floor_words_are_found_however_the_line_spells_them(text: str, word: str | None) -> None:
    """A wrong character set must not make a heart alarm a normal call."""
    assert floor_word(text, FLOOR_WORDS) == word


def test_a_list_of_addresses_is_one_signal_each() -> None:
    """ "12,13" in record 1 where the source declares the separator; doubles and blanks left out."""
    plant = replace(PLANT, list_separator=",")
    signals = map_telegram(Telegram("2010, 2011,,2010", "Sal 2 plats 1"), plant, SITE)
    assert [signal.ref for signal in signals] == ["2010", "2011"]
    assert all(signal.mapped_by[0] == "address_of_list:2" for signal in signals)
    (whole,) = map_telegram(Telegram("2010,2011", "Sal 2 plats 1"), PLANT, SITE)
    assert whole.ref == "2010,2011"


def test_signals_of_a_list_are_not_taken_for_repeats_of_each_other() -> None:
    """One key or id for all would ring the first address only; the same list again has the same ones."""
    plant = replace(PLANT, list_separator=",")
    words = Words("2010,2011", "x", key="k", id="i" * 64)
    signals = map_words(words, plant, SITE)
    assert [signal.key for signal in signals] == ["k", "k/1"]
    assert [signal.id for signal in signals] == ["i" * 64, "i" * 60 + "/1"]
    assert map_words(words, plant, SITE) == signals
    bare = map_words(Words("2010,2011", "x"), plant, SITE)
    assert [(signal.key, signal.id) for signal in bare] == [("", None), ("", None)]


def test_long_lists_and_texts_are_bounded() -> None:
    """What a pattern searches and what is stored has a limit."""
    plant = replace(PLANT, list_separator=",")
    signals = map_telegram(Telegram(",".join(map(str, range(1000))), "x" * 9_000), plant, SITE)
    assert len(signals) == 32
    assert all(len(s.source_text) == MAX_TEXT_CHARS and len(s.ref) <= 64 for s in signals)


def test_a_telegram_whose_mapping_failed_still_rings() -> None:
    """The adapter's way out when a rule cannot be run: no rule, the same floors, and the reason."""
    signal = unmapped(Telegram("2010", "NÖDLARM", "3", "3"), PLANT, SITE, "mapping_failed")
    assert (signal.event, signal.priority) == (SignalEvent.START, Priority.HIGH)
    assert signal.mapped_by == ("mapping_failed", "floor_word:NÖD")


SAMPLE = Sample("2010", "Sal 2 plats 1", "fj/201/2/1", Kind.PATIENT_CALL, Priority.LOW)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (SAMPLE, None),
        (replace(SAMPLE, call_type="1", event="end"), None),
        (replace(SAMPLE, text="NÄRV Sal 2 plats 1", place="fj/201/2", event="presence_on"), None),
        (Sample("1", "x", None, Kind.PATIENT_CALL, Priority.HIGH, espa_priority="1"), None),
        (Sample("9001", "x", "fj/201/2", Kind.TEAM, Priority.HIGH, event="once"), None),
        (replace(SAMPLE, place=None), "place is fj/201/2/1, expected none (by rule:5)"),
        (replace(SAMPLE, kind=Kind.TOILET_CALL), "kind is patient_call, expected toilet_call"),
        (replace(SAMPLE, priority=Priority.HIGH), "priority is low, expected high"),
        (replace(SAMPLE, event="end"), "event is start, expected end"),
    ],
)
def test_samples_say_what_maps_wrong(sample: Sample, says: str | None) -> None:
    """`site check` runs these; a mismatch names what was got, what was meant, and by which rule."""
    wrong = sample_mismatch(sample, PLANT, SITE)
    assert wrong == says if says is None else (wrong is not None and says in wrong)


@given(
    address=st.text(max_size=300),
    text=st.text(max_size=300),
    priority=st.text(max_size=2),
    kind=st.text(max_size=2),
)
def test_no_words_make_the_mapping_fail(address: str, text: str, priority: str, kind: str) -> None:
    """Any telegram gives at least one signal, with clean text."""
    signals = map_telegram(Telegram(address, text, priority, kind), PLANT, SITE)
    assert signals
    for signal in signals:
        assert signal.source_text == clean(signal.source_text)
        signal.source_text.encode()
        assert "\x00" not in signal.source_text + signal.ref


def test_clean_text_has_no_traps() -> None:
    """NUL, escapes, bidi marks and surrogates never reach a phone or the database."""
    assert clean("a\x00b\x1b[31m\u202ec\ud800d\n") == "a b [31m c\ufffdd "


@pytest.mark.parametrize(
    ("text", "espa", "may"), [("Larm kyl", "1", False), ("akutlarm", "3", False), ("Larm kyl", "2", True)]
)
def test_what_has_a_floor_is_never_a_trial(text: str, espa: str, may: bool) -> None:
    """Its reasons are what `core.trials` goes by."""
    signal = mapped(address="7001", text=text, priority=espa)
    assert may_be_trial(signal, World(SITE, roster_at(SITE, 0, {}), {})) is may
