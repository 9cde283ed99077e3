"""Migrations: once, in order, together or not at all; and their sum is schema.sql."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import asyncpg
import pytest

from alarmhub.ports import StoreUnavailable
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.migrate import Migration, SchemaMismatch, migrate, migrations
from alarmhub.store.postgres import PostgresStore

ONE = Migration(number=1, name="one", sql="CREATE TABLE one (x int);")
TWO = Migration(number=2, name="two", sql="CREATE TABLE two (x int); INSERT INTO two VALUES (1);")
BROKEN = Migration(number=2, name="broken", sql="CREATE TABLE half (x int); SELECT nonsense;")


@pytest.fixture
async def connection(empty_database_dsn: str) -> AsyncIterator[Any]:
    """To a database with nothing in it."""
    connection = await asyncpg.connect(empty_database_dsn)
    yield connection
    await connection.close()


async def tables(connection: Any) -> set[str]:
    """Names of the tables there are."""
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row[0] for row in rows}


def dumped(server: EmbeddedServer, dsn: str) -> str:
    """The schema as pg_dump writes it, without what it makes up for each run."""
    command = [
        str(server.programs / "pg_dump"),
        "--no-owner",
        "--exclude-table=schema_migration",
        "--inserts",
        dsn,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if "restrict" not in line)


async def test_the_schema_file_is_the_sum_of_the_migrations(
    database_server: EmbeddedServer, database_dsn: str, empty_database_dsn: str
) -> None:
    """So that one file can be read, and the other ones run."""
    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute(files("alarmhub.store").joinpath("schema.sql").read_text(encoding="utf-8"))
    await connection.close()

    migrated = dumped(database_server, database_dsn)

    assert "CREATE TABLE public.alarm" in migrated
    assert dumped(database_server, empty_database_dsn) == migrated


async def test_each_is_applied_once(connection: Any) -> None:
    """A second run finds nothing to do; a newer program applies only what is new."""
    assert await migrate(connection, [ONE]) == 1
    assert await migrate(connection, [ONE]) == 0
    assert await migrate(connection, [ONE, TWO]) == 1
    assert await migrate(connection, [ONE, TWO]) == 0

    assert await tables(connection) == {"one", "two", "schema_migration"}
    assert await connection.fetchval("SELECT count(*) FROM two") == 1


async def test_a_failing_one_leaves_everything_as_it_was(connection: Any) -> None:
    """Those before it in the same run too: the old program still fits."""
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(connection, [ONE, BROKEN])

    assert await tables(connection) == set()


async def test_a_changed_file_is_refused(connection: Any) -> None:
    """What the database holds is then unknown."""
    await migrate(connection, [ONE])

    with pytest.raises(SchemaMismatch, match="0001_one"):
        await migrate(connection, [Migration(number=1, name="one", sql="CREATE TABLE one (y int);"), TWO])

    assert await tables(connection) == {"one", "schema_migration"}


async def test_a_newer_database_is_refused(connection: Any) -> None:
    """An older program would write what it does not understand."""
    await migrate(connection, [ONE, TWO])

    with pytest.raises(SchemaMismatch, match="newer"):
        await migrate(connection, [ONE])


async def test_two_at_once_migrate_once(empty_database_dsn: str) -> None:
    """Hub and standby that start together."""
    connections = [await asyncpg.connect(empty_database_dsn) for _ in range(4)]

    done = await asyncio.gather(*(migrate(connection, [ONE, TWO]) for connection in connections))

    assert sorted(done) == [0, 0, 0, 2]
    for connection in connections:
        await connection.close()


async def test_our_own_files_are_numbered_without_a_gap() -> None:
    """And named after what they do."""
    ours = migrations()

    assert [m.number for m in ours] == list(range(1, len(ours) + 1))
    assert all(m.name for m in ours)


async def test_a_store_refuses_a_newer_database(empty_database_dsn: str, connection: Any) -> None:
    """With that word, not with the one for a database that is away."""
    ours = migrations()
    await migrate(connection, [*ours, Migration(number=len(ours) + 1, name="later", sql="SELECT 1;")])
    store = PostgresStore(empty_database_dsn)

    with pytest.raises(SchemaMismatch):
        await store.open()
    with pytest.raises(StoreUnavailable):
        await store.site()
    await store.close()
