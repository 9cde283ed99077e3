"""Results of drills as rows: `people.Drills` on PostgreSQL, and its twin in memory.

What became of each phone is kept for a while only, how many for good (`forget_phones`). It refuses to know
what a result says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub.people import DrillRow
from alarmhub.ports import StoreUnavailable
from alarmhub.store.memory import Tables
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.queries import QUERIES

PHONES = "lines"
"""The member of a result that names phones."""

_encode = msgspec.json.Encoder().encode


class PostgresDrills:
    """See `people.Drills`. Uses the reading connections of the store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def put_drill(self, drill: DrillRow) -> None:
        """See `people.Drills.put_drill`."""
        async with self._store.reading() as connection:
            await connection.execute(
                QUERIES["drill_put"], drill.id, drill.unit, drill.cause, drill.began_at, drill.ended_at,
                _encode(drill.result),
            )  # fmt: skip

    async def drills(self, unit: str, limit: int) -> Sequence[DrillRow]:
        """See `people.Drills.drills`."""
        return await self._fetched("drills", unit, limit)

    async def last_drills(self) -> Sequence[DrillRow]:
        """See `people.Drills.last_drills`."""
        return await self._fetched("drills_last")

    async def unended(self) -> Sequence[DrillRow]:
        """See `people.Drills.unended`."""
        return await self._fetched("drills_unended")

    async def forget_phones(self, before: int) -> None:
        """See `people.Drills.forget_phones`."""
        async with self._store.reading() as connection:
            await connection.execute(QUERIES["drills_forget_phones"], before)

    async def _fetched(self, query: str, *values: Any) -> Sequence[DrillRow]:
        async with self._store.reading() as connection:
            found = await connection.fetch(QUERIES[query], *values)
        return [DrillRow(**{**row, "result": msgspec.json.decode(row["result"])}) for row in found]


class MemoryDrills:
    """See `people.Drills`. Two of them on the same `tables` are two processes on one database."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.away = False

    async def put_drill(self, drill: DrillRow) -> None:
        """See `people.Drills.put_drill`."""
        self._reach()
        known = self._tables.drills.get(drill.id)
        result = msgspec.json.decode(_encode(drill.result))
        if known is None:
            self._tables.drills[drill.id] = replace(drill, result=result)
        else:
            self._tables.drills[drill.id] = replace(known, ended_at=drill.ended_at, result=result)

    async def drills(self, unit: str, limit: int) -> Sequence[DrillRow]:
        """See `people.Drills.drills`."""
        return [drill for drill in self._newest_first() if drill.unit == unit][:limit]

    async def last_drills(self) -> Sequence[DrillRow]:
        """See `people.Drills.last_drills`."""
        last: dict[str, DrillRow] = {}
        for drill in self._newest_first():
            if drill.ended_at is not None:
                last.setdefault(drill.unit, drill)
        return [last[unit] for unit in sorted(last)]

    async def unended(self) -> Sequence[DrillRow]:
        """See `people.Drills.unended`."""
        return [drill for drill in reversed(self._newest_first()) if drill.ended_at is None]

    async def forget_phones(self, before: int) -> None:
        """See `people.Drills.forget_phones`."""
        self._reach()
        for drill in list(self._tables.drills.values()):
            if drill.began_at < before and drill.ended_at is not None:
                rest = {name: value for name, value in drill.result.items() if name != PHONES}
                self._tables.drills[drill.id] = replace(drill, result=rest)

    def _newest_first(self) -> list[DrillRow]:
        self._reach()
        return sorted(self._tables.drills.values(), key=lambda d: (d.began_at, d.id), reverse=True)

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")
