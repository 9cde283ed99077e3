"""Signed-in browsers: their cookie, their end, and what a request of theirs may do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.people import Session
from alarmhub.web.sessions import CSRF_HEADER, TOUCHED_AFTER_MS, SessionSettings, browser
from tests.support.intake import NOW
from tests.support.web import Hub, Signed, running

MINUTE = 60_000
HOUR = 60 * MINUTE


def kept(hub: Hub) -> Session:
    """The only session there is."""
    (session,) = hub.accounts.tables.sessions.values()
    return session


async def test_who_is_signed_in_is_told_so_and_what_changes_need() -> None:
    """Name, units, roles, rights."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna", "shift_leader:201")
        answer = await call("GET", "/api/v1/me", signed=anna, headers={"Accept-Language": "en-GB"})

    me = answer.body
    assert answer.status == 200
    assert (me["staff"], me["name"], me["units"], me["csrf"]) == ("anna", "Anna Lind", ["201"], anna.csrf)
    assert me["grants"] == ["nurse:201", "shift_leader:201"]
    assert "drills.run" in me["may"] and "accounts.write" not in me["may"]
    assert (me["language"], me["must_change"]) == ("en", False)
    assert "no-store" in answer.headers["Cache-Control"]


async def test_a_session_ends_unused_and_not_a_moment_before() -> None:
    """On both sides of its end; use moves the end."""
    settings = SessionSettings(idle_s=3600, longest_s=10 * 3600)
    async with running(session=settings) as (hub, call):
        anna = await hub.sign_in("anna", expires_at=NOW + HOUR)
        hub.intake.at = NOW + HOUR - 1
        assert (await call("GET", "/api/v1/me", signed=anna)).status == 200
        assert kept(hub).expires_at == NOW + 2 * HOUR - 1
        hub.intake.at = NOW + 2 * HOUR - 2
        assert (await call("GET", "/api/v1/me", signed=anna)).status == 200
        hub.intake.at += HOUR
        over = await call("GET", "/api/v1/me", signed=anna)

    assert (over.status, over.body["error"]) == (401, "session_over")
    assert over.headers["WWW-Authenticate"].startswith("Session")


async def test_use_never_moves_the_end_beyond_the_longest_time() -> None:
    """Whoever works on all night signs in again."""
    settings = SessionSettings(idle_s=3600, longest_s=2 * 3600)
    async with running(session=settings) as (hub, call):
        anna = await hub.sign_in("anna", expires_at=NOW + HOUR)
        statuses = []
        for at in (NOW + HOUR - 1, NOW + 2 * HOUR - 2, NOW + 2 * HOUR):
            hub.intake.at = at
            statuses.append((await call("GET", "/api/v1/me", signed=anna)).status)

    assert statuses == [200, 200, 401]


async def test_use_is_noted_once_a_minute() -> None:
    """A page that asks all the time does not write all the time."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        hub.intake.at = NOW + TOUCHED_AFTER_MS - 1
        await call("GET", "/api/v1/me", signed=anna)
        early = kept(hub).seen_at
        hub.intake.at += 1
        await call("GET", "/api/v1/me", signed=anna)

    assert (early, kept(hub).seen_at) == (NOW, NOW + TOUCHED_AFTER_MS)


async def test_what_is_revoked_opens_nothing_from_that_instant() -> None:
    """A session, an account, a person who has left the site; nothing is remembered in between."""
    async with running() as (hub, call):
        anna, bo, cia = [await hub.sign_in(staff) for staff in ("anna", "bo", "cia")]
        for one in (anna, bo, cia):
            assert (await call("GET", "/api/v1/me", signed=one)).status == 200
        await hub.accounts.revoke_sessions(NOW, staff="anna")
        account = hub.accounts.tables.accounts["bo"]
        hub.accounts.tables.accounts["bo"] = replace(account, disabled_at=NOW)
        del hub.intake.world_now.site.staff["cia"]
        assert [(await call("GET", "/api/v1/me", signed=one)).status for one in (anna, bo, cia)] == [401] * 3


async def test_signing_out_ends_it_on_the_server_too() -> None:
    """A cookie that was copied before is worth nothing after."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        answer = await call("DELETE", "/api/v1/session", signed=anna)
        again = await call("GET", "/api/v1/me", signed=anna)

    assert (answer.status, again.status) == (200, 401)
    assert 'alarmhub_session=""' in answer.headers["Set-Cookie"]
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "cookie", ["", "x", "A" * 42, "A" * 44, "Å" * 43, "A" * 42 + "'", "A" * 8000, '"' + "A" * 43]
)
async def test_a_cookie_that_is_none_of_ours_is_nobody(cookie: str) -> None:
    """Of whatever length and letters."""
    async with running() as (hub, call):
        odd = {"Cookie": f"{hub.sessions.cookie}={cookie}"}
        assert (await call("GET", "/api/v1/me", secret=None, headers=odd)).status in (400, 401)


