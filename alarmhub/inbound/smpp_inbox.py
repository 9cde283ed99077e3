"""What a telephone network delivers: receipts of our messages, and people's replies to them.

Each is answered with a status once what it says is committed; what cannot be stored now is asked for again
(ESME_RX_T_APPN), and said again it counts once. What says nothing is taken and dropped, so that a network
does not send it for ever. It refuses to send anything: whoever replied is told by the alarm's own messages.
"""

from __future__ import annotations

from typing import Final

from alarmhub import logs
from alarmhub.core.texting import BY_TEXT
from alarmhub.engine.codes import Code
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.smpp_replies import (
    IGNORED_FOR_MS,
    Guesses,
    Reply,
    international,
    masked,
    read_reply,
)
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.logs import Line
from alarmhub.ports import NotStored, Refused
from protocols.smpp_pdu import Delivery, Status, Tag
from protocols.smpp_text import Fate, Part, Receipt, read, receipt, same_id, split_header

_TYPE: Final = 0x3C
_MESSAGE: Final = 0x00
_RECEIPT: Final = 0x04
_HAS_HEADER: Final = 0x40

_log = logs.get("sms")


def network_id(source: str, id: str) -> str:
    """How a message is called that this link's network calls `id`."""
    return f"{source}/{id}"


class Inbox:
    """One link's. `take` may run for several deliveries at once."""

    def __init__(self, settings: SmppLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._guesses = Guesses()

    async def take(self, delivery: Delivery) -> Status:
        """Act on one delivery; how it is to be answered."""
        kind = delivery.esm_class & _TYPE
        try:
            if kind == _RECEIPT:
                return await self._on_receipt(delivery)
            if kind == _MESSAGE:
                return await self._on_message(delivery)
        except NotStored as exc:
            self._feed.refused("not_stored", exc.why, fault=False)
            return Status.TEMPORARY
        except Refused as exc:
            self._feed.refused("invalid", str(exc), fault=False)
            return Status.PERMANENT
        return Status.OK  # acknowledgements of people and of half-ways, which say nothing that is asked for

    def sender(self, delivery: Delivery) -> str:
        """The number it is from, "" where it is none."""
        return international(delivery.source, self._settings.country_code)

    # Receipts

    async def _on_receipt(self, delivery: Delivery) -> Status:
        said = self._receipt(delivery)
        if said is None:
            self._feed.refused("unreadable", "a receipt that names no message", fault=False)
            return Status.OK
        if said.fate is Fate.PENDING:
            return Status.OK
        texts = self._feed.hub.texts
        names = (network_id(self._feed.source, id) for id in same_id(said.id))
        known = next((name for name in names if texts.sent_as(name) is not None), None)
        if known is None:
            # Also the second of two: the first was stored, and its answer did not arrive.
            self._feed.refused("unknown_receipt", "a receipt nobody waits for", fault=False)
            return Status.OK
        delivered = said.fate is Fate.DELIVERED
        await texts.reported(known, delivered=delivered, cause="" if delivered else said.stat)
        self._feed.text("delivered" if delivered else "undelivered")
        return Status.OK

    def _receipt(self, delivery: Delivery) -> Receipt | None:
        options = delivery.options
        id = options.get(Tag.RECEIPTED_MESSAGE_ID, b"").rstrip(b"\x00").decode("latin-1")
        state = options.get(Tag.MESSAGE_STATE, b"")
        return receipt(self._text(delivery)[0], id=id, state=state[0] if len(state) == 1 else None)

    # Replies

    async def _on_message(self, delivery: Delivery) -> Status:
        number, now = self.sender(delivery), self._feed.now()
        text, part = self._text(delivery)
        if part is not None and part.number != 1:
            return Status.OK  # a reply is short: what it says stands in the first part, if it is one
        if not number or self._guesses.ignored(number, now):
            self._turn_away("ignored", number)
            return Status.OK
        reply = read_reply(text)
        if reply is None:
            self._turn_away("unclear", number)
            return Status.OK
        code = self._code(number, reply)
        if code is None:
            self._turn_away("wrong_code", number)
            if self._guesses.wrong(number, now):
                _log.warning(Line.NUMBER_IGNORED, number=masked(number), until=now + IGNORED_FOR_MS)
            return Status.OK
        await self._answer(code, reply)
        return Status.OK

    def _code(self, number: str, reply: Reply) -> Code | None:
        """What the code means, if the number is still the one of the person it was sent to."""
        code = self._feed.hub.texts.code(number, reply.code)
        person = None if code is None else self._feed.site().staff.get(code.staff)
        return code if person is not None and person.sms == number else None

    async def _answer(self, code: Code, reply: Reply) -> None:
        hub = self._feed.hub
        alarm = hub.open_alarm(code.alarm)
        outcome = await hub.answer(
            staff=code.staff,
            device=BY_TEXT,
            # The same said again of the same message counts once, whoever repeats it.
            req=f"{code.code}/{reply.answer}/{code.texted_at}",
            alarm=code.alarm,
            answer=reply.answer,
            rev=0 if alarm is None else alarm.rev,
            reason="",
            via=BY_TEXT,
        )
        self._feed.status.last_signal_at = self._feed.now()
        self._feed.answered(outcome.error or str(reply.answer))
        self._feed.text(str(reply.answer))

    def _turn_away(self, why: str, number: str) -> None:
        self._feed.refused(why, f"a reply from {masked(number)}: {why.replace('_', ' ')}", fault=False)

    def _text(self, delivery: Delivery) -> tuple[str, Part | None]:
        """What is written in it, and which part of a longer one it is."""
        data, part = delivery.text, None
        if delivery.esm_class & _HAS_HEADER:
            data, part = split_header(data)
        number, total = delivery.options.get(Tag.SAR_NUMBER, b""), delivery.options.get(Tag.SAR_TOTAL, b"")
        if part is None and len(number) == 1 and len(total) == 1:
            part = Part(0, total[0], number[0])
        return read(data, delivery.data_coding, latin=self._settings.charset == "latin-1"), part
