"""Effects on their way out: one order per address, tried again, given up, found again after a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from alarmhub.engine.outbox import LEASE_MS, SEND_WITHIN_S, Outbox
from alarmhub.metrics import Metrics
from alarmhub.ports import OutboxRow
from alarmhub.store.memory import Tables
from alarmhub.tasks import Crew, spawn
from tests.support.shift import Plants, SlowStore, lost
from tests.support.stored import batch, effect_row
from tests.support.virtual import VirtualClock, in_virtual_time, passes, until


class Post:
    """An outbox at work on a memory store."""

    def __init__(self, tables: Tables | None = None) -> None:
        self.clock = VirtualClock()
        self.store = SlowStore(self.clock, tables or Tables())
        self.plants = Plants()
        self.metrics = Metrics()
        self.epoch = 0
        self.holds = True
        self.given_up: list[tuple[str, str]] = []

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Post]:
        """It runs, under a lease of its own."""
        self.crew = Crew("test")
        lease = await self.store.acquire("hub", 1_000_000_000)
        assert lease is not None
        self.epoch = lease.epoch
        self.outbox = Outbox(
            store=self.store, clock=self.clock, crew=self.crew, metrics=self.metrics,
            couriers={"report": self.plants.carry}, epoch=lambda: self.epoch,
            holds=lambda epoch: self.holds and epoch == self.epoch,
            given_up=lambda row, cause: self.given_up.append((row.id, cause)),
        )  # fmt: skip
        spawn(self.outbox.run(), "outbox", self.crew)
        try:
            yield self
        finally:
            await self.crew.close()

    async def commit(
        self, *ids: str, to: str = "plant", gives_up_after_s: float = 120.0, **more: Any
    ) -> None:
        """Effects to one address are committed."""
        now = self.clock.now()
        rows = [
            effect_row(
                id=id, address=to, created_at=now, give_up_at=now + round(gives_up_after_s * 1000), **more
            )
            for id in ids
        ]
        await self.store.write(self.epoch, batch(outbox=rows))
        self.outbox.announce()

    @property
    def sent(self) -> list[str]:
        """What was taken, in order."""
        return [row.id for row in self.plants.taken]

    def count(self, outcome: str) -> float:
        """So many effects ended so."""
        return self.metrics.effects.labels("report", outcome)._value.get()


@in_virtual_time
async def test_what_is_committed_is_sent_at_once_and_forgotten() -> None:
    """A report leaves with its commit, and its row goes once the source has taken it."""
    async with Post().at_work() as post:
        await post.commit("a", "b")
        await until(lambda: not post.store.tables.outbox, "both are settled", within_s=0.1)
        assert post.sent == ["a", "b"]
        assert post.count("sent") == 2


@in_virtual_time
async def test_one_order_per_address_and_no_waiting_between_addresses() -> None:
    """A source that takes its time holds up its own reports alone, and gets them in order."""
    async with Post().at_work() as post:
        post.plants.takes_s = 3.0
        await post.commit("a1", "a2", to="a")
        await post.commit("b1", to="b")
        await passes(3.5)
        assert post.sent == ["a1", "b1"]
        await passes(3)
        assert post.sent == ["a1", "b1", "a2"]


@in_virtual_time
async def test_what_fails_is_tried_again_before_what_came_after_it() -> None:
    """The line is cut for a while: nothing overtakes the report that failed."""
    async with Post().at_work() as post:
        tries: list[str] = []

        def cut(row: OutboxRow) -> BaseException | None:
            tries.append(row.id)
            return lost() if len(tries) <= 3 else None

        post.plants.broken = cut
        await post.commit("a", "b", "c")
        await until(lambda: not post.store.tables.outbox, "all are settled")
        assert post.sent == ["a", "b", "c"]
        assert tries == ["a", "a", "a", "a", "b", "c"]
        assert post.count("retried") == 3


@in_virtual_time
async def test_it_is_given_up_in_time_and_the_next_one_goes() -> None:
    """A source that refuses for good loses that one report, not those after it."""
    async with Post().at_work() as post:
        post.plants.broken = lambda row: lost() if row.id == "a" else None
        await post.commit("a", gives_up_after_s=10)
        await post.commit("b")
        await until(lambda: post.sent == ["b"], "the next one is sent", within_s=11)
        assert post.count("given_up") == 1
        assert [id for id, _ in post.given_up] == ["a"]
        assert not post.store.tables.outbox


@in_virtual_time
async def test_a_courier_that_hangs_is_left() -> None:
    """No effect is waited for longer than its time."""
    async with Post().at_work() as post:
        post.plants.takes_s = 10 * SEND_WITHIN_S
        await post.commit("a", gives_up_after_s=SEND_WITHIN_S)
        await until(lambda: post.count("given_up"), "it is given up", within_s=SEND_WITHIN_S + 5)


@in_virtual_time
async def test_a_courier_with_a_defect_costs_its_effect_alone() -> None:
    """Whatever a courier raises, the hub runs on: the effect is tried again, then given up."""
    async with Post().at_work() as post:
        post.plants.broken = lambda row: ZeroDivisionError("a defect") if row.id == "a" else None
        await post.commit("a", gives_up_after_s=5)
        await post.commit("b", to="other")
        await until(lambda: post.sent == ["b"] and post.count("given_up"), "only the one is lost")
        assert not post.crew.fatal.done()


@in_virtual_time
async def test_nobody_is_told_what_is_no_longer_true() -> None:
    """What a long stop left behind is given up, not sent late: a phone must not ring for yesterday."""
    post = Post()
    async with post.at_work():
        post.plants.broken = lost
        await post.commit("a", gives_up_after_s=60)
        await passes(1)
    tries = len(post.plants.taken)
    await passes(3600)
    again = Post(post.store.tables)
    async with again.at_work():
        await until(lambda: not again.store.tables.outbox, "it is given up")
        assert len(again.plants.taken) == tries
        assert again.count("given_up") == 1


@in_virtual_time
async def test_without_a_courier_it_is_given_up_at_once() -> None:
    """A channel nobody serves keeps no rows."""
    async with Post().at_work() as post:
        await post.commit("a", channel="push")
        await until(lambda: not post.store.tables.outbox, "it is settled", within_s=0.5)
        assert not post.sent and post.given_up == [("a", "no channel")]


@in_virtual_time
async def test_what_a_crash_left_unsettled_is_sent_again_after_its_lease() -> None:
    """At least once: who took it over waits until nobody else can be sending it."""
    post = Post()
    async with post.at_work():
        post.plants.takes_s = 5.0
        await post.commit("a")
        await passes(1)
    again = Post(post.store.tables)
    async with again.at_work():
        await passes(LEASE_MS / 1000 - 3)
        assert not again.sent
        await until(lambda: again.sent == ["a"], "it is sent again", within_s=10)


@in_virtual_time
async def test_a_database_that_is_away_costs_nothing_but_a_second_sending() -> None:
    """Sent while it cannot be noted: sent once more later, never lost, and the hub lives."""
    async with Post().at_work() as post:
        post.plants.takes_s = 1.0
        await post.commit("a")
        await passes(0.5)
        post.store.away = True
        await passes(LEASE_MS / 1000)
        post.store.away = False
        await until(lambda: not post.store.tables.outbox, "it is settled", within_s=20)
        assert post.sent == ["a", "a"]
        assert not post.crew.fatal.done()


@pytest.mark.parametrize("ours", [True, False])
@in_virtual_time
async def test_fenced_means_the_end_only_if_nobody_took_the_lease_anew(ours: bool) -> None:
    """Another process holds the lease: the hub stops. Its own writer has renewed it: it goes on."""
    async with Post().at_work() as post:
        await post.store.acquire("hub", 1_000_000_000)
        post.holds = not ours
        post.outbox.announce()
        await passes(0.1)
        assert post.crew.fatal.done() is not ours


@in_virtual_time
async def test_a_backlog_is_worked_off_whatever_its_size() -> None:
    """More rows than one claim takes, for many addresses."""
    async with Post().at_work() as post:
        for first in range(0, 1_000, 100):
            await post.commit(*(f"{first + n:05d}" for n in range(100)), to=f"plant-{first % 7}")
        await until(lambda: not post.store.tables.outbox, "all are settled", within_s=30)
        assert sorted(post.sent) == [f"{n:05d}" for n in range(1_000)]


@in_virtual_time
async def test_at_rest_it_asks_seldom() -> None:
    """Nothing to send: it looks every few seconds for what a crash left, no more."""
    async with Post().at_work() as post:
        before = post.store.claims
        await passes(60)
        assert post.store.claims - before <= 13
