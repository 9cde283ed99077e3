"""From a plant's words to a place: ordered rules over address and text, as a pure function (ward.md).

`map_telegram` turns one telegram into signals, each with the names of what decided it (`Signal.mapped_by`).
It refuses two things: to lose a telegram (what no rule fits is a signal too, without place, for the source's
fallback unit), and to ring lower than a floor word or ESPA priority 1 demands.

Rules are the site's regular expressions, searched in bounded, cleaned text. A rule fits when both of its
patterns are found; the first that fits wins. Its `event` wins over the telegram's call type, except that a
reset of a presence is its end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import PRIORITY_RANK, RULES, Kind, Priority, raised_to_floor
from alarmhub.core.site import MappingRule, Sample, Site, SourceRules

MAX_TEXT_CHARS = 256
"""Of a plant's text; the standard allows 128, some send a little more. Bounds what a pattern must search."""
MAX_ADDRESS_CHARS = 64
MAX_ADDRESSES = 32
"""Of one list in record 1; the rest is taken together, unsplit, by the last of them."""
COMPILED_RULES = 2_048

RESET, SPEECH = "1", "2"
"""Record 4, call type."""
ALARM, URGENT = "1", "2"
"""Record 6, priority: alarm rings high, high rings medium; normal (3) is whatever the kind's floor is."""

_GROUP = re.compile(r"\{(\w+)\}")
_SEVEN_BIT: Mapping[str, str] = {"ä": "[{", "ö": "\\|", "å": "]}", "æ": "[{", "ø": "\\|"}


class Telegram(Struct, frozen=True):
    """What a plant sent, in its own words: records 1, 2, 6 and 4 of an ESPA call."""

    address: str
    text: str
    espa_priority: str = "3"
    call_type: str = "3"


def clean(text: str, longest: int = MAX_TEXT_CHARS) -> str:
    """Text fit for storing and showing: no control characters (blanks instead), no surrogates, bounded."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else " " if _is_control(char) else char
        for char in text[:longest]
    )


def map_telegram(telegram: Telegram, source: SourceRules, site: Site) -> tuple[Signal, ...]:
    """The signals one telegram means: one, or one per address when record 1 lists several.

    `ref` is the address and `source_text` the plant's own words, so that a status can name the call to it.
    The key is left to the engine (`core.addressing`): it depends on the source's `key` and the place.
    """
    text = clean(telegram.text)
    addresses = _split(clean(telegram.address, MAX_TEXT_CHARS), source.list_separator)
    signals = []
    for address in addresses:
        reasons = [] if len(addresses) == 1 else [f"address_of_list:{len(addresses)}"]
        signals.append(_map_one(telegram, address, text, source, site, reasons))
    return tuple(signals)


def unmapped(telegram: Telegram, source: SourceRules, site: Site, because: str) -> Signal:
    """The signal of a telegram that was not mapped: it still rings, at the source's fallback unit."""
    address, text = clean(telegram.address, MAX_ADDRESS_CHARS).strip(), clean(telegram.text)
    return _signal(telegram, address, text, MappingRule(), {}, source, site, [because])


def _map_one(
    telegram: Telegram, address: str, text: str, source: SourceRules, site: Site, reasons: list[str]
) -> Signal:
    for index, rule in enumerate(source.rules):
        groups = _fits(rule, address, text)
        if groups is not None:
            return _signal(
                telegram, address, text, rule, groups, source, site, [*reasons, f"rule:{index + 1}"]
            )
    return _signal(telegram, address, text, MappingRule(), {}, source, site, [*reasons, "no_rule"])


def _signal(
    telegram: Telegram,
    address: str,
    text: str,
    rule: MappingRule,
    groups: Mapping[str, str],
    source: SourceRules,
    site: Site,
    reasons: list[str],
) -> Signal:
    place = _place(rule, groups, site, reasons)
    event, present = _event(rule, telegram.call_type, reasons)
    priority = _priority(rule, telegram.espa_priority, text, site, reasons)
    known = site.places.get(place)
    return Signal(
        source=source.id,
        event=event,
        ref=address,
        place=place,
        kind=rule.kind,
        type=rule.type,
        priority=priority,
        source_text=text,
        present=present,
        callback=address if telegram.call_type == SPEECH and address else None,
        person=known.person if known is not None else None,
        mapped_by=tuple(reasons),
    )


def _split(address: str, separator: str | None) -> list[str]:
    parts = [address] if not separator else address.split(separator, MAX_ADDRESSES - 1)
    named = [part.strip()[:MAX_ADDRESS_CHARS] for part in parts if part.strip()]
    return list(dict.fromkeys(named)) or [""]


def _fits(rule: MappingRule, address: str, text: str) -> dict[str, str] | None:
    """The named groups of both patterns, None when one of them is not found. Without patterns it fits all."""
    groups: dict[str, str] = {}
    for pattern, words in ((rule.address, address), (rule.text, text)):
        if pattern is None:
            continue
        match = _compiled(pattern).search(words)
        if match is None:
            return None
        groups.update({name: found for name, found in match.groupdict().items() if found is not None})
    return groups


