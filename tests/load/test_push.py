"""`load push`: what its measurements make of what they saw, and one of them against a real hub."""

from __future__ import annotations

from typing import Any

import pytest

from load.bench import Setup
from load.enrolment import APNS, FCM, WEB
from load.ledger import Entry
from load.push import Arrival, _latencies, _latency_line, _split, run_push

MS = 1_000_000


def entry(alarm: str, intended_ms: int, **more: Any) -> Entry:
    """A high alarm that rang two phones."""
    usual = {"number": 0, "bed": 0, "kind": "clinical", "type": "", "high": True, "measured": True}
    made = Entry(**(usual | {"intended_ns": intended_ms * MS} | more))  # type: ignore[arg-type]
    made.alarm, made.phones = alarm, 2
    return made


def test_a_push_is_timed_from_the_press_of_its_alarm() -> None:
    """By transport and all together; what was not measured counts for nothing, a stranger's neither."""
    entries = {"a": entry("a", 100), "b": entry("b", 200, measured=False)}
    arrived = {
        APNS: [Arrival(104 * MS, "", "a"), Arrival(230 * MS, "", "b"), Arrival(1, "", "stranger")],
        WEB: [Arrival(108 * MS, "", "a"), Arrival(231 * MS, "", "b")],
    }
    pushes, missing = _latencies(entries, arrived)
    assert missing == 0
    counts = {name: pushes[name].count for name in ("", APNS, FCM, WEB)}
    assert counts == {"": 2, APNS: 1, FCM: 0, WEB: 1}
    assert pushes[APNS].max_ms == pytest.approx(4, rel=0.01)
    assert pushes[""].max_ms == pytest.approx(8, rel=0.01)


def test_an_alarm_that_was_not_pushed_to_each_phone_is_missing() -> None:
    """Two phones rang by socket, one push came."""
    arrived = {APNS: [Arrival(104 * MS, "", "a")]}
    assert _latencies({"a": entry("a", 100)}, arrived)[1] == 1


def test_alarms_before_the_storm_are_quiet_and_those_after_are_not() -> None:
    """By the instant they were meant for."""
    entries = [entry("a", 100), entry("b", 200), entry("c", 200)]
    for one, took_ms in zip(entries, (1, 5, 0), strict=True):
        one.first_phone_ns = one.intended_ns + took_ms * MS if took_ms else 0
    quiet, meanwhile = _split(entries, 150 * MS)
    assert (quiet.count, meanwhile.count) == (1, 1)
    assert meanwhile.max_ms == pytest.approx(5, rel=0.01)


@pytest.mark.timeout(240)
def test_a_real_hub_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few phones and seconds: every alarm is pushed to every phone it rings, by all three providers, and
    phones that come back at once are all in."""
    for name, value in (("QUIET_S", 1.0), ("STORM_S", 2.0), ("AWAKE", 20), ("RATE_PER_S", 20.0)):
        monkeypatch.setattr(f"load.push.{name}", value)
    said: list[str] = []
    section, _faults = run_push(
        Setup(phones=30, loop="asyncio"), seconds=2.0, phones_back=120, parts=("latency", "reconnect"),
        say=said.append,
    )  # fmt: skip
    row, back = section["latency"], section["reconnect"]
    assert row["missing"] == 0 and row["pushes"] > 20
    assert all(row["by_transport"][name]["count"] for name in (APNS, FCM, WEB))
    assert back["all_in"] and back["in"] == back["phones"] == 100 and back["lost"] == 0
    assert back["quiet"]["count"] + back["meanwhile"]["count"] > 0  # so few phones are back in no time
    assert said[0] == _latency_line(row) and "100 phones back at once" in said[1]
