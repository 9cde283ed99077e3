"""What commits say about the hub, as numbers."""

from __future__ import annotations

from typing import Any

from alarmhub.core.reach import Reach
from alarmhub.engine.writer import COMPANY_WITHIN_S
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time, passes


def value(shift: Shift, name: str, **labels: str) -> float:
    """One number as a scrape would show it."""
    found = shift.metrics.registry.get_sample_value(f"alarmhub_{name}", labels)
    return 0.0 if found is None else found


@in_virtual_time
async def test_the_times_of_an_alarm_are_measured_once_each() -> None:
    """To commit, to the first phone that rang, to the first accept."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.later(4)
        await shift.says("bo", "accept", call)
        await shift.says("bo", "attend", call)
        for name in ("commit", "rang", "accepted"):
            assert value(shift, f"time_to_{name}_seconds_count", priority="low") == 1
        assert 0 < value(shift, "time_to_commit_seconds_sum", priority="low") < 0.01
        assert 4 <= value(shift, "time_to_accepted_seconds_sum", priority="low") < 4.1


def phases(shift: Shift) -> dict[str, float]:
    """Open alarms by phase, those of none left out."""
    found: dict[str, Any] = {}
    shift.metrics.render()
    for metric in shift.metrics.registry.collect():
        if metric.name == "alarmhub_alarms":
            found = {s.labels["phase"]: s.value for s in metric.samples if s.value}
    return found


@in_virtual_time
async def test_the_time_to_rang_is_that_of_the_receipt_not_of_its_commit() -> None:
    """Receipts wait for company; the phone rang when it said so."""
    async with Shift() as shift:
        shift.screens.muted.update(shift.reach)
        call = await shift.press("12/1")
        await passes(0.2)
        shift.engine.receipt(staff="anna", device="d", alarm=call.id, rev=call.rev, seen=False)
        await passes(2 * COMPANY_WITHIN_S)
        assert value(shift, "time_to_rang_seconds_count", priority="low") == 1
        assert value(shift, "time_to_rang_seconds_sum", priority="low") < 0.2 + COMPANY_WITHIN_S / 2


@in_virtual_time
async def test_alarms_by_phase_add_up_after_a_restart_too() -> None:
    """Counted by changes, and right from the start."""
    shift = Shift()
    async with shift:
        call = await shift.press("12/1")
        await shift.press("13/1")
        await shift.says("bo", "accept", call)
        assert phases(shift) == {"accepted": 1, "ringing": 1}
    async with shift:
        assert phases(shift) == {"accepted": 1, "ringing": 1}
        await shift.reset("12/1", "patient_call")
        assert phases(shift) == {"ringing": 1}


@in_virtual_time
async def test_lateness_is_measured_and_said_when_it_is_much(log_lines: list[dict[str, Any]]) -> None:
    """From the due time to the commit."""
    async with Shift() as shift:
        await shift.press("13/1")
        await shift.later(46)
        served = value(shift, "escalation_lateness_seconds_count")
        assert served >= 1 and value(shift, "escalation_lateness_seconds_sum") < 0.05
        assert not [line for line in log_lines if line["event"] == "deadline_late"]
        await shift.later(58)
        shift.store.away = True
        await shift.later(10)
        shift.store.away = False
        await shift.later(1)
        assert value(shift, "escalation_lateness_seconds_count") > served
        assert value(shift, "escalation_lateness_seconds_sum") > 1
        assert [line for line in log_lines if line["event"] == "deadline_late"]


@in_virtual_time
async def test_it_is_said_whether_the_hub_stores() -> None:
    """1 while it does."""
    async with Shift() as shift:
        assert value(shift, "storing") == 1
        shift.store.away = True
        await shift.later(1)
        assert value(shift, "storing") == 0
        shift.store.away = False
        await shift.later(1)
        assert value(shift, "storing") == 1
        shift.phone("anna", Reach.NONE)
        assert shift.engine.contacts.by_reach()["live"] == len(shift.reach) - 1


@in_virtual_time
async def test_signals_are_counted_by_what_came_of_them() -> None:
    """A call is new, its repeat known, a reset of nothing is nothing; open alarms stand by phase."""
    async with Shift() as shift:
        await shift.signal("12/1", "patient_call", key="a")
        await shift.signal("12/1", "patient_call", key="a")
        await shift.reset("14")
        counted = {
            outcome: value(shift, "signals_total", source="plant", outcome=outcome)
            for outcome in ("new", "known", "nothing")
        }
        assert counted == {"new": 1, "known": 1, "nothing": 1}
        assert phases(shift) == {"ringing": 1}
