"""ESPA-X in the hub's words and back: what a P-START means, and what a report is called there. Pure.

Call: CP-GROUPID, CP-PHONENO, CP-WARD and CP-BED, those that are there, with `/` between them, are the address
the site's rules see, CP-TEXTMSG (else CP-CALLINGNAME, else CP-EVENT) the text. Where the rules find no place,
the number that was called (the group, else the phone) is looked up in the site's table of numbers. CP-PR-REF
is the key. CP-DELAY and CP-ATTEMPTS are not followed: the hub rings at once and by its own steps.

Report: each who was reached, accepted or rejected is an IND.P-EVENT, where CP-PR-DETAILS asks for results.
Responsibility returned is IND.P-STATUS, Active and Negative, whatever the details: the process goes on (the
hub still rings), so that a later accept can take it back on the same process, as Postprocessing and Positive
confirmed. IND.P-ENDED could not be taken back; for clients that heed nothing else a link may be set so
(`returned = "ended"`), and the process is then started anew, under its number, when somebody accepts.

It refuses to send, and to hold what a client says against the schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal
from alarmhub.core.kinds import PRIORITY_RANK, Priority
from alarmhub.core.site import Site, SourceRules, number_of
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.mapping import MAX_TEXT_CHARS, Words, clean, map_words
from alarmhub.inbound.numbers import by_number

MAX_KEY_CHARS: Final = 64
MAX_NUMBER_CHARS: Final = 32
TAN_BITS: Final = 52
"""Some clients keep SP-PR-TAN in a double, which holds no more than 53 bits exactly."""

ACTIVE, POSTPROCESSING = "Active", "Postprocessing"
NONE, POSITIVE, NEGATIVE = "None", "Positive confirmed", "Negative"

Indication: TypeAlias = tuple[str, dict[str, str | None]]
"""Element and fields of one IND."""

_PRIORITIES: Final[Mapping[str, Priority]] = {
    "emergency": Priority.HIGH,
    "high": Priority.HIGH,
    "medium": Priority.MEDIUM,
    "urgent": Priority.MEDIUM,
    "low": Priority.LOW,
}
_RESULTS: Final = ("Results", "All")
_PROCESS: Final = ("Process", "All")
_DETAILS: Final = ("No", "Process", "Results", "All")


class Origin(Struct, frozen=True, omit_defaults=True):
    """What is kept with an alarm of its P-START, so that every report can name it after a restart.

    `created`: epoch ms; `details`: CP-PR-DETAILS, "" = not said.
    """

    ref: str = ""
    group: str = ""
    phone: str = ""
    callback: str = ""
    details: str = ""
    created: int = 0


class Process(Struct):
    """What the adapter remembers of one process beside the alarm; a restart may forget it."""

    accepted: bool = False
    returned: bool = False
    stopped: bool = False  # by the client
    ended_told: bool = False  # IND.P-ENDED was sent to return responsibility


_read_origin = msgspec.json.Decoder(Origin)
_write = msgspec.json.Encoder().encode


def tan_of(alarm: str) -> int:
    """SP-PR-TAN of an alarm: the same after a restart, never 0 (which is a refusal's)."""
    digest = hashlib.sha256(alarm.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - TAN_BITS)) or 1


def origin_of(words: str) -> Origin:
    """What was kept; nothing when the words are not ours."""
    try:
        return _read_origin.decode(words)
    except msgspec.MsgspecError:
        return Origin()


def key_of(fields: Mapping[str, str]) -> str:
    """CP-PR-REF as the key of its alarm; one longer than any client should send is told apart by a digest."""
    ref = fields.get("CP-PR-REF", "")
    if len(ref) <= MAX_KEY_CHARS:
        return clean(ref, MAX_KEY_CHARS)
    digest = hashlib.sha256(ref.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return clean(ref[: MAX_KEY_CHARS - 33], MAX_KEY_CHARS) + "~" + digest


def call_words(fields: Mapping[str, str], now: int) -> Words:
    """A P-START in general words."""

    def said(name: str, longest: int = MAX_NUMBER_CHARS) -> str:
        return clean(fields.get(name, ""), longest).strip()

    group, phone = said("CP-GROUPID"), said("CP-PHONENO")
    texts = (said(name, MAX_TEXT_CHARS) for name in ("CP-TEXTMSG", "CP-CALLINGNAME", "CP-EVENT"))
    words = [said(name).casefold() for name in ("CP-PRIO", "CP-SIGNAL")]
    priorities = [_PRIORITIES[word] for word in words if word in _PRIORITIES]
    details = fields.get("CP-PR-DETAILS", "")
    callback = _callback(said)
    origin = Origin(
        ref=key_of(fields),
        group=group,
        phone=phone,
        callback=callback or "",
        details=details if details in _DETAILS else "",
        created=now,
    )
    return Words(
        address="/".join(filter(None, (group, phone, said("CP-WARD"), said("CP-BED")))),
        text=next(filter(None, texts), ""),
        priority=max(priorities, key=PRIORITY_RANK.__getitem__, default=None),
        floor=Priority.HIGH if "emergency" in words else None,
        callback=callback,
        key=key_of(fields),
        ref=key_of(fields),
        origin=_write(origin).decode(),
        because=tuple(f"espax:{word}" for word in words if word in _PRIORITIES),
    )


def _callback(said: Callable[[str], str]) -> str | None:
    """CP-CBCKNO, unless CP-CALLBACK says No; the caller's own number where it asks for a call without one."""
    asked = said("CP-CALLBACK")
    if asked == "No":
        return None
    return said("CP-CBCKNO") or (said("CP-CALLINGNO") if asked else "") or None


def map_call(words: Words, fields: Mapping[str, str], rules: SourceRules, site: Site) -> tuple[Signal, ...]:
    """The signals of a call: by the source's rules, else by the group or phone that was called."""
    signals = map_words(words, rules, site)
    if len(signals) != 1:
        return signals
    called = (fields.get("CP-GROUPID", ""), fields.get("CP-PHONENO", ""))
    known = next((number for number in called if number_of(site, number) is not None), words.address)
    return signals if known == words.address else (by_number(signals[0], known, site),)


def state_of(alarm: Alarm) -> str:
    """SP-STATUS of an open alarm: Active while somebody is wanted."""
    return POSTPROCESSING if alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED) else ACTIVE


