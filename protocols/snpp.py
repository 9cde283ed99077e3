"""SNPP (RFC 1861), levels 1 to 3: the paging terminal's side of one connection.

A line is a command of four significant letters, in any case; each gets one numbered line back. PAGEr, MESSage
or DATA, SEND make a page; 2WAY before them makes it one whose fate can be asked for (MSTAtus). SEND becomes a
`PageSent` event; nothing is answered, nor any later line read, until the owner has said what became of it.

It refuses to say "sent" by itself, to hold a page for later unless told that sending it at once will do, and
a peer that talks nonsense: ten refusals in a row, and it says 421 and closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from protocols.snpp_page import (
    Dialect,
    Gateway,
    LineRefused,
    Page,
    PageSent,
    Refusal,
    Reply,
    ReplyType,
    SnppEvent,
)

MAX_WAITING_BYTES: Final = 65_536
"""Of a peer that goes on talking while its page is being stored."""
MAX_LEVEL: Final = 11
MAX_CHOICE_CHARS: Final = 64
MAX_EXPIRY_H: Final = 8_760
SIGNIFICANT: Final = 4
_EMPTY: Final = Page((), "")
_FREE: Final = frozenset({"LOGI", "HELP", "QUIT", "RESE"})
_HELP: Final = (
    "Level 1: PAGEr MESSage RESEt SEND QUIT HELP",
    "Level 2: DATA LOGIn LEVEl ALERt COVErage HOLDuntil CALLerid SUBJect",
    "Level 3: 2WAY PING EXPTag NOQUEUEing ACKRead RTYPe MCREsponse MSTAtus KTAG",
)

Handler = Callable[[str], Reply | None]


class SnppServer:
    """One connection. See `protocols.codec` for the shape; all times in ms."""

    def __init__(self, dialect: Dialect, gateway: Gateway, now: int) -> None:
        self._dialect, self._gateway = dialect, gateway
        self._buffer = bytearray()
        self._skipping = False  # the rest of a line that was too long
        self._out = bytearray()
        self._events: list[SnppEvent] = []
        self._page, self._said = _EMPTY, False
        self._data: list[bytes] | None = None
        self._data_bytes = 0
        self._in = not dialect.login
        self._errors = 0
        self._token = 0
        self._pending: int | None = None
        self._last = now
        self._closed = False
        self._error: str | None = None
        self._commands = self._table()
        self._say(Reply(220, f"{dialect.name} SNPP gateway ready"))

    # The shape of a codec.

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes from the peer."""
        if self._closed:
            return
        self._last = now
        self._buffer += data
        self._read_lines()

    def receive_eof(self, now: int) -> None:
        """The peer has gone; an unfinished page is nobody's."""
        if not self._closed and (self._page != _EMPTY or self._data is not None) and self._pending is None:
            self._events.append(LineRefused(Refusal.UNFINISHED, 0))
        self._end(None)

    def handle_timer(self, now: int) -> None:
        """Silence for too long ends it."""
        due = self.next_timer()
        if due is not None and now >= due:
            self._say(Reply(421, "Timeout, goodbye"))
            self._end("silent for too long")

    def events_received(self) -> list[SnppEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """What to write since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def next_timer(self) -> int | None:
        """When silence ends the conversation; never while the peer waits for us."""
        return None if self._closed or self._pending is not None else self._last + self._dialect.idle_ms

    @property
    def wants_data(self) -> bool:
        """False while a page is being stored."""
        return self._pending is None and not self._closed

    @property
    def closed(self) -> bool:
        """The conversation is over."""
        return self._closed

    @property
    def error(self) -> str | None:
        """Why it was ended here."""
        return self._error

    # What the owner says.

    def queued(self, token: int, now: int, tag: tuple[str, str] | None = None) -> None:
        """The page is stored. `tag`: message tag and pass code of a two-way page."""
        if token != self._pending:
            return
        self._forget()
        if tag is None:
            self._answered(Reply(250, "Message sent successfully"), now)
        else:
            self._answered(Reply(960, f"{tag[0]} {tag[1]} OK, message QUEUED for delivery"), now)

    def refused(self, token: int, why: str, now: int) -> None:
        """The page is not stored. It is kept: the peer may SEND again."""
        if token == self._pending:
            self._answered(Reply(554, f"Message failed, {why}"), now)

    def turn_away(self, why: str) -> None:
        """This peer may not talk here."""
        self._out.clear()
        self._say(Reply(421, why))
        self._end(why)

    # Lines.

    def _read_lines(self) -> None:
        while not self._closed and self._pending is None:
            end = self._buffer.find(b"\n")
            limit = self._longest()
            if end < 0:
                if len(self._buffer) > limit:
                    self._skipping = True
                if self._skipping:
                    # A carriage return may be the first half of the end; it is skipped with the rest.
                    self._buffer.clear()
                return
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            too_long, self._skipping = self._skipping or len(line) > limit, False
            if self._data is not None:
                self._take_data(line, too_long)
            elif too_long:
                self._refuse(Reply(500, "Line too long"), Refusal.TOO_LONG)
            else:
                self._command(line)
        if len(self._buffer) > MAX_WAITING_BYTES:
            self._say(Reply(421, "Too much at once, goodbye"))
            self._end("too much at once")

    def _longest(self) -> int:
        dialect = self._dialect
        return dialect.max_line_bytes if self._data is None else dialect.max_text_bytes

    def _command(self, line: bytes) -> None:
        word, _, rest = self._text(line).strip().partition(" ")
        name = word[:SIGNIFICANT].upper()
        handler = self._commands.get(name)
        if handler is None:
            self._refuse(Reply(500, "Command not implemented, try again"), Refusal.UNKNOWN_COMMAND)
        elif not self._in and name not in _FREE:
            self._refuse(Reply(550, "Error, login required"), Refusal.LOGIN)
        else:
            reply = handler(rest.strip())
            if reply is not None:
                self._reply(reply)

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode(self._dialect.fallback_charset, "replace")

    def _reply(self, reply: Reply) -> None:
        self._say(reply)
        if 500 <= reply.code < 600:
            self._errors += 1
            if self._errors >= self._dialect.max_errors:
                self._say(Reply(421, "Too many errors, goodbye"))
                self._events.append(LineRefused(Refusal.TOO_MANY, 421))
                self._end("too many errors")
        else:
            self._errors = 0

    def _refuse(self, reply: Reply, reason: Refusal) -> None:
        self._events.append(LineRefused(reason, reply.code))
        self._reply(reply)

    def _say(self, reply: Reply) -> None:
        text = " ".join(reply.text.split())
        self._out += f"{reply.code:03d} {text}\r\n".encode("utf-8", "replace")

    def _end(self, error: str | None) -> None:
        if not self._closed:
            self._closed, self._error = True, error
        self._pending = None
        self._buffer.clear()
        self._data = None

    def _answered(self, reply: Reply, now: int) -> None:
        self._pending, self._last = None, now
        self._reply(reply)
        self._read_lines()

    def _forget(self) -> None:
        self._page, self._said = _EMPTY, False

    # Commands.

    def _table(self) -> dict[str, Handler]:
        return {
            "PAGE": self._on_page,
            "MESS": self._on_message,
            "RESE": self._on_reset,
            "SEND": self._on_send,
            "QUIT": self._on_quit,
            "HELP": self._on_help,
            "DATA": self._on_data,
            "LOGI": self._on_login,
            "LEVE": self._on_level,
            "ALER": self._on_alert,
            "COVE": self._on_coverage,
            "HOLD": self._on_hold,
            "CALL": self._on_caller,
            "SUBJ": self._on_subject,
            "2WAY": self._on_two_way,
            "PING": lambda pager: (
                self._gateway.ping(pager) if pager else Reply(550, "Error, invalid pager ID")
            ),
            "EXPT": self._on_expiry,
            "NOQU": self._on_no_queue,
            "ACKR": self._on_ack_read,
            "RTYP": self._on_reply_type,
            "MCRE": self._on_choice,
            "MSTA": self._on_status,
            "KTAG": self._on_kill,
        }

    def _set(self, answer: str, **fields: object) -> Reply:
        self._page = replace(self._page, **fields)
        return Reply(250, answer)

    def _on_page(self, said: str) -> Reply:
        # What follows the id is a PIN, which no number here has.
        pager = said.partition(" ")[0]
        if not pager or not self._gateway.takes(pager):
            return Reply(550, "Error, invalid pager ID")
        if pager in self._page.pagers:
            return Reply(250, "Pager ID already entered")
        if len(self._page.pagers) >= self._dialect.max_pagers:
            return Reply(552, "Maximum entries exceeded")
        return self._set("Pager ID accepted", pagers=(*self._page.pagers, pager))

    def _on_message(self, said: str) -> Reply:
        if self._said:
            return Reply(503, "ERROR, message already entered")
        if not said:
            return Reply(550, "ERROR, invalid message")
        self._said = True
        return self._set("Message OK", text=said)

    def _on_reset(self, _: str) -> Reply:
        self._forget()
        return Reply(250, "RESET OK")

    def _on_send(self, _: str) -> Reply | None:
        if not self._page.pagers:
            return Reply(503, "Error, pager ID needed")
        if not self._said:
            return Reply(503, "Error, pager ID or message incomplete")
        self._token += 1
        self._pending = self._token
        self._events.append(PageSent(self._token, self._page))
        return None

    def _on_quit(self, _: str) -> None:
        self._say(Reply(221, "OK, goodbye"))
        self._end(None)

    def _on_help(self, _: str) -> Reply:
        for line in _HELP:
            self._say(Reply(214, line))
        return Reply(250, "End of help information")

    # Level 2.

    def _on_data(self, _: str) -> Reply:
        if self._said:
            return Reply(503, "ERROR, message already entered")
        self._data, self._data_bytes = [], 0
        return Reply(354, "Begin input; end with <CRLF>'.'<CRLF>")

    def _take_data(self, line: bytes, too_long: bool) -> None:
        line = line.removesuffix(b"\r")
        if line != b"." or too_long:
            self._data_bytes += self._dialect.max_text_bytes if too_long else len(line) + 1
            if self._data is not None and self._data_bytes <= self._dialect.max_text_bytes:
                stuffed = self._dialect.dot_stuffing and line.startswith(b"..")
                self._data.append(line[1:] if stuffed else line)
            return
        text = "\n".join(self._text(part) for part in self._data or ()).strip()
        self._data = None
        if self._data_bytes > self._dialect.max_text_bytes:
            self._reply(Reply(552, "Message too long"))
        elif not text:
            self._reply(Reply(550, "Error, blank message"))
        else:
            self._said = True
            self._reply(self._set("Message OK", text=text))

    def _on_login(self, said: str) -> Reply | None:
        user, _, password = said.partition(" ")
        if not user:
            return Reply(550, "Error, invalid login ID or password")
        self._in = self._gateway.login(user, password.strip())
        if self._in:
            return Reply(250, "Login accepted")
        self._refuse(Reply(550, "Error, invalid login ID or password"), Refusal.LOGIN)
        return None

    def _on_level(self, said: str) -> Reply:
        level = _number(said, MAX_LEVEL)
        if level is None:
            return Reply(550, "Error, invalid service level")
        return self._set("Level accepted", level=level)

    def _on_alert(self, said: str) -> Reply:
        alert = _number(said, 1)
        if alert is None:
            return Reply(550, "Error, invalid alert parameter")
        return self._set("OK, alert override accepted", alert=bool(alert))

    def _on_coverage(self, said: str) -> Reply:
        if not said:
            return Reply(550, "Error, invalid alternate region")
        return self._set("Coverage noted; this gateway has one area", coverage=said)

    def _on_hold(self, said: str) -> Reply:
        when = said.partition(" ")[0]
        if not (when.isascii() and when.isdigit() and len(when) in (12, 14)):
            return Reply(550, "Error, invalid delivery date/time")
        if self._dialect.hold != "at_once":
            return Reply(550, "Error, this gateway keeps no page for later")
        return self._set("Noted; the message is sent at once", hold=said)

    def _on_caller(self, said: str) -> Reply:
        if not said:
            return Reply(550, "Error, invalid caller ID")
        return self._set("Caller ID accepted", caller=said)

    def _on_subject(self, said: str) -> Reply:
        if not said:
            return Reply(550, "Error, invalid subject")
        return self._set("Message subject accepted", subject=said)

    # Level 3.

    def _on_two_way(self, _: str) -> Reply:
        if self._page.pagers or self._said:
            return Reply(550, "Error, standard transaction already underway, use RESEt")
        return self._set("OK, beginning 2-way transaction", two_way=True)

    def _two_way(self, answer: str, **fields: object) -> Reply:
        if not self._page.two_way:
            return Reply(550, "Error, not a 2-way transaction")
        return self._set(answer, **fields)

    def _on_expiry(self, said: str) -> Reply:
        hours = _number(said, MAX_EXPIRY_H)
        if hours is None:
            return Reply(550, "Error, invalid expiry time")
        return self._two_way("Noted; nothing waits in a queue here", expires_h=hours)

    def _on_no_queue(self, _: str) -> Reply:
        return self._two_way("Queuing disabled, this transaction", no_queue=True)

    def _on_ack_read(self, said: str) -> Reply:
        ack = _number(said, 1)
        if ack is None:
            return Reply(550, "Error, invalid read acknowledge setting")
        return self._two_way("Read acknowledgement accepted", ack_read=bool(ack))

    def _on_reply_type(self, said: str) -> Reply:
        known = ReplyType.__members__.get(said.upper())
        if known is None:
            return Reply(550, "Error, invalid reply type")
        return self._two_way("Reply type accepted", reply_type=known)

    def _on_choice(self, said: str) -> Reply:
        code, _, text = said.partition(" ")
        text = text.strip()
        choices = self._page.choices
        if not (code.isascii() and code.isalnum() and len(code) <= 2 and 0 < len(text) <= MAX_CHOICE_CHARS):
            return Reply(550, "Error, invalid response")
        if not self._page.two_way:
            return Reply(550, "MCResponses not enabled")
        if any(code == known for known, _ in choices):
            return Reply(502, "Error! Would duplicate previously entered MCResponse")
        if len(choices) >= self._dialect.max_choices:
            return Reply(552, "Maximum entries exceeded")
        return self._set("Response added to transaction", choices=(*choices, (code, text)))

    def _on_status(self, said: str) -> Reply:
        tag, _, password = said.partition(" ")
        return self._gateway.status(tag, password.strip())

    def _on_kill(self, said: str) -> Reply:
        tag, _, password = said.partition(" ")
        if not self._gateway.forget(tag, password.strip()):
            return Reply(550, "Error, unknown or illegal message tag or pass code")
        return Reply(250, "Message tag killed")


def _number(said: str, most: int) -> int | None:
    digits = said.partition(" ")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        return None
    return int(digits) if int(digits) <= most else None
