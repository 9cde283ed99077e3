"""Codes by which a reply to a text message names its alarm: drawn, kept, found again.

Four digits, one for each alarm and person, unique among those of one number, not drawn again for a day after
the last use and never while the alarm is open. They are drawn at random, so that nobody can know one from the
alarm. Kept as one fact a number, with the commit that orders the message. It refuses to judge replies.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

SCOPE: Final = "sms_code"
"""Facts: the codes of a number."""
SENT_SCOPE: Final = "sms_sent"
"""Facts: a message the network has taken, by its id there."""
REST_MS: Final = 86_400_000
"""A code that was used is not drawn again for so long."""
FIRST, LAST = 1000, 9999
MOST_KEPT: Final = 2000
"""Of one number. Of more than these the oldest are drawn again before their day is over."""


class Code(Struct, frozen=True, gc=False, array_like=True):
    """One code. `texted_at`: when a message last carried it (epoch ms)."""

    code: str
    alarm: str
    staff: str
    texted_at: int


class SentText(Struct, frozen=True, gc=False, array_like=True):
    """A message the network has taken, and when the hub ordered it (`effects.Sms.at`)."""

    alarm: str
    staff: str
    at: int


def drawn(
    known: tuple[Code, ...], alarm: str, staff: str, now: int, is_open: Callable[[str], bool]
) -> tuple[Code, tuple[Code, ...]]:
    """The code of this alarm for this person, now in use: the one it has, or a new one. With what is to be
    kept of the number from now on."""
    mine = of_alarm(known, alarm, staff)
    others = [c for c in known if c is not mine and (now < c.texted_at + REST_MS or is_open(c.alarm))]
    if len(others) >= MOST_KEPT:
        others.sort(key=lambda c: (is_open(c.alarm), c.texted_at))
        del others[: len(others) - MOST_KEPT + 1]
    code = mine.code if mine is not None else _free({c.code for c in others})
    fresh = Code(code, alarm, staff, now) if mine is None else replace(mine, texted_at=now)
    return fresh, (*others, fresh)


def of_alarm(known: tuple[Code, ...], alarm: str, staff: str) -> Code | None:
    """The code under which this person knows the alarm."""
    return next((c for c in known if c.alarm == alarm and c.staff == staff), None)


def _free(taken: set[str]) -> str:
    while True:
        code = str(FIRST + secrets.randbelow(LAST - FIRST + 1))
        if code not in taken:
            return code
