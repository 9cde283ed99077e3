"""Where pushes go, as rows: `people.PushTargets` on PostgreSQL, and its twin in memory.

One address for each phone and transport. It refuses to look into an address: what a provider accepts is its
transport's to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from alarmhub.people import PushTarget
from alarmhub.ports import StoreUnavailable
from alarmhub.store import rows
from alarmhub.store.memory import Tables
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.queries import QUERIES

_read_keys = msgspec.json.Decoder(dict[str, str]).decode


class PostgresPushTargets:
    """See `people.PushTargets`. Uses the reading connections of the store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def targets(self) -> Sequence[PushTarget]:
        """See `people.PushTargets.targets`."""
        async with self._store.reading() as connection:
            found = await connection.fetch(QUERIES["push_targets"])
        return [PushTarget(**{**row, "keys": _read_keys(row["keys"])}) for row in found]

    async def carriers(self) -> Mapping[str, str]:
        """See `people.PushTargets.carriers`."""
        async with self._store.reading() as connection:
            return {row["id"]: row["staff"] for row in await connection.fetch(QUERIES["push_carriers"])}

    async def put_target(self, target: PushTarget) -> None:
        """See `people.PushTargets.put_target`."""
        async with self._store.reading() as connection:
            await connection.execute(
                QUERIES["push_target_put"], target.device, target.transport, target.address,
                target.registered_at, msgspec.json.encode(target.keys), target.taken_at,
            )  # fmt: skip

    async def took(self, targets: Sequence[PushTarget], at: int) -> None:
        """See `people.PushTargets.took`."""
        named = rows.columns(((t.device, t.transport, t.address) for t in targets), 3)
        async with self._store.reading() as connection:
            await connection.execute(QUERIES["push_targets_took"], *named, at)

    async def drop_target(self, device: str, transport: str, address: str) -> bool:
        """See `people.PushTargets.drop_target`."""
        async with self._store.reading() as connection:
            dropped = await connection.fetchval(QUERIES["push_target_drop"], device, transport, address)
        return dropped is not None


class MemoryPushTargets:
    """See `people.PushTargets`. Two of them on the same `tables` are two processes on one database."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.away = False

    async def targets(self) -> Sequence[PushTarget]:
        """See `people.PushTargets.targets`."""
        self._reach()
        in_use = {d.id for d in self._tables.devices.values() if d.revoked_at is None}
        return [target for key, target in sorted(self._tables.push_targets.items()) if key[0] in in_use]

    async def carriers(self) -> Mapping[str, str]:
        """See `people.PushTargets.carriers`."""
        self._reach()
        return {d.id: d.staff for d in self._tables.devices.values() if d.staff and d.revoked_at is None}

    async def put_target(self, target: PushTarget) -> None:
        """See `people.PushTargets.put_target`."""
        self._reach()
        known = self._tables.push_targets
        for key, other in list(known.items()):
            if (other.transport, other.address) == (target.transport, target.address):
                del known[key]
        known[target.device, target.transport] = target

    async def took(self, targets: Sequence[PushTarget], at: int) -> None:
        """See `people.PushTargets.took`."""
        self._reach()
        for target in targets:
            key = (target.device, target.transport)
            known = self._tables.push_targets.get(key)
            if known is not None and known.address == target.address:
                self._tables.push_targets[key] = replace(known, taken_at=at)

    async def drop_target(self, device: str, transport: str, address: str) -> bool:
        """See `people.PushTargets.drop_target`."""
        self._reach()
        known = self._tables.push_targets.get((device, transport))
        if known is None or known.address != address:
            return False
        del self._tables.push_targets[device, transport]
        return True

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")
