"""Enrolled phones from a terminal, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from alarmhub.people import Device
from alarmhub.store.devices import PostgresDevices
from alarmhub.store.postgres import PostgresStore
from tests.test_cli import Terminal, refused

POOL = Device(
    id="d-pool", digest=b"p" * 32, label="Lånetelefon 3", enrolled_by="lena", enrolled_at=1, pool=True,
    unit="201",
)  # fmt: skip
OWN = Device(id="d-anna", digest=b"a" * 32, label="", enrolled_by="anna", enrolled_at=1, staff="anna")


@pytest.fixture
async def phones(database_dsn: str) -> PostgresStore:
    """A database with two enrolled phones; opened afresh by whoever asks."""
    store = PostgresStore(database_dsn)
    await store.open()
    for device in (POOL, OWN):
        await PostgresDevices(store).enrol(device)
    await store.close()
    return store


def test_list_and_revoke(phones: PostgresStore, database_dsn: str, tmp_path: Path) -> None:
    """Each by its id; what is revoked is in no list, and is revoked once."""
    type_ = Terminal(database_dsn, tmp_path)
    assert type_("device", "list").stdout.splitlines() == [
        "d-anna\t-\tanna\town phone\tnever seen",
        "d-pool\tLånetelefon 3\tnobody\tpool phone of 201\tnever seen",
    ]
    assert type_("device", "revoke", "d-pool").stdout == "d-pool: revoked\n"
    assert [line.split("\t")[0] for line in type_("device", "list").stdout.splitlines()] == ["d-anna"]
    said = refused(type_("device", "revoke", "d-pool"))
    assert said == ['alarmhub: device: no enrolled phone has the id "d-pool": alarmhub device list']