def result_of(alarm: Alarm) -> str:
    """SP-RESULT of an open alarm."""
    if state_of(alarm) == POSTPROCESSING:
        return POSITIVE
    return NEGATIVE if Flag.RETURNED in alarm.flags else NONE


def process_fields(origin: Origin, tan: int, name: str, stamp: Callable[[int], str]) -> dict[str, str | None]:
    """What every indication about a process begins with."""
    return {
        "CP-PR-REF": origin.ref,
        "CP-GROUPID": origin.group,
        "CP-PHONENO": origin.phone,
        "SP-PR-TAN": str(tan),
        "SP-PR-NAME": name,
        "SP-CREATED": stamp(origin.created) if origin.created else None,
    }


def status_of(alarm: Alarm, stamp: Callable[[int], str], *, asked: bool) -> Indication:
    """IND.P-STATUS of an open alarm."""
    origin = origin_of(alarm.origin)
    return "IND.P-STATUS", {
        **process_fields(origin, tan_of(alarm.id), alarm.source_text, stamp),
        "CP-CBCKNO": origin.callback,
        "SP-STATUS": state_of(alarm),
        "SP-RESULT": result_of(alarm),
        "SP-GETSTAT": "true" if asked else "false",
    }


def details_of(origin: Origin, settings: EspaxLink) -> tuple[bool, bool]:
    """Whether the client hears of the process, and of each result."""
    details = origin.details or settings.details
    return details in _PROCESS, details in _RESULTS


def told(
    report: Report, alarm: str, process: Process, settings: EspaxLink, stamp: Callable[[int], str]
) -> list[Indication]:
    """What the client is told of a report, in order; `process` is brought up to date."""
    origin, tan = origin_of(report.origin), tan_of(alarm)
    about = process_fields(origin, tan, report.source_text, stamp)
    of_results = details_of(origin, settings)[1]

    def event(result: str, *, done: bool, key: str | None = None) -> list[Indication]:
        return [_event(report, origin, tan, result, done=done, key=key)] if of_results else []

    def status(state: str, result: str) -> Indication:
        return "IND.P-STATUS", {**about, "SP-STATUS": state, "SP-RESULT": result, "SP-GETSTAT": "false"}

    match report.status:
        case ReportStatus.PAGED:
            return event("Reached", done=False)
        case ReportStatus.REJECTED:
            return event("Rejected", done=True)
        case ReportStatus.ACCEPTED:
            anew: list[Indication] = [("IND.P-STARTED", {**about, "SP-STATUS": ACTIVE})]
            if not process.ended_told:
                anew = []
            back = process.returned
            process.accepted, process.returned, process.ended_told = True, False, False
            if not settings.accepted_status:
                return [*anew, status(ACTIVE, NONE)] if back else []
            return [*anew, *event("Accepted", done=True, key="1"), status(POSTPROCESSING, POSITIVE)]
        case ReportStatus.ABSENT | ReportStatus.UNANSWERED:
            process.returned, process.accepted = True, False
            why = "Not reached" if report.status is ReportStatus.ABSENT else "No answer"
            nobody = event(why, done=True)
            if settings.returned == "status":
                return [*nobody, status(ACTIVE, NEGATIVE)]
            again, process.ended_told = process.ended_told, True
            return [] if again else [*nobody, _ended(about, "Failure", NEGATIVE, why)]
        case ReportStatus.ENDED:
            if process.ended_told:
                return []
            reason = "Client" if process.stopped else "Finished"
            return [_ended(about, reason, _final(process), None)]
        case _:
            return []


def _final(process: Process) -> str | None:
    if process.accepted:
        return POSITIVE
    return NEGATIVE if process.returned else None


def _ended(about: dict[str, str | None], reason: str, result: str | None, info: str | None) -> Indication:
    return "IND.P-ENDED", {**about, "SP-ENDINFO": info, "SP-ENDREASON": reason, "SP-RESULT": result}


def _event(
    report: Report, origin: Origin, tan: int, result: str, *, done: bool, key: str | None
) -> Indication:
    name = f"{report.name} ({report.role})" if report.name and report.role else report.name
    return "IND.P-EVENT", {
        "CP-PR-REF": origin.ref,
        "SP-PR-TAN": str(tan),
        "SP-GETSTAT": "false",
        "SS-NETW-NO": "1",
        "SS-NETW-NAME": "Alarmhub",
        "SS-SBSCRID": report.staff,
        "SS-SBSCRDATA": name,
        "SS-KEY": key,
        "SS-DIRECTION": "Outbound",
        "SS-STATUS": "Completed" if done else "Processing",
        "SS-RESULT": result,
    }
