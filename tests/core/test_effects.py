"""Effects are data, told apart by their tag; what leaves the house says no name, room or text."""

from __future__ import annotations

import msgspec
import pytest

from alarmhub.core.effects import Effect, Page, Push, Raise, Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent


@pytest.mark.parametrize(
    "effect",
    [
        Report("plant", ReportStatus.PAGED, "7", "SAL 12"),
        Push("anna", "a1", 2, "high"),
        Page("rut", "1042", "a1"),
        Raise(Signal("hub", SignalEvent.ONCE)),
    ],
)
def test_an_effect_survives_being_stored(effect: Effect) -> None:
    """It is a row in the outbox until it is carried out."""
    assert msgspec.json.decode(msgspec.json.encode(effect), type=Effect) == effect


def test_a_push_is_data_poor() -> None:
    """An opaque id, a priority and whether it is a drill, beside whose phone it is (promise 8)."""
    assert set(Push.__struct_fields__) == {"staff", "alarm", "rev", "priority", "drill"}
