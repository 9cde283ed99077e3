"""Codes that are scanned: single use, two minutes, kept in memory only as digests.

A code is the credential of the one thing it was made for: to enrol a phone, or to take one over. It refuses
guesses beyond a bound for each address, and to let one person fill the memory.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from alarmhub.core import attempts
from alarmhub.core.attempts import Bound, Bucket

LASTS_MS: Final = 120_000
CODE_BYTES: Final = 16
"""128 random bits: nobody guesses one in two minutes, nor in the age of the earth."""
EACH_MOST: Final = 5
"""Codes of one person or phone at a time; the oldest is over when there is one more."""
KEPT_MOST: Final = 10_000
ADDRESSES_MOST: Final = 20_000
GUESSES: Final = Bound(most=20, forget_ms=10_000)
"""Wrong codes from one address: a ward behind one address mistypes now and then."""


class Invitation(Struct, frozen=True):
    """What a code is for. `purpose`: enrol | handover; `by`: the person, or the phone, that asked for it."""

    purpose: str
    by: str
    until: int
    label: str = ""
    pool: bool = False
    unit: str = ""


class CodeOver(Exception):
    """Nobody gave this code, it was used, or its time is over: all three look alike."""


class TooManyGuesses(Exception):
    """This address must wait `wait_ms`."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms


class Invitations:
    """See the module. `now`: the hub's clock, epoch ms."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._known: OrderedDict[bytes, Invitation] = OrderedDict()
        self._guesses: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many codes count now."""
        self._sweep()
        return len(self._known)

    def issue(
        self, purpose: str, by: str, *, label: str = "", pool: bool = False, unit: str = ""
    ) -> tuple[str, Invitation]:
        """A new code, and what it is for."""
        self._sweep()
        mine = [digest for digest, known in self._known.items() if (known.purpose, known.by) == (purpose, by)]
        for digest in mine[: max(0, len(mine) - EACH_MOST + 1)]:
            del self._known[digest]
        if len(self._known) >= KEPT_MOST:
            self._known.popitem(last=False)
        code = secrets.token_urlsafe(CODE_BYTES)
        invitation = Invitation(purpose, by, self._now() + LASTS_MS, label, pool, unit)
        self._known[_digest(code)] = invitation
        return code, invitation

    def redeem(self, purpose: str, code: str, peer: str) -> Invitation:
        """Use a code up. Raises CodeOver, TooManyGuesses."""
        now = self._now()
        bucket = self._guesses.get(peer, attempts.EMPTY)
        wait_ms = attempts.wait_ms(bucket, GUESSES, now)
        if wait_ms:
            raise TooManyGuesses(wait_ms)
        known = self._known.get(_digest(code))
        if known is None or known.purpose != purpose or now >= known.until:
            self._guesses[peer] = attempts.charged(bucket, GUESSES, now)
            self._guesses.move_to_end(peer)
            while len(self._guesses) > ADDRESSES_MOST:
                self._guesses.popitem(last=False)
            raise CodeOver
        del self._known[_digest(code)]
        return known

    def give_back(self, code: str, invitation: Invitation) -> None:
        """What it was used for came to nothing: it counts until its time is over."""
        self._known[_digest(code)] = invitation

    def _sweep(self) -> None:
        now = self._now()
        for digest in [digest for digest, known in self._known.items() if now >= known.until]:
            del self._known[digest]


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
