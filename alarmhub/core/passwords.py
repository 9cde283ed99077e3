"""Which passwords are good enough: long, and not what somebody would guess first (NIST SP 800-63B).

No rules of composition and no end by date: both make people write them down. It refuses to see a hash.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import Final

SHORTEST: Final = 12
LONGEST: Final = 256
DIFFERENT_AT_LEAST: Final = 5

_GUESSED_FIRST: Final = frozenset(
    {
        "password", "passord", "losenord", "losen", "hemligt", "hemlig", "secret", "welcome", "valkommen",
        "qwerty", "qwertyuiop", "qwertyuiopa", "asdfghjkl", "iloveyou", "letmein", "admin", "administrator",
        "changeme", "test", "default", "abc", "abcdefghijkl", "sommar", "vinter", "hosten", "varen", "host",
        "var", "summer", "winter", "autumn", "spring", "sverige", "sweden", "sjukhus", "hospital", "region",
        "alarm", "larm", "alarmhub", "nurse", "skoterska", "sjukskoterska", "avdelning", "monkey", "dragon",
    }
)  # fmt: skip


class Weak(StrEnum):
    """Why a password is refused."""

    SHORT = "short"
    LONG = "long"
    GUESSED = "guessed"


def normalised(password: str) -> str:
    """The form that is hashed: NFKC, so that å typed on one machine is å typed on another."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, own_words: Iterable[str] = ()) -> Weak | None:
    """Why this password will not do; None = it will. `own_words`: the person's login, names, unit, site."""
    text = normalised(password)
    if len(text) < SHORTEST:
        return Weak.SHORT
    if len(text) > LONGEST:
        return Weak.LONG
    return Weak.GUESSED if _is_guessed(text, own_words) else None


def _is_guessed(text: str, own_words: Iterable[str]) -> bool:
    if len(set(text.lower())) < DIFFERENT_AT_LEAST or _is_a_run(text):
        return True
    known = _GUESSED_FIRST | {_letters(part) for word in own_words for part in re.split(r"[\s.@_-]+", word)}
    rest = _letters(text)
    # What is left once every word that is guessed first is taken out: digits and signs add nothing.
    for word in sorted(known, key=len, reverse=True):
        if len(word) >= 3:
            rest = rest.replace(word, "")
    return len(rest) < 3


def _is_a_run(text: str) -> bool:
    """1234567890123, abcdefghijkl, and the same backwards."""
    # From 9 to 0, and back, is a step of nine.
    return all(abs(ord(b) - ord(a)) in (1, 9) for a, b in pairwise(text))


def _letters(text: str) -> str:
    """Lower case, without accents, digits and signs."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in plain if c.isalpha())
