"""Wakes browsers (the phone page, installed or not) by the push service that each browser names.

One session serves all of them, and a fresh connection a retry (`http1`); `endpoints` says which services may
be called at all, `vapid` who we are to them, `webpush_note` what is said. It refuses redirects, and to call
anything inside the hospital's network whatever name it hides behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver
from py_vapid import VapidException

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.people import PushTarget
from alarmhub.push import webpush_note
from alarmhub.push.endpoints import PublicResolver, endpoint_fault, origin, service
from alarmhub.push.http1 import Unanswered, Wire
from alarmhub.push.passage import Passage
from alarmhub.push.retry_after import retry_after_s
from alarmhub.push.settings import WebPushSettings
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.push.vapid import VapidClaims, VapidFault, VapidKey

LOOPBACK: Final = ""
"""The service of what is on this machine."""

_log = logs.get("push")


class WebPush:
    """The transport (`transport.Transport`). Make it inside a running event loop. `resolver` is an argument
    for tests alone: who finds addresses."""

    name = "webpush"

    def __init__(
        self,
        settings: WebPushSettings,
        *,
        data_dir: Path,
        clock: Clock,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings, self._data_dir, self._clock = settings, data_dir, clock
        # A passage for each service, so that a silent one holds up its own browsers only.
        self._passages = {
            name: Passage(at_once=settings.at_once, within_s=settings.answer_within_s)
            for name in (LOOPBACK, *settings.hosts)
        }
        self._wire = Wire(
            at_once=settings.at_once * len(self._passages),
            ca_file=settings.ca_file,
            resolver=PublicResolver(allow_loopback=settings.allow_loopback, inner=resolver),
        )
        self._claims: VapidClaims | None = None
        self.public_key = ""
        """What browsers subscribe with; "" before the start, and when there is no usable pair."""
        self._fault = "not started"

    def address_fault(self, address: str, keys: Mapping[str, str]) -> str | None:
        """See `Transport`. The address is the subscription's endpoint, the keys are its keys."""
        fault = endpoint_fault(address, self._settings)
        return f"address: {fault}" if fault is not None else webpush_note.keys_fault(keys)

    async def start(self) -> None:
        """See `Transport`. With a key or CA file that cannot be used it says so, and refuses every push."""
        self._fault = ""
        try:
            key = VapidKey(self._data_dir)
            claims = VapidClaims(key, self._settings.contact or "", self._clock)
            claims.header("https://push.example")
            self._wire.start()
            self._claims, self.public_key = claims, key.public
        except VapidFault as exc:
            self._fault = str(exc)
        except VapidException:
            self._fault = "contact: expected mailto:ADDRESS or https://HOST"
        except OSError as exc:
            self._fault = f"ca_file: {exc.strerror or exc}"
        if self._fault:
            _log.error(Line.PUSH_REFUSED, transport=self.name, detail=self._fault)

    async def stop(self) -> None:
        """See `Transport`."""
        self._fault = "stopped"
        await self._wire.stop()

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        """See `Transport`."""
        claims = self._claims
        if claims is None or self._fault:
            return Sent(Outcome.REFUSED, self._fault)
        if (fault := self.address_fault(target.address, target.keys)) is not None:
            return Sent(Outcome.REFUSED, fault)

        async def attempt(number: int) -> Sent:
            # Encrypted when its turn has come: what waits in the line costs nothing.
            headers = webpush_note.headers(note, claims.header(origin(target.address)))
            body = webpush_note.body(note, target)
            try:
                answer = await self._wire.post(target.address, headers, body, is_fresh=number > 0)
            except Unanswered as exc:
                return exc.sent() if not exc.is_ours else Sent(Outcome.REFUSED, str(exc))
            asked_s = retry_after_s(answer.retry_after, self._clock.now())
            return webpush_note.verdict(answer.status, answer.body, asked_s)

        passage = self._passages[service(urlsplit(target.address).hostname or "", self._settings)]
        return await passage.through(note, within_s, attempt)

    async def check(self) -> Sequence[str]:
        """See `Transport`: the key pair and the contact. Which service is called, only a browser can say."""
        return [self._fault] if self._fault else []
