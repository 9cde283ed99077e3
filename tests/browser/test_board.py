"""The board on the wall, in a real browser on a real hub: what staff see, and when it must shout.

Pictures of its states lie in tests-out/screens/board.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from alarmhub.gateway.tokens import digest_of
from alarmhub.people import Account, Session
from alarmhub.ports import Token
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from load.phone_client import PhoneClient
from tests.acceptance.test_database_faults import processes_in
from tests.browser.conftest import OpenPage
from tests.support.browser import NARROW, WIDE, Chromium, Screens, no_barrier, sideways, small_targets
from tests.support.hub import House, Hub

WALL = {"width": 1920, "height": 1080}
SHOUTS_WITHIN_MS = 10_000
PICTURES = Screens("board")
NAMES = ("Tove", "Vallin", "Nils", "Wiklund", "Maria", "Norrman", "Karin", "Sjödin", "Lars", "Olga", "Ulf")

BELOW = """box => {
  const end = box.getBoundingClientRect().bottom;
  return [...box.querySelectorAll('li')].filter(li => li.getBoundingClientRect().bottom > end + 2).length;
}"""
"""How many rows of a list stick out below."""

Hung = Callable[..., Awaitable[Page]]


async def token(house: House, kind: str, subject: str, *scopes: str) -> str:
    """A secret that opens something."""
    secret = secrets.token_urlsafe(24)
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        await store.add_tokens([Token(digest_of(secret), kind, subject, scopes)], 0)
    finally:
        await store.close()
    return secret


async def address(house: House, unit: str = "201", scope: str = "staff") -> str:
    """What `alarmhub token board` prints, without the hub's name."""
    return f"/board/{unit}#{await token(house, 'board', unit, scope)}"


@pytest_asyncio.fixture(loop_scope="session")
async def hang(house: House, open_page: OpenPage) -> Hung:
    """Hangs a board: `await hang("201", scope="public", query="?theme=dark", size=WIDE)`."""

    async def hung(unit: str = "201", *, scope: str = "staff", query: str = "", **context: Any) -> Page:
        path, _, secret = (await address(house, unit, scope)).partition("#")
        page = await open_page(f"{path}{query}#{secret}", **{"size": WIDE, **context})
        await expect(page.locator("#board[data-variant]")).to_have_count(1)
        return page

    return hung


async def press(
    hub: Hub, place: str, type_: str = "patientkallelse", event: str = "start", **more: Any
) -> str:
    """A signal of the plant; the alarm's id."""
    signal = {"ref": f"{place} {type_}", "event": event, "place": f"backa/{place}", "type": type_} | more
    answer = await hub.call("POST", "/api/v1/signals", json=signal)
    assert answer.status in (200, 201), answer
    return str(answer.body["alarm"])


@asynccontextmanager
async def phones(hub: Hub, *staff: str) -> AsyncIterator[dict[str, PhoneClient]]:
    """These people's phones are on."""
    async with AsyncExitStack() as stack:
        yield {one: await stack.enter_async_context(hub.phone_of(one)) for one in staff}


def row(page: Page, alarm: str) -> Any:
    """An alarm's row."""
    return page.locator(f'[data-alarm="{alarm}"]')


