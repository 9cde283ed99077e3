"""What signals do to an alarm: begin, repeat, worsen (ward.md, "Repeats and worsening").

It refuses to find out *which* alarm a signal means (`core.addressing`), who is in the room
(`core.presence`) and anything a person says (`core.answering`).
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.draft import Draft, change, say, unflag
from alarmhub.core.effects import Raise, ReportStatus
from alarmhub.core.escalation import S, ring_again, start
from alarmhub.core.events import (
    HUB_SOURCE,
    ORIGIN_LIMIT,
    Around,
    Raised,
    Signal,
    SignalEvent,
    Updated,
)
from alarmhub.core.kinds import (
    AGAIN_WITHIN_S,
    KIND_URGENCY,
    MANY_IN_HOUR,
    PRESENCE_STALE_S,
    PRIORITY_RANK,
    RULES,
    Kind,
    Priority,
    raised_to_floor,
)
from alarmhub.core.policies import QUIET, built_in_named, choose, quiet
from alarmhub.core.reporting import report
from alarmhub.core.roster import OnDuty
from alarmhub.core.routing import answering_units, resolve
from alarmhub.core.world import World


def kind_of(signal: Signal, world: World) -> tuple[Kind, str]:
    """Kind and type: the type's kind when the site knows it, else what the signal says, else the source's.

    A drill of a type stays a drill: it must not call the real team.
    """
    if signal.kind is Kind.DRILL:
        return Kind.DRILL, signal.type or str(Kind.DRILL)
    if signal.type is not None and signal.type in world.site.types:
        return world.site.types[signal.type].kind, signal.type
    if signal.kind is not None:
        return signal.kind, signal.type or str(signal.kind)
    source = world.site.sources.get(signal.source)
    kind = source.default_kind if source is not None else Kind.TECHNICAL
    return kind, signal.type or str(kind)


def clinical_is_off(signal: Signal, world: World) -> bool:
    """Whether it would raise a clinical alarm from a source that nobody has answered for yet."""
    source = world.site.sources.get(signal.source)
    begins = signal.event in (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE)
    enabled = source is None or bool(source.clinical_enabled_by)
    return begins and not enabled and kind_of(signal, world)[0] is Kind.CLINICAL


def priority_of(signal: Signal, kind: Kind, type_id: str, world: World) -> Priority:
    """The signal's or the type's priority, whichever is higher, never below the kind's floor."""
    said = signal.priority or RULES[kind].floor
    alarm_type = world.site.types.get(type_id)
    if alarm_type is not None and alarm_type.priority is not None:
        said = max(said, alarm_type.priority, key=PRIORITY_RANK.__getitem__)
    return raised_to_floor(kind, said)


def open_new(event: Raised, world: World, now: int) -> Alarm:
    """The alarm a signal opens, before anybody is told."""
    signal = event.signal
    kind, type_id = kind_when_opened(signal, event.around, world, now)
    place = world.site.places.get(signal.place)
    source = world.site.sources.get(signal.source)
    unit = signal.unit or (place.unit if place else (source.fallback_unit if source else ""))
    room = place.room if place else ""
    priority = priority_of(signal, kind, type_id, world)
    if quiet(signal, kind, type_id):
        policy = built_in_named(QUIET)
    else:
        policy = choose(world.site, kind, type_id, unit, priority)
    rules = RULES[kind]
    return Alarm(
        id=event.alarm_id,
        source=signal.source,
        key=signal.key,
        ref=signal.ref or signal.key,
        kind=kind,
        type=type_id,
        priority=priority,
        place=signal.place,
        unit=unit,
        raised_at=now,
        at=now,
        policy=policy.name,
        policy_version=policy.version,
        room=room,
        text=signal.text,
        source_text=signal.source_text,
        origin=kept_origin(signal),
        callback=signal.callback,
        person=signal.person or (place.person if place else None),
        ends=ends_by(signal, world),
        heard=signal.heard,
        targets=signal.targets,
        flags=_flags(signal, known=place is not None),
        excluded=_inside(event) if kind is Kind.ASSISTANCE else (),
        again=event.around.again,
        return_at=None if policy.return_s is None else now + policy.return_s * S,
        expire_at=None if rules.expire_s is None else now + rules.expire_s * S,
    )


