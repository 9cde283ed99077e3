"""A hub, a browser, and pages: one event loop and one Chromium for all tests of this folder.

Fixtures: `chromium`, `house` (tests/browser/ward.toml in a fresh database), `people` (the same, with
accounts), `hub` (serving it), `open_page`. Pictures: `Screens(area)` of tests.support.browser.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from alarmhub.people import Account
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from alarmhub.web.passwords import hashed
from tests.support.browser import Chromium, executable
from tests.support.hub import House, Hub
from tests.support.phone_page import PASSWORD

WARD = Path(__file__).parent / "ward.toml"
SOURCE = "plant"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser belongs to the event loop it was started in; starting one for each test takes too long."""
    for item in items:
        if item.path.parent == WARD.parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(60), append=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Chromium]:
    """Debian's Chromium, started once."""
    executable()
    async with async_playwright() as playwright:
        one = await Chromium.start(playwright)
        yield one
        await one.browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(browser: Chromium) -> AsyncIterator[Chromium]:
    """The browser, for one test: what its pages did wrong fails it."""
    browser.begin()
    yield browser
    await browser.end()


@pytest_asyncio.fixture(loop_scope="session")
async def house(database_dsn: str) -> AsyncIterator[House]:
    """Two wards of an invented hospital."""
    async with House(database_dsn, site_text=WARD.read_text(encoding="utf-8"), source=SOURCE) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def hub(house: House) -> Hub:
    """A hub that serves."""
    one = house.hub()
    await one.start()
    return one


@pytest_asyncio.fixture(loop_scope="session")
async def people(house: House) -> AsyncIterator[House]:
    """Everybody has an account; Karin's password is a one-time one."""
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        accounts = PostgresAccounts(store)
        for staff in ("tove", "nils", "maria", "karin"):
            await accounts.put_account(
                Account(
                    staff=staff, login=staff, handle=staff.encode(), created_at=1, password=hashed(PASSWORD),
                    must_change=staff == "karin",
                )
            )  # fmt: skip
    finally:
        await store.close()
    yield house


OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
def open_page(chromium: Chromium, hub: Hub) -> OpenPage:
    """Opens a page of the hub: `await open_page("/phone", size=WIDE, locale="en-GB", dark=True)`."""

    async def opened(path: str, **context: Any) -> Page:
        return await chromium.page(hub.url, path, **context)

    return opened
