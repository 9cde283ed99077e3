"""The adapter of contacts: a module on a real socket, a hub that behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.core.site import MappingRule
from alarmhub.inbound import modbus
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.modbus import ModbusAdapter
from alarmhub.inbound.modbus_reader import ModuleReader
from alarmhub.inbound.modbus_settings import ModbusLink
from alarmhub.metrics import Metrics
from alarmhub.ports import NotStored, Refused
from alarmhub.tasks import Crew
from load.modbus_module import BUSY, DEVICE_FAILURE, ILLEGAL_ADDRESS, ModbusModule
from protocols.contacts import Condition, Point, Table
from tests.support.intake import BED, Intake
from tests.support.waiting import until

FRIDGE = Point(name="fridge", address=0)
GAS = Point(name="gas", address=1, normally="closed")
LOOP = Point(name="loop", table=Table.INPUT, address=7, open=((60, 80),), closed=((30, 50),))
START, UPDATE, END = SignalEvent.START, SignalEvent.UPDATE, SignalEvent.END


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modbus, "RECONNECT_FIRST_S", 0.02)
    monkeypatch.setattr(modbus, "RECONNECT_LAST_S", 0.05)
    monkeypatch.setattr("alarmhub.inbound.contacts.TELL_AGAIN_S", 0.02)


class Rig:
    """One module, its line, and the hub behind it."""

    def __init__(self, module: ModbusModule, points: tuple[Point, ...], **settings: Any) -> None:
        self.module = module
        self.hub = Intake()
        self.metrics = Metrics()
        self.settings = ModbusLink(
            **{
                "source": "plant", "connect": f"127.0.0.1:{module.port}", "module": "io1", "points": points,
                "poll_s": 0.02, "read_within_s": 0.3, "down_s": 0.6, "up_s": 0.1,
            } | settings
        )  # fmt: skip
        assert self.settings.faults() == []
        self.crew = Crew("test")
        self.connect()

    def connect(self) -> None:
        """A line, as after a start of the hub."""
        self.feed = Feed(
            "plant", "modbus", hub=self.hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.adapter = ModbusAdapter(self.settings, self.feed)

    @property
    def told(self) -> list[tuple[str, str, SignalEvent]]:
        """Address, first word and event of every signal that was stored."""
        return [(s.ref, s.source_text.split()[0].rstrip(":"), s.event) for s in self.hub.taken]

    async def settled(self) -> None:
        """All points have been read, what there was to tell is told and forgotten."""
        await until(lambda: all(m.known for m in self.adapter.machines), "the first readings")
        await until(lambda: not self.adapter.telling.waiting, "what they say")
        await until(lambda: len(self.hub.taken) >= len(self.adapter.machines), "its commit")
        self.hub.taken.clear()


@asynccontextmanager
async def rig(*points: Point, **settings: Any) -> AsyncIterator[Rig]:
    """A module with contacts at rest and its line; afterwards no task is left and none has died."""
    async with ModbusModule() as module:
        for address, value in ((0, 0), (1, 1), (2, 0)):
            module.put("discrete", address, value)
        module.put("input", 7, 70)
        module.put("holding", 99, 1)
        one = Rig(module, points or (FRIDGE, GAS), **settings)
        await one.adapter.start()
        try:
            yield one
        finally:
            await one.adapter.close()
            one.feed.close()
            assert await one.crew.close()
            assert not one.crew.fatal.done()


async def test_a_contact_that_closes_raises_and_one_that_opens_ends() -> None:
    """The whole way: module, poll, signal; the place comes from the site's rules, the text is the state."""
    async with rig(Point(name="fridge", address=0, label="Blodkyl 2")) as one:
        site = one.hub.world_now.site
        rule = MappingRule(address="^io1/fridge$", text="^active", place=BED, kind=Kind.TECHNICAL)
        sources = {**site.sources, "plant": replace(site.sources["plant"], rules=(rule,))}
        one.hub.world_now = replace(one.hub.world_now, site=replace(site, sources=sources))
        await one.settled()
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.taken, "the start")
        one.module.put("discrete", 0, 0)
        await until(lambda: len(one.hub.taken) == 2, "the end")
        start, end = one.hub.taken
        assert (start.source, start.place, start.kind) == ("plant", BED, Kind.TECHNICAL)
        assert (start.source_text, start.ref, start.event) == ("active: Blodkyl 2", "io1/fridge", START)
        assert start.key == end.key == "io1/fridge:active"
        assert end.event is END
        assert not one.hub.open_alarms()


