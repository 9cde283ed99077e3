"""What a commit says about the hub, as Prometheus reads it."""

from __future__ import annotations

from alarmhub.metrics import Metrics
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time


def _value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"alarmhub_{name}", labels) or 0.0


@in_virtual_time
async def test_signals_are_counted_by_what_came_of_them() -> None:
    """A call is new, its repeat known, a reset of nothing is nothing; open alarms stand by phase."""
    async with Shift() as shift:
        await shift.signal("12/1", "patient_call", key="a")
        await shift.signal("12/1", "patient_call", key="a")
        await shift.reset("14")

        metrics = shift.metrics
        counted = {
            o: _value(metrics, "signals_total", source="plant", outcome=o)
            for o in ("new", "known", "nothing")
        }
        assert counted == {"new": 1, "known": 1, "nothing": 1}
        assert _value(metrics, "alarms", phase="ringing") == 1
        assert _value(metrics, "time_to_commit_seconds_count", priority="low") == 1


@in_virtual_time
async def test_an_accept_moves_the_alarm_to_its_phase() -> None:
    """Alarms by phase follow each commit, and the time to the accept is observed once."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)

        assert _value(shift.metrics, "alarms", phase="ringing") == 0
        assert _value(shift.metrics, "alarms", phase="accepted") == 1
        assert _value(shift.metrics, "time_to_accepted_seconds_count", priority="low") == 1
