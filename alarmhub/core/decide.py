"""The decision: one alarm, one event, the world at that instant -> the alarm after it, effects, reasons.

This is the front door of the core and the only function the engine calls for an alarm. It is pure, and
total: every event in every phase has an answer. It refuses to act, to look anything up, and to find out
which alarm a signal belongs to (that is `core.addressing`).
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Phase, concerned, told_of
from alarmhub.core.answering import on_answered
from alarmhub.core.closing import on_end_unclear, on_ended
from alarmhub.core.deadlines import on_deadline
from alarmhub.core.draft import Draft, change, say
from alarmhub.core.effects import ReportStatus
from alarmhub.core.escalation import last_resort, pass_if_hopeless
from alarmhub.core.events import (
    AcknowledgedAtSource,
    Answered,
    DeadlinePassed,
    Ended,
    EndUnclear,
    Event,
    HandedOver,
    Joined,
    PresenceChanged,
    Raised,
    Rang,
    Signalled,
    TextReported,
    Updated,
    WorldChanged,
)
from alarmhub.core.handing import on_handed_over
from alarmhub.core.joining import on_joined
from alarmhub.core.kinds import ATTENDED_REVIEW_S
from alarmhub.core.paging import take_back_pages
from alarmhub.core.presence import on_acknowledged_at_source, on_presence
from alarmhub.core.pushing import shown_as
from alarmhub.core.reporting import report_of, report_rang
from alarmhub.core.signalling import on_opened, on_repeated, on_updated, open_new
from alarmhub.core.texting import take_back_texts, text_reported
from alarmhub.core.world import Decision, Verdict, World
from alarmhub.core.worldwide import on_world_changed


def decide(alarm: Alarm | None, event: Event, world: World, now: int) -> Decision:
    """Fold one event into an alarm (None = not yet there: only `Raised` makes one).

    `now` is epoch ms and may lie before the alarm's last decision (clocks jump): the later counts. The
    returned alarm is the same object when nothing changed.
    """
    if alarm is None:
        if not isinstance(event, Raised):
            return Decision(None)
        return _opened(event, world, now)
    now = max(now, alarm.at)
    draft = Draft(alarm, world, now, [], [])
    if alarm.open:
        _fold(draft, event)
    elif isinstance(event, Answered):
        on_answered(draft, event)
    return _finish(alarm, draft)


def _opened(event: Raised, world: World, now: int) -> Decision:
    blank = open_new(event, world, now)
    draft = Draft(blank, world, now, [], [])
    on_opened(draft, event)
    return _finish(blank, draft, new=True)


def _fold(draft: Draft, event: Event) -> None:
    match event:
        case Rang():
            _on_rang(draft, event)
        case TextReported():
            _on_text_reported(draft, event)
        case Answered():
            on_answered(draft, event)
        case HandedOver():
            on_handed_over(draft, event)
        case DeadlinePassed():
            if event.turn == draft.alarm.turn:
                on_deadline(draft, event.due)
        case WorldChanged():
            on_world_changed(draft, event)
        case _:
            _fold_signal(draft, event)


def _fold_signal(draft: Draft, event: Signalled) -> None:
    match event:
        case Raised():
            on_repeated(draft, event)
        case Joined():
            on_joined(draft, event)
        case Updated():
            on_updated(draft, event)
        case Ended():
            on_ended(draft, event)
        case EndUnclear():
            on_end_unclear(draft, event)
        case AcknowledgedAtSource():
            on_acknowledged_at_source(draft, event)
        case PresenceChanged():
            on_presence(draft, event)
        case _:
            assert_never(event)


def _on_rang(draft: Draft, event: Rang) -> None:
    """A receipt: changes no other phone's view and rings nobody."""
    alarm = draft.alarm
    entry = told_of(alarm, event.staff)
    if entry is None or (entry.seen_at if event.seen else entry.rang_at) is not None:
        return
    heard = replace(
        entry,
        seen_at=draft.now if event.seen else entry.seen_at,
        rang_at=entry.rang_at or draft.now,
        reported=True,
    )
    change(draft, told=tuple(heard if t is entry else t for t in alarm.told))
    say(draft, "seen" if event.seen else "rang", staff=event.staff)
    if not entry.reported:
        report_rang(draft, event.staff)
    if event.seen:
        report_of(draft, ReportStatus.READ, event.staff)


def _on_text_reported(draft: Draft, event: TextReported) -> None:
    """Delivered is not rung and rings nobody; what cannot be delivered is no hope any more."""
    if text_reported(draft, event):
        pass_if_hopeless(draft, "nobody_reachable")


def _view(alarm: Alarm) -> tuple[object, ...]:
    """What any phone can see of an alarm; receipts are not part of it."""
    return (
        alarm.phase,
        alarm.flags,
        alarm.kind,
        alarm.type,
        alarm.priority,
        alarm.text,
        alarm.source_text,
        alarm.count,
        alarm.turn,
        alarm.extended,
        alarm.answer_at,
        alarm.remind_at,
        alarm.lapse_at,
        alarm.again_at,
        alarm.confirm_at,
        alarm.person,
        alarm.noted,
        alarm.callback,
        tuple((t.staff, t.answer, t.turn, t.why) for t in alarm.told),
        tuple((a.staff, a.role, a.arrived_at is None, a.confirmed) for a in alarm.acceptances),
    )


def _finish(before: Alarm, draft: Draft, *, new: bool = False) -> Decision:
    if draft.alarm.confirm_at is not None and all(a.confirmed for a in draft.alarm.acceptances):
        change(draft, confirm_at=None)
    alarm = draft.alarm
    if alarm.open and alarm.due is None:
        # Whatever the path: an open alarm always has a clock running.
        alarm = _safety_net(draft)
    take_back_pages(before, draft)
    take_back_texts(before, draft)
    if not new and (alarm is before or alarm == before):
        return Decision(before, tuple(draft.effects), tuple(draft.reasons), draft.verdict)
    rev = before.rev + 1 if new or _view(alarm) != _view(before) else before.rev
    alarm = replace(
        alarm,
        version=before.version + 1,
        rev=rev,
        at=draft.now,
        turn_rev=rev if alarm.turn != before.turn else alarm.turn_rev,
    )
    return Decision(alarm, shown_as(draft.effects, rev), tuple(draft.reasons), draft.verdict)


def _safety_net(draft: Draft) -> Alarm:
    if draft.alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED):
        last_resort(draft)
    if draft.alarm.due is None:
        change(draft, review_at=draft.now + ATTENDED_REVIEW_S * 1000)
    return draft.alarm


def fallback(alarm: Alarm, world: World, now: int) -> Decision:
    """When a decision raised on an open alarm: fixed, simple, to its last resort (design.md, poison)."""
    now = max(now, alarm.at)
    draft = Draft(replace(alarm, targets=(), excluded=()), world, now, [], [])
    say(draft, "decision_failed", phase=str(alarm.phase))
    if alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED):
        last_resort(draft)
    else:
        change(draft, review_at=now + 60_000)
    return _finish(alarm, draft)


__all__ = ["Decision", "Verdict", "World", "concerned", "decide", "fallback"]
