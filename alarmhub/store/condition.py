"""How a database is: who holds it, what waits in it, for the doctor and for people.

It refuses to change anything and to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from alarmhub.store.queries import QUERIES


class Condition(Struct, frozen=True):
    """One look. Times in epoch ms; `lease_left_ms` is negative when nobody holds the lease.

    `secrets`: valid ones by (kind, subject). `newest`: each source's newest alarm since the time asked for.
    """

    server: str
    database_now: int
    lease_owner: str
    lease_epoch: int
    lease_left_ms: int
    quarantined: int
    unsent: int
    secrets: Mapping[tuple[str, str], int]
    newest: Mapping[str, int]


async def condition_of(connection: Any, shard: str, since: int) -> Condition:
    """Read it over an open connection."""
    row = await connection.fetchrow(QUERIES["condition"], shard)
    held = await connection.fetch(QUERIES["secrets_held"])
    newest = await connection.fetch(QUERIES["newest_alarms"], since)
    return Condition(
        **row,
        secrets={(kind, subject): count for kind, subject, count in held},
        newest=dict(newest),
    )