async def busy_ward(hub: Hub, on: dict[str, PhoneClient]) -> str:
    """Calls of every urgency, one of them taken, one attended; the taken one."""
    await press(hub, "201/14/2")
    taken = await press(hub, "201/11/1")
    there = await press(hub, "201/13", "assistans")
    await press(hub, "201/12/wc", "wc-kallelse")
    await press(hub, "201/12", "hjartlarm")
    await on["tove"].accept(taken)
    await on["maria"].accept(there)
    await on["maria"].attend(there)
    return taken


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("locale", ["sv-SE", "en-GB"])
@pytest.mark.parametrize("size", [WALL, WIDE, NARROW], ids=lambda size: str(size["width"]))
async def test_a_busy_ward_can_be_read_by_everybody(
    hub: Hub, hang: Hung, size: dict[str, int], locale: str, dark: bool
) -> None:
    """axe-core finds nothing, gloves hit everything, nothing sticks out; in both languages, day and night."""
    theme = "dark" if dark else "light"
    async with phones(hub, "tove", "maria") as on:
        taken = await busy_ward(hub, on)
        page = await hang(query=f"?theme={theme}", size=size, locale=locale)
        await expect(row(page, taken)).to_contain_text(
            "Tove V kommer" if locale == "sv-SE" else "Tove V coming"
        )
        await expect(page.locator("html")).to_have_attribute("lang", locale[:2])
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        await PICTURES.take(page, f"busy-{size['width']}-{locale[:2]}-{theme}", whole=size is NARROW)

        await no_barrier(page)
        assert await small_targets(page) == []
        assert await sideways(page) == []


async def test_the_secret_is_neither_in_the_address_nor_in_the_history(hang: Hung) -> None:
    """And the board is still there after a reload."""
    page = await hang()
    assert "#" not in page.url
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Medicin 201")
    assert await page.evaluate("history.length") <= 2
    await page.go_back()
    assert "#" not in page.url


async def test_an_alarm_from_press_to_reset(hub: Hub, hang: Hung) -> None:
    """Nobody comes, somebody comes, is there, and the row goes; the age ticks by the hub's clock."""
    async with phones(hub, "tove", "nils", "maria") as on:
        page = await hang()
        await expect(page.locator(".calm")).to_have_text("Inga öppna larm")
        alarm = await press(hub, "201/13", "assistans")
        await expect(row(page, alarm)).to_contain_text("Ingen kommer")
        await expect(row(page, alarm).locator(".age")).to_have_text("0:02", timeout=5_000)
        await on["nils"].accept(alarm)
        await on["tove"].accept(alarm)
        await expect(row(page, alarm)).to_contain_text("Nils W och Tove V kommer")
        await expect(page.locator(".person", has_text="Nils Wiklund")).to_contain_text("tar Assistans sal 13")
        await on["tove"].attend(alarm)
        await expect(row(page, alarm)).to_contain_text("Tove V på plats")
        await press(hub, "201/13", "assistans", event="end")
        await expect(row(page, alarm)).to_have_count(0)
        await expect(page.locator(".calm")).to_be_visible()


async def test_who_is_reached_and_what_is_missing(hub: Hub, hang: Hung) -> None:
    """A phone that goes, a break, beds without a care team, and who covers."""
    async with phones(hub, "tove", "nils") as on:
        page = await hang()
        nils = page.locator(".person", has_text="Nils Wiklund")
        await expect(nils.locator(".reach")).to_have_text("nås")
        await expect(page.locator(".person", has_text="Maria").locator(".reach")).to_have_text("NÅS INTE")
        await expect(page.locator(".counts")).to_contain_text("2 av 3 nås")
        await expect(page.locator(".gaps li")).to_have_text(["sal 14 plats 1", "sal 14 plats 2"])
        await expect(page.locator(".note")).to_have_text(
            ["Samdrift: Geriatrik 205", "Svarar även för Geriatrik 205"]
        )
        await on["nils"].availability("break")
        await expect(nils.locator(".state")).to_have_text("rast")
        await on["nils"].cut()
        await expect(nils.locator(".reach")).to_have_text("nyss tappad")


