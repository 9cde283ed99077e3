"""Who signs in to the demo: one visitor of the demo hospital, with a one-time password made afresh.

The password stands in a file of the data folder that nobody else may read, until it has been replaced. It
refuses a password that is the same in two folders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alarmhub.clock import MonotonicClock
from alarmhub.core.site import Site
from alarmhub.demo.ground import write_private
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from alarmhub.web.passwords import hashed
from alarmhub.web.register import Register

VISITOR: Final = "stina.lund"
LOGIN_FILE: Final = "demo-login.secret"


async def kept_login(store: PostgresStore, folder: Path, site: Site) -> str:
    """How the visitor signs in, in words: with the one-time password, or with what replaced it."""
    accounts = PostgresAccounts(store)
    account = await accounts.account(staff=VISITOR)
    file = folder / LOGIN_FILE
    if account is not None and not account.must_change:
        file.unlink(missing_ok=True)
        return f"as {account.login} with the password you chose"
    if account is None or not file.exists():
        register = Register(accounts, site=lambda: site, now=MonotonicClock().now, hashed=_hashed)
        if account is None:
            secret = await register.add(VISITOR, by="demo")
        else:
            secret = await register.reset(VISITOR, by="demo")
        write_private(file, secret.reveal().encode())
    return f"as {VISITOR} with the one-time password {file.read_text(encoding='ascii')}"


async def _hashed(password: str) -> str:
    return hashed(password)
