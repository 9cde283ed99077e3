"""SIP messages (RFC 3261) for MESSAGE, REGISTER and OPTIONS: parsed, checked, built. No dialogs, no media.

`parse` turns one datagram or one framed message into a `Request`, a `Response` or a `Garbled` that says why
it is neither; it never raises and never guesses a length. Header names are compared without case and in their
compact forms (RFC 3261 7.3.3), folded lines are joined (7.3.1). Values stay as written until somebody asks
for their parts (`address_of`, `via_of`, `cseq_of`). Framing over TCP is in `sip_stream`, repetition in
`sip_transaction`, passwords in `sip_digest`, contacts in `sip_registrar`.

It refuses: unbounded messages, bodies whose length is a lie, and header injection in what it builds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

VERSION: Final = "SIP/2.0"
MAX_HEAD_BYTES: Final = 16_384
MAX_BODY_BYTES: Final = 65_536
MAX_HEADERS: Final = 96
MAX_DATAGRAM_BYTES: Final = 65_535
DEFAULT_PORT: Final = 5060
DEFAULT_TLS_PORT: Final = 5061
MAGIC_COOKIE: Final = "z9hG4bK"
"""A branch that begins so is unique by itself (RFC 3261 8.1.1.7)."""

_COMPACT: Final = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
    "c": "content-type", "e": "content-encoding", "k": "supported", "s": "subject", "o": "event",
}  # fmt: skip
_REASONS: Final = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 423: "Interval Too Brief",
    481: "Call/Transaction Does Not Exist", 483: "Too Many Hops", 500: "Server Internal Error",
    501: "Not Implemented", 503: "Service Unavailable", 505: "Version Not Supported",
}  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?:\s*:\s*([0-9]{1,5}))?")
_NUMBER = re.compile(r"[0-9]{1,10}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMMA_LISTS: Final = frozenset({"via", "contact", "allow", "require", "accept", "supported", "route"})

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Request(Struct, frozen=True):
    """One request. `headers` keep their order; names are lower case and long."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value under this lower-case name, None when absent."""
        return _first(self.headers, name)

    def all(self, name: str) -> list[str]:
        """Every value under this name, comma lists taken apart where the header is one."""
        return _every(self.headers, name)


class Response(Struct, frozen=True):
    """One response; as `Request`."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value under this lower-case name, None when absent."""
        return _first(self.headers, name)

    def all(self, name: str) -> list[str]:
        """Every value under this name, comma lists taken apart where the header is one."""
        return _every(self.headers, name)


class Garbled(Struct, frozen=True):
    """What cannot be used. `request`: as far as it could be read, when it can be answered with `status`."""

    cause: str
    status: int = 400
    request: Request | None = None


Message: TypeAlias = Request | Response | Garbled


class Via(Struct, frozen=True):
    """One hop. `port` None: the transport's default. `rport`: the sender wants its port back (RFC 3581)."""

    transport: str
    host: str
    port: int | None
    branch: str
    rport: bool


class Uri(Struct, frozen=True):
    """A `sip:` or `sips:` address, as far as it is needed. `user` may be empty."""

    scheme: str
    user: str
    host: str
    port: int | None
    transport: str = ""

    @property
    def address_of_record(self) -> str:
        """user@host in the form bindings are kept under."""
        return f"{self.user}@{self.host.lower()}"


# Reading


def parse(data: bytes, *, framed: bool = False) -> Message:
    """One message. `framed`: it came from a stream that has already cut it to its Content-Length."""
    head, blank, rest = _split_head(data)
    if not blank:
        return Garbled("no end of headers")
    if len(head) > MAX_HEAD_BYTES:
        return Garbled("headers too long")
    message = _read_head(head)
    if isinstance(message, Garbled):
        return message
    body = rest if framed else _cut_body(message, rest)
    request = message if isinstance(message, Request) else None
    if isinstance(body, str):
        return Garbled(body, request=request)
    if len(body) > MAX_BODY_BYTES:
        return Garbled("body too long", 413, request)
    if request is not None:
        fault = _missing(request)
        return Garbled(fault, request=request) if fault else _with_body(request, body)
    assert isinstance(message, Response)
    return Response(message.status, message.reason, message.headers, body)


def content_length(headers: Headers) -> int | str | None:
    """Content-Length as said, None when absent, a cause when it is no use (or said twice differently)."""
    said = {value for name, value in headers if name == "content-length"}
    if not said:
        return None
    if len(said) > 1 or not _NUMBER.fullmatch(value := said.pop()):
        return "unusable content length"
    return int(value)


