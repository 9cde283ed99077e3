"""One mail as a message to ring with: subject, text, and what tells two mails apart (RFC 5322, 2045-2047).

`decode` reads the first text/plain part; where there is none, HTML with its tags taken out. It never raises:
what cannot be parsed is read as the text it is. Everything is bounded. It refuses attachments, links and
images, charsets that are programs rather than alphabets, and to believe anything a mail says of its sender.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from itertools import islice
from quopri import decodestring
from typing import Final

from msgspec import Struct

MAX_BYTES: Final = 262_144
"""Of one mail that is parsed; the rest is not looked at."""
MAX_PARTS: Final = 64
MAX_BOXES: Final = 32
"""Of parts within parts, or mails within mails: the parser needs time that grows with the square of them."""
MAX_SUBJECT_CHARS: Final = 400
MAX_TEXT_CHARS: Final = 4_000
MAX_BODY_BYTES: Final = 65_536
"""Of the part that is read."""
MAX_HEADER_CHARS: Final = 2_000
MAX_HEADERS: Final = 500
CHARSETS: Final = frozenset(
    {
        *("ascii", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-7", "koi8-r", "mac-roman"),
        *("big5", "gb2312", "gbk", "gb18030", "euc_jp", "shift_jis", "iso2022_jp", "euc_kr"),
        *("cp437", "cp850", "cp865", "cp866", *(f"cp{number}" for number in range(1250, 1259))),
        *(f"iso8859-{number}" for number in range(1, 17)),
    }
)
"""By Python's own names. Others are read as UTF-8 or Latin-1."""

_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\s]{0,600})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?)")
_BREAKS: Final = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "table"})
_UNSEEN: Final = ("script", "style", "head", "title")
_CLOSING: Final = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _UNSEEN}
_URGENT: Final = {
    "x-priority": ("1", "2"),
    "priority": ("urgent",),
    "importance": ("high",),
    "x-msmail-priority": ("high",),
}


class Mail(Struct, frozen=True):
    """What is read of a mail. Texts are decoded, not cleaned of control characters; lines end with "\\n".

    `message_id`, `date`: as written, "" when it has none. `from_html`: the text is what was left of HTML.
    `cut`: something beyond a bound was left out. `fault`: why it was read as plain bytes, "" otherwise.
    """

    subject: str = ""
    text: str = ""
    message_id: str = ""
    date: str = ""
    urgent: bool = False
    from_html: bool = False
    cut: bool = False
    fault: str = ""


def decode(raw: bytes) -> Mail:
    """The mail in these bytes, headers and body as SMTP's DATA brings them (dots already unstuffed)."""
    try:
        return _decoded(raw) if not _boxes(raw) else _as_it_is(raw, "too many parts")
    except Exception as error:  # noqa: BLE001  the parser of the standard library has raised a dozen kinds
        return _as_it_is(raw, type(error).__name__)


def _boxes(raw: bytes) -> bool:
    lower = raw[:MAX_BYTES].lower()
    return max(lower.count(b"multipart/"), lower.count(b"message/")) > MAX_BOXES


def _as_it_is(raw: bytes, fault: str) -> Mail:
    text, cut = _bounded(_alphabet(raw[:MAX_BODY_BYTES], ""), MAX_TEXT_CHARS)
    return Mail(text=text, cut=cut, fault=fault)


def _decoded(raw: bytes) -> Mail:
    message = BytesParser(policy=compat32).parsebytes(raw[:MAX_BYTES])
    headers = _headers(message)
    subject, subject_cut = _bounded(" ".join(headers.get("subject", "").split()), MAX_SUBJECT_CHARS)
    text, from_html, body_cut = _body(message)
    return Mail(
        subject=subject,
        text=text,
        message_id=headers.get("message-id", "").strip(),
        date=headers.get("date", "").strip(),
        urgent=any(_first_word(headers.get(name, "")) in said for name, said in _URGENT.items()),
        from_html=from_html,
        cut=subject_cut or body_cut or len(raw) > MAX_BYTES,
    )


def _first_word(text: str) -> str:
    return (text.casefold().split(None, 1) or [""])[0]


