"""Events carry what the decision needs, survive being stored, and can be told apart again."""

from __future__ import annotations

import msgspec
import pytest

from alarmhub.core.events import (
    AcknowledgedAtSource,
    Answer,
    Answered,
    Around,
    DeadlinePassed,
    Ended,
    EndUnclear,
    Event,
    PresenceChanged,
    Raised,
    Rang,
    Signal,
    SignalEvent,
    Updated,
    WorldChanged,
)
from alarmhub.core.kinds import Kind, Priority

SIGNAL = Signal(
    "plant",
    SignalEvent.START,
    key="k",
    kind=Kind.TEAM,
    priority=Priority.HIGH,
    inside=("a",),
    targets=("unit",),
)


@pytest.mark.parametrize(
    "event",
    [
        Raised(SIGNAL, "a1", Around(1, ("a",), 2, "b", 3, 4)),
        Updated(SIGNAL),
        Ended("source", SIGNAL),
        EndUnclear(SIGNAL, ("a1", "a2")),
        AcknowledgedAtSource(SIGNAL),
        PresenceChanged(True, SIGNAL),
        Rang("anna", "d", seen=True),
        Answered("anna", Answer.DECLINE, 3, "sms", "busy", "d"),
        WorldChanged("reach", "anna", 7),
        DeadlinePassed(3, 9),
    ],
)
def test_an_event_survives_being_stored(event: Event) -> None:
    """Its tag says which it is, so that last month's history can be decided again."""
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
