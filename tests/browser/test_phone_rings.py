"""The phone app and a real hub: it rings, people answer, the others see it."""

from __future__ import annotations

from tests.support.browser import Chromium, Screens, no_barrier, sideways, small_targets
from tests.support.hub import Hub
from tests.support.phone_page import PhonePage

SCREENS = Screens("phone")
BED = "backa/201/12/2"
CALL = {"place": BED, "type": "patientkallelse", "text": "201 sal 12 plats 2 Kallelse"}


async def test_it_rings_and_who_takes_it_silences_the_others(chromium: Chromium, hub: Hub) -> None:
    """The whole way: pressed, rung, taken, there, and reset in the room."""
    tove = await PhonePage.open(chromium, hub, "tove")
    nils = await PhonePage.open(chromium, hub, "nils")
    await SCREENS.take(tove.page, "calm")
    await no_barrier(tove.page)

    await hub.press("a", **CALL)
    for phone in (tove, nils):
        await phone.rings(
            "Patientkallelse", "Låg", "Medicin 201", "201 sal 12 plats 2 Kallelse", "Ingen har tagit det"
        )
        assert await phone.buttons() == ["På plats", "Kan inte", "Jag tar den"]
        await phone.sounds()
        await phone.has_sent("rang")
    await tove.rings("Du är i vårdlaget där.", "Nils Wiklund", "Går vidare om")
    await SCREENS.take(tove.page, "ringing-low")
    await no_barrier(tove.page)
    assert await small_targets(tove.page) == []
    assert await sideways(tove.page) == []

    await tove.press("Jag tar den")
    await tove.silent()
    await tove.makes_no_sound()
    await nils.silent()
    await nils.told("Tove Vallin tar den")
    await nils.shows("Inga larm")
    await nils.makes_no_sound()
    await tove.shows("Du tar det")
    await SCREENS.take(tove.page, "accepted-list")
    await SCREENS.take(nils.page, "taken-by-colleague")


async def test_a_team_alarm_silences_nobody(chromium: Chromium, hub: Hub) -> None:
    """Each phone stops by its own answer; the others see who comes."""
    tove = await PhonePage.open(chromium, hub, "tove")
    nils = await PhonePage.open(chromium, hub, "nils", dark=True)
    await hub.press("team", place="backa/201/12", type="hjartlarm")
    for phone in (tove, nils):
        await phone.rings("Hjärtlarm vuxen", "Hög", "sal 12", "Du är i larmteamet.")
        await phone.sounds()
    await SCREENS.take(tove.page, "ringing-team")
    await SCREENS.take(nils.page, "ringing-team-dark")
    await no_barrier(nils.page)

    await tove.press("Jag tar den")
    await tove.silent()
    await nils.rings("Tas av Tove Vallin", "Fler behövs")
    await nils.sounds()
    assert "Jag tar den" in await nils.buttons()
    await SCREENS.take(nils.page, "team-partly-dark")

    await tove.press("På plats")
    await tove.shows("Du är på plats")
    await SCREENS.take(tove.page, "attending")
    await no_barrier(tove.page)


