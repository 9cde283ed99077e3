"""From a source's words to a place: ordered rules over address and text, as a pure function (ward.md).

`map_words` turns what a source said into signals, each with the names of what decided it
(`Signal.mapped_by`); `map_telegram` does so for ESPA's records, whose call type and priority have a meaning.
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
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import PRIORITY_RANK, RULES, Kind, Priority, raised_to_floor
from alarmhub.core.site import MappingRule, Sample, Site, SourceRules
from alarmhub.inbound.numbers import by_number

MAX_TEXT_CHARS = 256
"""Of a plant's text; the standard allows 128, some send a little more. Bounds what a pattern must search."""
MAX_ADDRESS_CHARS = 64
MAX_ADDRESSES = 32
"""Of one list in record 1; the rest is taken together, unsplit, by the last of them."""
MAX_KEY_CHARS = 192
MAX_ID_CHARS = 60
"""Of a key and an id that get the number of their address behind them."""
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


class Words(Struct, frozen=True):
    """What a source said, in its own words and with what its protocol states beside them.

    The site's rules see `address` and `text`. `event` None: start. `priority`: what the protocol says, a
    rule's wins over it; `floor`: below which no rule may go. `ref`: how the source names the alarm, "" = the
    address. `key`, `id`, `occurred_at`, `origin`: as in `core.events.Signal`. `because`: reasons of the
    protocol's own.
    """

    address: str
    text: str
    event: SignalEvent | None = None
    present: bool | None = None
    priority: Priority | None = None
    floor: Priority | None = None
    callback: str | None = None
    ref: str = ""
    key: str = ""
    id: str | None = None
    occurred_at: int | None = None
    origin: str = ""
    because: tuple[str, ...] = ()


def map_telegram(telegram: Telegram, source: SourceRules, site: Site) -> tuple[Signal, ...]:
    """The signals one ESPA telegram means; see `map_words`.

    The key is left to the engine (`core.addressing`): it depends on the source's `key` and the place.
    """
    return map_words(words_of(telegram), source, site)


def words_of(telegram: Telegram) -> Words:
    """An ESPA call in general words."""
    reset = telegram.call_type == RESET
    because = ["call_type:reset"] if reset else []
    if telegram.espa_priority in (ALARM, URGENT):
        because.append(f"espa_priority:{telegram.espa_priority}")
    return Words(
        telegram.address,
        telegram.text,
        event=SignalEvent.END if reset else None,
        priority=Priority.MEDIUM if telegram.espa_priority == URGENT else None,
        floor=Priority.HIGH if telegram.espa_priority == ALARM else None,
        callback=telegram.address if telegram.call_type == SPEECH else None,
        because=tuple(because),
    )


def map_words(words: Words, source: SourceRules, site: Site) -> tuple[Signal, ...]:
    """The signals these words mean: one, or one per address when they list several.

    `ref` and `source_text` are the source's own words, so that a status can name the call to it.
    """
    text = clean(words.text)
    addresses = _split(clean(words.address, MAX_TEXT_CHARS), source.list_separator)
    signals = []
    for index, address in enumerate(addresses):
        reasons = list(words.because)
        if len(addresses) > 1:
            reasons.append(f"address_of_list:{len(addresses)}")
        signals.append(_map_one(_of_list(words, index), address, text, source, site, reasons))
    return tuple(signals)


def _of_list(words: Words, index: int) -> Words:
    """The words for one of several addresses: under one key or id they would be repeats of the first."""
    if not index:
        return words
    key = f"{words.key[:MAX_KEY_CHARS]}/{index}" if words.key else ""
    return replace(words, key=key, id=f"{words.id[:MAX_ID_CHARS]}/{index}" if words.id else words.id)


def unmapped_words(words: Words, source: SourceRules, site: Site, because: str) -> Signal:
    """The signal of words that could not be mapped: it still rings, at the source's fallback unit."""
    address, text = clean(words.address, MAX_ADDRESS_CHARS).strip(), clean(words.text)
    return _signal(words, address, text, MappingRule(), {}, source, site, [because])


def unmapped(telegram: Telegram, source: SourceRules, site: Site, because: str) -> Signal:
    """As `unmapped_words`, of an ESPA telegram."""
    return unmapped_words(words_of(telegram), source, site, because)


def _map_one(
    words: Words, address: str, text: str, source: SourceRules, site: Site, reasons: list[str]
) -> Signal:
    for index, rule in enumerate(source.rules):
        groups = _fits(rule, address, text)
        if groups is not None:
            return _signal(words, address, text, rule, groups, source, site, [*reasons, f"rule:{index + 1}"])
    return _signal(words, address, text, MappingRule(), {}, source, site, [*reasons, "no_rule"])


def _signal(
    words: Words,
    address: str,
    text: str,
    rule: MappingRule,
    groups: Mapping[str, str],
    source: SourceRules,
    site: Site,
    reasons: list[str],
) -> Signal:
    place = _place(rule, groups, site, reasons)
    event, present = _event(rule, words, reasons)
    known = site.places.get(place)
    signal = Signal(
        source=source.id,
        event=event,
        key=words.key,
        ref=words.ref or address,
        place=place,
        kind=rule.kind,
        type=rule.type,
        priority=_priority(rule, words, text, site, reasons),
        source_text=text,
        present=present,
        callback=words.callback or None,
        person=known.person if known is not None else None,
        id=words.id,
        occurred_at=words.occurred_at,
        origin=words.origin,
        mapped_by=tuple(reasons),
    )
    return by_number(signal, address, site)


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


def _event(rule: MappingRule, words: Words, reasons: list[str]) -> tuple[SignalEvent, bool | None]:
    ends = words.event is SignalEvent.END
    if rule.event in ("presence_on", "presence_off"):
        return SignalEvent.PRESENCE, rule.event == "presence_on" and not ends
    if rule.event is not None:
        if ends != (rule.event == "end"):
            reasons.append(f"event_by_rule:{rule.event}")
        return SignalEvent(rule.event), None
    event = words.event or SignalEvent.START
    return event, words.present if event is SignalEvent.PRESENCE else None


def _priority(rule: MappingRule, words: Words, text: str, site: Site, reasons: list[str]) -> Priority | None:
    """The rule's, else what the protocol says; never below a floor, and high with a floor word."""
    priority = rule.priority or words.priority
    word = floor_word(text, site.floor_words)
    if word is not None:
        reasons.append(f"floor_word:{word}")
        return Priority.HIGH
    if words.floor is None:
        return priority
    return max(priority or words.floor, words.floor, key=PRIORITY_RANK.__getitem__)


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
    words = words_of(Telegram(sample.address, sample.text, sample.espa_priority, sample.call_type))
    if sample.says is not None:
        words = replace(words, event=SignalEvent(sample.says))
    if sample.says_priority is not None:
        words = replace(words, priority=sample.says_priority)
    signals = map_words(words, source, site)
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
