"""What the phone app does when the hub is away: it says so, in time, keeps answers, catches up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.test_phone_rings import BED, CALL
from tests.support.browser import Chromium, Screens, no_barrier, sideways
from tests.support.hub import House, Hub
from tests.support.phone_page import Cable, PhonePage

SCREENS = Screens("phone")
LOUD_WITHIN_S = 10.0


@pytest_asyncio.fixture(loop_scope="session")
async def cable() -> AsyncIterator[Cable]:
    """A line between phones and hub."""
    async with Cable() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def far_hub(house: House, cable: Cable) -> Hub:
    """A hub at the other end of it."""
    one = house.hub(PHONES__PUBLIC_URL=f"ws://127.0.0.1:{cable.port}/phone")
    cable.to = one.phone_port
    await one.start()
    return one


async def test_no_contact_is_said_loudly_and_answers_are_kept_and_sent(
    chromium: Chromium, far_hub: Hub, cable: Cable
) -> None:
    """Seen, heard and felt within ten seconds; what was answered meanwhile counts afterwards."""
    tove = await PhonePage.open(chromium, far_hub, "tove")
    await far_hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    tones, shaken = await tove.page.evaluate("[spied.tones, spied.shaken.length]")

    cable.cut()
    cut_at = time.monotonic()
    await tove.press("Jag tar den")
    await tove.silent()
    await tove.makes_no_sound()
    await expect(tove.page.locator(".contact.lost")).to_be_attached(timeout=1000 * LOUD_WITHIN_S)
    assert time.monotonic() - cut_at <= LOUD_WITHIN_S
    await tove.shows("INGEN KONTAKT", "lyssna i korridoren")
    await tove.comes_true(f"spied.tones > {tones} && spied.shaken.length > {shaken}", "it is heard and felt")
    await tove.shows("1 svar väntar på att skickas", "Jag tar den · Väntar på kontakt")
    await SCREENS.take(tove.page, "no-contact")
    await no_barrier(tove.page)
    assert await sideways(tove.page) == []
    await tove.press("Tysta varningen")
    assert not await tove.page.evaluate("alarmhub.ringer.warning")

    cable.mend()
    await expect(tove.page.locator(".contact.live")).to_be_attached(timeout=15_000)
    await tove.shows("Du tar det")
    await tove.shows_not("INGEN KONTAKT", "väntar på att skickas")
    alarms = await far_hub.house.alarms()
    assert [a.staff for a in alarms["a"].acceptances] == ["tove"]


async def test_after_a_dead_spot_it_shows_what_is_and_nothing_that_was(
    chromium: Chromium, far_hub: Hub, cable: Cable
) -> None:
    """A colleague took the one, another came: what was not sent is gone, what is new rings."""
    tove = await PhonePage.open(chromium, far_hub, "tove")
    await far_hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    cable.cut()
    async with far_hub.phone_of("nils") as nils:
        await nils.accept((await nils.wait_alarm(5, place=BED)).id)
        await far_hub.press("b", place="backa/201/11/wc", type="wc-kallelse")
        await expect(tove.page.locator(".contact.seeking, .contact.lost")).to_be_attached(timeout=10_000)
        cable.mend()
        await tove.connected()
        await tove.rings("WC-kallelse")
        await tove.told("Gäller inte dig längre")
        assert await tove.page.evaluate("alarmhub.alarms.shown.size") == 1


async def test_a_hub_that_dies_is_looked_for_until_it_is_back(chromium: Chromium, hub: Hub) -> None:
    """Killed, and started again: the page stays, comes back by itself, and shows what is open."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    hub.kill()
    await expect(tove.page.locator(".contact.live")).to_have_count(0)
    await tove.sounds()
    await hub.start()
    await expect(tove.page.locator(".contact.live")).to_be_attached(timeout=15_000)
    await tove.rings("Patientkallelse")


async def test_without_contact_nothing_is_called_calm(chromium: Chromium, hub: Hub) -> None:
    """A phone that cannot know says so, and not that there are no alarms."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await tove.shows("Inga larm")
    hub.kill()
    await expect(tove.page.locator(".contact.seeking")).to_be_attached()
    await tove.shows("Söker kontakt", "Larmläget är okänt")
    await tove.shows_not("Inga larm")
    await SCREENS.take(tove.page, "seeking-contact")
    await no_barrier(tove.page)
    await hub.start()
    await expect(tove.page.locator(".contact.live")).to_be_attached(timeout=15_000)
    await tove.shows("Inga larm")


async def test_a_second_window_takes_over_and_the_first_says_so(chromium: Chromium, hub: Hub) -> None:
    """One phone rings once; the older window does not fight for it."""
    tove = await PhonePage.open(chromium, hub, "tove")
    second = PhonePage(await tove.page.context.new_page())
    await second.page.goto("/phone")
    await second.connected()
    await tove.shows("Appen är öppen i ett annat fönster", "Det här fönstret ringer inte.")
    await SCREENS.take(tove.page, "other-window")
    await no_barrier(tove.page)
    await tove.press("Använd det här fönstret")
    await tove.connected()
    await second.shows("Appen är öppen i ett annat fönster")


async def test_a_secret_that_counts_no_more_is_said_and_shows_no_alarm(chromium: Chromium, hub: Hub) -> None:
    """A lost phone that was locked: whoever has it reads nothing."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await hub.house.sql("UPDATE token SET revoked = true WHERE subject = 'tove'")
    await tove.shows("Telefonen är inte godkänd längre")
    await tove.silent()
    await tove.shows_not("sal 12")
    await tove.makes_no_sound()
    await SCREENS.take(tove.page, "refused")
    await no_barrier(tove.page)


async def test_that_nothing_is_saved_is_said_loudly(chromium: Chromium, hub: Hub) -> None:
    """The hub is there and its database is not: answers wait, and the phone says so."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    tones = await tove.page.evaluate("spied.tones")
    await _read_only(hub.house, "on")
    await tove.press("Jag tar den")
    await tove.shows("INGET SPARAS", "Jag tar den")
    await tove.comes_true(f"spied.tones > {tones} && alarmhub.ringer.warning", "it is heard")
    await SCREENS.take(tove.page, "nothing-saved")
    await no_barrier(tove.page)
    await _read_only(hub.house, "off")
    await expect(tove.page.get_by_text("INGET SPARAS")).to_have_count(0, timeout=15_000)
    await tove.shows("Du tar det")


async def _read_only(house: House, how: str) -> None:
    """As a database that has failed over, for sessions that begin from now on; all others end."""
    connection = await asyncpg.connect(house.dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {how}')
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("locale", ["sv-SE", "en-GB"])
async def test_a_phone_that_nobody_has_touched_says_that_it_is_mute(
    chromium: Chromium, hub: Hub, locale: str
) -> None:
    """No browser sounds before a touch: until then it is said loudly, and no ring is reported."""
    tove = await PhonePage.open(chromium, hub, "tove", touched=False, locale=locale)
    await expect(tove.page.locator(".banner.mute")).to_be_visible()
    await SCREENS.take(tove.page, f"mute-until-touched-{locale[:2]}")
    await no_barrier(tove.page)
    await hub.press("a", **CALL)
    await tove.rings("sal 12 plats 2")
    assert await tove.sent("rang") == []
    await expect(tove.ringing.locator(".banner.mute")).to_be_visible()
    await SCREENS.take(tove.page, f"ringing-mute-{locale[:2]}")
    await tove.ringing.locator(".banner.mute").click()
    await tove.has_sent("rang")
    await tove.sounds()