@lru_cache(maxsize=COMPILED_RULES)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _place(rule: MappingRule, groups: Mapping[str, str], site: Site, reasons: list[str]) -> str:
    if rule.place is None:
        return ""
    missing = [name for name in _GROUP.findall(rule.place) if name not in groups]
    if missing:
        reasons.append(f"place_part_missing:{missing[0]}")
        return ""
    as_said = _GROUP.sub(lambda match: groups[match[1]].strip(), rule.place)
    # Plants pad numbers ("sal 02"), site files do not.
    unpadded = _GROUP.sub(lambda match: groups[match[1]].strip().lstrip("0") or "0", rule.place)
    for path in (as_said, unpadded):
        if path in site.places:
            return path
    reasons.append(f"place_unknown:{as_said}")
    return as_said


def _event(rule: MappingRule, call_type: str, reasons: list[str]) -> tuple[SignalEvent, bool | None]:
    reset = call_type == RESET
    if rule.event in ("presence_on", "presence_off"):
        present = rule.event == "presence_on" and not reset
        return SignalEvent.PRESENCE, present
    if rule.event is not None:
        if reset != (rule.event == "end"):
            reasons.append(f"event_by_rule:{rule.event}")
        return SignalEvent(rule.event), None
    if reset:
        reasons.append("call_type:reset")
        return SignalEvent.END, None
    return SignalEvent.START, None


def _priority(
    rule: MappingRule, espa_priority: str, text: str, site: Site, reasons: list[str]
) -> Priority | None:
    """The rule's, else the telegram's when it says more than normal; a floor word and ESPA 1 make it high."""
    priority = rule.priority
    if priority is None and espa_priority == URGENT:
        priority = Priority.MEDIUM
        reasons.append("espa_priority:2")
    word = floor_word(text, site.floor_words)
    if word is not None:
        reasons.append(f"floor_word:{word}")
    if espa_priority == ALARM:
        reasons.append("espa_priority:1")
    return Priority.HIGH if word is not None or espa_priority == ALARM else priority


def floor_word(text: str, words: tuple[str, ...]) -> str | None:
    """The first of the site's floor words that stands anywhere in the text, None when none does.

    Letters with dots and rings are also found without them, in their 7-bit codes, and where a wrong character
    set has made a hole of them: HJÄRT is found in HJART, HJ[RT, and in HJ?RT. Finding too much only rings.
    """
    folded = unicodedata.normalize("NFC", text).casefold()
    return next((word for word in words if word and _floor_pattern(word).search(folded)), None)


@lru_cache(maxsize=COMPILED_RULES)
def _floor_pattern(word: str) -> re.Pattern[str]:
    parts = []
    for char in unicodedata.normalize("NFC", word).casefold():
        if char.isascii():
            parts.append(re.escape(char))
        else:
            plain = unicodedata.normalize("NFD", char)[0]
            spellings = {char, plain, *_SEVEN_BIT.get(char, ""), "?", "\N{REPLACEMENT CHARACTER}"}
            parts.append("[" + "".join(re.escape(spelling) for spelling in sorted(spellings)) + "]")
    return re.compile("".join(parts))


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")


# Sample telegrams, for `site check`.


def effective(signal: Signal, source: SourceRules, site: Site) -> tuple[Kind, Priority]:
    """Kind and priority of the alarm this signal opens, with what its type and its kind's floor add."""
    alarm_type = site.types.get(signal.type) if signal.type is not None else None
    kind = alarm_type.kind if alarm_type is not None else signal.kind or source.default_kind
    priority = signal.priority or RULES[kind].floor
    if alarm_type is not None and alarm_type.priority is not None:
        priority = max(priority, alarm_type.priority, key=PRIORITY_RANK.__getitem__)
    return kind, raised_to_floor(kind, priority)


def sample_mismatch(sample: Sample, source: SourceRules, site: Site) -> str | None:
    """What is wrong with how this sample telegram maps, in one line; None when it maps as expected."""
    telegram = Telegram(sample.address, sample.text, sample.espa_priority, sample.call_type)
    signals = map_telegram(telegram, source, site)
    if len(signals) != 1:
        return f"maps to {len(signals)} signals, one per address"
    signal = signals[0]
    kind, priority = effective(signal, source, site)
    event = str(signal.event)
    if signal.event is SignalEvent.PRESENCE:
        event = "presence_on" if signal.present else "presence_off"
    place = signal.place if signal.place in site.places else None
    wrong = [
        f"{name} is {got or 'none'}, expected {want or 'none'}"
        for name, got, want in (
            ("event", event, sample.event),
            ("place", place, sample.place),
            ("kind", kind, sample.kind),
            ("priority", priority, sample.priority),
        )
        if got != want
    ]
    return f"{'; '.join(wrong)} (by {', '.join(signal.mapped_by)})" if wrong else None