def _flags(signal: Signal, *, known: bool) -> tuple[Flag, ...]:
    if not known and not signal.unit:
        return (Flag.PLACE_UNKNOWN,)
    return (Flag.PLACE_NOT_VERIFIED,) if signal.unverified else ()


def kept_origin(signal: Signal, before: str = "") -> str:
    """The adapter's words of this signal, or those before; too long ones are dropped whole."""
    return signal.origin if 0 < len(signal.origin) <= ORIGIN_LIMIT else before


def _inside(event: Raised) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*event.around.inside, *event.signal.inside)))


def ends_by(signal: Signal, world: World) -> str:
    """Who can end what this signal opens: "staff" where the source never can, else "source"."""
    source = world.site.sources.get(signal.source)
    staff = signal.event is SignalEvent.ONCE or (source is not None and source.ends == "staff")
    return "staff" if staff else "source"


def kind_when_opened(signal: Signal, around: Around, world: World, now: int) -> tuple[Kind, str]:
    """Kind and type of the alarm it opens: a patient call from a room with presence can be assistance."""
    kind, type_id = kind_of(signal, world)
    source = world.site.sources.get(signal.source)
    present = around.presence_since is not None and not presence_stale(around, now)
    if kind is Kind.PATIENT_CALL and present and source is not None and source.assistance_by == "hub":
        return Kind.ASSISTANCE, str(Kind.ASSISTANCE)
    return kind, type_id


def presence_stale(around: Around, now: int) -> bool:
    """There is presence, too old to be believed to be somebody at work."""
    return around.presence_since is not None and now - around.presence_since > PRESENCE_STALE_S * S


def on_opened(draft: Draft, event: Raised) -> None:
    """Say why it is what it is, and ring."""
    alarm, signal = draft.alarm, event.signal
    say(
        draft,
        "raised",
        source=alarm.source,
        kind=str(alarm.kind),
        type=alarm.type,
        place=alarm.place,
        unit=alarm.unit,
        priority=str(alarm.priority),
        policy=alarm.policy,
        policy_version=alarm.policy_version,
        mapped_by=list(signal.mapped_by),
        roster=draft.world.roster.hash,
    )
    if Flag.PLACE_UNKNOWN in alarm.flags:
        say(draft, "place_unknown", place=signal.place, fallback_unit=alarm.unit)
    asked = signal.kind or kind_of(signal, draft.world)[0]
    if asked is not alarm.kind and alarm.kind is Kind.ASSISTANCE:
        say(draft, "call_with_presence_is_assistance", since=event.around.presence_since)
    if signal.priority is not None and PRIORITY_RANK[signal.priority] < PRIORITY_RANK[alarm.priority]:
        say(draft, "raised_to_floor", asked=str(signal.priority), floor=str(alarm.priority))
    units = answering_units(alarm.unit, alarm.place, draft.world)
    if units != (alarm.unit,):
        say(draft, "covered_by", unit=alarm.unit, by=list(units))
    report(draft, ReportStatus.QUEUED)
    _ring_new(draft, event)
    _tell_shift_leader(draft, event.around)


def _ring_new(draft: Draft, event: Raised) -> None:
    around, now = event.around, draft.now
    extra: tuple[str, ...] = ()
    if draft.alarm.kind is Kind.PATIENT_CALL and presence_stale(around, now):
        say(draft, "presence_stale", since=around.presence_since)
        extra = tuple(
            choose(draft.world.site, Kind.ASSISTANCE, "", draft.alarm.unit, Priority.MEDIUM).steps[0].targets
        )
    ended = around.last_ended_at
    if ended is not None and now - ended <= AGAIN_WITHIN_S * S and not extra:
        targets = _again_targets(draft, around)
        say(draft, "rings_again_after_reset", times=around.again + 1, last_attended=around.last_attended)
        if targets:
            change(draft, targets=targets)
    start(draft, extra)


