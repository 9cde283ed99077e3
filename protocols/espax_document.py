"""ESPA-X 1.00, the document: read what a client sent as it meant it, write only what the schema allows.

Read: UTF-8 (what is not UTF-8 is taken as ISO 8859-1, so that a wrong letter loses no call), empty and
unknown elements accepted, no value held against a rule. A document type (and so any entity of its own), too
many or too deep elements refuse the document: nobody needs them, and they are how XML is made to grow.

Write: `build` fits every value to the rules of `espax_rules`: text is cut, characters a field does not allow
are left out, an optional value that still does not fit is left out. It never raises on what a peer sent or a
person wrote; ValueError means that the caller forgot a required field, a defect.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from protocols.espax_rules import (
    ELEMENTS,
    FIELDS,
    INVOKE_ID,
    NAMESPACE,
    PROPRIETARY,
    ROOT,
    SESSION_ID,
    SESSION_TYPE,
    VERSION,
    Text,
    faults,
    fits,
)

MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 1_000
NOT_WELLFORMED: Final = 601
INVALID: Final = 602

_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for."""
_SPACE = re.compile(r"\s+")
_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,20}\s*")


class Message(Struct, frozen=True):
    """One message: its element, attributes and fields, no blanks around them. Empty fields are absent."""

    element: str
    attributes: dict[str, str]
    fields: dict[str, str]

    @property
    def invoke_id(self) -> int | None:
        """The client's number of a request, None when it is absent or no 64-bit number."""
        said = self.attributes.get(INVOKE_ID, "")
        number = int(said) if _WHOLE_NUMBER.fullmatch(said) else -1
        return number if 0 <= number < 2**64 else None

    @property
    def session_id(self) -> str:
        """The session it belongs to, "" when it says none."""
        return self.attributes.get(SESSION_ID, "")


class Unreadable(Struct, frozen=True):
    """A document that is no message: 601 when it is no XML, 602 when it is no ESPA-X."""

    code: int
    why: str


class _Stop(Exception):
    """Thrown out of the XML parser, caught where it was started."""


def parse(document: bytes) -> Message | Unreadable:
    """The message in a document. Never raises."""
    reader = _Reader()
    # Some clients send their strings with the NUL that ends them.
    data = document.rstrip(b"\x00")
    try:
        data.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "iso-8859-1"
    # A declared encoding is overruled: only these two occur, and the parser must never look for a third.
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    try:
        parser.Parse(data, True)
    except _Stop as stop:
        return Unreadable(INVALID, str(stop))
    except expat.ExpatError as error:
        return Unreadable(NOT_WELLFORMED, f"{expat.ErrorString(error.code)}, line {error.lineno}")
    return reader.message()


class _Reader:
    """What the parser saw. Depth 1 is the root, 2 the message, 3 its fields; deeper text is its
    field's, and what is proprietary is nobody's."""

    def __init__(self) -> None:
        self._depth = 0
        self._count = 0
        self._root = ""
        self._messages: list[tuple[str, dict[str, str]]] = []
        self._fields: dict[str, str] = {}
        self._field = ""
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise _Stop("too many elements")
        local = name.rpartition(":")[2]
        if self._depth == 1:
            self._root = local
        elif self._depth == 2:
            self._messages.append((local, {key: value.strip() for key, value in attributes.items()}))
            if len(self._messages) > 1:
                raise _Stop("more than one message")
        elif self._depth == 3:
            self._field, self._text = local, []

    def end(self, name: str) -> None:
        if self._depth == 3:
            value = "".join(self._text).strip()
            if value and self._field != PROPRIETARY:
                self._fields.setdefault(self._field, value)
        self._depth -= 1

    def text(self, text: str) -> None:
        if self._depth >= 3:
            self._text.append(text)

    def refuse_doctype(self, *_: object) -> None:
        raise _Stop("a document type is not taken")

    def message(self) -> Message | Unreadable:
        if self._root != ROOT:
            return Unreadable(INVALID, "the root is not ESPA-X")
        if not self._messages:
            return Unreadable(INVALID, "no message")
        element, attributes = self._messages[0]
        return Message(element, attributes, self._fields)


def build(
    element: str,
    timestamp: str,
    fields: dict[str, str | None],
    *,
    invoke_id: int | None = None,
    session_id: str | None = None,
) -> bytes:
    """A document the schema allows. `timestamp`: `YYYY-MM-DDThh:mm:ss`. None leaves a field out.

    Raises ValueError, naming what, when a required field is missing or cannot be fitted.
    """
    rule = ELEMENTS[element]
    attributes = {}
    if invoke_id is not None:
        attributes[INVOKE_ID] = str(invoke_id)
    if session_id is not None:
        attributes[SESSION_ID] = fitted_text(session_id, SESSION_TYPE) or "0"
    values = {}
    for name in rule.field_names():
        said = fields.get(name)
        value = None if said is None else fitted(name, said)
        if value is not None:
            values[name] = value
    unknown = fields.keys() - set(rule.field_names())
    wrong = faults(element, attributes, values) + [f"{name}: not in {element}" for name in sorted(unknown)]
    if wrong:
        raise ValueError(f"{element}: {'; '.join(wrong)}")
    said = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    named = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    whole = f"<{element}{named}>{said}</{element}>" if said else f"<{element}{named}/>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{ROOT} version="{VERSION}" timestamp="{timestamp}" '
        f'xmlns="{NAMESPACE}">\n{whole}\n</{ROOT}>\n'
    ).encode()


def fitted(name: str, value: str) -> str | None:
    """The value as the field may hold it, None when nothing of it may."""
    type_ = FIELDS[name]
    if isinstance(type_, Text):
        return fitted_text(value, type_)
    return value if fits(value, type_) else None


def fitted_text(value: str, type_: Text) -> str | None:
    """Text without what XML or the field does not allow, cut to its length; None when too little is left."""
    text = _SPACE.sub(" ", _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", value)).strip()
    if type_.allowed:
        text = re.sub(f"[^{type_.allowed}]", "", text)
    text = text[: type_.longest].strip()
    return text if len(text) >= type_.shortest else None
