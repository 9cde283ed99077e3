"""Whether somebody hears the phone: asked by a test ring, and answered, wherever that ring is shown."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.test_phone_rings import CALL
from tests.support.browser import Chromium, Screens, no_barrier
from tests.support.hub import House, Hub
from tests.support.phone_page import PhonePage, enrolled, sign_in

SCREENS = Screens("phone")


async def asked_behind_an_alarm(chromium: Chromium, hub: Hub) -> PhonePage:
    """A phone that asks whether it is heard while a call rings: opened anew, so that the call covers it."""
    phone = await enrolled(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await phone.rings("Patientkallelse")
    await phone.press("Tysta här")
    await phone.press("Mitt pass")
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await phone.comes_true("spied.sent.filter(f => f.type === 'rang').length === 2", "both have rung")
    await phone.page.reload()
    await phone.ringing.locator(".banner.mute").click()
    await phone.rings("Patientkallelse")
    await phone.page.get_by_role("button", name="1 larm till ringer").click()
    await phone.shows("Hör du telefonen?")
    await phone.page.locator("button.alarm.drill").click()
    return phone


async def test_whether_i_hear_the_phone_is_asked_alike_wherever_it_is_shown(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """Opened from the list, behind a call, on a page that did not ask: yes proves the shift."""
    phone = await asked_behind_an_alarm(chromium, hub)
    await expect(phone.page.get_by_role("button", name="Nej", exact=True)).to_be_visible()
    await phone.shows_not("Jag hörde", "Varför jag?")
    await SCREENS.take(phone.page, "heard-from-list")
    await no_barrier(phone.page)
    await phone.press("Ja, jag hör den")
    await phone.told("Passet har börjat.")
    await phone.press("Mitt pass")
    await phone.shows("I tjänst på Medicin 201")
    await phone.shows_not("Du har inte visat att du hör telefonen.")


async def test_who_does_not_hear_the_phone_is_told_what_to_do_and_asked_again(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """No is no proof; neither is a ring that was silenced."""
    phone = await asked_behind_an_alarm(chromium, hub)
    await phone.press("Nej")
    await phone.shows("Höj volymen")
    await phone.press("Larm")
    await phone.page.locator("button.alarm.drill").click()
    await expect(phone.page.get_by_role("button", name="Ring igen")).to_be_visible()
    await expect(phone.page.get_by_role("button", name="Ja, jag hör den")).to_have_count(0)
    await SCREENS.take(phone.page, "not-heard-from-list")
    await phone.press("Ring igen")
    await phone.rings("PROV")
    await phone.comes_true(
        "spied.sent.some(f => f.type === 'rang' && alarmhub.alarms.get(f.alarm)?.hearing)", "it has rung anew"
    )
    await phone.press("Ja, jag hör den")
    await phone.told("Passet har börjat.")


async def test_a_proof_without_a_sign_in_asks_to_sign_in(chromium: Chromium, people: House, hub: Hub) -> None:
    """The sign-in ran out between the ring and the tap: nothing is proved, and it says why."""
    phone = await enrolled(chromium, hub, "tove")
    await phone.press("Mitt pass")
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await phone.page.context.clear_cookies()
    await phone.press("Ja, jag hör den")
    await phone.shows("Logga in igen först")
    await sign_in(phone, "tove")
    await phone.shows("Du har inte visat att du hör telefonen.")
