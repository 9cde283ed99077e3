"""The service worker: a shell for dead spots that is never stale, and pushes that say next to nothing."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from playwright.async_api import expect

from tests.browser.test_phone_rings import CALL
from tests.support.browser import Chromium, Screens
from tests.support.hub import House, Hub
from tests.support.phone_page import PhonePage, enrolled, enrols
from tests.support.waiting import until

STATIC = files("alarmhub.web").joinpath("static")
SCREENS = Screens("phone")
NOTES = """navigator.serviceWorker.ready.then(r => r.getNotifications())
  .then(all => all.map(n => ({ title: n.title, body: n.body, tag: n.tag, data: n.data })))"""


NOT_ASKED_YET = """() => {
  // A browser that has a person to ask, who says yes.
  let permission = 'default';
  Object.defineProperty(Notification, 'permission', { get: () => permission });
  Notification.requestPermission = async () => { permission = 'granted'; return permission; };
}"""


async def ready(phone: PhonePage) -> None:
    """The worker is in charge of the page's next requests."""
    await phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await phone.comes_true("caches.match('/static/phone-words.js').then(Boolean)", "the shell is kept")


async def pushed(phone: PhonePage, hub: Hub, data: str) -> None:
    """The browser's push service delivers this."""
    context = phone.page.context
    await context.grant_permissions(["notifications"], origin=hub.url)
    browser = await context.new_cdp_session(phone.page)
    seen: list[dict[str, Any]] = []
    browser.on("ServiceWorker.workerRegistrationUpdated", lambda said: seen.extend(said["registrations"]))
    await browser.send("ServiceWorker.enable")
    await until(lambda: bool(seen), "the registration is known")
    await browser.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": hub.url, "registrationId": seen[0]["registrationId"], "data": data},
    )


def test_the_shell_is_all_the_page_loads_and_nothing_that_is_not_there() -> None:
    """A module the worker does not keep would be missing in a dead spot; one it cannot have stops it."""
    worker = STATIC.joinpath("sw.js").read_text(encoding="utf-8")
    shell = set(re.findall(r'"/static/([^"]+)"', worker.partition("const SHELL = [")[2].partition("]")[0]))
    loaded = {"phone.js", "phone.css", "base.css", "icon.svg"}
    pending = ["phone.js"]
    while pending:
        text = STATIC.joinpath(pending.pop()).read_text(encoding="utf-8")
        for name in re.findall(r'from "\./([^"]+)"', text):
            if name not in loaded:
                loaded.add(name)
                pending.append(name)

    assert shell == loaded


async def test_the_app_opens_in_a_dead_spot_and_says_where_it_is(chromium: Chromium, hub: Hub) -> None:
    """Opened anew without a hub: the page is there, knows its phone, and warns."""
    tove = await PhonePage.open(chromium, hub, "tove", worker=True)
    await ready(tove)
    hub.kill()
    await tove.page.reload()
    await expect(tove.page.locator(".contact.lost")).to_be_attached(timeout=12_000)
    await tove.shows("INGEN KONTAKT", "TELEFONEN ÄR STUM")
    await tove.touch()
    await tove.comes_true("spied.tones > 0 && spied.shaken.length > 0", "it is heard and felt")
    await SCREENS.take(tove.page, "opened-without-hub")
    await hub.start()
    await expect(tove.page.locator(".contact.live")).to_be_attached(timeout=15_000)


async def test_an_update_is_there_at_the_next_load(chromium: Chromium, hub: Hub) -> None:
    """The network first: what the cache holds is for when there is none."""
    tove = await PhonePage.open(chromium, hub, "tove", worker=True)
    await ready(tove)
    await tove.page.evaluate(
        """caches.open('alarmhub-phone').then(cache => cache.put('/static/phone.js',
          new Response('document.title = "stale"', { headers: { 'Content-Type': 'text/javascript' } })))"""
    )
    await tove.page.reload()
    await tove.connected()
    assert await tove.page.title() == "Alarmhub"


async def test_a_push_shows_next_to_nothing_and_reports_that_it_rang(chromium: Chromium, hub: Hub) -> None:
    """ "Larm" and how urgent; the hub hears of it over HTTP, by this phone's secret."""
    tove = await PhonePage.open(chromium, hub, "tove", touched=False, worker=True)
    await ready(tove)
    alarm = (await hub.press("a", **CALL)).body["alarm"]
    await tove.rings("Patientkallelse")
    assert (await hub.house.alarms())["a"].told[0].rang_at is None
    await pushed(tove, hub, f'{{"alarm": "{alarm}", "rev": 1, "priority": "low", "drill": false}}')

    note = (await tove.comes_true(f"{NOTES}.then(all => all.length ? all : null)", "it is shown"))[0]
    assert note == {"title": "Larm", "body": "Låg", "tag": alarm, "data": {"alarm": alarm}}

    async def rang() -> bool:
        told = (await hub.house.alarms())["a"].told
        return any(one.staff == "tove" and one.rang_at is not None for one in told)

    await until(rang, "the receipt is stored")


async def test_a_push_that_says_nothing_still_wakes(chromium: Chromium, hub: Hub) -> None:
    """Damaged or empty: better one look too many than an alarm unseen."""
    tove = await PhonePage.open(chromium, hub, "tove", worker=True)
    await ready(tove)
    await pushed(tove, hub, "<not json>")
    note = (await tove.comes_true(f"{NOTES}.then(all => all.length ? all : null)", "it is shown"))[0]
    assert (note["title"], note["body"]) == ("Larm", "Hög")


async def test_notifications_allowed_at_the_apps_word_end_the_warning_at_once(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """The hub warned of a phone that may not notify: whoever allows it sees the warning go."""
    phone = await PhonePage.open(chromium, hub)
    await phone.page.add_init_script(f"({NOT_ASKED_YET})()")
    await phone.page.reload()
    await enrols(phone, "tove")
    warning = phone.page.get_by_text("Aviseringar är avstängda")
    await expect(warning).to_be_visible(timeout=15_000)
    await phone.press("Mer")
    await phone.press("Tillåt notiser")
    await expect(warning).to_have_count(0)


async def test_notifications_allowed_in_the_settings_end_the_warning_too(
    chromium: Chromium, people: House, hub: Hub
) -> None:
    """Behind the page's back, while it stays open."""
    phone = await enrolled(chromium, hub, "tove")
    warning = phone.page.get_by_text("Aviseringar är avstängda")
    await expect(warning).to_be_visible(timeout=15_000)
    await phone.page.context.grant_permissions(["notifications"], origin=hub.url)
    await expect(warning).to_have_count(0)
