"""Who can sign in, as rows: `people.Accounts` on PostgreSQL, and its twin in memory.

Accounts, their passkeys and the browsers signed in with them. It refuses rules: whether a session still
counts, or an account may do something, is for who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import astuple, replace

from alarmhub.people import Account, Passkey, Session, Taken
from alarmhub.ports import StoreUnavailable, Unstorable
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.queries import QUERIES

_UNIQUE = {"account_login_key": "login", "account_external_key": "external", "account_handle_key": "handle"}


class PostgresAccounts:
    """See `people.Accounts`. Uses the reading connections of the store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def account(
        self,
        *,
        staff: str | None = None,
        login: str | None = None,
        external: str | None = None,
        handle: bytes | None = None,
    ) -> Account | None:
        """See `people.Accounts.account`."""
        _exactly_one(staff, login, external, handle)
        async with self._store.reading() as connection:
            row = await connection.fetchrow(QUERIES["account"], staff, login, external, handle)
        return None if row is None else Account(**row)

    async def accounts(self) -> Sequence[Account]:
        """See `people.Accounts.accounts`."""
        async with self._store.reading() as connection:
            return [Account(**row) for row in await connection.fetch(QUERIES["accounts"])]

    async def put_account(self, account: Account) -> None:
        """See `people.Accounts.put_account`."""
        try:
            async with self._store.reading() as connection:
                await connection.execute(
                    QUERIES["account_put"], account.staff, account.login, account.handle, account.created_at,
                    account.password, account.must_change, account.external, account.disabled_at,
                )  # fmt: skip
        except Unstorable as error:
            named = _UNIQUE.get(getattr(error.__cause__, "constraint_name", None) or "")
            if named is None:
                raise
            raise Taken(named) from None

    async def change_password(self, staff: str, *, was: str | None, password: str, must_change: bool) -> bool:
        """See `people.Accounts.change_password`."""
        async with self._store.reading() as connection:
            query = QUERIES["account_password"]
            return bool(await connection.fetchval(query, staff, was, password, must_change))

    async def passkeys(self, staff: str) -> Sequence[Passkey]:
        """See `people.Accounts.passkeys`."""
        async with self._store.reading() as connection:
            return [Passkey(**row) for row in await connection.fetch(QUERIES["passkeys"], staff)]

    async def passkey(self, id: bytes) -> Passkey | None:
        """See `people.Accounts.passkey`."""
        async with self._store.reading() as connection:
            row = await connection.fetchrow(QUERIES["passkey"], id)
        return None if row is None else Passkey(**row)

    async def put_passkey(self, passkey: Passkey) -> None:
        """See `people.Accounts.put_passkey`."""
        async with self._store.reading() as connection:
            if not await connection.fetchval(QUERIES["passkey_put"], *astuple(passkey)):
                raise Taken("id")

    async def drop_passkey(self, staff: str, id: bytes) -> bool:
        """See `people.Accounts.drop_passkey`."""
        async with self._store.reading() as connection:
            return bool(await connection.fetchval(QUERIES["passkey_drop"], staff, id))

    async def session(self, digest: bytes) -> Session | None:
        """See `people.Accounts.session`."""
        async with self._store.reading() as connection:
            row = await connection.fetchrow(QUERIES["session"], digest)
        return None if row is None else _session(row)

    async def sessions(self, staff: str, now: int) -> Sequence[Session]:
        """See `people.Accounts.sessions`."""
        async with self._store.reading() as connection:
            return [_session(row) for row in await connection.fetch(QUERIES["sessions"], staff, now)]

    async def add_session(self, session: Session) -> None:
        """See `people.Accounts.add_session`."""
        async with self._store.reading() as connection:
            await connection.execute(QUERIES["session_add"], *astuple(session))

    async def touch_session(self, digest: bytes, seen_at: int, expires_at: int) -> None:
        """See `people.Accounts.touch_session`."""
        async with self._store.reading() as connection:
            await connection.execute(QUERIES["session_touch"], digest, seen_at, expires_at)

    async def revoke_sessions(self, now: int, *, id: str | None = None, staff: str | None = None) -> int:
        """See `people.Accounts.revoke_sessions`."""
        _whose(id, staff)
        async with self._store.reading() as connection:
            return int(await connection.fetchval(QUERIES["sessions_revoke"], now, id, staff))

    async def trim_sessions(self, before: int) -> None:
        """See `people.Accounts.trim_sessions`."""
        async with self._store.reading() as connection:
            await connection.execute(QUERIES["sessions_trim"], before)


class PeopleTables(Struct):
    """What a database would hold of them; outlives the stores that work on it."""

    accounts: dict[str, Account] = field(default_factory=dict)
    passkeys: dict[bytes, Passkey] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)