async def test_a_change_needs_the_csrf_value_of_this_very_session() -> None:
    """Missing, empty, wrong, or another session's."""
    async with running() as (hub, call):
        anna, bo = await hub.sign_in("anna"), await hub.sign_in("bo")
        for value in (None, "", "wrong", bo.csrf, anna.csrf + "x", "å"):
            headers = {"Cookie": anna.cookie} | ({} if value is None else {CSRF_HEADER: value})
            answer = await call("DELETE", "/api/v1/session", secret=None, headers=headers)
            assert (answer.status, answer.body["error"], answer.body["field"]) == (403, "csrf", CSRF_HEADER)
        assert (await call("GET", "/api/v1/me", signed=anna)).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_gets_nowhere(origin: str) -> None:
    """Even with cookie and CSRF value."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        answer = await call("DELETE", "/api/v1/session", signed=anna, headers={"Origin": origin})
        assert (answer.status, answer.body["field"]) == (403, "Origin")
        assert (
            await call("DELETE", "/api/v1/session", signed=anna, headers={"Origin": hub.url})
        ).status == 200


async def test_while_the_database_is_away_sessions_are_not_refused_but_unknown() -> None:
    """503: a browser that is told 401 would send a nurse to the sign-in page for nothing."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        hub.accounts.away = True
        assert (await call("GET", "/api/v1/me", signed=anna)).status == 503


async def test_a_one_time_password_opens_only_what_replaces_it() -> None:
    """Who am I, and out; the table of routes says which."""
    from alarmhub.web.routes import ROUTES, SESSION

    async with running() as (hub, call):
        anna = await hub.sign_in("anna", "engineer", "administrator")
        account = hub.accounts.tables.accounts["anna"]
        hub.accounts.tables.accounts["anna"] = replace(account, must_change=True)
        me = await call("GET", "/api/v1/me", signed=anna)
        closed = [r for r in ROUTES if SESSION in r.kinds and not r.always]
        for route in closed:
            path = route.path.partition("{")[0] + "x" * ("{" in route.path) + route.path.partition("}")[2]
            answer = await call(route.method, path, signed=anna, json={})
            assert (answer.status, answer.body["error"]) == (403, "must_change"), route.name

    assert me.body["must_change"] is True


async def test_a_bearer_secret_beside_the_cookie_is_who_calls() -> None:
    """What a program says explicitly counts; and a route for people refuses it."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        headers = anna.headers | {"Authorization": "Bearer plant-secret"}
        assert (await call("GET", "/api/v1/me", secret=None, headers=headers)).status == 403


async def test_behind_tls_the_cookie_is_for_this_host_alone() -> None:
    """A browser takes a name with this prefix only over TLS, for this host, for every path; and the plain
    name opens nothing."""
    async with running(session=SessionSettings(secure=True)) as (hub, call):
        anna = await hub.sign_in("anna")
        assert anna.cookie.startswith("__Host-alarmhub_session=")
        plain = Signed("anna", anna.cookie.removeprefix("__Host-"), anna.csrf)
        assert (await call("GET", "/api/v1/me", signed=anna)).status == 200
        assert (await call("GET", "/api/v1/me", signed=plain)).status == 401


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 "
            "Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8.5\x01", "curl/8.5"),
        ("", ""),
        ("x" * 500, "x" * 60),
    ],
)
def test_a_browser_is_named_as_a_person_would(agent: str, words: str) -> None:
    """So that somebody recognises the one that is not theirs."""
    assert browser(agent) == words
