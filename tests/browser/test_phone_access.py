"""The phone app for everybody: large letters, a wide screen, the keyboard, dark, drills that are none."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_phone_rings import CALL
from tests.support.browser import WIDE, Chromium, Screens, no_barrier, sideways, small_targets
from tests.support.hub import Hub
from tests.support.phone_page import PhonePage

SCREENS = Screens("phone")
BIG = "document.documentElement.style.fontSize = '200%'"
LONG = {
    "place": "backa/201/12/2",
    "type": "telemetri",
    "priority": "medium",
    "text": "Övervakning sal 12 plats 2: förmaksflimmer med snabb kammarfrekvens, avledning lös",
    "callback": "+46 90 123 45",
}


async def in_sight(page: Page, name: str) -> bool:
    """Whether a button lies wholly within the window, under nothing."""
    return await page.get_by_role("button", name=name, exact=True).evaluate(
        """one => { const box = one.getBoundingClientRect();
          const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
          return box.top >= 0 && box.bottom <= innerHeight && one.contains(top); }"""
    )


async def whole(page: Page, selector: str) -> bool:
    """Whether an element can be read without scrolling."""
    return await page.locator(selector).evaluate(
        """one => { const box = one.getBoundingClientRect();
          const part = one.closest('.story').getBoundingClientRect();
          return box.top >= part.top && box.bottom <= part.bottom; }"""
    )


@pytest.mark.parametrize("dark", [False, True])
async def test_text_at_200_percent_on_the_smallest_phone(chromium: Chromium, hub: Hub, dark: bool) -> None:
    """Nothing is cut off or lies over something else, nobody scrolls sideways, and the answer is in sight."""
    tove = await PhonePage.open(chromium, hub, "tove", dark=dark)
    await tove.page.evaluate(BIG)
    name = "dark" if dark else "light"
    await SCREENS.take(tove.page, f"large-calm-{name}")
    assert await sideways(tove.page) == []
    await no_barrier(tove.page)
    await hub.press("a", **LONG)
    await tove.rings("Övervakningslarm telemetri", "Medel")
    await SCREENS.take(tove.page, f"large-ringing-{name}")
    assert await sideways(tove.page) == []
    await no_barrier(tove.page)
    assert await in_sight(tove.page, "Jag tar den")
    assert await whole(tove.page, ".over h1.place") and await whole(tove.page, ".over .prio")
    await tove.press("Jag tar den")
    await tove.shows("Du tar det")
    await SCREENS.take(tove.page, f"large-accepted-{name}")
    assert await in_sight(tove.page, "På plats")
    assert await sideways(tove.page) == []
    await no_barrier(tove.page)


@pytest.mark.parametrize("dark", [False, True])
async def test_a_wide_screen(chromium: Chromium, hub: Hub, dark: bool) -> None:
    """The same app on a computer at the desk."""
    tove = await PhonePage.open(chromium, hub, "tove", size=WIDE, dark=dark)
    name = "dark" if dark else "light"
    await SCREENS.take(tove.page, f"wide-calm-{name}")
    await no_barrier(tove.page)
    await hub.press("a", **LONG)
    await hub.press("b", place="backa/201/11", type="akutlarm", text="201 sal 11 AKUT")
    await tove.rings("Akutlarm")
    await SCREENS.take(tove.page, f"wide-ringing-{name}")
    await no_barrier(tove.page)
    await tove.page.get_by_role("button", name="1 larm till ringer").click()
    await SCREENS.take(tove.page, f"wide-list-{name}")
    await no_barrier(tove.page)
    assert await small_targets(tove.page) == []


async def test_the_keyboard_is_enough(chromium: Chromium, hub: Hub) -> None:
    """A ring takes the focus to its place, never to a button; Tab and Enter answer; focus can be seen."""
    tove = await PhonePage.open(chromium, hub, "tove", size=WIDE)
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await expect(tove.page.locator("#full-title")).to_be_focused()
    names = []
    for _ in range(4):
        await tove.page.keyboard.press("Tab")
        names.append(await tove.page.evaluate("document.activeElement.innerText"))
        shown = await tove.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert shown == "solid"
    assert names == ["Tysta här", "På plats", "Kan inte", "Jag tar den"]
    await SCREENS.take(tove.page, "focus")
    await expect(tove.page.get_by_role("button", name="Jag tar den")).to_be_enabled()
    await tove.page.keyboard.press("Enter")
    await tove.shows("Du tar det")
    await expect(tove.page.locator("#full-title")).to_be_focused()


async def test_a_screen_reader_hears_each_ring_once(chromium: Chromium, hub: Hub) -> None:
    """What rings is said with kind, priority and place; seconds that pass are not."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await tove.page.evaluate(
        """() => { window.said = [];
          for (const id of ['urgent', 'spoken']) {
            const line = document.getElementById(id);
            new MutationObserver(() => said.push(line.textContent)).observe(line, { childList: true });
          } }"""
    )
    await hub.press("a", **CALL)
    await tove.rings("Går vidare om 43 s")
    assert await tove.page.evaluate("said") == [
        "Patientkallelse, prioritet Låg. sal 12 plats 2, Medicin 201."
    ]


