"""Tells an HTTP source what became of its alarms: one POST of JSON for each status, to an address of its own.

The signals of such a source come in over the API; this is its way back, also for returned responsibility. A
status is taken once the source has answered 2xx within the deadline. Anything else is tried again by the
outbox under the same `Idempotency-Key`, so that a source whose answer was lost counts it once. It refuses to
follow redirects (a secret must not wander), to read what else is answered, and to take signals.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Meta, Struct

from alarmhub.core.effects import Report
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.settings import Name
from alarmhub.ports import DeliveryFailed
from alarmhub.secret import Secret

AT_ONCE: Final = 2
"""Connections to one source. The outbox sends one status after the other."""

_NO_URL: Final = "expected http://HOST or https://HOST"

_encode = msgspec.json.Encoder().encode


class CallbackLink(Struct, frozen=True):
    """`[[callback]]`: where one HTTP source is told back. `ca_file`: a PEM of the authority to trust instead
    of the system's."""

    source: Name
    url: Annotated[str, Meta(min_length=1, max_length=500)]
    secret: Secret | None = None
    answer_within_s: Annotated[float, Meta(gt=0, le=15)] = 5.0
    ca_file: Annotated[str, Meta(min_length=1)] | None = None

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = []
        if (fault := _url_fault(self.url)) is not None:
            faults.append(f"url: {fault}")
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            faults.append("ca_file: no such file")
        return faults

    def listens(self) -> tuple[str, int] | None:
        """It does not."""
        return None


def _url_fault(text: str) -> str | None:
    try:
        url = urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
            return _NO_URL
    except ValueError:
        return _NO_URL
    return "holds a password; use secret" if "@" in url.netloc else None


class Told(Struct, frozen=True, omit_defaults=True):
    """What is posted. `at`: when it was decided, epoch ms; `staff`: whom it is about, where a source hears of
    each person."""

    alarm: str
    ref: str
    key: str
    status: str
    at: int
    staff: str = ""
    name: str = ""
    role: str = ""


class CallbackAdapter:
    """The way back to one HTTP source. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: CallbackLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Nothing is opened before there is something to tell. Raises OSError when `ca_file` is unusable."""
        trusted = ssl.create_default_context(cafile=self._settings.ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=trusted),
            timeout=aiohttp.ClientTimeout(total=self._settings.answer_within_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close; what is being told then is told again after the next start."""
        if self._session is not None:
            await self._session.close()

    @property
    def port(self) -> int:
        """It does not listen."""
        return 0

    async def report(self, report: Report, alarm: str) -> None:
        """Post it. Returns once the source answered 2xx; raises DeliveryFailed otherwise."""
        if self._session is None or self._session.closed:
            raise DeliveryFailed("not open")
        told = Told(
            alarm=alarm,
            ref=report.ref,
            key=report.key,
            status=str(report.status),
            at=report.at,
            staff=report.staff,
            name=report.name,
            role=report.role,
        )
        try:
            async with self._session.post(
                self._settings.url,
                data=_encode(told),
                headers=self._headers(told),
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            cause = type(error).__name__
            self._feed.answered(f"{told.status}: {cause}")
            raise DeliveryFailed(f"callback: {cause}") from error
        self._feed.answered(f"{told.status}: HTTP {status}")
        if not 200 <= status < 300:
            raise DeliveryFailed(f"callback: HTTP {status}")

    def _headers(self, told: Told) -> dict[str, str]:
        # Staff ids may hold letters that a header may not.
        staff = told.staff.encode("ascii", "backslashreplace").decode()
        key = ".".join(filter(None, (told.alarm, str(told.at), told.status, staff)))
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._settings.secret is not None:
            headers["Authorization"] = f"Bearer {self._settings.secret.reveal()}"
        return headers
