"""The measured programs as processes: the floor, and the hub by its own command line.

Each is started on loopback with a DSN of the shared server, waited for until ready, and stopped. Only
processes started here are ended, and they end by themselves if this process dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).parent.parent


class SystemFault(RuntimeError):
    """The measured program could not be started, or did not do what it was told."""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on right now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Process:
    """One started program; its output goes to a file that is shown when it fails."""

    def __init__(self, arguments: list[str], *, environment: dict[str, str] | None = None) -> None:
        self.arguments = arguments
        # Unnamed: gone with its last handle, also after a crash of ours.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self.started_ns = time.monotonic_ns()
        self._child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=_ROOT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._child.poll() is None

    def output(self) -> str:
        """The last 4,000 bytes it wrote."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - 4000))
        return self._output.read().decode(errors="replace")

    def wait_ready(self, url: str, within_s: float = READY_WITHIN_S, every_s: float = 0.02) -> None:
        """Returns once `url` answers 200; raises SystemFault with the output if it ends or takes too long."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if not self.running:
                raise SystemFault(f"{self._name()} ended with {self._child.returncode}:\n{self.output()}")
            if _answers(url):
                return
            time.sleep(every_s)
        raise SystemFault(f"{self._name()} was not ready within {within_s:.0f} s:\n{self.output()}")

    def kill(self) -> None:
        """SIGKILL: the crash that a restart is measured from."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> int:
        """SIGTERM, and SIGKILL if it has not ended in time; returns its exit code."""
        if self.running:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
        code = self._child.wait()
        self._output.close()
        return code

    def _name(self) -> str:
        return " ".join(self.arguments[1:4])


class Hub:
    """The hub on one database: its site loaded and its secrets made once, its process started at will."""

    def __init__(
        self,
        dsn: str,
        site: str,
        source: str,
        *,
        loop: str = "uvloop",
        log_level: str = "warning",
        settings: str = "",
    ) -> None:
        """`site`: text of the site file; `source`: id of the source whose secret is wanted; `settings`: more
        for the settings file, such as links."""
        self._settings = tempfile.NamedTemporaryFile(  # noqa: SIM115  lives as long as the hub
            "w", suffix=".toml", prefix="alarmhub-settings-"
        )
        self._settings.write(settings)
        self._settings.flush()
        self.http_port, self.phone_port = free_ports(2)
        self._environment = {
            "ALARMHUB_DATABASE__DSN": dsn,
            "ALARMHUB_HUB__LOOP": loop,
            "ALARMHUB_API__PORT": str(self.http_port),
            "ALARMHUB_PHONES__PORT": str(self.phone_port),
            "ALARMHUB_LOG__LEVEL": log_level,
            "ALARMHUB_LOG__FORMAT": "json",
        }
        with tempfile.TemporaryDirectory(prefix="alarmhub-site-") as folder:
            path = Path(folder) / "load.toml"
            path.write_text(site)
            self.command("site", "load", str(path))
        self._source_secrets: dict[str, str] = {}
        self.source_secret = self.secret_of(source)
        self.phone_secrets: dict[str, str] = {}
        for line in self.command("token", "phone", "--all").splitlines():
            staff, tab, secret = line.partition("\t")
            if tab:
                self.phone_secrets[staff] = secret

    def secret_of(self, source: str) -> str:
        """A source's secret, made when it is first asked for."""
        if source not in self._source_secrets:
            self._source_secrets[source] = self.command("token", "source", source).split()[-1]
        return self._source_secrets[source]

    def command(self, *words: str, within_s: float = 120) -> str:
        """Runs `alarmhub WORDS` and returns its standard output; SystemFault with its complaint."""
        arguments = [sys.executable, "-m", "alarmhub", *words]
        try:
            done = subprocess.run(
                arguments,
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
                env={**os.environ, **self._environment},
                cwd=_ROOT,
            )
        except subprocess.TimeoutExpired as error:
            raise SystemFault(f"alarmhub {' '.join(words[:2])} took more than {within_s:.0f} s") from error
        if done.returncode:
            raise SystemFault(f"alarmhub {' '.join(words[:2])}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def launch(self) -> Process:
        """`alarmhub serve`, not waited for."""
        arguments = [sys.executable, "-m", "alarmhub", "serve", "--config", self._settings.name]
        return Process(arguments, environment=self._environment)

    def start(self) -> Process:
        """`alarmhub serve`, waited for until /readyz."""
        process = self.launch()
        try:
            process.wait_ready(f"http://127.0.0.1:{self.http_port}/readyz")
        except SystemFault:
            process.stop()
            raise
        return process


def start_floor(dsn: str, http_port: int, phone_port: int, *, loop: str) -> Process:
    """Starts the floor on `dsn` and waits until it listens."""
    arguments = [sys.executable, "-m", "load.floor", "--dsn", dsn, "--loop", loop]
    arguments += ["--http", str(http_port), "--phones", str(phone_port)]
    process = Process(arguments)
    try:
        process.wait_ready(f"http://127.0.0.1:{http_port}/readyz")
    except SystemFault:
        process.stop()
        raise
    return process


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
