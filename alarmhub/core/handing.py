"""Handing over: who goes off duty with an alarm in hand gives it to a colleague (ward.md, "Accepted ...").

The receiver has it from that instant, and her phone rings until she says something to it. Who cannot be
reached is handed nothing: the alarm is given back and rings. It refuses to choose the receiver.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Phase, Told, told_of
from alarmhub.core.arrival import accepted_clocks, arrival_needed, arrived, drop_acceptance, enough_accepted
from alarmhub.core.deadlines import confirm_due, give_back
from alarmhub.core.draft import Draft, change, refuse, say
from alarmhub.core.escalation import policy_of, reach_of, ring_again, wake
from alarmhub.core.events import HandedOver
from alarmhub.core.kinds import RULES, Kind
from alarmhub.core.reach import RINGS
from alarmhub.core.routing import fills, on_site, team_of, unfilled


def on_handed_over(draft: Draft, event: HandedOver) -> None:
    """Move an acceptance from one person to another, in one decision."""
    giver, to = event.staff, event.to
    if all(a.staff != giver for a in draft.alarm.acceptances):
        refuse(draft, "not_yours", "handed_over_without_accept", staff=giver)
        return
    if to == giver or not _may_receive(draft, to):
        refuse(draft, "no_receiver", "receiver_cannot_come", staff=to)
        return
    say(draft, "handed_over", staff=giver, to=to)
    change(draft, told=tuple(t for t in draft.alarm.told if t.staff != giver))
    if reach_of(draft, to) not in RINGS:
        _not_attended_by(draft, giver)
        give_back(draft, [giver], "receiver_unreachable")
        return
    gone = drop_acceptance(draft, giver)
    if all(a.staff != to for a in draft.alarm.acceptances):
        _receive(draft, to, giver, gone.role if gone is not None else "")
    _settle(draft)


def _may_receive(draft: Draft, to: str) -> bool:
    alarm, world = draft.alarm, draft.world
    if to not in world.roster.by_staff or (to == alarm.person and alarm.kind is Kind.ASSAULT):
        return False
    return not RULES[alarm.kind].needs_hands or on_site(alarm, to, world)


def _receive(draft: Draft, to: str, giver: str, role: str) -> None:
    """Hers, and ringing until she says so. The clocks of a step that others are still asked in run on."""
    alarm, world = draft.alarm, draft.world
    open_roles = [r.role for r in unfilled(alarm, world) if fills(r, to, alarm, world)]
    role = role if role in open_roles else next(iter(open_roles), "")
    turn = alarm.turn if alarm.phase is Phase.PARTLY_ACCEPTED else alarm.turn + 1
    known = told_of(alarm, to)
    told = Told(to, turn, draft.now, f"handed_over:{giver}", reported=known is not None and known.reported)
    mine = Acceptance(to, draft.now, role, confirmed=False)
    change(
        draft,
        turn=turn,
        told=(*(t for t in alarm.told if t.staff != to), told),
        acceptances=(*alarm.acceptances, mine),
    )
    due = confirm_due(draft, mine)
    change(draft, confirm_at=due if alarm.confirm_at is None else min(alarm.confirm_at, due))
    if len(draft.alarm.acceptances) == 1 and alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
        change(draft, phase=Phase.ACCEPTED, extended=False)
        accepted_clocks(draft)
    wake(draft, (to,))


def _settle(draft: Draft) -> None:
    """The kind is content with who has it now, or it rings again."""
    alarm = draft.alarm
    if alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED) and not enough_accepted(draft):
        because = "role_unfilled" if team_of(alarm, draft.world) else "more_needed"
        ring_again(draft, step=min(alarm.step, len(policy_of(draft).steps)), because=because)
    elif alarm.phase is Phase.ATTENDED and arrived(alarm) < arrival_needed(draft):
        change(draft, phase=Phase.ACCEPTED)
        accepted_clocks(draft)


def _not_attended_by(draft: Draft, giver: str) -> None:
    """Who was there is not any more; where nobody else is, it counts as on the way."""
    alarm = draft.alarm
    others = tuple(replace(a, arrived_at=None) if a.staff == giver else a for a in alarm.acceptances)
    change(draft, acceptances=others)
    if alarm.phase is Phase.ATTENDED and arrived(draft.alarm) < arrival_needed(draft):
        change(draft, phase=Phase.ACCEPTED)
