"""Effects handed over right after their commit: none waits for another, all are forgotten, none is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from alarmhub.engine import express
from alarmhub.engine.express import SETTLE_EVERY_S
from alarmhub.engine.outbox import Outbox
from alarmhub.metrics import Metrics
from alarmhub.ports import OutboxRow
from alarmhub.store.memory import Tables
from alarmhub.tasks import Crew, spawn
from tests.support.shift import Plants, SlowStore, lost
from tests.support.stored import batch, effect_row
from tests.support.virtual import VirtualClock, in_virtual_time, passes, until


class Post:
    """An outbox at work; pushes are written and handed over as the engine does it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = SlowStore(self.clock, Tables())
        self.plants = Plants()
        self.metrics = Metrics()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Post]:
        """It runs, under a lease of its own."""
        self.crew = Crew("test")
        lease = await self.store.acquire("hub", 1_000_000_000)
        assert lease is not None
        await self.store.unclaim(lease.epoch)
        epoch = lease.epoch
        self.epoch = epoch
        self.outbox = Outbox(
            store=self.store, clock=self.clock, crew=self.crew, metrics=self.metrics,
            couriers={"push": self.plants.carry}, epoch=lambda: epoch, holds=lambda given: given == epoch,
        )  # fmt: skip
        spawn(self.outbox.run(), "outbox", self.crew)
        await passes(0)
        try:
            yield self
        finally:
            await self.crew.close()

    async def commit(self, *ids: str, gives_up_after_s: float = 60.0) -> list[OutboxRow]:
        """Pushes to anna are committed, and handed over."""
        now = self.clock.now()
        rows = [
            effect_row(
                id=id, channel="push", address="anna", created_at=now,
                give_up_at=now + round(gives_up_after_s * 1000), attempt=1,
            )
            for id in ids
        ]  # fmt: skip
        await self.store.write(self.epoch, batch(outbox=rows))
        self.outbox.hand_over(rows)
        return rows

    @property
    def sent(self) -> list[str]:
        """What was taken, in order."""
        return [row.id for row in self.plants.taken]

    def count(self, outcome: str) -> float:
        """So many pushes ended so."""
        return self.metrics.effects.labels("push", outcome)._value.get()


@in_virtual_time
async def test_all_go_at_once_and_are_forgotten_together() -> None:
    """One that takes its time holds up none behind it, to the same address neither."""
    async with Post().at_work() as post:
        post.plants.takes_s = 1.0
        await post.commit("a", "b", "c")
        await passes(1.0)
        await passes(0.001)
        assert sorted(post.sent) == ["a", "b", "c"] and len(post.store.tables.outbox) == 3
        await passes(SETTLE_EVERY_S)
        assert not post.store.tables.outbox and post.count("sent") == 3


@in_virtual_time
async def test_what_fails_is_given_up_by_its_courier_alone() -> None:
    """It has tried again by itself: whatever it raises, the row is done with and the hub runs on."""
    async with Post().at_work() as post:
        faults = {"a": lost(), "b": ZeroDivisionError("a defect")}
        post.plants.broken = lambda row: faults.get(row.id)
        await post.commit("a", "b", "c")
        await passes(SETTLE_EVERY_S + 0.01)
        assert post.sent == ["c"] and not post.store.tables.outbox
        assert (post.count("given_up"), post.count("sent")) == (2, 1)
        assert not post.crew.fatal.done()


@in_virtual_time
async def test_a_courier_that_hangs_has_the_rows_time() -> None:
    """Not a moment longer, and not less."""
    async with Post().at_work() as post:
        post.plants.takes_s = 1_000
        await post.commit("a", gives_up_after_s=7)
        await passes(6.9)
        assert post.store.tables.outbox
        await passes(0.3)
        assert not post.store.tables.outbox and post.count("given_up") == 1


@in_virtual_time
async def test_what_a_crash_left_is_carried_out_by_the_next_process() -> None:
    """Handed over and never settled: again, once."""
    post = Post()
    async with post.at_work():
        post.plants.takes_s = 1_000
        await post.commit("a")
        await passes(0.01)
    post.plants.takes_s = 0.0
    async with post.at_work():
        await until(lambda: post.sent == ["a"], "the next process carries it out", within_s=0.1)
        await passes(60)
        assert post.sent == ["a"] and not post.store.tables.outbox


@in_virtual_time
async def test_what_is_claimed_again_while_it_is_carried_out_goes_once() -> None:
    """A process before this one left it, and its claim runs out while the courier still tries."""
    post = Post()
    async with post.at_work():
        post.plants.takes_s = 1_000
        await post.commit("a")
    async with post.at_work():
        post.plants.takes_s = 50
        await passes(45)
        assert post.store.tables.outbox["a"].attempt > 2, "it was claimed again"
        await passes(10)
        assert post.sent == ["a"]


@in_virtual_time
async def test_settling_waits_for_the_database_and_sends_nothing_twice() -> None:
    """It is away when the rows are done with."""
    async with Post().at_work() as post:
        await post.commit("a")
        post.store.away = True
        await passes(5)
        post.store.away = False
        await passes(1)
        assert not post.store.tables.outbox and post.sent == ["a"]


@in_virtual_time
async def test_what_is_too_much_at_once_is_late_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound rows stay in the database and are claimed when there is room."""
    monkeypatch.setattr(express, "MOST_AT_WORK", 2)
    async with Post().at_work() as post:
        post.plants.takes_s = 3.0
        await post.commit("a", "b", "c", "d")
        await passes(2.9)
        assert len(post.outbox.express) == 2
        await until(lambda: not post.store.tables.outbox, "all are carried out", within_s=20)
        assert sorted(post.sent) == ["a", "b", "c", "d"]
