"""Accounts over HTTP: one's own password and signed-in browsers, and everybody's for administrators.

It refuses to show a one-time password twice, and to change a password for who cannot say the present one.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from alarmhub import logs
from alarmhub.core.passwords import LONGEST, SHORTEST, Weak, weakness
from alarmhub.core.rights import EVERY_UNIT, Action, permitted
from alarmhub.logs import Line
from alarmhub.people import Account, Accounts, Session
from alarmhub.ports import Desk, Token
from alarmhub.web import wire
from alarmhub.web.auth import forbidden, require
from alarmhub.web.failures import Failures
from alarmhub.web.passwords import Passwords
from alarmhub.web.problems import Failed
from alarmhub.web.register import AccountRefused, Register, own_words
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.sessions import Sessions, caller_of, signed_out
from alarmhub.web.sign_in_door import Serve

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")

Password = Annotated[str, Meta(min_length=1, max_length=2 * LONGEST)]


class PasswordIn(Struct, frozen=True, kw_only=True):
    """Another password for who is signed in. `current`: the present one; left out where there is none.
    `keep`: this is the person's own device."""

    new: Password
    current: Password | None = None
    keep: bool = False


class AccountIn(Struct, frozen=True, kw_only=True):
    """An account for a person of the site. `login`: the staff id unless said; `external`: HSA identity."""

    staff: wire.Name
    login: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] = ""
    external: Annotated[str, Meta(max_length=128, pattern=r"^[^\x00]*$")] = ""


class Changed(Struct, frozen=True, kw_only=True):
    """Done; changes from now on need this value as X-Alarmhub-CSRF."""

    csrf: str


class OneTimeOut(Struct, frozen=True, kw_only=True):
    """The one-time password; it is shown here and never again."""

    staff: str
    login: str
    password: str


class Done(Struct, frozen=True, kw_only=True):
    """Done."""

    ok: bool = True


class SessionOut(Struct, frozen=True, kw_only=True):
    """A signed-in browser. `here`: the one that asks."""

    id: str
    method: str
    label: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    here: bool


class SessionsOut(Struct, frozen=True, kw_only=True):
    """Those that live, newest first."""

    sessions: tuple[SessionOut, ...]


class AccountOut(Struct, frozen=True, kw_only=True):
    """An account. `name` "": the site does not know this person any more."""

    staff: str
    name: str
    login: str
    external: str
    password: bool
    must_change: bool
    disabled_at: datetime | None
    grants: tuple[str, ...]


class PersonOut(Struct, frozen=True, kw_only=True):
    """A person of the site."""

    staff: str
    name: str


class AccountsOut(Struct, frozen=True, kw_only=True):
    """All accounts, and the people who have none."""

    accounts: tuple[AccountOut, ...]
    without: tuple[PersonOut, ...]


_PASSWORD: Final = msgspec.json.Decoder(PasswordIn)
_ACCOUNT: Final = msgspec.json.Decoder(AccountIn)
_EXPECTED: Final = {
    Weak.SHORT: f"at least {SHORTEST} characters",
    Weak.LONG: f"at most {LONGEST} characters",
    Weak.GUESSED: "something that is not guessed first: several words that do not belong together",
}


