"""The two stores, behind one set of promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.store.memory import MemoryStore, Tables
from alarmhub.store.postgres import PostgresStore
from alarmhub.tasks import Crew

OpenStore = Callable[[], Awaitable[Any]]


@pytest.fixture(params=["memory", "postgres"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    """Opens a store as one more process on the same database."""
    opened: list[Any] = []
    tables, clock = Tables(), MonotonicClock()
    dsn = request.getfixturevalue("database_dsn") if request.param == "postgres" else ""

    async def open_one() -> Any:
        store: Any = PostgresStore(dsn) if dsn else MemoryStore(clock, tables)
        await store.open()
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Any:
    """One open store."""
    return await open_store()


@pytest.fixture
async def epoch(store: Any) -> int:
    """The epoch of `store`, which holds the lease for a minute."""
    lease = await store.acquire("first", 60_000)
    return int(lease.epoch)


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    """Owns what a test leaves running."""
    crew = Crew("test")
    yield crew
    await crew.close()
