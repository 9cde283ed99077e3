"""Where pushes go (`people.PushTargets`), asked of PostgreSQL and of its twin in memory alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from alarmhub.people import Device, PushTarget
from alarmhub.ports import StoreUnavailable
from alarmhub.store.memory import Tables
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.push_targets import MemoryPushTargets, PostgresPushTargets
from tests.support.stored import NOW


class Shelf:
    """The targets, and phones put on the shelf beside them."""

    def __init__(self, targets: Any, dsn: str = "", tables: Tables | None = None) -> None:
        self.targets = targets
        self._dsn, self._tables = dsn, tables

    async def phone(self, id: str, staff: str = "", revoked_at: int | None = None) -> None:
        """A phone was enrolled, handed over, or revoked."""
        device = Device(
            id=id, digest=id.encode(), label=id, enrolled_by="ivar", enrolled_at=NOW, staff=staff,
            revoked_at=revoked_at,
        )  # fmt: skip
        if self._tables is not None:
            self._tables.devices[id] = device
            return
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(
                "INSERT INTO device (id, digest, label, platform, pool, unit, staff, enrolled_by,"
                " enrolled_at, revoked_at) VALUES ($1, $2, $1, '', false, '', $3, 'ivar', $4, $5)"
                " ON CONFLICT (id) DO UPDATE SET staff = excluded.staff, revoked_at = excluded.revoked_at",
                id, device.digest, staff, NOW, revoked_at,
            )  # fmt: skip
        finally:
            await connection.close()

    async def make_away(self) -> None:
        """The database can no longer be asked."""
        if self._tables is not None:
            self.targets.away = True
        else:
            await self.targets._store.close()


@pytest.fixture(params=["memory", "postgres"])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    """On a database of its own."""
    if request.param == "memory":
        tables = Tables()
        yield Shelf(MemoryPushTargets(tables), tables=tables)
        return
    dsn = request.getfixturevalue("database_dsn")
    store = PostgresStore(dsn)
    await store.open()
    yield Shelf(PostgresPushTargets(store), dsn)
    await store.close()


def target(device: str, address: str = "a", transport: str = "webpush", **more: Any) -> PushTarget:
    """As a phone registers it."""
    return PushTarget(device=device, transport=transport, address=address, registered_at=NOW, **more)


async def test_a_target_is_read_back_whole(shelf: Shelf) -> None:
    """Each part of it, as it was given; one for each transport of a phone."""
    await shelf.phone("p1", "anna")
    web = target("p1", "https://push.example/1", keys={"p256dh": "BÅ", "auth": "x"}, taken_at=NOW + 1)
    apple = target("p1", "f00d", "apns")

    await shelf.targets.put_target(web)
    await shelf.targets.put_target(apple)

    assert list(await shelf.targets.targets()) == [apple, web]


async def test_a_phone_has_one_address_for_each_transport(shelf: Shelf) -> None:
    """The newer one replaces it, and saying it twice changes nothing."""
    await shelf.phone("p1")
    await shelf.targets.put_target(target("p1", "old", keys={"auth": "x"}))
    await shelf.targets.put_target(target("p1", "new"))
    await shelf.targets.put_target(target("p1", "new"))

    assert list(await shelf.targets.targets()) == [target("p1", "new")]


async def test_an_address_belongs_to_the_phone_that_said_it_last(shelf: Shelf) -> None:
    """Enrolled anew under another id, the same browser is not pushed to twice. Another transport's address
    that reads the same is another address."""
    for phone in ("p1", "p2"):
        await shelf.phone(phone)
    await shelf.targets.put_target(target("p1", "same"))
    await shelf.targets.put_target(target("p1", "same", "fcm"))
    await shelf.targets.put_target(target("p2", "same"))

    assert list(await shelf.targets.targets()) == [target("p1", "same", "fcm"), target("p2", "same")]


async def test_a_dead_address_goes_and_a_newer_one_stays(shelf: Shelf) -> None:
    """What a provider says of an old address is no word on the one that replaced it."""
    await shelf.phone("p1")
    await shelf.targets.put_target(target("p1", "new"))

    assert not await shelf.targets.drop_target("p1", "webpush", "old")
    assert not await shelf.targets.drop_target("p1", "fcm", "new")
    assert not await shelf.targets.drop_target("p2", "webpush", "new")
    assert await shelf.targets.drop_target("p1", "webpush", "new")
    assert not await shelf.targets.drop_target("p1", "webpush", "new")
    assert list(await shelf.targets.targets()) == []


async def test_what_a_provider_took_is_noted_at_its_address(shelf: Shelf) -> None:
    """Many at once; one that was replaced meanwhile keeps its own story, one that is gone is no fault."""
    for phone in ("p1", "p2"):
        await shelf.phone(phone)
        await shelf.targets.put_target(target(phone, f"to-{phone}"))
    await shelf.targets.put_target(target("p2", "newer"))

    given = [target("p1", "to-p1"), target("p2", "to-p2"), target("p3", "gone")]
    await shelf.targets.took(given, NOW + 7)
    await shelf.targets.took([], NOW + 8)

    assert [(t.address, t.taken_at) for t in await shelf.targets.targets()] == [
        ("to-p1", NOW + 7),
        ("newer", None),
    ]


async def test_a_revoked_phone_has_no_targets_and_no_carrier(shelf: Shelf) -> None:
    """Lost and revoked: nothing is sent there any more. A phone nobody carries has targets all the same."""
    await shelf.phone("p1", "anna")
    await shelf.phone("p2")
    for phone in ("p1", "p2", "unknown"):
        await shelf.targets.put_target(target(phone, f"to-{phone}"))
    assert [t.device for t in await shelf.targets.targets()] == ["p1", "p2"]
    assert await shelf.targets.carriers() == {"p1": "anna"}

    await shelf.phone("p1", "anna", revoked_at=NOW)
    await shelf.phone("p2", "bo")

    assert [t.device for t in await shelf.targets.targets()] == ["p2"]
    assert await shelf.targets.carriers() == {"p2": "bo"}


async def test_without_the_database_it_says_so(shelf: Shelf) -> None:
    """Every question of it."""
    await shelf.make_away()
    for asked in (
        shelf.targets.targets(),
        shelf.targets.carriers(),
        shelf.targets.put_target(target("p1")),
        shelf.targets.took([target("p1")], NOW),
        shelf.targets.drop_target("p1", "webpush", "a"),
    ):
        with pytest.raises(StoreUnavailable):
            await asked
