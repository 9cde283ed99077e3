"""The end of an alarm: by the source, the room, staff, expiry; and a reset that is not clear.

Ending is the source's business wherever the source can say it (ward.md, never possible 3). This module
refuses to guess: a reset that fits several alarms ends none.
"""

from __future__ import annotations

from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.draft import Draft, change, flag, say
from alarmhub.core.effects import ReportStatus
from alarmhub.core.events import Ended, EndUnclear
from alarmhub.core.kinds import Kind
from alarmhub.core.reporting import report


def end(draft: Draft, by: str, **facts: str | int | bool | list[str] | None) -> None:
    """Close it: nobody is told any more, no clock runs."""
    say(draft, "ended", by=by, **facts)
    attended = next((a.staff for a in draft.alarm.acceptances if a.arrived_at is not None), None)
    taken = draft.alarm.acceptances[0].staff if draft.alarm.acceptances else None
    change(
        draft,
        phase=Phase.ENDED,
        ended_by=by,
        told=(),
        reach_at=None,
        answer_at=None,
        remind_at=None,
        lapse_at=None,
        return_at=None,
        expire_at=None,
        again_at=None,
        lost_at=None,
        review_at=None,
        confirm_at=None,
        last_attended=attended or taken or draft.alarm.last_attended,
    )
    report(draft, ReportStatus.ENDED)


def on_ended(draft: Draft, event: Ended) -> None:
    """The source reset it. An assault also wants a responder's word that the place is safe."""
    alarm = draft.alarm
    if alarm.kind is Kind.ASSAULT and event.by == "source" and Flag.SAFE_SAID not in alarm.flags:
        flag(draft, Flag.RESET_SEEN)
        say(draft, "reset_needs_safe_word")
        return
    end(draft, event.by)


def on_end_unclear(draft: Draft, event: EndUnclear) -> None:
    """A reset that fits several, or a more urgent one: none is closed, and it says so."""
    flag(draft, Flag.RESET_UNCLEAR)
    say(draft, "reset_unclear", candidates=list(event.candidates), source_text=event.signal.source_text)


def safe_said(draft: Draft, staff: str) -> None:
    """A responder confirms the place safe; with the source's reset that ends an assault."""
    say(draft, "safe_said", staff=staff)
    if Flag.RESET_SEEN in draft.alarm.flags:
        end(draft, "source_and_responder", staff=staff)
    else:
        flag(draft, Flag.SAFE_SAID)
