"""Signing in and the account, as people see them: in a real browser, against a real hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from playwright.async_api import Page, expect

from alarmhub.clock import MonotonicClock
from alarmhub.people import Account
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from alarmhub.web.passwords import hashed
from alarmhub.web.register import Register
from tests.support.browser import NARROW, WIDE, Chromium, Screens, no_barrier, sideways, small_targets
from tests.support.hub import House, Hub

SCREENS = Screens("people")
CHOSEN = "tre blå kattor i regn"

OpenPage = Callable[..., Awaitable[Page]]


async def _hashed(password: str) -> str:
    return hashed(password)


@asynccontextmanager
async def accounts_of(house: House) -> AsyncIterator[PostgresAccounts]:
    """The accounts of this house, beside its hub."""
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        yield PostgresAccounts(store)
    finally:
        await store.close()


async def one_time(house: House, staff: str) -> str:
    """An account is made, as `alarmhub account add` does."""
    async with accounts_of(house) as accounts:
        store = accounts._store
        site = await store.site()
        assert site is not None
        register = Register(accounts, site=lambda: site, now=MonotonicClock().now, hashed=_hashed)
        return (await register.add(staff, by="test")).reveal()


async def with_password(house: House, staff: str, password: str = CHOSEN) -> Account:
    """Somebody who has chosen a password already."""
    await one_time(house, staff)
    async with accounts_of(house) as accounts:
        account = await accounts.account(staff=staff)
        assert account is not None
        account = replace(account, password=hashed(password), must_change=False)
        await accounts.put_account(account)
    return account


async def enter(page: Page, login: str, password: str) -> None:
    """Type and press."""
    await page.get_by_label("Användarnamn", exact=True).fill(login)
    await page.get_by_label("Lösenord", exact=True).fill(password)
    await page.get_by_role("button", name="Logga in", exact=True).click()


async def sound(page: Page) -> None:
    """Nothing in anybody's way: axe-core, gloves, no scrolling sideways."""
    await no_barrier(page)
    assert await small_targets(page) == []
    assert await sideways(page) == []


@pytest.mark.parametrize(("size", "dark"), [(NARROW, False), (NARROW, True), (WIDE, False)])
async def test_the_first_sign_in(house: House, open_page: OpenPage, size: dict[str, int], dark: bool) -> None:
    """One-time password, a wrong one first; then one's own; then the page that was wanted."""
    secret = await one_time(house, "tove")
    name = f"{size['width']}{'-dark' if dark else ''}"
    page = await open_page("/sign-in?next=/account", size=size, dark=dark)
    await expect(page.get_by_role("heading", name="Logga in")).to_be_visible()
    await sound(page)
    await SCREENS.take(page, f"sign-in-{name}", whole=True)

    await enter(page, "tove", "helt fel lösenord")
    await expect(page.get_by_role("alert")).to_have_text("Fel användarnamn eller lösenord.")
    await sound(page)
    await SCREENS.take(page, f"sign-in-wrong-{name}", whole=True)

    await enter(page, "tove", secret)
    await expect(page.get_by_role("heading", name="Välj ett eget lösenord")).to_be_visible()
    await page.get_by_label("Nytt lösenord").fill("Sommar2026!!")
    await page.get_by_role("button", name="Spara").click()
    await expect(page.get_by_role("alert")).to_contain_text("För lätt att gissa")
    await sound(page)
    await SCREENS.take(page, f"replace-{name}", whole=True)

    await page.get_by_label("Nytt lösenord").fill(CHOSEN)
    await page.get_by_role("button", name="Spara").click()
    await expect(page).to_have_url(f"{page.url.split('/sign-in')[0].rstrip('/')}/account")
    await expect(page.get_by_text("Inloggad som Tove Vallin")).to_be_visible()
    await expect(page.get_by_text("Den här webbläsaren")).to_be_visible()
    await expect(page.get_by_role("heading", name="Konton")).to_have_count(0)
    await sound(page)
    await SCREENS.take(page, f"account-{name}", whole=True)


async def test_signing_out_and_being_out(house: House, open_page: OpenPage) -> None:
    """The account is closed to who is not signed in, and on the other browser it is over too."""
    await with_password(house, "tove")
    page = await open_page("/account")
    await expect(page.get_by_role("heading", name="Logga in")).to_be_visible()
    assert page.url.endswith("/sign-in?next=/account")
    await enter(page, "tove", CHOSEN)
    await expect(page.get_by_text("Inloggad som Tove Vallin")).to_be_visible()

    other = await open_page("/sign-in", size=WIDE)
    await enter(other, "tove", CHOSEN)
    await expect(other.get_by_text("Inloggad som Tove Vallin")).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Logga ut Chrome, Linux").click()
    await expect(page.get_by_role("button", name="Logga ut Chrome, Linux")).to_have_count(0)
    await other.reload()
    await expect(other.get_by_role("heading", name="Logga in")).to_be_visible()

    await page.get_by_role("button", name="Logga ut", exact=True).click()
    await expect(page.get_by_role("heading", name="Logga in")).to_be_visible()


