"""Signing in with a password, over real HTTP: who gets in, who does not, and what is given away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core import attempts
from alarmhub.core.site import Staff
from alarmhub.people import Account
from alarmhub.web import passwords
from alarmhub.web.passwords import hashed
from alarmhub.web.sessions import SessionSettings
from tests.support.intake import NOW
from tests.support.web import Answer, Caller, Hub, running

RIGHT = "tre blå kattor i regn"
HASHED = hashed(RIGHT)


async def with_account(hub: Hub, staff: str = "anna", **fields: Any) -> None:
    """An account with a password everybody here knows."""
    account = Account(staff=staff, login=staff, handle=staff.encode(), created_at=NOW, password=HASHED)
    await hub.accounts.put_account(replace(account, **fields))


async def tried(call: Caller, login: str, password: str, **more: Any) -> Answer:
    """One attempt from the sign-in page."""
    body = {"login": login, "password": password} | more.pop("body", {})
    return await call("POST", "/api/v1/session", secret=None, json=body, **more)


def cookie_of(answer: Answer) -> str:
    """The cookie that came, as the browser sends it back."""
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


async def test_the_right_password_opens_a_session() -> None:
    """Its cookie is for no script and no other site's posts, and ends with the browser's window."""
    async with running() as (hub, call):
        await with_account(hub)
        answer = await tried(call, " Anna", RIGHT)
        me = await call("GET", "/api/v1/me", secret=None, headers={"Cookie": cookie_of(answer)})

    flags = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert answer.status == 200
    assert answer.body == {
        "staff": "anna", "name": "Anna Lind", "csrf": me.body["csrf"], "must_change": False,
    }  # fmt: skip
    assert flags == {"HttpOnly", "SameSite=Lax", "Path=/"}
    assert me.body["method"] == "password"


async def test_each_address_has_its_share_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """With none left for this one it is told to come later, whoever it claims to be."""
    monkeypatch.setattr(passwords, "QUEUE_EACH", 0)
    async with running() as (hub, call):
        await with_account(hub)
        answers = [await tried(call, login, RIGHT) for login in ("anna", "nobody")]

    assert [(answer.status, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 2


async def test_behind_tls_and_on_a_persons_own_phone() -> None:
    """Secure, and kept until the longest time."""
    settings = SessionSettings(secure=True, longest_s=3600)
    async with running(session=settings) as (hub, call):
        await with_account(hub)
        answer = await tried(call, "anna", RIGHT, body={"keep": True})

    flags = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert answer.headers["Set-Cookie"].startswith("__Host-alarmhub_session=")
    assert flags == {"HttpOnly", "SameSite=Lax", "Path=/", "Secure", "Max-Age=3600"}


async def test_a_session_from_before_is_never_taken_over() -> None:
    """What somebody planted in the browser is worth nothing after the sign-in, and who was signed in here
    before is signed out."""
    async with running() as (hub, call):
        await with_account(hub)
        bo = await hub.sign_in("bo")
        planted = f"{hub.sessions.cookie}={'A' * 43}"
        answers = [
            await tried(call, "anna", RIGHT, headers={"Cookie": before}) for before in (planted, bo.cookie)
        ]
        before = [
            await call("GET", "/api/v1/me", secret=None, headers={"Cookie": c}) for c in (planted, bo.cookie)
        ]

    assert [a.status for a in answers] == [200, 200]
    assert len({planted, bo.cookie, *map(cookie_of, answers)}) == 4
    assert [a.status for a in before] == [401, 401]


@pytest.mark.parametrize(
    "fields",
    [
        {"password": None},
        {"disabled_at": NOW},
        {"password": "no hash at all"},
        {"password": HASHED.replace("argon2id", "argon2i")},
    ],
)
async def test_an_account_that_is_closed_to_passwords_answers_like_none(fields: dict[str, Any]) -> None:
    """Byte for byte."""
    async with running() as (hub, call):
        await with_account(hub, **fields)
        there = await tried(call, "anna", RIGHT)
        nobody = await tried(call, "nobody", RIGHT)
        await with_account(hub, password=HASHED, disabled_at=None)
        wrong = await tried(call, "anna", RIGHT + "x")

    assert there.status == nobody.status == wrong.status == 401
    assert there.raw == nobody.raw == wrong.raw
    assert "Set-Cookie" not in there.headers


async def test_who_has_left_the_site_signs_in_no_more() -> None:
    """The account may still be there."""
    async with running() as (hub, call):
        await with_account(hub, "gone")
        first = await tried(call, "gone", RIGHT)
        hub.intake.world_now.site.staff["gone"] = Staff("gone", "Gone")
        again = await tried(call, "gone", RIGHT)

    assert (first.status, again.status) == (401, 200)


async def test_an_unknown_login_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """One verification each; time tells nobody who works here."""
    verified: list[str] = []
    real = passwords._hasher

    class Counting:
        """The hasher, counting."""

        def verify(self, encoded: str, text: str) -> bool:
            """Count and do."""
            verified.append(encoded.rpartition("$")[0].rpartition("$")[0])
            return real.verify(encoded, text)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    async with running() as (hub, call):
        await with_account(hub)
        await with_account(hub, "bo", password=None)
        monkeypatch.setattr(passwords, "_hasher", Counting())
        for login in ("anna", "bo", "nobody"):
            await tried(call, login, "wrong wrong wrong")

    assert len(verified) == 3
    assert len(set(verified)) == 1  # the same costs


async def test_too_many_failures_wait_and_then_go_on() -> None:
    """On both sides of the bound, and with the right password too; then one more is allowed."""
    async with running() as (hub, call):
        await with_account(hub)
        for _ in range(attempts.HERE.most):
            assert (await tried(call, "anna", "wrong wrong wrong")).status == 401
        refused = await tried(call, "anna", RIGHT)
        hub.intake.at += attempts.HERE.forget_ms - 1
        still = await tried(call, "anna", RIGHT)
        hub.intake.at += 1
        allowed = await tried(call, "anna", RIGHT)

    assert (refused.status, refused.body["error"]) == (429, "too_many")
    assert refused.headers["Retry-After"] == str(attempts.HERE.forget_ms // 1000)
    assert (still.status, allowed.status) == (429, 200)


async def test_a_hundred_guesses_at_once_are_no_way_around() -> None:
    """A try is counted before it is known to be wrong."""
    async with running() as (hub, call):
        await with_account(hub)
        answers = await asyncio.gather(*(tried(call, "anna", f"wrong wrong {n}") for n in range(40)))

    statuses = [answer.status for answer in answers]
    assert statuses.count(401) == attempts.HERE.most
    assert statuses.count(429) == 40 - attempts.HERE.most


async def test_one_who_guesses_does_not_lock_the_ward_out() -> None:
    """The same address, another person."""
    async with running() as (hub, call):
        await with_account(hub, "bo")
        for n in range(attempts.ADDRESS.most + 20):
            await tried(call, f"nobody{n % 12}", "wrong wrong wrong")
        guessed = await tried(call, "nobody1", "wrong wrong wrong")
        bo = await tried(call, "bo", RIGHT)

    assert (guessed.status, bo.status) == (429, 200)


async def test_a_proxys_word_on_who_calls_counts_only_if_it_is_ours() -> None:
    """Else each guess would say that it comes from elsewhere."""
    async with running() as (_hub, call):
        for n in range(attempts.HERE.most):
            await tried(call, "anna", "wrong wrong wrong", headers={"X-Forwarded-For": f"10.0.0.{n}"})
        strangers = await tried(call, "anna", "wrong", headers={"X-Forwarded-For": "10.9.9.9"})
    ours = SessionSettings(proxies=("127.0.0.0/8",))
    async with running(session=ours) as (_hub, call):
        for n in range(attempts.HERE.most):
            await tried(call, "anna", "wrong", headers={"X-Forwarded-For": f"6.6.6.{n}, 10.0.0.1"})
        same = await tried(call, "anna", "wrong", headers={"X-Forwarded-For": "6.6.6.99, 10.0.0.1"})
        other = await tried(call, "anna", "wrong", headers={"X-Forwarded-For": "10.0.0.1, 10.0.0.2"})

    assert (strangers.status, same.status, other.status) == (429, 429, 401)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"login": "anna"}, "password"),
        ({"login": "", "password": "x"}, "login"),
        ({"login": "a" * 65, "password": "x"}, "login"),
        ({"login": "a\x00", "password": "x"}, "login"),
        ({"login": "anna", "password": "x" * 257}, "password"),
        ({"login": 7, "password": "x"}, "login"),
        ({"login": "anna", "password": ["x"]}, "password"),
        ({"login": "anna", "password": "x", "keep": "yes"}, "keep"),
    ],
)
async def test_odd_input_is_refused_by_the_name_of_its_field(body: dict[str, Any], field: str) -> None:
    """And what was typed stands in no answer."""
    async with running() as (_hub, call):
        answer = await call("POST", "/api/v1/session", secret=None, json=body)

    assert (answer.status, answer.body["field"]) == (400, field)
    assert b"xxxx" not in answer.raw


async def test_what_was_typed_stands_in_no_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither login nor password: people type the one into the other's field."""
    async with running() as (hub, call):
        await with_account(hub)
        await tried(call, "hemligt-i-fel-falt", "annat-hemligt-ord")
        answer = await tried(call, "anna", RIGHT)
    said = "".join(capfd.readouterr())

    for secret in ("hemligt-i-fel-falt", "annat-hemligt-ord", RIGHT, cookie_of(answer).partition("=")[2]):
        assert secret not in said
    assert "sign_in_refused" in said and "signed_in" in said


async def test_old_costs_are_brought_up_to_date() -> None:
    """At the sign-in, when the password is at hand."""
    import argon2

    old = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(RIGHT)
    async with running() as (hub, call):
        await with_account(hub, password=old)
        assert (await tried(call, "anna", RIGHT)).status == 200
        assert (await tried(call, "anna", RIGHT)).status == 200

    assert "m=19456" in (hub.accounts.tables.accounts["anna"].password or "")


async def test_without_the_database_nobody_is_called_wrong() -> None:
    """503, not 401."""
    async with running() as (hub, call):
        hub.accounts.away = True
        assert (await tried(call, "anna", RIGHT)).status == 503


async def test_another_sites_page_signs_nobody_in() -> None:
    """Not even as somebody of its own choosing: neither as JSON nor as a form."""
    async with running() as (hub, call):
        await with_account(hub)
        foreign = await tried(call, "anna", RIGHT, headers={"Origin": "https://evil.example"})
        form = {"login": "anna", "password": RIGHT}
        posted = await call("POST", "/api/v1/session", secret=None, data=form)

    assert (foreign.status, foreign.body["field"]) == (403, "Origin")
    assert posted.status == 415
    assert "Set-Cookie" not in foreign.headers and "Set-Cookie" not in posted.headers
