"""The live demo as people run it: it starts, a button is pressed from a second terminal, it ends; again."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alarmhub.demo.live import live_settings, press_command
from alarmhub.settings import ApiSettings, PhoneSettings, Settings
from tests.support.folders import below_tmp

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder the embedded server's user may enter."""
    with below_tmp("live") as made:
        yield made


class Running:
    """`alarmhub demo` without a terminal, its lines collected as they come."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self.child = subprocess.Popen(
            [sys.executable, "-m", "alarmhub", "demo"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "ALARMHUB_DATABASE__DATA_DIR": str(folder), "ALARMHUB_API__PORT": "0",
                 "ALARMHUB_PHONES__PORT": "0"},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))

    def says(self, words: str, within_s: float = STARTS_WITHIN_S) -> str:
        """Wait for a line with these words."""
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at:
            for line in list(self.lines):
                if words in line:
                    return line
            assert self.child.poll() is None, "\n".join(self.lines)
            self._reader.join(0.05)
        raise AssertionError(f"{words!r} was not said:\n" + "\n".join(self.lines))

    def end(self, sign: signal.Signals) -> int:
        """Tell it to stop; its exit code."""
        self.child.send_signal(sign)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        code = self.child.wait(30)
        self._reader.join(5)
        assert self.child.stdout is not None
        self.child.stdout.close()
        return code


@pytest.mark.timeout(400)
def test_it_can_be_watched_pressed_ended_and_started_again(folder: Path) -> None:
    """Lines without a terminal; the printed press command works as it stands; Ctrl-C and SIGTERM end it
    with 0; the second run goes on in the same folder."""
    for sign in (signal.SIGINT, signal.SIGTERM):
        demo = Running(folder)
        try:
            command = demo.says("alarmhub press").strip()
            address = demo.says("the board of ward 201: ").rpartition(" ")[2]
            demo.says("Ctrl-C ends the demo")
            assert _board_at(address)["name"] == "Medicin 201"
            pressed = subprocess.run(
                [*_as_environment(command), "--kind", "emergency"],
                cwd="/", capture_output=True, text=True, timeout=170, check=False,
            )  # fmt: skip
            assert pressed.returncode == 0, pressed.stdout + pressed.stderr
            assert "Larm från" in pressed.stdout and "accepted by" in pressed.stdout
            demo.says("Akutlarm · sal 12 plats 2, Medicin 201")
        finally:
            code = demo.end(sign)
        assert code == 0, "\n".join(demo.lines)
        assert not any("Traceback" in line for line in demo.lines)


def _board_at(address: str) -> dict[str, Any]:
    """What the page of this address is shown, by the secret in its fragment."""
    page, _, secret = address.partition("#")
    asked = urllib.request.Request(
        page.replace("/board/", "/api/v1/boards/"), headers={"Authorization": f"Bearer {secret}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        board: dict[str, Any] = json.load(answer)["board"]
    assert board["people"] and not board["public"]
    return board


def _as_environment(command: str) -> list[str]:
    return ["env", *shlex.split(command)]


def test_two_at_once_in_a_folder_are_one_too_many(folder: Path) -> None:
    """The second ends with one line."""
    first = Running(folder)
    try:
        first.says("Ctrl-C ends the demo")
        second = Running(folder)
        assert second.ended() == 1
        assert [line for line in second.lines if "another demo runs" in line]
    finally:
        first.end(signal.SIGINT)


def test_a_port_that_is_taken_is_exchanged_and_said(tmp_path: Path) -> None:
    """Free ones are kept."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        settings = Settings(api=ApiSettings(port=port), phones=PhoneSettings(port=free))
        live = live_settings(settings, tmp_path, said.append)

    assert (live.api.port, live.phones.port) == (0, free)
    assert said == [f"port {port} is taken; the demo's API door takes a free one"]


def test_the_press_command_carries_what_it_needs() -> None:
    """The folder always, the port when it is not the usual one."""
    usual = press_command(Path("/tmp/my demo"), 8080, 8080)
    moved = press_command(Path("/tmp/d"), 9080, 8080)

    assert usual.startswith("ALARMHUB_DATABASE__DATA_DIR='/tmp/my demo' ")
    assert "PORT" not in usual and usual.endswith("-m alarmhub press 201/12/2")
    assert "ALARMHUB_API__PORT=9080" in moved
