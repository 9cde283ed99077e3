"""HL7 v2 messages: segments, fields, repetitions, components, escapes and character sets, both ways.

`read` turns the bytes of one message into a `Message`, or says why it cannot (`Unreadable`); `Writer` makes
bytes. Fields are kept as they came and taken apart when asked for, so that reading costs what is used. The
encoding characters are those of the message itself (MSH-1, MSH-2, a fifth for truncation from v2.7); segments
may end in CR, LF or both; the character set is that of MSH-18, and where the bytes contradict it, what they
are.

It refuses to know what a message is for, and never raises on what it reads: what is missing is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

MAX_SEGMENTS: Final = 512
MAX_ESCAPE_CHARS: Final = 64
"""Of one escape sequence; anything longer is text with a backslash in it."""


class Delimiters(Struct, frozen=True):
    """Encoding characters of one message (HL7 v2.6, 2.5.4). Empty: the message has none."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"
    truncation: str = ""

    def msh_2(self) -> str:
        """How they are announced."""
        return f"{self.component}{self.repetition}{self.escape}{self.sub}{self.truncation}"


USUAL: Final = Delimiters()


class Segment(Struct, frozen=True):
    """One segment: its name and raw fields. `fields[0]` is the name, so `fields[n]` is field n."""

    name: str
    fields: tuple[str, ...]
    delimiters: Delimiters = USUAL

    def raw(self, field: int) -> str:
        """Field n as it came, empty when absent. HL7's explicit null (`""`) counts as empty."""
        value = self.fields[field] if field < len(self.fields) else ""
        return "" if value == '""' else value

    def repetitions(self, field: int) -> list[str]:
        """The raw repetitions of a field, without empty ones."""
        raw, mark = self.raw(field), self.delimiters.repetition
        return [one for one in (raw.split(mark) if mark else [raw]) if one]

    def components(self, field: int, repetition: int = 0) -> list[str]:
        """The components of one repetition as text, empty list when it is absent."""
        found = self.repetitions(field)
        if repetition >= len(found):
            return []
        return components(found[repetition], self.delimiters)

    def text(self, field: int, component: int = 1, repetition: int = 0) -> str:
        """One component (counted from 1) as text, without surrounding blanks."""
        found = self.components(field, repetition)
        return found[component - 1].strip() if component <= len(found) else ""

    def whole(self, field: int) -> str:
        """The field as one text, for fields that have no components (ST, FT, TX)."""
        return unescape(self.raw(field), self.delimiters).strip()


class Message(Struct, frozen=True):
    """A readable message: it begins with MSH. `charset`: what it was decoded by."""

    segments: tuple[Segment, ...]
    delimiters: Delimiters
    charset: str

    @property
    def header(self) -> Segment:
        """MSH; its fields are counted as HL7 counts them (MSH-1 is the separator itself)."""
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """All segments of this name, in order."""
        return (segment for segment in self.segments if segment.name == name)


class Unreadable(Struct, frozen=True):
    """Bytes that are no HL7 message, with the cause in one line."""

    cause: str


# Character sets (table 0211, and what senders write instead of it).

_CHARSETS: Final[dict[str, str]] = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "ISOIR192": "utf-8",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ISOIR100": "iso8859-1",
    "LATIN1": "iso8859-1",
    "GB180302000": "gb18030",
    "BIG5": "big5",
    "KSX1001": "euc_kr",
    **{f"8859{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15)},
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15)},
}
_NOT_ALNUM = re.compile(r"[^A-Z0-9]")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}\Z")


def charset_of(name: str) -> str | None:
    """The codec for a value of MSH-18, None when it is unknown. UTF-16 and -32 cannot travel in MLLP."""
    return _CHARSETS.get(_NOT_ALNUM.sub("", name.upper()))


