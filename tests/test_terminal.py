"""How a command ends: one clear line for what can be foreseen, a traceback for what cannot."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from alarmhub import cli
from alarmhub.app import StartFailed
from alarmhub.ports import StoreUnavailable
from alarmhub.terminal import run, settings_of


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (StartFailed("the port is taken"), "alarmhub: the port is taken"),
        (StoreUnavailable("away"), "alarmhub: away"),
        (PermissionError(), "alarmhub: PermissionError"),
    ],
)
def test_what_can_be_foreseen_is_one_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And exit 1."""

    async def work() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(work())
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == [line]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_work_gives_what_it_found_on_the_named_loop(loop: str) -> None:
    """A defect is none of ours to hide."""

    async def work() -> str:
        return "found"

    async def defect() -> None:
        raise ZeroDivisionError

    assert run(work(), loop=loop) == "found"
    with pytest.raises(ZeroDivisionError):
        run(defect(), loop=loop)


def test_a_command_left_before_its_work_began_ends_as_one_left_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the settings are read."""

    def left(config: Path | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "settings_of", left)
    done = CliRunner().invoke(cli.main, ["press", "201/12/2"])
    assert (done.exit_code, done.output) == (130, "")


def test_every_fault_of_the_settings_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its path."""
    file = tmp_path / "hub.toml"
    file.write_text("[hub]\nshard = 1\n[nothing]\n")
    with pytest.raises(SystemExit):
        settings_of(file)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith("alarmhub: [") for line in said)


def test_ctrl_c_is_no_failure_whatever_a_library_makes_of_it() -> None:
    """It cancels what waits; one that turns this into an error of the network is left all the same."""

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError("broken off") from None

    with pytest.raises(SystemExit) as ended:
        run(work())
    assert ended.value.code == 130
