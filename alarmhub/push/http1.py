"""POST to push services over HTTP/1.1: one long-lived session for all, and a fresh connection for a retry.

Connections are kept and shared; but when a firewall has forgotten them all, every one of them is silent, so a
second attempt never takes one of those. It refuses to follow redirects (a secret must not wander), to read
more of an answer than its beginning, and to keep cookies.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from msgspec import Struct

from alarmhub.push.transport import Outcome, Sent

BODY_MOST: Final = 8_192
KEPT_S: Final = 55.0
"""Seconds an idle connection is kept: less than the common minute of proxies and firewalls."""
NAMES_KEPT_S: Final = 60


class Unanswered(Exception):
    """No answer came. `unseen`: the peer surely has not acted on the request; `is_ours`: we called nobody."""

    def __init__(self, why: str, *, unseen: bool, is_ours: bool = False) -> None:
        super().__init__(why)
        self.unseen, self.is_ours = unseen, is_ours

    def sent(self) -> Sent:
        """What it means for a push: LATER or LOST, and tried again at once."""
        return Sent(Outcome.LATER if self.unseen else Outcome.LOST, str(self))


class Forbidden(OSError):
    """Raised by a resolver: this name must not be called."""


class Answer(Struct, frozen=True):
    """The beginning of an answer."""

    status: int
    retry_after: str | None
    body: bytes


class Wire:
    """The sessions. `at_once`: most connections of each; `resolver`: who finds addresses. Make it inside a
    running event loop."""

    def __init__(
        self, *, at_once: int, ca_file: str | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._at_once, self._ca_file, self._resolver = at_once, ca_file, resolver
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Raises OSError (ssl.SSLError is one) when `ca_file` cannot be used."""
        trusted = ssl.create_default_context(cafile=self._ca_file)
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        self._kept = self._session(
            aiohttp.TCPConnector(
                limit=self._at_once,
                ssl=trusted,
                keepalive_timeout=KEPT_S,
                ttl_dns_cache=NAMES_KEPT_S,
                resolver=self._resolver,
            )
        )
        self._fresh = self._session(
            aiohttp.TCPConnector(
                limit=self._at_once,
                ssl=trusted,
                force_close=True,
                ttl_dns_cache=NAMES_KEPT_S,
                resolver=self._resolver,
            )
        )

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            # Deadlines are the callers': each push has one of its own.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None, sock_read=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            requote_redirect_url=False,
        )

    async def stop(self) -> None:
        """Close all; what is under way fails."""
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, is_fresh: bool = False
    ) -> Answer:
        """Raises Unanswered. Give it a deadline."""
        session = self._fresh if is_fresh else self._kept
        if session is None or session.closed:
            raise Unanswered("not open", unseen=True)
        try:
            async with session.post(url, headers=headers, data=body, allow_redirects=False) as answer:
                said = b""
                async for chunk in answer.content.iter_chunked(BODY_MOST):
                    said += chunk
                    if len(said) >= BODY_MOST:
                        answer.close()
                        break
                return Answer(answer.status, answer.headers.get("Retry-After"), said[:BODY_MOST])
        except aiohttp.ClientConnectorDNSError as exc:
            is_ours = isinstance(exc.os_error, Forbidden)
            raise Unanswered(f"no address: {exc.os_error}", unseen=True, is_ours=is_ours) from exc
        except aiohttp.ClientConnectorError as exc:
            raise Unanswered(f"no connection: {exc.os_error.strerror or exc}", unseen=True) from exc
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RuntimeError) as exc:
            raise Unanswered(f"no answer: {type(exc).__name__}", unseen=False) from exc
