"""What SNPP is about: a page, what its sender may ask afterwards, and the codes that answer (RFC 1861).

Values only; the conversation is `protocols.snpp`. Reply codes beyond the RFC's text are as Net::SNPP and the
servers that its users meet have them. It refuses to know what a page becomes.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol, TypeAlias

from msgspec import Struct


class ReplyType(Enum):
    """RTYPe: which reply the sender hopes for."""

    NONE = "NONE"
    YESNO = "YESNO"
    SIMREPLY = "SIMREPLY"
    MULTICHOICE = "MULTICHOICE"
    TEXT = "TEXT"


class Page(Struct, frozen=True):
    """One transaction, as sent. Texts as the peer wrote them, decoded, not cleaned.

    `pagers`: the ids in order, each once. `level`: 0 to 11, 0 the most urgent, None = not said. `hold`: the
    sender's words, "" = none. `choices`: MCREsponse, (code, text). `expires_h`: hours, None = not said.
    """

    pagers: tuple[str, ...]
    text: str
    subject: str = ""
    caller: str = ""
    alert: bool = False
    level: int | None = None
    coverage: str = ""
    hold: str = ""
    two_way: bool = False
    reply_type: ReplyType | None = None
    choices: tuple[tuple[str, str], ...] = ()
    ack_read: bool = False
    no_queue: bool = False
    expires_h: int | None = None


class PageSent(Struct, frozen=True):
    """SEND: the page wants storing; answer with `queued`, `refused` under the same token."""

    token: int
    page: Page


class LineRefused(Struct, frozen=True):
    """A line that makes no sense here, or a login that is none: `reason` is one of `Refusal`."""

    reason: Refusal
    code: int


class Refusal(Enum):
    """Why a line was refused."""

    UNKNOWN_COMMAND = "unknown command"
    TOO_LONG = "line too long"
    LOGIN = "login refused"
    TOO_MANY = "too many errors"
    UNFINISHED = "page not finished"


SnppEvent: TypeAlias = PageSent | LineRefused


class Reply(Struct, frozen=True):
    """One line of an answer."""

    code: int
    text: str


class Gateway(Protocol):
    """What the conversation asks of its owner and is answered at once. No method may raise or wait."""

    def login(self, user: str, password: str) -> bool:
        """Whether these are the credentials of this door."""
        ...

    def takes(self, pager: str) -> bool:
        """Whether a page to this id would ring anybody."""
        ...

    def ping(self, pager: str) -> Reply:
        """Where a unit is: 820, 821, 750, 920 or 550."""
        ...

    def status(self, tag: str, password: str) -> Reply:
        """What became of a two-way page; 550 when there is none with this tag and pass code."""
        ...

    def forget(self, tag: str, password: str) -> bool:
        """Its sender will ask no more; False when there is none."""
        ...


class Dialect(Struct, frozen=True):
    """What differs between installations. `fallback_charset`: of bytes that are no UTF-8.

    `dot_stuffing`: whether a DATA line that begins with two dots means one; the RFC does not say
    (unverified). `login`: before credentials nothing is answered but LOGIn, RESEt, HELP and QUIT. `hold`:
    what a page for later gets: "refuse", or "at_once", which sends it now.
    """

    name: str = "Alarmhub"
    login: bool = False
    dot_stuffing: bool = True
    hold: str = "refuse"
    fallback_charset: str = "latin-1"
    max_pagers: int = 32
    max_line_bytes: int = 1_024
    max_text_bytes: int = 8_192
    max_errors: int = 10
    max_choices: int = 16
    idle_ms: int = 300_000
