"""Signed-in browsers: from a cookie to who calls and what they may, and from a sign-in to a cookie.

A session is asked for at each request and never remembered here, so that what is revoked opens nothing from
that instant on. It refuses to know how somebody proved who they are, and to touch phones: a phone's own
secret is another thing, and rings on when a session is over.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
import secrets
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from msgspec import Struct
from msgspec.structs import replace

from alarmhub.core import rights
from alarmhub.people import Account, Accounts, Session
from alarmhub.ports import Desk, StoreUnavailable, Token
from alarmhub.web.auth import away, forbidden
from alarmhub.web.problems import Failed
from alarmhub.web.reading import units_of
from alarmhub.web.routes import SESSION

CSRF_HEADER: Final = "X-Alarmhub-CSRF"
CHALLENGE: Final = 'Session realm="alarmhub"'
TOUCHED_AFTER_MS: Final = 60_000
"""Use moves a session's end at most this often: each page asks several times a second."""
LOOKUPS_AT_ONCE: Final = 8
ASKED_WITHIN_S: Final = 2.0
TRIMMED_EVERY_MS: Final = 3_600_000
KEPT_AFTER_END_MS: Final = 7 * 24 * 3_600_000
LABEL_CHARS: Final = 60
FRESH_MS: Final = 15 * 60_000
_SAFE: Final = frozenset({"GET", "HEAD"})
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class SessionSettings(Struct, frozen=True, kw_only=True):
    """`secure`: browsers reach the hub over TLS. `idle_s`, `longest_s`: when a session ends, unused or not.
    `hospital_grants`: what the hospital's sign-in says of somebody stands in place of the site's grants.
    `proxies`: networks of our own proxies, whose word on who called counts."""

    secure: bool = False
    idle_s: float = 4 * 3600.0
    longest_s: float = 14 * 3600.0
    hospital_grants: bool = False
    proxies: tuple[str, ...] = ()


class Signed(Struct, frozen=True):
    """Who calls by a session."""

    session: Session
    account: Account
    grants: tuple[rights.Grant, ...]


_SIGNED: Final = web.RequestKey("signed", Signed)


