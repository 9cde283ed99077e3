"""What travels over HTTP, as types: requests with their limits, responses, and how a signal is made of one.

The OpenAPI document is generated from these same types. The module refuses to know sockets, secrets and
stores; unknown members are ignored (design.md section 5), wrong ones are refused by name.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.events import Answer, Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.web.problems import Failed, explained, invalid, malformed

TEXT_CHARS: Final = 160
ID_CHARS: Final = 64
REF_CHARS: Final = 128
PLACE_CHARS: Final = 256
REV_MAX: Final = 2**31 - 1

# PostgreSQL cannot store NUL in JSON text, and no honest source sends one.
_NO_NUL: Final = r"^[^\x00]*$"

Text = Annotated[str, Meta(max_length=TEXT_CHARS, pattern=_NO_NUL)]
Name = Annotated[str, Meta(min_length=1, max_length=ID_CHARS, pattern=_NO_NUL)]
Ref = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=REF_CHARS,
        pattern=_NO_NUL,
        description="The source's own name for the condition; start, updates and end of one alarm share it.",
    ),
]
Place = Annotated[
    str,
    Meta(
        max_length=PLACE_CHARS,
        pattern=_NO_NUL,
        description="Path site/unit/room[/point]. An unknown place still raises an alarm, at the source's "
        "fallback unit.",
    ),
]
Moment = Annotated[datetime, Meta(tz=True)]


class _Signal(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Members every event may carry."""

    source: Annotated[
        Name | None,
        Meta(description="Which source speaks. Only for API tokens; a source's own secret says it."),
    ] = None
    id: Annotated[
        Name | None,
        Meta(description="The sender's id of this event; a repeat within 24 h gets the same answer."),
    ] = None
    text: Text = ""
    type: Annotated[
        Name | None, Meta(description="The site's own name for the alarm, instead of or beside kind.")
    ] = None
    kind: Kind | None = None
    priority: Annotated[
        Priority | None, Meta(description="Raised to the kind's floor where it is lower.")
    ] = None
    callback: Annotated[Name | None, Meta(description="Number to call back.")] = None
    person: Annotated[Name | None, Meta(description="Who carries the button, as a staff id.")] = None
    heard: Annotated[bool, Meta(description="Drills: shown and spoken as PROV.")] = False
    occurred_at: Annotated[
        Moment | None, Meta(description="The source's own time; shown, never decided by.")
    ] = None


class Start(_Signal, frozen=True, kw_only=True, tag="start"):
    """A condition began. `kind` or `type` is required."""

    ref: Ref
    place: Place


class Once(_Signal, frozen=True, kw_only=True, tag="once"):
    """A condition began and the source will never say that it ended. `kind` or `type` is required."""

    ref: Ref
    place: Place


class Update(_Signal, frozen=True, kw_only=True, tag="update"):
    """Something new about a condition. Opens an alarm when none is open under this ref."""

    ref: Ref
    place: Place = ""


class End(_Signal, frozen=True, kw_only=True, tag="end"):
    """The condition is over."""

    ref: Ref
    place: Place = ""


class Acknowledged(_Signal, frozen=True, kw_only=True, tag="acknowledged"):
    """Somebody answered at the source itself."""

    ref: Ref
    place: Place = ""


class Presence(_Signal, frozen=True, kw_only=True, tag="presence"):
    """Somebody is in the room, or has left it."""

    place: Place
    present: bool
    ref: Ref | UnsetType = UNSET


SignalIn = Start | Once | Update | End | Acknowledged | Presence
_EVENTS: Final[dict[type, SignalEvent]] = {
    Start: SignalEvent.START, Once: SignalEvent.ONCE, Update: SignalEvent.UPDATE, End: SignalEvent.END,
    Acknowledged: SignalEvent.ACKNOWLEDGED, Presence: SignalEvent.PRESENCE,
}  # fmt: skip


class AnswerIn(Struct, frozen=True, kw_only=True):
    """A person's answer to an alarm."""

    answer: Answer
    # Not int: in JSON Schema 3.0 is an integer, and some encoders write it so.
    rev: Annotated[
        float,
        Meta(
            ge=0,
            le=REV_MAX,
            multiple_of=1,
            description="The revision the person saw.",
            extra_json_schema={"type": "integer"},
        ),
    ]
    req: Annotated[Name, Meta(description="The caller's id of this answer; a repeat gets the same result.")]
    reason: Text = ""
    staff: Annotated[
        Name | None, Meta(description="Who answers. Only for API tokens; a phone's own secret says it.")
    ] = None


class SignalOut(Struct, frozen=True, kw_only=True):
    """What became of a signal, after the commit."""

    alarm: Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
    phase: str
    new: bool
    note: str | UnsetType = UNSET


class NoAlarm(Struct, frozen=True, kw_only=True):
    """The signal was taken and concerns no open alarm."""

    alarm: None = None
    note: str | UnsetType = UNSET


class HookOut(Struct, frozen=True, kw_only=True):
    """A notification was taken, after the commit of everything in it."""

    alerts: int


class AnswerOut(Struct, frozen=True, kw_only=True):
    """The answer was taken, after the commit. `note` `noted`: recorded, and it silences nobody."""

    ok: bool = True
    note: str | UnsetType = UNSET


