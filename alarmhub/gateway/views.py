"""What a phone is shown of an alarm, rendered at send time from committed state.

Pure: alarm, person, world and `at` in, frame out. What is equal for everybody told of one version of an
alarm is encoded once (`Views`). It refuses to decide anything: who is told, what may be answered and whether
it rings come from `core`.
"""

from __future__ import annotations

from typing import Final

from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, Told, concerned, told_of
from alarmhub.core.answers import allowed, rings
from alarmhub.core.site import Site
from alarmhub.core.wording import flag_label, kind_label, type_label, why_label
from alarmhub.core.world import World
from alarmhub.engine.notices import is_trial_ring
from protocols.phone import TOLD_NAMES_MAX, AlarmPersonal, AlarmShared, Gone, Why, alarm_payload, encode

CACHED_MAX: Final = 4096

_ENDED_REASONS: Final = {
    "source": "reset",
    "source_and_responder": "reset",
    "staff": "done",
    "team_leader": "done",
    "expired": "expired",
    "real_alarm": "interrupted",
}
"""From `Alarm.ended_by` to the reason a phone is given; anything else is "ended"."""

_GONE: Final = {
    "taken": ("{names} tar den", "{names} takes it"),
    "reset": ("Återställd i rummet", "Reset in the room"),
    "done": ("Klar", "Done"),
    "expired": ("Tiden gick ut", "Its time ran out"),
    "interrupted": ("Avbruten av ett riktigt larm", "Interrupted by a real alarm"),
    "ended": ("Avslutad", "Ended"),
    "declined": ("Du har svarat att du inte kan", "You said that you cannot"),
    "released": ("Du har lämnat tillbaka den", "You gave it back"),
    "passed_on": ("Har gått vidare till andra", "Passed on to others"),
}
"""What the reasons of `gone` say, in Swedish and English."""


def shared(alarm: Alarm, site: Site) -> AlarmShared:
    """The part of the frame that is equal for everybody told."""
    place = site.places.get(alarm.place)
    unit = site.units.get(alarm.unit)
    told = concerned(alarm)
    return AlarmShared(
        rev=alarm.rev,
        id=alarm.id,
        phase=alarm.phase,
        flags=alarm.flags,
        kind=alarm.kind,
        alarm_type=alarm.type,
        kind_label=_capital(kind_label(alarm.kind, site.language)),
        type_label=_capital(type_label(alarm.type, site.language, site)),
        priority=alarm.priority,
        place=alarm.place,
        place_label=place.label if place is not None else alarm.place,
        text=alarm.text,
        source_text=alarm.source_text,
        count=alarm.count,
        raised_at=alarm.raised_at,
        accepted_by=tuple(_name(a, site) for a in alarm.acceptances),
        next_step_at=next_step_at(alarm),
        callback=alarm.callback,
        drill=alarm.drill,
        unit=alarm.unit,
        unit_label=unit.name if unit is not None else alarm.unit,
        sound=_sound(alarm, site),
        told_names=tuple(_person(one, site) for one in told[:TOLD_NAMES_MAX]),
        told_more=max(0, len(told) - TOLD_NAMES_MAX),
    )


def personal(alarm: Alarm, staff: str, world: World, at: int) -> AlarmPersonal:
    """The part of the frame that is one person's. `at`: the hub's clock when it is sent."""
    told = told_of(alarm, staff)
    return AlarmPersonal(
        why=_why(alarm, told, world.site),
        can=allowed(alarm, staff, world),
        you=_you(alarm, staff, told),
        rings=rings(alarm, staff),
        turn=told.turn if told is not None else alarm.turn,
        at=at,
        hearing=is_trial_ring(alarm, staff),
    )


def bare(alarm: Alarm, staff: str, at: int) -> tuple[AlarmShared, AlarmPersonal]:
    """The least a phone must be shown when rendering fails: that it rings, where, and a way to take it."""
    told = told_of(alarm, staff)
    common = AlarmShared(
        rev=alarm.rev,
        id=alarm.id,
        phase=alarm.phase,
        flags=alarm.flags,
        kind=alarm.kind,
        kind_label=alarm.kind,
        alarm_type=alarm.type,
        type_label=alarm.type,
        priority=alarm.priority,
        place=alarm.place,
        place_label=alarm.place,
        text=alarm.text,
        source_text=alarm.source_text,
        count=alarm.count,
        raised_at=alarm.raised_at,
        accepted_by=(),
        next_step_at=None,
        callback=alarm.callback,
        drill=alarm.drill,
        unit=alarm.unit,
        unit_label=alarm.unit,
    )
    own = AlarmPersonal(
        why=(), can=("accept",), you="told", rings=told is not None and told.rings, turn=alarm.turn, at=at
    )
    return common, own