def _again_targets(draft: Draft, around: Around) -> tuple[str, ...]:
    """Who attended last, and one more (ward.md, "Repeats and worsening")."""
    alarm, world = draft.alarm, draft.world
    last = around.last_attended
    duties: tuple[OnDuty, ...] = world.roster.by_staff.get(last, ()) if last else ()
    if last is None or not duties or alarm.targets or alarm.kind is not Kind.PATIENT_CALL:
        return ()
    team = resolve(("care_team", "unit"), alarm, world).people
    more = next((c.staff for c in team if c.staff != last), None)
    return (f"staff:{last}",) if more is None else (f"staff:{last}", f"staff:{more}")


def _tell_shift_leader(draft: Draft, around: Around) -> None:
    alarm = draft.alarm
    if alarm.kind in (Kind.ASSAULT, Kind.DRILL):
        # A notice from there could light the victim's phone; and a drill is no news.
        return
    if around.starts_last_hour + 1 == MANY_IN_HOUR and alarm.source != HUB_SOURCE:
        say(draft, "many_in_an_hour", times=MANY_IN_HOUR)
        _notice(draft, f"many:{alarm.place}:{alarm.kind}:{alarm.raised_at // 3_600_000}", "many_calls")
    untouched = sorted(t.staff for t in alarm.told if t.staff in draft.world.untouched)
    if alarm.source != HUB_SOURCE:
        for staff in untouched:
            _notice(draft, f"untouched:{staff}", "untouched_phone", staff)


def _notice(draft: Draft, key: str, notice: str, text: str = "") -> None:
    """Ask the shift leader to look at something: a request of the hub's own, answered like any other."""
    alarm = draft.alarm
    draft.effects.append(
        Raise(
            Signal(
                source=HUB_SOURCE,
                event=SignalEvent.ONCE,
                key=key,
                ref=key,
                place=alarm.place,
                kind=Kind.REQUEST,
                type=notice,
                text=text,
                unit=alarm.unit,
                targets=("shift_leader",),
            )
        )
    )


def on_repeated(draft: Draft, event: Raised) -> None:
    """A start of an open alarm raises the count; only a rise of kind or priority rings anybody new."""
    alarm = draft.alarm
    change(draft, count=alarm.count + 1)
    _keep_words(draft, replace(event.signal, source_text=""))
    unflag(draft, Flag.UNCONFIRMED)
    say(draft, "repeated", count=draft.alarm.count)
    name_person(draft, event.signal)
    worsen(draft, event.signal)
    if Flag.RESET_SEEN in alarm.flags or Flag.SAFE_SAID in alarm.flags:
        _pressed_again(draft)


def _pressed_again(draft: Draft) -> None:
    """An assault was half ended: whoever came for the last press cannot vouch for this one."""
    unflag(draft, Flag.RESET_SEEN, Flag.SAFE_SAID)
    if draft.alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
        change(draft, acceptances=())
        ring_again(draft, step=0, because="pressed_again", afresh=True)


def on_updated(draft: Draft, event: Updated) -> None:
    """New words, and perhaps worse."""
    signal = event.signal
    say(draft, "updated")
    unflag(draft, Flag.UNCONFIRMED)
    change(
        draft,
        text=signal.text or draft.alarm.text,
        callback=signal.callback or draft.alarm.callback,
    )
    _keep_words(draft, signal)
    name_person(draft, signal)
    worsen(draft, signal)


