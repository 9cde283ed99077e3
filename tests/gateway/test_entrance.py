"""Many knock at once: a few come in, the others in turn, and the loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alarmhub.gateway.entrance import AT_ONCE, EVERY_S, Entrance
from alarmhub.tasks import Crew
from tests.support.virtual import in_virtual_time, passes


class Guest:
    """Somebody with a number; `gone`: left before its turn came."""

    def __init__(self, number: int, came_in: list[int]) -> None:
        self.number, self._came_in = number, came_in
        self.waits = self.gone = False

    def wait(self) -> None:
        """It stands in line."""
        self.waits = True

    def let_in(self) -> bool:
        """Its turn has come."""
        if not self.gone:
            self._came_in.append(self.number)
        return not self.gone


@asynccontextmanager
async def door(guests: int) -> AsyncIterator[tuple[Entrance, list[Guest], list[int]]]:
    """An entrance at which so many have knocked; who was let in later, in order."""
    crew, came_in = Crew("test"), []
    entrance = Entrance(crew)
    all_guests = [Guest(number, came_in) for number in range(guests)]
    for guest in all_guests:
        entrance.knock(guest)
    yield entrance, all_guests, came_in
    assert not crew.fatal.done()
    await crew.close()


@in_virtual_time
async def test_a_few_come_in_at_once() -> None:
    """A phone that wakes up does not wait for anything."""
    async with door(AT_ONCE) as (entrance, guests, _):
        assert not any(guest.waits for guest in guests)
        await passes(EVERY_S)
        late = Guest(99, [])
        entrance.knock(late)
        assert not late.waits and len(entrance) == 0


@in_virtual_time
async def test_a_crowd_comes_in_by_its_turn_and_evenly() -> None:
    """In order of knocking, so many in each interval."""
    async with door(5 * AT_ONCE + 2) as (entrance, guests, came_in):
        assert [guest.waits for guest in guests] == [False] * AT_ONCE + [True] * (4 * AT_ONCE + 2)
        for turn in range(1, 5):
            await passes(EVERY_S * 1.01)
            assert len(came_in) == turn * AT_ONCE
        await passes(EVERY_S * 1.01)
        assert came_in == list(range(AT_ONCE, 5 * AT_ONCE + 2)) and len(entrance) == 0


@in_virtual_time
async def test_ten_thousand_are_in_within_ten_seconds() -> None:
    """And not all at once."""
    async with door(10_000) as (entrance, _, came_in):
        await passes(1.0)
        assert len(came_in) <= 1.2 / EVERY_S * AT_ONCE
        await passes(9.0)
        assert len(entrance) == 0


@in_virtual_time
async def test_who_comes_while_others_wait_waits_behind_them() -> None:
    """Also when the interval has room."""
    async with door(AT_ONCE + 1) as (entrance, _, came_in):
        late = Guest(99, came_in)
        entrance.knock(late)
        assert late.waits
        await passes(EVERY_S * 1.01)
        assert came_in == [AT_ONCE, 99]


@in_virtual_time
async def test_who_has_gone_costs_nobody_a_turn() -> None:
    """Half of them hung up."""
    async with door(3 * AT_ONCE) as (_, guests, came_in):
        for guest in guests[AT_ONCE : 2 * AT_ONCE]:
            guest.gone = True
        await passes(EVERY_S * 1.01)
        assert came_in == list(range(2 * AT_ONCE, 3 * AT_ONCE))


@in_virtual_time
async def test_a_busy_loop_is_not_made_busier() -> None:
    """What was held up is not caught up: the next interval lets in no more than any."""
    async with door(10 * AT_ONCE) as (_, _guests, came_in):
        loop = asyncio.get_running_loop()
        await passes(0)
        loop.passed_s += 0.2  # type: ignore[attr-defined]  something held it up
        await asyncio.wait([loop.create_future()], timeout=EVERY_S / 2)
        assert len(came_in) == AT_ONCE