class AcceptedBy(Struct, frozen=True, kw_only=True):
    """Who takes an alarm."""

    staff: str
    name: str
    at: datetime
    role: str = ""
    arrived_at: datetime | None = None


class AlarmOut(Struct, frozen=True, kw_only=True):
    """One alarm as it is committed now."""

    id: str
    rev: int
    phase: Phase
    flags: tuple[Flag, ...]
    kind: Kind
    type: str
    type_label: str
    priority: Priority
    place: str
    place_label: str
    unit: str
    source: str
    ref: str
    text: str
    source_text: str
    count: int
    drill: bool
    raised_at: datetime
    at: datetime
    accepted_by: tuple[AcceptedBy, ...]
    ended_by: str = ""
    next_step_at: datetime | None = None
    callback: str | None = None


class SourceOut(Struct, frozen=True, kw_only=True):
    """One source's way in, since the hub's start. An instant is null when there was none."""

    source: str
    name: str
    protocol: str
    up: bool
    connected: int
    peer: str
    last_signal_at: datetime | None
    last_answer: str
    last_answer_at: datetime | None
    refused: int
    last_refusal: str
    last_refusal_at: datetime | None


class SourcePage(Struct, frozen=True, kw_only=True):
    """All sources that were heard of, or whose line is open."""

    sources: tuple[SourceOut, ...]


class ReasonOut(Struct, frozen=True, kw_only=True):
    """Why something happened: the name, the facts used, and plain words."""

    code: str
    facts: dict[str, Any]
    text: str


class TimelineOut(Struct, frozen=True, kw_only=True):
    """One stored decision: what happened, the phase after it, and why."""

    version: int
    at: datetime
    received_at: datetime
    type: str
    phase: str
    reasons: tuple[ReasonOut, ...]


class AlarmDetail(Struct, frozen=True, kw_only=True):
    """One alarm with its time line, oldest first."""

    alarm: AlarmOut
    timeline: tuple[TimelineOut, ...]


class AlarmPage(Struct, frozen=True, kw_only=True):
    """Newest first. `next`: pass it as `after` for the following page; null when this is the last."""

    alarms: tuple[AlarmOut, ...]
    next: str | None = None


class Health(Struct, frozen=True, kw_only=True):
    """`ok`, or why not."""

    status: str


T = TypeVar("T")

_DECODE_SIGNAL: Final[msgspec.json.Decoder[SignalIn]] = msgspec.json.Decoder(SignalIn)
_DECODE_ANSWER: Final = msgspec.json.Decoder(AnswerIn)

_EXPECTED: Final = {
    "event": "one of " + ", ".join(_EVENTS.values()),
    "kind": "one of " + ", ".join(Kind),
    "priority": "one of " + ", ".join(Priority),
    "answer": "one of " + ", ".join(Answer),
    "rev": f"a whole number from 0 to {REV_MAX}",
}


def read_signal(body: bytes) -> SignalIn:
    """Decode and check the body of POST /api/v1/signals. Raises Failed (400)."""
    taken = decoded(body, _DECODE_SIGNAL)
    if taken.kind is None and taken.type is None and isinstance(taken, Start | Once):
        raise invalid("kind", f"kind ({', '.join(Kind)}) or type", "kind or type is required")
    return taken


def read_answer(body: bytes) -> AnswerIn:
    """Decode and check the body of POST /api/v1/alarms/{id}/answers. Raises Failed (400)."""
    return decoded(body, _DECODE_ANSWER)


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A body of this decoder's type. Raises Failed (400)."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(body, error) from None


def signal_of(taken: SignalIn, source: str) -> Signal:
    """The signal in the words of the core. `source` is who was authorised, whatever the body says."""
    ref = "" if taken.ref is UNSET else taken.ref
    occurred_at = taken.occurred_at
    return Signal(
        source=source,
        event=_EVENTS[taken.__class__],
        key=ref,
        ref=ref,
        place=taken.place,
        kind=taken.kind,
        type=taken.type,
        priority=taken.priority,
        text=cleaned(taken.text),
        present=taken.present if isinstance(taken, Presence) else None,
        callback=taken.callback,
        person=taken.person,
        id=taken.id,
        occurred_at=None if occurred_at is None else int(occurred_at.timestamp() * 1000),
        heard=taken.heard,
    )


def cleaned(text: str) -> str:
    """Control characters become spaces: a phone shows one line, and a log line stays one line."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _refusal(body: bytes, error: Exception) -> Failed:
    """The 400 for a body that could not be decoded."""
    if isinstance(error, msgspec.ValidationError):
        return explained(error, _EXPECTED)
    if isinstance(error, UnicodeDecodeError):
        return malformed("the body is not UTF-8")
    if isinstance(error, RecursionError):
        return malformed("the body is nested too deeply")
    field = _field_with_surrogate(body)
    if field:
        return invalid(field, "text without lone surrogates")
    return malformed(f"the body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")


def _field_with_surrogate(body: bytes) -> str:
    """The member whose text or name holds half a surrogate pair, "" when that is not what is wrong."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return ""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(members, dict):
        return ""
    for name, value in members.items():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return str(name)
    return ""
