"""Which answers a person has for an alarm now: the buttons on the phone (`can[]` of the outer contract).

It only reads. A button shown is a promise that the answer will be taken unless something happens first;
`core.answering` has the last word.
"""

from __future__ import annotations

from alarmhub.core.alarm import Alarm, Phase, concerned, told_of
from alarmhub.core.kinds import RULES, AcceptRule, Kind
from alarmhub.core.routing import alone, answering_units, on_duty_for, team_of
from alarmhub.core.world import World


def allowed(alarm: Alarm, staff: str, world: World) -> tuple[str, ...]:
    """The answers open to `staff`, in the order phones show them; empty for the victim and after the end."""
    if not alarm.open or alarm.drill or (staff == alarm.person and alarm.kind is Kind.ASSAULT):
        return ()
    for acceptance in alarm.acceptances:
        if acceptance.staff == staff:
            if not acceptance.confirmed:
                return ("accept", "attend", "decline")
            return _for_acceptor(alarm, staff, acceptance.arrived_at is not None, acceptance.role, world)
    if staff not in concerned(alarm) and not on_duty_for(alarm, staff, world):
        return ()
    return _for_asked(alarm, staff, world)


def _for_acceptor(alarm: Alarm, staff: str, arrived: bool, role: str, world: World) -> tuple[str, ...]:
    rules = RULES[alarm.kind]
    can: list[str] = []
    if not arrived:
        can.append("attend")
    may_end = alarm.ends == "staff" and rules.staff_may_end and (arrived or not rules.needs_hands)
    if may_end or (alarm.kind is Kind.TEAM and role and role == _leader(alarm, world)):
        can.append("done")
    if alarm.kind is Kind.ASSAULT and arrived:
        can.append("safe")
    if alarm.kind is not Kind.ASSISTANCE:
        can.append("help")
    can.append("release")
    if alarm.lapse_at is not None and not alarm.extended:
        can.append("extend")
    return tuple(can)


def _leader(alarm: Alarm, world: World) -> str | None:
    alarm_type = world.site.types.get(alarm.type)
    team = team_of(alarm, world)
    return (alarm_type.leader if alarm_type is not None else None) or (team[0].role if team else None)


def _for_asked(alarm: Alarm, staff: str, world: World) -> tuple[str, ...]:
    rule = RULES[alarm.kind].accept
    settled = alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED) and bool(alarm.acceptances)
    if settled and rule in (AcceptRule.RELEASE, AcceptRule.ENOUGH):
        return ("take_over",) if rule is AcceptRule.RELEASE else ()
    told = told_of(alarm, staff)
    if told is None or told.answer in ("declined", "released"):
        return ("accept", "attend")
    if told.answer == "holding":
        return ("accept", "attend", "help")
    units = answering_units(alarm.unit, alarm.place, world)
    decline = (
        "hold" if alarm.phase is Phase.RINGING and any(alone(staff, u, world) for u in units) else "decline"
    )
    return ("accept", "attend", decline)


def rings(alarm: Alarm, staff: str) -> bool:
    """Whether this person's phone should be sounding now."""
    told = told_of(alarm, staff)
    if told is None or not told.rings or not alarm.open:
        return False
    if alarm.drill:
        return alarm.heard
    if alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED):
        return True
    if any(a.staff == staff and not a.confirmed for a in alarm.acceptances):
        return True
    # Where nobody is released each phone stops by its own answer, also after others have come (ward.md).
    return RULES[alarm.kind].accept in (AcceptRule.NOBODY, AcceptRule.ROLES)
