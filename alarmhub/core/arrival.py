"""From accept to arrival: whose accepts suffice, who has arrived, and the clocks between (ward.md).

Accepting is not arriving. This module refuses turns and steps; they are `core.escalation`.
"""

from __future__ import annotations

from alarmhub.core.alarm import Acceptance, Alarm, Flag
from alarmhub.core.draft import Draft, change, unflag
from alarmhub.core.escalation import S, policy_of
from alarmhub.core.kinds import ATTENDED_REVIEW_S, RULES, AcceptRule, Kind
from alarmhub.core.routing import team_of, unfilled


def accepted_clocks(draft: Draft) -> None:
    """Somebody comes: stop the step's clocks, start the arrival's."""
    alarm = draft.alarm
    policy = policy_of(draft)
    place = draft.world.site.places.get(alarm.place)
    add_s = place.add_attend_s if place is not None else 0
    remind = None if policy.remind_s is None else draft.now + (policy.remind_s + add_s) * S
    lapse = None if policy.lapse_s is None else draft.now + (policy.lapse_s + add_s) * S
    unflag(draft, Flag.REMINDED)
    change(
        draft,
        reach_at=None,
        answer_at=None,
        again_at=None,
        remind_at=remind,
        lapse_at=lapse,
        return_at=None,
        review_at=draft.now + ATTENDED_REVIEW_S * S if lapse is None and remind is None else None,
    )


def attended_clocks(draft: Draft) -> None:
    """Somebody is there: only the question whether it is still open remains."""
    unflag(draft, Flag.REMINDED)
    change(
        draft,
        reach_at=None,
        answer_at=None,
        remind_at=None,
        lapse_at=None,
        lost_at=None,
        return_at=None,
        again_at=None,
        review_at=draft.now + ATTENDED_REVIEW_S * S,
    )


def arrived(alarm: Alarm) -> int:
    """How many acceptors have arrived."""
    return sum(a.arrived_at is not None for a in alarm.acceptances)


def arrival_needed(draft: Draft) -> int:
    """How many must arrive before the arrival check is content."""
    alarm = draft.alarm
    if RULES[alarm.kind].accept is AcceptRule.ROLES:
        return max(1, sum(r.count for r in team_of(alarm, draft.world)))
    if alarm.kind is Kind.ASSISTANCE:
        return 1
    return RULES[alarm.kind].arrive


def enough_accepted(draft: Draft) -> bool:
    """The accept rule of the kind is satisfied."""
    alarm = draft.alarm
    match RULES[alarm.kind].accept:
        case AcceptRule.ENOUGH:
            return len(alarm.acceptances) >= policy_of(draft).enough
        case AcceptRule.ROLES:
            return bool(alarm.acceptances) and not unfilled(alarm, draft.world)
        case _:
            return bool(alarm.acceptances)


def drop_acceptance(draft: Draft, staff: str) -> Acceptance | None:
    """Take one acceptor off; returns what was dropped."""
    gone = next((a for a in draft.alarm.acceptances if a.staff == staff), None)
    if gone is not None:
        change(draft, acceptances=tuple(a for a in draft.alarm.acceptances if a.staff != staff))
    return gone