async def test_a_password_is_changed(house: House, open_page: OpenPage) -> None:
    """The wrong field is named to eyes and ears."""
    await with_password(house, "tove")
    page = await open_page("/sign-in")
    await enter(page, "tove", CHOSEN)
    await page.get_by_label("Nuvarande lösenord").fill("fel fel fel fel")
    await page.get_by_label("Nytt lösenord").fill("fyra gröna hundar i snö")
    await page.get_by_role("button", name="Spara").click()
    await expect(page.get_by_text("Nuvarande lösenord stämmer inte.")).to_be_visible()
    await expect(page.get_by_label("Nuvarande lösenord")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Nuvarande lösenord").fill(CHOSEN)
    await page.get_by_role("button", name="Spara").click()
    await expect(page.get_by_text("Lösenordet är bytt.")).to_be_visible()
    await page.get_by_role("button", name="Logga ut", exact=True).click()
    await enter(page, "tove", "fyra gröna hundar i snö")
    await expect(page.get_by_text("Inloggad som Tove Vallin")).to_be_visible()


async def test_a_passkey_is_kept_and_signs_in(house: House, chromium: Chromium, hub: Hub) -> None:
    """With Chromium's own software key, under a name (localhost)."""
    await with_password(house, "tove")
    page = await chromium.page(hub.url.replace("127.0.0.1", "localhost"), "/sign-in")
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    await enter(page, "tove", CHOSEN)
    await page.get_by_label("Namn på enheten").fill("Toves mobil")
    await page.get_by_role("button", name="Lägg till den här enheten").click()
    await expect(page.get_by_text("Passernyckeln är sparad.")).to_be_visible()
    await expect(page.get_by_text("Inte använd än")).to_be_visible()
    await sound(page)
    await SCREENS.take(page, "account-passkey", whole=True)

    await page.get_by_role("button", name="Logga ut", exact=True).click()
    await page.get_by_role("button", name="Logga in med passernyckel").click()
    await expect(page.get_by_text("Inloggad som Tove Vallin")).to_be_visible()
    await page.get_by_role("button", name="Ta bort Toves mobil").click()
    await expect(page.get_by_text("Du har ingen passernyckel än.")).to_be_visible()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_an_administrator_hands_out_accounts(
    house: House, open_page: OpenPage, size: dict[str, int]
) -> None:
    """In English: made, reset with a second press, closed; the one-time password works."""
    await with_password(house, "ulf")
    page = await open_page("/sign-in", size=size, locale="en-GB")
    await page.get_by_label("User name", exact=True).fill("ulf")
    await page.get_by_label("Password", exact=True).fill(CHOSEN)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="Accounts")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "en"

    await page.get_by_label("Person", exact=True).select_option(label="Nils Wiklund")
    await page.get_by_role("button", name="Make account").click()
    await expect(page.get_by_text("One-time password for Nils Wiklund")).to_be_visible()
    first = await page.locator(".secret").inner_text()
    await sound(page)
    await SCREENS.take(page, f"accounts-{size['width']}", whole=True)

    await page.get_by_role("button", name="New one-time password for Nils Wiklund").click()
    await expect(page.get_by_text("Press again to confirm")).to_be_visible()
    await page.get_by_role("button", name="Press again to confirm").click()
    await expect(page.locator(".secret")).not_to_have_text(first)
    await page.get_by_role("button", name="Close the account of Nils Wiklund").click()
    await page.get_by_role("button", name="Press again to confirm").click()
    await expect(page.get_by_text("The account of Nils Wiklund is closed.")).to_be_visible()
    await expect(page.get_by_role("button", name="New one-time password for Ulf Stenmark")).to_have_count(0)


async def test_text_twice_as_large_still_fits(house: House, open_page: OpenPage) -> None:
    """Nobody scrolls sideways to sign in."""
    page = await open_page("/sign-in")
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await sideways(page) == []
    await SCREENS.take(page, "sign-in-200", whole=True)


