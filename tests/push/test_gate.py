"""A bound, a bounded line, the most urgent first, and nobody past their deadline."""

from __future__ import annotations

import asyncio

from alarmhub.push.gate import TOO_LATE, TURNED_AWAY, Gate, rank
from tests.support.virtual import in_virtual_time
from tests.support.waiting import turns


async def enter(gate: Gate, priority: str, within_s: float = 3.0) -> str:
    """As a push does."""
    return await gate.enter(priority, asyncio.get_running_loop().time() + within_s)


@in_virtual_time
async def test_as_many_as_allowed_come_in_at_once() -> None:
    """The next one waits until somebody leaves."""
    gate = Gate(2)
    assert [await enter(gate, "low") for _ in range(2)] == ["", ""]
    async with asyncio.TaskGroup() as group:
        third = group.create_task(enter(gate, "low"))
        await turns(3)
        assert not third.done() and (gate.inside, gate.waiting) == (2, 1)
        gate.leave()
    assert third.result() == "" and (gate.inside, gate.waiting) == (2, 0)
    for _ in range(2):
        gate.leave()
    assert gate.inside == 0


@in_virtual_time
async def test_the_most_urgent_goes_first_and_among_equals_the_first() -> None:
    """Whoever came when."""
    gate, order = Gate(1), list[str]()
    await enter(gate, "high")

    async def push(name: str, priority: str) -> None:
        assert await enter(gate, priority) == ""
        order.append(name)
        gate.leave()

    async with asyncio.TaskGroup() as group:
        for name, priority in (
            ("a", "low"),
            ("b", "high"),
            ("c", "information"),
            ("d", "high"),
            ("e", "medium"),
        ):
            group.create_task(push(name, priority))
        await turns(2)
        gate.leave()
    assert order == ["b", "d", "e", "a", "c"] and gate.inside == 0


@in_virtual_time
async def test_a_full_line_turns_the_least_urgent_away() -> None:
    """The newest of them first; who is the least urgent itself is not let in."""
    gate = Gate(1, line_most=2)
    await enter(gate, "high")
    async with asyncio.TaskGroup() as group:
        older, newer = (group.create_task(enter(gate, "low")) for _ in range(2))
        await turns(2)
        assert await enter(gate, "low") == TURNED_AWAY
        assert await enter(gate, "information") == TURNED_AWAY
        urgent = group.create_task(enter(gate, "high"))
        await turns(2)
        assert newer.result() == TURNED_AWAY and not older.done()
        gate.leave()
        await turns(2)
        assert urgent.result() == "" and not older.done()
        gate.leave()
    assert older.result() == "" and gate.inside == 1


@in_virtual_time
async def test_a_turn_that_does_not_come_ends_at_the_deadline() -> None:
    """And leaves no trace: the slot goes to who still waits."""
    gate = Gate(1)
    await enter(gate, "low")
    assert await enter(gate, "high", within_s=0.5) == TOO_LATE
    assert (gate.inside, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.inside == 0


@in_virtual_time
async def test_whoever_is_cancelled_gives_the_place_on() -> None:
    """Also in the very instant in which its turn came."""
    gate = Gate(1)
    await enter(gate, "low")
    async with asyncio.TaskGroup() as group:
        gone, next_one = group.create_task(enter(gate, "low")), group.create_task(enter(gate, "low"))
        await turns(2)
        gate.leave()
        gone.cancel()
    assert gone.cancelled() and next_one.result() == "" and (gate.inside, gate.waiting) == (1, 0)


def test_an_unknown_priority_counts_as_high() -> None:
    """Too early is the better mistake."""
    assert [rank(p) for p in ("information", "low", "medium", "high", "?")] == [0, 1, 2, 3, 3]
