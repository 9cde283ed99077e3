"""The phone app in a browser, as somebody on the ward uses it: what is on the screen, and what is pressed.

It finds things as people do, by their words and roles. Everything waits for a condition, nothing for a time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.support.browser import Chromium
from tests.support.hub import Hub
from tests.support.waiting import until

PASSWORD = "granar-i-snön-7"
"""Everybody's, where people have accounts."""
LISTEN = """() => {
  // What the app tells the hub and what it makes the phone do, for tests to read.
  window.spied = { sent: [], shaken: [], tones: 0, touched: false };
  // The debugger counts as a touch to the browser, and must not to us.
  document.addEventListener('pointerdown', () => { spied.touched = true; }, true);
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    spied.sent.push(JSON.parse(data));
    return send.call(this, data);
  };
  navigator.vibrate = pattern => {
    if (spied.touched) spied.shaken.push(pattern);
    return spied.touched;
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { spied.tones += 1; return start.apply(this, when); };
}"""


class PhonePage:
    """One phone: a page at /phone in a profile of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(
        cls, chromium: Chromium, hub: Hub, staff: str = "", *, touched: bool = True, **context: Any
    ) -> PhonePage:
        """Opens the app; for `staff` with the developer's link, connected; `touched`: it sounds."""
        one = await chromium.context(hub.url, **context)
        await one.add_init_script(f"({LISTEN})()")
        phone = cls(await one.new_page())
        secret = hub.house.phone_secrets.get(staff, "")
        await phone.page.goto(f"/phone#token={secret}" if staff else "/phone")
        if staff:
            await phone.connected()
        if staff and touched:
            await phone.touch()
        return phone

    async def connected(self) -> None:
        await expect(self.page.locator(".contact.live")).to_be_attached()

    async def touch(self) -> None:
        """The tap at the beginning of a shift that turns the sound on."""
        await self.page.locator(".banner.mute").click()
        await expect(self.page.locator(".banner.mute")).to_have_count(0)

    # What is on the screen

    @property
    def ringing(self) -> Locator:
        """The screen that covers everything while it rings."""
        return self.page.locator(".over")

    async def rings(self, *words: str) -> None:
        for word in words:
            await expect(self.ringing).to_contain_text(word)

    async def silent(self) -> None:
        await expect(self.ringing).to_have_count(0)

    async def shows(self, *words: str) -> None:
        for word in words:
            await expect(self.page.locator("#app")).to_contain_text(word)

    async def shows_not(self, *words: str) -> None:
        for word in words:
            await expect(self.page.locator("#app")).not_to_contain_text(word)

    async def told(self, words: str) -> None:
        """A short message, which a screen reader hears as well."""
        await expect(self.page.locator("#spoken")).to_contain_text(words)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def buttons(self) -> list[str]:
        """The answers offered now."""
        return await self.page.locator("[data-do=answer]").all_inner_texts()

    # What it did

    async def sent(self, kind: str) -> list[dict[str, Any]]:
        """Frames of this type the page has sent."""
        return await self.page.evaluate("kind => spied.sent.filter(f => f.type === kind)", kind)

    async def comes_true(self, expression: str, what: str, *, within_s: float = 8) -> Any:
        """Waits for a JavaScript expression; its value. (Playwright's own waiting is forbidden by the page's
        Content-Security-Policy.)"""
        return await until(lambda: self.page.evaluate(expression), what, within_s=within_s)

    async def has_sent(self, kind: str) -> dict[str, Any]:
        """Waits for a frame of this type; the first."""
        return await self.comes_true(f"spied.sent.find(f => f.type === '{kind}') ?? null", f"{kind} is sent")

    async def sounds(self) -> None:
        """An alarm is on its way to the loudspeaker, again and again."""
        await self.comes_true(
            "alarmhub.ringer.canSound && spied.tones > 0 && alarmhub.ringer.current", "sound"
        )

    async def makes_no_sound(self) -> None:
        await self.comes_true("alarmhub.ringer.sounding.length === 0 && !alarmhub.ringer.current", "silence")


async def sign_in(phone: PhonePage, login: str) -> None:
    """Types name and password into the form on the screen."""
    await phone.page.get_by_label("Användarnamn").fill(login)
    await phone.page.get_by_label("Lösenord").fill(PASSWORD)
    await phone.press("Logga in")


async def enrolled(chromium: Chromium, hub: Hub, staff: str) -> PhonePage:
    """A phone that this person enrolled, signed in, connected and touched."""
    phone = await PhonePage.open(chromium, hub)
    await enrols(phone, staff)
    return phone


async def enrols(phone: PhonePage, staff: str) -> None:
    """Signs in and enrols the phone in hand."""
    await sign_in(phone, staff)
    await phone.press("Registrera telefonen")
    await phone.connected()


class Cable:
    """A TCP line between phones and the hub's socket that can be cut: what is sent then goes nowhere, and
    nobody is told, as when somebody walks into a lift."""

    def __init__(self) -> None:
        self.to = 0
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
            pumps = [
                asyncio.ensure_future(self._pump(reader, far_writer)),  # noqa: TID251  no hub's task
                asyncio.ensure_future(self._pump(far_reader, writer)),  # noqa: TID251
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
                far_writer.close()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._whole.wait()
            writer.write(data)
            await writer.drain()
