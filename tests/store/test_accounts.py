"""Who can sign in (`people.Accounts`), asked of PostgreSQL and of its twin in memory alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.people import Account, Passkey, Session, Taken
from alarmhub.ports import StoreUnavailable, Unstorable
from alarmhub.store.accounts import MemoryAccounts, PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from tests.support.stored import HOUR, NOW

ANNA = Account(
    staff="anna", login="anna.berg", handle=b"h-anna", created_at=NOW, password="$argon2id$x",
    must_change=True, external="SE1-A", disabled_at=NOW + 1,
)  # fmt: skip
BO = Account(staff="bo", login="bo.ek", handle=b"h-bo", created_at=NOW)
KEY = Passkey(
    id=b"\x00key", staff="anna", public_key=b"\x01\x02", sign_count=7, label="Annas mobil", created_at=NOW,
    used_at=NOW + 2,
)  # fmt: skip


def session(id: str, staff: str = "anna", **more: Any) -> Session:
    """As a browser that signed in has it."""
    usual: dict[str, Any] = {
        "digest": f"digest of {id}".encode(), "id": id, "staff": staff, "method": "password", "csrf": "c",
        "label": "Firefox på Linux", "created_at": NOW, "seen_at": NOW, "expires_at": NOW + HOUR,
    }  # fmt: skip
    return Session(**(usual | more))


@pytest.fixture(params=["memory", "postgres"])
async def accounts(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """On a database of its own, with Anna and Bo in it."""
    store = None
    kept: Any = MemoryAccounts()
    if request.param == "postgres":
        store = PostgresStore(request.getfixturevalue("database_dsn"))
        await store.open()
        kept = PostgresAccounts(store)
    await kept.put_account(ANNA)
    await kept.put_account(BO)
    yield kept
    if store is not None:
        await store.close()


@pytest.mark.parametrize(
    "name", [{"staff": "anna"}, {"login": "anna.berg"}, {"external": "SE1-A"}, {"handle": b"h-anna"}]
)
async def test_an_account_is_found_by_each_of_its_names(accounts: Any, name: dict[str, Any]) -> None:
    """Whole, and disabled or not."""
    assert await accounts.account(**name) == ANNA


async def test_nobody_is_found_by_a_name_that_nobody_has(accounts: Any) -> None:
    """Nor by one of another sort."""
    assert await accounts.account(login="anna") is None
    assert await accounts.account(external="anna.berg") is None
    assert [account.staff for account in await accounts.accounts()] == ["anna", "bo"]
    with pytest.raises(ValueError, match="exactly one"):
        await accounts.account()
    with pytest.raises(ValueError, match="exactly one"):
        await accounts.account(staff="anna", login="anna.berg")


async def test_an_account_is_replaced_whole(accounts: Any) -> None:
    """There is one for each person; what is gone is gone."""
    changed = replace(ANNA, login="anna.b", password=None, external=None, must_change=False, disabled_at=None)
    await accounts.put_account(changed)
    await accounts.put_account(changed)

    assert await accounts.account(staff="anna") == changed
    assert await accounts.account(login="anna.berg") is None
    assert len(await accounts.accounts()) == 2


async def test_a_password_takes_the_place_of_the_one_that_was_known(accounts: Any) -> None:
    """Not of another, and never in a closed account; nothing else of it is touched."""
    was = "$argon2id$first"
    open_one = replace(ANNA, password=was, must_change=True, disabled_at=None)
    await accounts.put_account(open_one)
    assert not await accounts.change_password("anna", was="else", password="x", must_change=False)
    assert not await accounts.change_password("anna", was=None, password="x", must_change=False)
    assert not await accounts.change_password("nobody", was=None, password="x", must_change=False)
    assert await accounts.account(staff="anna") == open_one
    assert await accounts.change_password("anna", was=was, password="x", must_change=False)
    assert await accounts.account(staff="anna") == replace(open_one, password="x", must_change=False)

    await accounts.put_account(replace(open_one, password=None))
    assert await accounts.change_password("anna", was=None, password="y", must_change=False)
    closed = replace(open_one, disabled_at=NOW)
    await accounts.put_account(closed)
    assert not await accounts.change_password("anna", was=was, password="z", must_change=False)
    assert await accounts.account(staff="anna") == closed


@pytest.mark.parametrize(
    ("field", "value"), [("login", "anna.berg"), ("external", "SE1-A"), ("handle", b"h-anna")]
)
async def test_what_is_somebody_elses_is_refused_by_name(accounts: Any, field: str, value: Any) -> None:
    """And nothing has changed; two without an HSA identity are no conflict."""
    with pytest.raises(Taken) as refused:
        await accounts.put_account(replace(BO, **{field: value}))

    assert refused.value.args == (field,)
    assert await accounts.account(staff="bo") == BO
    await accounts.put_account(Account(staff="cia", login="cia", handle=b"h-cia", created_at=NOW))


async def test_passkeys_are_their_persons(accounts: Any) -> None:
    """Oldest first, each whole; nobody drops or takes over another's."""
    second = replace(KEY, id=b"second", created_at=NOW + 1, used_at=None)
    await accounts.put_passkey(second)
    await accounts.put_passkey(KEY)
    used = replace(KEY, sign_count=8, used_at=NOW + 9)
    await accounts.put_passkey(used)

    assert list(await accounts.passkeys("anna")) == [used, second]
    assert await accounts.passkey(KEY.id) == used
    assert await accounts.passkey(b"none") is None
    assert list(await accounts.passkeys("bo")) == []
    with pytest.raises(Taken):
        await accounts.put_passkey(replace(KEY, staff="bo"))
    assert not await accounts.drop_passkey("bo", KEY.id)
    assert await accounts.drop_passkey("anna", KEY.id)
    assert not await accounts.drop_passkey("anna", KEY.id)
    assert list(await accounts.passkeys("anna")) == [second]
    with pytest.raises(Unstorable):
        await accounts.put_passkey(replace(KEY, staff="nobody"))


