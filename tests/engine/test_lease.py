"""Holding the lease: renewed well within its time, lost only to another process."""

from __future__ import annotations

import asyncio

from alarmhub.clock import MonotonicClock
from alarmhub.engine.lease import TRIM_EVERY_MS
from alarmhub.ports import Fenced, Lease, StoreUnavailable
from tests.support.shift import TTL_MS, Shift, SlowStore
from tests.support.virtual import in_virtual_time, passes, until


@in_virtual_time
async def test_a_quiet_hub_keeps_its_lease() -> None:
    """Hours without an event: never a moment at which another process could take it."""
    async with Shift() as shift:
        epoch = shift.engine.epoch
        for _ in range(600):
            await shift.later(0.1)
            assert shift.tables.expires_at - shift.clock.now() >= TTL_MS / 3
        assert shift.engine.epoch == epoch and not shift.dead


@in_virtual_time
async def test_a_hub_that_finds_another_in_its_place_stops() -> None:
    """Nobody pressed anything; the renewal says it."""
    async with Shift() as shift:
        shift.tables.epoch += 1
        died = await asyncio.wait_for(asyncio.shield(shift.crew.fatal), 2)
        assert died.name == "lease" and isinstance(died.exc, Fenced)


@in_virtual_time
async def test_a_renewal_that_fails_is_noticed_as_a_lost_database() -> None:
    """Phones are told, the lease is taken anew, nobody stops."""
    async with Shift() as shift:
        epoch = shift.engine.epoch
        shift.store.away = True
        await shift.later(1)
        assert not shift.engine.storing and shift.screens.said_storing == [False]
        shift.store.away = False
        await until(lambda: shift.engine.storing, within_s=1)
        assert shift.engine.epoch > epoch
        await shift.later(60)
        assert shift.screens.said_storing == [False, True] and not shift.dead


class Hiccup(SlowStore):
    """One renewal hangs, while the writer meanwhile takes the lease anew."""

    hangs = False

    async def renew(self, epoch: int, ttl_ms: int) -> Lease:  # noqa: D102
        if self.hangs:
            self.hangs = False
            await passes(0.3)
        return await super().renew(epoch, ttl_ms)


@in_virtual_time
async def test_a_renewal_under_an_epoch_that_was_left_is_no_takeover() -> None:
    """It began before a lost commit and ends after the new lease: fenced, and of no meaning."""
    shift = Shift()
    shift.store_kind = Hiccup
    async with shift:
        assert isinstance(shift.store, Hiccup)
        shift.store.hangs = True
        await until(lambda: not shift.store.hangs, "a renewal is under way")
        shift.store.fail_next_write(applied=True)
        await shift.press("12/1")
        await shift.later(5)
        assert not shift.dead
        shift.check()


@in_virtual_time
async def test_old_replies_are_trimmed_from_time_to_time() -> None:
    """After a day a remembered id makes room; the database does not grow for ever."""
    async with Shift() as shift:
        await shift.signal("12/1", "patient_call", id="e1")
        await shift.reset("12/1", "patient_call")
        assert len(shift.tables.answered) == 1
        shift.clock.jump(25 * 3600)
        await shift.later(TRIM_EVERY_MS / 1000 + 2)
        assert not shift.tables.answered
        assert len(shift.tables.batches) <= 1


@in_virtual_time
async def test_the_hubs_clock_follows_the_databases() -> None:
    """Measured every ten seconds; what fell due by a jump is served at once."""
    loop = asyncio.get_running_loop()
    shift = Shift()
    database = shift.clock
    shift.hub_clock = clock = MonotonicClock(
        monotonic_ns=lambda: int(loop.time() * 1e9), wall_ms=lambda: database.now()
    )
    clock.measured(database.now(), asked_ns=clock.monotonic_ns())
    jumps: list[int] = []
    clock.on_jump = jumps.append
    async with shift:
        call = await shift.press("13/1")
        database.jump(60)
        await shift.later(12)
        assert abs(clock.now() - database.now()) < 5
        assert jumps and abs(jumps[0] - 60_000) < 50
        assert shift.alarm(call).step == 1


@in_virtual_time
async def test_a_database_that_is_away_while_there_is_news_is_asked_again() -> None:
    """The site could not be read just then: it is read with the next renewal."""
    async with Shift() as shift:
        failed: list[int] = []
        read = shift.store.site

        async def fails_once() -> object:
            if not failed:
                failed.append(1)
                raise StoreUnavailable("just now")
            return await read()

        shift.store.site = fails_once  # type: ignore[assignment,method-assign]
        await shift.publish(shift.site)
        await shift.later(2)
        assert failed and shift.engine.world().site.version == 2
