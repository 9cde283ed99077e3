"""The hospital's sign-in played by a provider others made (node-oidc-provider), through a whole hub.

Driven with plain HTTP, as a browser would follow it: the hub, the provider's own pages, and back.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest

from alarmhub.people import Account
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from tests.support import node_peers
from tests.support.hub import House, Hub

SECRET = "s3cret/with+signs"
STEPS = 20


class Browser:
    """Follows redirects itself and fills in the provider's pages; cookies are its own."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.seen: list[str] = []

    async def to(self, url: str, until: str, **form: str) -> tuple[int, str, str]:
        """Go there and on and on, until a URL of this host; its status, URL and text."""
        method, data = ("POST", form) if form else ("GET", None)
        for _ in range(STEPS):
            async with self.http.request(method, url, data=data, allow_redirects=False) as answer:
                text = await answer.text()
                self.seen.append(url)
                if answer.status in (302, 303):
                    method, data, url = "GET", None, urljoin(url, answer.headers["Location"])
                    if url.startswith(until):
                        return answer.status, url, ""
                    continue
            return answer.status, url, text
        raise AssertionError(f"nowhere after {STEPS} steps: {self.seen}")


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house; the first nurse is known to the hospital by her HSA identity."""
    async with House(database_dsn, phones=4) as one:
        store = PostgresStore(database_dsn)
        await store.open()
        site = await store.site()
        assert site is not None
        await PostgresAccounts(store).put_account(
            Account(
                staff=next(iter(one.phone_secrets)), login="first", handle=b"first", created_at=0,
                external="SE165565594230-anna",
            )
        )  # fmt: skip
        await store.close()
        yield one


def settings_of(issuer: str, home: str) -> str:
    """The hub's settings file."""
    return f"""
[oidc]
issuer = "{issuer}"
client_id = "alarmhub"
client_secret = "{SECRET}"
public_url = "{home}"
person_claim = "employeeHsaId"
grants = {{ "alarm-anna" = "engineer" }}
"""


@pytest.fixture
async def hub(house: House) -> AsyncIterator[Hub]:
    """A hub that serves, with that provider as its hospital's sign-in; skipped by name where the provider, or
    Node.js, is missing."""
    node_peers.need("oidc-provider/package.json")
    hub = house.hub()
    home = f"http://127.0.0.1:{hub.api_port}"
    module = node_peers.INSTALLED / "oidc-provider" / "lib" / "index.js"
    process = await node_peers.launch(
        "oidc_provider.mjs",
        str(module),
        f"{home}/oidc/return",
        f"{home}/sign-in",
        SECRET,
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        issuer = (await process.stdout.readline()).decode().strip()
        if not issuer:
            assert process.stderr is not None
            raise AssertionError((await process.stderr.read()).decode())
        hub.config.write_text(settings_of(issuer, home))
        await hub.start()
        yield hub
        await hub.stop()
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def signed_in_there(browser: Browser, start: str, login: str, home: str) -> str:
    """Through the provider's own pages; the URL on the hub where the browser arrives."""
    _, url, text = await browser.to(start, f"{home}/account")
    for fields in ({"prompt": "login", "login": login, "password": "whatever"}, {"prompt": "consent"}):
        if url.startswith(home):
            return url
        form = re.search(r'<form[^>]*action="([^"]+)"', text)
        assert form is not None, text
        _, url, text = await browser.to(urljoin(url, form[1]), f"{home}/account", **fields)
    return url


@pytest.mark.timeout(120)
async def test_a_person_of_the_hospital_signs_in_and_out(hub: Hub) -> None:
    """By her HSA identity, with the role the hospital gives; and a stranger is told so."""
    browser, stranger = Browser(), Browser()
    try:
        start = f"{hub.url}/oidc/start?next=/account"
        arrived = await signed_in_there(browser, start, "anna", hub.url)
        async with browser.http.get(f"{hub.url}/api/v1/me") as answer:
            me: dict[str, Any] = json.loads(await answer.text())
        headers = {"X-Alarmhub-CSRF": me["csrf"]}
        async with browser.http.delete(f"{hub.url}/api/v1/session", headers=headers) as answer:
            out = json.loads(await answer.text())
        async with browser.http.get(f"{hub.url}/api/v1/me") as answer:
            after = answer.status
        status, where, text = await browser.to(out["logout"], f"{hub.url}/sign-in")
        unknown = await signed_in_there(stranger, start, "nobody", hub.url)
    finally:
        await browser.http.close()
        await stranger.http.close()

    assert urlsplit(arrived).path == "/account"
    assert me["method"] == "oidc" and "engineer" in me["grants"]
    assert after == 401
    assert status == 200 and "logout" in text.lower(), where
    assert parse_qs(urlsplit(unknown).query)["error"] == ["unknown"]


@pytest.mark.timeout(120)
async def test_the_provider_refuses_a_code_that_was_not_ours(hub: Hub) -> None:
    """A made-up code with the right state: refused there, and so here; local sign-in is still offered."""
    browser = Browser()
    try:
        async with browser.http.get(f"{hub.url}/oidc/start", allow_redirects=False) as answer:
            state = parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]
        made_up = f"{hub.url}/oidc/return?state={state}&code={secrets.token_urlsafe(16)}"
        async with browser.http.get(made_up, allow_redirects=False) as answer:
            location = answer.headers["Location"]
        async with browser.http.get(f"{hub.url}/api/v1/session") as answer:
            ways = json.loads(await answer.text())
    finally:
        await browser.http.close()

    assert parse_qs(urlsplit(location).query)["error"] == ["refused"]
    assert ways["local"] is True and ways["oidc"] is not None
