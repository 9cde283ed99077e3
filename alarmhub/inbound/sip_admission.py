"""Who may send to a SIP door: digest users, or everybody where the site has said so (RFC 3261 section 22).

Without a password that fits nothing is read of a request. It refuses Basic, users it does not know, counts
that were used before, and to say which of name and password was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from alarmhub.secret import Secret
from protocols.sip import Request
from protocols.sip_digest import (
    Credentials,
    Nonces,
    NonceState,
    challenge,
    count_of,
    fits,
    read_credentials,
)

NOBODY: Final = "\0nobody"
"""A password nobody has: an unknown user costs the same time as a known one."""


class Admitted(Struct, frozen=True):
    """May be read. `user`: "" where nobody is asked."""

    user: str


class TurnedAway(Struct, frozen=True):
    """What to answer. `reason`: a word for the metrics, "" for the first challenge, which is no refusal."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    cause: str = ""


class Admission:
    """The users of one door. `word`: makes an unguessable word, for nonces."""

    def __init__(self, realm: str, users: Mapping[str, Secret] | None, word: Callable[[], str]) -> None:
        """`users` None: nobody is asked."""
        self._realm, self._users, self._word = realm, users, word
        self._nonces = Nonces()

    def judge(self, request: Request, now: int) -> Admitted | TurnedAway:
        """Whether this request may be read."""
        if self._users is None:
            return Admitted("")
        offered = [read_credentials(value) for value in request.all("authorization")]
        read = [given for given in offered if isinstance(given, Credentials)]
        ours = next((given for given in read if given.realm == self._realm), None)
        if ours is None:
            cause = next((given for given in offered if isinstance(given, str) and given), "")
            return self._ask(now, reason="unauthorized" if cause else "", cause=cause)
        password = self._users.get(ours.username)
        known = fits(
            ours,
            realm=self._realm,
            password=NOBODY if password is None else password.reveal(),
            method=request.method,
        )
        if password is None or not known:
            return TurnedAway(403, (), "unauthorized", "unknown user or wrong password")
        if self._nonces.use(ours.nonce, count_of(ours) or 0, now) is NonceState.STALE:
            return self._ask(now, stale=True)
        return Admitted(ours.username)

    def _ask(self, now: int, *, stale: bool = False, reason: str = "", cause: str = "") -> TurnedAway:
        nonce = self._nonces.issue(self._word(), now)
        header = ("www-authenticate", challenge(self._realm, nonce, stale=stale))
        return TurnedAway(401, (header,), reason, cause)