async def test_after_a_start_of_the_hub_each_point_says_what_it_is() -> None:
    """What is active stays one alarm, what is over is ended: nothing is raised twice."""
    async with rig() as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        one.module.put("discrete", 1, 0)
        await until(lambda: len(one.hub.open_alarms()) == 2, "both alarms")
        await one.adapter.close()
        one.module.put("discrete", 1, 1)
        one.hub.taken.clear()
        one.connect()
        await one.adapter.start()
        await until(lambda: len(one.hub.open_alarms()) == 1, "the one that is over ends")
        await one.settled() if not one.hub.taken else None
        assert ("io1/fridge", "active", UPDATE) in one.told
        assert [(a.key, a.ref) for a in one.hub.open_alarms()] == [("io1/fridge:active", "io1/fridge")]


async def test_a_module_that_was_away_is_read_again_and_its_alarms_are_set_right() -> None:
    """Points are unknown while it is away; one that went normal ends, one that stays says nothing."""
    async with rig() as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        one.module.put("discrete", 1, 0)
        await until(lambda: len(one.hub.open_alarms()) == 2, "both alarms")
        one.hub.taken.clear()
        await one.module.stop()
        await until(lambda: not any(m.known for m in one.adapter.machines), "the loss")
        one.module.put("discrete", 0, 0)
        await one.module.start()
        await until(lambda: len(one.hub.open_alarms()) == 1, "the end of what is over")
        await until(lambda: all(m.known for m in one.adapter.machines), "the readings")
        assert one.told == [("io1/fridge", "active", END)]


async def test_a_module_that_stays_away_is_news_and_its_return_too() -> None:
    """Down after its time, up when it is stable again; the alarms of its points stay open."""
    async with rig() as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.open_alarms(), "the alarm")
        await one.module.stop()
        await until(lambda: one.hub.links == [("plant", False)], "the news")
        assert one.hub.open_alarms()
        await one.module.start()
        await until(lambda: one.hub.links == [("plant", False), ("plant", True)], "its return")


async def test_a_module_that_accepts_and_never_answers_is_away() -> None:
    """An open connection is no sign of life."""
    async with rig(read_within_s=0.05) as one:
        await one.settled()
        one.module.silent = True
        await until(lambda: one.hub.links == [("plant", False)], "the news")
        assert not any(m.known for m in one.adapter.machines)
        one.module.silent = False
        await until(lambda: all(m.known for m in one.adapter.machines), "the readings")


async def test_a_line_fault_is_told_with_its_value() -> None:
    """A cut loop: neither open nor closed."""
    async with rig(LOOP) as one:
        await one.settled()
        one.module.put("input", 7, 3)
        await until(lambda: one.hub.taken, "the fault")
        assert one.hub.taken[0].source_text == "fault (value 3)"
        assert one.hub.taken[0].key == "io1/loop:fault"
        one.module.put("input", 7, 70)
        await until(lambda: not one.hub.open_alarms(), "its end")


async def test_bouncing_is_one_alarm() -> None:
    """The contact is read again as soon as it could have come to rest, not only at the next poll."""
    bouncy = Point(name="fridge", address=0, debounce_ms=60)
    async with rig(bouncy, poll_s=0.2) as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.taken, "the start")
        assert one.told == [("io1/fridge", "active", START)]


async def test_an_address_the_module_has_not_is_named_once_and_harms_no_other() -> None:
    """A configuration fault: an engineer is told, the neighbours are supervised, it heals when it can."""
    wrong = Point(name="wrong", address=3)
    async with rig(FRIDGE, Point(name="third", address=2), wrong) as one:
        await until(lambda: one.hub.said, "the news")
        await until(lambda: one.adapter.machines[0].known and one.adapter.machines[1].known, "the others")
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.open_alarms(), "the alarm of another point")
        reads = len(one.module.reads)
        await until(lambda: len(one.module.reads) > reads + 20, "more polls")
        (said,) = one.hub.said
        assert "io1/wrong (discrete 3): illegal data address (2)" in said.source_text
        assert ("discrete", 3, 1) not in one.module.reads[reads:]
        assert not one.adapter.machines[2].known
        one.module.put("discrete", 3, 0)
        await one.module.stop()
        await one.module.start()
        await until(lambda: one.adapter.machines[2].known, "its reading after a new connection")
        assert one.hub.said[-1].event is END


