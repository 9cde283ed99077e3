"""What became of two-way pages, as their senders may ask (MSTAtus, RFC 1861 4.6.10).

One `Ticket` a page, fed by the hub's reports on its alarms, one alarm a recipient. The answer is the least
any recipient has reached, so that nothing is claimed too early; a return of responsibility is said as a
failure (7xx) with the number it is about, and taken back by a later accept. Tickets are remembered in memory;
one that a restart forgot comes back with the next report, or is read from the open alarms when it is asked
for: both carry what is needed (`Asked`).

It refuses to decide anything: what was accepted is the hub's word, and whoever declines has only read it, for
the alarm rings on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.effects import Report, ReportStatus
from protocols.snpp_page import Page, Reply, ReplyType

MOST_TICKETS: Final = 4_096
UNKNOWN: Final = Reply(550, "Error, unknown or illegal message tag or pass code")


class Asked(Struct, frozen=True, omit_defaults=True, array_like=True):
    """A two-way page as its alarms carry it (`Signal.origin`): enough to answer for it after a restart."""

    tag: str
    password: str
    at: int
    pagers: tuple[str, ...]
    reply_type: str = ""
    ack_read: bool = False
    choices: tuple[tuple[str, str], ...] = ()


class Answers(Struct, frozen=True):
    """How the sender's choices are found and told."""

    accept_words: tuple[str, ...]
    choice_first: bool = True


class Standing(IntEnum):
    """How far one recipient's alarm is; the least of them is told."""

    RETURNED = 0
    QUEUED = 1
    DELIVERED = 2
    READ = 3
    ENDED = 4
    TAKEN = 5


class _State(Struct):
    standing: Standing
    at: int
    name: str = ""
    why: str = ""  # of a return
    over: bool = False


_STEPS: Final = {
    ReportStatus.QUEUED: Standing.QUEUED,
    ReportStatus.PAGED: Standing.DELIVERED,
    ReportStatus.READ: Standing.READ,
    ReportStatus.REJECTED: Standing.READ,
    ReportStatus.ENDED: Standing.ENDED,
    ReportStatus.ACCEPTED: Standing.TAKEN,
}
_RETURNS: Final = {
    ReportStatus.ABSENT: "nobody can be reached",
    ReportStatus.UNANSWERED: "nobody has accepted",
}


def asked_of(page: Page, tag: str, password: str, now: int) -> Asked:
    """A two-way page as its alarms carry it."""
    reply_type = page.reply_type.value if page.reply_type is not None else ""
    return Asked(tag, password, now, page.pagers, reply_type, page.ack_read, page.choices)


class Ticket:
    """One two-way page."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._states = {pager: _State(Standing.QUEUED, asked.at) for pager in asked.pagers}

    def take(self, report: Report) -> None:
        """The hub said something of one recipient's alarm."""
        state = self._states.get(report.ref)
        if state is None:
            return
        if report.status in _RETURNS:
            self._states[report.ref] = _State(Standing.RETURNED, report.at, why=_RETURNS[report.status])
            return
        standing = _STEPS[report.status]
        if state.standing is Standing.RETURNED and standing is not Standing.TAKEN:
            state.over = state.over or standing is Standing.ENDED
        elif standing > state.standing:
            self._states[report.ref] = _State(standing, report.at, report.name)

    def reply(self, answers: Answers, zone: ZoneInfo) -> Reply:
        """What its sender is told."""
        pager, state = min(self._states.items(), key=lambda entry: entry[1].standing)
        when = _when(state.at, zone)
        line = f"{self.asked.tag} {when}"
        match state.standing:
            case Standing.RETURNED:
                how = "Ended and" if state.over else "Still ringing, but"
                return Reply(780, f"{line} {how} {state.why}: {pager}")
            case Standing.QUEUED:
                return Reply(960, f"{line} Message queued; awaiting delivery")
            case Standing.DELIVERED:
                return self._delivered(line)
            case Standing.READ:
                return self._read(line)
            case Standing.ENDED:
                return Reply(880, f"{line} Message delivered, and ended (no reply pending)")
            case Standing.TAKEN:
                return self._replied(when, line, state.name, answers)

    def _delivered(self, line: str) -> Reply:
        if self.asked.ack_read:
            return Reply(860, f"{line} Delivered, awaiting read ack")
        if self._waits_for_reply():
            return Reply(861, f"{line} Delivered, awaiting reply (MCR)")
        return Reply(880, f"{line} Message delivered (no reply pending)")

    def _read(self, line: str) -> Reply:
        if self._waits_for_reply():
            return Reply(870, f"{line} Delivered, read, awaiting reply (MCR)")
        return Reply(881, f"{line} Message delivered and read by recipient")

    def _waits_for_reply(self) -> bool:
        return bool(self.asked.choices) or self.asked.reply_type not in ("", ReplyType.NONE.value)

    def _replied(self, when: str, line: str, name: str, answers: Answers) -> Reply:
        """The sender's own choice that says it; where none does, in plain words."""
        said = f"Accepted by {name}" if name else "Accepted"
        for code, text in self.asked.choices:
            if any(_has_word(text, word) for word in answers.accept_words):
                if answers.choice_first:
                    return Reply(888, f"{code} {when} MCR reply: {said}")
                return Reply(888, f"{line} {code} MCR reply received: {said}")
        return Reply(889, f"{line} {said}")


