"""The OAuth token: what is asked for, when, and what an account's file must hold."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.push.fcm_token import GRANT, SCOPE, AccessToken, AccountFault, account
from alarmhub.push.http1 import Wire
from alarmhub.push.settings import FcmSettings
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.support.push_site import PushSite, Say, push_site
from tests.support.waiting import until


def info(url: str, key: str, **more: object) -> str:
    """A service account's file."""
    said = {
        "type": "service_account",
        "project_id": "ward-app",
        "private_key": key,
        "client_email": "hub@ward-app.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
        **more,
    }
    return json.dumps({name: value for name, value in said.items() if value is not None})


@asynccontextmanager
async def granted(site: PushSite, key: str) -> AsyncIterator[AccessToken]:
    """A token kept by its task; afterwards no task is left."""
    crew, wire = Crew("test"), Wire(at_once=5)
    who = account(FcmSettings(service_account=Secret(info(site.url, key))))
    token = AccessToken(who, wire, clock=MonotonicClock(), crew=crew)
    wire.start()
    token.start()
    try:
        yield token
    finally:
        await token.stop()
        await wire.stop()
        assert len(crew) == 0 and await crew.close()


async def test_it_asks_with_a_signed_assertion(rsa_key: str) -> None:
    """For the one scope of messages, in the account's name, for an hour."""
    async with push_site() as site, granted(site, rsa_key) as token:
        assert await token.current() == "token-0"
        [got] = site.tokens
        asked = parse_qs(got.body.decode())
        assert asked["grant_type"] == [GRANT]
        claims = json.loads(base64.urlsafe_b64decode(asked["assertion"][0].split(".")[1] + "=="))
        assert claims["iss"] == "hub@ward-app.iam.gserviceaccount.com" and claims["scope"] == SCOPE
        assert claims["aud"] == f"{site.url}/token" and claims["exp"] - claims["iat"] == 3600


async def test_it_is_renewed_before_it_ends(rsa_key: str) -> None:
    """At three quarters of its life; whoever asks meanwhile gets the old one."""
    async with push_site() as site, granted(site, rsa_key) as token:
        site.token_turn = lambda got: Say(said={"access_token": f"t{got.number}", "expires_in": 2})
        loop = asyncio.get_running_loop()
        assert await token.current() == "t0"
        began = loop.time()
        await until(lambda: site.token_count == 2)
        assert 1.2 < loop.time() - began < 2.0
        await until(lambda: site.token_count == 3)
        assert await token.current() in ("t1", "t2")


async def test_an_old_one_that_is_rejected_is_replaced_at_once(rsa_key: str) -> None:
    """A young one is not: another would be refused too. One that is replaced already is no reason either."""
    async with push_site() as site, granted(site, rsa_key) as token:
        first = await token.current()
        assert not token.rejected(first) and await token.current() == first
        token._granted_at -= 61
        assert token.rejected(first)
        second = await token.current()
        assert second == "token-1" and token.rejected(first) and await token.current() == second


async def test_giving_up_waiting_ends_nobody_elses_wait(rsa_key: str) -> None:
    """The task goes on asking."""
    async with push_site() as site:
        site.token_turn = lambda got: Say(said={"access_token": "t"}, after_s=0.3)
        async with granted(site, rsa_key) as token, asyncio.TaskGroup() as group:
            patient = group.create_task(token.current())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await token.current()
    assert patient.result() == "t" and site.token_count == 1


async def test_who_is_refused_is_told_at_once_and_asked_for_rarely(rsa_key: str) -> None:
    """Not once for each push."""
    async with push_site() as site:
        site.token_turn = lambda got: Say(401, {"error": "invalid_client"})
        async with granted(site, rsa_key) as token:
            for _ in range(50):
                with pytest.raises(AccountFault, match="401 invalid_client"):
                    await token.current()
        assert site.token_count == 1


@pytest.mark.parametrize("said", [b"", b"[]", b'{"expires_in": 5}', b"\xff"])
async def test_an_answer_without_a_token_is_none(rsa_key: str, said: bytes) -> None:
    """Asked again for who waits."""
    async with push_site() as site:
        site.token_turn = lambda got: Say(raw=said) if got.number == 0 else Say(said={"access_token": "t"})
        async with granted(site, rsa_key) as token:
            assert await token.current() == "t" and site.token_count == 2


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"private_key": None}, "(JSON)"),
        ({"private_key": "x"}, "(JSON)"),
        ({"client_email": None}, "(JSON)"),
        ({"project_id": None}, "project_id is missing"),
        ({"token_uri": "http://token.example/"}, "token_uri is no https address"),
        ({"token_uri": None}, "(JSON)"),
    ],
)
def test_half_an_account_is_refused(rsa_key: str, more: dict[str, object], why: str) -> None:
    """And no line of it is printed."""
    with pytest.raises(AccountFault, match=r"^service_account: expected ") as refused:
        account(FcmSettings(service_account=Secret(info("https://h", rsa_key, **more))))
    assert str(refused.value).endswith(why) and "BEGIN" not in str(refused.value)


def test_a_file_will_do(rsa_key: str, tmp_path: Path) -> None:
    """As Firebase hands it out."""
    path = tmp_path / "f.json"
    path.write_text(info("https://h", rsa_key))
    assert account(FcmSettings(service_account_file=str(path))).credentials.project_id == "ward-app"
    path.unlink()
    with pytest.raises(AccountFault, match=r"^service_account_file: No such file"):
        account(FcmSettings(service_account_file=str(path)))
