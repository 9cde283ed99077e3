"""Two HTTP/2 connections to one provider, opened before they are needed and kept open.

Requests go to the calmer one; a second attempt goes to the other. One that is lost, or whose peer says it
goes away, is opened again, at once the first time and then with back-off, sooner when somebody waits for it.
Opening belongs to a task of its own: who gives up waiting for a connection ends nobody else's wait. It
refuses to send anything itself.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

from alarmhub import logs
from alarmhub.logs import Line
from alarmhub.push.http2 import Broken, Link
from alarmhub.tasks import Crew, end, spawn

HOW_MANY: Final = 2
OPEN_WITHIN_S: Final = 3.0
LASTED_S: Final = 10.0
"""A connection that lived so long was a good one, even if nothing was sent on it."""
BACKOFF_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STOPPED: Final = "the hub stops pushing"
WANTED_AFTER_S: Final = 0.25
"""The shortest wait between two tries while somebody waits for a connection."""

_log = logs.get("push")


class Links:
    """The connections to `endpoint` (https://HOST, or http://HOST on this machine). `ca_file` as in the
    settings. Make it inside a running event loop."""

    def __init__(self, provider: str, endpoint: str, *, ca_file: str | None, crew: Crew) -> None:
        url = urlsplit(endpoint)
        self._provider, self._crew = provider, crew
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._has_tls, self._ca_file = url.scheme == "https", ca_file
        self._tls: ssl.SSLContext | None = None
        self._slots: list[Link | None] = [None] * HOW_MANY
        self._leaving: set[Link] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._is_stopped = False
        self.fault = ""
        """Why the newest try to connect failed; "" after one that did not."""

    @property
    def count(self) -> int:
        """Connections open now."""
        return sum(link is not None for link in self._slots) + len(self._leaving)

    def start(self) -> None:
        """Begin to connect. Raises OSError (ssl.SSLError is one) when `ca_file` cannot be used."""
        if self._has_tls:
            self._tls = ssl.create_default_context(cafile=self._ca_file)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._tls.set_alpn_protocols(["h2"])
        self._keepers = [
            spawn(self._keep(slot), f"push {self._provider} connection {slot}", self._crew, ends=True)
            for slot in range(HOW_MANY)
        ]

    async def stop(self) -> None:
        """Close all; what is under way on them, or waits for one, fails."""
        self._is_stopped = True
        self._changed()
        await end(*self._keepers)
        links = [link for link in self._slots if link is not None] + list(self._leaving)
        for link in links:
            link.abort(STOPPED)
        if links:
            await asyncio.wait([link.closed for link in links])
        self._keepers = []

    async def link(self, *, other_than: Link | None = None) -> Link:
        """The calmest usable connection, another one than named where there is one. Waits for one to open:
        give it a deadline. Raises Broken when they are closed."""
        while (best := self._best(other_than)) is None:
            if self._is_stopped:
                raise Broken(STOPPED, unseen=True)
            self._wanted.set()
            await self._news.wait()
        return best

    def _best(self, other_than: Link | None) -> Link | None:
        usable = [link for link in self._slots if link is not None and link.usable]
        if len(usable) > 1 or (other_than is not None and other_than.in_doubt):
            usable = [link for link in usable if link is not other_than]
        return min(usable, key=lambda link: (link.in_doubt, link.in_flight), default=None)

    def _changed(self) -> None:
        # Whoever waits now looks again; whoever comes later looks first.
        self._news.set()
        self._news.clear()

    async def _keep(self, slot: int) -> None:
        failures = 0
        while True:
            link = await self._opened()
            if link is not None and await self._lasted(slot, link):
                failures = 0
                continue
            # A peer that only says hello must not be called without end.
            failures += 1
            await self._pause(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1])

    async def _lasted(self, slot: int, link: Link) -> bool:
        """Keep it until it is lost or leaves; whether it was of any use."""
        opened_at = asyncio.get_running_loop().time()
        self._slots[slot] = link
        self._changed()
        while not link.leaving:
            await self._news.wait()
        self._slots[slot] = None
        if not link.closed.done():
            self._leaving.add(link)
            link.closed.add_done_callback(lambda _: self._leaving.discard(link))
        _log.info(Line.PUSH_DISCONNECTED, transport=self._provider, cause=link.cause, answered=link.answered)
        return link.answered > 0 or asyncio.get_running_loop().time() - opened_at >= LASTED_S

    async def _opened(self) -> Link | None:
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                link = await self._connected()
        except (OSError, TimeoutError, UnicodeError) as exc:
            fault = f"no connection to {self._host}:{self._port}: {str(exc) or type(exc).__name__}"
            if fault != self.fault:
                _log.warning(Line.PUSH_UNREACHABLE, transport=self._provider, cause=fault)
            self.fault = fault
            return None
        self.fault = ""
        _log.info(Line.PUSH_CONNECTED, transport=self._provider, host=self._host)
        return link

    async def _connected(self) -> Link:
        transport, link = await asyncio.get_running_loop().create_connection(
            lambda: Link(self._changed),
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
        )
        spoken = transport.get_extra_info("ssl_object")
        try:
            if spoken is not None and spoken.selected_alpn_protocol() != "h2":
                raise OSError("it does not speak HTTP/2")
            await link.greeted
        except BaseException:
            link.abort("given up before it was open")
            raise
        return link

    async def _pause(self, seconds: float) -> None:
        """Until it is time to try again; sooner when a connection is wanted, never at once."""
        shortest = min(seconds, WANTED_AFTER_S)
        await asyncio.sleep(shortest)
        self._wanted.clear()
        self._changed()
        try:
            async with asyncio.timeout(seconds - shortest):
                await self._wanted.wait()
        except TimeoutError:
            pass
