"""What the world does to an open alarm: roster, reach, site, a restart (ward.md, "Where, and whose").

The policy is pinned, the roster never is. This module refuses to compute a roster or to watch a phone.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Flag, Phase, Told, concerned, lost_due, told_of
from alarmhub.core.deadlines import give_back
from alarmhub.core.draft import Draft, change, say
from alarmhub.core.escalation import S, pass_if_hopeless, pass_on, reach_of, targets_now, wake
from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import RULES
from alarmhub.core.paging import page
from alarmhub.core.pushing import push
from alarmhub.core.reach import Reach
from alarmhub.core.routing import resolve
from alarmhub.core.texting import WITHOUT_SOCKET, text

_RINGING = (Phase.RINGING, Phase.PARTLY_ACCEPTED)
_NAMED_OFF_DUTY = ("belongs", "staff")
"""Targets that reach people whether on duty or not."""


def on_world_changed(draft: Draft, event: WorldChanged) -> None:
    """Look at the alarm again under the new roster, reach or site."""
    match event.cause:
        case "reach":
            _contact(draft, event)
            _send_instead(draft, event.staff)
        case "texts":
            for told in draft.alarm.told:
                _send_instead(draft, told.staff)
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
        mine = acceptance.staff == event.staff and acceptance.arrived_at is None
        # Lost twice without being back between is one loss: the first instant counts.
        if mine and (lost_at is None) is not (acceptance.lost_at is None):
            acceptance, changed = replace(acceptance, lost_at=lost_at), True
        acceptances.append(acceptance)
    if not changed:
        return
    change(draft, acceptances=tuple(acceptances), lost_at=lost_due(tuple(acceptances)))
    say(draft, "acceptor_contact", staff=event.staff, lost_at=lost_at)


def _send_instead(draft: Draft, staff: str | None) -> None:
    """A phone that was to ring has lost its socket, or can be reached only now: what is left to reach its
    owner by is used, for she is waited for."""
    told = None if staff is None else told_of(draft.alarm, staff)
    if told is None or draft.alarm.phase not in _RINGING or told.answer or told.rang_at:
        return
    if push(draft, told):
        say(draft, "pushed_instead", staff=[told.staff])
    if told.turn != draft.alarm.turn:
        return
    reach = reach_of(draft, told.staff)
    if reach is Reach.ONE_WAY and not told.paged and _carries_pager(draft, told.staff):
        say(draft, "paged_instead", staff=[told.staff])
        page(draft, told)
    if reach in WITHOUT_SOCKET:
        text(draft, told.staff)


def _carries_pager(draft: Draft, staff: str) -> bool:
    person = draft.world.site.staff.get(staff)
    return person is not None and person.pager is not None


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
    """Who came on duty within the current step rings with it; then who went off duty is let go."""
    roster = draft.world.roster.hash
    joined = _join(draft)
    if joined:
        say(draft, "roster_changed", let_go=[], joined=joined, roster=roster)
    gone = _gone(draft)
    if not gone:
        return
    if not _somebody_left(draft, gone) and Flag.LAST_RESORT not in draft.alarm.flags:
        pass_on(draft, "roster_left_nobody")
        gone = _gone(draft)
    if gone and not _somebody_left(draft, gone):
        # The last one is never let go before somebody else rings.
        say(draft, "roster_left_nobody", kept=gone)
        return
    change(draft, told=tuple(t for t in draft.alarm.told if t.staff not in gone))
    say(draft, "roster_changed", let_go=gone, joined=[], roster=roster)


def _join(draft: Draft) -> list[str]:
    alarm = draft.alarm
    known = {t.staff for t in alarm.told}
    people = resolve(targets_now(draft), alarm, draft.world).people
    joined = tuple(Told(c.staff, alarm.turn, draft.now, c.why) for c in people if c.staff not in known)
    if not joined:
        return []
    reach_at = alarm.reach_at
    if alarm.answer_at is not None and Flag.LAST_RESORT not in alarm.flags:
        reach_at = draft.now + RULES[alarm.kind].reach_s * S
    change(draft, told=alarm.told + joined, reach_at=reach_at)
    wake(draft, [t.staff for t in joined])
    return [t.staff for t in joined]


def _gone(draft: Draft) -> list[str]:
    wanted = {c.staff for c in resolve(targets_now(draft), draft.alarm, draft.world).people}
    return [t.staff for t in draft.alarm.told if t.staff not in wanted and not _may_stay(draft, t)]


def _somebody_left(draft: Draft, gone: list[str]) -> bool:
    return any(
        staff not in gone and reach_of(draft, staff) is not Reach.NONE for staff in concerned(draft.alarm)
    )


def _may_stay(draft: Draft, told: Told) -> bool:
    if told.staff in draft.world.roster.by_staff:
        return True
    word = told.why.partition(":")[0]
    person = draft.world.site.staff.get(told.staff)
    return word in _NAMED_OFF_DUTY or (person is not None and person.desk) or told.answer == "accepted"
