"""`demo --once` from beginning to end, as people run it, and what its judgement is worth."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from alarmhub.core.alarm import Alarm
from alarmhub.core.reasons import Reason
from alarmhub.demo import once
from alarmhub.demo.stage import Stage
from alarmhub.ports import TimelineEntry
from tests.demo.test_story import CALL, entry
from tests.support.folders import below_tmp

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder the embedded server's user may enter."""
    with below_tmp("once") as made:
        yield made


def run(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """`alarmhub demo --once` in this folder, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "alarmhub", "demo", "--once"],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
        env={**os.environ, "ALARMHUB_DATABASE__DATA_DIR": str(folder), **env},
    )  # fmt: skip


@pytest.mark.timeout(400)
def test_the_scenario_holds_twice_in_the_same_folder(folder: Path) -> None:
    """Exit 0, every scene with its alarms' time lines and a summary, nothing on stderr; and again."""
    for _ in range(2):
        done = run(folder)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        for part in once.SCRIPT:
            assert done.stdout.count(part.title) >= 1
        assert "Ringer Bengt Granberg (vårdlag), Gustav Frisk (vårdlag). Går vidare 10:00:45." in done.stdout
        assert "none of 24 acknowledged presses is lost" in done.stdout
        assert "\x1b[" not in done.stdout
        assert done.stderr == ""


def test_it_does_not_touch_an_installation(folder: Path) -> None:
    """Pointed at somebody's PostgreSQL it refuses in one line."""
    done = run(folder, ALARMHUB_DATABASE__DSN="postgresql://nobody@127.0.0.1:1/alarmhub")

    assert done.returncode == 1
    assert done.stderr == "alarmhub: the demo runs on its own embedded PostgreSQL; unset [database] dsn\n"


class Told:
    """A stage whose store and phones are what a test says."""

    def __init__(self, entries: list[TimelineEntry], frames: list[dict[str, Any]]) -> None:
        self.pressed = ["a1", "a2"]
        self.early: list[str] = []
        self.phones = {"anna": type("Phone", (), {"frames": frames})()}
        self.entries = entries
        self.app = self
        self.store = self
        self.crew = self
        self.fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def open_alarms(self) -> list[Alarm]:
        """None."""
        return []

    async def alarms(self, *, after: str | None, **_: object) -> list[Alarm]:
        """One alarm is stored."""
        return [CALL] if after is None else []

    async def alarm(self, id: str) -> tuple[Alarm, list[TimelineEntry]]:
        """With this time line."""
        return CALL, self.entries


async def judged(entries: list[TimelineEntry], frames: list[dict[str, Any]]) -> dict[str, bool]:
    """What is said over all scenes: text without numbers → held."""
    found = await once._overall(cast(Stage, Told(entries, frames)))
    return {one.text: one.held for one in found}


def turn(seconds: float, next_step_s: float) -> TimelineEntry:
    """A turn that announces its next step."""
    return entry(
        seconds, Reason("turn_started", {"next_step_at": CALL.raised_at + round(next_step_s * 1000)})
    )


async def test_a_press_that_was_acknowledged_and_is_not_stored_is_lost() -> None:
    """a2 was acknowledged, the database does not know it."""
    assert (await judged([], []))["none of 2 acknowledged presses is lost"] is False


async def test_a_step_that_passes_before_its_announced_time_is_early() -> None:
    """A millisecond is early; on time, and passing because all declined, are not."""
    passed = Reason("step_passed", {"because": "no_answer"})
    declined = Reason("step_passed", {"because": "all_declined_or_unreachable"})
    text = "nothing was passed on before its time"

    assert (await judged([turn(0, 45), entry(44.999, passed)], []))[text] is False
    assert (await judged([turn(0, 45), entry(45, passed)], []))[text] is True
    assert (await judged([turn(0, 45), entry(3, declined)], []))[text] is True


async def test_the_same_frame_twice_on_a_phone_is_doubled() -> None:
    """Same alarm, same rev."""
    text = "no phone was shown the same twice"
    frame = {"type": "alarm", "id": "a1", "rev": 3}

    assert (await judged([], [frame, frame]))[text] is False
    assert (await judged([], [frame, {**frame, "rev": 4}, {"type": "gone", "id": "a1", "rev": 4}]))[
        text
    ] is True
