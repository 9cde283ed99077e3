"""Enrolled phones, as rows: `people.Devices` on PostgreSQL, and its twin in memory.

A phone and the token of its secret change together, in one statement, and the change of the token tells every
hub. It refuses rules: who may enrol, carry or revoke a phone is for who asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from alarmhub.people import Device
from alarmhub.ports import StoreUnavailable, Token, Unstorable
from alarmhub.store.memory import Tables
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.queries import QUERIES


class PostgresDevices:
    """See `people.Devices`. Uses the reading connections of the store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def enrol(self, device: Device) -> None:
        """See `people.Devices.enrol`. Raises Unstorable when id or secret are there already."""
        async with self._store.reading() as connection:
            await connection.execute(
                QUERIES["device_enrol"], device.id, device.digest, device.label, device.platform, device.pool,
                device.unit, device.staff, device.bound_at, device.enrolled_by, device.enrolled_at,
                device.revoked_at,
            )  # fmt: skip

    async def device(self, id: str) -> Device | None:
        """See `people.Devices.device`."""
        async with self._store.reading() as connection:
            row = await connection.fetchrow(QUERIES["device"], id)
        return None if row is None else Device(**row)

    async def devices(
        self, *, staff: str | None = None, units: Sequence[str] | None = None
    ) -> Sequence[Device]:
        """See `people.Devices.devices`."""
        only = None if units is None else list(units)
        async with self._store.reading() as connection:
            return [Device(**row) for row in await connection.fetch(QUERIES["devices"], staff, only)]

    async def seen(self) -> Mapping[str, int]:
        """See `people.Devices.seen`."""
        async with self._store.reading() as connection:
            return dict(await connection.fetch(QUERIES["devices_seen"]))

    async def bind(self, id: str, staff: str, now: int) -> bool:
        """See `people.Devices.bind`."""
        async with self._store.reading() as connection:
            return bool(await connection.fetchval(QUERIES["device_bind"], id, staff, now if staff else None))

    async def revoke(self, id: str, now: int) -> bool:
        """See `people.Devices.revoke`."""
        async with self._store.reading() as connection:
            return bool(await connection.fetchval(QUERIES["device_revoke"], id, now))


class MemoryDevices:
    """See `people.Devices`. Two of them on the same `tables` are two processes on one database.

    `away`: while true every call raises StoreUnavailable.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.away = False

    async def enrol(self, device: Device) -> None:
        """See `people.Devices.enrol`. Raises Unstorable when id or secret are there already."""
        self._reach()
        tables = self._tables
        if device.id in tables.devices or device.digest in tables.tokens:
            raise Unstorable("a phone twice")
        tables.devices[device.id] = device
        tables.tokens[device.digest] = Token(device.digest, "phone", device.staff, (), device.id)
        tables.tokens_version += 1

    async def device(self, id: str) -> Device | None:
        """See `people.Devices.device`."""
        self._reach()
        return self._tables.devices.get(id)

    async def devices(
        self, *, staff: str | None = None, units: Sequence[str] | None = None
    ) -> Sequence[Device]:
        """See `people.Devices.devices`."""
        self._reach()
        return [
            device
            for _, device in sorted(self._tables.devices.items())
            if device.revoked_at is None
            and staff in (None, device.staff)
            and (units is None or (device.pool and device.unit in units))
        ]

    async def seen(self) -> Mapping[str, int]:
        """See `people.Devices.seen`."""
        self._reach()
        seen: dict[str, int] = {}
        for fact in self._tables.facts.values():
            if fact.scope == "device" and fact.body is not None:
                id = msgspec.json.decode(fact.body, type=tuple[str, str])[1]
                seen[id] = max(fact.at, seen.get(id, 0))
        return seen

    async def bind(self, id: str, staff: str, now: int) -> bool:
        """See `people.Devices.bind`."""
        self._reach()
        device, tokens = self._tables.devices.get(id), self._tables.tokens
        if device is None or device.revoked_at is not None:
            return False
        self._tables.devices[id] = replace(device, staff=staff, bound_at=now if staff else None)
        tokens[device.digest] = replace(tokens[device.digest], subject=staff)
        self._tables.tokens_version += 1
        return True

    async def revoke(self, id: str, now: int) -> bool:
        """See `people.Devices.revoke`."""
        self._reach()
        device = self._tables.devices.get(id)
        if device is None or device.revoked_at is not None:
            return False
        self._tables.devices[id] = replace(device, revoked_at=now)
        del self._tables.tokens[device.digest]
        self._tables.tokens_version += 1
        return True

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")
