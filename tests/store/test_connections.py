# ruff: noqa: ASYNC221, ASYNC240  files are copied before anything runs
"""Finding the host that takes writes, and saying in one word what went wrong."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from alarmhub.ports import StoreUnavailable, Unstorable
from alarmhub.store.connections import connect, hosts, translated
from alarmhub.store.embedded import EmbeddedServer


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("postgresql://u@/d?host=/run/pg", ["postgresql://u@/d?host=/run/pg"]),
        ("postgresql://a/d", ["postgresql://a/d"]),
        (
            "postgresql://u:p%40@a:1,b:2/d?x=y",
            ["postgresql://u:p%40@a:1/d?x=y", "postgresql://u:p%40@b:2/d?x=y"],
        ),
        ("postgresql://a,b/d", ["postgresql://a/d", "postgresql://b/d"]),
        ("postgresql://u@/d?host=a,b", ["postgresql://u@/d?host=a", "postgresql://u@/d?host=b"]),
        (
            "postgresql://u@/d?host=a,b&port=1,2",
            ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=2"],
        ),
        (
            "postgresql://u@/d?host=a,b&port=1",
            ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=1"],
        ),
    ],
)
def test_each_host_gets_a_dsn_of_its_own(dsn: str, found: list[str]) -> None:
    """In the order they are named."""
    assert hosts(dsn) == found


@pytest.fixture
def silent_host() -> Iterator[str]:
    """Takes connections and says nothing, as a host whose process hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_host() -> str:
    """Refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"127.0.0.1:{port}"


async def test_a_silent_host_costs_its_own_deadline_only(
    database_dsn: str, silent_host: str, closed_host: str, relay: str
) -> None:
    """The one behind it is reached all the same; asyncpg alone would have spent all time on the first."""
    url = urlsplit(database_dsn)
    dsn = f"postgresql://postgres@{silent_host},{closed_host},{relay}{url.path}?sslmode=disable"
    begun = time.monotonic()

    connection = await connect(dsn, within_s=0.5)

    assert time.monotonic() - begun < 2
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.fixture
async def relay(database_dsn: str) -> AsyncIterator[str]:
    """host:port that leads to the database over TCP, which the embedded server does not speak."""
    folder = database_dsn.partition("?host=")[2]
    open_writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        open_writers.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()
    for writer in open_writers:
        writer.close()


async def test_a_silent_tcp_host_will_be_noticed(database_dsn: str, relay: str) -> None:
    """Keepalive and TCP_USER_TIMEOUT are set, in seconds."""
    url = urlsplit(database_dsn)
    connection = await connect(f"postgresql://postgres@{relay}{url.path}?sslmode=disable")
    link = connection._transport.get_extra_info("socket")

    assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
    await connection.close()


async def test_when_no_host_serves_each_says_why(silent_host: str, closed_host: str) -> None:
    """And no password is among it."""
    with pytest.raises(StoreUnavailable) as why:
        await connect(f"postgresql://u:hemligt@{silent_host},{closed_host}/d?sslmode=disable", within_s=0.3)

    assert "TimeoutError" in str(why.value) and "refused" in str(why.value).lower()
    assert "hemligt" not in str(why.value)


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), StoreUnavailable),
        (asyncpg.AdminShutdownError("x"), StoreUnavailable),
        (asyncpg.CrashShutdownError("x"), StoreUnavailable),
        (asyncpg.CannotConnectNowError("x"), StoreUnavailable),
        (asyncpg.TooManyConnectionsError("x"), StoreUnavailable),
        (asyncpg.DiskFullError("x"), StoreUnavailable),
        (asyncpg.ReadOnlySQLTransactionError("x"), StoreUnavailable),
        (asyncpg.QueryCanceledError("x"), StoreUnavailable),
        (asyncpg.DeadlockDetectedError("x"), StoreUnavailable),
        (asyncpg.LockNotAvailableError("x"), StoreUnavailable),
        (asyncpg.ObjectNotInPrerequisiteStateError("x"), StoreUnavailable),
        (asyncpg.InternalClientError("x"), StoreUnavailable),
        (asyncpg.InterfaceError("connection is closed"), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (asyncpg.UniqueViolationError("x"), Unstorable),
        (asyncpg.NotNullViolationError("x"), Unstorable),
        (asyncpg.CharacterNotInRepertoireError("x"), Unstorable),
        (asyncpg.CardinalityViolationError("x"), Unstorable),
        (asyncpg.ProgramLimitExceededError("x"), Unstorable),
        (asyncpg.DataError("x"), Unstorable),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), Unstorable),
        (asyncpg.UndefinedTableError("x"), asyncpg.UndefinedTableError),
        (asyncpg.PostgresSyntaxError("x"), asyncpg.PostgresSyntaxError),
        (KeyError("x"), KeyError),
    ],
)
def test_errors_are_translated_once(raised: Exception, becomes: type[Exception]) -> None:
    """Away, bad data, or a defect that must be seen as one."""
    with pytest.raises(becomes), translated():
        raise raised


def test_a_translated_error_shows_no_values() -> None:
    """PostgreSQL's own words may quote what somebody wrote."""
    quoting = asyncpg.DataError(
        "invalid input for query argument $5: 'Berit Lund' (expected str)\nDETAIL: Berit"
    )

    with pytest.raises(Unstorable) as shown, translated():
        raise quoting

    assert str(shown.value) == "DataError: invalid input for query argument $5"


async def test_a_standby_is_passed_by() -> None:
    """It answers, and would refuse the first alarm; the host behind it takes writes."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-test-", dir="/tmp"))
    folder.chmod(0o711)
    primary, standby = EmbeddedServer(folder / "primary"), EmbeddedServer(folder / "standby")
    try:
        await primary.start()
        await primary.stop()
        subprocess.run(["cp", "-a", folder / "primary", folder / "standby"], check=True)
        (folder / "standby" / "postgres" / "standby.signal").touch()
        there, here = await primary.start(), await standby.start()
        with pytest.raises(StoreUnavailable, match="standby"):
            await connect(here)

        connection = await connect(f"{here},{there.partition('?host=')[2]}")

        assert await connection.fetchval("SHOW data_directory") == str(folder / "primary" / "postgres")
        await connection.close()
    finally:
        await primary.stop()
        await standby.stop()
        shutil.rmtree(folder)
