"""What happens when a clock of an alarm runs out, each on both sides of its instant.

Level-triggered: whatever is due at `now` is done in the order it fell due, so the same event twice acts
once. It refuses to act early; `decide` checks the turn before it comes here.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, lost_due, told_of
from alarmhub.core.arrival import arrival_needed, arrived
from alarmhub.core.closing import end
from alarmhub.core.draft import Draft, change, flag, say, unflag
from alarmhub.core.effects import ReportStatus
from alarmhub.core.escalation import (
    S,
    anybody_hopeful,
    pass_on,
    policy_of,
    reach_of,
    ring_again,
    wake,
)
from alarmhub.core.kinds import ACCEPTOR_LOST_S, ATTENDED_REVIEW_S, LASTING_REMIND_S, RULES, AcceptRule
from alarmhub.core.presence import again_after_presence
from alarmhub.core.reach import IN_CONTACT, Reach
from alarmhub.core.reporting import return_once

_FIELDS = (
    "expire_at",
    "reach_at",
    "answer_at",
    "return_at",
    "remind_at",
    "lapse_at",
    "lost_at",
    "again_at",
    "review_at",
    "confirm_at",
)
_MOST_AT_ONCE = 16
"""More clocks than an alarm has: a loop that does not settle is a bug and must not hang the hub."""


def on_deadline(draft: Draft, due: int) -> None:
    """Do all that was due by then, earliest first. What fell due later counts later: between the two may lie
    an answer that is still to be decided."""
    for _ in range(_MOST_AT_ONCE):
        field = _first_due(draft.alarm, min(draft.now, due))
        if field is None:
            return
        _act(draft, field)


def _first_due(alarm: Alarm, now: int) -> str | None:
    due: list[tuple[int, int]] = []
    for order, field in enumerate(_FIELDS):
        at = getattr(alarm, field)
        if at is not None and at <= now:
            due.append((at, order))
    return _FIELDS[min(due)[1]] if due else None


def _act(draft: Draft, field: str) -> None:
    match field:
        case "expire_at":
            end(draft, "expired")
        case "reach_at":
            _nobody_rang(draft)
        case "answer_at":
            change(draft, reach_at=None)
            pass_on(draft, "no_answer")
        case "return_at":
            _return(draft)
        case "remind_at":
            _remind(draft)
        case "lapse_at":
            _lapse(draft)
        case "lost_at":
            _lost(draft)
        case "again_at":
            again_after_presence(draft)
        case "review_at":
            _review(draft)
        case "confirm_at":
            _unconfirmed(draft)


def _nobody_rang(draft: Draft) -> None:
    """Reached means a device rang: without a receipt the turn passes on, the slow phones ring on."""
    grace = draft.world.grace_until
    turn = draft.alarm.turn
    change(draft, reach_at=None)
    if anybody_hopeful(draft):
        recent = any(
            t.turn == turn and t.rang_at is None and reach_of(draft, t.staff) is Reach.RECENT
            for t in draft.alarm.told
        )
        if recent and grace > draft.now:
            change(draft, reach_at=grace)
        rang = [t.staff for t in draft.alarm.told if t.turn == turn and t.rang_at is not None]
        say(draft, "reach_checked", rang=rang, waits_until=draft.alarm.reach_at)
        return
    if Flag.LAST_RESORT not in draft.alarm.flags:
        pass_on(draft, "nobody_rang")


def _return(draft: Draft) -> None:
    """Return of responsibility: nobody has accepted, and the source is told so."""
    change(draft, return_at=None)
    flag(draft, Flag.UNANSWERED)
    say(draft, "returned_to_source", since=draft.alarm.raised_at)
    return_once(draft, ReportStatus.UNANSWERED)


def _remind(draft: Draft) -> None:
    alarm = draft.alarm
    missing = [a.staff for a in alarm.acceptances if a.arrived_at is None]
    # Where nothing rings after it, the reminder itself comes back: hourly (ward.md, technical).
    again = draft.now + LASTING_REMIND_S * S if alarm.lapse_at is None else None
    change(draft, remind_at=again)
    flag(draft, Flag.REMINDED)
    say(draft, "reminded", staff=missing)


def _lapse(draft: Draft) -> None:
    """Accepted, and not (all) there in time: the next step rings, and who accepted too."""
    alarm = draft.alarm
    change(draft, lapse_at=None, remind_at=None)
    if arrived(alarm) >= arrival_needed(draft):
        return
    flag(draft, Flag.NOT_ATTENDED)
    late = [a.staff for a in alarm.acceptances if a.arrived_at is None]
    change(draft, acceptances=tuple(a for a in alarm.acceptances if a.arrived_at is not None))
    ring_again(draft, step=alarm.step + 1, because="not_attended", afresh=True, late=late)
    # The acceptor rings too, whatever step that is and whether it names her.
    turn = draft.alarm.turn
    missed = [t.staff for t in draft.alarm.told if t.staff in late and t.turn != turn]
    if missed:
        told = draft.alarm.told
        change(
            draft,
            told=tuple(
                replace(t, turn=turn, rang_at=None, pushed=False) if t.staff in missed else t for t in told
            ),
        )
        wake(draft, missed)


def _lost(draft: Draft) -> None:
    """An acceptor without contact for a minute before arriving gives the alarm back. A phone that sleeps in
    her pocket, where push reaches it, is in contact: whether she arrives is `lapse_at`'s to see."""
    alarm = draft.alarm
    lost: list[str] = []
    acceptances = []
    for acceptance in alarm.acceptances:
        over = acceptance.lost_at is not None and acceptance.lost_at + ACCEPTOR_LOST_S * S <= draft.now
        if over and acceptance.arrived_at is None and reach_of(draft, acceptance.staff) not in IN_CONTACT:
            lost.append(acceptance.staff)
        elif over:
            # Back in time, though the news of it is still on its way.
            acceptance = replace(acceptance, lost_at=None)
            say(draft, "acceptor_contact", staff=acceptance.staff, lost_at=None)
        acceptances.append(acceptance)
    waiting = tuple(a for a in acceptances if a.staff not in lost)
    change(draft, acceptances=tuple(acceptances), lost_at=lost_due(waiting))
    if lost:
        give_back(draft, lost, "acceptor_lost")


