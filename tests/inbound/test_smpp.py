"""The SMS link: what is sent, what the centre may do to it, what comes back and how it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus, Says, Sms
from alarmhub.core.texting import worded
from alarmhub.engine import notices
from alarmhub.engine.codes import Code
from alarmhub.inbound import smpp as smpp_module
from alarmhub.inbound.feed import Feed, TextCarrier
from alarmhub.inbound.smpp import FAILED_IN_A_ROW, SmppAdapter
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.inbound.tls import server_context
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, NotStored
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from protocols.smpp_text import from_gsm7
from tests.support.certificates import self_signed
from tests.support.intake import Intake
from tests.support.smsc import ENQUIRE, SUBMIT, UNBIND, Smsc
from tests.support.waiting import turns, until

ANNA = "+46701740605"
RINGS = Sms("anna", ANNA, "a1", Says.RINGS, 1_000, "high", code="4711")


class Rig:
    """One link, its centre, and the hub behind it."""

    def __init__(self, smsc: Smsc, settings: SmppLink) -> None:
        self.smsc = smsc
        self.hub = Intake()
        site = self.hub.world_now.site
        anna = replace(site.staff["anna"], sms=ANNA)
        self.hub.world_now = replace(
            self.hub.world_now, site=replace(site, staff=site.staff | {"anna": anna}), texts=True
        )
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.feed = Feed(
            "operator", "smpp", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.link = SmppAdapter(settings, self.feed)

    def knows(self, code: str = "4711", *, alarm: str = "a1", at: int = 1_000) -> None:
        """A message with this code was sent to Anna."""
        codes = self.hub.state.codes.get(ANNA, ())
        self.hub.state.codes[ANNA] = (*codes, Code(code, alarm, "anna", at))

    @property
    def news(self) -> list[str]:
        """What the hub said about itself."""
        return [notice.text or f"over: {notice.key}" for notice in self.hub.said]

    @property
    def given(self) -> list[tuple[str, str, str]]:
        """Every answer the hub was given: who, what, to which alarm."""
        return [(a["staff"], a["answer"], a["alarm"]) for a in self.hub.answers]

    async def ready(self) -> None:
        """The link is up."""
        await until(lambda: self.link.ready and self.feed.status.connected, "it is bound")

    def counted(self, outcome: str) -> float:
        """So many messages or replies."""
        return self.metrics.texts.labels(outcome)._value.get()


@asynccontextmanager
async def rig(
    smsc: Smsc | None = None, *, told: str = "", bound: bool = True, host: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[Rig]:
    """A link to a centre; afterwards no task is left and none has died. `told`: trouble a hub before this one
    has told."""
    smsc = smsc or Smsc()
    usual: dict[str, Any] = {
        "source": "operator", "connect": f"{host}:{await smsc.start()}", "system_id": "hub",
        "password": Secret("secret"), "sender": "46700000000",
    }  # fmt: skip
    it = Rig(smsc, SmppLink(**(usual | settings)))
    if told:
        await it.hub.signal(notices.trouble(it.feed.site(), "operator", told, told, told))
    await it.link.start()
    try:
        if bound:
            await it.ready()
        yield it
    finally:
        await it.link.close()
        it.feed.close()
        await smsc.stop()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


# Sending.


async def test_a_message_is_taken_by_the_centre() -> None:
    """In the network's alphabet, from the hub's number, with its end, its rank and a wish for a receipt."""
    async with rig() as it:
        assert isinstance(it.link, TextCarrier)
        await it.link.text(RINGS)
        (sent,) = it.smsc.submits
        assert (sent.source, sent.destination) == ("46700000000", "46701740605")
        assert from_gsm7(sent.text) == worded(RINGS, "sv")
        assert (sent.receipt, sent.priority, sent.validity) == (True, 1, "000000000500000R")
        assert it.hub.texts.sent_as("operator/M1") is not None
        assert it.counted("sent") == 1


async def test_what_follows_needs_no_receipt() -> None:
    """Nothing hangs on it."""
    async with rig() as it:
        await it.link.text(replace(RINGS, says=Says.OVER, priority="low"))
        (sent,) = it.smsc.submits
        assert (sent.receipt, sent.priority) == (False, 0)
        assert it.hub.state.sent_texts == {}


async def test_follow_ups_are_sent_as_set() -> None:
    """Not wanted: not sent. What a reply did is always said."""
    async with rig(follow_up=False) as it:
        for says in (Says.OVER, Says.PASSED_ON, Says.NOTED):
            await it.link.text(replace(RINGS, says=says))
        (sent,) = it.smsc.submits
        assert "noterat" in from_gsm7(sent.text)


async def test_a_network_whose_alphabet_is_latin() -> None:
    """By agreement."""
    async with rig(charset="latin-1") as it:
        await it.link.text(RINGS)
        assert it.smsc.submits[0].text.decode("latin-1") == worded(RINGS, "sv")


async def test_without_a_link_it_fails_at_once_and_says_why() -> None:
    """The outbox tries again; nothing waits here."""
    async with rig(Smsc(password="another"), bound=False) as it:
        await until(lambda: it.feed.status.last_refusal, "the bind is refused")
        with pytest.raises(DeliveryFailed, match="wrong password"):
            await it.link.text(RINGS)


async def test_a_throttled_message_is_tried_again_by_the_outbox_and_others_wait() -> None:
    """Nothing more goes to a centre that asks for less, for a moment; then the most urgent goes first."""
    async with rig() as it:
        it.smsc.answers.append(0x58)
        with pytest.raises(DeliveryFailed, match="throttled"):
            await it.link.text(RINGS)
        low = asyncio.ensure_future(it.link.text(replace(RINGS, priority="low", code="1000")))  # noqa: TID251
        await turns(3)
        high = asyncio.ensure_future(it.link.text(replace(RINGS, code="2000")))  # noqa: TID251
        await turns(3)
        assert len(it.smsc.submits) == 1
        await asyncio.gather(low, high)
        assert [from_gsm7(sms.text).split()[6] for sms in it.smsc.submits[1:]] == ["2000", "1000"]
        assert it.counted("throttled") == 1 and not it.hub.reports


async def test_a_refused_message_is_told_to_its_alarm_and_not_tried_again() -> None:
    """Again it would be refused again; after several the engineer is told, and told when it is over."""
    async with rig() as it:
        it.smsc.answers.extend([0x0B] * FAILED_IN_A_ROW)
        for _ in range(FAILED_IN_A_ROW):
            await it.link.text(RINGS)
        assert [(r.staff, r.delivered, r.cause) for r in it.hub.reports] == [
            ("anna", False, "invalid number (0x0B)")
        ] * FAILED_IN_A_ROW
        assert len(it.news) == 1 and "tar inte emot SMS" in it.news[0]
        await it.link.text(RINGS)
        assert it.news[1:] == ["over: trouble:operator:texts"]


async def test_a_message_that_is_not_answered_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is free for the next one, and an answer that comes too late is no error."""
    async with rig(answer_within_s=1, window=1) as it:
        it.smsc.answers.append(None)
        with pytest.raises(DeliveryFailed, match="not answered in time"):
            await it.link.text(RINGS)
        await it.link.text(RINGS)
        monkeypatch.setattr(smpp_module, "SEND_WITHIN_S", 0.1)
        it.smsc.answers.append(None)
        with pytest.raises(DeliveryFailed, match="not taken in time"):
            await it.link.text(RINGS)


