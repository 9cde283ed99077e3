"""Passwords: argon2id, hashed and verified in one thread behind a short queue.

A hash takes some 50 ms of a core on purpose; at a shift change hundreds come at once, and alarms must not
wait for them. It refuses to work on the event loop, to queue without a bound, and to answer sooner for a
login that nobody has.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from alarmhub.core.passwords import LONGEST, normalised
from alarmhub.web.problems import Failed, later

TIME_COST: Final = 2
MEMORY_KIB: Final = 19_456
"""OWASP's second choice for argon2id: 19 MiB twice, one lane; the hub holds that much once."""
QUEUE: Final = 200
"""About ten seconds of work; whoever comes then is told to come again."""
QUEUE_EACH: Final = QUEUE // 2
"""Of it for one address: enough for all who begin a shift behind one. Whoever floods the hub with logins that
nobody has leaves the other half to everybody else."""
WITHIN_S: Final = 15.0
RETRY_AFTER_S: Final = 3

_T = TypeVar("_T")
_hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)


def hashed(password: str) -> str:
    """The encoded hash, here and now: for commands, which have no loop to hold up."""
    return _hasher.hash(normalised(password))


def one_time() -> str:
    """A password for somebody to type once: 80 bits, no letter that is read for another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


class Passwords:
    """See the module. Make it inside a running event loop; `close` when done."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "argon2")
        self._waiting = 0
        self._by: Counter[str] = Counter()
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """The encoded hash. Raises Failed (503) when too many wait."""
        return await self._away_from_the_loop(lambda: hashed(password))

    async def verified(self, encoded: str | None, password: str, by: str = "") -> bool:
        """Whether it is the password. Without a hash the same work is done, and the answer is no. `by`: the
        address it was typed at. Raises Failed (503) when too many wait, or too many from there."""
        if not by:
            return await self._away_from_the_loop(lambda: self._verify(encoded, password))
        if self._by.get(by, 0) >= QUEUE_EACH:
            raise _busy()
        self._by[by] += 1
        try:
            return await self._away_from_the_loop(lambda: self._verify(encoded, password))
        finally:
            self._by[by] -= 1
            if not self._by[by]:
                del self._by[by]

    def outdated(self, encoded: str) -> bool:
        """Whether it was hashed with other costs than today's."""
        return _hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Take no more; what has begun ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _away_from_the_loop(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= QUEUE:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1

    def _verify(self, encoded: str | None, password: str) -> bool:
        self._nobodys = self._nobodys or hashed(secrets.token_urlsafe(16))
        text = normalised(password[:LONGEST])
        try:
            _hasher.verify(encoded or self._nobodys, text)
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None


def _busy() -> Failed:
    return later(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "many people are signing in just now", RETRY_AFTER_S)
