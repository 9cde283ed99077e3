"""The outcome of folding a batch: what to write, and what to do once it is committed.

A scratch pad while it is being made, and nothing but values afterwards. It refuses to decide and to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from alarmhub.core.alarm import Alarm
from alarmhub.engine.items import Item
from alarmhub.engine.state import Overlay
from alarmhub.ports import (
    AlarmRow,
    AnsweredRow,
    Batch,
    Change,
    EventRow,
    FactRow,
    OutboxRow,
    QuarantineRow,
)

_encode = msgspec.json.Encoder().encode

Saved = tuple[dict[str, Any], dict[str, Any]]


class Lateness(Struct, frozen=True):
    """A deadline that was decided: when it was due."""

    alarm: str
    due: int


class Folded:
    """The outcome of folding some items: what to write, and what to do once it is committed."""

    def __init__(self, batch_id: str, items: list[Item], overlay: Overlay) -> None:
        self.batch_id = batch_id
        self.items = items
        self.overlay = overlay
        self.before: dict[str, Alarm | None] = {}
        self.events: list[EventRow] = []
        self.outbox: list[OutboxRow] = []
        self.answered: list[AnsweredRow] = []
        self.facts: list[FactRow] = []
        self.quarantined: list[QuarantineRow] = []
        self.rosters: dict[str, bytes] = {}
        self.replies: list[tuple[Item, Any]] = []
        self.late: list[Lateness] = []
        self.untouched: list[tuple[str, str]] = []  # staff, alarm: a turn passed without a touch
        self.touched: set[str] = set()
        self.rearm: list[str] = []
        self.failed: list[tuple[str, Exception]] = []  # alarm that went to its fallback
        self.poison: list[tuple[Item, Exception]] = []  # what was set aside
        self.world_at = (0, 0)
        """How often reach, and all else that alarms follow, had changed when it was decided."""
        self._changes: tuple[Change, ...] | None = None

    @property
    def empty(self) -> bool:
        """Nothing to write."""
        return not (
            self.before or self.events or self.answered or self.facts or self.quarantined or self.outbox
        )

    def saved(self) -> Saved:
        """Everything so far, to come back to."""
        return _containers(self), _containers(self.overlay)

    def restore(self, saved: Saved) -> None:
        """As it was then."""
        vars(self).update(saved[0])
        vars(self.overlay).update(saved[1])

    def changes(self) -> Sequence[Change]:
        """What phones are to be shown, those first that make a phone ring. For when all is folded."""
        if self._changes is None:
            changes = [Change(before, self.overlay.changed[id]) for id, before in self.before.items()]
            changes.sort(key=lambda c: c.before is not None and c.before.turn == c.after.turn)
            self._changes = tuple(changes)
        return self._changes

    def batch(self) -> Batch:
        """All of it as one commit."""
        return Batch(
            id=self.batch_id,
            alarms=[_row(self.overlay.changed[id]) for id in self.before],
            events=self.events,
            outbox=self.outbox,
            answered=self.answered,
            facts=self.facts,
            rosters=list(self.rosters.items()),
            quarantined=self.quarantined,
        )


def _row(alarm: Alarm) -> AlarmRow:
    return AlarmRow(
        alarm.id,
        alarm.source,
        alarm.key,
        alarm.kind,
        alarm.priority,
        alarm.place,
        alarm.unit,
        alarm.phase,
        alarm.version,
        alarm.raised_at,
        alarm.at,
        alarm.due,
        _encode(alarm),
    )


def _containers(of: object) -> dict[str, Any]:
    return {name: value.copy() for name, value in vars(of).items() if isinstance(value, (dict, list, set))}