class AccountDoor:
    """The operations, by name of their route."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        passwords: Passwords,
        failures: Failures,
        desk: Desk,
        settings: WebSettings,
    ) -> None:
        self._accounts, self._sessions, self._passwords = accounts, sessions, passwords
        self._failures, self._desk, self._settings = failures, desk, settings
        self._register = Register(
            accounts, site=lambda: desk.world().site, now=desk.now, hashed=passwords.hashed
        )

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {
            "changePassword": self._change_password,
            "listMySessions": self._my_sessions,
            "revokeSession": self._revoke,
            "listAccounts": self._list,
            "addAccount": self._add,
            "resetAccount": self._reset,
            "disableAccount": self._disable,
            "listAccountSessions": self._account_sessions,
        }

    # One's own

    async def _change_password(
        self, request: web.BaseRequest, _token: Token | None, _: str
    ) -> web.StreamResponse:
        taken = wire.decoded(await read_body(request, self._settings), _PASSWORD)
        signed = self._sessions.signed(request)
        account = signed.account
        await self._prove(request, account, signed.session, taken.current)
        weak = weakness(taken.new, own_words(self._desk.world().site, account))
        if weak is None and taken.current == taken.new:
            weak = Weak.GUESSED
        if weak is not None:
            raise Failed(
                HTTPStatus.CONFLICT, "weak_password", f"new: expected {_EXPECTED[weak]}", field="new",
                expected=_EXPECTED[weak], error=weak,
            )  # fmt: skip
        encoded = await self._passwords.hashed(taken.new)
        # Hashing takes a while: a reset or a closed account of meanwhile must stand.
        if not await self._accounts.change_password(
            account.staff, was=account.password, password=encoded, must_change=False
        ):
            raise signed_out("this account was changed meanwhile: sign in again", "session_over")
        # Whoever else knew the old one is out.
        await self._accounts.revoke_sessions(self._desk.now(), staff=account.staff)
        response = reply(b"")
        session = await self._sessions.begin(
            request, response, account.staff, signed.session.method, grants=signed.session.grants,
            keep=taken.keep,
        )  # fmt: skip
        _log.info(Line.ACCOUNT_CHANGED, staff=account.staff, change="password", by=account.staff)
        response.body = _encode(Changed(csrf=session.csrf))
        return response

    async def _prove(
        self, request: web.BaseRequest, account: Account, session: Session, current: str | None
    ) -> None:
        if account.password is None:
            self._sessions.must_be_fresh(session)
            return
        peer, now = self._sessions.peer(request), self._desk.now()
        self._failures.begin(account.login, peer, now)
        if current is None or not await self._passwords.verified(account.password, current):
            raise forbidden("current: expected the present password", error="wrong", field="current")
        self._failures.was_right(account.login, peer, now)

    async def _my_sessions(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        return await self._shown_sessions(request, caller_of(token).subject)

    async def _shown_sessions(self, request: web.BaseRequest, staff: str) -> web.StreamResponse:
        mine = self._sessions.signed(request).session.id
        found = await self._accounts.sessions(staff, self._desk.now())
        return reply(_encode(SessionsOut(sessions=tuple(_session(one, mine) for one in found))))

    async def _revoke(self, request: web.BaseRequest, token: Token | None, id: str) -> web.StreamResponse:
        caller, grants = caller_of(token), self._sessions.signed(request).grants
        everybodys = permitted(grants, Action.ACCOUNTS_WRITE, EVERY_UNIT)
        whose = None if everybodys else caller.subject
        if not await self._accounts.revoke_sessions(self._desk.now(), id=id, staff=whose):
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such session")
        return reply(_encode(Done()))

    # Everybody's

    async def _list(self, _request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        require(caller_of(token), Action.ACCOUNTS_WRITE, EVERY_UNIT)
        site = self._desk.world().site
        accounts = await self._accounts.accounts()
        known = {account.staff for account in accounts}
        without = [p for p in site.staff.values() if not p.desk and p.id not in known]
        shown = AccountsOut(
            accounts=tuple(_account(one, site) for one in accounts),
            without=tuple(PersonOut(staff=p.id, name=p.name) for p in sorted(without, key=lambda p: p.name)),
        )
        return reply(_encode(shown))

    async def _add(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = caller_of(token)
        require(caller, Action.ACCOUNTS_WRITE, EVERY_UNIT)
        taken = wire.decoded(await read_body(request, self._settings), _ACCOUNT)
        try:
            secret = await self._register.add(
                taken.staff, login=taken.login, external=taken.external, by=caller.subject
            )
        except AccountRefused as refused:
            raise _refused(refused) from None
        return await self._one_time(taken.staff, secret.reveal(), HTTPStatus.CREATED)

    async def _reset(self, _request: web.BaseRequest, token: Token | None, staff: str) -> web.StreamResponse:
        caller = caller_of(token)
        require(caller, Action.ACCOUNTS_WRITE, EVERY_UNIT)
        self._not_oneself(caller, staff)
        try:
            secret = await self._register.reset(staff, by=caller.subject)
        except AccountRefused:
            raise _no_account() from None
        return await self._one_time(staff, secret.reveal(), HTTPStatus.OK)

    async def _disable(
        self, _request: web.BaseRequest, token: Token | None, staff: str
    ) -> web.StreamResponse:
        caller = caller_of(token)
        require(caller, Action.ACCOUNTS_WRITE, EVERY_UNIT)
        self._not_oneself(caller, staff)
        try:
            await self._register.disable(staff, by=caller.subject)
        except AccountRefused:
            raise _no_account() from None
        return reply(_encode(Done()))

    async def _account_sessions(
        self, request: web.BaseRequest, token: Token | None, staff: str
    ) -> web.StreamResponse:
        require(caller_of(token), Action.ACCOUNTS_WRITE, EVERY_UNIT)
        if await self._accounts.account(staff=staff) is None:
            raise _no_account()
        return await self._shown_sessions(request, staff)

    def _not_oneself(self, caller: Token, staff: str) -> None:
        """Nobody locks themselves out by a slip: another administrator does it, or the command."""
        if staff == caller.subject:
            raise Failed(
                HTTPStatus.CONFLICT, "own_account", "not your own account", field="staff", error="own_account"
            )

    async def _one_time(self, staff: str, password: str, status: HTTPStatus) -> web.StreamResponse:
        account = await self._accounts.account(staff=staff)
        login = "" if account is None else account.login
        return reply(_encode(OneTimeOut(staff=staff, login=login, password=password)), status)


def _session(session: Session, mine: str) -> SessionOut:
    return SessionOut(
        id=session.id, method=session.method, label=session.label,
        created_at=wire.moment(session.created_at), seen_at=wire.moment(session.seen_at),
        expires_at=wire.moment(session.expires_at), here=session.id == mine,
    )  # fmt: skip


def _account(account: Account, site: Any) -> AccountOut:
    person = site.staff.get(account.staff)
    return AccountOut(
        staff=account.staff, name="" if person is None else person.name, login=account.login,
        external=account.external or "", password=account.password is not None,
        must_change=account.must_change,
        disabled_at=None if account.disabled_at is None else wire.moment(account.disabled_at),
        grants=() if person is None else person.grants,
    )  # fmt: skip


def _refused(refused: AccountRefused) -> Failed:
    return Failed(
        HTTPStatus.CONFLICT, "account_refused", f"{refused.field}: {refused.why}", field=refused.field,
        expected=refused.why.removeprefix("expected "), error="account_refused",
    )  # fmt: skip


def _no_account() -> Failed:
    return Failed(HTTPStatus.NOT_FOUND, "not_found", "this person has no account", field="staff")
