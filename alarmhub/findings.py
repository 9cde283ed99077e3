"""What the doctor finds: a line each, with how bad it is, in a few words.

It refuses to look at anything itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

NAMED_MOST: Final = 6
"""So many are named in a line; the rest is counted."""


class Level(StrEnum):
    """How bad."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One line."""

    level: Level
    what: str
    text: str


def ok(what: str, text: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, what, text)


def warn(what: str, text: str) -> Finding:
    """Somebody should look at it; alarms still ring."""
    return Finding(Level.WARN, what, text)


def fail(what: str, text: str) -> Finding:
    """Alarms may not ring, or not be stored."""
    return Finding(Level.FAIL, what, text)


def listed(names: list[str]) -> str:
    """A few names, and how many more."""
    more = len(names) - NAMED_MOST
    return ", ".join(names[:NAMED_MOST]) + (f" and {more} more" if more > 0 else "")


def ago(seconds: int) -> str:
    """How long ago, in the largest fitting unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
