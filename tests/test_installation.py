"""Opening the database of an installation for a command."""

from __future__ import annotations

import pytest

from alarmhub.installation import opened
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
