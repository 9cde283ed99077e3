"""Accounts made, reset and disabled: what the administrators' page and `alarmhub account` both do.

A reset is a new beginning: one-time password, no passkey of before, nobody signed in. It refuses accounts for
desks and for people the site does not know, and to show a one-time password twice.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from alarmhub import logs
from alarmhub.core.site import Site
from alarmhub.logs import Line
from alarmhub.people import Account, Accounts, Taken
from alarmhub.secret import Secret
from alarmhub.web.passwords import one_time

LOGIN: Final = re.compile(r"[a-z0-9åäöéü][a-z0-9åäöéü._@-]{0,63}\Z")
EXTERNAL_CHARS: Final = 128
HANDLE_BYTES: Final = 32

_log = logs.get("web")


class AccountRefused(Exception):
    """It cannot be done; `field` says what is wrong, `why` what was expected there."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


class Register:
    """See the module. `hashed`: makes a hash of a password, off the loop where there is one; `by`: who does
    it, for the log."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        site: Callable[[], Site],
        now: Callable[[], int],
        hashed: Callable[[str], Awaitable[str]],
    ) -> None:
        self._accounts, self._site, self._now, self._hashed = accounts, site, now, hashed

    async def add(self, staff: str, *, login: str = "", external: str = "", by: str) -> Secret:
        """A new account; its one-time password. Raises AccountRefused, StoreUnavailable."""
        person = self._site().staff.get(staff)
        if person is None:
            raise AccountRefused("staff", f'expected the id of a person of the site, got "{staff[:64]}"')
        if person.desk:
            raise AccountRefused("staff", "expected a person: a desk does not sign in")
        if await self._accounts.account(staff=staff) is not None:
            raise AccountRefused("staff", "expected somebody without an account; this one can be reset")
        login = _login(login or staff)
        if len(external) > EXTERNAL_CHARS or not external.isprintable():
            raise AccountRefused("external", f"expected at most {EXTERNAL_CHARS} printable characters")
        password = one_time()
        account = Account(
            staff=staff, login=login, handle=secrets.token_bytes(HANDLE_BYTES), created_at=self._now(),
            password=await self._hashed(password), must_change=True, external=external or None,
        )  # fmt: skip
        try:
            await self._accounts.put_account(account)
        except Taken as taken:
            field = str(taken.args[0])
            raise AccountRefused(field, "expected one that nobody else has") from None
        _log.info(Line.ACCOUNT_CHANGED, staff=staff, change="added", by=by)
        return Secret(password)

    async def reset(self, staff: str, *, by: str) -> Secret:
        """A new one-time password; passkeys and sessions of before are gone, a disabled account is open
        again. Raises AccountRefused, StoreUnavailable."""
        account = await self._known(staff)
        password = one_time()
        fresh = replace(account, password=await self._hashed(password), must_change=True, disabled_at=None)
        await self._accounts.put_account(fresh)
        for passkey in await self._accounts.passkeys(staff):
            await self._accounts.drop_passkey(staff, passkey.id)
        await self._accounts.revoke_sessions(self._now(), staff=staff)
        _log.info(Line.ACCOUNT_CHANGED, staff=staff, change="reset", by=by)
        return Secret(password)

    async def disable(self, staff: str, *, by: str) -> None:
        """Nobody signs in as this person any more, and who was is signed out. Phones ring on. Raises
        AccountRefused, StoreUnavailable."""
        account = await self._known(staff)
        if account.disabled_at is None:
            await self._accounts.put_account(replace(account, disabled_at=self._now()))
        await self._accounts.revoke_sessions(self._now(), staff=staff)
        _log.info(Line.ACCOUNT_CHANGED, staff=staff, change="disabled", by=by)

    async def _known(self, staff: str) -> Account:
        account = await self._accounts.account(staff=staff)
        if account is None:
            raise AccountRefused("staff", f'expected somebody with an account, got "{staff[:64]}"')
        return account


def _login(text: str) -> str:
    login = text.strip().lower()
    if not LOGIN.match(login):
        raise AccountRefused("login", "expected 1 to 64 letters, digits, dots, dashes, _ or @")
    return login


def own_words(site: Site, account: Account) -> tuple[str, ...]:
    """What a password of this person must not be made of."""
    person = site.staff.get(account.staff)
    units = () if person is None else person.units
    names = [site.units[unit].name for unit in units if unit in site.units]
    return (account.login, account.staff, "" if person is None else person.name, site.name, *units, *names)