async def test_a_busy_module_is_asked_again() -> None:
    """Nothing is told and nothing is lost: the press during it is told afterwards."""
    async with rig(down_s=5.0) as one:
        await one.settled()
        one.module.exception = BUSY
        one.module.put("discrete", 0, 1)
        reads = len(one.module.reads)
        await until(lambda: len(one.module.reads) > reads + 4, "repeats")
        assert one.hub.taken == []
        one.module.exception = None
        await until(lambda: one.hub.taken, "the press")
        assert one.told == [("io1/fridge", "active", START)]
        assert one.module.connections == 1


async def test_a_module_that_fails_for_long_is_lost() -> None:
    """Answers that say nothing of any point are no life; that is one piece of news, not one a point."""
    async with rig() as one:
        await one.settled()
        one.module.exception = DEVICE_FAILURE
        await until(lambda: one.hub.links == [("plant", False)], "the news")
        await until(lambda: not any(m.known for m in one.adapter.machines), "nothing is known any more")
        assert one.told == []
        assert one.feed.status.refused == 1


async def test_a_part_that_fails_for_long_is_a_line_fault_of_its_points() -> None:
    """The others are read as before; it ends when the part answers again."""
    async with rig(FRIDGE, LOOP) as one:
        await one.settled()
        one.module.failing["input"] = DEVICE_FAILURE
        await until(lambda: one.hub.taken, "the line fault")
        assert one.told == [("io1/loop", "fault", START)]
        assert one.adapter.machines[1].condition is Condition.FAULT
        one.module.put("discrete", 0, 1)
        await until(lambda: ("io1/fridge", "active", START) in one.told, "the other point")
        assert one.hub.links == []
        del one.module.failing["input"]
        await until(lambda: ("io1/loop", "fault", END) in one.told, "the end of the fault")


async def test_an_address_that_is_gone_after_a_failure_is_no_line_fault() -> None:
    """It is told once, as what it is: the module has no such address any more."""
    async with rig(FRIDGE, LOOP, down_s=0.4) as one:
        await one.settled()
        one.module.failing["input"] = DEVICE_FAILURE
        await until(lambda: one.feed.status.refused, "the failure")
        one.module.failing["input"] = ILLEGAL_ADDRESS
        await until(lambda: one.hub.said, "the news")
        gone_at = one.feed.now()
        await until(lambda: one.feed.now() - gone_at > 600, "so long that a failure were a line fault")
        assert one.told == []
        assert [said.key for said in one.hub.said] == ["trouble:plant:point:loop"]


async def test_a_busy_module_is_not_asked_without_pause() -> None:
    """Not even for a contact that was just about to come to rest."""
    async with rig(Point(name="fridge", address=0, debounce_ms=30), poll_s=0.1, down_s=5.0) as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        await until(lambda: one.adapter.machines[0].next_read() is not None, "the first reading")
        one.module.exception = BUSY
        one.module.reads.clear()
        began_at = one.feed.now()
        await until(lambda: one.feed.now() - began_at > 400, "so much time")
        assert len(one.module.reads) <= 8


async def test_what_cannot_be_stored_now_is_told_until_it_is() -> None:
    """A press and its end during an outage are told afterwards, in order; polling went on."""
    async with rig() as one:
        await one.settled()
        one.hub.refuse = NotStored("database", 0)
        one.module.put("discrete", 0, 1)
        await until(lambda: one.feed.status.refused, "the first refusal")
        one.module.put("discrete", 0, 0)
        await until(lambda: one.adapter.telling.waiting == 2, "the end waits behind the start")
        one.hub.refuse = None
        await until(lambda: len(one.hub.taken) == 2, "both")
        assert one.told == [("io1/fridge", "active", START), ("io1/fridge", "active", END)]


async def test_what_can_never_be_stored_is_dropped_and_counted() -> None:
    """It does not stand in the way of the others."""
    async with rig() as one:
        await one.settled()
        one.hub.refuse = Refused("poison")
        one.module.put("discrete", 0, 1)
        await until(lambda: one.feed.status.refused, "the refusal")
        one.hub.refuse = None
        one.module.put("discrete", 1, 0)
        await until(lambda: one.hub.taken, "the next")
        assert one.told == [("io1/gas", "active", START)]


async def test_closing_tells_what_was_read() -> None:
    """A stop of the hub loses no press."""
    async with rig() as one:
        await one.settled()
        gate = asyncio.Event()
        store, one.feed.store = one.feed.store, None  # type: ignore[assignment, method-assign]

        async def later(*signals: Signal) -> Any:
            await gate.wait()
            return await store(*signals)

        one.feed.store = later  # type: ignore[method-assign]
        one.module.put("discrete", 0, 1)
        await until(lambda: one.adapter.machines[0].condition is Condition.ACTIVE, "the press")
        closing = asyncio.create_task(one.adapter.close())  # noqa: TID251
        gate.set()
        await closing
        assert one.told == [("io1/fridge", "active", START)]


