"""Parallel running: one event over two paths is one alarm, where the site says so (`core.site.JoinRule`).

Joined is only what is plainly the same: same place, kind and type, from different sources of one rule, within
its seconds, with one alarm to join and no call just ended there that it could be the late word of. Never two
patients, a graver alarm into a lesser one, or a second press of a path that is in it already: whatever is in
doubt opens an alarm of its own, and rings.

A joined alarm keeps what each path calls it. An end over any path ends it, as the only path's would; a later
end over another path names the ended alarm and ends nothing. Reports go to every path. What one path says
lower than another lowers nothing. This module refuses to find the alarm of a key (`core.addressing`) and to
decide what an end does (`core.closing`).
"""

from __future__ import annotations

from collections.abc import Iterable

from alarmhub.core.alarm import Alarm, Flag, Path
from alarmhub.core.draft import Draft, change, say, unflag
from alarmhub.core.events import Around, Joined, Signal
from alarmhub.core.kinds import Kind
from alarmhub.core.reporting import report_so_far
from alarmhub.core.signalling import (
    ends_by,
    kept_origin,
    kind_when_opened,
    name_person,
    presence_stale,
    worsen,
)
from alarmhub.core.site import JoinRule
from alarmhub.core.world import World

S = 1000


def partner(signal: Signal, around: Around, there: Iterable[Alarm], world: World, now: int) -> Alarm | None:
    """The open alarm this start tells of too, or None. `there`: the open alarms at its place; that the place
    is one patient's at most is the caller's business."""
    rules = [rule for rule in world.site.joins if signal.source in rule.sources]
    if not rules or signal.targets or not signal.place:
        return None
    kind, type_id = kind_when_opened(signal, around, world, now)
    if kind is Kind.PATIENT_CALL and presence_stale(around, now):
        # It asks for more than the other path's call did.
        return None
    fitting = [
        alarm
        for alarm in there
        if alarm.place == signal.place
        and (alarm.kind, alarm.type) == (kind, type_id)
        and any(_joins(rule, alarm, signal, around, now) for rule in rules)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _joins(rule: JoinRule, alarm: Alarm, signal: Signal, around: Around, now: int) -> bool:
    within_ms = rule.within_s * S
    ended = around.last_ended_at
    return (
        alarm.source in rule.sources
        and not alarm.told_by(signal.source)
        and abs(now - alarm.raised_at) <= within_ms
        and (ended is None or now - ended > within_ms)
        and (not rule.kinds or alarm.kind in rule.kinds)
        and alarm.kind is not Kind.DRILL
        and (not rule.places or any(_below(alarm.place, place) for place in rule.places))
        and (alarm.person is None or signal.person is None or alarm.person == signal.person)
        and not {Flag.RESET_SEEN, Flag.SAFE_SAID}.intersection(alarm.flags)
    )


def _below(place: str, above: str) -> bool:
    return place == above or place.startswith(above + "/")


def on_joined(draft: Draft, event: Joined) -> None:
    """Another path tells of it: nobody new rings, unless that one says it is worse."""
    alarm, signal = draft.alarm, event.signal
    if alarm.told_by(signal.source):
        return
    path = Path(
        source=signal.source,
        key=signal.key,
        ref=signal.ref or signal.key,
        at=draft.now,
        source_text=signal.source_text,
        origin=kept_origin(signal),
    )
    # Where one of them can say the end, no phone may.
    ends = "staff" if alarm.ends == ends_by(signal, draft.world) == "staff" else "source"
    callback = alarm.callback or signal.callback
    change(draft, paths=(*alarm.paths, path), ends=ends, callback=callback)
    say(draft, "joined", source=signal.source, first=alarm.source, source_text=signal.source_text)
    unflag(draft, Flag.UNCONFIRMED)
    report_so_far(draft, signal.source)
    name_person(draft, signal)
    worsen(draft, signal)
