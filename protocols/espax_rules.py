"""ESPA-X 1.00, the rules of its messages as data: elements, attributes, fields, lengths, enumerations.

From the published schema (`espa-x_v1.xsd`). The rules are stated here once;
`espax_document` builds by them and `faults` tells what a message breaks. They are for what the hub says. It
refuses to be held against a peer: real clients send `+` in network numbers and empty elements, and a call is
not lost over that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

NAMESPACE: Final = "http://ns.espa-x.org/espa-x"
VERSION: Final = "1.00"
ROOT: Final = "ESPA-X"
PROPRIETARY: Final = "PROPRIETARY"
INVOKE_ID: Final = "invokeID"
SESSION_ID: Final = "sessionID"
MAX_UINT64: Final = 2**64 - 1
MAX_UINT16: Final = 2**16 - 1

REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    450: "Duplicate",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    600: "Invalid header",
    601: "Not wellformed",
    602: "Invalid message",
}
"""RSP-REASON for each RSP-CODE; the two always go together."""


class Text(Struct, frozen=True):
    """Text of `shortest` to `longest` characters, each of `allowed` (a class of a regular expression)."""

    longest: int
    shortest: int = 1
    allowed: str = ""


class Number(Struct, frozen=True):
    """An unsigned integer up to and with `largest`."""

    largest: int


class Choice(Struct, frozen=True):
    """One of these words."""

    words: tuple[str, ...]


class Words(Struct, frozen=True):
    """A list of these words, blanks between them."""

    words: tuple[str, ...]


class Boolean(Struct, frozen=True):
    """`true` or `false`."""


class Instant(Struct, frozen=True):
    """`YYYY-MM-DDThh:mm:ss`, local time."""


Type: TypeAlias = Text | Number | Choice | Words | Boolean | Instant

_PHONE: Final = "0-9+\\-/()*#"
_DIALLED: Final = "0-9*#"
_PHONE_NUMBER: Final = Text(24, allowed=_PHONE)
_HEALTH: Final = Choice(("OK", "No data", "Problem detected", "Out of service"))
_LOAD: Final = Choice(("Overload", "Full", "Heavy", "Medium", "Low", "No", "Normal", "Unknown"))
_MASK: Final = ("Prepared", "Queued", "Active", "Conversation", "Postprocessing", "All")
_STATUS: Final = (
    "Prepared", "Queued", "Active", "Conversation setup", "Conversation", "Postprocessing",
)  # fmt: skip
_RESULT: Final = (
    "None", "Positive", "Negative", "Positive confirmed", "Conversation-Stop", "Conversation-Note",
    "Conversation-Prio", "Conversation",
)  # fmt: skip
_DOWN: Final = ("Normal", "Service", "Reboot", "New data", "System error", "Unspecified")
_MODES: Final = ("Immediate", "Quick", "Slow", "New data", "System error", "Unspecified")

FIELDS: Final[Mapping[str, Type]] = {
    "LI-CLIENT": Text(30),
    "LI-CLIENTSW": Text(30),
    "LI-SERVER": Text(30),
    "LI-SERVERSW": Text(30),
    "LI-USER": Text(12, 4),
    "LI-PASSWORD": Text(12, 4),
    "LO-REASON": Choice((*_DOWN, "Requested")),
    "SD-REASON": Choice(_DOWN),
    "SD-MODE": Choice(_MODES),
    "RSP-CODE": Choice(tuple(str(code) for code in REASONS)),
    "RSP-REASON": Choice(tuple(REASONS.values())),
    "RSP-INFO": Text(256),
    "S-HEALTH": _HEALTH,
    "S-HOTSTBY": Boolean(),
    "S-LOAD": _LOAD,
    "CP-PR-REF": Text(32),
    "CP-GROUPID": Text(12),
    "CP-PHONENO": _PHONE_NUMBER,
    "CP-CALLINGNO": Text(16, allowed=_DIALLED),
    "CP-CALLINGNAME": Text(24),
    "CP-TEXTMSG": Text(160),
    "CP-SIGNAL": Choice(("Standard", "Urgent", "Emergency", "Special")),
    "CP-WARD": Text(12),
    "CP-BED": Text(12),
    "CP-EVENT": Text(16_348),
    "CP-CALLBACK": Choice(("No", "NC-IF", "NC-IF-DTMF", "NC-IF-DTHRU", "NC-IF-PREP", "Phone", "Phone-VC")),
    "CP-DELAY": Number(MAX_UINT16),
    "CP-ATTEMPTS": Number(MAX_UINT16),
    "CP-PRIO": Choice(("Emergency", "High", "Medium", "Standard", "Low")),
    "CP-NCIFNO": Text(24),
    "CP-CBCKNO": _PHONE_NUMBER,
    "CP-PR-DETAILS": Choice(("No", "Process", "Results", "All")),
    "CP-PR-MASK": Words(_MASK),
    "SP-PR-TAN": Number(MAX_UINT64),
    "SP-PR-NAME": Text(30),
    "SP-CREATED": Instant(),
    "SP-STATUS": Choice(_STATUS),
    "SP-RESULT": Choice(_RESULT),
    "SP-GETSTAT": Boolean(),
    "SP-ENDINFO": Text(256),
    "SP-ENDREASON": Choice(("Finished", "Aborted", "Client", "Server", "Operator", "Failure")),
    "SS-NETW-NO": Text(16, allowed=_DIALLED),
    "SS-NETW-NAME": Text(24),
    "SS-SBSCRID": Text(12),
    "SS-SBSCRNO": _PHONE_NUMBER,
    "SS-SBSCRDATA": Text(256),
    "SS-KEY": Text(1, allowed=_DIALLED),
    "SS-DIRECTION": Choice(("Inbound", "Outbound")),
    "SS-STATUS": Choice(("Queued", "Processing", "Completed")),
    "SS-RESULT": Choice((
        "None", "Off duty", "Busy", "No answer", "Not reached", "Wrong behaviour", "Reached", "Accepted",
        "Rejected", "Conversation",
    )),
}  # fmt: skip
"""The type of each field."""

SESSION_TYPE: Final = Text(32)


class Element(Struct, frozen=True):
    """One message: which attributes it has (`!` after the name: required) and its fields (`?`: optional)."""

    attributes: tuple[str, ...]
    fields: tuple[str, ...]

    def required_fields(self) -> tuple[str, ...]:
        """Those that must be there."""
        return tuple(name for name in self.fields if not name.endswith("?"))

    def field_names(self) -> tuple[str, ...]:
        """All of them, in the order of the schema."""
        return tuple(name.removesuffix("?") for name in self.fields)


_BOTH: Final = (f"{INVOKE_ID}!", f"{SESSION_ID}!")
_SESSION: Final = (f"{SESSION_ID}!",)
_ANSWER: Final = ("RSP-CODE", "RSP-REASON", "RSP-INFO?")
_TOLD: Final = ("RSP-CODE", "RSP-REASON", "RSP-INFO")
_SYSTEM: Final = ("S-HEALTH", "S-HOTSTBY?", "S-LOAD?")
_CALLED: Final = ("CP-PR-REF?", "CP-GROUPID?", "CP-PHONENO?")
_PROCESS: Final = ("SP-PR-TAN", "SP-PR-NAME?", "SP-CREATED?")
_CALL: Final = (
    *_CALLED, "CP-CALLINGNO?", "CP-CALLINGNAME?", "CP-TEXTMSG?", "CP-SIGNAL?", "CP-WARD?", "CP-BED?",
    "CP-EVENT?", "CP-CALLBACK?", "CP-DELAY?", "CP-ATTEMPTS?", "CP-PRIO?", "CP-NCIFNO?", "CP-CBCKNO?",
    "CP-PR-DETAILS?",
)  # fmt: skip
_SUBSCRIBER: Final = (
    "SS-NETW-NO?", "SS-NETW-NAME?", "SS-SBSCRID?", "SS-SBSCRNO?", "SS-SBSCRDATA?", "SS-KEY?",
    "SS-DIRECTION?", "SS-STATUS?", "SS-RESULT?",
)  # fmt: skip
_NAMED: Final = Element(_BOTH, ("CP-PR-REF?", "SP-PR-TAN?", "CP-PR-MASK"))

ELEMENTS: Final[Mapping[str, Element]] = {
    "REQ.LOGIN": Element(
        (f"{INVOKE_ID}!", SESSION_ID), ("LI-CLIENT", "LI-CLIENTSW?", "LI-USER", "LI-PASSWORD")
    ),
    "RSP.LOGIN": Element(_BOTH, ("LI-SERVER", "LI-SERVERSW", *_TOLD)),
    "REQ.HEARTBEAT": Element(_BOTH, ()),
    "RSP.HEARTBEAT": Element(_BOTH, _ANSWER),
    "REQ.LOGOUT": Element(_BOTH, ("LO-REASON",)),
    "RSP.LOGOUT": Element(_BOTH, _TOLD),
    "CMD.SHUTDOWN": Element(_SESSION, ("SD-REASON", "SD-MODE")),
    "REQ.S-CONDITION": Element(_BOTH, ()),
    "RSP.S-CONDITION": Element(_BOTH, (*_ANSWER, *_SYSTEM)),
    "REQ.S-PARAMETERS": Element(_BOTH, ()),
    "RSP.S-PARAMETERS": Element(_BOTH, _ANSWER),
    "IND.S-SYSTEM": Element(_SESSION, _SYSTEM),
    "REQ.P-START": Element(_BOTH, _CALL),
    "RSP.P-START": Element(_BOTH, (*_ANSWER, "CP-PR-REF?", "SP-PR-TAN", "S-LOAD?")),
    "IND.P-STARTED": Element(_SESSION, (*_CALLED, *_PROCESS, "SP-STATUS?")),
    "REQ.P-STOP": _NAMED,
    "RSP.P-STOP": Element(_BOTH, _ANSWER),
    "REQ.P-GETSTAT": _NAMED,
    "RSP.P-GETSTAT": Element(_BOTH, _ANSWER),
    "IND.P-ENDED": Element(_SESSION, (*_CALLED, *_PROCESS, "SP-ENDINFO?", "SP-ENDREASON", "SP-RESULT?")),
    "IND.P-STATUS": Element(
        _SESSION, (*_CALLED, "CP-CBCKNO?", *_PROCESS, "SP-STATUS?", "SP-RESULT?", "SP-GETSTAT?")
    ),
    "IND.P-EVENT": Element(_SESSION, ("CP-PR-REF?", "SP-PR-TAN", "SP-GETSTAT?", *_SUBSCRIBER)),
    "IND.P-SYNC": Element(_SESSION, ()),
    "IND.ERROR": Element((), ("LI-SERVER", "RSP-CODE", "RSP-REASON", "RSP-INFO?")),
    PROPRIETARY: Element(_SESSION, ()),
}
"""Every message of the protocol. LOGOUT's PROPRIETARY, which the schema requires, is taken for a slip."""


