"""Steps, restarts and idle phones: measured against the real hub, small."""

import pytest

from load import site as load_site
from load.bench import FLOOR, Bench, Setup
from load.phones import Frame, Phone
from load.reactor import now_ns
from load.steady import Steps, run_escalation, run_idle, run_restart


def quiet(text: str) -> None:
    """Nobody watches."""


def _frame(steps: Steps, turn: int, raised_ms: float, at_ms: float) -> Frame:
    return Frame(type="alarm", id="a", rev=turn, turn=turn, raised_at=int(raised_ms), at=int(at_ms))


def test_lateness_runs_from_the_due_time_to_the_phone() -> None:
    """The second step of an alarm is due STEP_S after it was raised; the first frame of it counts, once."""
    steps, phone = Steps(), Phone(0, "s")
    now_ms = (now_ns() + steps.offset_ns) / 1e6
    raised_ms = now_ms - load_site.STEP_S * 1000 - 20
    steps.frame(phone, _frame(steps, 1, raised_ms, raised_ms), True, now_ns())
    assert steps.passed == 0
    for _ in range(2):
        steps.frame(phone, _frame(steps, 2, raised_ms, now_ms), False, now_ns())
    assert (steps.passed, steps.early) == (1, 0)
    assert steps.late.max_ms == pytest.approx(20, abs=5)


def test_a_step_before_its_time_is_early() -> None:
    """By the hub's own stamp, or by the phone's arrival."""
    steps, phone = Steps(), Phone(0, "s")
    now_ms = (now_ns() + steps.offset_ns) / 1e6
    raised_ms = now_ms - load_site.STEP_S * 1000 + 500
    steps.frame(phone, _frame(steps, 1, raised_ms, raised_ms), True, now_ns())
    steps.frame(phone, _frame(steps, 2, raised_ms, now_ms), True, now_ns())
    assert steps.early == 1


def test_idle_phones_are_weighed(bench: Bench) -> None:
    """20 phones on the floor: a reading without and one with them."""
    section, faults = run_idle(bench, system=FLOOR, seconds=0.4, say=quiet)
    assert [one["phones"] for one in section["readings"]] == [0, 20]
    assert all(one["rss_kb"] > 1000 for one in section["readings"])
    assert section["valid"] is (not faults)


def test_a_killed_hub_shows_every_open_alarm_again(bench: Bench) -> None:
    """SIGKILL with 50 alarms open: afterwards each of them is on its phones, and a new start is stored."""
    section, faults = run_restart(bench, alarms=50, say=quiet)
    assert section["open_before"] == 50
    assert section["missing_after"] == 0
    assert section["serving_s"] is not None
    # A busy machine may hold up the generator itself.
    assert not [fault for fault in faults if "served only" not in fault and "fell behind" not in fault]


def test_nobody_answers_and_every_alarm_takes_its_second_step_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """40 alarms over two seconds, with a first step of three: none early, none forgotten."""
    monkeypatch.setattr(load_site, "STEP_S", 3)
    with Bench(Setup(phones=20)) as bench:
        section, _, faults = run_escalation(bench, alarms=40, over_s=2, say=quiet)
    assert (section["passed"], section["early"]) == (40, 0)
    # Too few for a p99 by the rule of samples; and a busy machine may hold up the generator itself.
    assert [fault for fault in faults if "fell behind" not in fault] == ["late by None ms at p99"]
    assert section["late_max_ms"] < 1000
