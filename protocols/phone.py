"""The phone socket's frames (design.md section 5, subprotocol `alarmhub.phone.v1`), both directions.

One JSON text frame is one message, tagged by `type`. `decode` turns a phone's frame into a struct or into
a `Fault` that says what was wrong in words a developer can act on; it never raises on peer input. Unknown
fields are ignored. This module refuses sessions: who may send what when, and how often, is the gateway's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta, Struct

SUBPROTOCOL: Final = "alarmhub.phone.v1"
PATH: Final = "/phone"
MAX_FRAME_BYTES: Final = 16 * 1024
TOLD_NAMES_MAX: Final = 12
"""An assault alarm rings everybody on site: nobody reads 200 names, and every frame would hold them."""


class Closing:
    """Closing codes of the hub. 4400-4499 are ours, the others RFC 6455 section 7.4.1."""

    RESTART: Final = 1012  # the hub stops; come back at once
    TRY_LATER: Final = 1013  # it cannot be checked now who you are
    INVALID_TEXT: Final = 1007
    TOO_BIG: Final = 1009  # a frame over 16 KiB
    BAD_TOKEN: Final = 4401
    NOBODY: Final = 4403  # nobody is signed in on this phone
    NO_HELLO: Final = 4408  # nor within 5 s
    REPLACED: Final = 4409  # a newer connection of the same device
    SLOW_READER: Final = 4410
    HANDED_OVER: Final = 4411  # to somebody else: say hello again
    FRAGMENTED: Final = 4413  # one message in absurdly many pieces
    TOO_MANY_FAULTS: Final = 4429


# -- phone -> hub ---------------------------------------------------------------------------------

_NO_CONTROL: Final = r"\A[^\x00-\x1f\x7f]*\Z"
_Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NO_CONTROL)]
_Secret = Annotated[str, Meta(min_length=1, max_length=256)]
_Text = Annotated[str, Meta(max_length=160)]
_Word = Annotated[str, Meta(max_length=64, pattern=_NO_CONTROL)]
_Rev = Annotated[int, Meta(ge=0, le=2**53)]
_Percent = Annotated[int, Meta(ge=0, le=100)]


class Hello(Struct, frozen=True, gc=False, tag_field="type", tag="hello"):
    """The first frame: who (`token`) on which device. `features`: what the app can do beyond v1."""

    token: _Secret
    device: _Id
    app: _Word | None = None
    features: Annotated[list[_Word], Meta(max_length=32)] = []


class Rang(Struct, frozen=True, gc=False, tag_field="type", tag="rang"):
    """The device sounded for this alarm."""

    alarm: _Id
    rev: _Rev


class Seen(Struct, frozen=True, gc=False, tag_field="type", tag="seen"):
    """Somebody looked at this alarm on the device."""

    alarm: _Id
    rev: _Rev


class AnswerFrame(Struct, frozen=True, gc=False, tag_field="type"):
    """What a person says to an alarm. `req`: unique per device, a repeat gets the same result."""

    alarm: _Id
    rev: _Rev
    req: _Id
    reason: _Text = ""

    @property
    def answer(self) -> str:
        """The answer's name: the frame's `type`."""
        return str(self.__struct_config__.tag)

    @property
    def clean_reason(self) -> str:
        """`reason` as it may be stored and shown."""
        return clean(self.reason) if self.reason else ""


class Accept(AnswerFrame, frozen=True, gc=False, tag="accept"):
    """Jag tar den."""


class Decline(AnswerFrame, frozen=True, gc=False, tag="decline"):
    """Kan inte."""


class Release(AnswerFrame, frozen=True, gc=False, tag="release"):
    """Lämna tillbaka."""


class Attend(AnswerFrame, frozen=True, gc=False, tag="attend"):
    """På plats."""


class Done(AnswerFrame, frozen=True, gc=False, tag="done"):
    """Klar."""


class Help(AnswerFrame, frozen=True, gc=False, tag="help"):
    """Hjälp hit."""


class Extend(AnswerFrame, frozen=True, gc=False, tag="extend"):
    """More time before the arrival check."""


class TakeOver(AnswerFrame, frozen=True, gc=False, tag="take_over"):
    """Takes it from the colleague who accepted."""


class Hold(AnswerFrame, frozen=True, gc=False, tag="hold"):
    """Kommer strax: of whoever is alone on the ward (ward.md)."""


class Safe(AnswerFrame, frozen=True, gc=False, tag="safe"):
    """The place of an assault is safe (ward.md, "assault")."""


class Availability(Struct, frozen=True, gc=False, tag_field="type", tag="availability"):
    """available, busy or break. `substitute`: who answers meanwhile, when this person is the last one."""

    state: Literal["available", "busy", "break"]
    req: _Id
    substitute: _Id | None = None


class Status(Struct, frozen=True, gc=False, tag_field="type", tag="status"):
    """How the phone is, all that it can tell; a field left out is one it cannot.

    `battery`, `volume`: percent. `notifications`: what the system lets the app do. `push`: it has a push
    registration. `visible`: the app is on the screen.
    """

    battery: _Percent | None = None
    charging: bool | None = None
    muted: bool | None = None
    volume: _Percent | None = None
    notifications: Literal["granted", "denied", "default"] | None = None
    push: bool | None = None
    visible: bool | None = None


class Beat(Struct, frozen=True, gc=False, tag_field="type", tag="beat"):
    """The phone lives."""


# fmt: off
FromPhone: TypeAlias = (
    Hello | Rang | Seen | Accept | Decline | Release | Attend | Done | Help | Extend | TakeOver | Hold | Safe
    | Availability | Status | Beat
)
# fmt: on


class Fault(Struct, frozen=True):
    """A frame that says nothing usable.

    `error`: not_text, too_big, bad_json, unknown_type, invalid_field. `req`: the request's id where one
    could be read. `field`, `expected`: for invalid_field, what was wrong and what would be right.
    """

    error: str
    detail: str
    req: str | None = None
    field: str | None = None
    expected: str | None = None


class _Peek(Struct, gc=False):
    type: Any = None
    req: Any = None


_DECODER: msgspec.json.Decoder[FromPhone] = msgspec.json.Decoder(FromPhone)
_PEEK = msgspec.json.Decoder(_Peek)
_BEAT = Beat()
_BEAT_BYTES = b'{"type":"beat"}'
_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(FromPhone))
_EXPECTED = {"state": "available, busy or break", "notifications": "granted, denied or default"}
_CONTROL = dict.fromkeys((*range(32), 127), " ")
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


def decode(data: bytes | bytearray | str) -> FromPhone | Fault:
    """Read one frame of a phone. `data`: the text frame's payload, UTF-8 or already decoded."""
    if data == _BEAT_BYTES:
        return _BEAT
    if len(data) > MAX_FRAME_BYTES:
        return Fault("too_big", f"frames are at most {MAX_FRAME_BYTES} bytes")
    try:
        frame = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        return _invalid(data, str(error))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Fault("bad_json", f"not JSON: {_shortened(str(error))}")
    return frame


