"""Turns and steps: whom an alarm rings, how long, and when it passes on (ward.md; design.md promises 2, 3).

A turn is one ringing of one step. A step nobody of whom can be hoped for is passed at once; after the last
step the last resort rings again and again. This module refuses answers and signals: it is what they call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Flag, Phase, Told, lost_due
from alarmhub.core.draft import Draft, change, flag, say, unflag
from alarmhub.core.effects import ReportStatus
from alarmhub.core.kinds import RULES, Kind
from alarmhub.core.paging import page
from alarmhub.core.policies import choose, last_resort_s, pinned
from alarmhub.core.pushing import push
from alarmhub.core.reach import Reach
from alarmhub.core.reporting import return_once
from alarmhub.core.routing import (
    Candidate,
    Resolved,
    deputies,
    resolve,
    team_of,
    team_role,
    unstaffed,
)
from alarmhub.core.site import Policy, Step
from alarmhub.core.texting import WITHOUT_SOCKET, text

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
    failed = told.texted is not None and told.texted.failed
    if reach is Reach.ONE_WAY and not told.paged and (failed or told.declined_by_text):
        return False  # all that is left to reach her by has failed, or has brought her no
    if told.rang_at is not None or told.one_way or reach is Reach.ONE_WAY:
        return True
    if reach is Reach.RECENT and draft.now < draft.world.grace_until:
        return True
    return draft.alarm.reach_at is not None and draft.now < draft.alarm.reach_at


def anybody_hopeful(draft: Draft) -> bool:
    """Somebody of the current turn is worth waiting for."""
    turn = draft.alarm.turn
    return any(t.turn == turn and hopeful(draft, t) for t in draft.alarm.told)


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


_WARD_WORDS = frozenset(("care_team", "unit", "cover"))
"""Targets that ask the ward's own people, or who answers in their stead."""


def _targets(draft: Draft, step: Step, index: int) -> tuple[str, ...]:
    """Who a step asks: in the first one whom the signal names, and nobody else, unless the kind is one that
    nothing may narrow (emergency, team, assault; ward.md, never possible 6)."""
    alarm = draft.alarm
    if index != 0 or not alarm.targets:
        return step.targets
    return alarm.targets if RULES[alarm.kind].test_mode_hides else alarm.targets + step.targets


def targets_now(draft: Draft) -> tuple[str, ...]:
    """The target words of the step the alarm is in."""
    alarm, policy = draft.alarm, policy_of(draft)
    if Flag.LAST_RESORT in alarm.flags:
        return _last_resort_words(draft)
    return _targets(draft, policy.steps[alarm.step], alarm.step) if alarm.step < len(policy.steps) else ()


def _all_targets(draft: Draft, policy: Policy, before: int | None = None) -> tuple[str, ...]:
    """The target words of all steps, or of those before one."""
    return tuple(w for i, s in enumerate(policy.steps[:before]) for w in _targets(draft, s, i))


def start(draft: Draft, extra: tuple[str, ...] = ()) -> None:
    """Begin ringing at the first step. `extra` targets ring together with it."""
    begin(draft, 0, extra)


def _for_want_of_staff(draft: Draft, words: tuple[str, ...], every_s: int | None) -> tuple[str, ...]:
    """Who rings as well when the ward's own people are asked and nobody is on duty there (ward.md): every
    phone that belongs to it, and the last resort, at once. A team or a named person is rung all the same.
    """
    alarm = draft.alarm
    if alarm.kind is Kind.DRILL or not any(w in _WARD_WORDS for w in words):
        return ()
    if not unstaffed(alarm, draft.world):
        return ()
    say(draft, "unit_unstaffed", unit=alarm.unit)
    return ("belongs",) if every_s is None else ("belongs", *_last_resort_words(draft))


def _last_resort_words(draft: Draft) -> tuple[str, ...]:
    """The unit's last resort, from the current site. Of no unit anybody knows: every last resort there is."""
    units = draft.world.site.units
    unit = units.get(draft.alarm.unit)
    if unit is not None:
        return unit.last_resort
    return tuple(dict.fromkeys(word for u in units.values() for word in u.last_resort))


def begin(draft: Draft, step: int, extra: tuple[str, ...] = ()) -> None:
    """Ring a step now, or the first one after it that has somebody to hope for; at last the last resort."""
    while True:
        policy = policy_of(draft)
        if step >= len(policy.steps):
            last_resort(draft, extra)
            return
        spec = policy.steps[step]
        words = _targets(draft, spec, step) + _extra_targets(draft, step, policy) + extra
        words += _for_want_of_staff(draft, words, last_resort_s(draft.alarm, policy))
        resolved = resolve(words, draft.alarm, draft.world)
        _ring(draft, step, resolved, spec.reach_s, spec.answer_s)
        if step == 0 and draft.alarm.kind is Kind.TEAM:
            _deputies_at_once(draft)
        if anybody_hopeful(draft) or draft.alarm.kind is Kind.DRILL:
            return
        say(draft, "step_passed_at_once", step=step, because=_why_nobody(resolved))
        # Who has just said no is not the one to wait for in the step after it either: `excluded` stays.
        step += 1


def _why_nobody(resolved: Resolved) -> str:
    if not resolved.people:
        return "resolves_to_nobody"
    return "nobody_reachable"


def _ring(
    draft: Draft, step: int, resolved: Resolved, reach_s: int, answer_s: int | None, *, holders: bool = False
) -> None:
    """Start a turn with these people, beside those who are told already (`holders`: also who holds it)."""
    alarm, now = draft.alarm, draft.now
    turn = alarm.turn + 1
    told = _merge(draft, turn, resolved.people, holders=holders)
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
    wake(draft, [c.staff for c in resolved.people])