async def test_closing_ends_though_an_answer_comes_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits in `asyncio.wait_for`, which up to Python 3.11 drops a cancelling that meets its
    result: the poll went on for ever, and the hub did not stop."""
    monkeypatch.setattr("alarmhub.tasks.CANCEL_AGAIN_AFTER_S", 0.05)
    look, due, closing = ModuleReader._look, asyncio.Event(), list[asyncio.Task[None]]()

    def close_then_look(reader: ModuleReader, sending: bool, data: bytes) -> bytes:
        if due.is_set() and not sending and not closing:
            closing.append(asyncio.create_task(one.adapter.close()))  # noqa: TID251
        return look(reader, sending, data)

    monkeypatch.setattr(ModuleReader, "_look", close_then_look)
    async with rig() as one:
        await one.settled()
        due.set()
        await until(lambda: closing, "an answer")
        await asyncio.wait(closing, timeout=3)
        assert closing[0].done()
        assert len(one.crew) == 0


async def test_with_a_change_register_the_points_are_read_when_it_moves() -> None:
    """One small read a poll; and all of them now and then, whatever it says."""
    async with rig(change_table="holding", change_address=99, full_s=60) as one:
        one.module.counter = ("holding", 99)
        await one.settled()
        one.module.reads.clear()
        await until(lambda: len(one.module.reads) > 5, "quiet polls")
        assert set(one.module.reads) == {("holding", 99, 1)}
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.taken, "the start")
        assert one.told == [("io1/fridge", "active", START)]


async def test_a_change_register_helps_beside_a_point_that_is_set_wrong() -> None:
    """What the module has not is no reason to read everything all the time."""
    wrong = Point(name="wrong", address=3)
    async with rig(FRIDGE, wrong, change_table="holding", change_address=99, full_s=60) as one:
        await until(lambda: one.hub.said and one.adapter.machines[0].known, "the first readings")
        one.module.reads.clear()
        await until(lambda: len(one.module.reads) > 8, "quiet polls")
        assert set(one.module.reads[3:]) == {("holding", 99, 1)}


async def test_a_change_register_that_does_not_exist_is_named_once() -> None:
    """And the points are read at each poll."""
    async with rig(FRIDGE, change_table="holding", change_address=7) as one:
        await one.settled()
        one.module.put("discrete", 0, 1)
        await until(lambda: one.hub.taken, "the start")
        (said,) = one.hub.said
        assert "change register 7: illegal data address (2)" in said.source_text
        one.module.put("holding", 7, 1)
        await until(lambda: len(one.hub.said) > 1, "its end once it exists")
        assert one.hub.said[1].key == "trouble:plant:change-register"
        assert one.hub.said[1].event is END


async def test_what_was_named_before_a_restart_ends_when_it_is_right() -> None:
    """The address exists by now; the engineer's alarm would stay for ever."""
    wrong = Point(name="wrong", address=3)
    async with rig(FRIDGE, wrong, change_table="holding", change_address=7) as one:
        await until(lambda: len(one.hub.said) == 2, "the news")
        await one.adapter.close()
        for said in tuple(one.hub.said):
            await one.hub.signal(said)
        one.hub.said.clear()
        one.module.put("discrete", 3, 0)
        one.module.put("holding", 7, 1)
        one.connect()
        await one.adapter.start()
        await until(lambda: len(one.hub.said) == 2, "both ends")
        assert {said.key for said in one.hub.said} == {
            "trouble:plant:point:wrong", "trouble:plant:change-register",
        }  # fmt: skip
        assert all(said.event is END for said in one.hub.said)
        one.feed.close()


async def test_a_slow_module_harms_no_other() -> None:
    """Each has its own connection and its own time."""
    async with rig() as quick, rig() as slow:
        await quick.settled()
        slow.module.delay_s = 0.25
        quick.module.put("discrete", 0, 1)
        await until(lambda: quick.hub.taken, "the start", within_s=0.2)


async def test_another_unit_behind_the_gateway_is_not_taken_for_ours() -> None:
    """A gateway without our device does not answer."""
    async with rig() as one:
        await one.settled()
        one.module.unit = 2
        await until(lambda: one.hub.links == [("plant", False)], "the news")


async def test_a_contact_cannot_be_told_anything() -> None:
    """A report is taken and goes nowhere."""
    async with rig() as one:
        await one.adapter.report(Report("plant", ReportStatus.ACCEPTED, "io1/fridge"), "a1")
        assert one.adapter.port == 0
