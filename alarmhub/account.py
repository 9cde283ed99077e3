"""Accounts from a terminal: the first administrator, and the way back in when nobody can sign in any more.

Works on the database itself, whether a hub runs on it or not. It refuses to choose a password: each is made
here, shown once and must be replaced at the first sign-in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from alarmhub.clock import MonotonicClock
from alarmhub.core.site import Site
from alarmhub.installation import opened
from alarmhub.people import Accounts
from alarmhub.secret import Secret
from alarmhub.settings import Settings
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.web.passwords import hashed
from alarmhub.web.register import AccountRefused, Register

BY = "command"


async def added(settings: Settings, staff: str, login: str, external: str) -> tuple[str, Secret]:
    """A new account: its login and one-time password. Raises AccountRefused."""
    async with _register(settings) as (accounts, register, _site):
        secret = await register.add(staff, login=login, external=external, by=BY)
        return await _login(accounts, staff), secret


async def reset(settings: Settings, staff: str) -> tuple[str, Secret]:
    """A new beginning for an account: its login and one-time password. Raises AccountRefused."""
    async with _register(settings) as (accounts, register, _site):
        secret = await register.reset(staff, by=BY)
        return await _login(accounts, staff), secret


async def disabled(settings: Settings, staff: str) -> None:
    """Close an account, and sign it out everywhere. Raises AccountRefused."""
    async with _register(settings) as (_accounts, register, _site):
        await register.disable(staff, by=BY)


async def listed(settings: Settings) -> list[str]:
    """One line for each account: who, login, state, roles."""
    async with _register(settings) as (accounts, _, site):
        lines = []
        for account in await accounts.accounts():
            person = site.staff.get(account.staff)
            states = [
                "not of the site" if person is None else "",
                f"disabled {_day(account.disabled_at)}" if account.disabled_at is not None else "",
                "one-time password" if account.must_change else "",
                "no password" if account.password is None else "",
            ]
            state = ", ".join(filter(None, states)) or "open"
            roles = " ".join(() if person is None else person.grants)
            name = "" if person is None else person.name
            lines.append("\t".join((account.staff, name, account.login, state, roles)).rstrip())
        return lines


@asynccontextmanager
async def _register(settings: Settings) -> AsyncIterator[tuple[Accounts, Register, Site]]:
    async with opened(settings) as store:
        site = await store.site()
        if site is None:
            raise AccountRefused("site", "none has been loaded yet: alarmhub site load FILE")
        accounts = PostgresAccounts(store)
        yield accounts, Register(accounts, site=lambda: site, now=MonotonicClock().now, hashed=_hashed), site


async def _hashed(password: str) -> str:
    return hashed(password)


async def _login(accounts: Accounts, staff: str) -> str:
    account = await accounts.account(staff=staff)
    return "" if account is None else account.login


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
