"""Brings a database to the schema this code was written for: numbered SQL files, applied once, in order.

All of it happens in one transaction under an advisory lock, so that two hubs that start together migrate
once, and a failed migration leaves the database as it was. Refuses a database whose applied files differ
from ours, or that is newer than this code: a downgrade is a restore, never a guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from msgspec import Struct

from alarmhub import logs
from alarmhub.logs import Line
from alarmhub.store.queries import QUERIES

MIGRATE_WITHIN_S = 300.0

_log = logs.get("store")


class SchemaMismatch(Exception):
    """The database's schema is not one this code can be used with; the text says why."""


class Migration(Struct, frozen=True):
    """One file of `migrations/`: `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """The files of this version, in order, numbered 1, 2, 3 without a gap."""
    found = []
    for file in files("alarmhub.store").joinpath("migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql"):
            found.append(Migration(number=int(number), name=name, sql=file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise SchemaMismatch("the migration files are not numbered 1, 2, 3 without a gap")
    return tuple(found)


async def migrate(connection: Any, wanted: Sequence[Migration] | None = None) -> int:
    """Apply what is missing on an asyncpg connection; returns how many. Raises SchemaMismatch."""
    wanted = migrations() if wanted is None else wanted
    if not _missing(await _applied(connection), wanted):
        return 0
    async with connection.transaction():
        await connection.fetchval(QUERIES["migrations_lock"], timeout=MIGRATE_WITHIN_S)
        await connection.execute(QUERIES["migrations_make"])
        missing = _missing(await _applied(connection), wanted)
        for migration in missing:
            await connection.execute(migration.sql, timeout=MIGRATE_WITHIN_S)
            await connection.execute(
                QUERIES["migrations_note"], migration.number, migration.name, migration.checksum
            )
    for migration in missing:
        _log.info(Line.MIGRATION_APPLIED, number=migration.number, name=migration.name)
    return len(missing)


async def _applied(connection: Any) -> dict[int, tuple[str, str]]:
    if not await connection.fetchval(QUERIES["migrations_exist"]):
        return {}
    rows = await connection.fetch(QUERIES["migrations_applied"])
    return {row["number"]: (row["name"], row["checksum"]) for row in rows}


def _missing(applied: dict[int, tuple[str, str]], wanted: Sequence[Migration]) -> list[Migration]:
    newer = [name for number, (name, _) in applied.items() if number > len(wanted)]
    if newer:
        raise SchemaMismatch(f"the database is newer than this program: it has migration {newer[-1]!r}")
    for migration in wanted:
        _, checksum = applied.get(migration.number, ("", migration.checksum))
        if checksum != migration.checksum:
            raise SchemaMismatch(
                f"migration {migration.number:04d}_{migration.name} was changed after it was applied"
            )
    return [migration for migration in wanted if migration.number not in applied]