class Sessions:
    """See the module. Make it inside a running event loop."""

    def __init__(self, accounts: Accounts, desk: Desk, settings: SessionSettings | None = None) -> None:
        self.settings = settings or SessionSettings()
        self._accounts, self._desk = accounts, desk
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._trimmed_at = 0
        self._idle_ms = round(self.settings.idle_s * 1000)
        self._longest_ms = round(self.settings.longest_s * 1000)
        self._networks = tuple(map(ipaddress.ip_network, self.settings.proxies))

    @property
    def cookie(self) -> str:
        """The cookie's name. With the prefix, browsers take it only over TLS and for this host alone."""
        return "__Host-alarmhub_session" if self.settings.secure else "alarmhub_session"

    async def caller(self, request: web.BaseRequest, *, always: bool = False) -> Token:
        """Who calls by the request's cookie; `scopes` are their grants in words. `always`: also for who must
        replace a one-time password first. Raises Failed: 401, 403 (CSRF), 503 while the store cannot say."""
        secret = request.cookies.get(self.cookie, "")
        if not secret:
            raise signed_out("sign in first")
        session, account = await self._look_up(secret)
        if request.method not in _SAFE:
            _check_csrf(request, session)
        if account.must_change and not always:
            raise forbidden("replace the one-time password first", error="must_change")
        grants = self._grants(session)
        request[_SIGNED] = Signed(session, account, grants)
        return Token(session.digest, SESSION, session.staff, tuple(map(str, grants)))

    def signed(self, request: web.BaseRequest) -> Signed:
        """Who was admitted by this request's cookie; a defect to ask for another request."""
        return request[_SIGNED]

    async def begin(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        staff: str,
        method: str,
        *,
        grants: tuple[str, ...] = (),
        keep: bool = False,
    ) -> Session:
        """Somebody has proved who they are: a new session, its cookie on `response`, and the end of the one
        this browser had. `keep`: the cookie outlives the browser's window."""
        await self.end(request)
        now, secret = self._desk.now(), secrets.token_urlsafe(32)
        session = Session(
            digest=_digest(secret), id=secrets.token_hex(8), staff=staff, method=method,
            csrf=secrets.token_urlsafe(24), label=browser(request.headers.get(hdrs.USER_AGENT, "")),
            created_at=now, seen_at=now, expires_at=now + min(self._idle_ms, self._longest_ms), grants=grants,
        )  # fmt: skip
        await self._accounts.add_session(session)
        if now - self._trimmed_at > TRIMMED_EVERY_MS:
            self._trimmed_at = now
            await self._accounts.trim_sessions(now - KEPT_AFTER_END_MS)
        self.set_cookie(
            response, self.cookie, secret, "Lax", round(self.settings.longest_s) if keep else None
        )
        return session

    async def end(self, request: web.BaseRequest) -> None:
        """End the session of this browser, if it has one."""
        secret = request.cookies.get(self.cookie, "")
        if not _COOKIE.match(secret):
            return
        known = await self._accounts.session(_digest(secret))
        if known is not None:
            await self._accounts.revoke_sessions(self._desk.now(), id=known.id)

    def must_be_fresh(self, session: Session) -> None:
        """For what would let somebody in for good: raises Failed (403) unless it began lately."""
        if self._desk.now() - session.created_at > FRESH_MS:
            raise forbidden("sign in again first: this sign-in is too old for that", error="sign_in_again")

    def set_cookie(
        self, response: web.StreamResponse, name: str, value: str, samesite: str, max_age_s: int | None
    ) -> None:
        """A cookie that no script reads, for this host, over TLS where there is TLS."""
        response.set_cookie(
            name, value, path="/", httponly=True, samesite=samesite, secure=self.settings.secure,
            max_age=max_age_s,
        )  # fmt: skip

    def drop_cookie(self, response: web.StreamResponse, name: str) -> None:
        """The browser forgets it."""
        response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=self.settings.secure)

    def peer(self, request: web.BaseRequest) -> str:
        """The address that called, as our own proxies say it; never what a stranger writes into a header."""
        transport = request.transport
        peername = None if transport is None else transport.get_extra_info("peername")
        peer = str(peername[0]).partition("%")[0] if peername else ""
        for name in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
            if not self._is_proxy(peer):
                break
            peer = name.strip() or peer
        return peer

    def _is_proxy(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    async def _look_up(self, secret: str) -> tuple[Session, Account]:
        if not _COOKIE.match(secret):
            raise _over()
        digest, now = _digest(secret), self._desk.now()
        try:
            async with asyncio.timeout(ASKED_WITHIN_S), self._lookups:
                session = await self._accounts.session(digest)
                if session is None or not self._lives(session, now):
                    raise _over()
                account = await self._accounts.account(staff=session.staff)
                if account is None or account.disabled_at is not None or not self._is_ours(session.staff):
                    raise _over()
                session = await self._touched(session, now)
        except (StoreUnavailable, TimeoutError):
            raise away("sessions") from None
        # The database found it by equality; this compares again in constant time.
        if not hmac.compare_digest(session.digest, digest):
            raise _over()
        return session, account

    def _lives(self, session: Session, now: int) -> bool:
        # The longest time counts by today's setting too, whatever held when it began.
        return session.revoked_at is None and now < min(
            session.expires_at, session.created_at + self._longest_ms
        )

    def _is_ours(self, staff: str) -> bool:
        return staff in self._desk.world().site.staff

    async def _touched(self, session: Session, now: int) -> Session:
        if now - session.seen_at < TOUCHED_AFTER_MS:
            return session
        expires_at = min(now + self._idle_ms, session.created_at + self._longest_ms)
        await self._accounts.touch_session(session.digest, now, expires_at)
        return replace(session, seen_at=now, expires_at=expires_at)

    def _grants(self, session: Session) -> tuple[rights.Grant, ...]:
        hospital = session.method == "oidc" and self.settings.hospital_grants
        said = session.grants if hospital else self._desk.world().site.staff[session.staff].grants
        return rights.grants(said, nurse_of=units_of(self._desk, session.staff))


def caller_of(token: Token | None) -> Token:
    """Who calls; a route without kinds has none, and its operation must not ask."""
    if token is None:
        raise RuntimeError("a route without kinds has reached an operation that needs a caller")
    return token


def signed_out(detail: str, error: str = "signed_out") -> Failed:
    """401 for a browser: nobody is signed in."""
    return Failed(
        HTTPStatus.UNAUTHORIZED, "unauthorized", detail, error=error, headers={"WWW-Authenticate": CHALLENGE}
    )


_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("CrOS", "ChromeOS"), ("Mac OS X", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


def browser(user_agent: str) -> str:
    """Browser and system in a person's words, as far as the header says."""
    known = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if known or system:
        return ", ".join(part for part in (known, system) if part)
    kept = "".join(c for c in user_agent if c.isprintable())
    return kept[:LABEL_CHARS].encode("utf-8", "replace").decode()


def _check_csrf(request: web.BaseRequest, session: Session) -> None:
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), session.csrf.encode()):
        raise forbidden(
            f"{CSRF_HEADER}: expected the csrf value of GET /api/v1/me", error="csrf", field=CSRF_HEADER
        )


def _over() -> Failed:
    return signed_out("this sign-in is over: sign in again", "session_over")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
