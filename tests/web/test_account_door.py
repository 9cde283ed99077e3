"""Accounts over HTTP: one's own, and everybody's for administrators."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core import attempts
from alarmhub.people import Account
from alarmhub.web.passwords import hashed
from alarmhub.web.sessions import FRESH_MS
from tests.support.intake import NOW
from tests.support.web import Answer, Caller, Hub, Signed, running

OLD = "tre blå kattor i regn"
NEW = "fyra gröna hundar i snö"
HASHED = hashed(OLD)


async def anna_with_password(hub: Hub) -> Signed:
    """Anna, signed in, with a password."""
    await hub.accounts.put_account(
        Account(staff="anna", login="anna", handle=b"anna", created_at=NOW, password=HASHED, must_change=True)
    )
    return await hub.sign_in("anna")


async def signed_in_with(call: Caller, password: str) -> Answer:
    """Anna at the sign-in page."""
    body = {"login": "anna", "password": password}
    return await call("POST", "/api/v1/session", secret=None, json=body)


async def changed(call: Caller, signed: Signed, **body: Any) -> Answer:
    """An attempt at another password."""
    return await call("POST", "/api/v1/me/password", signed=signed, json=body)


async def test_another_password_puts_everybody_else_out() -> None:
    """The old one opens nothing, other browsers are signed out, this one goes on under a new cookie; and a
    one-time password is replaced."""
    async with running() as (hub, call):
        anna = await anna_with_password(hub)
        elsewhere = await hub.sign_in("anna")
        answer = await changed(call, anna, current=OLD, new=NEW)
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        now = Signed("anna", cookie, answer.body["csrf"])
        me = await call("GET", "/api/v1/me", signed=now)
        others = [await call("GET", "/api/v1/me", signed=one) for one in (anna, elsewhere)]
        old, new = await signed_in_with(call, OLD), await signed_in_with(call, NEW)

    assert (answer.status, me.status, me.body["must_change"]) == (200, 200, False)
    assert [other.status for other in others] == [401, 401]
    assert (old.status, new.status) == (401, 200)


@pytest.mark.parametrize("what", ["reset", "disable"])
async def test_what_an_administrator_does_while_a_password_is_hashed_stands(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever knows the old password cannot win the account back by changing it at the same moment."""
    async with running() as (hub, call):
        root, anna = await hub.sign_in("root", "administrator"), await anna_with_password(hub)
        hash_it, done = hub.passwords.hashed, []

        async def meanwhile(password: str) -> str:
            if password == NEW and not done:
                done.append((await call("POST", f"/api/v1/accounts/anna/{what}", signed=root)).status)
            return await hash_it(password)

        monkeypatch.setattr(hub.passwords, "hashed", meanwhile)
        late = await changed(call, anna, current=OLD, new=NEW)
        opened = await signed_in_with(call, NEW)
        account = await hub.accounts.account(staff="anna")

    assert done == [200]
    assert (late.status, opened.status) == (401, 401)
    assert "Set-Cookie" not in late.headers
    assert account is not None and account.must_change
    assert (account.disabled_at is not None) == (what == "disable")


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("kort", "short"),
        ("ö" * 257, "long"),
        ("Anna Lind 2026", "guessed"),
        ("password12345", "guessed"),
        (OLD, "guessed"),
    ],
)
async def test_a_weak_password_is_refused_and_says_why(new: str, error: str) -> None:
    """Nothing has changed then."""
    async with running() as (hub, call):
        anna = await anna_with_password(hub)
        answer = await changed(call, anna, current=OLD, new=new)
        still = await signed_in_with(call, OLD)

    assert (answer.status, answer.body["field"], answer.body["error"]) == (409, "new", error)
    assert new not in answer.raw.decode()
    assert still.status == 200


async def test_a_borrowed_browser_changes_no_password() -> None:
    """Who cannot say the present one is refused, and cannot try for ever."""
    async with running() as (hub, call):
        anna = await anna_with_password(hub)
        missing = await changed(call, anna, new=NEW)
        for _ in range(attempts.HERE.most - 1):
            wrong = await changed(call, anna, current="wrong wrong wrong", new=NEW)
        waits = await changed(call, anna, current=OLD, new=NEW)

    assert (missing.status, missing.body["field"]) == (403, "current")
    assert (wrong.status, wrong.body["error"]) == (403, "wrong")
    assert waits.status == 429


