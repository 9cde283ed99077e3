"""Debian's Chromium for the tests of the pages: contexts like a phone or a screen, axe-core, pictures.

A page that logs an error, throws, or breaks its Content-Security-Policy fails its test. Nothing here sleeps:
wait for what must come to be, with `page.wait_for_…` or Playwright's `expect`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions",
    # As on a phone: sound only after somebody has touched the page.
    "--autoplay-policy=document-user-activation-required",
)  # fmt: skip
NARROW: Final = {"width": 360, "height": 740}
WIDE: Final = {"width": 1280, "height": 800}
WITHIN_MS: Final = 8_000
SCREENS: Final = Path(__file__).parents[2] / "tests-out" / "screens"
"""Where the pictures are, a folder for each area of pages."""
AXE: Final = files("axe_playwright_python").joinpath("axe.min.js")
LEVELS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
BROKEN_NETWORK: Final = re.compile(
    r"net::ERR|WebSocket connection to .* failed|Failed to load resource|Failed to fetch|"
    r"is closed before the connection|unknown error occurred when fetching the script"
)
"""What Chromium itself says of a hub that is away; not the page's fault."""


def executable() -> str:
    """Chromium's path, or the test is skipped by name."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    return path


class Chromium:
    """One browser for all tests; every page gets a context (cookies, storage) of its own.

    `faults`: what pages did wrong since `begin`; a test ends with `end`, which fails when there is any.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.faults: list[str] = []
        self._contexts: list[BrowserContext] = []

    @classmethod
    async def start(cls, playwright: Playwright) -> Chromium:
        return cls(await playwright.chromium.launch(executable_path=executable(), args=list(FLAGS)))

    async def context(
        self,
        base_url: str,
        *,
        size: dict[str, int] = NARROW,
        locale: str = "sv-SE",
        dark: bool = False,
        worker: bool = False,
        **more: Any,
    ) -> BrowserContext:
        """A fresh profile, by default a phone held upright whose owner reads Swedish. `worker`: with the
        service worker, which fetches every file once more and so is left out of most tests."""
        narrow = size["width"] < 600
        context = await self.browser.new_context(
            base_url=base_url, viewport=size, locale=locale, has_touch=narrow, is_mobile=narrow,
            device_scale_factor=2 if narrow else 1, color_scheme="dark" if dark else "light",
            service_workers="allow" if worker else "block", **more,
        )  # fmt: skip
        context.set_default_timeout(WITHIN_MS)
        self._contexts.append(context)
        context.on("weberror", lambda error: self.faults.append(f"threw: {error.error}"))
        context.on("console", self._console)
        return context

    async def page(self, base_url: str, path: str, **context: Any) -> Page:
        """A page in a profile of its own, loaded; options as for `context`."""
        page = await (await self.context(base_url, **context)).new_page()
        await page.goto(path)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not BROKEN_NETWORK.search(message.text):
            self.faults.append(f"logged: {message.text}")

    def begin(self) -> None:
        """A test begins."""
        self.faults.clear()

    async def end(self) -> None:
        """Closes what the test opened, and fails when a page did something wrong."""
        while self._contexts:
            await self._contexts.pop().close()
        assert not self.faults, "\n".join(self.faults)


async def no_barrier(page: Page, *, besides: Sequence[str] = ()) -> None:
    """axe-core finds nothing on the page as it is now, at WCAG 2.2 AA and its best practices. `besides`: ids
    of rules left out, each with its reason beside the call."""
    if not await page.evaluate("typeof window.axe === 'object'"):
        # As the debugger's own script: the page's policy lets in no script but the hub's.
        await page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    found: dict[str, Any] = await page.evaluate(
        "options => axe.run(document, options)",
        {
            "runOnly": {"type": "tag", "values": list(LEVELS)},
            "rules": {rule: {"enabled": False} for rule in besides},
            "resultTypes": ["violations"],
        },
    )
    assert not found["violations"], "\n".join(_told(found["violations"]))


def _told(violations: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in violations:
        for node in one["nodes"]:
            yield f"{one['id']}: {one['help']}: {node['html'][:200]} ({node.get('failureSummary', '')[:300]})"


async def small_targets(page: Page, least_px: int = 48) -> list[str]:
    """Whatever can be pressed on the page now and is smaller than a gloved finger needs."""
    return await page.evaluate(
        """least => [...document.querySelectorAll('button, a[href], input, select, summary, [role=button]')]
          .filter(one => one.checkVisibility() && getComputedStyle(one).position !== 'absolute')
          .map(one => [one, (one.closest('label') ?? one).getBoundingClientRect()])
          .filter(([, box]) => box.width < least - 0.5 || box.height < least - 0.5)
          .map(([one, box]) => `${one.outerHTML.slice(0, 99)} ${box.width}x${box.height}`)""",
        least_px,
    )


async def sideways(page: Page) -> list[str]:
    """Elements that stick out of the page's width: nobody scrolls sideways with one hand."""
    return await page.evaluate(
        """() => { const wide = document.documentElement.clientWidth;
          return [...document.body.querySelectorAll('*')]
            .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > wide + 1)
            .map(one => one.outerHTML.slice(0, 120)); }"""
    )


class Screens:
    """Pictures of pages and states, for people to look at: `tests-out/screens/AREA/NAME.png`."""

    def __init__(self, area: str) -> None:
        self.folder = SCREENS / area

    async def take(self, page: Page, name: str, *, whole: bool = False) -> Path:
        """What the page looks like now; `whole`: also what lies below the fold."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        await page.screenshot(path=path, full_page=whole, animations="disabled")
        return path
