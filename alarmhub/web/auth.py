"""Who is calling: bearer secrets, looked up by their SHA-256 and remembered briefly.

`Gate.caller` turns an Authorization header into a `Token`; `permit` says whether that token may use a route,
`require` whether it may in this unit. Signed-in browsers are `web.sessions`. It refuses to see
a secret longer than needed to hash it: neither cache, log nor error ever holds one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from alarmhub.core import rights
from alarmhub.ports import Store, StoreUnavailable, Token
from alarmhub.web.problems import Failed, later
from alarmhub.web.routes import API, PHONE, SESSION, Route

KNOWN_FOR_S: Final = 30.0
"""A token is asked for again after this, or when `forget` says that secrets have changed."""
UNKNOWN_FOR_S: Final = 2.0
STALE_FOR_S: Final = 600.0
"""While the database is away a token seen this lately still counts, so that reads and health go on."""
REMEMBERED: Final = 4096
LOOKUPS_AT_ONCE: Final = 8
ASKED_WITHIN_S: Final = 2.0
SECRET_CHARS: Final = 512
REALM: Final = 'Bearer realm="alarmhub"'


class _Known:
    """One remembered answer of the store; `token` None: there is none with this digest. `doubted`: secrets
    have changed since."""

    __slots__ = ("at", "doubted", "token")

    def __init__(self, token: Token | None, at: float) -> None:
        self.token = token
        self.at = at
        self.doubted = False

    def fresh(self, now: float) -> bool:
        return not self.doubted and now - self.at < (UNKNOWN_FOR_S if self.token is None else KNOWN_FOR_S)


class Gate:
    """The tokens of one store. Make it inside a running event loop.

    `away`: whether the database is known to be away. Then who was known lately is not asked about.
    """

    def __init__(self, store: Store, *, away: Callable[[], bool] = lambda: False) -> None:
        self._store = store
        self._away = away
        self._loop = asyncio.get_running_loop()
        # Apart, so that somebody who tries secrets pushes no good one out.
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._unknown: OrderedDict[bytes, _Known] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[_Known]] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._outdated: set[bytes] = set()  # of those that are asked for: changed meanwhile

    def forget(self) -> None:
        """Tokens were added or revoked: ask the store for every one again. What was known still counts while
        the store is away: somebody's new secret must not take every board off the wall."""
        self._outdated.update(self._asked)
        self._unknown.clear()
        for known in self._known.values():
            known.doubted = True

    def carried(self, digest: bytes) -> None:
        """This phone's secret is another person's now, nobody's, or revoked: what was known of it counts no
        more, whether the store can say or not."""
        if digest in self._asked:
            self._outdated.add(digest)
        self._known.pop(digest, None)

    async def caller(self, header: str) -> Token:
        """The token of an Authorization header. Raises Failed: 401, or 503 while the store cannot say."""
        digest = _digest_in(header)
        known = self._known.get(digest) or self._unknown.get(digest)
        if known is None or not (known.fresh(self._loop.time()) or (self._away() and self._counts(known))):
            known = await self._look_up(digest, known)
        token = known.token
        # The dictionary found it by hash and equality; this compares again in constant time.
        if token is None or not hmac.compare_digest(token.digest, digest):
            raise _unauthorised("this secret is unknown or revoked", "invalid_token")
        return token

    async def _look_up(self, digest: bytes, stale: _Known | None) -> _Known:
        """Ask the store once, however many wait for the same answer."""
        asked = self._asked.get(digest)
        if asked is not None:
            return await asyncio.shield(asked)
        asked = self._asked[digest] = self._loop.create_future()
        try:
            known = await self._ask(digest, stale)
        except BaseException as error:
            asked.set_exception(error if isinstance(error, Failed) else away("secrets"))
            asked.exception()  # nobody else may be waiting
            raise
        finally:
            del self._asked[digest]
        asked.set_result(known)
        return known

    def _counts(self, stale: _Known) -> bool:
        """Whether it may be believed although the store cannot say."""
        token = stale.token
        if token is None or self._known.get(token.digest) is not stale:
            return False
        return self._loop.time() - stale.at < STALE_FOR_S

    def _may_be_away(self, error: Exception, stale: _Known) -> bool:
        """A crowd that waits its turn looks like a silent store: then what is doubted is not believed."""
        return not (isinstance(error, TimeoutError) and stale.doubted) or self._away()

    async def _ask(self, digest: bytes, stale: _Known | None) -> _Known:
        try:
            async with asyncio.timeout(ASKED_WITHIN_S), self._lookups:
                while True:  # an answer older than a change is not to be remembered
                    self._outdated.discard(digest)
                    token = await self._store.token(digest)
                    if stale is not None and token != stale.token:
                        self._known.pop(digest, None)
                    if digest not in self._outdated:
                        break
        except (StoreUnavailable, TimeoutError) as error:
            if stale is not None and self._counts(stale) and self._may_be_away(error, stale):
                return stale
            raise away("secrets") from None
        finally:
            self._outdated.discard(digest)
        known = _Known(token, self._loop.time())
        kept, others = (self._known, self._unknown) if token is not None else (self._unknown, self._known)
        others.pop(digest, None)
        kept[digest] = known
        while len(kept) > REMEMBERED:
            kept.popitem(last=False)
        return known


