"""Every reason has words in both languages, in ward speech, with the site's names in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import alarmhub.core
from alarmhub.core import shifts, words
from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.answering import ERRORS
from alarmhub.core.events import Answer
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.reasons import Reason
from alarmhub.core.sentences import REASONS
from alarmhub.core.site import AlarmType, Place, Role, Site, SourceRules, Staff, Unit
from alarmhub.core.wording import (
    _RENDERERS,
    CODES,
    answer_label,
    error_label,
    flag_label,
    kind_label,
    phase_label,
    plain,
    priority_label,
    type_label,
    why_label,
)

CORE = Path(alarmhub.core.__file__).parent
SAYS = {"say": 1, "refuse": 2, "Reason": 0, "give_back": 2}
"""Who records a reason, and which argument is its code."""
PASSED_ON = {("draft.py", "code"), ("deadlines.py", "because")}
"""Functions that hand a code on which they were given; their callers are scanned instead."""


def calls(*names: str) -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in core of a function with one of these names: file, call, function."""
    for path in sorted(CORE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield path.name, node, node.func.id


def strings(node: ast.expr) -> Iterator[str]:
    """The literals an argument can be: one, or either side of a conditional."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from strings(node.body)
        yield from strings(node.orelse)


def used_codes() -> set[str]:
    """Every code core can record; a code that is no literal is a fault of the test's own list."""
    found: set[str] = set()
    for file, call, name in calls(*SAYS):
        code = call.args[SAYS[name]]
        if isinstance(code, ast.Name):
            assert (file, code.id) in PASSED_ON, f"{file}:{call.lineno}: {ast.unparse(call)}"
            continue
        literals = set(strings(code))
        assert literals, f"{file}:{call.lineno}: {ast.unparse(call)}"
        found |= literals
    return found


def site() -> Site:
    """A ward of one nurse."""
    return Site(
        version=1,
        site="f",
        name="F",
        zone="Europe/Stockholm",
        language="sv",
        holidays=frozenset(),
        floor_words=(),
        units={"201": Unit("201", "Avd 201", "f"), "202": Unit("202", "Avd 202", "f")},
        places={"f/201/12/1": Place("f/201/12/1", "sal 12 plats 1", "201", "bed", "f/201/12")},
        roles={"duty_engineer": Role("duty_engineer", "driftjour")},
        staff={"anna": Staff("anna", "Anna Ek"), "bo": Staff("bo", "Bo Ström")},
        duties=(),
        covers=(),
        types={"hjartlarm": AlarmType("hjartlarm", Kind.TEAM, "Hjärtlarm vuxen", "Adult cardiac arrest")},
        policies={},
        newest={},
        policy_rules=(),
        sources={"plant": SourceRules("plant", "Kallelseanläggningen", "f", "201")},
    )


def test_every_code_core_records_has_words_and_no_words_lie_idle() -> None:
    """The vocabulary is closed in both directions."""
    assert used_codes() == CODES


@pytest.mark.parametrize("code", sorted(REASONS))
def test_both_languages_say_the_same_facts(code: str) -> None:
    """Swedish and English put in the same facts, in types the renderer knows, and end as sentences."""
    swedish, english = REASONS[code]
    field = re.compile(r"\{(\w+):(\w+)\}")
    assert set(field.findall(swedish)) == set(field.findall(english))
    assert {type_ for _, type_ in field.findall(swedish)} <= set(_RENDERERS)
    for text in (swedish, english):
        assert text.endswith((".", ".]")) and text.count("[") == text.count("]")


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_template_asks_only_for_facts_that_core_gives(code: str) -> None:
    """Each `{fact:type}` is an argument of every call that records the code (or of one that adds to it)."""
    given: dict[str, set[str]] = {}
    for _, call, name in calls(*SAYS):
        if name == "give_back":
            for literal in strings(call.args[2]):
                given.setdefault(literal, set()).add("staff")
            continue
        for literal in strings(call.args[SAYS[name]]):
            given.setdefault(literal, set()).update(k.arg for k in call.keywords if k.arg)
    given["ended"].add("staff")  # `end(draft, by, **facts)`
    given["rings_again"].add("late")  # `ring_again(draft, ..., **facts)`
    wanted = {name for name, _ in re.findall(r"\{(\w+):(\w+)\}", REASONS[code][0])}
    assert wanted <= given[code]


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (words.KINDS, Kind),
        (words.PRIORITIES, Priority),
        (words.PHASES, Phase),
        (words.FLAGS, Flag),
        (words.ANSWERS, Answer),
        (words.ERRORS, (*ERRORS, *shifts.ERRORS)),
    ],
)
def test_every_name_of_the_contract_has_its_label(
    table: dict[str, words.Both], names: tuple[str, ...]
) -> None:
    """Kinds, priorities, phases, flags, answers and errors: all of them and nothing else."""
    assert set(table) == {str(name) for name in names}
    assert all(text for both in table.values() for text in both)