@pytest.mark.timeout(120)
async def test_phones_to_see_to_are_on_the_red_list(house: House, hub: Hub, hang: Hung) -> None:
    """A flat battery at once; after a drill the phone that did not confirm it, and who has none."""
    async with phones(hub, "tove") as on, hub.phone_of("nils", auto_rang=False):
        page, public = await hang(), await hang(scope="public")
        red = page.locator(".red")
        await expect(page.locator(".ward h3").last).to_have_text("Inga fel på telefoner")
        await on["tove"].status(battery=3, charging=False)
        flat = re.compile(r"^Tove Vallin: batteriet är nästan slut \(\d\d:\d\d\)$")
        await expect(red.filter(has_text="Tove")).to_have_text([flat])
        await expect(public.locator(".ward")).to_contain_text("1 telefon behöver åtgärdas")

        secret = await token(house, "api", "the test", "drills:write")
        drill = await hub.call("POST", "/api/v1/units/201/drills", secret=secret, json={})
        assert drill.status == 201, drill
        await expect(red.filter(has_text="Nils Wiklund")).to_contain_text(
            "larmprov via nätet: svarade inte", timeout=60_000
        )
        await expect(red.filter(has_text="Maria Norrman")).to_contain_text("ingen telefon")
        await expect(red.filter(has_text="larmprov").filter(has_text="Tove")).to_have_count(0)
        await PICTURES.take(page, "red-list")


@pytest.mark.timeout(90)
async def test_a_hub_that_is_silent_is_shouted_within_ten_seconds_and_heard_again(
    hub: Hub, hang: Hung
) -> None:
    """The process stands still, the connection stays: nobody says so but the clock."""
    page = await hang()
    await press(hub, "201/11/1")
    await expect(page.locator(".alarm")).to_have_count(1)
    hub.freeze()
    try:
        alert = page.locator(".alert")
        await expect(alert).to_contain_text("INGEN KONTAKT", timeout=SHOUTS_WITHIN_MS)
        await expect(alert).to_contain_text("Tavlan är inte aktuell")
        await expect(page.locator("#board")).to_have_attribute("data-contact", "no")
        border = "parseFloat(getComputedStyle(document.getElementById('board')).borderTopWidth)"
        assert await page.evaluate(border) >= 15
        await no_barrier(page)
        await PICTURES.take(page, "no-contact")
    finally:
        hub.thaw()
    await expect(page.locator("#board")).to_have_attribute("data-contact", "yes", timeout=20_000)
    await expect(page.locator(".alert")).to_have_count(0)


@pytest.mark.timeout(90)
async def test_a_hub_that_comes_back_finds_its_boards_again(hub: Hub, hang: Hung) -> None:
    """Stopped and started: the board shouts no longer than it must, and shows what is open now."""
    page = await hang(locale="en-GB")
    assert await hub.stop() == 0
    await expect(page.locator(".alert")).to_contain_text("NO CONTACT", timeout=SHOUTS_WITHIN_MS)
    await hub.start()
    await press(hub, "201/11/1")
    await expect(page.locator(".alarm")).to_have_count(1, timeout=20_000)
    await expect(page.locator(".alert")).to_have_count(0)


@pytest.mark.timeout(90)
async def test_a_hub_that_cannot_store_says_so_on_every_board(house: House, hub: Hub, hang: Hung) -> None:
    """Its database stands still: the reserve routine begins, and ends when it is back."""
    page = await hang()
    cluster = Path((await house.sql("SHOW data_directory"))[0][0])
    processes = processes_in(cluster)
    assert processes
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises((TimeoutError, AssertionError)):
            await press(hub, "201/11/1")  # somebody must try
        await expect(page.locator(".alert")).to_contain_text("INGET SPARAS", timeout=15_000)
        await expect(page.locator(".alert")).to_contain_text("Starta reservrutinen")
        await expect(page.locator("#board")).to_have_attribute("data-storing", "no")
        await no_barrier(page)
        await PICTURES.take(page, "not-stored")
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    await expect(page.locator("#board")).to_have_attribute("data-storing", "yes", timeout=20_000)
    await expect(page.locator(".alert")).to_have_count(0)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_public_board_has_no_name_anywhere(hub: Hub, hang: Hung, size: dict[str, int]) -> None:
    """Not in the page, its storage or what came over the wire; numbers instead."""
    async with phones(hub, "tove", "maria") as on:
        taken = await busy_ward(hub, on)
        page = await hang(scope="public", size=size)
        await expect(row(page, taken)).to_contain_text("Någon kommer")
        await expect(page.locator(".counts")).to_contain_text("2 av 3 nås")
        await expect(page.locator('[data-setting="sound"]')).to_have_text("Ljud: AV")
        said = await page.content() + await page.evaluate("JSON.stringify([localStorage, sessionStorage])")
        for name in NAMES:
            assert name not in said
        await no_barrier(page)
        await PICTURES.take(page, f"public-{size['width']}", whole=size is NARROW)


