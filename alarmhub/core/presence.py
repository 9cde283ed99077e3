"""Somebody is in the room, or answered at the source itself (ward.md, "Presence").

Presence attends patient calls and nothing else. This module refuses what a person says on a phone
(`core.answering`) and to turn a call with presence into assistance (`core.signalling`).
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Flag, Phase, Told
from alarmhub.core.arrival import accepted_clocks, attended_clocks
from alarmhub.core.draft import Draft, change, flag, say, unflag
from alarmhub.core.effects import ReportStatus
from alarmhub.core.escalation import S, ring_again
from alarmhub.core.events import AcknowledgedAtSource, PresenceChanged
from alarmhub.core.kinds import PRESENCE_GONE_RING_S, RULES, Kind
from alarmhub.core.reporting import report, take_back


def on_presence(draft: Draft, event: PresenceChanged) -> None:
    """Somebody came into the room (attends patient calls only), or left it without a reset."""
    alarm = draft.alarm
    if not RULES[alarm.kind].presence_attends:
        say(draft, "presence_does_not_attend", kind=str(alarm.kind), present=event.present)
        return
    if event.present:
        if Flag.PRESENCE in alarm.flags and alarm.phase is Phase.ATTENDED:
            return
        say(draft, "presence_attends", room=alarm.room)
        flag(draft, Flag.PRESENCE)
        acceptances = tuple(
            replace(a, arrived_at=a.arrived_at or draft.now, lost_at=None) for a in alarm.acceptances
        )
        change(draft, acceptances=acceptances, told=_acceptors_only(alarm))
        _somebody_is_there(draft)
        return
    if Flag.PRESENCE not in alarm.flags:
        return
    unflag(draft, Flag.PRESENCE)
    if alarm.phase is Phase.ATTENDED:
        change(draft, again_at=draft.now + PRESENCE_GONE_RING_S * S)
    say(draft, "presence_gone_without_reset", rings_at=draft.alarm.again_at)


def _acceptors_only(alarm: Alarm) -> tuple[Told, ...]:
    acceptors = {a.staff for a in alarm.acceptances}
    return tuple(t for t in alarm.told if t.staff in acceptors)


def _somebody_is_there(draft: Draft) -> None:
    _taken_back(draft)
    change(draft, phase=Phase.ATTENDED)
    attended_clocks(draft)


def _taken_back(draft: Draft) -> None:
    """The source hears once that somebody has it, when nobody had it before."""
    rang = draft.alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED)
    take_back(draft)
    if rang:
        report(draft, ReportStatus.ACCEPTED)


_STOOD_BEFORE = frozenset({Kind.CLINICAL, Kind.TECHNICAL})
_ANSWERABLE_AT_SOURCE = _STOOD_BEFORE | {Kind.PATIENT_CALL, Kind.DOOR}


def on_acknowledged_at_source(draft: Draft, event: AcknowledgedAtSource) -> None:
    """Somebody answered at the source, never one that needs many hands.

    At a monitor or a machine that is being there. At a panel or an intercom it is a promise to come: the
    arrival is checked as after any accept (accepting is not arriving).
    """
    alarm = draft.alarm
    again = Flag.ACKNOWLEDGED_AT_SOURCE in alarm.flags
    flag(draft, Flag.ACKNOWLEDGED_AT_SOURCE)
    if alarm.kind not in _ANSWERABLE_AT_SOURCE:
        say(draft, "acknowledged_at_source_noted", kind=str(alarm.kind))
        return
    say(draft, "acknowledged_at_source")
    if alarm.kind in _STOOD_BEFORE:
        if alarm.phase is not Phase.ATTENDED or not again:
            change(draft, told=_acceptors_only(alarm))
            _somebody_is_there(draft)
    elif alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED):
        change(draft, told=_acceptors_only(alarm))
        _taken_back(draft)
        change(draft, phase=Phase.ACCEPTED)
        accepted_clocks(draft)


def again_after_presence(draft: Draft) -> None:
    """Thirty seconds after presence ended it is still open: ring."""
    change(draft, again_at=None, acceptances=())
    ring_again(draft, step=0, because="presence_gone", afresh=True)
