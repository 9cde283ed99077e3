"""What changes in the world do to an open alarm: roster, reach, site, a restart (ward.md, "Where, and whose").

The policy is pinned, the roster never is. This module refuses to compute a roster or to watch a phone.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Flag, Phase, Told, concerned
from alarmhub.core.deadlines import give_back
from alarmhub.core.draft import Draft, change, say
from alarmhub.core.escalation import S, hopeful, pass_if_hopeless, policy_of
from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import ACCEPTOR_LOST_S
from alarmhub.core.routing import resolve

_RINGING = (Phase.RINGING, Phase.PARTLY_ACCEPTED)
_NAMED_OFF_DUTY = ("belongs", "staff")
"""Targets that reach people whether on duty or not."""


def on_world_changed(draft: Draft, event: WorldChanged) -> None:
    """Look at the alarm again under the new roster, reach or site."""
    match event.cause:
        case "reach":
            _contact(draft, event)
        case "roster" | "site":
            _off_duty_acceptors(draft)
            if draft.alarm.phase in _RINGING:
                _new_roster(draft)
        case "link_lost":
            if Flag.UNCONFIRMED not in draft.alarm.flags:
                change(draft, flags=(*draft.alarm.flags, Flag.UNCONFIRMED))
                say(draft, "link_lost_since")
        case "link_back":
            pass
    pass_if_hopeless(draft, "nobody_reachable")


def _contact(draft: Draft, event: WorldChanged) -> None:
    alarm, lost_at = draft.alarm, event.contact_lost_at
    changed = False
    acceptances = []
    for acceptance in alarm.acceptances:
        if (
            acceptance.staff == event.staff
            and acceptance.arrived_at is None
            and acceptance.lost_at != lost_at
        ):
            if lost_at is None or acceptance.lost_at is None:
                acceptance, changed = replace(acceptance, lost_at=lost_at), True
        acceptances.append(acceptance)
    if not changed:
        return
    waiting = [a.lost_at + ACCEPTOR_LOST_S * S for a in acceptances if a.lost_at is not None]
    change(draft, acceptances=tuple(acceptances), lost_at=min(waiting, default=None))
    say(draft, "acceptor_contact", staff=event.staff, lost_at=lost_at)


def _off_duty_acceptors(draft: Draft) -> None:
    on_duty = draft.world.roster.by_staff
    gone = [
        a.staff
        for a in draft.alarm.acceptances
        if a.on_duty and a.arrived_at is None and a.staff not in on_duty
    ]
    if gone and draft.alarm.phase in (Phase.ACCEPTED, Phase.PARTLY_ACCEPTED):
        told = tuple(t for t in draft.alarm.told if t.staff not in gone)
        change(draft, told=told)
        give_back(draft, gone, "acceptor_off_duty")


def _new_roster(draft: Draft) -> None:
    """Who went off duty is let go; who came on duty within the current step rings with it."""
    alarm, world = draft.alarm, draft.world
    if Flag.LAST_RESORT in alarm.flags:
        unit = world.site.units.get(alarm.unit)
        words: tuple[str, ...] = unit.last_resort if unit is not None else ()
    else:
        steps = policy_of(draft).steps
        words = steps[alarm.step].targets if alarm.step < len(steps) else ()
        if alarm.targets and alarm.step == 0:
            words = alarm.targets
    resolved = resolve(words, alarm, world)
    wanted = {c.staff: c for c in resolved.people}
    kept = [t for t in alarm.told if t.staff in wanted or _may_stay(draft, t)]
    let_go = [t.staff for t in alarm.told if t not in kept]
    known = {t.staff for t in kept}
    joined = [Told(c.staff, alarm.turn, draft.now, c.why) for c in resolved.people if c.staff not in known]
    if not let_go and not joined:
        return
    if not joined and not any(t.staff in concerned(alarm) and hopeful(draft, t) for t in kept):
        # Never let the last one go before somebody else rings: pass_if_hopeless moves the step on.
        say(draft, "roster_left_nobody", let_go=let_go)
    reach_at = alarm.reach_at
    if joined and alarm.answer_at is not None:
        reach_at = (
            draft.now + policy_of(draft).steps[min(alarm.step, len(policy_of(draft).steps) - 1)].reach_s * S
        )
    change(draft, told=tuple(kept) + tuple(joined), reach_at=reach_at)
    say(draft, "roster_changed", let_go=let_go, joined=[t.staff for t in joined], roster=world.roster.hash)


def _may_stay(draft: Draft, told: Told) -> bool:
    if told.staff in draft.world.roster.by_staff:
        return True
    word = told.why.partition(":")[0]
    person = draft.world.site.staff.get(told.staff)
    return word in _NAMED_OFF_DUTY or (person is not None and person.desk) or told.answer == "accepted"
