"""What people answer, and what it does: accept, decline, release, attend, done, help and the rest (ward.md).

Every answer gets a verdict: it is taken, or refused with a name from a closed list (`ERRORS`). This module
refuses to end what the room must reset, and to silence anybody the kind does not allow to be silenced.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Flag, Phase, Told, concerned, lost_due, told_of
from alarmhub.core.arrival import (
    accepted_clocks,
    arrival_needed,
    arrived,
    attended_clocks,
    drop_acceptance,
    enough_accepted,
)
from alarmhub.core.closing import end, safe_said
from alarmhub.core.draft import Draft, change, refuse, say, unflag
from alarmhub.core.effects import Raise, ReportStatus
from alarmhub.core.escalation import (
    S,
    begin,
    pass_if_hopeless,
    policy_of,
    ring_again,
    watch_for_return,
)
from alarmhub.core.events import Answer, Answered, Signal, SignalEvent
from alarmhub.core.kinds import EXTEND_S, RULES, AcceptRule, Kind
from alarmhub.core.reporting import report_accepted, report_of, take_back
from alarmhub.core.routing import alone, answering_units, fills, on_duty_for, on_site, team_of, unfilled
from alarmhub.core.texting import BY_TEXT, confirm_by_text, replied_no

ERRORS = (
    "ended",
    "not_concerned",
    "stale",
    "taken",
    "noted",
    "not_yours",
    "not_allowed",
    "already_extended",
    "nothing_to_take_over",
    "no_receiver",
)
"""Everything a refused answer can be told."""

_STALE_CHECKED = frozenset({Answer.DECLINE, Answer.RELEASE, Answer.HOLD})


def on_answered(draft: Draft, event: Answered) -> None:
    """Dispatch one answer. `noted` is ok with a remark: recorded, and nobody is silenced by it."""
    before = draft.alarm
    _take_answer(draft, event)
    if event.via == BY_TEXT and draft.alarm is not before:
        confirm_by_text(draft, event)


def _take_answer(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    if not alarm.open:
        refuse(draft, "ended", "answer_after_end", staff=staff, answer=str(event.answer))
        return
    if staff == alarm.person and alarm.kind is Kind.ASSAULT:
        refuse(draft, "not_concerned", "victim_cannot_answer", answer=str(event.answer))
        return
    invited = staff in concerned(alarm) or on_duty_for(alarm, staff, draft.world)
    if not invited and (event.answer is not Answer.ACCEPT or told_of(alarm, staff) is None):
        refuse(draft, "not_concerned", "answer_from_outside", staff=staff, answer=str(event.answer))
        return
    # "2 4711" names the alarm, not one of its rings; that it counts once is seen in `_decline`.
    checked = event.answer in _STALE_CHECKED and not (event.via == BY_TEXT and event.answer is Answer.DECLINE)
    if checked and not alarm.turn_rev <= event.rev <= alarm.rev:
        refuse(draft, "stale", "answer_for_another_turn", staff=staff, rev=event.rev, turn_rev=alarm.turn_rev)
        return
    _confirm(draft, event)
    _dispatch(draft, event)


def _confirm(draft: Draft, event: Answered) -> None:
    """Who was handed it takes it on with whatever she says to it, but for a no."""
    mine = _acceptance(draft, event.staff)
    if mine is None or mine.confirmed or event.answer in _STALE_CHECKED or _only_noted(draft, event):
        return
    mine = replace(mine, confirmed=True)
    change(
        draft,
        acceptances=tuple(mine if a.staff == mine.staff else a for a in draft.alarm.acceptances),
        told=_with_answer(draft, mine.staff, "accepted"),
    )
    say(draft, "accepted_from_colleague", staff=mine.staff)
    report_accepted(draft, (mine,), first=False)


def _dispatch(draft: Draft, event: Answered) -> None:
    match event.answer:
        case Answer.ACCEPT:
            _accept(draft, event)
        case Answer.DECLINE:
            _decline(draft, event)
        case Answer.HOLD:
            _hold(draft, event)
        case Answer.RELEASE:
            _release(draft, event)
        case Answer.ATTEND:
            _attend(draft, event)
        case Answer.DONE:
            _done(draft, event)
        case Answer.SAFE:
            _safe(draft, event)
        case Answer.HELP:
            _help(draft, event)
        case Answer.EXTEND:
            _extend(draft, event)
        case Answer.TAKE_OVER:
            _take_over(draft, event)


def _acceptance(draft: Draft, staff: str) -> Acceptance | None:
    return next((a for a in draft.alarm.acceptances if a.staff == staff), None)


def _only_noted(draft: Draft, event: Answered) -> bool:
    """By SMS or from elsewhere, for a kind that needs hands: recorded, silences nobody."""
    alarm = draft.alarm
    if not RULES[alarm.kind].needs_hands:
        return False
    if event.via != BY_TEXT and on_site(alarm, event.staff, draft.world):
        return False
    if event.staff not in alarm.noted:
        change(draft, noted=(*alarm.noted, event.staff))
    say(draft, "accept_noted_only", staff=event.staff, via=event.via)
    draft.verdict = replace(draft.verdict, error="noted")
    return True


def _accept(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    if _acceptance(draft, staff) is not None:
        say(draft, "accepted_already", staff=staff)
        return
    if _only_noted(draft, event):
        return
    rule = RULES[alarm.kind].accept
    settled = alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED) and bool(alarm.acceptances)
    if settled and rule in (AcceptRule.RELEASE, AcceptRule.ENOUGH):
        by = [a.staff for a in alarm.acceptances]
        refuse(draft, "taken", "already_taken", staff=staff, by=by)
        return
    _take(draft, staff)


def _take(draft: Draft, staff: str) -> None:
    """Record the acceptance and let the kind say who falls silent."""
    alarm, world = draft.alarm, draft.world
    role = next((r.role for r in unfilled(alarm, world) if fills(r, staff, alarm, world)), "")
    acceptance = Acceptance(staff, draft.now, role, on_duty=staff in world.roster.by_staff)
    late = (
        alarm.phase is not Phase.RINGING or (told := told_of(alarm, staff)) is None or told.turn != alarm.turn
    )
    change(draft, acceptances=(*alarm.acceptances, acceptance), told=_with_answer(draft, staff, "accepted"))
    say(draft, "accepted", staff=staff, role=role, rule=str(RULES[alarm.kind].accept), late=late)
    was = alarm.phase
    if enough_accepted(draft):
        if was is not Phase.ATTENDED:
            change(draft, phase=Phase.ACCEPTED)
        _release_others(draft)
        first = was in (Phase.RINGING, Phase.PARTLY_ACCEPTED)
        report_accepted(draft, draft.alarm.acceptances if first else (acceptance,), first=first)
        _somebody_comes(draft, first=first)
        _attended_if_there(draft)
    else:
        change(draft, phase=Phase.PARTLY_ACCEPTED, return_at=None)
        unflag(draft, Flag.UNANSWERED)
        pass_if_hopeless(draft, "more_needed")


def _somebody_comes(draft: Draft, *, first: bool) -> None:
    take_back(draft)
    if first:
        accepted_clocks(draft)


def _with_answer(draft: Draft, staff: str, answer: str) -> tuple[Told, ...]:
    told = draft.alarm.told
    if told_of(draft.alarm, staff) is None:
        return (*told, Told(staff, draft.alarm.turn, draft.now, "accepted_unasked", answer=answer))
    return tuple(replace(t, answer=answer) if t.staff == staff else t for t in told)


def _release_others(draft: Draft) -> None:
    alarm = draft.alarm
    if RULES[alarm.kind].accept not in (AcceptRule.RELEASE, AcceptRule.ENOUGH):
        return
    takers = {a.staff for a in alarm.acceptances}
    released = [t.staff for t in alarm.told if t.staff not in takers]
    change(draft, told=tuple(t for t in alarm.told if t.staff in takers))
    if released:
        say(draft, "others_released", released=released, taken_by=sorted(takers))


def _decline(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    told = told_of(alarm, staff)
    if told is None:
        refuse(draft, "not_concerned", "declined_unasked", staff=staff)
        return
    if told.answer == "declined" or (event.via == BY_TEXT and told.declined_by_text):
        return
    mine = _acceptance(draft, staff)
    if mine is not None and not mine.confirmed:
        _release(draft, event)
        return
    if mine is not None:
        refuse(draft, "not_allowed", "acceptor_must_release", staff=staff)
        return
    if event.via == BY_TEXT:
        change(draft, told=replied_no(alarm, staff))
    if alarm.phase is Phase.RINGING and _is_alone(draft, staff):
        say(draft, "declined_while_alone", staff=staff)
        _hold(draft, event)
        return
    change(draft, told=_with_answer(draft, staff, "declined"), excluded=(*alarm.excluded, staff))
    say(draft, "declined", staff=staff, reason=event.reason)
    report_of(draft, ReportStatus.REJECTED, staff)
    pass_if_hopeless(draft, "all_declined_or_unreachable")


def _is_alone(draft: Draft, staff: str) -> bool:
    alarm = draft.alarm
    return any(alone(staff, u, draft.world) for u in answering_units(alarm.unit, alarm.place, draft.world))


def _hold(draft: Draft, event: Answered) -> None:
    """ "Kommer strax": whoever is alone keeps it, and cover rings at once."""
    alarm, staff = draft.alarm, event.staff
    if told_of(alarm, staff) is None or not _is_alone(draft, staff):
        refuse(draft, "not_allowed", "hold_is_for_who_is_alone", staff=staff)
        return
    change(draft, told=_with_answer(draft, staff, "holding"))
    steps = policy_of(draft).steps
    cover = next((i for i, s in enumerate(steps) if i > alarm.step and "cover" in s.targets), alarm.step + 1)
    say(draft, "held_by_who_is_alone", staff=staff, next_step=cover)
    if Flag.LAST_RESORT not in alarm.flags:
        begin(draft, cover)


def _release(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    if drop_acceptance(draft, staff) is None:
        refuse(draft, "not_yours", "released_without_accept", staff=staff)
        return
    change(
        draft,
        told=_with_answer(draft, staff, "released"),
        excluded=(*alarm.excluded, staff),
        lost_at=lost_due(draft.alarm.acceptances),
    )
    say(draft, "released", staff=staff, reason=event.reason)
    if alarm.phase is Phase.PARTLY_ACCEPTED:
        change(draft, phase=Phase.PARTLY_ACCEPTED if draft.alarm.acceptances else Phase.RINGING)
        watch_for_return(draft)
        pass_if_hopeless(draft, "released")
    elif not enough_accepted(draft):
        ring_again(draft, step=min(alarm.step, len(policy_of(draft).steps)), because="released")
    elif alarm.phase is Phase.ATTENDED and arrived(draft.alarm) < arrival_needed(draft):
        # Others have accepted and are not there yet: their arrival is checked from now.
        change(draft, phase=Phase.ACCEPTED)
        accepted_clocks(draft)


def _attend(draft: Draft, event: Answered) -> None:
    staff = event.staff
    mine = _acceptance(draft, staff)
    if mine is None:
        _accept(draft, event)
        if _acceptance(draft, staff) is None:
            return
    elif _only_noted(draft, event):
        # Being there cannot be said from elsewhere, not even by who has taken it.
        return
    if mine is None or mine.arrived_at is None:
        accepted = tuple(
            replace(a, arrived_at=draft.now, lost_at=None) if a.staff == staff else a
            for a in draft.alarm.acceptances
        )
        change(draft, acceptances=accepted, lost_at=lost_due(accepted))
    say(draft, "arrived", staff=staff, arrived=arrived(draft.alarm), needed=arrival_needed(draft))
    _attended_if_there(draft)


def _attended_if_there(draft: Draft) -> None:
    if draft.alarm.phase is Phase.ATTENDED or arrived(draft.alarm) < arrival_needed(draft):
        return
    if enough_accepted(draft):
        change(draft, phase=Phase.ATTENDED)
        attended_clocks(draft)


def _done(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    mine = _acceptance(draft, staff)
    if alarm.kind is Kind.TEAM:
        alarm_type = draft.world.site.types.get(alarm.type)
        team = team_of(alarm, draft.world)
        leader = alarm_type.leader if alarm_type is not None else None
        leader = leader or (team[0].role if team else None)
        if mine is not None and leader is not None and mine.role == leader:
            end(draft, "team_leader", staff=staff)
        else:
            refuse(draft, "not_allowed", "done_is_for_the_team_leader", staff=staff, leader=leader)
        return
    if alarm.ends != "staff" or not RULES[alarm.kind].staff_may_end:
        refuse(draft, "not_allowed", "ended_by_reset_only", kind=str(alarm.kind), ends=alarm.ends)
        return
    if mine is None or (mine.arrived_at is None and RULES[alarm.kind].needs_hands):
        refuse(draft, "not_yours", "done_is_for_who_attends", staff=staff)
        return
    end(draft, "staff", staff=staff)


def _safe(draft: Draft, event: Answered) -> None:
    if draft.alarm.kind is not Kind.ASSAULT:
        refuse(draft, "not_allowed", "safe_is_for_assault", kind=str(draft.alarm.kind))
        return
    mine = _acceptance(draft, event.staff)
    if mine is None or mine.arrived_at is None:
        # Nobody can see from afar that a place is safe.
        refuse(draft, "not_yours", "safe_is_for_a_responder", staff=event.staff)
    elif not _only_noted(draft, event):
        safe_said(draft, event.staff)


def _help(draft: Draft, event: Answered) -> None:
    """ "Hjälp hit": an assistance alarm at this place; who asks is in the room and is no candidate."""
    alarm = draft.alarm
    key = f"help:{alarm.id}"
    signal = Signal(
        source="hub",
        event=SignalEvent.ONCE,
        key=key,
        ref=key,
        place=alarm.place,
        kind=Kind.ASSISTANCE,
        unit=alarm.unit,
        source_text=alarm.source_text,
        inside=(event.staff,) if alarm.person is None else (event.staff, alarm.person),
    )
    draft.effects.append(Raise(signal))
    say(draft, "help_called", staff=event.staff, place=alarm.place)


def _extend(draft: Draft, event: Answered) -> None:
    alarm = draft.alarm
    if _acceptance(draft, event.staff) is None or alarm.lapse_at is None:
        refuse(draft, "not_yours", "extend_is_for_who_comes", staff=event.staff)
        return
    if alarm.extended:
        refuse(draft, "already_extended", "extended_once_already", staff=event.staff)
        return
    add_ms = EXTEND_S * S
    remind_at = None if alarm.remind_at is None else alarm.remind_at + add_ms
    unflag(draft, Flag.REMINDED)
    change(draft, extended=True, lapse_at=alarm.lapse_at + add_ms, remind_at=remind_at)
    say(draft, "extended", staff=event.staff, by_s=EXTEND_S)


def _take_over(draft: Draft, event: Answered) -> None:
    alarm, staff = draft.alarm, event.staff
    if _acceptance(draft, staff) is not None:
        say(draft, "accepted_already", staff=staff)
        return
    if not alarm.acceptances or RULES[alarm.kind].accept is not AcceptRule.RELEASE:
        refuse(draft, "nothing_to_take_over", "nobody_to_take_over_from", staff=staff)
        return
    if _only_noted(draft, event):
        return
    was = [a.staff for a in alarm.acceptances]
    say(draft, "taken_over", staff=staff, was=was)
    change(draft, acceptances=(), phase=Phase.ACCEPTED, lost_at=None)
    _take(draft, staff)
    accepted_clocks(draft)
