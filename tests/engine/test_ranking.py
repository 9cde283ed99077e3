"""Where in the queue a signal belongs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.engine.items import Item, Rank
from alarmhub.engine.queue import Queue
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
        (replace(CALL, event=SignalEvent.UPDATE), Rank.LOW),
        (replace(CALL, event=SignalEvent.UPDATE, kind=Kind.EMERGENCY), Rank.HIGH),
        (replace(CALL, event=SignalEvent.UPDATE, priority=Priority.MEDIUM), Rank.MEDIUM),
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


def test_a_flood_of_updates_holds_no_new_call_up_and_keeps_its_own_order() -> None:
    """A monitoring system repeats all it knows, each alert with its words of now: a new emergency goes before
    them, a new call waits its turn only, and each alert's start, update and end stay in that order."""

    def item(signal: Signal) -> Item:
        return Item(0, rank_of(signal, WORLD), lane_of(signal, WORLD))

    queue = Queue()
    alerts = [replace(CALL, key=f"alert-{number}", place="") for number in range(50)]
    started = [item(alert) for alert in alerts[:2]]
    updated = [item(replace(alert, event=SignalEvent.UPDATE)) for alert in alerts]
    raised = item(replace(alerts[1], event=SignalEvent.UPDATE, kind=Kind.EMERGENCY))
    ended = item(replace(alerts[0], event=SignalEvent.END))
    call, emergency = item(CALL), item(replace(CALL, key="alarm", kind=Kind.EMERGENCY))
    for one in (*started, *updated, call, raised, ended, emergency):
        queue.put(one)
    taken = queue.take(100)
    assert taken.index(emergency) < taken.index(updated[2])
    assert taken.index(call) == len(taken) - 1
    first = [one for one in taken if one.lane == started[0].lane]
    second = [one for one in taken if one.lane == started[1].lane]
    assert first == [started[0], updated[0], ended]
    assert second == [started[1], updated[1], raised]
