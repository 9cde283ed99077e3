"""The hospital's sign-in as the hub speaks to it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from alarmhub.secret import Secret
from alarmhub.web.oidc_provider import KEPT_MS, Provider, ProviderAway
from alarmhub.web.sign_in_settings import Oidc
from tests.support.intake import NOW
from tests.support.oidc_house import oidc_house

HUB = "https://alarm.example"


async def test_a_ward_that_signs_in_at_once_asks_once_what_the_provider_is() -> None:
    """And again after an hour, on both sides of it."""
    at = NOW
    async with oidc_house() as house:
        provider = Provider(house.settings(HUB), lambda: at)
        await asyncio.gather(*(provider.discovered() for _ in range(50)))
        at += KEPT_MS - 1
        await provider.discovered()
        before = len(house.asked)
        at += 1
        await provider.discovered()
        await provider.close()
        await provider.close()

    assert (before, len(house.asked)) == (1, 2)


async def test_a_provider_that_says_nothing_is_away_within_its_time() -> None:
    """And everybody who waits with it."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Oidc(issuer=f"http://127.0.0.1:{port}", client_id="x", public_url=HUB, within_s=0.5)
    provider = Provider(settings, lambda: NOW)
    try:
        async with asyncio.timeout(3):
            said = await asyncio.gather(*(provider.discovered() for _ in range(20)), return_exceptions=True)
    finally:
        await provider.close()
        server.close()
    assert all(isinstance(one, ProviderAway) for one in said)


@pytest.mark.parametrize(
    ("secret", "where", "in_header", "in_body"),
    [
        (Secret("s%c r"), "header", True, set()),
        (Secret("s%c r"), "body", False, {"client_id", "client_secret"}),
        (None, "header", False, {"client_id"}),
    ],
)
async def test_the_secret_goes_where_the_provider_wants_it(
    secret: Secret | None, where: str, in_header: bool, in_body: set[str]
) -> None:
    """In the header form-encoded first (RFC 6749, 2.3.1); a public client has none."""
    from base64 import b64decode

    seen: list[tuple[str, str]] = []
    async with oidc_house() as house:
        serve = house.serve

        async def noting(request: web.Request) -> web.Response:
            if request.path != "/token":
                return await serve(request)
            seen.append((request.headers.get("Authorization", ""), await request.text()))
            return web.json_response({"id_token": "t"})

        house.serve = noting  # type: ignore[method-assign]
        provider = Provider(
            house.settings(HUB, client_secret=secret, secret_in=where, client_id="al:arm"), lambda: NOW
        )
        assert await provider.exchanged("c", verifier="v", redirect_uri="r") == "t"
        await provider.close()

    header, body = seen[0]
    assert bool(header) is in_header
    if in_header:
        assert b64decode(header.removeprefix("Basic ")) == b"al%3Aarm:s%25c+r"
    assert set(parse_qs(body)) - {"grant_type", "code", "redirect_uri", "code_verifier"} == in_body
