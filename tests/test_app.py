"""The composed hub: a background task that dies stops it with a clear line; SIGTERM ends it in any state."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alarmhub.app import App
from alarmhub.settings import Settings, parse
from tests.support.waiting import until


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below /tmp itself: as root the database runs as a user who may not enter pytest's own folders."""
    one = Path(tempfile.mkdtemp(prefix="alarmhub-app-", dir="/tmp"))
    one.chmod(0o711)
    yield one
    shutil.rmtree(one)


def _settings(folder: Path, dsn: str) -> Settings:
    document = {
        "database": {"dsn": dsn, "data_dir": str(folder)}, "api": {"port": 0}, "phones": {"port": 0},
    }  # fmt: skip
    return parse(document, {})


async def _running(app: App) -> asyncio.Future[int]:
    running = asyncio.get_running_loop().create_task(app.run(), name="the hub")
    await until(lambda: running.done() or getattr(app, "api", None) is not None, "the hub serves")
    assert not running.done()
    return running


TASKS = ["writer", "sweep", "lease", "roster", "outbox", "phone sweep"]


@pytest.mark.parametrize("name", TASKS)
async def test_a_dead_background_task_stops_the_hub(
    name: str, folder: Path, database_dsn: str, log_lines: list[dict[str, Any]]
) -> None:
    """Whichever it is and however it ends: one clear line that names it, exit 1, and it never limps on."""
    app = App(_settings(folder, database_dsn))
    running = await _running(app)
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
    task.cancel()

    assert await asyncio.wait_for(running, 10) == 1
    (line,) = [line for line in log_lines if line["event"] == "hub_failed"]
    assert (line["task"], line["cause"]) == (name, "it was cancelled")
    assert log_lines[-1]["event"] == "hub_stopped"


async def test_a_task_that_raises_says_what_it_raised(
    folder: Path, database_dsn: str, log_lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in the gateway's sweep: the hub ends with its words."""
    app = App(_settings(folder, database_dsn))
    running = await _running(app)

    def broken() -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(app.gateway, "sweep", broken)
    assert await asyncio.wait_for(running, 10) == 1
    (line,) = [line for line in log_lines if line["event"] == "hub_failed"]
    assert line["cause"] == "ZeroDivisionError: a defect"


async def test_sigterm_ends_a_hub_that_still_looks_for_its_database(
    folder: Path, log_lines: list[dict[str, Any]]
) -> None:
    """It says once that the database is missing, waits for it, and ends with 0 when told to."""
    app = App(_settings(folder, f"postgresql://nobody@/none?host={folder}"))
    running = asyncio.get_running_loop().create_task(app.run(), name="the hub")
    await until(lambda: any(line["event"] == "database_lost" for line in log_lines), "it says so")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 10) == 0


async def test_sigterm_ends_a_serving_hub_with_0(folder: Path, database_dsn: str) -> None:
    """The graceful stop of a supervisor."""
    app = App(_settings(folder, database_dsn))
    running = await _running(app)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 10) == 0
