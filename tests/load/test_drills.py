"""What `load drills` says of its rounds; one short run on a real hub."""

from __future__ import annotations

from typing import Any

from load.bench import Bench, Setup
from load.drills import faults, run_drills, said


def row(**more: Any) -> dict[str, Any]:
    """A row of rounds with drills."""
    usual = {
        "drills": "with", "begun": 4, "refused": 1, "confirmed": 38, "alarms": 200, "p50_ms": 2.1,
        "p99_ms": 6.5, "system_core": 0.31,
    }  # fmt: skip
    return usual | more


def test_what_was_found_in_words() -> None:
    """Rounds in which nobody was drilled say nothing about drills."""
    assert said(row()) == (
        "   with drills: press to phone p50 2.1 p99 6.5 ms, 200 alarms, 0.31 of a core; 4 drills, "
        "38 confirmed"
    )
    assert faults([row(drills="without"), row()], []) == []
    assert faults([row(), row(confirmed=0)], []) == ["no phone has confirmed a drill"]


def test_a_short_run_drills_while_alarms_ring() -> None:
    """Two units of ten phones; drills are begun and confirmed, and no alarm is lost."""
    lines: list[str] = []
    with Bench(Setup(phones=20)) as bench:
        rows, found = run_drills(bench, rate=5, pairs=1, seconds=2, warmup_s=1, pace_s=0.3, say=lines.append)
    assert [fault for fault in found if "lost" in fault or "confirmed" in fault] == []
    assert [one["drills"] for one in rows] == ["without", "with"]
    assert rows[0]["begun"] == rows[0]["confirmed"] == 0
    assert rows[1]["begun"] > 0 and rows[1]["confirmed"] > 0
    assert len(lines) == 4