def away(what: str) -> Failed:
    """503: nobody can say whether it is right."""
    return later(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        f"the database does not answer, so {what} cannot be checked",
        2,
    )


def permit(token: Token, route: Route) -> None:
    """Raises Failed (403) when the token's kind, scopes or grants do not allow the route anywhere."""
    if token.kind not in route.kinds:
        raise forbidden(f"a secret of kind {token.kind} may not do this")
    if token.kind == PHONE and not token.subject and not route.uncarried:
        raise forbidden("nobody is signed in on this phone", error="nobody_signed_in")
    if token.kind == SESSION and route.action:
        action = rights.Action(route.action)
        if not rights.somewhere(rights.grants(token.scopes), action):
            raise _not_permitted(action)
    if token.kind == API and route.scope not in token.scopes:
        raise forbidden(f"this token lacks the scope {route.scope}", error="insufficient_scope")


def require(token: Token, action: rights.Action, unit: str) -> None:
    """For a handler that knows the unit ("" = all of them). Raises Failed (403) unless somebody signed in has
    the right there; an api token's scope was checked at the door, other secrets have no rights by unit."""
    if token.kind == API:
        return
    if token.kind != SESSION or not rights.permitted(rights.grants(token.scopes), action, unit):
        raise _not_permitted(action, unit)


def units_allowed(token: Token, action: rights.Action) -> frozenset[str] | None:
    """In which units somebody signed in may do it; None = in every one, as an api token may."""
    if token.kind == API:
        return None
    return rights.units_of(rights.grants(token.scopes), action) if token.kind == SESSION else frozenset()


def _not_permitted(action: rights.Action, unit: str = "") -> Failed:
    where = f" in unit {unit}" if unit else ""
    return forbidden(f"{action} is not among your rights{where}", error="not_permitted")


def forbidden(detail: str, error: str | None = None, field: str | None = None) -> Failed:
    """403: we know who calls, and it is not theirs."""
    return Failed(HTTPStatus.FORBIDDEN, "forbidden", detail, error=error, field=field)


def _digest_in(header: str) -> bytes:
    if not header:
        raise _unauthorised("send a secret: Authorization: Bearer …")
    scheme, _, secret = header.partition(" ")
    secret = secret.strip(" ")
    if scheme.lower() != "bearer" or not secret or len(secret) > SECRET_CHARS or not secret.isascii():
        raise _unauthorised("expected Authorization: Bearer and a secret", "invalid_request")
    return hashlib.sha256(secret.encode()).digest()


def _unauthorised(detail: str, error: str | None = None) -> Failed:
    # RFC 6750 section 3: no error code when no credentials were sent at all.
    challenge = REALM if error is None else f'{REALM}, error="{error}"'
    return Failed(
        HTTPStatus.UNAUTHORIZED, "unauthorized", detail, error=error, headers={"WWW-Authenticate": challenge}
    )