def _decode(data: bytes, declared: str | None) -> tuple[str, str]:
    for charset in (declared or "ascii", "utf-8"):
        try:
            return data.decode(charset), charset
        except UnicodeDecodeError:
            continue
    # Senders that declare ASCII or UTF-8 and send neither send the Windows page.
    return data.decode("cp1252", "replace"), "cp1252"


def _declared(first_line: bytes) -> str | None:
    separator = first_line[3:4]
    fields = first_line.split(separator)
    if len(fields) <= 17:
        return None
    repetition = fields[1][1:2] if len(fields[1]) > 1 else b"~"
    name = fields[17].split(repetition)[0] if repetition else fields[17]
    return charset_of(name.decode("ascii", "replace"))


# Reading.


def read(data: bytes) -> Message | Unreadable:
    """Read one message. Never raises."""
    data = data.lstrip(b"\r\n\x00 ").removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n\x00 ")
    if not data.startswith(b"MSH"):
        return Unreadable("does not begin with MSH")
    first_line = re.split(rb"[\r\n]", data, maxsplit=1)[0]
    if len(first_line) < 8:
        return Unreadable("MSH is cut short")
    text, charset = _decode(data, _declared(first_line))
    delimiters = _delimiters(text)
    if delimiters is None:
        return Unreadable("MSH-1 and MSH-2 are no encoding characters")
    lines = [line for line in _LINE_ENDS.split(text) if line.strip()]
    if len(lines) > MAX_SEGMENTS:
        return Unreadable(f"more than {MAX_SEGMENTS} segments")
    segments = [_header(lines[0], delimiters)]
    for line in lines[1:]:
        fields = line.split(delimiters.field)
        # A line end inside a text field: what follows belongs to the field, not to a segment of its own.
        if not _SEGMENT_NAME.match(fields[0]):
            last = segments[-1]
            joined = (*last.fields[:-1], last.fields[-1] + " " + fields[0], *fields[1:])
            segments[-1] = Segment(last.name, joined, delimiters)
        else:
            segments.append(Segment(fields[0], tuple(fields), delimiters))
    return Message(tuple(segments), delimiters, charset)


def _delimiters(text: str) -> Delimiters | None:
    field = text[3:4]
    marks = text[4 : text.find(field, 4)] if text.find(field, 4) > 0 else ""
    if field.isalnum() or field.isspace() or not 1 <= len(marks) <= 5:
        return None
    each = [*marks, "", "", "", ""]
    used = [field, *marks]
    if len(set(used)) != len(used) or any(mark.isalnum() or mark.isspace() for mark in marks):
        return None
    return Delimiters(field, each[0], each[1], each[2], each[3], each[4])


def _header(line: str, delimiters: Delimiters) -> Segment:
    parts = line.split(delimiters.field)
    return Segment("MSH", ("MSH", delimiters.field, *parts[1:]), delimiters)


def components(raw: str, delimiters: Delimiters) -> list[str]:
    """The components of one repetition, as text."""
    parts = raw.split(delimiters.component) if delimiters.component else [raw]
    return [unescape(part, delimiters) for part in parts]


def subcomponents(raw: str, delimiters: Delimiters) -> list[str]:
    """The sub-components of one raw component, as text."""
    parts = raw.split(delimiters.sub) if delimiters.sub else [raw]
    return [unescape(part, delimiters) for part in parts]


def unescape(raw: str, delimiters: Delimiters) -> str:
    r"""Text from its escaped form (HL7 v2.6, 2.7): `\F\ \S\ \T\ \R\ \E\ \P\ \Xhh..\ \.br\`; highlights and
    what it does not know are left out, a lone escape character is text."""
    mark = delimiters.escape
    if not mark or mark not in raw:
        return raw
    out: list[str] = []
    at = 0
    while True:
        begin = raw.find(mark, at)
        end = raw.find(mark, begin + 1, begin + 2 + MAX_ESCAPE_CHARS) if begin >= 0 else -1
        if begin < 0 or end < 0:
            out.append(raw[at:])
            return "".join(out)
        meaning = _escaped(raw[begin + 1 : end], delimiters)
        if meaning is None:
            out.append(raw[at:end])
            at = end
        else:
            out.append(raw[at:begin] + meaning)
            at = end + 1


