"""Reasons and labels in plain ward speech, Swedish or English (design.md promise 7; ward.md, "Words").

Rendering only: it reads `core.sentences`, `core.words` and the names of the site. It never raises, for
stored history outlives vocabularies: what it does not know it shows as it is. It refuses to decide anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from alarmhub.core import words
from alarmhub.core.reasons import Reason
from alarmhub.core.sentences import REASONS
from alarmhub.core.site import Site

CODES: Final = frozenset(REASONS)
"""The closed vocabulary: every code a reason may have."""

Fact: TypeAlias = str | int | bool | list[str] | None
_FIELD = re.compile(r"\{(\w+):(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\]|]*)(?:\|([^\]]*))?\]")


def plain(reason: Reason, language: str, site: Site) -> str:
    """A reason as a sentence. `language`: "sv", else English. An unknown code is shown as it is."""
    texts = REASONS.get(reason.code)
    if texts is None:
        return reason.code.replace("_", " ")
    return _rendered(_in(texts, language), reason.facts, language, site)


def kind_label(kind: str, language: str) -> str:
    """What a kind is called on a ward."""
    return _word(words.KINDS, kind, language)


def type_label(type_id: str, language: str, site: Site) -> str:
    """The site's own name for a type; a kind's or a notice's name where the type is the hub's."""
    known = site.types.get(type_id)
    if known is not None:
        return (known.label_en if language != "sv" else "") or known.label
    return _word(words.KINDS if type_id in words.KINDS else words.NOTICES, type_id, language)


def answer_label(answer: str, language: str) -> str:
    """The words on a button."""
    return _word(words.ANSWERS, answer, language)


def error_label(error: str, language: str) -> str:
    """Why an answer was refused, to the person who gave it."""
    return _word(words.ERRORS, error, language)


def priority_label(priority: str, language: str) -> str:
    """A priority's name."""
    return _word(words.PRIORITIES, priority, language)


def phase_label(phase: str, language: str) -> str:
    """A phase as people see it."""
    return _word(words.PHASES, phase, language)


def flag_label(flag: str, language: str) -> str:
    """A flag as people see it."""
    return _word(words.FLAGS, flag, language)


def why_label(why: str, language: str, site: Site) -> str:
    """Why a phone rings (`Told.why`), or a policy's target word; names of roles, staff and units resolved."""
    kind, _, name = why.partition(":")
    match kind:
        case "role" if name:
            role, _, unit = name.partition("@")
            words_of_role = _role(role, language, site)
            return f"{words_of_role} {_unit(unit, language, site)}" if unit else words_of_role
        case "staff" if name:
            return _staff(name, language, site)
        case "unit" if name:
            return _unit(name, language, site)
        case "handed_over" if name:
            return _in(("lämnades över av ", "handed over by "), language) + _staff(name, language, site)
        case "beds":
            return _word(words.WHY, "care_team", language)
    return _word(words.WHY, why, language)


def _in(texts: words.Both, language: str) -> str:
    return texts[0] if language == "sv" else texts[1]


def _word(table: Mapping[str, words.Both], key: str, language: str) -> str:
    texts = table.get(key)
    return key.replace("_", " ") if texts is None else _in(texts, language)


def _rendered(template: str, facts: Mapping[str, Fact], language: str, site: Site) -> str:
    def field(match: re.Match[str]) -> str:
        return _fact(facts.get(match[1]), match[2], language, site)

    def optional(match: re.Match[str]) -> str:
        parts = [field(m) for m in _FIELD.finditer(match[1])]
        # The facts are put in by the outer pass; here only whether they have something to say.
        return match[1] if all(parts) else match[2] or ""

    return _FIELD.sub(field, _OPTIONAL.sub(optional, template))


def _fact(value: Fact, type_: str, language: str, site: Site) -> str:
    if value is None or value == "":
        return ""
    render = _RENDERERS[type_]
    if isinstance(value, list):
        return ", ".join(render(str(item), language, site) for item in value)
    return render(str(value), language, site)


def _text(value: str, language: str, site: Site) -> str:
    return value


def _staff(value: str, language: str, site: Site) -> str:
    known = site.staff.get(value)
    return known.name if known is not None else value


def _unit(value: str, language: str, site: Site) -> str:
    known = site.units.get(value)
    return known.name if known is not None else value


def _role(value: str, language: str, site: Site) -> str:
    if value == "ward":
        return _in(("avdelningens personal", "the ward's staff"), language)
    known = site.roles.get(value)
    return known.name if known is not None else _word(words.WHY, value, language)


def _place(value: str, language: str, site: Site) -> str:
    known = site.places.get(value)
    return known.label if known is not None else value


def _source(value: str, language: str, site: Site) -> str:
    if value == "hub":
        return _in(("larmhubben", "the alarm hub"), language)
    known = site.sources.get(value)
    return known.name if known is not None else value


def _time(value: str, language: str, site: Site) -> str:
    if not value.isdecimal():
        return value
    return f"{datetime.fromtimestamp(int(value) // 1000, ZoneInfo(site.zone)):%H:%M:%S}"


def _seconds(value: str, language: str, site: Site) -> str:
    if not value.isdecimal() or int(value) < 60 or int(value) % 60:
        return f"{value} s"
    return f"{int(value) // 60} min"


def _told(value: str, language: str, site: Site) -> str:
    staff, _, why = value.partition(":")
    name = _staff(staff, language, site)
    # Who is rung by name needs no other reason than the name.
    return f"{name} ({why_label(why, language, site)})" if why and why != f"staff:{staff}" else name


def _left_out(value: str, language: str, site: Site) -> str:
    staff, _, why = value.partition(":")
    return f"{_staff(staff, language, site)} ({_word(words.LEFT_OUT, why, language)})"


def _from(table: Mapping[str, words.Both]) -> Callable[[str, str, Site], str]:
    return lambda value, language, site: _word(table, value, language)


_RENDERERS: Final[dict[str, Callable[[str, str, Site], str]]] = {
    "text": _text,
    "number": _text,
    "via": _text,
    "staff": _staff,
    "unit": _unit,
    "role": _role,
    "place": _place,
    "source": _source,
    "time": _time,
    "seconds": _seconds,
    "told": _told,
    "left_out": _left_out,
    "targets": why_label,
    "kind": _from(words.KINDS),
    "priority": _from(words.PRIORITIES),
    "because": _from(words.BECAUSE),
    "ended_by": _from(words.ENDED_BY),
    "answer": _from(words.ANSWERS),
}
