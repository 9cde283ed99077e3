"""SCAIP (SS 91100:2014): the XML a social alarm unit sends (`<mrq>`) and is answered with (`<mrs>`).

`read` turns a body into an `Mrq`, an `Mrs`, or a `Fault` that carries the status number (snu) to answer with,
what could be read all the same, and the reference to answer under. Syntilio's root `<scaip>` is read as
either. Fields, their order and their lengths are facts of the standard; its text is not here. Transport (SIP
MESSAGE) is in `protocols.sip`, the meaning of codes in `scaip_codes`.

It refuses document type declarations and entities, nesting, bodies over a bound (also deflated ones), and to
raise on anything a peer sends.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import escape

from msgspec import Struct, structs

CONTENT_TYPE: Final = "application/scaip+xml"
CONTENT_TYPES: Final = (CONTENT_TYPE, "application/xml", "text/xml")
MAX_XML_BYTES: Final = 16_384
MAX_DEPTH: Final = 4
MAX_ELEMENTS: Final = 128
MAX_VALUE_CHARS: Final = 4_096

MESSAGE, RESET, INFORMATION, PING = "ME", "RE", "IN", "PI"
MESSAGE_TYPES: Final = (MESSAGE, RESET, INFORMATION, PING)


class Snu(IntEnum):
    """Status numbers of a reply."""

    DONE = 0
    TOO_LONG = 1
    INVALID = 2
    WRONG_DATA = 3
    HOLD = 4
    NOT_TREATED = 5
    BUSY = 6
    TAG_MISSING = 7
    NO_REFERENCE = 10
    UNDEFINED = 99


class Mrq(Struct, frozen=True):
    """A request of a unit, fields by their tags; "" is left out (and means the standard's default).

    `dty` and `stc` are padded to four digits, `dco`, `lco` and `ico` to three, as the lists write them.
    """

    ref: str
    cid: str = ""
    dty: str = ""
    ver: str = ""
    sco: str = ""
    cha: str = ""
    mty: str = MESSAGE
    hbo: str = ""
    did: str = ""
    dco: str = ""
    dte: str = ""
    crd: str = ""
    stc: str = ""
    stt: str = ""
    pri: str = ""
    lco: str = ""
    lva: str = ""
    geo: str = ""
    tim: str = ""
    gga: str = ""
    lte: str = ""
    ico: str = ""
    ite: str = ""
    ame: str = ""
    root: str = "mrq"

    @property
    def heartbeat_adjustable(self) -> bool:
        """Whether the interval of its heartbeats can be told to it."""
        return self.hbo.strip("0") != ""

    @property
    def more(self) -> int:
        """How many messages of this session are still to come."""
        return int(self.ame or "0")


class Mrs(Struct, frozen=True):
    """A reply. None is left out. `snu` as in `Snu` (numbers outside it are kept)."""

    ref: str
    snu: int
    ste: str | None = None
    cve: str | None = None
    mre: int | None = None
    cre: int | None = None
    tnu: str | None = None
    hbi: int | None = None
    root: str = "mrs"


class Fault(Struct, frozen=True):
    """Why a body is refused: `snu` for the unit, `cause` for people. `read`: what could be read of a request
    whose sender and reference are known, with what was too long cut and what was wrong left out."""

    snu: Snu
    cause: str
    ref: str = ""
    read: Mrq | None = None
    root: str = "mrq"


Message: TypeAlias = Mrq | Mrs | Fault


class _Rule(Struct, frozen=True):
    longest: int
    pattern: re.Pattern[str]
    wrong: re.Pattern[str] | None = None  # well-formed, yet no value of the field: wrong data, not bad format
    pad: int = 0


_ANY = re.compile(r".*", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")
_ASCII = re.compile(r"[\x20-\x7e]+")
_DIGIT = re.compile(r"[0-9]")

RULES: Final[Mapping[str, _Rule]] = {
    "ref": _Rule(16, re.compile(r"[A-Za-z0-9]+")),
    "ver": _Rule(5, re.compile(r"[0-9]{2}\.[0-9]{2}")),
    "sco": _Rule(1, _DIGIT, re.compile("[0-3]")),
    "cha": _Rule(1, _DIGIT, re.compile("[01]")),
    "mty": _Rule(2, re.compile("[A-Z]{2}"), re.compile("|".join(MESSAGE_TYPES))),
    "hbo": _Rule(3, _DIGITS),
    "cid": _Rule(32, _DIGITS),
    "dty": _Rule(4, _DIGITS, pad=4),
    "did": _Rule(16, _ASCII),
    "dco": _Rule(3, _DIGITS, pad=3),
    "dte": _Rule(32, _ANY),
    "crd": _Rule(256, _ANY),
    "stc": _Rule(4, _DIGITS, pad=4),
    "stt": _Rule(32, _ANY),
    "pri": _Rule(1, _DIGIT),
    "lco": _Rule(3, _DIGITS, pad=3),
    "lva": _Rule(2, _DIGITS),
    "geo": _Rule(128, _ANY),
    "tim": _Rule(32, _ANY),
    "gga": _Rule(128, _ANY),
    "lte": _Rule(32, _ANY),
    "ico": _Rule(3, _DIGITS, pad=3),
    "ite": _Rule(128, _ANY),
    "ame": _Rule(3, _DIGITS),
}
"""Every field of a request in the standard's order. The lengths inside `lge` are our bounds: its own are not
among the facts at hand."""
_MANDATORY: Final = ("cid", "dty")
_LOCATION_PARTS: Final = ("geo", "tim", "gga")
_FREE_TEXT: Final = ("stt", "lte", "ite")
_ROOTS: Final = ("mrq", "mrs", "scaip")


# Reading


def inflated(body: bytes, encoding: str, most: int = MAX_XML_BYTES) -> bytes | str:
    """A body without its Content-Encoding, or why not. `deflate` is met with and without the zlib wrapper."""
    words = encoding.strip().lower()
    if words in ("", "identity"):
        return body
    if words != "deflate":
        return "unknown content encoding"
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        unpacker = zlib.decompressobj(window)
        try:
            plain = unpacker.decompress(body, most + 1)
        except zlib.error:
            continue
        if len(plain) > most:
            return "body too long when inflated"
        if unpacker.eof:
            return plain
    return "body cannot be inflated"


def read(body: bytes) -> Message:
    """One body, already without Content-Encoding."""
    if len(body) > MAX_XML_BYTES:
        return Fault(Snu.TOO_LONG, "body too long")
    tree = _Tree()
    cause = tree.feed(body)
    if cause:
        return Fault(Snu.INVALID, cause, _safe_ref(tree.fields.get("ref", "")), root=tree.root or "mrq")
    if tree.root == "mrs" or (tree.root == "scaip" and "snu" in tree.fields and "cid" not in tree.fields):
        return _read_mrs(tree.fields, tree.root)
    return _read_mrq(tree.fields, tree.root, tree.doubled)


def _read_mrq(fields: Mapping[str, str], root: str, doubled: str) -> Mrq | Fault:
    ref = fields.get("ref", "")
    if not ref:
        return Fault(Snu.NO_REFERENCE, "no reference", root=root)
    faults: list[tuple[Snu, str]] = []
    good: dict[str, str] = {}
    for name, rule in RULES.items():
        value = fields.get(name, "")
        if not value:
            if name in _MANDATORY:
                faults.append((Snu.TAG_MISSING, f"no {name}"))
            continue
        fault = _judge(name, value, rule)
        if fault is not None:
            faults.append(fault)
        if fault is None or (fault[0] is Snu.TOO_LONG and rule.pattern is _ANY):
            good[name] = value[: rule.longest].zfill(rule.pad) if rule.pad else value[: rule.longest]
    if doubled:
        faults.append((Snu.INVALID, f"{doubled} twice"))
    if not faults:
        return Mrq(**good, root=root)
    usable = "ref" in good and "cid" in good and ("mty" in good or not fields.get("mty"))
    part = Mrq(**good, root=root) if usable else None
    return Fault(faults[0][0], faults[0][1], _safe_ref(ref), part, root)


def _judge(name: str, value: str, rule: _Rule) -> tuple[Snu, str] | None:
    if len(value) > rule.longest:
        return Snu.TOO_LONG, f"{name} is longer than {rule.longest}"
    if not rule.pattern.fullmatch(value):
        return Snu.INVALID, f"{name} has a wrong format"
    if rule.wrong is not None and not rule.wrong.fullmatch(value):
        return Snu.WRONG_DATA, f"{name} has no such value"
    return None


def _read_mrs(fields: Mapping[str, str], root: str) -> Mrs | Fault:
    ref = _safe_ref(fields.get("ref", ""))
    if not ref:
        return Fault(Snu.NO_REFERENCE, "no reference", root=root)
    snu = _number(fields.get("snu"))
    if snu is None:
        return Fault(Snu.TAG_MISSING, "no status number", ref, root=root)
    return Mrs(
        ref,
        snu,
        ste=fields.get("ste"),
        cve=fields.get("cve"),
        mre=_number(fields.get("mre")),
        cre=_number(fields.get("cre")),
        tnu=fields.get("tnu"),
        hbi=_number(fields.get("hbi")),
        root=root,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch("[0-9]{1,4}", text) else None


def _safe_ref(text: str) -> str:
    """A reference as it may be said back: what cannot be one is not repeated to anybody."""
    rule = RULES["ref"]
    return text if len(text) <= rule.longest and rule.pattern.fullmatch(text) else ""


class _Refused(Exception):
    """Raised by our own handlers through expat, and caught around it."""


class _Tree:
    """The flat fields of one document. Elements inside `lge` are fields too; namespaces are dropped."""

    def __init__(self) -> None:
        self.root = ""
        self.fields: dict[str, str] = {}
        self.doubled = ""
        self._path: list[str] = []
        self._text: list[str] = []
        self._chars = 0
        self._elements = 0

    def feed(self, body: bytes) -> str:
        """Read it; why it cannot be, or ""."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(body, True)
        except _Refused as refused:
            return str(refused)
        except (expat.ExpatError, ValueError, LookupError):
            return "not well-formed XML"
        return ""

    def _doctype(self, *_declared: object) -> None:
        raise _Refused("a document type declaration")

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        name = name.rpartition(":")[2].lower()
        self._elements += 1
        if len(self._path) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise _Refused("too many elements")
        if not self._path:
            if name not in _ROOTS:
                raise _Refused("not a SCAIP document")
            self.root = name
        self._path.append(name)
        self._text, self._chars = [], 0

    def _data(self, text: str) -> None:
        self._chars += len(text)
        if self._chars > MAX_VALUE_CHARS:
            raise _Refused("a value is too long")
        self._text.append(text)

    def _end(self, _name: str) -> None:
        name, text = self._path.pop(), "".join(self._text).strip()
        self._text, self._chars = [], 0
        inside = self._path[1:]
        if not self._path or name in _ROOTS or name == "lge":
            return
        if inside and inside not in (["lge"], ["mrq"], ["mrs"], ["mrq", "lge"]):
            return
        if (inside[-1:] == ["lge"]) != (name in _LOCATION_PARTS):
            return
        if name in self.fields:
            self.doubled = self.doubled or name
        else:
            self.fields[name] = text


# More messages of one session


def merged(first: Mrq, later: Mrq) -> Mrq:
    """What is known after another message of the same session (`ame`, or information): what the later one
    says counts, and free text is added to free text."""
    changes: dict[str, str] = {}
    for name in RULES:
        value = getattr(later, name)
        if not value or name in ("ref", "mty"):
            continue
        old = getattr(first, name)
        if name in _FREE_TEXT and old:
            value = old if value in old else f"{old} {value}"
        changes[name] = value
    return structs.replace(first, **changes)


# Writing


def write_mrs(reply: Mrs) -> bytes:
    """The bytes of a reply, tags in the standard's order."""
    fields = [
        (name, getattr(reply, name)) for name in ("ref", "snu", "ste", "cve", "mre", "cre", "tnu", "hbi")
    ]
    return _written(reply.root, [(name, str(value)) for name, value in fields if value is not None])


def write_mrq(request: Mrq) -> bytes:
    """The bytes of a request, tags in the standard's order, defaults left out."""
    fields: list[tuple[str, str]] = []
    place = ""
    for name in RULES:
        value = getattr(request, name)
        if not value or (name == "mty" and value == MESSAGE):
            continue
        if name in _LOCATION_PARTS:
            place += f"<{name}>{escape(value)}</{name}>"
        else:
            fields.append((name, value))
    before = [pair for pair in fields if pair[0] not in ("lte", "ico", "ite", "ame")]
    after = [pair for pair in fields if pair[0] in ("lte", "ico", "ite", "ame")]
    middle = f"<lge>{place}</lge>" if place else ""
    text = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in before)
    text += middle + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in after)
    return f"<{request.root}>{text}</{request.root}>".encode()


def _written(root: str, fields: list[tuple[str, str]]) -> bytes:
    text = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields)
    return f"<{root}>{text}</{root}>".encode()
