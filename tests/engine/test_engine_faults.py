"""What the engine does when the database goes, when too much is due at once, and when a rule fails."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from alarmhub.core import decide as decide_module
from alarmhub.core.events import Answered, Raised, WorldChanged
from alarmhub.engine import fold
from alarmhub.ports import NotStored, OutboxRow, Refused, StoreUnavailable
from load.site import staff_id
from tests.support.engine import Rig, running, start_of
from tests.support.waiting import until


async def test_a_silent_night_notices_a_lost_database_too() -> None:
    """Nobody presses, the database goes: phones are told storing false, and true when it is back."""
    async with running() as rig:
        rig.store.away = True
        await until(lambda: rig.screens.said_storing == [False], "phones hear that nothing is stored")
        assert not rig.engine.storing

        rig.store.away = False
        await until(lambda: rig.screens.said_storing == [False, True], "phones hear that all is well")
        assert rig.engine.storing
        assert not rig.dead
        assert (await rig.press("after")).new


async def test_what_cannot_be_stored_is_refused_in_two_seconds() -> None:
    """A press while the database is away is told so after 2 s; it is not stored afterwards either."""
    async with running() as rig:
        rig.store.away = True
        before = rig.clock.now()
        with pytest.raises(NotStored):
            await rig.press("lost")
        assert 1_800 <= rig.clock.now() - before <= 3_000

        rig.store.away = False
        assert (await rig.press("kept")).new
        assert [row.key for row in rig.tables.alarms.values()] == ["kept"]


@pytest.mark.parametrize("applied", [True, False])
async def test_a_commit_with_an_unknown_end_counts_once(applied: bool) -> None:
    """The connection goes during a commit, before or after it was applied: one alarm, one answer."""
    async with running() as rig:
        rig.store.fail_next_write(applied=applied)
        outcome = await rig.press("once")
        assert outcome.new
        assert list(rig.tables.alarms) == [outcome.alarm]
        assert not rig.dead


async def test_after_a_lost_commit_an_end_does_not_overtake_its_start() -> None:
    """A start whose commit was lost is decided before the end that came meanwhile, however much waits."""
    async with running() as rig:
        rig.store.fail_next_write(applied=False)
        rig.store.away = True
        start = asyncio.ensure_future(rig.press("call"))
        await until(lambda: not rig.engine.storing, "the loss is noticed")
        others = [asyncio.ensure_future(rig.press(f"other-{n}", priority="high")) for n in range(600)]
        end = asyncio.ensure_future(rig.engine.signal(start_of("call", event="end")))
        await asyncio.sleep(0)
        rig.store.away = False

        assert (await start).new
        assert (await end).alarm == (await start).alarm
        assert rig.engine.open_alarm((await start).alarm or "") is None
        await asyncio.gather(*others)


async def test_more_deadlines_and_changes_than_the_backlog_allows_are_all_served() -> None:
    """Ten thousand open alarms whose world changes at once: the limits are for new calls, not for these."""
    async with running() as rig:
        for first in range(0, 9_000, 3_000):
            await asyncio.gather(*(rig.press(f"call-{first + n}", n % 10) for n in range(3_000)))
        staff = staff_id(0)
        req = await rig.engine.availability(staff=staff, device="phone", req="r", state="break")
        assert req.ok
        assert (await rig.press("one more")).new, "a low call is taken while the changes wait"
        assert not rig.dead


class _Slow:
    """A courier that never gets through."""

    def __init__(self) -> None:
        self.asked: list[OutboxRow] = []

    async def __call__(self, row: OutboxRow) -> None:
        self.asked.append(row)


async def test_a_claim_under_the_epoch_before_a_return_is_no_takeover() -> None:
    """The database was away and the lease was taken anew: what was claimed under the old epoch meanwhile is
    no reason to stop."""
    async with running() as rig:
        engine = rig.engine
        held = engine.epoch
        rig.store.away = True
        await until(lambda: not engine.storing, "the loss is noticed")
        rig.store.away = False
        await until(lambda: engine.storing, "the return is noticed")
        assert engine.epoch > held
        await asyncio.gather(*(rig.press(f"call-{n}") for n in range(5)))
        assert not rig.dead