def _headers(message: Message) -> dict[str, str]:
    """The first of each header, decoded."""
    found: dict[str, str] = {}
    for name, value in islice(message.raw_items(), MAX_HEADERS):
        found.setdefault(name.casefold(), _header(str(value)))
    return found


def _header(written: str) -> str:
    """A header's text: encoded words decoded (RFC 2047), raw eight-bit bytes read as what they are."""
    raw = written[:MAX_HEADER_CHARS].encode("utf-8", "surrogateescape")
    plain = _BETWEEN_WORDS.sub(r"\1", _alphabet(raw, ""))
    return _WORD.sub(_encoded_word, plain)


def _encoded_word(match: re.Match[str]) -> str:
    charset, encoding, text = match[1], match[2], match[3].encode("ascii", "replace")
    if encoding in "bB":
        try:
            raw = base64.b64decode(text + b"=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return match[0]
    else:
        raw = decodestring(text, header=True)
    return _alphabet(raw, charset.partition("*")[0])


def _body(message: Message) -> tuple[str, bool, bool]:
    """Text, whether it was HTML, whether something was left out."""
    markup: Message | None = None
    for part in _parts(message):
        kind = part.get_content_type()
        if kind == "text/plain":
            text, cut = _part_text(part)
            text, cut = _bounded_body(text, cut=cut)
            return text, False, cut
        if kind == "text/html" and markup is None:
            markup = part
    if markup is None:
        return "", False, False
    text, cut = _part_text(markup)
    text, cut = _bounded_body(_without_tags(text), cut=cut)
    return text, True, cut


def _parts(message: Message) -> Iterator[Message]:
    """The parts that are text and no attachment, outermost first, without recursion."""
    waiting, seen = [message], 0
    while waiting and seen < MAX_PARTS:
        part = waiting.pop(0)
        seen += 1
        inner = part.get_payload()
        if part.is_multipart() and isinstance(inner, list):
            waiting[:0] = [entry for entry in inner if isinstance(entry, Message)][:MAX_PARTS]
        elif part.get_content_disposition() != "attachment":
            yield part


def _part_text(part: Message) -> tuple[str, bool]:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return "", False
    charset = part.get_param("charset", "")
    return _alphabet(raw[:MAX_BODY_BYTES], charset if isinstance(charset, str) else ""), len(
        raw
    ) > MAX_BODY_BYTES


def _alphabet(raw: bytes, charset: str) -> str:
    """Bytes as text: in the charset that is said, where it is an alphabet; else UTF-8, else Latin-1."""
    try:
        name = codecs.lookup(charset.strip()[:40]).name if charset else ""
    except (LookupError, ValueError):
        name = ""
    if name in CHARSETS and name != "ascii":
        return raw.decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _bounded_body(text: str, *, cut: bool) -> tuple[str, bool]:
    """Lines without the signature below "-- ", without blanks at their ends, bounded."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if "--" in lines:
        lines = lines[: lines.index("--")]
    bounded, too_long = _bounded(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), MAX_TEXT_CHARS)
    return bounded, cut or too_long


def _bounded(text: str, longest: int) -> tuple[str, bool]:
    return text[:longest], len(text) > longest


def _without_tags(markup: str) -> str:
    """What is left of HTML for a reader, in one pass: a tag that never ends ends the text."""
    parts: list[str] = []
    at = 0
    while (start := markup.find("<", at)) >= 0:
        parts.append(markup[at:start])
        if markup.startswith("<!--", start):
            end = markup.find("-->", start)
            at = end + 3 if end >= 0 else len(markup)
            continue
        end = markup.find(">", start)
        if end < 0:
            at = len(markup)
            break
        at = end + 1
        name = (markup[start + 1 : end].split(None, 1) or [""])[0].strip("/").casefold()
        if name in _BREAKS:
            parts.append("\n")
        elif name in _UNSEEN and markup[start + 1] != "/":
            close = _CLOSING[name].search(markup, at)
            at = close.start() if close is not None else len(markup)
    parts.append(markup[at:])
    lines = html.unescape("".join(parts)).replace("\r", "").split("\n")
    return "\n".join(" ".join(line.split()) for line in lines)
