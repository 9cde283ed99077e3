"""Signing in, enrolling a phone and starting a shift, as somebody does it in the corridor at seven."""

from __future__ import annotations

import time

from playwright.async_api import expect

from tests.browser.test_phone_rings import CALL
from tests.support.browser import Chromium, Screens, no_barrier, sideways, small_targets
from tests.support.hub import House, Hub
from tests.support.phone_page import PhonePage, enrolled, sign_in

SCREENS = Screens("phone")
SHIFT_WITHIN_S = 20.0


async def chosen(phone: PhonePage) -> list[str]:
    """The beds that are ticked, in the order of the list."""
    return await phone.page.locator("label.choice:has(input:checked) strong").all_inner_texts()


async def test_a_person_signs_in_and_enrols_the_phone_in_hand(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """Nothing rings before; the secret stays in the phone, and the address says nothing."""
    phone = await PhonePage.open(chromium, hub)
    await phone.shows("Telefonen är inte registrerad", "Den ringer inte.")
    await SCREENS.take(phone.page, "not-enrolled")
    await no_barrier(phone.page)
    assert await small_targets(phone.page) == []
    await phone.page.get_by_label("Användarnamn").fill("tove")
    await phone.page.get_by_label("Lösenord").fill("fel")
    await phone.press("Logga in")
    await phone.shows("Fel användarnamn eller lösenord.")
    await SCREENS.take(phone.page, "wrong-password")
    await no_barrier(phone.page)

    await sign_in(phone, "tove")
    await phone.press("Registrera telefonen")
    await phone.connected()
    await phone.shows("Tove Vallin")
    assert phone.page.url.endswith("/phone")
    await phone.page.reload()
    await phone.connected()
    await phone.shows("Tove Vallin", "TELEFONEN ÄR STUM")


async def test_a_code_enrols_a_phone_once(chromium: Chromium, people: House, hub: Hub) -> None:
    """Scanned from a screen where somebody is signed in; a second phone with the same code is refused."""
    screen = await enrolled(chromium, hub, "nils")
    link = await screen.page.evaluate("alarmhub.api.invite('', false).then(code => code.url)")
    other = PhonePage(await (await chromium.context(hub.url)).new_page())
    await other.page.goto(link)
    await other.connected()
    await other.shows("Nils Wiklund")
    assert "#" not in other.page.url
    late = PhonePage(await (await chromium.context(hub.url)).new_page())
    await late.page.goto(link)
    await late.shows("Telefonen är inte registrerad", "Koden gäller inte längre.")
    await SCREENS.take(late.page, "code-over")


async def test_a_shift_begins_within_twenty_seconds(chromium: Chromium, people: House, hub: Hub) -> None:
    """Me, my unit, my beds, one tap that proves I heard the phone."""
    phone = await enrolled(chromium, hub, "tove")
    began_at = time.monotonic()
    await phone.press("Mitt pass")
    await phone.shows("Tove Vallin", "Medicin 201", "sal 12 plats 2", "Ingen har den", "Nils Wiklund")
    await SCREENS.take(phone.page, "shift-beds", whole=True)
    await no_barrier(phone.page)
    assert await small_targets(phone.page) == []
    assert await sideways(phone.page) == []
    assert await chosen(phone) == ["sal 11 plats 1", "sal 11 plats 2", "sal 12 plats 1", "sal 12 plats 2"]
    await phone.page.get_by_role("button", name="Ta alla utan vårdlag").click()
    assert (await chosen(phone))[4:] == ["sal 14 plats 1", "sal 14 plats 2"]
    await phone.page.get_by_label("sal 11 plats 1").uncheck()
    await phone.shows("5 platser")
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await expect(phone.page.get_by_role("button", name="Ja, jag hör den")).to_be_visible()
    await phone.has_sent("rang")
    await phone.sounds()
    await SCREENS.take(phone.page, "shift-heard")
    await no_barrier(phone.page)
    await phone.press("Ja, jag hör den")
    await phone.told("Passet har börjat.")
    assert time.monotonic() - began_at <= SHIFT_WITHIN_S
    await phone.shows("Medicin 201", "Inga larm")
    await phone.press("Mitt pass")
    await phone.shows("I tjänst på Medicin 201", "sal 14 plats 1")
    await SCREENS.take(phone.page, "on-shift")
    await no_barrier(phone.page)

    await hub.press("a", place="backa/201/14/1", type="patientkallelse")
    await phone.rings("Patientkallelse", "Du är i vårdlaget där.")


async def test_without_a_shift_nothing_is_called_calm(chromium: Chromium, people: House, hub: Hub) -> None:
    """Enrolled and signed in is not on duty; the way to the shift is there."""
    phone = await enrolled(chromium, hub, "tove")
    await phone.shows("Du har inte börjat något pass", "bara om schemat har dig i tjänst")
    await phone.shows_not("Inga larm")
    await SCREENS.take(phone.page, "no-shift")
    await no_barrier(phone.page)
    assert await small_targets(phone.page) == []
    await phone.press("Till Mitt pass")
    await phone.shows("Mina platser")
    await phone.page.reload()
    await phone.connected()
    await phone.shows("Du har inte börjat något pass")


async def test_a_new_shift_begins_available(chromium: Chromium, people: House, hub: Hub) -> None:
    """After a shift that ended: nothing was told since, and that is available. One bed is one bed."""
    phone = await enrolled(chromium, hub, "tove")
    await phone.press("Mitt pass")
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await phone.press("Ja, jag hör den")
    await phone.press("Mitt pass")
    await phone.press("Sluta passet")
    await phone.press("Sluta passet")
    await phone.told("Passet är slut.")
    await phone.shows("Du har inte börjat något pass")
    await phone.press("Mitt pass")
    await phone.page.get_by_label("sal 14 plats 1").check()
    await expect(phone.page.get_by_text("1 plats", exact=True)).to_be_visible()
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await phone.press("Ja, jag hör den")
    available = phone.page.get_by_role("button", name="Tillgänglig")
    await expect(available).to_have_attribute("aria-pressed", "true")


async def test_who_leaves_with_an_alarm_in_hand_names_who_takes_it(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """Nothing is left lying at the end of a shift."""
    phone = await enrolled(chromium, hub, "tove")
    nils = await PhonePage.open(chromium, hub, "nils")
    await phone.press("Mitt pass")
    await phone.press("Börja passet")
    await phone.rings("PROV")
    await phone.press("Ja, jag hör den")
    await phone.shows("Inga larm")
    await hub.press("a", **CALL)
    await phone.rings("Patientkallelse")
    await phone.press("Jag tar den")
    await phone.shows("Du tar det")
    await phone.press("Tillbaka")
    await phone.press("Mitt pass")
    await phone.press("Sluta passet")
    await phone.press("Sluta passet")
    await phone.shows("Välj vem som tar dem innan du slutar.", "sal 12 plats 2")
    await SCREENS.take(phone.page, "sign-off-receiver")
    await no_barrier(phone.page)
    await phone.page.get_by_role("combobox").select_option(label="Nils Wiklund")
    await phone.press("Sluta passet")
    await phone.told("Passet är slut.")
    await nils.rings(
        "Patientkallelse", "Lämnas över till dig", "Lämnades över av Tove Vallin.", "Ringer andra om"
    )
    await SCREENS.take(nils.page, "handed-over")


async def test_an_expired_sign_in_silences_nothing(chromium: Chromium, people: House, hub: Hub) -> None:
    """Alarms ring and are answered; before anything else it asks to sign in."""
    phone = await enrolled(chromium, hub, "tove")
    await phone.page.context.clear_cookies()
    await hub.press("a", **CALL)
    await phone.rings("Patientkallelse")
    await phone.sounds()
    await phone.press("Jag tar den")
    await phone.shows("Du tar det")
    await phone.press("Tillbaka")
    await phone.press("Mitt pass")
    await phone.shows("Logga in igen först", "Larm ringer och kan besvaras ändå.")
    await SCREENS.take(phone.page, "sign-in-again")
    await no_barrier(phone.page)
    await sign_in(phone, "tove")
    await phone.shows("Mina platser")


async def test_a_one_time_password_is_replaced_first(chromium: Chromium, people: House, hub: Hub) -> None:
    """On the phone itself, before it is enrolled."""
    phone = await PhonePage.open(chromium, hub)
    await sign_in(phone, "karin")
    await phone.shows("Välj ett eget lösenord")
    await SCREENS.take(phone.page, "own-password")
    await no_barrier(phone.page)
    await phone.shows("Minst 12 tecken.")
    await phone.page.get_by_label("Nytt lösenord").fill("kort")
    await phone.press("Spara")
    await phone.shows("Lösenordet är för kort: minst 12 tecken.")
    await phone.shows_not("expected")
    await SCREENS.take(phone.page, "own-password-short")
    await no_barrier(phone.page)
    await phone.page.get_by_label("Nytt lösenord").fill("fjällripa-vid-sjön-3")
    await phone.press("Spara")
    await phone.shows("Karin Sjödin")
    await phone.press("Registrera telefonen")
    await phone.connected()


async def test_more_says_what_the_phone_cannot_do(chromium: Chromium, people: House, hub: Hub) -> None:
    """Night profile, a try of the sound, and the truth about this phone."""
    phone = await enrolled(chromium, hub, "maria")
    await phone.press("Mer")
    await phone.shows("Nattprofil", "Det här kan telefonen inte", "Visar inga notiser när appen är dold.")
    await SCREENS.take(phone.page, "more", whole=True)
    await no_barrier(phone.page)
    assert await small_targets(phone.page) == []
    await phone.page.get_by_label("Nattprofil").check()
    # A page that is reloaded takes what it was just writing down with it.
    await phone.comes_true("alarmhub.store.get('night')", "the night profile is written down")
    await phone.page.reload()
    await phone.connected()
    await phone.comes_true("alarmhub.ringer.night", "the night profile is kept")


async def test_a_pool_phone_goes_from_hand_to_hand(chromium: Chromium, people: House, hub: Hub) -> None:
    """Out of the drawer it rings for nobody; who signs in carries it, and hands it over by a code."""
    maria = await enrolled(chromium, hub, "maria")
    link = await maria.page.evaluate(
        "alarmhub.api.invite('Lånetelefon 1', true, '201').then(code => code.url)"
    )
    pool = PhonePage(await (await chromium.context(hub.url)).new_page())
    await pool.page.goto(link)
    await pool.shows("Ingen är inloggad på telefonen", "Den ringer inte förrän någon loggar in.")
    await SCREENS.take(pool.page, "pool-nobody")
    await no_barrier(pool.page)
    await sign_in(pool, "tove")
    await pool.connected()
    await pool.shows("Tove Vallin")
    await hub.press("a", **CALL)
    await pool.rings("Patientkallelse")
    await hub.call("POST", "/api/v1/signals", json={"ref": "a", "event": "end"})
    await pool.silent()

    await pool.press("Mer")
    await pool.press("Lämna över telefonen")
    await expect(pool.page.get_by_role("img", name="Kod")).to_be_visible()
    await SCREENS.take(pool.page, "pool-hand-over", whole=True)
    await no_barrier(pool.page)
    code = await pool.page.evaluate("alarmhub.offer.url")
    nils = await enrolled(chromium, hub, "nils")
    await nils.page.goto(code)
    await nils.shows("Ska du ta över lånetelefonen?", "bara om du har den i handen")
    await SCREENS.take(nils.page, "take-over")
    await no_barrier(nils.page)
    # Anybody could have sent him that link: nothing is his before he says so.
    await pool.shows("Tove Vallin")
    await nils.press("Ja")
    await nils.told("Telefonen är din nu.")
    await pool.shows("Nils Wiklund")
    await pool.shows_not("Tove Vallin")
    await hub.press("b", **CALL)
    await pool.rings("Patientkallelse", "Du är i vårdlaget där.")


async def test_a_link_does_not_take_a_phone_from_its_owner_unasked(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """Somebody sends a nurse a link: her phone stays hers until she says otherwise, and rings meanwhile."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await tove.page.goto(f"/phone#token={hub.house.phone_secrets['nils']}")
    await tove.shows("Telefonen är redan registrerad.")
    await SCREENS.take(tove.page, "replace")
    await no_barrier(tove.page)
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await hub.call("POST", "/api/v1/signals", json={"ref": "a", "event": "end"})
    await tove.silent()
    await tove.shows("Telefonen är redan registrerad.")
    await tove.press("Nej")
    await tove.connected()
    await tove.shows("Tove Vallin")
    await tove.page.goto(f"/phone#token={hub.house.phone_secrets['nils']}")
    await tove.press("Ja")
    await tove.connected()
    await tove.shows("Nils Wiklund")