class MemoryAccounts:
    """See `people.Accounts`. Two of them on the same `tables` are two processes on one database.

    `away`: while true every call raises StoreUnavailable.
    """

    def __init__(self, tables: PeopleTables | None = None) -> None:
        self.tables = PeopleTables() if tables is None else tables
        self.away = False

    async def account(
        self,
        *,
        staff: str | None = None,
        login: str | None = None,
        external: str | None = None,
        handle: bytes | None = None,
    ) -> Account | None:
        """See `people.Accounts.account`."""
        _exactly_one(staff, login, external, handle)
        self._reach()
        asked = (staff, login, external, handle)
        for account in self.tables.accounts.values():
            names = (account.staff, account.login, account.external, account.handle)
            if any(one is not None and one == name for one, name in zip(asked, names, strict=True)):
                return account
        return None

    async def accounts(self) -> Sequence[Account]:
        """See `people.Accounts.accounts`."""
        self._reach()
        return [account for _, account in sorted(self.tables.accounts.items())]

    async def put_account(self, account: Account) -> None:
        """See `people.Accounts.put_account`."""
        self._reach()
        for other in self.tables.accounts.values():
            for name in ("login", "external", "handle"):
                mine = getattr(account, name)
                if other.staff != account.staff and mine is not None and mine == getattr(other, name):
                    raise Taken(name)
        self.tables.accounts[account.staff] = account

    async def change_password(self, staff: str, *, was: str | None, password: str, must_change: bool) -> bool:
        """See `people.Accounts.change_password`."""
        self._reach()
        known = self.tables.accounts.get(staff)
        if known is None or known.password != was or known.disabled_at is not None:
            return False
        self.tables.accounts[staff] = replace(known, password=password, must_change=must_change)
        return True

    async def passkeys(self, staff: str) -> Sequence[Passkey]:
        """See `people.Accounts.passkeys`."""
        self._reach()
        own = [passkey for passkey in self.tables.passkeys.values() if passkey.staff == staff]
        return sorted(own, key=lambda passkey: (passkey.created_at, passkey.id))

    async def passkey(self, id: bytes) -> Passkey | None:
        """See `people.Accounts.passkey`."""
        self._reach()
        return self.tables.passkeys.get(id)

    async def put_passkey(self, passkey: Passkey) -> None:
        """See `people.Accounts.put_passkey`."""
        self._reach()
        if passkey.staff not in self.tables.accounts:
            raise Unstorable("a passkey of nobody")
        if self.tables.passkeys.get(passkey.id, passkey).staff != passkey.staff:
            raise Taken("id")
        self.tables.passkeys[passkey.id] = passkey

    async def drop_passkey(self, staff: str, id: bytes) -> bool:
        """See `people.Accounts.drop_passkey`."""
        self._reach()
        known = self.tables.passkeys.get(id)
        if known is None or known.staff != staff:
            return False
        del self.tables.passkeys[id]
        return True

    async def session(self, digest: bytes) -> Session | None:
        """See `people.Accounts.session`."""
        self._reach()
        return self.tables.sessions.get(digest)

    async def sessions(self, staff: str, now: int) -> Sequence[Session]:
        """See `people.Accounts.sessions`."""
        self._reach()
        alive = [s for s in self.tables.sessions.values() if s.staff == staff and _lives(s, now)]
        return sorted(alive, key=lambda session: (session.created_at, session.id), reverse=True)

    async def add_session(self, session: Session) -> None:
        """See `people.Accounts.add_session`."""
        self._reach()
        known = self.tables.sessions
        if session.digest in known or any(other.id == session.id for other in known.values()):
            raise Unstorable("a session twice")
        known[session.digest] = session

    async def touch_session(self, digest: bytes, seen_at: int, expires_at: int) -> None:
        """See `people.Accounts.touch_session`."""
        self._reach()
        known = self.tables.sessions.get(digest)
        if known is not None and known.revoked_at is None:
            self.tables.sessions[digest] = replace(known, seen_at=seen_at, expires_at=expires_at)

    async def revoke_sessions(self, now: int, *, id: str | None = None, staff: str | None = None) -> int:
        """See `people.Accounts.revoke_sessions`."""
        _whose(id, staff)
        self._reach()
        ended = [
            session
            for session in self.tables.sessions.values()
            if _lives(session, now) and id in (None, session.id) and staff in (None, session.staff)
        ]
        for session in ended:
            self.tables.sessions[session.digest] = replace(session, revoked_at=now)
        return len(ended)

    async def trim_sessions(self, before: int) -> None:
        """See `people.Accounts.trim_sessions`."""
        self._reach()
        known = self.tables.sessions
        self.tables.sessions = {d: session for d, session in known.items() if session.expires_at >= before}

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


def _session(row: Any) -> Session:
    return Session(**{**row, "grants": tuple(row["grants"])})


def _lives(session: Session, now: int) -> bool:
    return session.revoked_at is None and session.expires_at > now


def _exactly_one(*names: object) -> None:
    if sum(name is not None for name in names) != 1:
        raise ValueError("an account is asked for by exactly one of its names")


def _whose(id: str | None, staff: str | None) -> None:
    if id is None and staff is None:
        raise ValueError("say whose sessions, or which")
