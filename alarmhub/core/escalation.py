"""Turns and steps: whom an alarm rings, how long, and when it passes on (ward.md; design.md promises 2, 3).

A turn is one ringing of one step. A step nobody of whom can be hoped for is passed at once; after the last
step the last resort rings again and again. This module refuses answers and signals: it is what they call.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, Told
from alarmhub.core.draft import Draft, change, flag, say
from alarmhub.core.effects import Page, Push, Report, ReportStatus
from alarmhub.core.kinds import ATTENDED_REVIEW_S, RULES, AcceptRule, Kind
from alarmhub.core.policies import choose, pinned
from alarmhub.core.reach import Reach
from alarmhub.core.routing import (
    Candidate,
    Resolved,
    deputies,
    resolve,
    team_of,
    team_role,
    unfilled,
    unstaffed,
)
from alarmhub.core.site import Policy, Step

S = 1000
"""Milliseconds in a second."""


def reach_of(draft: Draft, staff: str) -> Reach:
    """The best reach of a person at this instant."""
    return draft.world.reach.get(staff, Reach.NONE)


def hopeful(draft: Draft, told: Told) -> bool:
    """Whether waiting for this person makes sense: may still ring, or rang and has not answered."""
    if told.answer:
        return False
    reach = reach_of(draft, told.staff)
    if reach is Reach.NONE:
        return False
    if told.rang_at is not None or told.one_way:
        return True
    if reach is Reach.RECENT and draft.now < draft.world.grace_until:
        return True
    return draft.alarm.reach_at is not None and draft.now < draft.alarm.reach_at


def anybody_hopeful(draft: Draft) -> bool:
    """Somebody of the current turn is worth waiting for."""
    turn = draft.alarm.turn
    return any(t.turn == turn and hopeful(draft, t) for t in draft.alarm.told)


def report(draft: Draft, status: ReportStatus) -> None:
    """Tell the source, if it takes reports and the alarm is its own."""
    alarm = draft.alarm
    source = draft.world.site.sources.get(alarm.source)
    if source is not None and source.reports:
        draft.effects.append(Report(alarm.source, status, alarm.ref, alarm.source_text))


def policy_of(draft: Draft) -> Policy:
    """The pinned policy; from the last resort on the newest one."""
    alarm, site = draft.alarm, draft.world.site
    if Flag.LAST_RESORT in alarm.flags:
        return choose(site, alarm.kind, alarm.type, alarm.unit, alarm.priority)
    return pinned(site, alarm)


def _extra_targets(draft: Draft, step: int, policy: Policy) -> tuple[str, ...]:
    """The next step's targets too, when this one's phone has lain untouched (the phone in the locker)."""
    if step != 0 or not draft.world.untouched or len(policy.steps) < 2:
        return ()
    people = resolve(_targets(draft, policy.steps[0], 0), draft.alarm, draft.world).people
    untouched = [c.staff for c in people if c.staff in draft.world.untouched]
    if not untouched:
        return ()
    say(draft, "untouched_phone", staff=untouched)
    return policy.steps[1].targets


def _targets(draft: Draft, step: Step, index: int) -> tuple[str, ...]:
    return draft.alarm.targets if draft.alarm.targets and index == 0 else step.targets


def start(draft: Draft, extra: tuple[str, ...] = ()) -> None:
    """Begin ringing at the first step. `extra` targets ring together with it."""
    alarm = draft.alarm
    if unstaffed(alarm, draft.world) and _asks_the_unit(draft):
        say(draft, "unit_unstaffed", unit=alarm.unit)
        last_resort(draft, extra=("belongs", *extra))
        return
    begin(draft, 0, extra)


def _asks_the_unit(draft: Draft) -> bool:
    """The first step names the ward's own people (a team, a role or a named person does not)."""
    policy = policy_of(draft)
    words = _targets(draft, policy.steps[0], 0) if policy.steps else ()
    return draft.alarm.kind is not Kind.DRILL and any(w in ("care_team", "unit", "cover") for w in words)


def begin(draft: Draft, step: int, extra: tuple[str, ...] = ()) -> None:
    """Ring a step now, or the first one after it that has somebody to hope for; at last the last resort."""
    while True:
        policy = policy_of(draft)
        if step >= len(policy.steps):
            last_resort(draft, extra)
            return
        spec = policy.steps[step]
        words = _targets(draft, spec, step) + _extra_targets(draft, step, policy) + extra
        resolved = resolve(words, draft.alarm, draft.world)
        _ring(draft, step, resolved, spec.reach_s, spec.answer_s)
        if step == 0 and draft.alarm.kind is Kind.TEAM:
            _deputies_at_once(draft)
        if anybody_hopeful(draft) or draft.alarm.kind is Kind.DRILL:
            return
        say(draft, "step_passed_at_once", step=step, because=_why_nobody(resolved))
        change(draft, excluded=_inside_only(draft.alarm))
        step += 1


