"""Wakes Android phones by Firebase Cloud Messaging v1.

Payloads and error names are pyfcm's; the wire is one long-lived session of ours (`http1`), because pyfcm's
async call starts an event loop inside the running one, opens a session for each message, asks for a token
each time and sleeps with the whole program on Retry-After. `fcm_token` keeps the token, `fcm_note` says what
is sent and what an answer means. It refuses to wait for anything past a push's deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyfcm import FCMNotification

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.people import PushTarget
from alarmhub.push import fcm_note
from alarmhub.push.fcm_token import AccessToken, AccountFault, account
from alarmhub.push.http1 import Unanswered, Wire
from alarmhub.push.passage import Passage
from alarmhub.push.retry_after import retry_after_s
from alarmhub.push.settings import FcmSettings
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.tasks import Crew

ADDRESS_CHARS: Final = range(20, 4097)
NOBODYS_TOKEN: Final = "nobody:" + "A" * 140
"""A registration token that no phone has: Firebase says so to whoever may push at all."""

_HINTS: Final[Mapping[str, str]] = {
    "invalid_grant": "the account's key was revoked, or this machine's clock is wrong",
    "401": "Firebase does not know the account's token",
    "403": "the account may not send: it needs the role Firebase Cloud Messaging API Admin in this project",
    "404": "there is no such project",
}

_log = logs.get("push")


class Fcm:
    """The transport (`transport.Transport`). Make it inside a running event loop."""

    name = "fcm"

    def __init__(self, settings: FcmSettings, *, clock: Clock, crew: Crew) -> None:
        self._settings, self._clock, self._crew = settings, clock, crew
        self._passage = Passage(at_once=settings.at_once, within_s=settings.answer_within_s)
        self._wire = Wire(at_once=settings.at_once, ca_file=settings.ca_file)
        self._messages: Any = None  # pyfcm is untyped
        self._token: AccessToken | None = None
        self._url = ""
        self._fault = "not started"

    def address_fault(self, address: str, keys: Mapping[str, str]) -> str | None:
        """See `Transport`."""
        if (
            len(address) in ADDRESS_CHARS
            and address.isascii()
            and address.isprintable()
            and " " not in address
        ):
            return None
        return "address: expected the registration token as Firebase gave it to the app"

    async def start(self) -> None:
        """See `Transport`. With an account or CA file that cannot be used it says so, and refuses all."""
        try:
            who = account(self._settings)
            self._wire.start()
        except AccountFault as exc:
            self._fault = str(exc)
        except OSError as exc:
            self._fault = f"ca_file: {exc.strerror or exc}"
        else:
            self._fault = ""
            self._messages = FCMNotification(credentials=who.credentials)
            self._url = self._messages.fcm_end_point.replace(
                "https://fcm.googleapis.com", self._settings.endpoint.rstrip("/"), 1
            )
            self._token = AccessToken(who, self._wire, clock=self._clock, crew=self._crew)
            self._token.start()
        if self._fault:
            _log.error(Line.PUSH_REFUSED, transport=self.name, detail=self._fault)

    async def stop(self) -> None:
        """See `Transport`."""
        self._fault = "stopped"
        if self._token is not None:
            await self._token.stop()
        await self._wire.stop()

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        """See `Transport`."""
        return await self._pushed(target, note, within_s, is_dry=False)

    async def check(self) -> Sequence[str]:
        """See `Transport`: a dry run to a token that no phone has."""
        target = PushTarget(device="", transport=self.name, address=NOBODYS_TOKEN, registered_at=0)
        note = Note(id="", alarm="check", rev=0, priority="information", ttl_s=0, drill=True)
        sent = await self._pushed(target, note, None, is_dry=True)
        if self._fault:
            return [self._fault]
        if sent.outcome in (Outcome.DEAD, Outcome.TAKEN):
            return []
        detail = sent.detail
        if sent.outcome is not Outcome.REFUSED and self._token is not None and self._token.fault:
            detail = self._token.fault
        hint = next((hint for word, hint in _HINTS.items() if word in detail), "")
        return [
            f"{detail}: {hint}" if hint else f"expected Firebase to refuse the address alone, got {detail}"
        ]

    async def _pushed(self, target: PushTarget, note: Note, within_s: float | None, *, is_dry: bool) -> Sent:
        token = self._token
        if token is None or self._fault:
            return Sent(Outcome.REFUSED, self._fault)
        if (fault := self.address_fault(target.address, target.keys)) is not None:
            return Sent(Outcome.REFUSED, fault)
        body: bytes = self._messages.parse_payload(
            fcm_token=target.address, dry_run=is_dry, **fcm_note.message(note, self._settings.package)
        )
        began: list[int] = []

        async def attempt(number: int) -> Sent:
            try:
                bearer = await token.current()
                began.append(number)
                return await self._exchanged(token, bearer, body, target, is_last=number > 0)
            except AccountFault as exc:
                return Sent(Outcome.REFUSED, str(exc))
            except Unanswered as exc:
                return exc.sent()

        sent = await self._passage.through(note, within_s, attempt)
        if sent.outcome is Outcome.LOST and not began:
            return Sent(Outcome.LATER, token.fault or "no token in time", sent.retry_after_s)
        return sent

    async def _exchanged(
        self, token: AccessToken, bearer: str, body: bytes, target: PushTarget, *, is_last: bool
    ) -> Sent:
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        answer = await self._wire.post(self._url, headers, body, is_fresh=is_last)
        if answer.status == 401 and not is_last and token.rejected(bearer):
            return Sent(Outcome.LATER, "401")  # at once, with the next token
        asked_s = retry_after_s(answer.retry_after, self._clock.now())
        return fcm_note.verdict(answer.status, answer.body, target, asked_s)