async def test_a_first_password_needs_a_sign_in_of_just_now() -> None:
    """Who has none yet proves nothing by it: on both sides of the bound."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna", created_at=NOW - FRESH_MS - 1)
        late = await changed(call, anna, new=NEW)
        fresh = await hub.sign_in("anna", created_at=NOW - FRESH_MS)
        made = await changed(call, fresh, new=NEW)

    assert (late.status, late.body["error"]) == (403, "sign_in_again")
    assert made.status == 200


async def test_one_sees_and_ends_ones_own_browsers_and_no_others() -> None:
    """Another's is not even there."""
    async with running() as (hub, call):
        anna, phone, bo = await hub.sign_in("anna"), await hub.sign_in("anna"), await hub.sign_in("bo")
        listed = (await call("GET", "/api/v1/me/sessions", signed=anna)).body["sessions"]
        (bos,) = (await call("GET", "/api/v1/me/sessions", signed=bo)).body["sessions"]
        (other,) = [one["id"] for one in listed if not one["here"]]
        theirs = await call("DELETE", f"/api/v1/sessions/{bos['id']}", signed=anna)
        ended = await call("DELETE", f"/api/v1/sessions/{other}", signed=anna)
        again = await call("DELETE", f"/api/v1/sessions/{other}", signed=anna)
        after = [(await call("GET", "/api/v1/me", signed=one)).status for one in (anna, phone, bo)]

    assert [one["here"] for one in listed].count(True) == 1
    assert (theirs.status, ended.status, again.status) == (404, 200, 404)
    assert after == [200, 401, 200]
    assert "digest" not in listed[0] and "csrf" not in listed[0]


async def test_an_administrator_adds_resets_and_disables() -> None:
    """A one-time password comes once; what was signed in is out at once."""
    async with running() as (hub, call):
        root = await hub.sign_in("root", "administrator")
        listed = (await call("GET", "/api/v1/accounts", signed=root)).body
        added = await call("POST", "/api/v1/accounts", signed=root, json={"staff": "anna", "login": "Anna.L"})
        first = {"login": "anna.l", "password": added.body["password"]}
        signed = await call("POST", "/api/v1/session", secret=None, json=first)
        reset = await call("POST", "/api/v1/accounts/anna/reset", signed=root)
        cookie = {"Cookie": signed.headers["Set-Cookie"].partition(";")[0]}
        out = await call("GET", "/api/v1/me", secret=None, headers=cookie)
        again = await call(
            "POST", "/api/v1/session", secret=None, json=first | {"password": reset.body["password"]}
        )
        sessions = (await call("GET", "/api/v1/accounts/anna/sessions", signed=root)).body["sessions"]
        ended = await call("DELETE", f"/api/v1/sessions/{sessions[0]['id']}", signed=root)
        disabled = await call("POST", "/api/v1/accounts/anna/disable", signed=root)
        shut = await call(
            "POST", "/api/v1/session", secret=None, json=first | {"password": reset.body["password"]}
        )
        after = (await call("GET", "/api/v1/accounts", signed=root)).body

    assert {person["staff"] for person in listed["without"]} == {"anna", "bo"}
    assert (added.status, added.body["login"], signed.body["must_change"]) == (201, "anna.l", True)
    assert (reset.status, out.status, again.status, len(sessions)) == (200, 401, 200, 1)
    assert (ended.status, disabled.status, shut.status) == (200, 200, 401)
    anna = next(account for account in after["accounts"] if account["staff"] == "anna")
    assert anna["disabled_at"] is not None and anna["password"] is True
    assert b"argon2" not in reset.raw and "handle" not in anna


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"staff": "nobody"}, 409, "staff"),
        ({"staff": "root"}, 409, "staff"),
        ({"staff": "anna", "login": "root"}, 409, "login"),
        ({"staff": "anna", "login": "a b"}, 409, "login"),
        ({}, 400, "staff"),
        ({"staff": "anna", "external": "x" * 129}, 400, "external"),
    ],
)
async def test_what_is_wrong_with_a_new_account_is_named(
    body: dict[str, Any], status: int, field: str
) -> None:
    """And none is made."""
    async with running() as (hub, call):
        root = await hub.sign_in("root", "administrator")
        answer = await call("POST", "/api/v1/accounts", signed=root, json=body)

    assert (answer.status, answer.body["field"]) == (status, field)
    assert set(hub.accounts.tables.accounts) == {"root"}


@pytest.mark.parametrize("what", ["reset", "disable"])
async def test_nobody_locks_themselves_out_by_a_slip(what: str) -> None:
    """Another does it, or the command; who has no account has none to change."""
    async with running() as (hub, call):
        root = await hub.sign_in("root", "administrator")
        own = await call("POST", f"/api/v1/accounts/root/{what}", signed=root)
        none = await call("POST", f"/api/v1/accounts/nobody/{what}", signed=root)
        still = await call("GET", "/api/v1/me", signed=root)

    assert (own.status, own.body["error"], none.status, still.status) == (409, "own_account", 404, 200)


async def test_rights_follow_the_site_from_the_next_request() -> None:
    """A grant that is taken away is gone, without signing out."""
    async with running() as (hub, call):
        root = await hub.sign_in("root", "administrator")
        before = await call("GET", "/api/v1/accounts", signed=root)
        staff = hub.intake.world_now.site.staff
        staff["root"] = replace(staff["root"], grants=())
        after = await call("GET", "/api/v1/accounts", signed=root)

    assert (before.status, after.status, after.body["error"]) == (200, 403, "not_permitted")
