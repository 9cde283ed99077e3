"""The installation a command works on: its database, opened for as long as the command needs it.

It refuses to serve: no lease is taken, so a hub that runs on the same database is not disturbed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alarmhub.settings import Settings
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.postgres import PostgresStore

OPEN_WITHIN_S = 60.0


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[PostgresStore]:
    """The store of this installation; the embedded server is started when it is not running.

    Raises ServerFault, StoreUnavailable, TimeoutError, OSError.
    """
    server: EmbeddedServer | None = None
    if settings.database.dsn is not None:
        dsn = settings.database.dsn.reveal()
    else:
        server = EmbeddedServer(settings.database.folder())
        dsn = await server.start()
    store = PostgresStore(dsn, shard=settings.hub.shard)
    try:
        async with asyncio.timeout(OPEN_WITHIN_S):
            await store.open()
        yield store
    finally:
        await store.close()
        if server is not None:
            await server.stop()