def give_back(draft: Draft, staff: list[str], because: str) -> None:
    """Acceptors who will not come lose the alarm; it rings again unless enough others come."""
    gone = set(staff)
    change(draft, acceptances=tuple(a for a in draft.alarm.acceptances if a.staff not in gone))
    say(draft, because, staff=staff)
    alarm = draft.alarm
    satisfied = bool(alarm.acceptances) and RULES[alarm.kind].accept is AcceptRule.NOBODY
    if not satisfied and alarm.phase in (Phase.ACCEPTED, Phase.PARTLY_ACCEPTED):
        ring_again(draft, step=min(alarm.step, len(policy_of(draft).steps)), because=because)


def confirm_due(draft: Draft, acceptance: Acceptance) -> int:
    """When who was handed it must have said something: the step's own times, to ring and to answer."""
    alarm, rules = draft.alarm, RULES[draft.alarm.kind]
    steps = policy_of(draft).steps
    reach_s, answer_s = rules.reach_s, rules.steps[0][1]
    if steps:
        step = steps[min(alarm.step, len(steps) - 1)]
        reach_s, answer_s = step.reach_s, step.answer_s
    told = told_of(alarm, acceptance.staff)
    rang = told is not None and told.rang_at is not None
    return acceptance.at + (max(reach_s, answer_s) if rang else reach_s) * S


def _unconfirmed(draft: Draft) -> None:
    """Who was handed it has not rung, or says nothing to it: it is given back and rings."""
    waiting = {a.staff: confirm_due(draft, a) for a in draft.alarm.acceptances if not a.confirmed}
    silent = [staff for staff, due in waiting.items() if due <= draft.now]
    wait = min((due for due in waiting.values() if due > draft.now), default=None)
    change(draft, confirm_at=wait)
    if silent:
        give_back(draft, silent, "receiver_silent")
    else:
        say(draft, "reach_checked", rang=list(waiting), waits_until=wait)


def _review(draft: Draft) -> None:
    """Nobody has reset it for long: ask who attends whether it is still open. Nobody to ask: it rings again
    (presence that old is not believed to be somebody at work, and who went off duty is not there)."""
    on_duty = draft.world.roster.by_staff
    people = [a.staff for a in draft.alarm.acceptances if a.staff in on_duty or not a.on_duty]
    change(draft, review_at=draft.now + ATTENDED_REVIEW_S * S)
    flag(draft, Flag.REMINDED)
    say(draft, "still_open", attended_by=people)
    if not people and draft.alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
        gone = {a.staff for a in draft.alarm.acceptances}
        told = tuple(t for t in draft.alarm.told if t.staff not in gone)
        change(draft, acceptances=(), told=told, lost_at=None)
        unflag(draft, Flag.PRESENCE)
        ring_again(draft, step=0, because="nobody_to_ask", afresh=True)
