"""Pushes: whose phone is woken, once for each turn that rings her, and when push goes beside an open socket.

A sleeping phone has no socket: push wakes it. Where seconds count (high priority), and in a drill, which is
to try every way, push goes out beside the socket too, not after a time-out (design.md, "Sockets first, push
beside"). A push is no receipt: who was pushed to is waited for as long as anybody. This module refuses to
choose whom an alarm rings, and to know what a push is made of.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from alarmhub.core.alarm import Told
from alarmhub.core.draft import Draft, change
from alarmhub.core.effects import Effect, Push
from alarmhub.core.kinds import Priority
from alarmhub.core.reach import Reach


def push(draft: Draft, told: Told) -> bool:
    """Push to her in this turn, if a push reaches her and her phone needs one. Whether she is pushed to."""
    alarm, world = draft.alarm, draft.world
    if told.pushed or told.answer or told.staff not in world.push:
        return False
    beside = alarm.priority is Priority.HIGH or alarm.drill
    if world.reach.get(told.staff) is Reach.LIVE and not beside:
        return False
    draft.effects.append(Push(told.staff, alarm.id, alarm.rev, str(alarm.priority), drill=alarm.drill))
    change(
        draft,
        told=tuple(replace(t, pushed=True) if t.staff == told.staff else t for t in draft.alarm.told),
    )
    return True


def shown_as(effects: Iterable[Effect], rev: int) -> tuple[Effect, ...]:
    """The effects with the rev that phones will be shown in their pushes."""
    return tuple(replace(e, rev=rev) if isinstance(e, Push) else e for e in effects)
