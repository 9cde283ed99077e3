"""What the hub knows of its text messages beside the alarms: whose code a reply names, which message a
receipt is about.

Both survive a restart as facts. It refuses to speak a protocol and to judge a reply; what an answer does is
decided by the core, what it may do is up to who asks here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from alarmhub.clock import Clock
from alarmhub.core.effects import Says, Sms
from alarmhub.core.events import TextReported
from alarmhub.engine import codes
from alarmhub.engine.codes import Code, SentText
from alarmhub.engine.items import FactItem, Item, TextItem
from alarmhub.engine.state import State
from alarmhub.ports import OutboxRow

RECEIPT_WITHIN_MS: Final = 2 * 86_400_000
"""A receipt that comes later than this finds nothing."""

_sms = msgspec.json.Decoder(Sms)


class Texts:
    """See the module. `put` queues an item for the next commit; `up` hears whether anything can be sent."""

    def __init__(
        self, clock: Clock, state: State, put: Callable[[Item], None], up: Callable[[bool], None]
    ) -> None:
        self._clock, self._state, self._put, self._up = clock, state, put, up
        self._links: dict[str, bool] = {}

    def link(self, name: str, *, up: bool) -> None:
        """A link counts as up or down (already with hysteresis)."""
        self._links[name] = up
        self._up(any(self._links.values()))

    def code(self, number: str, code: str) -> Code | None:
        """What this code means to the person with this number; None: nothing."""
        return next((c for c in self._state.codes.get(number, ()) if c.code == code), None)

    def knows(self, number: str) -> bool:
        """Whether anything was ever sent to this number that is remembered."""
        return number in self._state.codes

    def sent(self, id: str, sms: Sms) -> None:
        """The network has taken a message and calls it `id`: a receipt may come, also after a restart."""
        sent = SentText(sms.alarm, sms.staff, sms.at)
        self._state.sent_texts[id] = sent
        self._put(FactItem(self._clock.now(), codes.SENT_SCOPE, id, msgspec.json.encode(sent)))

    def sent_as(self, id: str) -> SentText | None:
        """What the network calls so."""
        return self._state.sent_texts.get(id)

    async def reported(self, id: str, *, delivered: bool, cause: str = "") -> None:
        """The network's last word on a message; returns after the commit. Raises NotStored, Refused."""
        sent = self._state.sent_texts.get(id)
        if sent is None:
            return
        event = TextReported(sent.staff, sent.at, delivered, cause)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(TextItem(self._clock.now(), sent.alarm, event, future))
        await future
        self._state.sent_texts.pop(id, None)
        self._put(FactItem(self._clock.now(), codes.SENT_SCOPE, id, None))

    def failed(self, sms: Sms, cause: str) -> None:
        """A message will never be sent: its alarm is told."""
        if sms.says is Says.RINGS:
            event = TextReported(sms.staff, sms.at, False, cause)
            self._put(TextItem(self._clock.now(), sms.alarm, event))

    def given_up(self, row: OutboxRow, cause: str) -> None:
        """The outbox gives an effect up; of interest where it is a message."""
        if row.channel != "sms":
            return
        try:
            self.failed(_sms.decode(row.body), cause)
        except msgspec.MsgspecError:
            return  # of a version to come: its alarm cannot be told

    def forget(self, now: int) -> None:
        """Drop what no receipt will come for any more."""
        for id in [i for i, sent in self._state.sent_texts.items() if sent.at <= now - RECEIPT_WITHIN_MS]:
            del self._state.sent_texts[id]
            self._put(FactItem(now, codes.SENT_SCOPE, id, None))