class Tickets:
    """The two-way pages of one door, the oldest forgotten first."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}
        self._killed: dict[str, None] = {}  # tags nobody is to ask for again

    def __len__(self) -> int:
        return len(self._tickets)

    def open(self, asked: Asked) -> Ticket:
        """A page was stored, or is heard of again."""
        self._killed.pop(asked.tag, None)
        known = self._tickets.get(asked.tag)
        if known is not None:
            return known
        while len(self._tickets) >= MOST_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        ticket = self._tickets[asked.tag] = Ticket(asked)
        return ticket

    def find(self, tag: str, password: str) -> Ticket | None:
        """The page with this tag and pass code."""
        ticket = self._tickets.get(tag)
        return ticket if ticket is not None and ticket.asked.password == password else None

    def recall(self, tag: str, password: str, alarms: Iterable[Alarm]) -> Ticket | None:
        """A page that was forgotten, from its alarms that are open; an alarm that has ended tells no more."""
        found: Ticket | None = None
        for alarm in alarms if tag not in self._killed else ():
            asked = _asked_in(alarm.origin)
            if asked is not None and (asked.tag, asked.password) == (tag, password):
                found = self.open(asked)
                found.take(Report(alarm.source, _reached(alarm), alarm.ref, at=alarm.at))
        return found

    def forget(self, tag: str, password: str) -> bool:
        """Its sender will not ask again. Its alarms ring on."""
        if self.find(tag, password) is None:
            return False
        del self._tickets[tag]
        while len(self._killed) >= MOST_TICKETS:
            del self._killed[next(iter(self._killed))]
        self._killed[tag] = None
        return True

    def take(self, report: Report) -> None:
        """The hub said something of an alarm; it may be of a page forgotten, or of none that can be asked."""
        asked = _asked_in(report.origin)
        if asked is not None and asked.tag not in self._killed:
            self.open(asked).take(report)


_asked = msgspec.json.Decoder(Asked)


def _asked_in(origin: str) -> Asked | None:
    try:
        return _asked.decode(origin) if origin else None
    except msgspec.DecodeError:
        return None


def _reached(alarm: Alarm) -> ReportStatus:
    """How far an open alarm is, as its source would have been told."""
    if alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
        return ReportStatus.ACCEPTED
    if Flag.RETURNED in alarm.flags:
        return ReportStatus.UNANSWERED
    return ReportStatus.PAGED if alarm.paged else ReportStatus.QUEUED


def _has_word(text: str, word: str) -> bool:
    return f" {word.casefold()} " in f" {' '.join(text.casefold().split())} "


def _when(at: int, zone: ZoneInfo) -> str:
    """Local time and the whole hours by which it is ahead of UTC, as 20241122090006+1."""
    local = datetime.fromtimestamp(at / 1000, zone)
    offset = local.utcoffset()
    hours = round(offset.total_seconds() / 3600) if offset is not None else 0
    return f"{local:%Y%m%d%H%M%S}{hours:+d}"