def gone(alarm: Alarm, staff: str, site: Site, at: int) -> Gone:
    """Why this person is no longer told. Taken by others, ended, or the person's own answer."""
    reason = _gone_reason(alarm, staff)
    names = ", ".join(_name(a, site) for a in alarm.acceptances)
    text = _GONE[reason][0 if site.language == "sv" else 1].format(names=names)
    return Gone(id=alarm.id, rev=alarm.rev, reason=reason, at=at, text=text)


def next_step_at(alarm: Alarm) -> int | None:
    """When the hub does something next if nobody answers, or nobody arrives. None: nothing is planned."""
    match alarm.phase:
        case Phase.RINGING | Phase.PARTLY_ACCEPTED:
            return alarm.answer_at if alarm.answer_at is not None else alarm.reach_at
        case Phase.ACCEPTED:
            later = alarm.remind_at if alarm.remind_at is not None else alarm.lapse_at
            return later if alarm.confirm_at is None else alarm.confirm_at
        case _:
            return alarm.again_at


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]


def _sound(alarm: Alarm, site: Site) -> str:
    alarm_type = site.types.get(alarm.type)
    return alarm_type.sound if alarm_type is not None else ""


def _name(acceptance: Acceptance, site: Site) -> str:
    return _person(acceptance.staff, site)


def _person(staff: str, site: Site) -> str:
    person = site.staff.get(staff)
    return person.name if person is not None else staff


def _why(alarm: Alarm, told: Told | None, site: Site) -> tuple[Why, ...]:
    language = site.language
    reasons = [] if told is None else [Why(told.why, why_label(told.why, language, site))]
    if Flag.LAST_RESORT in alarm.flags:
        reasons.append(Why("last_resort", flag_label(Flag.LAST_RESORT, language)))
    if alarm.again:
        text = "ringer igen, gång {}" if language == "sv" else "rings again, time {}"
        reasons.append(Why("again", text.format(alarm.again + 1)))
    return tuple(reasons)


def _you(alarm: Alarm, staff: str, told: Told | None) -> str:
    for acceptance in alarm.acceptances:
        if acceptance.staff == staff and acceptance.confirmed:
            return "accepted" if acceptance.arrived_at is None else "arrived"
    if told is not None and told.answer == "holding":
        return "holding"
    return "noted" if staff in alarm.noted else "told"


def _gone_reason(alarm: Alarm, staff: str) -> str:
    if not alarm.open:
        return _ENDED_REASONS.get(alarm.ended_by, "ended")
    told = told_of(alarm, staff)
    if told is not None and told.answer in ("declined", "released"):
        return told.answer
    return "taken" if alarm.acceptances else "passed_on"


class Views:
    """Renders frames; remembers the shared part of each alarm's newest version.

    By the very value it was made of: of two decisions of the same version only one was committed."""

    def __init__(self) -> None:
        self._cache: dict[str, tuple[Alarm, int, bytes]] = {}

    def alarm(self, alarm: Alarm, staff: str, world: World, at: int) -> bytes:
        """The payload of an `alarm` frame for one person."""
        return alarm_payload(self._shared(alarm, world.site), personal(alarm, staff, world, at))

    def prepare(self, alarm: Alarm, site: Site) -> None:
        """What is about to be shown: render now what everybody will share of it."""
        self._shared(alarm, site)

    def forget(self, alarm: str) -> None:
        """The alarm has ended."""
        self._cache.pop(alarm, None)

    def _shared(self, alarm: Alarm, site: Site) -> bytes:
        cached = self._cache.get(alarm.id)
        if cached is not None and cached[0] is alarm and cached[1] == site.version:
            return cached[2]
        payload = encode(shared(alarm, site))
        if len(self._cache) >= CACHED_MAX:
            self._cache.clear()
        self._cache[alarm.id] = (alarm, site.version, payload)
        return payload