def clean(text: str) -> str:
    """`text` without control characters (NUL among them), as it may be stored and shown."""
    return text.translate(_CONTROL).strip()


def _invalid(data: bytes | bytearray | str, message: str) -> Fault:
    """Valid JSON, wrong content: find out which, for the peer's developer."""
    try:
        peek = _PEEK.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Fault("bad_json", "a frame is one JSON object with a type")
    req = clean(peek.req) if isinstance(peek.req, str) and 0 < len(peek.req) <= 64 else None
    if not isinstance(peek.type, str):
        return Fault("invalid_field", "every frame has a type", req, "type", "a string")
    if peek.type not in _TYPES:
        return Fault("unknown_type", f"unknown type {_shortened(peek.type)!r}", req)
    missing = _MISSING.search(message)
    if missing:
        field, expected = missing["field"], "required"
    else:
        at = _AT.search(message)
        field = at["path"] if at else ""
        expected = _EXPECTED.get(field) or _shortened(_AT.sub("", message))
        if "matching regex" in expected:
            expected = "text without control characters"
    return Fault("invalid_field", f"{field}: {expected}", req, field, expected)


def _shortened(text: str) -> str:
    text = clean(text)
    return text if len(text) <= 120 else text[:117] + "..."


# -- hub -> phone ---------------------------------------------------------------------------------


class Welcome(Struct, frozen=True, gc=False, tag_field="type", tag="welcome"):
    """Accepted as `staff`. `beat_every`: seconds between the phone's beats. `at`: hub's clock, epoch ms.
    `availability`: as the hub has it now, "" = not on duty."""

    staff: str
    beat_every: float
    at: int
    features: tuple[str, ...] = ()
    name: str = ""
    availability: str = ""


class Why(Struct, frozen=True, gc=False):
    """One reason why this phone is told: its code and plain words in the site's language."""

    code: str
    text: str