@pytest.mark.parametrize("error", ["away", "refused", "stale", "unknown", "later", "<img src=x>", "too_many"])
async def test_what_the_hospitals_sign_in_said_is_told_in_words(open_page: OpenPage, error: str) -> None:
    """One message; what a link says besides is no text of ours."""
    page = await open_page(f"/sign-in?error={error}")
    await expect(page.get_by_role("alert").locator("p")).to_have_count(1)
    text = await page.get_by_role("alert").inner_text()
    assert len(text) > 10 and "<" not in text and "$" not in text


@pytest.mark.parametrize(
    "next_", ["//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:1"]
)
async def test_no_link_sends_anybody_elsewhere(house: House, open_page: OpenPage, next_: str) -> None:
    """After the sign-in one is on a page of this hub."""
    await with_password(house, "tove")
    page = await open_page(f"/sign-in?next={next_}")
    await enter(page, "tove", CHOSEN)
    await expect(page.get_by_text("Inloggad som Tove Vallin")).to_be_visible()


async def test_the_hospitals_sign_in_comes_first_and_knows_where_one_wanted_to_go(
    chromium: Chromium, hub: Hub
) -> None:
    """One press; whether to stay signed in goes along."""
    context = await chromium.context(hub.url)
    page = await context.new_page()
    ways = {"local": True, "passkeys": True, "oidc": "Region Fjällmark", "signed_in": False}
    await page.route("**/api/v1/session", lambda route: route.fulfill(json=ways))
    await page.goto("/sign-in?next=/phone")
    link = page.get_by_role("link", name="Logga in med Region Fjällmark")
    await expect(link).to_have_attribute("href", "/oidc/start?next=%2Fphone&keep=0")
    await page.get_by_label("Min egen enhet: förbli inloggad här").check()
    await expect(link).to_have_attribute("href", "/oidc/start?next=%2Fphone&keep=1")
    await sound(page)
    await SCREENS.take(page, "sign-in-hospital", whole=True)


async def test_a_phone_is_enrolled_by_a_code_and_a_lost_one_revoked_in_one_tap(
    house: House, open_page: OpenPage
) -> None:
    """On a computer: the code is shown, the phone opens it, the list shows it; one tap, and it is refused."""
    await with_password(house, "tove")
    page = await open_page("/sign-in?next=/account", size=NARROW)
    await enter(page, "tove", CHOSEN)
    await expect(page.get_by_text("Inga telefoner registrerade.")).to_be_visible()
    await page.get_by_role("button", name="Registrera en telefon").click()
    await expect(page.get_by_alt_text("QR-kod med adressen nedan")).to_be_visible()
    await sound(page)
    await SCREENS.take(page, "account-phone-code", whole=True)

    address = await page.get_by_text("/phone#enrol=").inner_text()
    phone = await open_page("/phone" + address.partition("/phone")[2])
    await expect(phone.locator("#app").get_by_text("Telefonen är registrerad.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Bärs av Tove Vallin, har kontakt")).to_be_visible()
    await sound(page)
    await SCREENS.take(page, "account-phones", whole=True)

    await page.get_by_role("button", name="Spärra").click()
    await expect(page.get_by_text("Den ringer inte längre.")).to_be_visible()
    await expect(page.get_by_text("Inga telefoner registrerade.")).to_be_visible()
    await expect(phone.get_by_text("Telefonen är inte godkänd längre")).to_be_visible()


async def test_a_shift_leader_enrols_a_phone_for_the_drawer(house: House, open_page: OpenPage) -> None:
    """For a unit, which must be chosen; nobody carries it yet."""
    await with_password(house, "maria")
    page = await open_page("/sign-in?next=/account", size=WIDE)
    await enter(page, "maria", CHOSEN)
    await page.get_by_role("button", name="Registrera en lånetelefon").click()
    await expect(page.get_by_text("Välj enhet först.")).to_be_visible()
    await page.get_by_label("Visa telefoner för").select_option("201")
    await page.get_by_label("Namn på lånetelefonen").fill("Låda 3")
    await page.get_by_role("button", name="Registrera en lånetelefon").click()
    address = await page.get_by_text("/phone#enrol=").inner_text()
    await sound(page)

    phone = await open_page("/phone" + address.partition("/phone")[2])
    await expect(phone.locator("#app").get_by_text("Telefonen är registrerad.")).to_be_visible()
    await page.get_by_label("Visa telefoner för").select_option("")
    await expect(page.get_by_text("Inga telefoner registrerade.")).to_be_visible()
    await page.get_by_label("Visa telefoner för").select_option("201")
    await expect(page.get_by_text("Låda 3 (lånetelefon)")).to_be_visible()
    await expect(page.get_by_text("Bärs av ingen")).to_be_visible()
