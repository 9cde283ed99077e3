"""A fresh PostgreSQL database per test, on one embedded server per test session.

Fixtures: `database_server` (started EmbeddedServer), `empty_database_dsn`, `database_dsn` (migrated).
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.migrate import migrate

_TEMPLATE = "alarmhub_template"
_numbers = itertools.count(1)


def _apart(work: Coroutine[Any, Any, object]) -> None:
    """In a loop and thread of its own: the test's loop may be running, or of another kind."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _run(dsn: str, *commands: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for command in commands:
            await connection.execute(command)
    finally:
        await connection.close()


async def _make_template(server: EmbeddedServer) -> None:
    await server.start()
    await _run(server.dsn_of("postgres"), f"CREATE DATABASE {_TEMPLATE}")
    connection = await asyncpg.connect(server.dsn_of(_TEMPLATE))
    try:
        await migrate(connection)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def database_server() -> Iterator[EmbeddedServer]:
    """Below /tmp itself: as root the server runs as a user who may not enter pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-test-", dir="/tmp"))
    server = EmbeddedServer(folder)
    try:
        _apart(_make_template(server))
        yield server
    finally:
        _apart(server.stop())
        shutil.rmtree(folder)


def _database(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    admin = server.dsn_of("postgres")
    _apart(_run(admin, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    try:
        yield server.dsn_of(name)
    finally:
        _apart(_run(admin, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def database_dsn(database_server: EmbeddedServer) -> Iterator[str]:
    """DSN of a fresh database with the schema in it, dropped after the test."""
    yield from _database(database_server, _TEMPLATE)


@pytest.fixture
def empty_database_dsn(database_server: EmbeddedServer) -> Iterator[str]:
    """DSN of a fresh database without anything in it."""
    yield from _database(database_server, "template0")
