"""The installation a process works on: its database, opened for as long as a command needs it, and the name
under which a hub on this machine holds the lease.

It refuses to serve: no lease is taken, so a hub that runs on the same database is not disturbed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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


def lease_owner(folder: Path, shard: str, name: str) -> tuple[str, int]:
    """A name for the lease that no living process shares, and the file that says so while it is open. A
    process that was killed leaves its name to the next on this machine, which then need not wait for the
    lease to run out. Raises OSError."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = f"{name}:{os.getpid()}:{secrets.token_hex(4)}"
    handle = os.open(folder / f"owner-{shard}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return fresh, handle
    owner = os.read(handle, 256).decode("utf-8", "replace").strip()
    if not owner:
        owner = fresh
        os.write(handle, owner.encode())
    return owner, handle