async def test_a_centre_that_restarts_in_mid_flight() -> None:
    """What was under way fails, and goes over the new link; no message is lost and nobody hangs."""
    async with rig() as it:
        it.smsc.answers.append(None)
        under_way = asyncio.ensure_future(it.link.text(RINGS))  # noqa: TID251
        await until(lambda: it.smsc.submits, "it is under way")
        await it.smsc.stop()
        with pytest.raises(DeliveryFailed, match="connection"):
            await under_way
        await until(lambda: not it.link.ready, "the link is gone")
        await it.smsc.start()
        await it.ready()
        await it.link.text(RINGS)
        assert len(it.smsc.submits) == 2


async def test_many_messages_share_the_window() -> None:
    """All are taken, in whatever order there is room."""
    async with rig(window=3) as it:
        await asyncio.gather(*(it.link.text(replace(RINGS, at=n)) for n in range(200)))
        assert len(it.smsc.submits) == 200


async def test_it_is_told_of_no_alarm() -> None:
    """A report is not for it."""
    async with rig() as it:
        await it.link.report(Report("operator", ReportStatus.ENDED, "r"), "a1")
        assert not it.smsc.submits


# The link.


async def test_wrong_credentials_are_shown_and_are_news_after_a_while() -> None:
    """`doctor` reads the reason from the link's status before any alarm needs it."""
    async with rig(Smsc(password="another"), bound=False, down_s=0.2) as it:
        await until(lambda: it.news, "the engineer is told")
        assert it.feed.status.last_refusal == "bind refused: wrong password (0x0E)"
        assert (it.feed.status.connected, it.feed.up) == (0, False)
        assert "är nere (bind refused: wrong password" in it.news[0]
        assert it.feed.status.refused == 1, "the same reason is said once"


