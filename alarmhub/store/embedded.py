"""The hub's own PostgreSQL, for demo, tests and a pilot without a database department.

One server per data folder, shared by all hubs of a machine that name that folder: it outlives a hub that is
killed and stops when the last one leaves gracefully. It refuses TCP, and a folder its user may not enter.

Layout below `data_dir`:  postgres/ (the cluster)  start.lock  users.lock  [programs/]
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg

from alarmhub import logs
from alarmhub.logs import Line
from alarmhub.store.programs import SERVER_USER, VERSION, Programs, ServerFault

__all__ = ["EmbeddedServer", "ServerFault"]

START_WITHIN_S = 120.0
"""Crash recovery replays up to `max_wal_size` of log; on a slow disk that is a minute."""
STOP_WITHIN_S = 60.0
ASK_WITHIN_S = 5.0
WATCH_EVERY_S = 1.0
LOOK_EVERY_S = 0.05
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_MAX = 100
"""sun_path holds 108 bytes on Linux, 104 elsewhere; one is the closing NUL."""
WAL_SEGMENT_MB = 4
"""Making a new segment holds up a commit while it is filled with zeros: 60 ms for the default 16 MB."""
DATABASE = "alarmhub"

SETTINGS = """\
# Written by alarmhub at every start; changes here are lost.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 40
shared_buffers = 64MB
max_wal_size = 1GB
min_wal_size = 256MB
checkpoint_completion_target = 0.9
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
client_connection_check_interval = 2s
idle_in_transaction_session_timeout = 10s
autovacuum_naptime = 20s
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_min_duration_statement = 500
# A failing statement is not logged: its parameters may hold what only staff may read.
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""

_HAS_PROC = Path("/proc/self/cwd").exists()
_log = logs.get("store")


