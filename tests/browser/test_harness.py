"""The browser itself, and the look all pages share: contrast that can be read, faults that are noticed."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage
from tests.support.browser import WIDE, Chromium, no_barrier, sideways, small_targets
from tests.support.hub import Hub

SAMPLE = """() => {
  const main = document.querySelector('main');
  const names = ['primary', 'danger', '', 'banner bad', 'banner warn', 'banner good', 'banner plain', 'soft'];
  for (const name of names) {
    const one = document.createElement(/banner|soft/.test(name) ? 'p' : 'button');
    one.className = name;
    one.textContent = name || 'button';
    main.append(one);
  }
  for (const level of ['high', 'medium', 'low', 'information', 'drill']) {
    const one = document.createElement('p');
    one.textContent = level;
    one.style.color = `var(--${level}-ink)`;
    one.style.background = `var(--${level})`;
    main.append(one);
  }
  main.insertAdjacentHTML('afterbegin', '<h1>Sample</h1>');
}"""


@pytest.mark.parametrize("dark", [False, True])
async def test_the_shared_look_can_be_read_and_pressed(chromium: Chromium, hub: Hub, dark: bool) -> None:
    """Every colour pair of base.css, in light and dark."""
    page = await (await chromium.context(hub.url, size=WIDE, dark=dark)).new_page()
    await page.route("**/phone.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    await page.goto("/phone")
    await page.evaluate(SAMPLE)

    await no_barrier(page)
    assert await small_targets(page) == []
    assert await sideways(page) == []


async def test_a_page_that_breaks_its_own_policy_is_noticed(chromium: Chromium, open_page: OpenPage) -> None:
    """Inline script is refused by the browser, and the test would fail for it."""
    page = await open_page("/phone")
    async with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        await page.evaluate(
            "() => { const s = document.createElement('script'); s.text = '1'; document.body.append(s); }"
        )

    assert len(chromium.faults) == 1
    chromium.faults.clear()