def _why_nobody(resolved: Resolved) -> str:
    if not resolved.people:
        return "resolves_to_nobody"
    return "nobody_reachable"


def _ring(draft: Draft, step: int, resolved: Resolved, reach_s: int, answer_s: int | None) -> None:
    """Start a turn with these people, beside those who are told already."""
    alarm, now = draft.alarm, draft.now
    turn = alarm.turn + 1
    told = _merge(draft, turn, resolved.people)
    reach_at: int | None = now + reach_s * S
    grace = draft.world.grace_until
    if (
        reach_at is not None
        and grace > reach_at
        and any(reach_of(draft, c.staff) is Reach.RECENT for c in resolved.people)
    ):
        reach_at = grace
    change(
        draft,
        turn=turn,
        step=step,
        told=told,
        reach_at=reach_at,
        answer_at=None if answer_s is None else now + answer_s * S,
        review_at=None,
        again_at=None,
    )
    _say_turn(draft, resolved)
    _wake(draft, resolved.people, turn)


def _merge(draft: Draft, turn: int, people: Iterable[Candidate]) -> tuple[Told, ...]:
    ring = {c.staff: c for c in people}
    kept: list[Told] = []
    for told in draft.alarm.told:
        candidate = ring.pop(told.staff, None)
        if candidate is None:
            kept.append(told)
            continue
        answer = told.answer if told.answer == "holding" else ""
        kept.append(replace(told, turn=turn, why=candidate.why, answer=answer, rang_at=None))
    for candidate in ring.values():
        one_way = reach_of(draft, candidate.staff) is Reach.ONE_WAY
        kept.append(Told(candidate.staff, turn, draft.now, candidate.why, one_way=one_way))
    return tuple(kept)


def _say_turn(draft: Draft, resolved: Resolved) -> None:
    alarm = draft.alarm
    unreachable = [c.staff for c in resolved.people if reach_of(draft, c.staff) is Reach.NONE]
    say(
        draft,
        "turn_started",
        turn=alarm.turn,
        step=alarm.step,
        policy=alarm.policy,
        policy_version=alarm.policy_version,
        told=[f"{c.staff}:{c.why}" for c in resolved.people],
        left_out=[f"{o.staff}:{o.why}" for o in resolved.left_out],
        unreachable=unreachable,
        reach_at=alarm.reach_at,
        next_step_at=alarm.answer_at,
    )
    for gap in resolved.gaps:
        say(draft, "no_care_team", place=alarm.place, target=gap)


def _wake(draft: Draft, people: Iterable[Candidate], turn: int) -> None:
    for candidate in people:
        reach = reach_of(draft, candidate.staff)
        if reach is Reach.PUSHABLE:
            draft.effects.append(Push(candidate.staff, draft.alarm.id, turn, str(draft.alarm.priority)))
        elif reach is Reach.ONE_WAY:
            pager = draft.world.site.staff[candidate.staff].pager
            if pager is not None:
                draft.effects.append(Page(candidate.staff, pager, draft.alarm.id))


def _deputies_at_once(draft: Draft) -> None:
    """A team role nobody on duty can be reached for is passed to its deputy without waiting."""
    alarm, world = draft.alarm, draft.world
    empty = [
        r
        for r in team_of(alarm, world)
        if all(reach_of(draft, s) is Reach.NONE for s in team_role(r.role, alarm, world))
    ]
    if not empty:
        return
    standing_in = dict.fromkeys(deputies(empty, alarm, world))
    change(draft, told=_merge(draft, alarm.turn, [Candidate(s, "deputies") for s in standing_in]))
    say(draft, "role_has_nobody", roles=[r.role for r in empty], deputies=list(standing_in))


def last_resort(draft: Draft, extra: tuple[str, ...] = ()) -> None:
    """Ring the last resort (of the current site) and everybody still told; again every so often."""
    alarm, world = draft.alarm, draft.world
    policy = choose(world.site, alarm.kind, alarm.type, alarm.unit, alarm.priority)
    if policy.last_resort_s is None:
        _without_last_resort(draft, policy)
        return
    _newest_policy(draft, policy)
    unit = world.site.units.get(alarm.unit)
    words = (unit.last_resort if unit is not None else ()) + extra
    change(draft, excluded=_inside_only(alarm))
    again = [Candidate(t.staff, t.why) for t in draft.alarm.told if t.answer in ("", "holding")]
    resolved = resolve(words, draft.alarm, world)
    fresh = {c.staff for c in resolved.people}
    people = resolved.people + tuple(c for c in again if c.staff not in fresh)
    rings = alarm.last_resort_rings + 1
    rules_reach_s = RULES[alarm.kind].reach_s
    _ring(draft, len(policy.steps), Resolved(people, resolved.left_out), rules_reach_s, policy.last_resort_s)
    change(draft, last_resort_rings=rings, reach_at=None)
    say(draft, "last_resort_rings", times=rings, targets=list(words), every_s=policy.last_resort_s)
    if rings == 1 and not _anybody_reachable(draft):
        report(draft, ReportStatus.ABSENT)
        say(draft, "nobody_reachable_at_all")