async def test_a_centre_that_is_away_is_news_and_its_return_too() -> None:
    """With hysteresis on both sides."""
    smsc = Smsc()
    async with rig(smsc, down_s=0.3, up_s=0.3) as it:
        await smsc.stop()
        await until(lambda: it.news, "it is told")
        assert "är nere" in it.news[0] and "nås inte" in it.news[0]
        assert it.hub.texts_up == [True, False]
        await smsc.start()
        await until(lambda: len(it.news) == 2, "its return is told")
        assert it.news[1] == "over: trouble:operator:silent"
        assert it.hub.texts_up == [True, False, True]


async def test_what_a_hub_before_this_one_told_is_taken_back() -> None:
    """A restart keeps the news and its end."""
    async with rig(told="silent", up_s=0.2) as it:
        assert not it.feed.up and it.hub.texts_up == [False]
        await until(lambda: it.news == ["over: trouble:operator:silent"], "it is taken back")
    async with rig(told="texts") as it:
        await it.link.text(RINGS)
        assert it.news == ["over: trouble:operator:texts"]


async def test_a_centre_that_is_half_open_is_left_and_called_again() -> None:
    """It takes octets and says nothing."""
    async with rig(enquire_every_s=1, answer_within_s=1) as it:
        it.smsc.silent = True
        await until(lambda: it.smsc.binds == 2, "it is called again", within_s=8)
        assert any(heard.command == ENQUIRE for heard in it.smsc.heard)


async def test_a_centre_that_is_there_and_does_nothing_is_called_anew() -> None:
    """It answers when asked, and no message: after two of them another connection is tried."""
    async with rig(answer_within_s=1) as it:
        it.smsc.answers.extend([None, None])
        results = await asyncio.gather(it.link.text(RINGS), it.link.text(RINGS), return_exceptions=True)
        assert all(isinstance(result, DeliveryFailed) for result in results)
        await until(lambda: it.smsc.binds == 2, "it is called again")
        await it.ready()
        await it.link.text(RINGS)
        assert len(it.smsc.submits) == 3


async def test_a_centre_that_never_answers_a_bind_is_left() -> None:
    """In time."""
    smsc = Smsc()
    smsc.deaf = True
    async with rig(smsc, bound=False, answer_within_s=1) as it:
        await until(lambda: it.feed.status.last_refusal == "the bind was not answered", "it is left")


async def test_at_a_stop_it_says_goodbye() -> None:
    """So that the centre keeps what comes for us."""
    async with rig() as it:
        await it.link.close()
        await until(lambda: it.smsc.heard[-1].command == UNBIND, "unbound")


async def test_over_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    """The centre's certificate is checked; another authority's is none."""
    (cert, key), (other, _) = self_signed(tmp_path), self_signed(tmp_path, "other")
    tls = server_context(cert, key)
    async with rig(Smsc(tls=tls), host="localhost", tls=True, ca_file=cert) as it:
        await it.link.text(RINGS)
        assert len(it.smsc.submits) == 1
    async with rig(Smsc(tls=tls), host="localhost", tls=True, ca_file=other, bound=False) as it:
        await until(lambda: it.feed.status.last_refusal, "it is refused")
        assert "certificate" in it.feed.status.last_refusal.lower()