def read_head(head: bytes) -> Message:
    """Start line and headers alone, without their blank line, for framing. The body is empty."""
    return _read_head(head)


def _split_head(data: bytes) -> tuple[bytes, bytes, bytes]:
    # RFC 3261 wants CRLF; bare LF is met in the field and cannot be mistaken for anything else.
    ends = [(place, mark) for mark in (b"\r\n\r\n", b"\n\n") if (place := data.find(mark)) >= 0]
    if not ends:
        return data, b"", b""
    place, mark = min(ends)
    return data[:place], mark, data[place + len(mark) :]


def _read_head(head: bytes) -> Message:
    lines = _unfolded(head.decode("utf-8", "replace"))
    if not lines:
        return Garbled("empty message")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name = name.rstrip().lower()
        if not colon or not _TOKEN.fullmatch(name):
            return Garbled("not a header line")
        if len(headers) == MAX_HEADERS:
            return Garbled("too many headers")
        headers.append((_COMPACT.get(name, name), _CONTROL.sub(" ", value).strip()))
    return _start_line(lines[0], tuple(headers))


def _start_line(line: str, headers: Headers) -> Message:
    parts = line.split(" ", 2)
    if len(parts) == 3 and parts[0].upper() == VERSION:
        if not re.fullmatch("[1-6][0-9][0-9]", parts[1]):
            return Garbled("not a status")
        return Response(int(parts[1]), _CONTROL.sub(" ", parts[2]), headers)
    if len(parts) < 3 or not _TOKEN.fullmatch(parts[0]) or not parts[2].upper().startswith("SIP/"):
        return Garbled("not a SIP start line")
    request = Request(parts[0], parts[1], headers)
    if parts[2].strip().upper() != VERSION:
        return Garbled("not SIP 2.0", 505, request)
    if not parts[1] or _CONTROL.search(parts[1]):
        return Garbled("no request URI", request=request)
    return request


def _unfolded(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and len(lines) > 1:
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
    return lines if lines != [""] else []


def _cut_body(message: Request | Response, rest: bytes) -> bytes | str:
    length = content_length(message.headers)
    if isinstance(length, str):
        return length
    if length is None:
        return rest
    # RFC 3261 18.3: what follows in the datagram is dropped, what is missing makes it unusable.
    return rest[:length] if length <= len(rest) else "body shorter than its content length"


def _missing(request: Request) -> str:
    """What a request lacks to be answered and handled (RFC 3261 8.1.1); "" when it is whole."""
    for name in ("via", "from", "to", "call-id", "cseq"):
        if not request.header(name):
            return f"no {name} header"
    cseq = cseq_of(request)
    if cseq is None or cseq[1] != request.method:
        return "cseq does not fit the method"
    if via_of(request) is None:
        return "unusable via header"
    return ""


def _with_body(request: Request, body: bytes) -> Request:
    return Request(request.method, request.uri, request.headers, body)


def _first(headers: Headers, name: str) -> str | None:
    return next((value for key, value in headers if key == name), None)


def _every(headers: Headers, name: str) -> list[str]:
    values = [value for key, value in headers if key == name]
    if name not in _COMMA_LISTS:
        return values
    return [part for value in values for part in split_list(value)]


def split_list(value: str) -> list[str]:
    """A comma list apart; commas in quotes and angle brackets do not part."""
    parts, start, quoted, angled, skip = [], 0, False, False, False
    for place, char in enumerate(value):
        if skip:
            skip = False
        elif quoted:
            skip, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == "," and not angled:
            parts.append(value[start:place])
            start = place + 1
    parts.append(value[start:])
    return [part.strip() for part in parts if part.strip()]


# Parts of values


def cseq_of(message: Request | Response) -> tuple[int, str] | None:
    """Number and method of CSeq, None when it is none."""
    number, _, method = (message.header("cseq") or "").partition(" ")
    if not _NUMBER.fullmatch(number) or not _TOKEN.fullmatch(method.strip()):
        return None
    return int(number), method.strip()


def via_of(message: Request | Response) -> Via | None:
    """The topmost hop, None when it cannot be read."""
    vias = message.all("via")
    if not vias:
        return None
    protocol, _, sent = vias[0].partition(" ")
    pieces = protocol.replace(" ", "").split("/")
    by, *params = [piece.strip() for piece in sent.split(";")]
    endpoint = _endpoint(by)
    if len(pieces) != 3 or pieces[0].upper() != "SIP" or endpoint is None:
        return None
    named = parameters(params)
    return Via(pieces[2].upper(), *endpoint, named.get("branch", ""), "rport" in named)


def parameters(pieces: Iterable[str]) -> dict[str, str]:
    """`name=value` pieces by lower-case name; a piece without a value has an empty one."""
    pairs = (piece.partition("=") for piece in pieces)
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name.strip()}