def _newest_policy(draft: Draft, newest: Policy) -> None:
    """From the last resort on the newest published policy applies (ward.md)."""
    flag(draft, Flag.LAST_RESORT)
    alarm = draft.alarm
    if (newest.name, newest.version) != (alarm.policy, alarm.policy_version):
        say(draft, "newest_policy_applies", policy=newest.name, policy_version=newest.version)
        change(draft, policy=newest.name, policy_version=newest.version)


def _anybody_reachable(draft: Draft) -> bool:
    return any(reach_of(draft, t.staff) is not Reach.NONE for t in draft.alarm.told)


def _without_last_resort(draft: Draft, policy: Policy) -> None:
    """Doors and drills ring on until they expire; they never trouble a last resort."""
    change(draft, step=len(policy.steps), reach_at=None, answer_at=None)
    say(draft, "rings_until_it_expires", expire_at=draft.alarm.expire_at)


def pass_on(draft: Draft, because: str) -> None:
    """The current step is over: ring the next, or the last resort again."""
    alarm = draft.alarm
    say(draft, "step_passed", step=alarm.step, because=because)
    change(draft, excluded=_inside_only(alarm))
    if Flag.LAST_RESORT in alarm.flags:
        last_resort(draft)
    else:
        begin(draft, alarm.step + 1)


def _inside_only(alarm: Alarm) -> tuple[str, ...]:
    """Declining excludes for one step; a person in the room of an assistance stays out of it."""
    answered = {t.staff for t in alarm.told if t.answer in ("declined", "released")}
    return tuple(s for s in alarm.excluded if s not in answered) if alarm.kind is Kind.ASSISTANCE else ()


def pass_if_hopeless(draft: Draft, because: str) -> None:
    """Promise 2: when nobody of the turn can be hoped for any more, do not wait. The last resort waits."""
    alarm = draft.alarm
    if alarm.phase not in (Phase.RINGING, Phase.PARTLY_ACCEPTED) or alarm.answer_at is None:
        return
    if Flag.LAST_RESORT in alarm.flags or anybody_hopeful(draft):
        return
    pass_on(draft, because)


def ring_again(
    draft: Draft, *, step: int, because: str, **facts: str | int | bool | list[str] | None
) -> None:
    """Back to ringing (released, not attended, acceptor lost, worse, presence gone)."""
    alarm = draft.alarm
    policy = policy_of(draft)
    say(draft, "rings_again", because=because, step=step, **facts)
    return_at = alarm.return_at
    if return_at is None and policy.return_s is not None and Flag.RETURNED not in alarm.flags:
        return_at = draft.now + policy.return_s * S
    # Whoever has merely accepted before is asked again; a decline holds for its step (ward.md).
    told = tuple(replace(t, answer="") if t.answer == "accepted" else t for t in alarm.told)
    change(
        draft,
        phase=Phase.PARTLY_ACCEPTED if alarm.acceptances else Phase.RINGING,
        told=told,
        remind_at=None,
        lapse_at=None,
        lost_at=None,
        reminded=False,
        extended=False,
        return_at=return_at,
    )
    if Flag.LAST_RESORT in alarm.flags:
        last_resort(draft)
    else:
        begin(draft, step)


def accepted_clocks(draft: Draft) -> None:
    """Somebody comes: stop the step's clocks, start the arrival's."""
    alarm = draft.alarm
    policy = policy_of(draft)
    place = draft.world.site.places.get(alarm.place)
    add_s = place.add_attend_s if place is not None else 0
    remind = None if policy.remind_s is None else draft.now + (policy.remind_s + add_s) * S
    lapse = None if policy.lapse_s is None else draft.now + (policy.lapse_s + add_s) * S
    change(
        draft,
        reach_at=None,
        answer_at=None,
        again_at=None,
        remind_at=remind,
        lapse_at=lapse,
        reminded=False,
        return_at=None,
    )
    if lapse is None and remind is None:
        change(draft, review_at=draft.now + ATTENDED_REVIEW_S * S)


def attended_clocks(draft: Draft) -> None:
    """Somebody is there: only the question whether it is still open remains."""
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