class EmbeddedServer:
    """A PostgreSQL server below `data_dir`."""

    def __init__(self, data_dir: Path | str, *, start_within_s: float = START_WITHIN_S) -> None:
        """`data_dir` is created when missing. As root its parents must be enterable by user `pgserver`."""
        self._home = Path(data_dir).expanduser().resolve()
        self._cluster = self._home / "postgres"
        self._start_within_s = start_within_s
        self._programs: Programs | None = None
        self._using: int | None = None

    @property
    def programs(self) -> Path:
        """Folder of pg_dump, psql and the others, once started."""
        return self._ours.folder

    @property
    def dsn(self) -> str:
        """How to connect to the hub's database on this server."""
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        """How to connect to another database of the same server."""
        return f"postgresql://postgres@/{quote(database)}?host={quote(str(self._socket_folder()), safe='/')}"

    async def start(self) -> str:
        """Start the server, or attach to the one that runs; returns the DSN. Raises ServerFault."""
        try:
            return await asyncio.to_thread(self._start)
        except (OSError, subprocess.SubprocessError, asyncpg.PostgresError) as error:
            raise ServerFault(f"the embedded PostgreSQL did not start: {error}") from error

    async def stop(self) -> None:
        """Leave the server; stop it when no other hub uses it. Idempotent. Raises ServerFault."""
        try:
            await asyncio.to_thread(self._stop)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFault(f"the embedded PostgreSQL did not stop: {error}") from error

    async def keep(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Run for ever: start the server again whenever its first process has died. Raises ServerFault."""
        while True:
            await sleep(WATCH_EVERY_S)
            if self._using is not None and self.pid() is None:
                await self.start()

    def pid(self) -> int | None:
        """Process id of the server's first process; None when it does not run."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._is_of_this_cluster(pid) else None

    # -- starting and stopping, in a worker thread ---------------------------------------------------------

    @property
    def _ours(self) -> Programs:
        if self._programs is None:
            raise ServerFault("the embedded PostgreSQL is not started")
        return self._programs

    def _start(self) -> str:
        deadline = time.monotonic() + self._start_within_s
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._home / "start.lock", deadline):
            self._prepare()
            self._make_cluster()
            asyncio.run(self._bring_up(deadline))
            if self._using is None:
                self._using = _open_lock(self._home / "users.lock")
                fcntl.flock(self._using, fcntl.LOCK_SH)
            asyncio.run(self._make_database())
        return self.dsn

    def _stop(self) -> None:
        if self._using is None:
            return
        with _locked(self._home / "start.lock", time.monotonic() + STOP_WITHIN_S):
            using, self._using = self._using, None
            try:
                # Turning the shared lock into an exclusive one succeeds for the last user only.
                fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.pid() is not None:
                    self._pg_ctl("stop", "-m", "fast", within_s=STOP_WITHIN_S)
                    _log.info(Line.DATABASE_STOPPED)
            except BlockingIOError:
                pass  # another hub still uses it
            finally:
                os.close(using)

    def _prepare(self) -> None:
        if self._programs is None:
            programs = Programs(copy_to=self._home / "programs")
            if programs.user is not None:
                # Enterable by the server's user and nobody else: local connections are trusted.
                os.chown(self._home, 0, programs.user.pw_gid)
                self._home.chmod(0o710)
            self._programs = programs
        if not self._ours.can_enter(self._home):
            raise ServerFault(
                f"user {SERVER_USER}, who runs the embedded PostgreSQL, may not enter {self._home}; "
                "choose a [database] data_dir outside private folders, such as /var/lib/alarmhub"
            )

    def _make_cluster(self) -> None:
        if (self._cluster / "PG_VERSION").exists():
            version = (self._cluster / "PG_VERSION").read_text().strip()
            if version != str(VERSION):
                raise ServerFault(f"{self._cluster} is of PostgreSQL {version}, the programs are {VERSION}")
            return
        # Under another name first: a hub killed half-way leaves nothing that looks like a cluster.
        draft = self._home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._ours.own(draft)
        self._ours.run(
            "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-instructions", f"--wal-segsize={WAL_SEGMENT_MB}", "-D", str(draft),
        )  # fmt: skip
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude = 'alarmhub.conf'\n")
        draft.rename(self._cluster)

    async def _bring_up(self, deadline: float) -> None:
        """Until it answers. What runs may have been started by another hub, and still be recovering."""
        while True:
            try:
                connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=ASK_WITHIN_S)
                await connection.close(timeout=ASK_WITHIN_S)
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if time.monotonic() > deadline:
                    raise ServerFault(f"the embedded PostgreSQL is not ready: {error}") from error
                if self.pid() is None and not isinstance(error, asyncpg.PostgresError):
                    self._launch(deadline)
            await asyncio.sleep(LOOK_EVERY_S)

    def _launch(self, deadline: float) -> None:
        self._clear_away(deadline)
        folder = self._socket_folder()
        self._make_socket_folder(folder)
        quoted = str(folder).replace("'", "''")
        (self._cluster / "alarmhub.conf").write_text(f"{SETTINGS}unix_socket_directories = '{quoted}'\n")
        log = self._cluster / "start.log"
        log.unlink(missing_ok=True)
        try:
            self._pg_ctl("start", "-s", "-l", str(log), within_s=max(1.0, deadline - time.monotonic()))
        except ServerFault as fault:
            raise ServerFault(f"{fault}; {self._last_words()}") from None
        _log.info(Line.DATABASE_STARTED, pid=self.pid())

    def _pg_ctl(self, command: str, *options: str, within_s: float) -> None:
        self._ours.run(
            "pg_ctl", command, "-w", "-t", f"{within_s:.0f}", "-D", str(self._cluster), *options,
            within_s=within_s + ASK_WITHIN_S,
        )  # fmt: skip

    def _clear_away(self, deadline: float) -> None:
        """Remove what a killed server left, once none of its processes works here any more. PostgreSQL asks
        only whether a process of the noted id exists: a zombie does or, after a reboot, anybody."""
        if not _HAS_PROC:
            return
        processes = Path("/proc")
        while any(self._is_of_this_cluster(int(path.name)) for path in processes.glob("[0-9]*")):
            if time.monotonic() > deadline:
                raise ServerFault(f"processes of a dead server still work in {self._cluster}")
            time.sleep(LOOK_EVERY_S)
        socket = self._socket_folder() / SOCKET
        for left in (self._cluster / "postmaster.pid", socket, socket.with_name(f"{SOCKET}.lock")):
            left.unlink(missing_ok=True)

    async def _make_database(self) -> None:
        connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=ASK_WITHIN_S)
        try:
            query = "SELECT count(*) FROM pg_database WHERE datname = $1"
            if not await connection.fetchval(query, DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close(timeout=ASK_WITHIN_S)

    # -- what is found on the machine ------------------------------------------------------------------------

    def _is_of_this_cluster(self, pid: int) -> bool:
        """Every process of a server works in its cluster's folder. A zombie works nowhere."""
        if not _HAS_PROC:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
            return True
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(self._cluster)
        except OSError:
            return False

    def _last_words(self) -> str:
        """The newest line of the server's log that says what was wrong."""
        logged = sorted(self._cluster.glob("log/*.log"), key=lambda path: path.stat().st_mtime)
        for path in (*logged[-1:], self._cluster / "start.log"):
            if path.exists():
                for line in reversed(path.read_text(errors="replace").splitlines()):
                    if "FATAL" in line or "PANIC" in line:
                        return line
        return "its log says nothing"

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self._cluster / SOCKET)) <= SOCKET_PATH_MAX:
            return self._cluster
        name = hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"alarmhub-{os.geteuid()}-{name}"

    def _make_socket_folder(self, folder: Path) -> None:
        if folder == self._cluster:
            return
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700)
            self._ours.own(folder)
        state = folder.lstat()
        # The name can be guessed: somebody else's folder there could hold a false server.
        if folder.is_symlink() or state.st_uid != self._ours.uid or state.st_mode & 0o077:
            raise ServerFault(f"{folder} is somebody else's; it is needed for the database's socket")


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def _locked(path: Path, deadline: float) -> Iterator[None]:
    """Hold `path` exclusively; the kernel lets go of it when a process dies."""
    lock = _open_lock(path)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerFault(f"another hub holds {path} for too long") from None
                time.sleep(LOOK_EVERY_S)
        yield
    finally:
        os.close(lock)
