"""Replies by text message: what one says, which number it is from, and who guesses codes.

A reply is "1 4711" or "2 4711", with whatever a thumb puts between and around; one that could mean two things
means nothing. It refuses to know alarms and people.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict, deque
from typing import Final

from msgspec import Struct

from alarmhub.core.events import Answer
from protocols.smpp_pdu import Address

ANSWERS: Final = {"1": Answer.ACCEPT, "2": Answer.DECLINE}
WRONG_CODES: Final = 5
WRONG_WITHIN_MS: Final = 600_000
"""So many codes that are none of this number's, in this time: it guesses."""
IGNORED_FOR_MS: Final = 1_800_000
NUMBERS_WATCHED: Final = 10_000

_REPLY = re.compile(r"(?<![0-9])([12])[\s.,:;/=-]{0,3}([0-9]{4})(?![0-9])")
_INTERNATIONAL: Final = 1
_NATIONAL: Final = 2


class Reply(Struct, frozen=True):
    """An answer to the alarm of a code."""

    answer: Answer
    code: str


def read_reply(text: str) -> Reply | None:
    """What a reply says; None where it says nothing, or several things (a whole message quoted)."""
    found = set(_REPLY.findall(unicodedata.normalize("NFKC", text)))
    if len(found) != 1:
        return None
    ((digit, code),) = found
    return Reply(ANSWERS[digit], code)


def international(address: Address, country_code: str | None) -> str:
    """A sender's number as the site file writes it, "" for what is no number. `country_code`: the digits
    that stand for a national number's first zero."""
    text = address.text.strip().replace(" ", "")
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 17):
        return ""
    if text.startswith("+") or address.ton == _INTERNATIONAL:
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if country_code is not None and digits.startswith("0"):
        return f"+{country_code}{digits[1:]}"
    if country_code is not None and address.ton == _NATIONAL:
        return f"+{country_code}{digits}"
    return f"+{digits}"


def masked(number: str) -> str:
    """A number for the log: enough to find it again, too little to call it."""
    return f"{number[:3]}…{number[-3:]}" if len(number) > 8 else "…"


class Guesses:
    """Which numbers send codes that are not theirs. All instants in ms; forgotten with the process, and the
    longest unheard first."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[int]] = OrderedDict()
        self._ignored: OrderedDict[str, int] = OrderedDict()

    def ignored(self, number: str, now: int) -> bool:
        """Whether its replies are not looked at now."""
        until = self._ignored.get(number)
        if until is not None and now >= until:
            del self._ignored[number]
            until = None
        return until is not None

    def wrong(self, number: str, now: int) -> bool:
        """One more wrong code. True where the number is ignored from now on."""
        times = self._wrong.setdefault(number, deque(maxlen=WRONG_CODES))
        self._wrong.move_to_end(number)
        if len(self._wrong) > NUMBERS_WATCHED:
            self._wrong.popitem(last=False)
        times.append(now)
        if len(times) < WRONG_CODES or now - times[0] >= WRONG_WITHIN_MS:
            return False
        del self._wrong[number]
        self._ignored[number] = now + IGNORED_FOR_MS
        if len(self._ignored) > NUMBERS_WATCHED:
            self._ignored.popitem(last=False)
        return True