async def test_a_session_is_read_back_whole(accounts: Any) -> None:
    """Expired and revoked ones too: whether it counts is for who asks. No digest is there twice."""
    told = session("s1", grants=("engineer", "nurse:201"), method="oidc", revoked_at=NOW, expires_at=NOW - 1)
    await accounts.add_session(told)

    assert await accounts.session(told.digest) == told
    assert await accounts.session(b"none") is None
    with pytest.raises(Unstorable):
        await accounts.add_session(told)


async def test_living_sessions_are_listed_newest_first(accounts: Any) -> None:
    """On both sides of the end: at that instant it is over."""
    for made in (
        session("old"), session("new", created_at=NOW + 1), session("over", expires_at=NOW + 10),
        session("gone", revoked_at=NOW), session("bos", "bo"),
    ):  # fmt: skip
        await accounts.add_session(made)

    assert [s.id for s in await accounts.sessions("anna", NOW + 9)] == ["new", "over", "old"]
    assert [s.id for s in await accounts.sessions("anna", NOW + 10)] == ["new", "old"]


async def test_use_moves_the_end_but_never_of_a_revoked_one(accounts: Any) -> None:
    """A request under way while the session is revoked brings nothing back."""
    for made in (session("live"), session("gone", revoked_at=NOW)):
        await accounts.add_session(made)
        await accounts.touch_session(made.digest, NOW + 5, NOW + 2 * HOUR)

    live = await accounts.session(session("live").digest)
    assert (live.seen_at, live.expires_at) == (NOW + 5, NOW + 2 * HOUR)
    gone = await accounts.session(session("gone").digest)
    assert (gone.seen_at, gone.expires_at) == (NOW, NOW + HOUR)


async def test_one_session_or_all_of_a_person_are_revoked(accounts: Any) -> None:
    """How many lived is said; what was over already is left as it was, and a second time ends nothing."""
    for made in (session("a"), session("b"), session("over", expires_at=NOW), session("bos", "bo")):
        await accounts.add_session(made)

    assert await accounts.revoke_sessions(NOW, id="a", staff="bo") == 0
    assert await accounts.revoke_sessions(NOW, id="a", staff="anna") == 1
    assert await accounts.revoke_sessions(NOW, id="a") == 0
    assert await accounts.revoke_sessions(NOW, staff="anna") == 1
    assert (await accounts.session(session("b").digest)).revoked_at == NOW
    assert (await accounts.session(session("over").digest)).revoked_at is None
    assert [s.id for s in await accounts.sessions("bo", NOW)] == ["bos"]
    with pytest.raises(ValueError, match="whose"):
        await accounts.revoke_sessions(NOW)


async def test_sessions_long_over_are_forgotten(accounts: Any) -> None:
    """On both sides of the bound."""
    for made in (session("old", expires_at=NOW - 1), session("kept", expires_at=NOW)):
        await accounts.add_session(made)
    await accounts.trim_sessions(NOW)

    assert await accounts.session(session("old").digest) is None
    assert await accounts.session(session("kept").digest) is not None


async def test_while_the_database_is_away_nobody_is_known(accounts: Any) -> None:
    """Each question says so; none answers "no"."""
    if isinstance(accounts, MemoryAccounts):
        accounts.away = True
    else:
        await accounts._store.close()
    for asked in (
        accounts.account(staff="anna"), accounts.accounts(), accounts.put_account(BO),
        accounts.passkeys("anna"), accounts.passkey(b"x"), accounts.put_passkey(KEY),
        accounts.drop_passkey("anna", b"x"), accounts.session(b"x"), accounts.sessions("anna", NOW),
        accounts.add_session(session("s")), accounts.touch_session(b"x", 1, 2),
        accounts.revoke_sessions(NOW, id="s"), accounts.trim_sessions(NOW),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            await asked
