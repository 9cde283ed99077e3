"""The OBX facets of a PCD-04: which is which, and what they say together (IHE PCD TF-2 Rev 9.0, B.8).

A facet is recognised by the name in OBX-3, then by its code, then by its number at the end of OBX-4; names
and codes may stand in each other's place. A facet of its own wins over what OBX-8 says in the old form. It
refuses to judge what is missing: `protocols.pcd04` does.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from msgspec import Struct, field

from protocols.hl7 import Segment

MAX_ANNOTATIONS: Final = 4
MAX_INACTIVATIONS: Final = 8
MAX_WANTED: Final = 16


class Facet(IntEnum):
    """Numbers as in OBX-4; above 7 those that have none of their own."""

    DEVICE = 0
    EVENT = 1
    SOURCE = 2
    PHASE = 3
    STATE = 4
    INACTIVATION = 5
    PRIORITY = 6
    TYPE = 7
    ANNOTATION = 100
    CONFIRM_TIMEOUT = 101
    STATUS_FILTER = 102


_BY_NAME: Final[dict[str, Facet]] = {
    "MDC_ATTR_ALERT_SOURCE": Facet.SOURCE,
    "MDC_ATTR_ALARM_SOURCE": Facet.SOURCE,
    "MDC_ATTR_EVENT_PHASE": Facet.PHASE,
    "MDC_ATTR_EVT_PHASE": Facet.PHASE,
    "MDC_ATTR_ALARM_STATE": Facet.STATE,
    "MDC_ATTR_ALERT_STATE": Facet.STATE,
    "MDC_ATTR_ALARM_INACTIVATION_STATE": Facet.INACTIVATION,
    "MDC_ATTR_ALERT_INACTIVATION_STATE": Facet.INACTIVATION,
    "MDC_ATTR_ALARM_PRIORITY": Facet.PRIORITY,
    "MDC_ATTR_ALERT_PRIORITY": Facet.PRIORITY,
    "MDC_ATTR_ALERT_TYPE": Facet.TYPE,
    "MDC_ATTR_ALARM_TYPE": Facet.TYPE,
    "MDCX_ATTR_ALERT_ANNOTATION": Facet.ANNOTATION,
    "MDC_ATTR_ALERT_ANNOTATION": Facet.ANNOTATION,
    "MDC_ATTR_ALERT_TEXT": Facet.ANNOTATION,
    "MDC_ATTR_CONFIRM_TIMEOUT": Facet.CONFIRM_TIMEOUT,
    "MDCX_ALERT_DISSEM_STATUS_FILTER": Facet.STATUS_FILTER,
}
_BY_CODE: Final[dict[str, Facet]] = {
    "68480": Facet.SOURCE, "68481": Facet.PHASE, "68482": Facet.STATE, "68483": Facet.INACTIVATION,
    "68484": Facet.PRIORITY, "68485": Facet.TYPE, "68546": Facet.ANNOTATION, "67860": Facet.CONFIRM_TIMEOUT,
    # As misprinted in TF-2 E.3.2, and the numbers of earlier drafts.
    "684800": Facet.SOURCE, "684810": Facet.PHASE, "684820": Facet.STATE,
    "68164": Facet.SOURCE, "68165": Facet.PHASE, "68166": Facet.STATE, "68167": Facet.INACTIVATION,
    "68168": Facet.PRIORITY,
}  # fmt: skip
_NUMBERED: Final = frozenset(range(8))
_ALARM_EVENT: Final = ("196616", "MDC_EVT_ALARM")
_PRIORITIES: Final = frozenset({"PH", "PM", "PL", "PN", "PI", "PU"})
_TYPES: Final = frozenset({"SP", "ST", "SA"})
_ABNORMALITIES: Final = frozenset({"N", "L", "LL", "H", "HH", "A"})
_NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?\Z")

Coded = tuple[str, str, str]
_NONE: Final[Coded] = ("", "", "")


class Observation(Struct):
    """What all OBX of one OBR say together; the words as `protocols.pcd04.Alert` has them."""

    found: bool = False
    event: Coded = _NONE
    text: str = ""
    annotations: list[str] = field(default_factory=list)
    source: Coded = _NONE
    value: str = ""
    unit: Coded = _NONE
    limits: str = ""
    phase: str = ""
    phase_number: int = 1  # which OBX of the group it is, for ERR-2
    state: str = ""
    inactivation: tuple[str, ...] = ()
    priority: str = ""
    type: str = ""
    abnormality: str = ""
    at: str = ""
    device: str = ""
    wants: tuple[str, ...] | None = None
    confirm_within_s: float | None = None


def _identifier(obx: Segment) -> Coded:
    """OBX-3 as (code, name, system), the right way round."""
    parts = [part.strip() for part in [*obx.components(3), "", "", ""][:3]]
    if not parts[0].isdigit() and parts[1].isdigit():
        parts[0], parts[1] = parts[1], parts[0]
    elif parts[0].upper().startswith("MDC") and not parts[1]:
        parts[0], parts[1] = "", parts[0]
    return parts[0][:128], parts[1][:128], parts[2][:64]


def facet_of(obx: Segment) -> Facet | None:
    """Which facet an OBX is; None: neither name, code nor number says."""
    code, name, _ = _identifier(obx)
    known = _BY_NAME.get(name.upper()) or _BY_CODE.get(code)
    if known is not None:
        return known
    number = obx.text(4).rpartition(".")[2]
    if number.isascii() and number.isdigit() and int(number) in _NUMBERED:
        return Facet(int(number))
    return None


def observation(segments: list[Segment]) -> Observation:
    """Read the facets of one alert. What it does not know is left out."""
    seen = Observation()
    old = Observation()
    for number, obx in enumerate(segments, start=1):
        facet = facet_of(obx)
        if facet is None:
            # Without names and numbers: the event comes first, then its source.
            facet = Facet.EVENT if seen.event == _NONE else Facet.SOURCE
        seen.found = seen.found or facet is not Facet.DEVICE
        if facet is Facet.PHASE:
            seen.phase_number = number
        if facet in (Facet.EVENT, Facet.SOURCE):
            _old_form(obx, old)
        _TAKE[facet](obx, seen)
    seen.priority = seen.priority or old.priority
    seen.type = seen.type or old.type
    seen.abnormality = old.abnormality
    return seen


def _old_form(obx: Segment, old: Observation) -> None:
    """OBX-8 of the first facets: abnormality, priority and type, each a repetition, in any order."""
    for one in obx.repetitions(8):
        word = one.strip().upper()
        if word in _PRIORITIES:
            old.priority = old.priority or word
        elif word in _TYPES:
            old.type = old.type or word
        elif word in _ABNORMALITIES:
            old.abnormality = old.abnormality or word


def _take_device(obx: Segment, seen: Observation) -> None:
    seen.device = seen.device or obx.text(18)


def _take_event(obx: Segment, seen: Observation) -> None:
    if seen.event != _NONE:
        # A second OBX under facet 1 adds words (CP143 numbers annotations so too).
        _take_annotation(obx, seen)
        return
    identifier = _identifier(obx)
    parts = [part.strip() for part in obx.components(5)]
    coded = obx.text(2).upper() in ("CWE", "CE", "CNE") or len(parts) > 1
    if identifier[0] == _ALARM_EVENT[0] or identifier[1].upper() == _ALARM_EVENT[1]:
        seen.event = _coded(parts)
        seen.text = _words(parts) if coded else obx.whole(5)
    else:
        seen.event = identifier
        seen.text = _words(parts) if coded else obx.whole(5)
    if seen.event == _NONE:
        seen.event = identifier
    seen.at = obx.text(14)
    seen.device = obx.text(18) or seen.device


def _coded(parts: list[str]) -> Coded:
    three = [*parts, "", "", ""][:3]
    if not three[0].isdigit() and three[1].isdigit():
        three[0], three[1] = three[1], three[0]
    return three[0][:128], three[1][:128], three[2][:64]


def _words(parts: list[str]) -> str:
    """What a person reads of a coded value: its original text, else the words among code and name."""
    if len(parts) > 8 and parts[8]:
        return parts[8]
    said = [part for part in parts[:2] if part and not part.isdigit() and not part.upper().startswith("MDC")]
    return " ".join(dict.fromkeys(said))


def _take_source(obx: Segment, seen: Observation) -> None:
    if seen.source != _NONE:
        return
    identifier = _identifier(obx)
    if _BY_NAME.get(identifier[1].upper()) is Facet.SOURCE or _BY_CODE.get(identifier[0]) is Facet.SOURCE:
        seen.source = _coded([part.strip() for part in obx.components(5)])
        return
    seen.source, seen.value = identifier, obx.whole(5)
    unit = [part.strip() for part in [*obx.components(6), "", "", ""][:3]]
    seen.unit, seen.limits = (unit[0], unit[1], unit[2]), obx.whole(7)


def _take_phase(obx: Segment, seen: Observation) -> None:
    seen.phase = _word(obx).lower()


def _take_state(obx: Segment, seen: Observation) -> None:
    seen.state = _word(obx).lower()


def _take_inactivation(obx: Segment, seen: Observation) -> None:
    words = (one.strip().lower().replace("_", "-") for one in obx.repetitions(5))
    seen.inactivation = tuple(dict.fromkeys((*seen.inactivation, *words)))[:MAX_INACTIVATIONS]


def _take_priority(obx: Segment, seen: Observation) -> None:
    seen.priority = _word(obx).upper()


def _take_type(obx: Segment, seen: Observation) -> None:
    seen.type = _word(obx).upper()


def _take_annotation(obx: Segment, seen: Observation) -> None:
    parts = [part.strip() for part in obx.components(5)]
    words = _words(parts) if len(parts) > 1 else obx.whole(5)
    if words and len(seen.annotations) < MAX_ANNOTATIONS:
        seen.annotations.append(words[:256])


def _take_confirm_timeout(obx: Segment, seen: Observation) -> None:
    value = obx.text(5)
    if _NUMBER.match(value):
        milli = "MDC_DIM_MILLI_SEC" in obx.raw(6).upper()
        seen.confirm_within_s = float(value) / (1000 if milli else 1)


def _take_status_filter(obx: Segment, seen: Observation) -> None:
    words = tuple(one.strip().upper() for one in obx.repetitions(5))
    seen.wants = (*(seen.wants or ()), *words)[:MAX_WANTED]


def _word(obx: Segment) -> str:
    """One word of a table: the first component of OBX-5, or the second where the first is its number."""
    first, second = obx.text(5, 1), obx.text(5, 2)
    return second[:32] if first.isdigit() and second else first[:32]


_TAKE: Final = {
    Facet.DEVICE: _take_device,
    Facet.EVENT: _take_event,
    Facet.SOURCE: _take_source,
    Facet.PHASE: _take_phase,
    Facet.STATE: _take_state,
    Facet.INACTIVATION: _take_inactivation,
    Facet.PRIORITY: _take_priority,
    Facet.TYPE: _take_type,
    Facet.ANNOTATION: _take_annotation,
    Facet.CONFIRM_TIMEOUT: _take_confirm_timeout,
    Facet.STATUS_FILTER: _take_status_filter,
}