async def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """By the name of the setting; a link that cannot check whom it talks to is none."""
    missing, nonsense = tmp_path / "missing.pem", tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for file in (missing, nonsense):
        it = Rig(
            Smsc(),
            SmppLink(
                source="operator", connect="127.0.0.1:1", system_id="hub", password=Secret("x"),
                sender="33333", tls=True, ca_file=str(file),
            ),
        )  # fmt: skip
        with pytest.raises(OSError, match=rf"^\[\[smpp\]\] operator ca_file: {file}: "):
            await it.link.start()
        await it.link.close()


# Receipts.


async def test_a_receipt_is_answered_after_it_is_stored() -> None:
    """Delivered, and nothing like a ring; the same again is taken and changes nothing."""
    async with rig() as it:
        await it.link.text(RINGS)
        for _ in range(2):
            assert await it.smsc.answered(it.smsc.receipt("M1")) == 0
        assert [(r.staff, r.text_at, r.delivered) for r in it.hub.reports] == [("anna", 1_000, True)]
        assert it.counted("delivered") == 1 and not it.hub.answers


async def test_a_receipt_that_cannot_be_stored_is_asked_for_again() -> None:
    """ESME_RX_T_APPN, and stored when it comes again."""
    async with rig() as it:
        await it.link.text(RINGS)
        it.hub.refuse = NotStored("database away")
        assert await it.smsc.answered(it.smsc.receipt("M1")) == 0x64
        it.hub.refuse = None
        assert await it.smsc.answered(it.smsc.receipt("M1")) == 0
        assert len(it.hub.reports) == 1


@pytest.mark.parametrize(("stat", "told"), [("EXPIRED", [False]), ("ACCEPTD", []), ("ENROUTE", [])])
async def test_a_receipt_says_what_it_says(stat: str, told: list[bool]) -> None:
    """Failed for good, or no last word."""
    async with rig() as it:
        await it.link.text(RINGS)
        assert await it.smsc.answered(it.smsc.receipt("M1", stat)) == 0
        assert [r.delivered for r in it.hub.reports] == told
        assert (it.hub.texts.sent_as("operator/M1") is None) is bool(told)


async def test_receipts_that_mean_nothing_are_taken_and_dropped() -> None:
    """Of nobody's message, or unreadable: the centre shall not send them for ever."""
    async with rig() as it:
        for sequence in (it.smsc.receipt("nobody"), it.smsc.deliver(b"\xff\x00garbage", esm_class=4)):
            assert await it.smsc.answered(sequence) == 0
        assert not it.hub.reports and it.feed.status.refused == 2


async def test_a_receipt_by_parameters_alone() -> None:
    """receipted_message_id and message_state."""
    async with rig() as it:
        await it.link.text(RINGS)
        options = b"\x00\x1e\x00\x03M1\x00" + b"\x04\x27\x00\x01\x02"
        assert await it.smsc.answered(it.smsc.deliver(b"", esm_class=4, options=options)) == 0
        assert [r.delivered for r in it.hub.reports] == [True]


# Replies.


async def test_a_reply_is_an_answer_by_text_and_is_answered_after_the_commit() -> None:
    """1 accepts and 2 declines, in the alphabets a phone may choose."""
    async with rig() as it:
        it.knows()
        for text, coding in ((b"1 4711", 0), ("2 4711 kan inte".encode("utf-16-be"), 8)):
            assert await it.smsc.answered(it.smsc.deliver(text, coding=coding)) == 0
        assert it.given == [("anna", "accept", "a1"), ("anna", "decline", "a1")]
        assert {a["via"] for a in it.hub.answers} == {"sms"}


async def test_a_reply_that_cannot_be_stored_is_asked_for_again_and_counts_once() -> None:
    """The centre repeats it, with the same words; another message of the same alarm may be answered anew."""
    async with rig() as it:
        it.knows()
        it.hub.refuse = NotStored("database away")
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0x64
        it.hub.refuse = None
        for _ in range(3):
            assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert len(it.given) == 1
        it.hub.state.codes[ANNA] = (Code("4711", "a1", "anna", 61_000),)
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert len(it.given) == 2


async def test_a_code_is_its_numbers_alone() -> None:
    """From another number it means nothing; neither when the number has become somebody else's."""
    async with rig() as it:
        it.knows()
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711", source="46701740699")) == 0
        site = it.hub.world_now.site
        moved = replace(site, staff=site.staff | {"anna": replace(site.staff["anna"], sms=None)})
        it.hub.world_now = replace(it.hub.world_now, site=moved)
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert it.given == []


