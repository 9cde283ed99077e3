"""Where in the queue a signal belongs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.engine.items import Rank
from alarmhub.engine.ranking import lane_of, rank_of
from tests.support.intake import BED, small_world

WORLD = small_world()
CALL = Signal(source="plant", event=SignalEvent.START, place=BED, kind=Kind.PATIENT_CALL)


@pytest.mark.parametrize(
    ("signal", "rank"),
    [
        (CALL, Rank.LOW),
        (replace(CALL, kind=Kind.TOILET_CALL), Rank.MEDIUM),
        (replace(CALL, kind=Kind.EMERGENCY), Rank.HIGH),
        (replace(CALL, kind=None, type="hjartlarm"), Rank.HIGH),
        (replace(CALL, event=SignalEvent.END), Rank.ANSWER),
        (replace(CALL, event=SignalEvent.PRESENCE), Rank.ANSWER),
    ],
)
def test_by_what_it_would_open_and_ends_first(signal: Signal, rank: Rank) -> None:
    """What ends something is never behind what begins something."""
    assert rank_of(signal, WORLD) is rank


def test_what_may_mean_the_same_alarm_shares_a_lane() -> None:
    """By its key, else its room, else its words; never across sources."""
    assert lane_of(replace(CALL, key="k"), WORLD) == lane_of(replace(CALL, key="k", place=""), WORLD)
    assert lane_of(CALL, WORLD) == lane_of(replace(CALL, event=SignalEvent.END), WORLD)
    assert lane_of(replace(CALL, place="", source_text="a"), WORLD) == "plant|a"
    assert lane_of(CALL, WORLD) != lane_of(replace(CALL, source="other"), WORLD)
