"""Enrolled phones (`people.Devices`), asked of PostgreSQL and of the twin in memory alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alarmhub.people import Device
from alarmhub.ports import Batch, FactRow, StoreUnavailable, Token, Unstorable
from alarmhub.store.devices import MemoryDevices, PostgresDevices
from alarmhub.store.memory import MemoryStore
from alarmhub.store.postgres import PostgresStore
from tests.support.clock import ManualClock
from tests.support.stored import NOW

OWN = Device(
    id="d-anna", digest=b"a" * 32, label="Annas telefon", enrolled_by="anna", enrolled_at=NOW,
    platform="Android", staff="anna", bound_at=NOW,
)  # fmt: skip
POOL = Device(
    id="d-pool", digest=b"p" * 32, label="Lånetelefon 3", enrolled_by="lena", enrolled_at=NOW, pool=True,
    unit="201",
)  # fmt: skip


class Shelf:
    """Phones, and the store that knows their secrets."""

    def __init__(self, devices: Any, store: Any) -> None:
        self.devices, self.store = devices, store

    async def token(self, device: Device) -> Token | None:
        """What the secret opens now."""
        found: Token | None = await self.store.token(device.digest)
        return found

    async def version(self) -> int:
        """What running hubs compare with each renewal."""
        lease = await self.store.acquire("me", 1_500)
        return int(lease.tokens_version)


@pytest.fixture(params=["memory", "postgres"])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    """On a database of its own, with Anna's phone and one of ward 201's drawer."""
    if request.param == "memory":
        store = MemoryStore(ManualClock())
        shelf = Shelf(MemoryDevices(store.tables), store)
    else:
        database = PostgresStore(request.getfixturevalue("database_dsn"))
        await database.open()
        shelf = Shelf(PostgresDevices(database), database)
    await shelf.devices.enrol(OWN)
    await shelf.devices.enrol(POOL)
    yield shelf
    await shelf.store.close()


async def test_an_enrolled_phone_and_its_secret_are_there_together(shelf: Shelf) -> None:
    """Whole, and the secret opens what its carrier may; nobody carries a pool phone yet."""
    assert await shelf.devices.device("d-anna") == OWN and await shelf.devices.device("d-pool") == POOL
    assert await shelf.token(OWN) == Token(OWN.digest, "phone", "anna", (), "d-anna")
    assert await shelf.token(POOL) == Token(POOL.digest, "phone", "", (), "d-pool")
    assert await shelf.devices.device("x") is None


async def test_a_phone_is_enrolled_once_and_a_secret_belongs_to_one(shelf: Shelf) -> None:
    """What was there first stays as it was."""
    for twice in (replace(OWN, digest=b"x" * 32, staff="bo"), replace(OWN, id="d-x", staff="bo")):
        with pytest.raises(Unstorable):
            await shelf.devices.enrol(twice)
    assert await shelf.devices.device("d-anna") == OWN and await shelf.devices.device("d-x") is None
    assert await shelf.token(replace(OWN, digest=b"x" * 32)) is None


async def test_phones_are_listed_by_carrier_and_by_the_drawer_they_belong_to(shelf: Shelf) -> None:
    """Own phones are at home in no unit; revoked ones are in no list."""
    assert [d.id for d in await shelf.devices.devices()] == ["d-anna", "d-pool"]
    assert [d.id for d in await shelf.devices.devices(staff="anna")] == ["d-anna"]
    assert [d.id for d in await shelf.devices.devices(units=["201", "202"])] == ["d-pool"]
    assert await shelf.devices.devices(units=["202"]) == []
    assert await shelf.devices.devices(units=[]) == []
    await shelf.devices.revoke("d-pool", NOW + 1)
    assert [d.id for d in await shelf.devices.devices()] == ["d-anna"]


async def test_a_phone_handed_over_opens_for_the_new_carrier_and_for_nobody_when_put_back(
    shelf: Shelf,
) -> None:
    """Device and token in one, and running hubs learn of it."""
    before = await shelf.version()
    assert await shelf.devices.bind("d-pool", "bo", NOW + 5)
    assert await shelf.devices.bind("d-pool", "bo", NOW + 5)
    assert await shelf.devices.device("d-pool") == replace(POOL, staff="bo", bound_at=NOW + 5)
    token = await shelf.token(POOL)
    assert token is not None and (token.subject, token.device) == ("bo", "d-pool")
    assert await shelf.version() > before
    assert await shelf.devices.bind("d-pool", "", NOW + 9)
    assert await shelf.devices.device("d-pool") == POOL
    token = await shelf.token(POOL)
    assert token is not None and token.subject == ""


async def test_a_revoked_phone_opens_nothing_and_is_nobody_s_again(shelf: Shelf) -> None:
    """Once; it stays in the books, and can be bound to nobody."""
    before = await shelf.version()
    assert await shelf.devices.revoke("d-anna", NOW + 7)
    assert not await shelf.devices.revoke("d-anna", NOW + 8)
    assert not await shelf.devices.revoke("x", NOW)
    assert await shelf.token(OWN) is None and await shelf.version() > before
    assert await shelf.devices.device("d-anna") == replace(OWN, revoked_at=NOW + 7)
    assert not await shelf.devices.bind("d-anna", "bo", NOW + 9)
    assert not await shelf.devices.bind("x", "bo", NOW)
    assert await shelf.token(OWN) is None


async def test_all_phones_of_a_hub_are_checked_with_one_question(shelf: Shelf) -> None:
    """Who carries it now, whether it was revoked, whether it ever was: only those come back."""
    right = Token(OWN.digest, "phone", "anna", (), "d-anna")
    believed = [right, Token(POOL.digest, "phone", "bo", (), "d-pool"), Token(b"z" * 32, "phone", "bo")]
    assert await shelf.store.tokens_otherwise([]) == []
    assert await shelf.store.tokens_otherwise([right]) == []
    assert set(await shelf.store.tokens_otherwise(believed)) == {POOL.digest, b"z" * 32}
    await shelf.devices.revoke("d-anna", NOW)
    assert await shelf.store.tokens_otherwise([right]) == [OWN.digest]
    old = Token(b"o" * 32, "phone", "anna")
    await shelf.store.add_tokens([old, Token(b"k" * 32, "api", "anna")], NOW)
    assert await shelf.store.tokens_otherwise([old]) == []
    assert await shelf.store.tokens_otherwise([Token(b"k" * 32, "phone", "anna")]) == [b"k" * 32]


async def test_two_who_take_one_phone_at_once_leave_device_and_token_agreed(shelf: Shelf) -> None:
    """Whoever was last has both."""
    await asyncio.gather(*(shelf.devices.bind("d-pool", who, NOW) for who in ("bo", "cia", "dan") * 5))
    device, token = await shelf.devices.device("d-pool"), await shelf.token(POOL)
    assert device is not None and token is not None and device.staff == token.subject


async def test_a_phone_was_seen_when_its_socket_was_last_open(shelf: Shelf) -> None:
    """Whoever carried it; a phone that never said hello was never seen."""
    lease = await shelf.store.acquire("me", 1_500)
    facts = [
        FactRow("device", f"{staff}/{device}", at, msgspec.json.encode([staff, device]))
        for staff, device, at in (("anna", "d-pool", 5), ("bo", "d-pool", 9), ("cia", "by-hand", 7))
    ]
    assert await shelf.devices.seen() == {}
    await shelf.store.write(lease.epoch, Batch("b1", facts=facts))
    assert await shelf.devices.seen() == {"d-pool": 9, "by-hand": 7}


async def test_without_the_database_it_says_so(shelf: Shelf) -> None:
    """Every question of it."""
    if isinstance(shelf.devices, MemoryDevices):
        shelf.devices.away = True
    else:
        await shelf.store.close()
    for asked in (
        shelf.devices.enrol(replace(OWN, id="n")),
        shelf.devices.device("d-anna"),
        shelf.devices.devices(),
        shelf.devices.seen(),
        shelf.devices.bind("d-pool", "bo", NOW),
        shelf.devices.revoke("d-pool", NOW),
    ):
        with pytest.raises(StoreUnavailable):
            await asked
