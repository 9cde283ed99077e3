"""Whose token a phone shows: looked up by digest, remembered for a minute.

The secret itself is hashed at once and kept nowhere. When the store is away, who was known stays known: a
phone must be able to come back while the database is down. It refuses tokens of other kinds than `phone`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, Protocol

from msgspec.structs import replace

from alarmhub.ports import StoreUnavailable, Token

KNOWN_MS: Final = 60_000
UNKNOWN_MS: Final = 5_000
REMEMBERED_MAX: Final = 50_000
LOOKUPS_AT_ONCE: Final = 8
"""A whole hospital that reconnects must leave the store connections for alarms."""


ASKED_WITHIN_S: Final = 2.0


class TokenSource(Protocol):
    """The part of the store that knows tokens."""

    async def token(self, digest: bytes) -> Token | None:
        """The token with this digest. Raises StoreUnavailable."""
        ...

    async def tokens_otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        """The digests of those that are no longer so. Raises StoreUnavailable."""
        ...


def digest_of(secret: str) -> bytes:
    """What the store knows a secret by: SHA-256 of its UTF-8."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


class _Asking:
    """A look-up under way; `outdated`: what it asks for has changed meanwhile."""

    __slots__ = ("digest", "outdated")

    def __init__(self, digest: bytes) -> None:
        self.digest, self.outdated = digest, False


class TokenDesk:
    """Remembers answers of the source. `monotonic_ms`: a steady clock. `away`: whether the database is known
    to be away; then nobody is asked, or a hospital would come back one time-out after another."""

    def __init__(
        self,
        source: TokenSource,
        monotonic_ms: Callable[[], int],
        *,
        away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._away = away
        self._source = source
        self._now = monotonic_ms
        self._known: dict[bytes, tuple[Token | None, int]] = {}
        self._turnstile = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._asking: list[_Asking] = []

    def remembered(self, digest: bytes) -> tuple[bool, str | None]:
        """Whether the answer is known without asking, and if so the staff id or None. Who was known stays
        known while the database is away."""
        known, staff = self._fresh(digest)
        entry = self._known.get(digest)
        if not known and entry is not None and self._away():
            return True, _staff(entry[0], digest)
        return known, staff

    def _fresh(self, digest: bytes) -> tuple[bool, str | None]:
        entry = self._known.get(digest)
        if entry is None or entry[1] <= self._now():
            return False, None
        return True, _staff(entry[0], digest)

    async def staff(self, digest: bytes) -> str | None:
        """Whose token this is, None for nobody's; who was known stays known while the store is away. Raises
        StoreUnavailable when nobody can say."""
        try:
            return await self.asked(digest)
        except StoreUnavailable:
            entry = self._known.get(digest)
            if entry is None:
                raise
            return _staff(entry[0], digest)

    async def asked(self, digest: bytes) -> str | None:
        """As `staff`, but never older than a minute, nor than the last `forget`. Raises StoreUnavailable."""
        async with self._turnstile:
            known, staff = self._fresh(digest)
            if known:
                return staff
            if self._away():
                raise StoreUnavailable("the database is away")
            try:
                async with asyncio.timeout(ASKED_WITHIN_S):
                    token = await self._ask(digest)
            except TimeoutError:
                raise StoreUnavailable("the database does not answer") from None
        self._remember(digest, token)
        return _staff(token, digest)

    async def _ask(self, digest: bytes) -> Token | None:
        """What the source says, asked again if it changed while the answer was on its way."""
        asking = _Asking(digest)
        self._asking.append(asking)
        try:
            while True:
                asking.outdated = False
                token = await self._source.token(digest)
                if not asking.outdated:
                    return token
                # Whoever asks next may find nobody: what is contradicted must not count then.
                self._known.pop(digest, None)
        finally:
            self._asking.remove(asking)

    def device_of(self, digest: bytes) -> str:
        """The enrolled phone whose secret this is, as last heard; "" = a secret of no such phone."""
        entry = self._known.get(digest)
        return "" if entry is None or entry[0] is None else entry[0].device

    async def otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        """Of which of these the store says otherwise. Raises StoreUnavailable."""
        if self._away():
            raise StoreUnavailable("the database is away")
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                return await self._source.tokens_otherwise(believed)
        except TimeoutError:
            raise StoreUnavailable("the database does not answer") from None

    def carried(self, digest: bytes, staff: str | None) -> None:
        """This secret is from now on this person's, nobody's (""), or revoked (None): it is committed."""
        for asking in self._asking:
            asking.outdated = asking.outdated or asking.digest == digest
        entry = self._known.get(digest)
        if staff is None:
            self._remember(digest, None)
        elif entry is not None and entry[0] is not None:
            self._remember(digest, replace(entry[0], subject=staff))

    def forget(self) -> None:
        """Tokens were added or revoked: ask again. What was known still serves while the store is away."""
        for asking in self._asking:
            asking.outdated = True
        self._known = {digest: (token, 0) for digest, (token, _until) in self._known.items() if token}

    def _remember(self, digest: bytes, token: Token | None) -> None:
        self._known.pop(digest, None)
        if len(self._known) >= REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        self._known[digest] = (token, self._now() + (KNOWN_MS if token is not None else UNKNOWN_MS))


def _staff(token: Token | None, digest: bytes) -> str | None:
    if token is None or token.kind != "phone" or not hmac.compare_digest(token.digest, digest):
        return None
    return token.subject
