"""What the engine keeps of text messages: codes with the commit that orders them, receipts, and a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, told_of
from alarmhub.core.effects import Says, Sms
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.engine.codes import SENT_SCOPE
from alarmhub.engine.outbox import Courier
from alarmhub.engine.texts import RECEIPT_WITHIN_MS
from alarmhub.ports import DeliveryFailed, OutboxRow
from alarmhub.store.memory import Tables
from load.site import staff_id
from tests.support.engine import Rig, running
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time
from tests.support.waiting import until
from tests.support.ward import Ward

NURSE, COLLEAGUE = staff_id(0), staff_id(1)
NUMBERS = {NURSE: "+46701740605", COLLEAGUE: "+46701740606"}


class Sent:
    """A courier that takes every message, once `go` is set."""

    def __init__(self) -> None:
        self.messages: list[Sms] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, row: OutboxRow) -> None:
        """See `engine.outbox.Courier`."""
        await self.go.wait()
        assert row.channel == "sms"
        self.messages.append(msgspec.json.decode(row.body, type=Sms))

    def of(self, says: Says) -> list[Sms]:
        """Those about this."""
        return [sms for sms in self.messages if sms.says is says]


@asynccontextmanager
async def house(
    sent: Sent, *, tables: Tables | None = None, couriers: dict[str, Courier] | None = None, **more: Any
) -> AsyncIterator[Rig]:
    """The two nurses of the first bed have numbers and no phones."""
    courier = couriers if couriers is not None else {"sms": sent}
    async with running(tables=tables, couriers=courier, texts=True, numbers=NUMBERS, **more) as rig:
        for staff in NUMBERS:
            rig.engine.contact(staff, "phone", Reach.NONE, rig.clock.now())
        yield rig


async def test_who_has_a_number_is_reached_one_way_and_texted() -> None:
    """With a code by which the engine finds the alarm again, for her number only."""
    sent = Sent()
    async with house(sent) as rig:
        assert rig.engine.contacts.reach[NURSE] is Reach.ONE_WAY
        opened = await rig.press("r1")
        await until(lambda: len(sent.of(Says.RINGS)) == 2, "both are texted")
        for sms in sent.of(Says.RINGS):
            other = NUMBERS[COLLEAGUE if sms.staff == NURSE else NURSE]
            found = rig.engine.texts.code(sms.number, sms.code)
            assert found is not None and (found.alarm, found.staff) == (opened.alarm, sms.staff)
            mine_elsewhere = rig.engine.texts.code(other, sms.code)
            assert mine_elsewhere is None or mine_elsewhere.staff != sms.staff
            assert rig.engine.texts.knows(sms.number)
        assert not rig.engine.texts.knows("+46701740699")


async def test_what_follows_a_message_has_its_code() -> None:
    """And nothing follows to whom none was sent."""
    sent = Sent()
    async with house(sent) as rig:
        opened = await rig.press("r1")
        assert opened.alarm is not None
        await until(lambda: len(sent.of(Says.RINGS)) == 2, "both are texted")
        codes = {sms.staff: sms.code for sms in sent.of(Says.RINGS)}
        await rig.engine.answer(
            staff=NURSE, device="sms", req="1", alarm=opened.alarm, answer="accept", rev=0, reason="",
            via="sms",
        )  # fmt: skip
        await until(lambda: sent.of(Says.NOTED), "she is told")
        await rig.press("r1", event="end")
        await until(lambda: len(sent.of(Says.OVER)) == 2, "both are told")
        assert {sms.staff: sms.code for sms in sent.of(Says.OVER)} == codes
        assert [sms.code for sms in sent.of(Says.NOTED)] == [codes[NURSE]]


async def test_codes_and_messages_survive_a_restart() -> None:
    """What was sent before is named by its code, and its receipt finds the alarm."""
    sent = Sent()
    async with house(sent) as rig:
        opened = await rig.press("r1")
        (first, *_) = await until(lambda: sent.of(Says.RINGS), "texted")
        rig.engine.texts.sent("M1", first)
        await rig.engine.idle()
        tables = rig.tables
    async with house(sent, tables=tables) as rig:
        found = rig.engine.texts.code(first.number, first.code)
        assert found is not None and found.alarm == opened.alarm
        await rig.engine.texts.reported("M1", delivered=True)
        told = told_of(rig.engine.state.alarms[found.alarm], first.staff)
        assert told is not None and told.texted is not None and told.texted.delivered_at is not None
        assert (told.rang_at, rig.engine.state.alarms[found.alarm].paged) == (None, False)
        await rig.engine.idle()
        assert not [scope for scope, _ in tables.facts if scope == SENT_SCOPE]
        await rig.engine.texts.reported("M1", delivered=True)
        await rig.engine.texts.reported("nobody's", delivered=False)


async def test_a_message_that_is_given_up_is_told_to_its_alarm() -> None:
    """Without a courier at all: it is no hope, and the alarm knows why."""
    sent = Sent()
    async with house(sent, couriers={}) as rig:
        opened = await rig.press("r1")
        assert opened.alarm is not None

        def failed() -> bool:
            alarm = rig.engine.state.alarms[str(opened.alarm)]
            return any(t.texted is not None and t.texted.failed for t in alarm.told)

        await until(failed, "the alarm knows")


async def test_an_old_message_is_forgotten() -> None:
    """No receipt comes after days; on both sides of the limit."""
    sent = Sent()
    async with house(sent) as rig:
        await rig.press("r1")
        (first, *_) = await until(lambda: sent.of(Says.RINGS), "texted")
        rig.engine.texts.sent("M1", first)
        rig.engine.texts.forget(first.at + RECEIPT_WITHIN_MS - 1)
        assert rig.engine.texts.sent_as("M1") is not None
        rig.engine.texts.forget(first.at + RECEIPT_WITHIN_MS)
        assert rig.engine.texts.sent_as("M1") is None
        await rig.engine.idle()
        assert not [scope for scope, _ in rig.tables.facts if scope == SENT_SCOPE]


async def test_messages_to_one_number_keep_their_order() -> None:
    """The end is never told before the call."""
    sent = Sent()
    sent.go.clear()
    async with house(sent) as rig:
        await rig.press("r1")
        await rig.press("r1", event="end")
        sent.go.set()
        await until(lambda: len(sent.of(Says.OVER)) == 2, "both ends are told")
        for staff in NUMBERS:
            assert [sms.says for sms in sent.messages if sms.staff == staff] == [Says.RINGS, Says.OVER]


async def test_codes_of_one_batch_differ() -> None:
    """Many alarms to one number at once: no two share a code, and none is drawn twice for one."""
    sent = Sent()
    async with house(sent) as rig:
        await asyncio.gather(*(rig.press(f"r{n}", kind=Kind.PATIENT_CALL) for n in range(1, 2)))
        await asyncio.gather(*(rig.press(f"t{n}", type="", kind=Kind.TOILET_CALL) for n in range(1)))
        await until(lambda: len(sent.of(Says.RINGS)) >= 4, "all are texted")
        mine = [(sms.alarm, sms.code) for sms in sent.of(Says.RINGS) if sms.staff == NURSE]
        assert len({code for _, code in mine}) == len({alarm for alarm, _ in mine}) == 2


async def test_without_any_link_a_number_is_no_reach() -> None:
    """Down only when the last of two is; back with the first. Open alarms are looked at again."""
    sent = Sent()
    async with house(sent) as rig:
        texts, contacts = rig.engine.texts, rig.engine.contacts
        texts.link("one", up=True)
        texts.link("two", up=True)
        texts.link("one", up=False)
        assert contacts.reach[NURSE] is Reach.ONE_WAY and rig.engine.world().texts
        texts.link("two", up=False)
        assert NURSE not in contacts.reach and not rig.engine.world().texts
        opened = await rig.press("r1")
        assert opened.alarm is not None and not sent.messages
        texts.link("one", up=True)
        await until(lambda: {sms.staff for sms in sent.of(Says.RINGS)} == set(NUMBERS), "both are texted")
        assert contacts.reach[NURSE] is Reach.ONE_WAY


# In virtual time: the alarm's budget, and what it does with a message that fails.


def shift_with_numbers(*staff: str) -> Shift:
    """These have a number and no phone; messages are taken unless `plants.broken` says otherwise."""
    site = Ward().site
    numbered = {s: replace(site.staff[s], sms=f"+4670174060{n}") for n, s in enumerate(staff)}
    shift = Shift(replace(site, staff=site.staff | numbered), couriers=("report", "push", "sms"))
    shift.reach = {person: reach for person, reach in shift.reach.items() if person not in staff}
    return shift


def failed(alarm: Alarm, staff: str) -> bool:
    """Her last message is known never to arrive."""
    told = told_of(alarm, staff)
    return told is not None and told.texted is not None and told.texted.failed


@in_virtual_time
async def test_a_throttled_message_arrives_within_the_alarms_time() -> None:
    """Whenever the network takes it; once, and nobody is passed over for it meanwhile."""
    async with shift_with_numbers("anna", "bo") as shift:
        shift.plants.broken = lambda row: DeliveryFailed("throttled") if row.channel == "sms" else None
        alarm = await shift.press()
        await shift.later(30)
        assert shift.alarm(alarm).step == 0 and not failed(shift.alarm(alarm), "anna")
        shift.plants.broken = lambda row: None
        await shift.later(12)
        assert sorted(row.address for row in shift.plants.taken if row.channel == "sms") == [
            "+46701740600", "+46701740601",
        ]  # fmt: skip
        assert shift.alarm(alarm).step == 0


@in_virtual_time
async def test_a_message_nobody_takes_is_given_up_and_told_to_the_alarm() -> None:
    """Not before its time: a minute after it was ordered it is no hope any more."""
    async with shift_with_numbers("ivar") as shift:
        shift.plants.broken = lambda row: DeliveryFailed("no connection") if row.channel == "sms" else None
        alarm = await shift.press("12/1", "technical")
        await shift.later(45)
        assert not failed(shift.alarm(alarm), "ivar") and shift.alarm(alarm).step == 0
        await shift.later(16)
        assert failed(shift.alarm(alarm), "ivar")
        assert shift.alarm(alarm).step == 1, "the second engineer rings two minutes before his turn"


@in_virtual_time
async def test_what_is_said_by_text_holds_through_a_crash() -> None:
    """A hub that is gone at that instant has it, or the network is asked to say it again; never half."""
    shift = shift_with_numbers("ivar")
    await shift.begin()
    alarm = await shift.press("12/1", "technical")
    code = shift.engine.state.codes["+46701740600"][0]
    await shift.says("ivar", "accept", alarm, via="sms", device="sms", req="1")
    await shift.crash()
    await shift.begin()
    assert shift.alarm(alarm).acceptances[0].staff == "ivar"
    assert shift.engine.texts.code("+46701740600", code.code) == code
    assert (await shift.says("ivar", "accept", alarm, via="sms", device="sms", req="1")).ok
    assert len(shift.alarm(alarm).acceptances) == 1
    await shift.crash()