async def test_an_assault_never_shows_where_it_happens(hub: Hub, hang: Hung) -> None:
    """On no board of its ward; the neighbours' staff board says the unit, no place, and stays silent."""
    async with phones(hub, "tove", "karin"):
        ours, theirs = await hang(), await hang("205")
        public = await hang("205", scope="public")
        await press(hub, "201/12", "overfall")
        ordinary = await press(hub, "201/11/1")
        await expect(theirs.locator(".s-veiled")).to_contain_text("Överfallslarm")
        await expect(theirs.locator(".s-veiled")).to_contain_text("Medicin 201")
        await expect(theirs.locator(".s-veiled .place")).to_have_text("Se telefonen")
        await expect(row(ours, ordinary)).to_have_count(1)
        await expect(row(public, ordinary)).to_have_count(1)
        assert "sal 12" not in await theirs.locator(".alarm-list").inner_text()
        for page in (ours, public):
            await expect(page.locator(".alarm")).to_have_count(1)
            assert "verfall" not in await page.content()
        await PICTURES.take(theirs, "assault-elsewhere")


@pytest.mark.timeout(120)
async def test_more_alarms_than_fit_are_counted_and_their_pages_turn(hub: Hub, hang: Hung) -> None:
    """Twelve calls on a small wall: how many more there are, slowly the others, the top for a new one."""
    beds = [f"201/{room}/{bed}" for room in (11, 12, 13, 14) for bed in (1, 2)]
    for place in [*beds, *(f"201/{room}/wc" for room in (11, 12, 13, 14))]:
        await press(hub, place, "wc-kallelse" if place.endswith("wc") else "patientkallelse")
    page = await hang()
    more, box = page.locator(".alarms .more"), page.locator(".alarms .scroll")
    await expect(page.locator(".alarm")).to_have_count(12)
    await expect(more).to_have_text(re.compile(r"^\+[3-8] till$"))
    assert (await more.inner_text()).split()[0] == f"+{await box.evaluate(BELOW)}"
    await PICTURES.take(page, "overflow")
    await expect(page.locator(".alarm").first).to_be_in_viewport(ratio=0.9)
    await expect(page.locator(".alarm").last).not_to_be_in_viewport()
    await expect(page.locator(".alarm").last).to_be_in_viewport(ratio=0.9, timeout=50_000)
    await press(hub, "201/13", "akutlarm")
    await expect(page.locator(".alarm").first).to_be_in_viewport(ratio=0.9)
    await expect(page.locator(".alarm").first).to_contain_text("Akutlarm")


async def test_it_sounds_once_somebody_has_touched_it_and_as_it_is_set(hub: Hub, hang: Hung) -> None:
    """The unlock bar stays until the browser lets it; "high only" and "off" are seen, kept, and obeyed."""
    page = await hang()
    board, sound = page.locator("#board"), page.locator('[data-setting="sound"]')
    await press(hub, "201/13", "assistans")
    await expect(page.locator(".alarm")).to_have_count(1)
    await expect(page.locator(".unlock")).to_be_visible()
    await expect(board).to_have_attribute("data-bursts", "0")
    await page.locator(".unlock").click()
    await expect(page.locator(".unlock")).to_be_hidden()
    await expect(board).to_have_attribute("data-bursts", "1")

    await sound.click()
    await expect(sound).to_have_text("Ljud: bara höga larm")
    await press(hub, "201/12", "akutlarm")
    await expect(board).to_have_attribute("data-bursts", "2")
    await sound.click()
    await expect(sound).to_have_text("Ljud: AV")
    await page.reload()
    await expect(sound).to_have_text("Ljud: AV")
    await expect(page.locator(".unlock")).to_be_hidden()
    await expect(board).to_have_attribute("data-bursts", "0")


