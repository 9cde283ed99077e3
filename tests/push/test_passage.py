"""The gate and the two attempts together share one deadline."""

from __future__ import annotations

import asyncio

from alarmhub.push.gate import TOO_LATE
from alarmhub.push.passage import Passage
from alarmhub.push.transport import Note, Outcome, Sent
from tests.support.virtual import in_virtual_time, passes

NOTE = Note(id="n", alarm="a", rev=1, priority="high", ttl_s=60)


@in_virtual_time
async def test_waiting_for_the_turn_counts() -> None:
    """Who waited two seconds of three has one left, and starts a second attempt after a third of that."""
    passage = Passage(at_once=1, within_s=3.0)
    began: list[float] = []

    async def two_seconds(_number: int) -> Sent:
        await passes(2.0 if not began else 0)
        return Sent(Outcome.TAKEN)

    async def silent(_number: int) -> Sent:
        began.append(round(asyncio.get_running_loop().time(), 3))
        await asyncio.Event().wait()
        return Sent(Outcome.TAKEN)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(passage.through(NOTE, 9.0, two_seconds))
        second = group.create_task(passage.through(NOTE, None, silent))
    assert first.result().outcome is Outcome.TAKEN
    assert second.result().outcome is Outcome.LOST
    assert began == [2.0, 2.333] and round(asyncio.get_running_loop().time(), 3) == 3.0


@in_virtual_time
async def test_whose_turn_does_not_come_is_later() -> None:
    """It was not sent; and the place is free again afterwards."""
    passage = Passage(at_once=1, within_s=3.0)

    async def silent(_number: int) -> Sent:
        await asyncio.Event().wait()
        return Sent(Outcome.TAKEN)

    async def quick(_number: int) -> Sent:
        return Sent(Outcome.TAKEN)

    async with asyncio.TaskGroup() as group:
        group.create_task(passage.through(NOTE, 3.0, silent))
        waiting = group.create_task(passage.through(NOTE, 1.0, quick))
    assert (waiting.result().outcome, waiting.result().detail) == (Outcome.LATER, TOO_LATE)
    assert (await passage.through(NOTE, None, quick)).outcome is Outcome.TAKEN