def _keep_words(draft: Draft, signal: Signal) -> None:
    """What the path of this signal says now: reports give each path its own words back."""
    alarm = draft.alarm
    if signal.source == alarm.source:
        change(
            draft,
            source_text=signal.source_text or alarm.source_text,
            origin=kept_origin(signal, alarm.origin),
        )
        return
    paths = tuple(
        replace(
            path,
            source_text=signal.source_text or path.source_text,
            origin=kept_origin(signal, path.origin),
        )
        if path.source == signal.source
        else path
        for path in alarm.paths
    )
    change(draft, paths=paths)


def name_person(draft: Draft, signal: Signal) -> None:
    """Who carries the button may become known only later."""
    if signal.person is not None and draft.alarm.person is None:
        change(draft, person=signal.person)
        _spare_victim(draft)


def _spare_victim(draft: Draft) -> None:
    """The victim's phone neither sounds nor lights (ward.md, never possible 8)."""
    alarm = draft.alarm
    if alarm.kind is Kind.ASSAULT and any(t.staff == alarm.person for t in alarm.told):
        change(
            draft,
            told=tuple(t for t in alarm.told if t.staff != alarm.person),
            acceptances=tuple(a for a in alarm.acceptances if a.staff != alarm.person),
        )


def worsen(draft: Draft, signal: Signal) -> None:
    """A rise of kind or priority rings afresh. The kind never falls; the priority of one path may."""
    alarm, world = draft.alarm, draft.world
    kind, type_id = alarm.kind, alarm.type
    if signal.kind is not None or signal.type is not None:
        said, said_type = kind_of(signal, world)
        if KIND_URGENCY[said] > KIND_URGENCY[kind]:
            kind, type_id = said, said_type
        elif said is not kind:
            say(draft, "kind_not_lowered", asked=str(said), kind=str(kind))
    priority = alarm.priority
    if signal.priority is not None or kind is not alarm.kind:
        priority = priority_of(signal, kind, type_id, world)
        lower = PRIORITY_RANK[priority] < PRIORITY_RANK[alarm.priority]
        if lower and (alarm.paths or signal.priority is None):
            # Another path may still say the higher one, or nobody said a lower one.
            priority = alarm.priority
            if signal.priority is not None:
                say(draft, "priority_not_lowered", asked=str(signal.priority), priority=str(priority))
    rose = kind is not alarm.kind or PRIORITY_RANK[priority] > PRIORITY_RANK[alarm.priority]
    if not rose:
        if priority is not alarm.priority:
            say(draft, "priority_fell", asked=str(signal.priority), priority=str(priority))
            change(draft, priority=priority)
        return
    _repin(draft, kind, type_id, priority)


def _repin(draft: Draft, kind: Kind, type_id: str, priority: Priority) -> None:
    """Worse than before: pin the policy of what it is now and ring from its first step."""
    alarm = draft.alarm
    policy = choose(draft.world.site, kind, type_id, alarm.unit, priority)
    inside: tuple[str, ...] = ()
    if kind is Kind.ASSISTANCE:
        inside = tuple(a.staff for a in alarm.acceptances if a.arrived_at is not None)
    say(
        draft,
        "worse",
        kind=str(kind),
        was=str(alarm.kind),
        priority=str(priority),
        was_priority=str(alarm.priority),
        policy=policy.name,
        policy_version=policy.version,
    )
    expire_s = RULES[kind].expire_s
    unflag(draft, Flag.LAST_RESORT, Flag.PRESENCE)
    change(
        draft,
        told=tuple(t for t in alarm.told if t.staff not in inside),
        kind=kind,
        type=type_id,
        priority=priority,
        policy=policy.name,
        policy_version=policy.version,
        acceptances=(),
        targets=(),
        step=0,
        last_resort_rings=0,
        excluded=inside,
        told_back=(),
        return_at=None if policy.return_s is None else draft.now + policy.return_s * S,
        expire_at=None if expire_s is None else draft.now + expire_s * S,
    )
    _spare_victim(draft)
    ring_again(draft, step=0, because="worse")
