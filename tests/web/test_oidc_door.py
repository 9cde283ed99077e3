"""The hospital's sign-in over real HTTP, against a provider that behaves and one that does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from joserfc import jwk
from msgspec.structs import replace

from alarmhub.people import Account
from alarmhub.web.oidc_door import JOURNEY_LIVES_MS
from alarmhub.web.oidc_provider import AWAY_FOR_MS, KEYS_ASKED_EVERY_MS, Provider
from alarmhub.web.sessions import SessionSettings
from tests.support.intake import NOW
from tests.support.oidc_house import OidcHouse, oidc_house
from tests.support.web import Answer, Caller, Hub, running

HUB = "http://127.0.0.1:8080"


class Clinic:
    """A hub with a hospital's sign-in, and a browser that follows nobody by itself."""

    def __init__(self, hub: Hub, call: Caller, house: OidcHouse) -> None:
        self.hub, self.call, self.house = hub, call, house

    async def start(self, query: str = "next=/phone") -> Answer:
        """The button is pressed."""
        return await self.call("GET", f"/oidc/start?{query}", secret=None, allow_redirects=False)

    async def back(self, query: str, cookie: str) -> Answer:
        """The browser comes back."""
        return await self.call(
            "GET", f"/oidc/return?{query}", secret=None, headers={"Cookie": cookie}, allow_redirects=False
        )

    async def whole(self, query: str = "next=/phone") -> Answer:
        """There and back."""
        started = await self.start(query)
        return await self.back(self.house.approve(started.headers["Location"]), cookies_of(started)[0])


def cookies_of(answer: Answer) -> list[str]:
    """Each cookie as the browser sends it back."""
    return [header.partition(";")[0] for header in answer.headers.getall("Set-Cookie", [])]


def error_of(answer: Answer) -> str:
    """Why the browser is back at the sign-in page; no session then."""
    location = urlsplit(answer.headers["Location"])
    assert (answer.status, location.path) == (303, "/sign-in")
    assert not any("session=" in cookie for cookie in cookies_of(answer))
    return parse_qs(location.query)["error"][0]


@asynccontextmanager
async def clinic(**settings: Any) -> AsyncIterator[Clinic]:
    """Anna has an account with the HSA identity SE-A. The provider's clock and the hub's agree."""
    async with oidc_house() as house:
        made: list[Provider] = []
        hospital = bool(settings.get("grants"))

        def provider(hub: Hub) -> Provider:
            made.append(Provider(house.settings(HUB, **settings), hub.intake.now))
            return made[0]

        async with running(session=SessionSettings(hospital_grants=hospital), provider=provider) as (
            hub,
            call,
        ):
            house.now = hub.intake.now
            await hub.accounts.put_account(
                Account(staff="anna", login="anna", handle=b"anna", created_at=NOW, external="SE-A")
            )
            yield Clinic(hub, call, house)
            await made[0].close()


async def test_there_and_back_somebody_is_signed_in() -> None:
    """To the page that was wanted; the journey's cookie is gone, the session's is there."""
    async with clinic() as one:
        started = await one.start()
        answer = await one.back(one.house.approve(started.headers["Location"]), cookies_of(started)[0])
        session = next(c for c in cookies_of(answer) if c.startswith("alarmhub_session="))
        me = await one.call("GET", "/api/v1/me", secret=None, headers={"Cookie": session})

    asked = parse_qs(urlsplit(started.headers["Location"]).query)
    journey = started.headers["Set-Cookie"]
    assert (started.status, asked["response_type"], asked["code_challenge_method"]) == (
        303,
        ["code"],
        ["S256"],
    )
    assert "HttpOnly" in journey and "SameSite=Lax" in journey and "Max-Age=600" in journey
    assert (answer.status, answer.headers["Location"]) == (303, "/phone")
    assert (me.body["staff"], me.body["method"]) == ("anna", "oidc")
    assert any(c.startswith('alarmhub_oidc=""') for c in cookies_of(answer))


async def test_signing_out_leads_out_of_the_hospitals_sign_in_too() -> None:
    """Where it offers that."""
    async with clinic() as one:
        answer = await one.whole()
        session = next(c for c in cookies_of(answer) if c.startswith("alarmhub_session="))
        me = await one.call("GET", "/api/v1/me", secret=None, headers={"Cookie": session})
        headers = {"Cookie": session, "X-Alarmhub-CSRF": me.body["csrf"]}
        out = await one.call("DELETE", "/api/v1/session", secret=None, headers=headers)

    assert out.body["logout"].startswith(f"{one.house.url}/out?client_id=alarmhub")


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%0a/x"])
async def test_nobody_is_sent_to_another_site_afterwards(next_: str) -> None:
    """Whatever the link said."""
    async with clinic() as one:
        answer = await one.whole(f"next={next_}")
    assert answer.headers["Location"] == "/account"


