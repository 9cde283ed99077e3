"""Where in the queue a signal belongs: with whom it may not change places, and how urgent it is.

It refuses to decide anything: a rank is a place in a queue, not a priority.
"""

from __future__ import annotations

from typing import Final

from alarmhub.core.addressing import room_of
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.signalling import kind_of, priority_of
from alarmhub.core.world import World
from alarmhub.engine.items import RANK_OF, Rank

_OPENING: Final = frozenset({SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE})


def lane_of(signal: Signal, world: World) -> str:
    """Signals that may mean the same alarm: a reset may name the room where the call named the bed."""
    place = signal.place and room_of(signal.place, world)
    return f"{signal.source}|{signal.key or place or signal.source_text}"


def rank_of(signal: Signal, world: World) -> Rank:
    """By the priority of what it would open, an update too; whatever ends or answers something goes first.

    An update opens an alarm where none is open; and before every start, a flood of repeats would hold new
    calls up.
    """
    if signal.event not in _OPENING:
        return Rank.ANSWER
    kind, type_id = kind_of(signal, world)
    return RANK_OF[priority_of(signal, kind, type_id, world)]