def test_why_a_step_passed_and_by_what_an_alarm_ended_have_words() -> None:
    """Facts that are themselves names from closed lists (`because`, `by`) are words, not codes."""
    for keyword, table in (("because", words.BECAUSE),):
        literals = {
            literal
            for _, call, _ in calls("say", "ring_again")
            for k in call.keywords
            if k.arg == keyword
            for literal in strings(k.value)
        }
        literals |= {s for _, call, _ in calls("pass_on", "pass_if_hopeless") for s in strings(call.args[1])}
        assert literals <= set(table)
    ends = {s for _, call, _ in calls("end") for s in strings(call.args[1])}
    ends |= {s for _, call, _ in calls("Ended") for s in strings(call.args[0])}
    assert ends <= set(words.ENDED_BY)


def test_no_text_says_kvittera() -> None:
    """It means reset in the room to some and accept on the phone to others."""
    for table in (REASONS, words.ANSWERS, words.ERRORS, words.FLAGS, words.PHASES, words.BECAUSE):
        assert not [text for both in table.values() for text in both if "kvitter" in text.lower()]


def test_buttons_say_what_the_ward_says() -> None:
    """ward.md, "Words"."""
    wanted = ["Jag tar den", "På plats", "Klar", "Kan inte", "Kommer strax", "Lämna tillbaka", "Hjälp hit"]
    answers = ["accept", "attend", "done", "decline", "hold", "release", "help"]
    assert [answer_label(a, "sv") for a in answers] == wanted
    assert answer_label("accept", "en") == "I'll take it"


def test_names_come_from_the_site() -> None:
    """People, units, places, roles and sources are shown by name; who is unknown by id."""
    raised = Reason(
        "raised",
        {"source": "plant", "kind": "patient_call", "place": "f/201/12/1", "unit": "201", "priority": "low"},
    )
    assert plain(raised, "sv", site()) == (
        "Larm från Kallelseanläggningen: patientkallelse, sal 12 plats 1, Avd 201, prioritet låg."
    )
    turn = Reason(
        "turn_started",
        {
            "told": ["anna:care_team", "bo:role:duty_engineer", "kim:staff:kim"],
            "left_out": ["bo:break"],
            "unreachable": [],
            "next_step_at": 1_764_000_000_000,
        },
    )
    assert plain(turn, "sv", site()) == (
        "Ringer Anna Ek (vårdlag), Bo Ström (driftjour), kim. Inte: Bo Ström (rast). Går vidare 17:00:00."
    )
    assert plain(Reason("covered_by", {"unit": "201", "by": ["202"]}), "en", site()) == (
        "Avd 202 answers for Avd 201 now."
    )


def test_what_has_nothing_to_say_is_left_out() -> None:
    """Optional parts go with their facts, and an alternative stands in where there is one."""
    assert plain(Reason("accepted", {"staff": "anna", "role": ""}), "sv", site()) == "Anna Ek tar det."
    assert plain(Reason("accepted", {"staff": "anna", "role": "ward"}), "sv", site()) == (
        "Anna Ek tar det som avdelningens personal."
    )
    back = Reason("acceptor_contact", {"staff": "anna", "lost_at": None})
    assert plain(back, "sv", site()) == "Kontakten med Anna Ek är tillbaka."
    assert (
        plain(Reason("extended", {"staff": "anna", "by_s": 180}), "sv", site())
        == "Anna Ek behöver 3 min till."
    )


def test_a_text_with_brackets_and_braces_is_shown_as_it_is() -> None:
    """What a person wrote is never read as a template."""
    declined = Reason("declined", {"staff": "anna", "reason": "{staff:staff} [sal 3]"})
    assert plain(declined, "en", site()) == "Anna Ek can't: {staff:staff} [sal 3]."


def test_history_outlives_the_vocabulary() -> None:
    """A code or a fact nobody knows any more is shown as it is, and nothing raises."""
    assert plain(Reason("once_upon_a_time", {"x": 1}), "sv", site()) == "once upon a time"
    for code in CODES:
        for language in words.LANGUAGES:
            assert plain(Reason(code), language, site())


def test_labels_of_types_and_of_why_a_phone_rings() -> None:
    """The site's own names first; kinds, notices and target words else."""
    assert type_label("hjartlarm", "sv", site()) == "Hjärtlarm vuxen"
    assert type_label("hjartlarm", "en", site()) == "Adult cardiac arrest"
    assert type_label("toilet_call", "sv", site()) == kind_label("toilet_call", "sv") == "WC-kallelse"
    assert type_label("untouched_phone", "en", site()) == "phone nobody has touched"
    assert why_label("care_team", "sv", site()) == "vårdlag"
    assert why_label("role:duty_engineer", "en", site()) == "driftjour"
    assert why_label("unit:201", "sv", site()) == "Avd 201"
    assert why_label("role:duty_engineer@201", "sv", site()) == "driftjour Avd 201"
    assert why_label("beds:f/201/12", "sv", site()) == "vårdlag"
    assert error_label("taken", "en") == "A colleague has already taken it."
    assert (priority_label("high", "sv"), phase_label("accepted", "sv")) == ("hög", "någon kommer")
    assert flag_label("place_unknown", "sv") == "okänd plats"


def test_who_is_handed_an_alarm_reads_by_whom() -> None:
    """Why it rings here, with the colleague's name."""
    assert why_label("handed_over:anna", "sv", site()) == "lämnades över av Anna Ek"
    assert why_label("handed_over:gone", "en", site()) == "handed over by gone"