async def test_a_journey_is_its_browsers_alone() -> None:
    """No cookie, another's, one that was changed; another's state; twice; too late, on both sides."""
    async with clinic() as one:
        mine, theirs = await one.start(), await one.start()
        cookie, other = cookies_of(mine)[0], cookies_of(theirs)[0]
        query = one.house.approve(mine.headers["Location"])
        wrong = [await one.back(query, bad) for bad in ("", other, cookie + "x", "alarmhub_oidc=e30.e30")]
        no_state = await one.back("code=a-code", cookie)
        first, again = await one.back(query, cookie), await one.back(query, cookie)
        late = await one.start()
        query = one.house.approve(late.headers["Location"])
        one.hub.intake.at += JOURNEY_LIVES_MS
        too_late = await one.back(query, cookies_of(late)[0])

    assert [error_of(answer) for answer in (*wrong, no_state)] == ["stale"] * 5
    assert first.headers["Location"] == "/phone"
    assert error_of(again) == "refused"  # the provider's code is spent
    assert error_of(too_late) == "stale"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"iss": "https://evil.example"}, {"aud": "another-client"}, {"aud": ["alarmhub", "x"]}, {"azp": "x"},
        {"nonce": "another"}, {"nonce": None}, {"exp": 1}, {"iat": 9_999_999_999}, {"sub": 7},
    ],
)  # fmt: skip
async def test_a_token_that_is_not_for_this_sign_in_proves_nothing(spoiled: dict[str, Any]) -> None:
    """Although its signature holds."""
    async with clinic() as one:
        one.house.spoil = lambda claims: claims | spoiled
        assert error_of(await one.whole()) == "refused"


async def test_a_token_signed_by_somebody_else_proves_nothing() -> None:
    """Another key under the same name, our own secret, or nobody."""
    async with clinic() as one:
        house = one.house
        house.signer = jwk.generate_key("RSA", 2048, {"kid": "k1"}, private=True)
        other = await one.whole()
        house.header, house.signer = {"alg": "HS256", "kid": "k1"}, jwk.import_key("client-secret" * 4, "oct")
        shared = await one.whole()
        house.header, house.signer = {"alg": "RS512", "kid": "k1"}, house.key
        unnamed = await one.whole()
        house.token = lambda asked: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJTRS1BIn0."  # type: ignore[method-assign]
        unsigned = await one.whole()

    assert [error_of(answer) for answer in (other, shared, unnamed, unsigned)] == ["refused"] * 4


async def test_a_provider_that_changes_its_keys_is_asked_again() -> None:
    """Once, and not for every token with a made-up name."""
    async with clinic() as one:
        house = one.house
        assert (await one.whole()).headers["Location"] == "/phone"
        fresh = jwk.generate_key("EC", "P-256", {"kid": "k2", "use": "sig"}, private=True)
        house.published = [*house.published, fresh.as_dict(private=False)]
        house.header, house.signer = {"alg": "ES256", "kid": "k2"}, fresh
        one.hub.intake.at += KEYS_ASKED_EVERY_MS
        assert (await one.whole()).headers["Location"] == "/phone"
        house.header = {"alg": "ES256", "kid": "k3"}
        for _ in range(5):
            assert error_of(await one.whole()) == "refused"

    assert house.asked.count("/keys") == 2


async def test_who_is_unknown_here_is_told_so() -> None:
    """Another identity, a disabled account, a person who has left, a claim that is no text."""
    async with clinic() as one:
        outcomes = []
        for person in ({"sub": "SE-X"}, {"sub": "anna"}):
            one.house.person = person
            outcomes.append(error_of(await one.whole()))
        one.house.person = {"sub": "SE-A"}
        del one.hub.intake.world_now.site.staff["anna"]
        outcomes.append(error_of(await one.whole()))

    assert outcomes == ["unknown"] * 3


async def test_a_claim_may_be_the_staff_id_and_makes_an_account_the_first_time() -> None:
    """For people of the site alone; a disabled one stays out."""
    async with clinic(person_claim="hsa.id", person_is="staff") as one:
        one.house.person = {"sub": "1", "hsa": {"id": "bo"}}
        first, again = await one.whole(), await one.whole()
        account = one.hub.accounts.tables.accounts["bo"]
        one.house.person = {"sub": "1", "hsa": {"id": "nobody"}}
        nobody = await one.whole()
        one.house.person = {"sub": "1", "hsa": {"id": ["anna", "bo"]}}
        two = await one.whole()
        one.hub.accounts.tables.accounts["bo"] = replace(account, disabled_at=NOW)
        one.house.person = {"sub": "1", "hsa": {"id": "bo"}}
        disabled = await one.whole()

    assert first.headers["Location"] == again.headers["Location"] == "/phone"
    assert (account.login, account.password) == ("bo", None)
    assert [error_of(answer) for answer in (nobody, two, disabled)] == ["unknown"] * 3


