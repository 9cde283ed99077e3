"""Signing in with a password, signing out, and who is signed in.

A wrong password and a login that nobody has get the same answer after the same work. It refuses to say which
of the two it was, to keep anybody out for long (`core.attempts`), and to ask anything of phones: no phone
falls silent because somebody cannot sign in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct
from msgspec.structs import replace

from alarmhub import logs
from alarmhub.core import rights
from alarmhub.core.passwords import LONGEST
from alarmhub.logs import Line
from alarmhub.people import Account, Accounts
from alarmhub.ports import Desk, Token
from alarmhub.web import wire
from alarmhub.web.auth import forbidden
from alarmhub.web.failures import Failures, area
from alarmhub.web.passwords import Passwords
from alarmhub.web.problems import Failed
from alarmhub.web.reading import units_of
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.sessions import Sessions, signed_out
from alarmhub.web.views import language_of

LOGIN_CHARS: Final = 64

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")

Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class SignInIn(Struct, frozen=True, kw_only=True):
    """Who signs in. `keep`: this is the person's own device, so the cookie outlives the browser's window."""

    login: Annotated[str, Meta(min_length=1, max_length=LOGIN_CHARS, pattern=r"^[^\x00]*$")]
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    keep: bool = False


class MeOut(Struct, frozen=True, kw_only=True):
    """Who is signed in here. `units`: those this person belongs to or works in now; `grants`: roles by unit;
    `may`: actions permitted in some unit; `csrf`: what changes send as X-Alarmhub-CSRF."""

    staff: str
    name: str
    units: tuple[str, ...]
    grants: tuple[str, ...]
    may: tuple[str, ...]
    csrf: str
    language: str
    method: str
    expires_at: datetime
    must_change: bool


class SignInOut(Struct, frozen=True, kw_only=True):
    """Signed in. `must_change`: it was a one-time password; nothing else is open before it is replaced."""

    staff: str
    name: str
    csrf: str
    must_change: bool


class SignedOut(Struct, frozen=True, kw_only=True):
    """Nobody is signed in here any more. `logout`: where to go to sign out of the hospital's sign-in too."""

    ok: bool = True
    logout: str | None = None


class WaysIn(Struct, frozen=True, kw_only=True):
    """How people sign in here. `oidc`: the name of the hospital's sign-in, null where there is none;
    `signed_in`: whether this browser is already."""

    local: bool
    passkeys: bool
    oidc: str | None
    signed_in: bool = False


_SIGN_IN: Final = msgspec.json.Decoder(SignInIn)


class SignInDoor:
    """The operations, by name of their route. `ways`: how people sign in here; `logout`: where somebody who
    signed in by this method signs out elsewhere too."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        passwords: Passwords,
        desk: Desk,
        failures: Failures,
        settings: WebSettings,
        ways: WaysIn,
        logout: Callable[[str], Awaitable[str]],
    ) -> None:
        self._accounts, self._sessions, self._passwords = accounts, sessions, passwords
        self._desk, self._settings, self._ways, self._logout = desk, settings, ways, logout
        self._failures = failures

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {
            "getWaysIn": self._ways_in,
            "signIn": self._sign_in,
            "signOut": self._sign_out,
            "getMe": self._me,
        }

    async def _ways_in(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        try:
            await self._sessions.caller(request, always=True)
        except Failed:
            return reply(_encode(self._ways))
        return reply(_encode(replace(self._ways, signed_in=True)))

    async def _sign_in(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        if not self._ways.local:
            raise forbidden("passwords open nothing here: use the hospital's sign-in", error="not_local")
        taken = wire.decoded(await read_body(request, self._settings), _SIGN_IN)
        login, peer, now = taken.login.strip().lower(), self._sessions.peer(request), self._desk.now()
        self._failures.begin(login, peer, now)
        account = await self._verified(login, taken.password, area(peer))
        if account is None:
            _log.info(Line.SIGN_IN_REFUSED, reason="wrong", peer=peer)
            raise signed_out("login or password is wrong", "wrong")
        self._failures.was_right(login, peer, now)
        site = self._desk.world().site
        response = reply(b"")
        session = await self._sessions.begin(request, response, account.staff, "password", keep=taken.keep)
        _log.info(Line.SIGNED_IN, staff=account.staff, method="password")
        response.body = _encode(
            SignInOut(
                staff=account.staff, name=site.staff[account.staff].name, csrf=session.csrf,
                must_change=account.must_change,
            )
        )  # fmt: skip
        return response

    async def _verified(self, login: str, password: str, by: str) -> Account | None:
        """Whose it is, if everything holds; the same work for everybody."""
        account = await self._accounts.account(login=login)
        encoded = None if account is None else account.password
        right = await self._passwords.verified(encoded, password, by)
        if not right or account is None or encoded is None:
            return None
        if account.disabled_at is not None or account.staff not in self._desk.world().site.staff:
            return None
        if self._passwords.outdated(encoded):
            fresh = await self._passwords.hashed(password)
            if not await self._accounts.change_password(
                account.staff, was=encoded, password=fresh, must_change=account.must_change
            ):
                return None
        return account

    async def _sign_out(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        method = self._sessions.signed(request).session.method
        await self._sessions.end(request)
        response = reply(_encode(SignedOut(logout=await self._logout(method) or None)))
        self._sessions.drop_cookie(response, self._sessions.cookie)
        return response

    async def _me(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        signed = self._sessions.signed(request)
        staff, site = signed.session.staff, self._desk.world().site
        return reply(
            _encode(
                MeOut(
                    staff=staff, name=site.staff[staff].name,
                    units=tuple(sorted(units_of(self._desk, staff))),
                    grants=tuple(map(str, signed.grants)),
                    may=tuple(a for a in rights.Action if rights.somewhere(signed.grants, a)),
                    csrf=signed.session.csrf,
                    language=language_of(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), site),
                    method=signed.session.method, expires_at=wire.moment(signed.session.expires_at),
                    must_change=signed.account.must_change,
                )
            )
        )  # fmt: skip
