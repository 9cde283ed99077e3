"""A real broker for a test: Debian's mosquitto on a free port, with its own clients as peers.

Whoever calls `installed` skips by name where it is missing. Nothing of the hub's is used here.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest

from tests.support.waiting import until


def installed() -> None:
    """Skip the test, by name, unless the broker and its clients are there."""
    for program in ("mosquitto", "mosquitto_pub", "mosquitto_sub"):
        if _program(program) is None:
            pytest.skip(f"{program} is not installed")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Clients:
    """mosquitto_pub and mosquitto_sub, on whichever broker listens on `port`."""

    def __init__(self, port: int) -> None:
        installed()
        self.port = port

    async def pub(self, topic: str, payload: str, *more: str) -> None:
        """mosquitto_pub, at QoS 1 unless `more` says otherwise."""
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub",
            *("-h", "localhost" if "--cafile" in more else "127.0.0.1", "-p", str(self.port), "-t", topic),
            *("-m", payload) if payload else ("-n",),
            *("-q", "1", *more),
            stderr=PIPE,
        )
        _, error = await process.communicate()
        assert process.returncode == 0, error.decode()

    async def sub(self, topic: str, count: int, *more: str, within_s: int = 5) -> list[str]:
        """mosquitto_sub: the next `count` messages as `retain topic payload`, retained ones first. Fewer come
        back when they do not come in time."""
        process = await asyncio.create_subprocess_exec(
            "mosquitto_sub",
            *("-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-C", str(count), "-W", str(within_s)),
            *("-F", "%r %t %p", *more),
            stdout=PIPE,
            stderr=DEVNULL,
        )
        output, _ = await process.communicate()
        return output.decode().splitlines()


class Mosquitto(Clients):
    """One broker with a store below `folder`; it can be killed and started again on the same port."""

    def __init__(self, folder: Path, *more: str, users: str = "allow_anonymous true") -> None:
        super().__init__(free_port())
        self.folder = folder
        self._lines = [
            f"listener {self.port} 127.0.0.1",
            *more,
            users,
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            "user root",
            f"log_dest file {folder}/mosquitto.log",
            "log_type all",
        ]
        self._process: Process | None = None

    async def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self._lines) + "\n")
        self._process = await asyncio.create_subprocess_exec(
            _program("mosquitto") or "", "-c", str(config), stdout=DEVNULL, stderr=DEVNULL
        )
        await until(self._listens, "mosquitto to listen")

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self, *, kill: bool = False) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill() if kill else self._process.terminate()
            await self._process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")