async def test_the_night_is_dark_and_the_day_is_as_the_browser_likes(hang: Hung) -> None:
    """By the clock of the hospital; the setting is kept on this board."""
    page = await hang()
    hour = int((await page.locator(".clock").inner_text())[:2] or 12)
    minute = int((await page.locator(".clock").inner_text())[3:5] or 0)
    night = not 390 <= hour * 60 + minute < 1200
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark" if night else "light")
    theme = page.locator('[data-setting="theme"]')
    await theme.click()
    await theme.click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    dark = await hang(dark=True)
    await expect(dark.locator("html")).to_have_attribute("data-theme", "dark")


async def test_the_keyboard_reaches_settings_and_lists(hub: Hub, hang: Hung) -> None:
    """In the order in which they are read, each with a focus that can be seen."""
    await press(hub, "201/11/1")
    page = await hang()
    await expect(page.locator(".alarm")).to_have_count(1)
    reached = []
    for _ in range(5):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate(
            "[document.activeElement.dataset.setting || document.activeElement.className,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        ))  # fmt: skip
    assert reached == [[name, "solid"] for name in ("sound", "theme", "unlock", "scroll", "scroll")]
    await expect(page.locator("[aria-live=assertive]")).to_contain_text("Patientkallelse sal 11 plats 1")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/board/201#wrong", "Tavlan saknar behörighet"),
        ("/board/201", "Tavlan saknar behörighet"),
        ("/board/999", "Tavlan saknar behörighet"),
    ],
)
async def test_who_may_not_look_is_told_and_sees_nothing(open_page: OpenPage, path: str, says: str) -> None:
    """A wrong secret, none at all; without one nobody learns which units there are."""
    page = await open_page(path, size=WIDE)
    await expect(page.locator(".alert")).to_contain_text(says)
    await expect(page.locator("#board")).to_have_attribute("data-contact", "no")
    await expect(page.locator(".alarm, .person")).to_have_count(0)
    await no_barrier(page)


async def test_who_is_signed_in_sees_the_boards_of_her_units(
    house: House, hub: Hub, chromium: Chromium
) -> None:
    """By the cookie alone; another unit's board is not hers, and the way to sign in stands there."""
    secret, now = (
        secrets.token_urlsafe(32),
        (await house.sql("SELECT extract(epoch FROM now()) * 1000"))[0][0],
    )
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        accounts = PostgresAccounts(store)
        await accounts.put_account(Account(staff="karin", login="karin", handle=b"karin", created_at=0))
        await accounts.add_session(
            Session(
                digest=digest_of(secret), id="s", staff="karin", method="password", csrf="c", label="wall",
                created_at=int(now), seen_at=int(now), expires_at=int(now) + 3_600_000,
            )
        )  # fmt: skip
    finally:
        await store.close()
    context = await chromium.context(hub.url, size=WIDE)
    await context.add_cookies([{"name": "alarmhub_session", "value": secret, "url": hub.url}])
    page = await context.new_page()
    await page.goto("/board/205")
    await expect(page.locator("h1")).to_have_text("Geriatrik 205")
    await expect(page.locator(".person")).to_contain_text("Karin Sjödin")
    await page.goto("/board/201")
    await expect(page.locator(".alert")).to_contain_text("Tavlan saknar behörighet")
    await expect(page.locator(".alert a")).to_have_attribute("href", "/sign-in?next=%2Fboard%2F201")
    assert await small_targets(page) == []


async def test_a_board_of_a_unit_that_is_no_more_says_so(house: House, open_page: OpenPage) -> None:
    """404 is another thing than no right."""
    path, _, secret = (await address(house, "299")).partition("#")
    page = await open_page(f"{path}?lang=en#{secret}", size=WIDE)
    await expect(page.locator(".alert")).to_contain_text("There is no such unit")