def _merge(
    draft: Draft, turn: int, people: Iterable[Candidate], *, holders: bool = False
) -> tuple[Told, ...]:
    """Everybody told, with these people in this turn. Who is coming is not asked again."""
    ring = {c.staff: c for c in people}
    taking = {a.staff for a in draft.alarm.acceptances}
    kept: list[Told] = []
    for told in draft.alarm.told:
        candidate = ring.pop(told.staff, None)
        if candidate is None or told.staff in taking:
            kept.append(told)
            continue
        answer = told.answer if told.answer == "holding" and not holders else ""
        one_way = reach_of(draft, told.staff) is Reach.ONE_WAY
        kept.append(
            replace(
                told,
                turn=turn,
                why=candidate.why,
                answer=answer,
                rang_at=None,
                one_way=one_way,
                reported=told.reported and holders,
                pushed=False,
            )
        )
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


def wake(draft: Draft, staff: Collection[str]) -> None:
    """Push to, page, or text those of these people who are to ring: phones that sleep, and where seconds
    count those with an open socket as well."""
    for told in draft.alarm.told:
        if told.answer or told.staff not in staff:
            continue
        reach = reach_of(draft, told.staff)
        if reach is Reach.ONE_WAY:
            page(draft, told)
        else:
            push(draft, told)
        if reach in WITHOUT_SOCKET:
            text(draft, told.staff)


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
    wake(draft, standing_in)
    say(draft, "role_has_nobody", roles=[r.role for r in empty], deputies=list(standing_in))


def last_resort(draft: Draft, extra: tuple[str, ...] = ()) -> None:
    """Ring the last resort (of the current site) and everybody still told; again every so often."""
    alarm, world = draft.alarm, draft.world
    policy = choose(world.site, alarm.kind, alarm.type, alarm.unit, alarm.priority)
    every_s = last_resort_s(draft.alarm, policy)
    if every_s is None:
        _without_last_resort(draft, policy)
        return
    _newest_policy(draft, policy)
    words = _last_resort_words(draft) + extra
    words += _for_want_of_staff(draft, _all_targets(draft, policy), every_s)
    if not any(reach_of(draft, c.staff) is not Reach.NONE for c in resolve(words, alarm, world).people):
        # Better ask again whoever has just declined than nobody.
        change(draft, excluded=_inside_only(alarm))
    again = [Candidate(t.staff, t.why) for t in draft.alarm.told if t.answer in ("", "holding")]
    resolved = resolve(words, draft.alarm, world)
    fresh = {c.staff for c in resolved.people}
    people = resolved.people + tuple(c for c in again if c.staff not in fresh)
    rings = alarm.last_resort_rings + 1
    everybody = Resolved(people, resolved.left_out)
    _ring(draft, len(policy.steps), everybody, RULES[alarm.kind].reach_s, every_s, holders=True)
    change(draft, last_resort_rings=rings, reach_at=None)
    say(draft, "last_resort_rings", times=rings, targets=list(words), every_s=every_s)
    if not _anybody_reachable(draft) and return_once(draft, ReportStatus.ABSENT):
        say(draft, "nobody_reachable_at_all")


def _newest_policy(draft: Draft, newest: Policy) -> None:
    """From the last resort on the newest published policy applies (ward.md)."""
    flag(draft, Flag.LAST_RESORT)
    alarm = draft.alarm
    if (newest.name, newest.version) != (alarm.policy, alarm.policy_version):
        flag(draft, Flag.MIXED_POLICY)
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
    draft: Draft,
    *,
    step: int,
    because: str,
    afresh: bool = False,
    **facts: str | int | bool | list[str] | None,
) -> None:
    """Back to ringing (released, not attended, acceptor lost, worse, presence gone).

    An accept had silenced the earlier steps: they ring too, as they would had nobody accepted. Declines hold
    for their step (ward.md); `afresh` forgets them, because it is another step or another condition.
    """
    alarm = draft.alarm
    policy = policy_of(draft)
    if last_resort_s(draft.alarm, policy) is None:
        step = min(step, len(policy.steps) - 1)
    say(draft, "rings_again", because=because, step=step, **facts)
    taking = {a.staff for a in alarm.acceptances}
    change(
        draft,
        phase=Phase.PARTLY_ACCEPTED if taking else Phase.RINGING,
        told=tuple(
            replace(t, answer="") if t.answer == "accepted" and t.staff not in taking else t
            for t in alarm.told
        ),
        excluded=_inside_only(alarm) if afresh else alarm.excluded,
        remind_at=None,
        lapse_at=None,
        lost_at=lost_due(alarm.acceptances),
        extended=False,
    )
    unflag(draft, Flag.REMINDED)
    watch_for_return(draft)
    if Flag.LAST_RESORT in alarm.flags:
        last_resort(draft, _all_targets(draft, policy))
    else:
        begin(draft, step, _all_targets(draft, policy, step))


def watch_for_return(draft: Draft) -> None:
    """Nobody has it any more: the source is told after `return_after`, unless it was in this turn."""
    alarm, return_s = draft.alarm, policy_of(draft).return_s
    if (
        not alarm.acceptances
        and alarm.return_at is None
        and return_s is not None
        and ReportStatus.UNANSWERED not in alarm.told_back
    ):
        change(draft, return_at=draft.now + return_s * S)