class AlarmShared(Struct, frozen=True, gc=False, tag_field="type", tag="alarm"):
    """The part of an alarm frame that is the same for everybody told. Times: hub's clock, epoch ms.

    `alarm_type` is the site's own type: `type` itself names the frame. `sound`: the type's, "" = the kind's.
    `told_names`: who is told, at most `TOLD_NAMES_MAX` of them; `told_more`: how many besides.
    """

    rev: int
    id: str
    phase: str
    flags: tuple[str, ...]
    kind: str
    kind_label: str
    alarm_type: str
    type_label: str
    priority: str
    place: str
    place_label: str
    text: str
    source_text: str
    count: int
    raised_at: int
    accepted_by: tuple[str, ...]
    next_step_at: int | None
    callback: str | None
    drill: bool
    unit: str
    unit_label: str
    sound: str = ""
    told_names: tuple[str, ...] = ()
    told_more: int = 0


class AlarmPersonal(Struct, frozen=True, gc=False):
    """The part of an alarm frame that is one person's. `rings`: this phone should sound now.

    `turn`: the phone rings again when it rises. `you`: told, accepted, arrived, holding or noted: what this
    person has said to it so far. `hearing`: a test ring that asks whether this person hears the phone.
    """

    why: tuple[Why, ...]
    can: tuple[str, ...]
    you: str
    rings: bool
    turn: int
    at: int
    hearing: bool = False


class AlarmFrame(AlarmShared, frozen=True, gc=False, kw_only=True, tag_field="type", tag="alarm"):
    """A full snapshot of one alarm for one person, for new and changed alike: both parts."""

    why: tuple[Why, ...]
    can: tuple[str, ...]
    you: str
    rings: bool
    turn: int
    at: int
    hearing: bool = False


class Synced(Struct, frozen=True, gc=False, tag_field="type", tag="synced"):
    """After welcome and all alarms of the person: what was not sent is gone."""


class Gone(Struct, frozen=True, gc=False, tag_field="type", tag="gone"):
    """This person is no longer told of the alarm. `reason` is a code, `text` the same in plain words."""

    id: str
    rev: int
    reason: str
    at: int
    text: str = ""


class Candidate(Struct, frozen=True, gc=False):
    """A colleague who could stand in."""

    staff: str
    name: str


class Result(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", tag="result"):
    """The outcome of a request, or what was wrong with a frame (`field`, `expected`, `detail`).

    `error` is a name from a closed list, `text` the same for the person who answered. `candidates`: who could
    stand in (error last_one).
    """

    ok: bool
    req: str | None = None
    error: str | None = None
    retry: bool = False
    field: str | None = None
    expected: str | None = None
    detail: str | None = None
    text: str | None = None
    candidates: tuple[Candidate, ...] = ()


class State(Struct, frozen=True, gc=False, tag_field="type", tag="state", omit_defaults=True):
    """Whether the hub can store answers now. `banners`: what stands on this person's screens meanwhile, such
    as a source under maintenance. `warnings`: what is wrong with this person's phones, in plain words."""

    storing: bool
    at: int
    banners: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class BeatAnswer(Struct, frozen=True, gc=False, tag_field="type", tag="beat"):
    """The hub lives."""

    at: int


ToPhone: TypeAlias = Welcome | AlarmFrame | Synced | Gone | Result | State | BeatAnswer

_ENCODER = msgspec.json.Encoder()
_TO_PHONE: msgspec.json.Decoder[ToPhone] = msgspec.json.Decoder(ToPhone)


def encode(frame: ToPhone | AlarmShared | FromPhone) -> bytes:
    """The frame's payload, UTF-8. `type` comes first."""
    return _ENCODER.encode(frame)


def alarm_payload(shared: bytes, personal: AlarmPersonal) -> bytes:
    """An alarm frame from `encode(AlarmShared)`, which many phones share, and one person's part."""
    return b"".join((shared[:-1], b",", _ENCODER.encode(personal)[1:]))


def refusal(fault: Fault) -> Result:
    """How a fault is told to the phone that made it."""
    return Result(
        ok=False,
        req=fault.req,
        error=fault.error,
        field=fault.field,
        expected=fault.expected,
        detail=fault.detail,
    )


def decode_hub(data: bytes | bytearray | str) -> ToPhone:
    """Read a frame of the hub, as a phone does. Raises msgspec.DecodeError: the hub is not a hostile peer."""
    return _TO_PHONE.decode(data)
