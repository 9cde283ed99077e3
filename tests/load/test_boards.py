"""What `load boards` makes of frames, and how it says what it found; one short run on a real hub."""

from __future__ import annotations

import json
from typing import Any

from load.boards import Wall, faults, line, run_boards


def frame(*alarms: str) -> bytes:
    """An event of a board that shows these."""
    data = {"at": 1, "board": {"alarms": [{"id": id} for id in alarms]}}
    return b"event: board\nid: 3\ndata: " + json.dumps(data).encode()


def test_an_alarm_is_seen_when_it_is_first_on_a_board() -> None:
    """Later frames change nothing; beats are no frames."""
    wall = Wall()
    wall.take(frame("a"), 10)
    wall.take(b'event: beat\ndata: {"at": 1, "storing": true}', 15)
    wall.take(frame("a", "b"), 20)

    assert wall.seen_ns == {"a": 10, "b": 20}
    assert wall.frames == 2


def row(**more: Any) -> dict[str, Any]:
    """A row of rounds with boards."""
    usual = {
        "boards": 20, "alarms": 100, "seen": 100, "frames": 90, "answer_p50_ms": 2.0, "answer_p99_ms": 6.0,
        "frame_p50_ms": 25.0, "frame_p99_ms": None, "cpu_percent": 31.4,
    }  # fmt: skip
    return usual | more


def test_what_was_found_in_words() -> None:
    """Without boards there are no frames to speak of; an alarm that no board has shown is a fault."""
    assert line(row()) == (
        " 20 boards: 100 alarms answered p50 2.0 p99 6.0 ms, hub 31 % of a processor; "
        "frames p50 25.0 p99 - ms, 90 of them"
    )
    assert "frames" not in line(row(boards=0, seen=0))
    assert faults([row(boards=0, seen=0), row()]) == []
    assert faults([row(seen=98)]) == ["2 of 100 alarms were on no board"]


def test_a_short_run_sees_every_alarm() -> None:
    """Two boards, a real hub and database, twenty alarms a second."""
    said: list[str] = []
    rows, found = run_boards(boards=2, rate=20, seconds=1, loop="uvloop", profile="bench", say=said.append)
    assert found == []
    assert [one["boards"] for one in rows] == [0, 2]
    assert all(one["alarms"] == 40 for one in rows)
    assert rows[1]["seen"] == 40
    assert len(said) == 2