def _escaped(sequence: str, delimiters: Delimiters) -> str | None:
    """What stands for one sequence; None: it is no escape sequence, but text between two backslashes."""
    simple = {
        "F": delimiters.field, "S": delimiters.component, "T": delimiters.sub, "R": delimiters.repetition,
        "E": delimiters.escape, "P": delimiters.truncation or "#", "H": "", "N": "", ".br": "\n", ".sp": "\n",
    }  # fmt: skip
    if sequence in simple:
        return simple[sequence]
    if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", sequence):
        return _decode(bytes.fromhex(sequence[1:]), "utf-8")[0]
    if re.fullmatch(r"\.[a-z]{2}[+-]?[0-9]*|[CM][0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]*", sequence):
        return ""
    return None


# Writing.

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SPECIAL = re.compile(r"[|^~\\&]")
_ESCAPES: Final = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"}


def escaped(text: str) -> str:
    """Text as a field or component of a message we write, with the usual delimiters."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], _CONTROL.sub(" ", text))


def composed(*parts: str, mark: str = "^") -> str:
    """Texts as the components (or, with `&`, sub-components) of one field, empty ones at the end left out."""
    return mark.join(escaped(part) for part in parts).rstrip(mark)


def segment(name: str, fields: dict[int, str]) -> str:
    """One segment from raw fields by number. MSH: fields 1 and 2 are written by themselves."""
    if name == "MSH":
        body = [fields.get(number, "") for number in range(3, max(fields) + 1)]
        return "|".join([f"MSH|{USUAL.msh_2()}", *body]).rstrip("|")
    body = [fields.get(number, "") for number in range(1, max(fields, default=0) + 1)]
    return "|".join([name, *body]).rstrip("|")


def written(segments: list[str]) -> bytes:
    """The bytes of a message, in UTF-8 (MSH-18 says so), each segment ended by CR."""
    return "".join(f"{one}\r" for one in segments).encode("utf-8", "replace")


# Times.

_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6})\d*)?)?([+-]\d{4})?\Z")
_DAYS_BEFORE: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def time_ms(text: str) -> int | None:
    """A DTM/TS value as epoch ms; None when it is none, or does not say its offset from UTC (`-0000`)."""
    found = _TIME.match(text.strip())
    if found is None or found[8] is None or found[8] == "-0000":
        return None
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
    hour, minute, second = int(found[4] or 0), int(found[5] or 0), int(found[6] or 0)
    offset_min = int(found[8][1:3]) * 60 + int(found[8][3:5])
    if not 1970 <= year <= 9999 or not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 24:
        return None
    signed_min = -offset_min if found[8][0] == "-" else offset_min
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - signed_min) * 60 + second
    return seconds * 1000 + int((found[7] or "0").ljust(3, "0")[:3])


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar."""
    past = year - 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    since = past * 365 + past // 4 - past // 100 + past // 400 - 719_162
    return since + _DAYS_BEFORE[month - 1] + (1 if leap and month > 2 else 0) + day - 1


def utc_text(at: int) -> str:
    """Epoch ms as `YYYYMMDDHHMMSS.sss+0000`; the zone is mandatory in the profile (TF-2 B.1)."""
    days, rest = divmod(at, 86_400_000)
    year = 1970 + days // 366
    while _days(year + 1, 1, 1) <= days:
        year += 1
    month = next(m for m in range(12, 0, -1) if _days(year, m, 1) <= days)
    day = days - _days(year, month, 1) + 1
    second, ms = divmod(rest, 1000)
    clock = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}.{ms:03}"
    return f"{year:04}{month:02}{day:02}{clock}+0000"
