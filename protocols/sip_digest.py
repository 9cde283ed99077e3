"""Digest authentication as SIP uses it (RFC 3261 22.4, RFC 2617 and 7616): MD5 with `qop=auth`.

Pure functions, and `Nonces`, which remembers what was handed out, for how long, and which counts were used;
its random words are given to it. It refuses Basic (SS 91100 forbids it), answers without `qop` (they can be
replayed), and to compare secrets in a time that tells how alike they are.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Final

from msgspec import Struct

from protocols.sip import parameters, split_list

NONCE_LIFE_MS: Final = 300_000
MAX_NONCES: Final = 4_096
MAX_COUNT_AHEAD: Final = 64
"""Counts that overtook each other on the way are taken within this window, each once."""


class Credentials(Struct, frozen=True):
    """What a client answered, as written."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    nc: str
    cnonce: str
    qop: str
    algorithm: str


class NonceState(StrEnum):
    """What a nonce is worth."""

    GOOD = "good"
    STALE = "stale"  # ours once, or used with this count before: ask again, the password may well be right


def challenge(realm: str, nonce: str, *, stale: bool = False) -> str:
    """The value of WWW-Authenticate."""
    return f'Digest realm="{_escaped(realm)}", nonce="{nonce}", algorithm=MD5, qop="auth"' + (
        ", stale=true" if stale else ""
    )


def read_credentials(value: str | None) -> Credentials | str:
    """An Authorization value, or why it is no use ("" when there is none)."""
    if not value:
        return ""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return f"{scheme[:16].lower()} is not taken, only digest"
    named = parameters(split_list(rest))
    needed = ("username", "realm", "nonce", "uri", "response")
    missing = [name for name in needed if not named.get(name)]
    if missing:
        return f"digest without {missing[0]}"
    credentials = Credentials(
        username=_unescaped(named["username"]),
        realm=_unescaped(named["realm"]),
        nonce=_unescaped(named["nonce"]),
        uri=_unescaped(named["uri"]),
        response=_unescaped(named["response"]),
        nc=named.get("nc", ""),
        cnonce=_unescaped(named.get("cnonce", "")),
        qop=named.get("qop", "").lower(),
        algorithm=named.get("algorithm", "MD5"),
    )
    if credentials.algorithm.upper() != "MD5":
        return "digest algorithm is not MD5"
    if credentials.qop != "auth" or not credentials.cnonce or count_of(credentials) is None:
        return "digest without qop=auth"
    return credentials


def count_of(credentials: Credentials) -> int | None:
    """The nonce count, None when it is none: 8 hex digits, from 1."""
    text = credentials.nc
    if not 1 <= len(text) <= 8 or not all(char in "0123456789abcdefABCDEF" for char in text):
        return None
    return int(text, 16) or None


def response_for(
    *, username: str, realm: str, password: str, method: str, uri: str, nonce: str, nc: str, cnonce: str
) -> str:
    """The digest a client with this password answers (RFC 7616 3.4.1, qop=auth)."""
    ha1 = _md5(f"{username}:{realm}:{password}")
    return _md5(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{_md5(f'{method}:{uri}')}")


def fits(credentials: Credentials, *, realm: str, password: str, method: str) -> bool:
    """Whether the client knows the password, for this method and the URI it names."""
    expected = response_for(
        username=credentials.username,
        realm=realm,
        password=password,
        method=method,
        uri=credentials.uri,
        nonce=credentials.nonce,
        nc=credentials.nc,
        cnonce=credentials.cnonce,
    )
    same = hmac.compare_digest(expected.encode(), credentials.response.lower().encode())
    return same and hmac.compare_digest(realm.encode(), credentials.realm.encode())


def authorization(
    challenge_value: str, *, username: str, password: str, method: str, uri: str, cnonce: str, nc: int = 1
) -> str | None:
    """A client's answer to a challenge; None when it is not a digest it can answer with MD5 and qop=auth."""
    scheme, _, rest = challenge_value.strip().partition(" ")
    named = parameters(split_list(rest))
    offered = [word.strip().lower() for word in named.get("qop", "").split(",")]
    if scheme.lower() != "digest" or "auth" not in offered or named.get("algorithm", "MD5").upper() != "MD5":
        return None
    realm, nonce, count = _unescaped(named.get("realm", "")), named.get("nonce", ""), f"{nc:08x}"
    digest = response_for(
        username=username, realm=realm, password=password, method=method,
        uri=uri, nonce=nonce, nc=count, cnonce=cnonce,
    )  # fmt: skip
    opaque = f', opaque="{named["opaque"]}"' if named.get("opaque") else ""
    return (
        f'Digest username="{_escaped(username)}", realm="{_escaped(realm)}", nonce="{nonce}", uri="{uri}", '
        f'response="{digest}", algorithm=MD5, cnonce="{cnonce}", qop=auth, nc={count}{opaque}'
    )


class _Nonce:
    __slots__ = ("highest", "seen", "until")

    def __init__(self, until: int) -> None:
        self.until = until
        self.highest = 0
        self.seen = 0  # bit n: highest - n was used


class Nonces:
    """The nonces one door has handed out: each lives `life_ms`, each count of it is good once."""

    def __init__(self, *, life_ms: int = NONCE_LIFE_MS, most: int = MAX_NONCES) -> None:
        self._life_ms, self._most = life_ms, most
        self._known: dict[str, _Nonce] = {}

    def __len__(self) -> int:
        return len(self._known)

    def issue(self, word: str, now: int) -> str:
        """Hand out this unguessable word; the oldest is forgotten when there are too many."""
        while self._known and self._known[oldest := next(iter(self._known))].until <= now:
            del self._known[oldest]
        while len(self._known) >= self._most:
            # Those nobody ever answered go first: asking for nonces must not push out a unit's own.
            unused = next((nonce for nonce, known in self._known.items() if not known.highest), None)
            del self._known[unused or next(iter(self._known))]
        self._known[word] = _Nonce(now + self._life_ms)
        return word

    def use(self, nonce: str, count: int, now: int) -> NonceState:
        """Take one use. Call it only after the digest has been found to fit."""
        known = self._known.get(nonce)
        if known is None or known.until <= now:
            return NonceState.STALE
        ahead = count - known.highest
        if ahead > 0:
            known.seen = ((known.seen << min(ahead, MAX_COUNT_AHEAD)) | 1) & ((1 << MAX_COUNT_AHEAD) - 1)
            known.highest = count
            return NonceState.GOOD
        if -ahead >= MAX_COUNT_AHEAD or known.seen >> -ahead & 1:
            return NonceState.STALE
        known.seen |= 1 << -ahead
        return NonceState.GOOD


def _md5(text: str) -> str:
    # The standard's choice, not ours: the secret is protected by TLS or by the closed network it lives in.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescaped(text: str) -> str:
    out, skip = [], False
    for char in text:
        if char == "\\" and not skip:
            skip = True
            continue
        skip = False
        out.append(char)
    return "".join(out)