async def test_a_national_number_is_known_by_the_country_code() -> None:
    """As networks write their own subscribers."""
    async with rig(country_code="46") as it:
        it.knows()
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711", source="0701740605", ton=2)) == 0
        assert it.given == [("anna", "accept", "a1")]


async def test_who_guesses_is_not_heard_for_a_while() -> None:
    """After five wrong codes not even the right one counts; others go on."""
    async with rig() as it:
        it.knows()
        for guess in range(5):
            assert await it.smsc.answered(it.smsc.deliver(f"1 {1000 + guess}".encode())) == 0
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert it.given == []
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711", source="46701740606")) == 0
        assert it.feed.status.last_refusal.endswith("wrong code")
        assert "+46701740605" not in it.feed.status.last_refusal


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (b"", {}),
        (b"ja", {}),
        (b"Svara 1 4711 = jag tar den, 2 4711 = kan inte", {}),
        (b"\xff" * 140, {}),
        (b"\x00\xd8" * 60, {"coding": 8}),
        (b"1 4711", {"coding": 4}),
        (b"1 4711", {"source": "Operator", "ton": 5}),
        (b"1 4711", {"source": ""}),
        (b"\x05\x00\x03\x01\x02\x021 4711", {"esm_class": 0x40}),
        (b"\xff1 4711", {"esm_class": 0x40}),
        (b"1 4711", {"options": b"\x02\x0f\x00\x01\x02\x02\x0e\x00\x01\x02"}),
        (b"1 4711", {"esm_class": 0x20}),
    ],
)
async def test_what_says_nothing_is_taken_and_dropped(text: bytes, more: dict[str, Any]) -> None:
    """Lengths, alphabets, later parts, names instead of numbers: no answer is made of them."""
    async with rig() as it:
        it.knows()
        assert await it.smsc.answered(it.smsc.deliver(text, **more)) == 0
        assert it.given == []
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert it.given == [("anna", "accept", "a1")]


async def test_the_first_part_of_a_long_reply_counts() -> None:
    """Whatever follows in the others."""
    async with rig() as it:
        it.knows()
        sequence = it.smsc.deliver(b"\x05\x00\x03\x01\x02\x011 4711 " + b"x" * 100, esm_class=0x40)
        assert await it.smsc.answered(sequence) == 0
        assert it.given == [("anna", "accept", "a1")]


async def test_garbage_on_the_line_costs_that_connection_alone() -> None:
    """It is called again."""
    async with rig() as it:
        it.smsc.say(b"\xff" * 16)
        await until(lambda: it.smsc.binds == 2, "it is called again")
        await it.ready()
        await it.link.text(RINGS)
        assert it.smsc.heard[-1].command == SUBMIT


async def test_a_flood_of_deliveries_is_answered_and_leaves_nothing() -> None:
    """From many numbers, faster than they are stored: each gets its answer, and nothing grows."""
    async with rig() as it:
        it.knows()
        sequences = []
        for n in range(2_000):
            sequences.append(it.smsc.deliver(b"1 1234 hej", source=f"4670{1_000_000 + n % 500}"))
            if n % 100 == 0:
                await turns()
        assert {await it.smsc.answered(sequence) for sequence in sequences[::100]} == {0}
        await it.smsc.answered(sequences[-1])
        assert await it.smsc.answered(it.smsc.deliver(b"1 4711")) == 0
        assert it.given == [("anna", "accept", "a1")]
        await until(lambda: len(it.crew) <= 3 and not it.link._busy, "nothing is left")


async def test_replies_of_one_number_keep_their_order() -> None:
    """Each is answered; the last word is the last."""
    async with rig() as it:
        for n in range(30):
            it.knows(f"{2000 + n}", alarm=f"a{n}")
        sequences = [it.smsc.deliver(f"{1 + n % 2} {2000 + n}".encode()) for n in range(30)]
        assert {await it.smsc.answered(sequence) for sequence in sequences} == {0}
        assert [alarm for _, _, alarm in it.given] == [f"a{n}" for n in range(30)]
