"""The parts of the phone app by themselves, as the browser runs them: what they compute, without a hub."""

from __future__ import annotations

import itertools
from importlib.resources import files
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, Route

from tests.support.browser import Chromium

STATIC = files("alarmhub.web").joinpath("static")


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Chromium) -> Page:
    """An empty page that can load the app's modules; no hub."""

    async def serve(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        body = STATIC.joinpath(name).read_text(encoding="utf-8") if name else "<title>parts</title>"
        await route.fulfill(body=body, content_type="text/javascript" if name else "text/html")

    one = await (await chromium.context("http://parts.test")).new_page()
    await one.route("**/*", serve)
    await one.goto("/")
    return one


async def computed(page: Page, module: str, expression: str) -> Any:
    """What an expression over a module's names (`m`) is."""
    return await page.evaluate(f"import('/static/{module}').then(m => {expression})")


async def test_bursts_have_the_structure_of_their_priority(page: Page) -> None:
    """High ten pulses as three and two, twice; medium three; low two; the sooner the worse."""
    bursts = {
        priority: await computed(page, "phone-sounds.js", f"m.burst('team', '{priority}')")
        for priority in ("high", "medium", "low", "information")
    }
    assert {name: len(one["pulses"]) for name, one in bursts.items()} == {
        "high": 10, "medium": 3, "low": 2, "information": 1,
    }  # fmt: skip
    at = [round(pulse["at"], 3) for pulse in bursts["high"]["pulses"]]
    gaps = [round(b - a - 0.15, 3) for a, b in itertools.pairwise(at)]
    assert gaps == [0.1, 0.1, 0.35, 0.1, 0.6, 0.1, 0.1, 0.35, 0.1]
    repeats = [bursts[name]["repeat"] for name in ("high", "medium", "low", "information")]
    assert repeats == sorted(repeats) and repeats[0] == 2.5
    louds = [bursts[name]["loud"] for name in ("high", "medium", "low", "information")]
    assert louds == sorted(louds, reverse=True)


async def test_kinds_sound_apart_and_within_the_range_of_a_small_speaker(page: Page) -> None:
    """No two kinds have the same tones at one priority; fundamentals lie between 150 and 1000 Hz."""
    kinds = [
        "patient_call", "toilet_call", "assistance", "emergency", "team", "assault", "clinical", "technical",
        "door", "request", "drill",
    ]  # fmt: skip
    tones = await computed(
        page, "phone-sounds.js", f"{kinds}.map(kind => m.burst(kind, 'high').pulses.map(p => p.hz))"
    )
    assert len({tuple(one) for one in tones}) == len(kinds)
    assert all(150 <= hz <= 1000 for one in tones for hz in one)


async def test_a_type_sounds_as_the_site_says_and_an_unknown_sound_as_its_kind(page: Page) -> None:
    """The site file names sounds; a name this app does not know changes nothing."""
    own, unknown, kind = await computed(
        page, "phone-sounds.js",
        "[m.burst('patient_call', 'low', 'team'), m.burst('patient_call', 'low', 'gong'),"
        " m.burst('patient_call', 'low')].map(b => b.pulses[0].hz)",
    )  # fmt: skip
    assert (own, unknown) == (523, kind)


async def test_the_night_profile_shakes_first_and_never_holds_high_back(page: Page) -> None:
    """Five seconds of shaking, then louder and louder; without a motor the sound begins at once."""
    shown = await computed(
        page, "phone-sounds.js",
        "[m.loudness('low', true, 0, true), m.loudness('low', true, 4.99, true),"
        " m.loudness('low', true, 5, true), m.loudness('low', true, 15, true),"
        " m.loudness('low', true, 60, true), m.loudness('low', true, 0, false),"
        " m.loudness('high', true, 0, true), m.loudness('low', false, 0, true)]",
    )  # fmt: skip
    assert shown[:2] == [0, 0]
    assert 0 < shown[2] < shown[3] < shown[4] == shown[7]
    assert shown[5] == shown[2]
    assert shown[6] == 1


async def test_attempts_spread_and_are_never_more_than_ten_seconds_apart(page: Page) -> None:
    """Thousands of phones that lost one hub must not come back as one."""
    least, most = await computed(
        page, "phone-socket.js", "[0, 1].map(c => [...Array(20).keys()].map(n => m.retryAfter(n, c)))"
    )
    assert all(low < high for low, high in zip(least, most, strict=True))
    assert most[0] <= 500 and most[-1] == 10_000 and max(most) <= 10_000
    assert most == sorted(most)


async def test_lower_revisions_are_ignored_and_what_was_not_sent_is_gone(page: Page) -> None:
    """The hub's word, in whatever order it comes."""
    shown = await computed(
        page, "phone-alarms.js",
        """(() => {
          const alarms = new m.Alarms();
          const frame = (id, rev) => ({ id, rev, priority: 'low', kind: 'door', raised_at: 1 });
          alarms.begin();
          alarms.show(frame('a', 3)); alarms.show(frame('b', 1));
          alarms.synced();
          const late = alarms.show(frame('a', 2));
          const stale = alarms.takeBack({ id: 'a', rev: 2 });
          alarms.begin();
          alarms.show(frame('b', 1));
          const gone = alarms.synced().map(one => one.id);
          return { late, stale: stale === undefined, gone, left: alarms.listed().map(one => one.id) };
        })()""",
    )  # fmt: skip
    assert shown == {"late": False, "stale": True, "gone": ["a"], "left": ["b"]}


async def test_only_what_a_phone_can_dial_becomes_a_link(page: Page) -> None:
    """A plant's words are not code."""
    dialled = await computed(
        page, "phone-alarms.js",
        """["+46 90-123 45", "5012", "tel:5012", "sip:sal12@sip.example", "javascript:alert(1)", "", null,
            "tel:<img>", "ring sal 12"].map(m.dialled)""",
    )  # fmt: skip
    assert dialled == ["tel:+469012345", "tel:5012", "tel:5012", "sip:sal12@sip.example", "", "", "", "", ""]


async def test_every_word_is_there_in_both_languages_and_none_says_kvittera(page: Page) -> None:
    """The two name the same facts."""
    words = await computed(
        page, "phone-words.js", "m.KEYS.map(key => [key, m.say(key, {}, 'sv'), m.say(key, {}, 'en')])"
    )
    assert len(words) > 200
    for key, swedish, english in words:
        assert swedish.strip() and english.strip(), key
        assert "kvitter" not in swedish.lower()
    facts = await computed(
        page, "phone-words.js",
        """m.KEYS.filter(key => { const seen = { sv: [], en: [] };
          for (const tongue of ['sv', 'en']) m.say(key, new Proxy({}, { get: (_, name) => {
            seen[tongue].push(String(name)); return ''; } }), tongue);
          return seen.sv.sort().join() !== seen.en.sort().join(); })""",
    )  # fmt: skip
    assert facts == []


async def test_the_browsers_language_decides(page: Page) -> None:
    """Neighbours read Swedish sooner than English; whoever else reads English."""
    chosen = await computed(
        page, "phone-words.js",
        "[['sv-SE'], ['en-GB', 'sv'], ['nb-NO', 'en'], ['fi-FI', 'sv'], ['de-DE']].map(m.languageOf)",
    )  # fmt: skip
    assert chosen == ["sv", "en", "sv", "sv", "en"]