def address_of(value: str) -> tuple[str, dict[str, str]]:
    """URI and header parameters of a name-addr or addr-spec (`"Anna" <sip:a@b>;tag=1`, RFC 3261 20.10)."""
    opening = _outside_quotes(value, "<")
    if opening >= 0:
        uri, _, rest = value[opening + 1 :].partition(">")
        return uri.strip(), parameters(rest.split(";"))
    uri, _, rest = value.partition(";")
    return uri.strip(), parameters(rest.split(";"))


def _outside_quotes(value: str, wanted: str) -> int:
    quoted = skip = False
    for place, char in enumerate(value):
        if skip:
            skip = False
        elif quoted:
            skip, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char == wanted:
            return place
    return -1


def uri_of(text: str) -> Uri | None:
    """The parts of a `sip:` or `sips:` URI, None for any other or an unusable one."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() not in ("sip", "sips"):
        return None
    bare, *params = rest.partition("?")[0].split(";")
    userinfo, at, hostport = bare.rpartition("@")
    endpoint = _endpoint(hostport)
    if endpoint is None:
        return None
    user = userinfo.partition(":")[0] if at else ""
    return Uri(scheme.lower(), user, *endpoint, parameters(params).get("transport", "").lower())


def _endpoint(text: str) -> tuple[str, int | None] | None:
    match = _ENDPOINT.fullmatch(text.strip())
    if match is None or (match[2] is not None and int(match[2]) > 65_535):
        return None
    return match[1].removeprefix("[").removesuffix("]"), None if match[2] is None else int(match[2])


# Writing


def build(message: Request | Response) -> bytes:
    """The bytes of a message. Content-Length is written from the body, control characters become blanks."""
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} {VERSION}"
    else:
        start = f"{VERSION} {message.status} {message.reason}"
    lines = [_CONTROL.sub(" ", start)]
    for name, value in message.headers:
        if name.lower() not in ("content-length", "l"):
            lines.append(f"{_spelled(name)}: {_CONTROL.sub(' ', value)}")
    lines.append(f"Content-Length: {len(message.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + message.body


def _spelled(name: str) -> str:
    odd = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate"}
    return odd.get(name.lower()) or "-".join(part.capitalize() for part in name.split("-"))


def answer(
    request: Request,
    status: int,
    *,
    source: tuple[str, int],
    to_tag: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    reason: str = "",
) -> Response:
    """A response to a request that came from `source` (host, port), by RFC 3261 8.2.6 and 18.2.1: its Vias,
    with `received` and `rport` in the topmost, From, To with a tag, Call-ID and CSeq."""
    copied: list[tuple[str, str]] = []
    vias = request.all("via")
    copied += [("via", _received(via, source) if place == 0 else via) for place, via in enumerate(vias)]
    for name in ("from", "to", "call-id", "cseq"):
        value = request.header(name)
        if value is not None:
            tagged = name == "to" and "tag" not in address_of(value)[1]
            copied.append((name, f"{value};tag={to_tag}" if tagged else value))
    return Response(status, reason or _REASONS.get(status, "Status"), (*copied, *headers), body)


def _received(via: str, source: tuple[str, int]) -> str:
    host, port = source
    sent, *params = [piece.strip() for piece in via.split(";")]
    kept = [piece for piece in params if parameters([piece]).keys() - {"received", "rport"}]
    by = _endpoint(sent.partition(" ")[2])
    wanted = "rport" in parameters(params)
    extra = [f"received={host}"] if wanted or by is None or by[0] != host else []
    return ";".join([sent, *kept, *extra, *([f"rport={port}"] if wanted else [])])


def reply_address(request: Request, source: tuple[str, int]) -> tuple[str, int]:
    """Where a response over UDP goes (RFC 3261 18.2.2, RFC 3581 4): to where the request came from; to the
    port it names in its Via unless it asked for the one it used."""
    via = via_of(request)
    if via is None or via.rport:
        return source
    return source[0], via.port or DEFAULT_PORT
