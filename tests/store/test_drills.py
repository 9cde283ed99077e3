"""Results of drills (`people.Drills`), asked of PostgreSQL and of its twin in memory alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from alarmhub.people import DrillRow
from alarmhub.ports import StoreUnavailable
from alarmhub.store.drills import MemoryDrills, PostgresDrills
from alarmhub.store.memory import Tables
from alarmhub.store.postgres import PostgresStore
from tests.support.stored import NOW

LINES = [{"staff": "åsa", "device": "d", "channel": "socket", "outcome": "ok", "after_ms": 12}]


def drill(id: str, unit: str = "201", at: int = NOW, **more: Any) -> DrillRow:
    """One that is under way."""
    given: dict[str, Any] = {"cause": "asked", "result": {"state": "running", "lines": LINES}}
    return DrillRow(id=id, unit=unit, began_at=at, **(given | more))


@pytest.fixture(params=["memory", "postgres"])
async def drills(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """On a database of its own."""
    if request.param == "memory":
        yield MemoryDrills(Tables())
        return
    store = PostgresStore(request.getfixturevalue("database_dsn"))
    await store.open()
    yield PostgresDrills(store)
    await store.close()


async def test_a_drill_comes_back_as_it_was_put(drills: Any) -> None:
    """Replaced by id when it ends; unit, cause and beginning stay."""
    await drills.put_drill(drill("a"))
    assert await drills.drills("201", 10) == await drills.unended() == [drill("a")]
    ended = {"state": "ok", "lines": LINES, "good": 1}
    await drills.put_drill(drill("a", unit="other", at=NOW + 7, ended_at=NOW + 30, result=ended))
    await drills.put_drill(drill("a", ended_at=NOW + 30, result=ended))
    assert await drills.drills("201", 10) == [drill("a", ended_at=NOW + 30, result=ended)]
    assert await drills.unended() == []


async def test_a_units_drills_come_newest_first(drills: Any) -> None:
    """So many and no more; other units' are not among them."""
    for number, id in enumerate("abc"):
        await drills.put_drill(drill(id, at=NOW + number))
    await drills.put_drill(drill("x", unit="202"))
    assert [d.id for d in await drills.drills("201", 2)] == ["c", "b"]
    assert [d.id for d in await drills.unended()] == ["a", "x", "b", "c"]


async def test_the_last_one_of_each_unit_is_the_newest_that_ended(drills: Any) -> None:
    """One under way has no result yet."""
    for number, id in enumerate("ab"):
        await drills.put_drill(drill(id, at=NOW + number, ended_at=NOW + number + 30))
    await drills.put_drill(drill("c", at=NOW + 9))
    await drills.put_drill(drill("x", unit="101", ended_at=NOW))
    assert [d.id for d in await drills.last_drills()] == ["x", "b"]


async def test_phones_are_forgotten_and_counts_remain(drills: Any) -> None:
    """Of those that began before and have ended; twice changes nothing."""
    done = {"state": "failed", "good": 3, "red": 1, "lines": LINES}
    await drills.put_drill(drill("old", at=NOW - 1, ended_at=NOW, result=done))
    await drills.put_drill(drill("new", ended_at=NOW, result=done))
    await drills.put_drill(drill("stuck", at=NOW - 5))
    for _ in range(2):
        await drills.forget_phones(NOW)
    found = {d.id: d.result for d in await drills.drills("201", 10)}
    assert found["old"] == {"state": "failed", "good": 3, "red": 1}
    assert found["new"] == done
    assert found["stuck"]["lines"] == LINES


async def test_without_a_database_it_says_so(drills: Any) -> None:
    """As every store."""
    if isinstance(drills, MemoryDrills):
        drills.away = True
    else:
        await drills._store.close()
    for ask in (
        drills.put_drill(drill("a")), drills.drills("201", 1), drills.last_drills(), drills.unended(),
        drills.forget_phones(NOW),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            await ask
