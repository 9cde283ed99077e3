"""What the twin offers to tests beyond the store's promises (those are in test_contract)."""

from __future__ import annotations

import pytest

from alarmhub.ports import StoreUnavailable
from alarmhub.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.stored import NOW, alarm, raised


@pytest.fixture
async def store() -> MemoryStore:
    """A store whose lease `me` holds under epoch 1."""
    store = MemoryStore(ManualClock(NOW))
    await store.acquire("me", 1500)
    return store


@pytest.mark.parametrize("applied", [True, False])
async def test_a_write_can_be_made_to_fail_once(store: MemoryStore, applied: bool) -> None:
    """With the commit done or not; then the lease must be taken again, as with PostgreSQL."""
    given = raised(alarm("a"))
    store.fail_next_write(applied=applied)

    with pytest.raises(StoreUnavailable):
        await store.write(1, given)
    with pytest.raises(StoreUnavailable):
        await store.write(1, given)
    lease = await store.acquire("me", 1500)

    assert lease is not None and lease.epoch == 2
    assert await store.applied(given.id) == applied
    await store.write(2, given)
    assert [a.id for a in (await store.load(NOW)).alarms] == ["a"]


async def test_away_means_everything_is_away(store: MemoryStore) -> None:
    """And back means back, after the lease is taken again."""
    store.away = True
    for call in (
        store.acquire("me", 1),
        store.renew(1, 1),
        store.release(1),
        store.load(NOW),
        store.write(1, raised(alarm())),
        store.applied("x"),
        store.claim(1, NOW, 1, 1),
        store.site(),
        store.token(b""),
        store.alarm("a"),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    store.away = False

    with pytest.raises(StoreUnavailable):
        await store.write(1, raised(alarm()))
    lease = await store.acquire("me", 1500)
    assert lease is not None
    await store.write(lease.epoch, raised(alarm()))


async def test_its_lease_runs_by_the_clock_it_is_given() -> None:
    """Virtual time: nothing is waited for."""
    clock = ManualClock(NOW)
    first = MemoryStore(clock)
    second = MemoryStore(clock, first.tables)
    await first.acquire("first", 1500)

    clock.advance(1.499)
    assert await second.acquire("second", 1500) is None
    clock.advance(0.001)
    lease = await second.acquire("second", 1500)
    assert lease is not None and lease.database_now == NOW + 1500


async def test_what_was_stored_outlives_the_process(store: MemoryStore) -> None:
    """A restart in a test is a new store on the same tables."""
    await store.write(1, raised(alarm("a")))

    again = MemoryStore(ManualClock(NOW), store.tables)

    assert [a.id for a in (await again.load(NOW)).alarms] == ["a"]
