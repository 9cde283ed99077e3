"""Opening the database of an installation for a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alarmhub.installation import lease_owner, opened
from alarmhub.ports import StoreUnavailable
from alarmhub.secret import Secret
from alarmhub.settings import DatabaseSettings, Settings
from alarmhub.store.embedded import EmbeddedServer
from tests.support.folders import below_tmp


async def test_a_named_server_is_opened_and_left_running(database_dsn: str) -> None:
    """Twice: a command leaves nothing behind."""
    settings = Settings(database=DatabaseSettings(dsn=Secret(database_dsn)))
    for _ in range(2):
        async with opened(settings) as store:
            assert await store.site() is None


async def test_a_server_that_is_away_is_said() -> None:
    """Nothing hangs."""
    settings = Settings(database=DatabaseSettings(dsn=Secret("postgresql://x@127.0.0.1:1/x")))

    with pytest.raises(StoreUnavailable):
        async with opened(settings):
            raise AssertionError("it was opened")


async def test_the_embedded_server_is_started_for_as_long_as_it_is_needed() -> None:
    """It runs inside, and is stopped when nobody else uses it."""
    with below_tmp("installation") as folder:
        settings = Settings(database=DatabaseSettings(data_dir=str(folder)))
        server = EmbeddedServer(folder)

        async with opened(settings) as store:
            assert server.pid() is not None
            assert await store.site() is None

        assert server.pid() is None


def test_two_living_processes_never_share_a_name_and_a_dead_one_leaves_its(tmp_path: Path) -> None:
    """So that the next need not wait for the lease to run out."""
    first, held = lease_owner(tmp_path, "main", "hub")
    second, other = lease_owner(tmp_path, "main", "hub")
    elsewhere, third = lease_owner(tmp_path, "east", "hub")
    assert len({first, second, elsewhere}) == 3 and first.startswith(f"hub:{os.getpid()}:")
    for handle in (held, other, third):
        os.close(handle)
    again, handle = lease_owner(tmp_path, "main", "hub")
    assert again == first
    os.close(handle)