async def test_roles_come_from_the_hospital_where_it_is_mapped() -> None:
    """In place of the site's; what is not mapped gives nothing. Everybody stays nurse of their units."""
    mapped = {"grants_claim": "roles", "grants": {"led-201": "shift_leader:201", "teknik": "engineer"}}
    async with clinic(**mapped) as one:
        staff = one.hub.intake.world_now.site.staff
        staff["anna"] = replace(staff["anna"], grants=("administrator",))
        one.house.person = {"sub": "SE-A", "roles": ["led-201", "administrator", "boss"]}
        answer = await one.whole()
        session = next(c for c in cookies_of(answer) if c.startswith("alarmhub_session="))
        me = await one.call("GET", "/api/v1/me", secret=None, headers={"Cookie": session})
        accounts = await one.call("GET", "/api/v1/accounts", secret=None, headers={"Cookie": session})

    assert me.body["grants"] == ["nurse:201", "shift_leader:201"]
    assert accounts.status == 403


async def test_while_the_provider_is_away_there_is_one_message_and_passwords_work() -> None:
    """Nobody waits for the same silence twice; when it is back, so is the way in."""
    async with clinic() as one:
        one.house.answers["/.well-known/openid-configuration"] = web.Response(status=500)
        first = await one.start()
        one.house.answers.clear()
        still = await one.start()
        one.hub.intake.at += AWAY_FOR_MS
        back = await one.start()
        ways = (await one.call("GET", "/api/v1/session", secret=None)).body

    assert (error_of(first), error_of(still)) == ("away", "away")
    assert back.headers["Location"].startswith(one.house.url)
    assert ways == {"local": True, "passkeys": True, "oidc": "Region Fjällmark", "signed_in": False}


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/token", web.Response(status=500), "away"),
        ("/token", web.Response(text="no json"), "away"),
        ("/token", web.Response(body=b"[" * 100_000), "away"),
        ("/token", web.Response(body=b"x" * 600_000), "away"),
        ("/token", web.json_response({"id_token": 7}), "refused"),
        ("/token", web.json_response([]), "refused"),
        ("/token", web.json_response({"id_token": "x" * 20_000}), "refused"),
        ("/token", web.json_response({"id_token": "a.b.c"}), "refused"),
        ("/token", web.json_response({"error": "invalid_client"}, status=401), "refused"),
        ("/keys", web.json_response({"keys": []}), "away"),
        ("/keys", web.json_response({"keys": [{"kty": "oct", "k": "AAAA"}, 7, {}]}), "away"),
        ("/keys", web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "away"),
    ],
)
async def test_whatever_a_provider_answers_the_browser_gets_a_page(
    path: str, answer: web.Response, error: str
) -> None:
    """Never a 500, never a session."""
    async with clinic() as one:
        started = await one.start()
        query = one.house.approve(started.headers["Location"])
        one.house.answers[path] = answer
        assert error_of(await one.back(query, cookies_of(started)[0])) == error


@pytest.mark.parametrize(
    "query", ["error=access_denied", "code=", "code=" + "x" * 2049, "iss=https://evil&code=x"]
)
async def test_a_person_who_is_not_let_in_there_is_not_let_in_here(query: str) -> None:
    """And is back at the sign-in page, to go on where she wanted."""
    async with clinic() as one:
        started = await one.start()
        state = parse_qs(urlsplit(started.headers["Location"]).query)["state"][0]
        answer = await one.back(f"{query}&state={state}", cookies_of(started)[0])

    assert error_of(answer) == "refused"
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["next"] == ["/phone"]


async def test_what_the_provider_said_stands_in_no_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither codes nor tokens nor our secret."""
    async with clinic() as one:
        started = await one.start()
        query = one.house.approve(started.headers["Location"], "c0de-in-the-query")
        await one.back(query, cookies_of(started)[0])
        one.house.spoil = lambda claims: claims | {"nonce": "x"}
        await one.whole()
    said = "".join(capfd.readouterr())

    assert "oidc_refused" in said
    for secret in ("c0de-in-the-query", "client-secret", "eyJ"):
        assert secret not in said


async def test_without_the_hubs_database_the_page_says_to_come_again() -> None:
    """In words, not as JSON."""
    async with clinic() as one:
        started = await one.start()
        query = one.house.approve(started.headers["Location"])
        one.hub.accounts.away = True
        assert error_of(await one.back(query, cookies_of(started)[0])) == "later"