async def test_a_heard_drill_is_prov_and_a_real_alarm_interrupts_it(chromium: Chromium, hub: Hub) -> None:
    """Test mode of the plant: nobody takes it for an alarm, and an alarm is never behind it."""
    tove = await PhonePage.open(chromium, hub, "tove")
    secret = (hub.folder / "press.secret").read_text().strip()
    begun = await hub.call(
        "POST", "/api/v1/trials", secret=secret,
        json={"by": "maria", "minutes": 5, "source": "plant", "heard": True},
    )  # fmt: skip
    assert begun.status == 201, begun
    await hub.press("a", **CALL)
    await tove.rings("PROV", "Detta är ett prov. Ingen behöver gå.")
    assert await tove.buttons() == []
    await tove.sounds()
    await tove.has_sent("rang")
    await SCREENS.take(tove.page, "prov")
    await no_barrier(tove.page)

    other = hub.house.source_secret
    hub.house.source_secret = await hub.house.token("source", "button")
    await hub.press("e", place="backa/201/11", type="akutlarm")
    hub.house.source_secret = other
    await tove.rings("Akutlarm", "Hög")
    await expect(tove.ringing).not_to_contain_text("PROV")


async def test_a_silent_drill_is_a_machines_business(chromium: Chromium, hub: Hub) -> None:
    """Confirmed at once, nothing heard; a discreet line says that it was."""
    tove = await PhonePage.open(chromium, hub, "tove")
    secret = (hub.folder / "press.secret").read_text().strip()
    await hub.call(
        "POST", "/api/v1/trials", secret=secret, json={"by": "maria", "minutes": 5, "source": "plant"}
    )
    await hub.press("a", **CALL)
    await tove.has_sent("rang")
    await tove.shows("Tyst prov bekräftat", "Inga larm")
    await tove.silent()
    await tove.makes_no_sound()
    assert await tove.page.evaluate("spied.tones") == 0
    await SCREENS.take(tove.page, "silent-drill")
    await no_barrier(tove.page)


async def test_the_last_one_names_a_substitute(chromium: Chromium, hub: Hub) -> None:
    """Availability; whoever is the last of the ward does not simply leave."""
    karin = await PhonePage.open(chromium, hub, "karin")
    maria = await PhonePage.open(chromium, hub, "maria")
    available = karin.page.get_by_role("button", name="Tillgänglig")
    await expect(available).to_have_attribute("aria-pressed", "true")
    await karin.press("Rast")
    await karin.shows("Vem tar larmen medan du är borta?", "Maria Norrman")
    await SCREENS.take(karin.page, "last-one")
    await no_barrier(karin.page)
    await karin.press("Maria Norrman")
    await expect(karin.page.get_by_role("button", name="Rast")).to_have_attribute("aria-pressed", "true")
    await hub.press("a", place="backa/205/2/1", type="patientkallelse")
    await maria.rings("Geriatrik 205")