_WHOLE_NUMBER = re.compile("[0-9]{1,20}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


def fits(value: str, type_: Type) -> bool:
    """Whether a value is of a type."""
    match type_:
        case Text(longest, shortest, allowed):
            within = shortest <= len(value) <= longest
            return within and (not allowed or re.fullmatch(f"[{allowed}]*", value) is not None)
        case Number(largest):
            return _WHOLE_NUMBER.fullmatch(value) is not None and int(value) <= largest
        case Choice(words):
            return value in words
        case Words(words):
            said = value.split()
            return bool(said) and all(word in words for word in said)
        case Boolean():
            return value in ("true", "false")
        case Instant():
            return _INSTANT.fullmatch(value) is not None


def faults(element: str, attributes: Mapping[str, str], fields: Mapping[str, str]) -> list[str]:
    """What a message breaks, each in a few words; empty when it keeps the rules. Never raises."""
    rule = ELEMENTS.get(element)
    if rule is None:
        return [f"{element}: no message of ESPA-X"]
    found = []
    known = {name.removesuffix("!") for name in rule.attributes}
    types: Mapping[str, Type] = {INVOKE_ID: Number(MAX_UINT64), SESSION_ID: SESSION_TYPE}
    for name in rule.attributes:
        if name.endswith("!") and name[:-1] not in attributes:
            found.append(f"{name[:-1]}: missing")
    for name, value in attributes.items():
        if name not in known:
            found.append(f"{name}: not in {element}")
        elif not fits(value, types[name]):
            found.append(f"{name}: not as the schema has it")
    found += [f"{name}: missing" for name in rule.required_fields() if name not in fields]
    allowed = rule.field_names()
    for name, value in fields.items():
        if name not in allowed:
            found.append(f"{name}: not in {element}")
        elif not fits(value, FIELDS[name]):
            found.append(f"{name}: not as the schema has it")
    code, reason = fields.get("RSP-CODE"), fields.get("RSP-REASON")
    if code is not None and code.isdecimal() and REASONS.get(int(code)) != reason:
        found.append("RSP-REASON: not that of RSP-CODE")
    return found
