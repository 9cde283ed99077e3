"""Wakes iPhones by Apple's push service: HTTP/2 on two warm connections, one signed token for all.

Each push is answered within its deadline whatever Apple or the network does, and disturbs no other: see
`links` and `http2` for the wire, `twice` for the second attempt, `gate` for the bound, `apns_note` for what
is said. It refuses to call an address dead without Apple's word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.people import PushTarget
from alarmhub.push import apns_note
from alarmhub.push.apns_token import KeyFault, ProviderToken
from alarmhub.push.http2 import Broken, Link
from alarmhub.push.links import Links
from alarmhub.push.passage import Passage
from alarmhub.push.retry_after import retry_after_s
from alarmhub.push.settings import ApnsSettings
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.push.twice import PATIENCE
from alarmhub.tasks import Crew

HEX: Final = frozenset("0123456789abcdefABCDEF")
NOBODYS_TOKEN: Final = "0" * 64
"""A device token that no phone has: Apple answers BadDeviceToken to whoever may push at all."""
DOUBT: Final = PATIENCE / 2
"""The part of the time after which a silent connection must prove that it lives."""

_HINTS: Final[Mapping[str, str]] = {
    "InvalidProviderToken": "key, key_id and team_id do not belong together, or the key was revoked",
    "ExpiredProviderToken": "this machine's clock is wrong",
    "MissingProviderToken": "the key signed nothing",
    "BadCertificate": "the endpoint wants a certificate",
    "TopicDisallowed": "topic: the team may not push to this app",
    "BadTopic": "topic: expected the app's bundle id",
    "MissingTopic": "topic: missing",
}
_PROOFS: Final = ("BadDeviceToken", "Unregistered", "DeviceTokenNotForTopic")

_log = logs.get("push")


class Apns:
    """The transport (`transport.Transport`). Make it inside a running event loop."""

    name = "apns"

    def __init__(self, settings: ApnsSettings, *, clock: Clock, crew: Crew) -> None:
        self._settings, self._clock = settings, clock
        url = urlsplit(settings.endpoint)
        self._host, self._scheme = url.netloc, url.scheme
        self._links = Links(self.name, settings.endpoint, ca_file=settings.ca_file, crew=crew)
        self._passage = Passage(at_once=settings.at_once, within_s=settings.answer_within_s)
        self._token: ProviderToken | None = None
        self._fault = "not started"

    def address_fault(self, address: str, keys: Mapping[str, str]) -> str | None:
        """See `Transport`."""
        if len(address) in apns_note.DEVICE_TOKEN_CHARS and HEX.issuperset(address):
            return None
        return "address: expected the device token as 64 to 200 hexadecimal digits"

    async def start(self) -> None:
        """See `Transport`. With a key or CA file that cannot be used it says so, and refuses every push."""
        try:
            self._token = ProviderToken(self._settings, self._clock)
            self._links.start()
            self._fault = ""
        except KeyFault as exc:
            self._fault = str(exc)
        except OSError as exc:
            self._fault = f"ca_file: {exc.strerror or exc}"
        if self._fault:
            _log.error(Line.PUSH_REFUSED, transport=self.name, detail=self._fault)

    async def stop(self) -> None:
        """See `Transport`."""
        self._fault = "stopped"
        await self._links.stop()

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        """See `Transport`."""
        if self._token is None or self._fault:
            return Sent(Outcome.REFUSED, self._fault)
        if (fault := self.address_fault(target.address, target.keys)) is not None:
            return Sent(Outcome.REFUSED, fault)
        return await self._pushed(self._token, target, note, within_s)

    async def _pushed(
        self, token: ProviderToken, target: PushTarget, note: Note, within_s: float | None
    ) -> Sent:
        doubt_after_s = (within_s or self._settings.answer_within_s) * DOUBT
        used: list[Link] = []

        async def attempt(_number: int) -> Sent:
            try:
                link = await self._links.link(other_than=used[0] if used else None)
                used.append(link)
                return await self._exchanged(link, token, target, note, doubt_after_s)
            except Broken as exc:
                return Sent(Outcome.LATER if exc.unseen else Outcome.LOST, str(exc))

        sent = await self._passage.through(note, within_s, attempt)
        if sent.outcome is Outcome.LOST and not used:
            return Sent(Outcome.LATER, self._links.fault or "no connection in time", sent.retry_after_s)
        return sent

    async def _exchanged(
        self, link: Link, token: ProviderToken, target: PushTarget, note: Note, doubt_after_s: float
    ) -> Sent:
        """One attempt on one connection. Raises Broken."""
        topic, has_critical = self._settings.topic or "", self._settings.critical_alerts
        asked = apns_note.request(note, target.address, topic=topic, has_critical=has_critical)
        reply = await link.exchange(
            apns_note.headers(
                asked, host=self._host, scheme=self._scheme, token=token.header(), now=self._clock.now()
            ),
            apns_note.body(asked),
            doubt_after_s=doubt_after_s,
        )
        answer = apns_note.result(asked.notification_id, reply.status, reply.body)
        if answer.description == "ExpiredProviderToken" and token.expired():
            return Sent(Outcome.LATER, "403 ExpiredProviderToken")  # at once, with a new one
        return apns_note.verdict(
            answer,
            registered_at=target.registered_at,
            retry_after_s=retry_after_s(reply.headers.get("retry-after"), self._clock.now()),
        )

    async def check(self) -> Sequence[str]:
        """See `Transport`: a push to a token that no phone has."""
        if self._fault:
            return [self._fault]
        target = PushTarget(device="", transport=self.name, address=NOBODYS_TOKEN, registered_at=0)
        sent = await self.send(
            target, Note(id="", alarm="", rev=0, priority="information", ttl_s=0, drill=True)
        )
        if any(proof in sent.detail for proof in _PROOFS):
            return []
        hint = next((hint for reason, hint in _HINTS.items() if reason in sent.detail), "")
        if sent.outcome in (Outcome.LOST, Outcome.LATER) and self._links.fault:
            return [self._links.fault]
        return [
            f"{sent.detail}: {hint}" if hint else f"expected BadDeviceToken from Apple, got {sent.detail}"
        ]