async def test_a_second_tap_on_what_has_just_appeared_says_nothing(chromium: Chromium, hub: Hub) -> None:
    """Klar comes where På plats was: a gloved finger that taps twice must not end a team alarm."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("team", place="backa/201/12", type="hjartlarm")
    await tove.rings("Hjärtlarm vuxen")
    await tove.page.evaluate(
        """() => new MutationObserver(() => {
          const done = document.querySelector('.take [data-answer=done]');
          if (done !== null && !window.tapped) { window.tapped = true; done.click(); }
        }).observe(document.body, { subtree: true, childList: true, attributes: true })"""
    )
    await tove.press("Jag tar den")
    await tove.press("På plats")
    await tove.shows("Du är på plats", "Klar")
    assert await tove.page.evaluate("window.tapped") and await tove.sent("done") == []
    await tove.press("Klar")
    await tove.has_sent("done")


async def test_who_cannot_says_so_and_the_colleague_rings_on(chromium: Chromium, hub: Hub) -> None:
    """Kan inte: silent here, and shown as gone."""
    tove = await PhonePage.open(chromium, hub, "tove")
    nils = await PhonePage.open(chromium, hub, "nils")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await tove.press("Kan inte")
    await tove.silent()
    await tove.told("Svarat: kan inte.")
    await tove.shows("Inga larm")
    await nils.rings("Vilka fler?", "Bara du just nu.")


async def test_alone_at_night_is_coming_soon_and_cover_rings_at_once(chromium: Chromium, hub: Hub) -> None:
    """Whoever is alone on the ward has Kommer strax instead of Kan inte."""
    karin = await PhonePage.open(chromium, hub, "karin", dark=True)
    maria = await PhonePage.open(chromium, hub, "maria")
    await hub.press("a", place="backa/205/3/1", type="patientkallelse")
    await karin.rings("Geriatrik 205")
    assert await karin.buttons() == ["På plats", "Kommer strax", "Jag tar den"]
    await SCREENS.take(karin.page, "alone-dark")

    await karin.press("Kommer strax")
    await karin.silent()
    await karin.shows("Du kommer strax")
    await maria.rings("Geriatrik 205", "Du svarar för enheten (samdrift).")


async def test_mute_answers_nothing_and_counts_as_looked_at(chromium: Chromium, hub: Hub) -> None:
    """Silent on this phone only, until the next turn; the alarm goes on."""
    tove = await PhonePage.open(chromium, hub, "tove")
    nils = await PhonePage.open(chromium, hub, "nils")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await tove.press("Tysta här")
    await tove.silent()
    await tove.makes_no_sound()
    await tove.has_sent("seen")
    assert await tove.sent("accept") == [] and await tove.sent("decline") == []
    await tove.shows("Tystad på den här telefonen", "sal 12 plats 2")
    await SCREENS.take(tove.page, "muted")
    await nils.rings("Patientkallelse")
    await nils.sounds()


async def test_the_most_urgent_is_on_top_and_all_can_be_seen(chromium: Chromium, hub: Hub) -> None:
    """A worse alarm takes the screen; behind it the others wait, and each has rung."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await hub.press("w", place="backa/201/11/wc", type="wc-kallelse")
    await tove.rings("WC-kallelse", "Medel", "1 larm till ringer")
    await hub.press("e", place="backa/201/11", type="akutlarm", text="201 sal 11 AKUT")
    await tove.rings("Akutlarm", "Hög", "2 larm till ringer")
    await tove.comes_true(
        "new Set(spied.sent.filter(f => f.type === 'rang').map(f => f.alarm)).size === 3", "each has rung"
    )
    await SCREENS.take(tove.page, "ringing-high")

    await tove.page.get_by_role("button", name="2 larm till ringer").click()
    await tove.silent()
    cards = tove.page.locator(".alarm .what")
    assert await cards.all_inner_texts() == ["Akutlarm", "WC-kallelse", "Patientkallelse"]
    await tove.sounds()
    await SCREENS.take(tove.page, "list")
    await no_barrier(tove.page)
    assert await small_targets(tove.page) == []
    assert await sideways(tove.page) == []


async def test_what_rings_stays_on_top_while_others_end(chromium: Chromium, hub: Hub) -> None:
    """The alarm in hand is reset in the room: what rings meanwhile is not put aside with it."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL)
    await tove.rings("Patientkallelse")
    await tove.press("Jag tar den")
    await tove.shows("Du tar det")
    await hub.press("w", place="backa/201/11/wc", type="wc-kallelse")
    await tove.rings("WC-kallelse")
    await hub.call("POST", "/api/v1/signals", json={"ref": "a", "event": "end"})
    await tove.told("Återställd i rummet")
    await tove.rings("WC-kallelse")
    await tove.sounds()


async def test_an_assault_is_dark_on_the_victims_phone(chromium: Chromium, hub: Hub) -> None:
    """The others ring; who carries the button sees and hears nothing, and nothing was sent there."""
    nils = await PhonePage.open(chromium, hub, "nils")
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("x", place="backa/201/larm-1", type="overfall")
    await tove.rings("Överfallslarm", "Hög")
    await SCREENS.take(tove.page, "ringing-assault")
    await nils.shows("Inga larm")
    await nils.silent()
    assert await nils.sent("rang") == [] and await nils.page.evaluate("alarmhub.alarms.shown.size") == 0


async def test_take_over_more_time_and_give_back(chromium: Chromium, hub: Hub) -> None:
    """What an acceptor can do, and what a colleague can."""
    tove = await PhonePage.open(chromium, hub, "tove")
    await hub.press("a", **CALL, callback="+46 90 123 45")
    await tove.rings("Patientkallelse")
    await tove.press("Jag tar den")
    await tove.shows("Påminnelse om")
    assert set(await tove.buttons()) >= {"På plats", "Hjälp hit", "Lämna tillbaka", "Mer tid"}
    await SCREENS.take(tove.page, "accepted")
    await tove.press("Mer tid")
    await tove.told("Tre minuter till.")
    await tove.press("Lämna tillbaka")
    await tove.told("Lämnad tillbaka.")


async def test_english_is_spoken_to_who_reads_english(chromium: Chromium, hub: Hub) -> None:
    """By the browser's language; places and types stay the site's."""
    tove = await PhonePage.open(chromium, hub, "tove", locale="en-GB")
    assert await tove.page.evaluate("document.documentElement.lang") == "en"
    await tove.shows("No alarms", "Available")
    await hub.press("a", **CALL)
    await tove.rings("Patient call", "Low", "Nobody has taken it", "You are in the care team there.")
    assert await tove.buttons() == ["I'm there", "Can't", "I'll take it"]
    await SCREENS.take(tove.page, "ringing-english")
    await no_barrier(tove.page)
