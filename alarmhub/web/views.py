"""What callers are shown of an alarm, built from the committed value and the site's names.

It refuses to decide: every field is read, none is computed by a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.core.reasons import Reason
from alarmhub.core.site import Site
from alarmhub.core.wording import plain, type_label
from alarmhub.ports import SourceStatus, TimelineEntry
from alarmhub.web.wire import AcceptedBy, AlarmOut, ReasonOut, SourceOut, TimelineOut, moment

LANGUAGES: Final = ("sv", "en")


def language_of(accept: str, site: Site) -> str:
    """The caller's first language that we speak (Accept-Language, in its order), else the site's."""
    for part in accept.split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return site.language


def source_shown(status: SourceStatus, site: Site) -> SourceOut:
    """One source's way in for a caller."""
    known = site.sources.get(status.source)
    return SourceOut(
        source=status.source,
        name=status.source if known is None else known.name,
        protocol=status.protocol,
        up=status.up,
        connected=status.connected,
        peer=status.peer,
        last_signal_at=moment(status.last_signal_at) if status.last_signal_at else None,
        last_answer=status.last_answer,
        last_answer_at=moment(status.last_answer_at) if status.last_answer_at else None,
        refused=status.refused,
        last_refusal=status.last_refusal,
        last_refusal_at=moment(status.last_refusal_at) if status.last_refusal_at else None,
    )


def shown(alarm: Alarm, site: Site, language: str) -> AlarmOut:
    """One alarm for a caller."""
    place = site.places.get(alarm.place)
    ringing = alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED)
    return AlarmOut(
        id=alarm.id,
        rev=alarm.rev,
        phase=alarm.phase,
        flags=alarm.flags,
        kind=alarm.kind,
        type=alarm.type,
        type_label=type_label(alarm.type, language, site),
        priority=alarm.priority,
        place=alarm.place,
        place_label=alarm.place if place is None else place.label,
        unit=alarm.unit,
        source=alarm.source,
        ref=alarm.ref,
        text=alarm.text,
        source_text=alarm.source_text,
        count=alarm.count,
        drill=alarm.drill,
        raised_at=moment(alarm.raised_at),
        at=moment(alarm.at),
        accepted_by=tuple(_acceptors(alarm, site)),
        ended_by=alarm.ended_by,
        next_step_at=moment(alarm.answer_at) if ringing and alarm.answer_at is not None else None,
        callback=alarm.callback,
    )


def _acceptors(alarm: Alarm, site: Site) -> list[AcceptedBy]:
    people = []
    for taken in alarm.acceptances:
        staff = site.staff.get(taken.staff)
        people.append(
            AcceptedBy(
                staff=taken.staff,
                name=taken.staff if staff is None else staff.name,
                at=moment(taken.at),
                role=taken.role,
                arrived_at=None if taken.arrived_at is None else moment(taken.arrived_at),
            )
        )
    return people


def timeline(entries: Sequence[TimelineEntry], site: Site, language: str) -> tuple[TimelineOut, ...]:
    """The stored decisions in order, each reason with its facts and in plain words."""
    return tuple(
        TimelineOut(
            version=entry.version,
            at=moment(entry.at),
            received_at=moment(entry.received_at),
            type=entry.type,
            phase=entry.phase,
            reasons=tuple(_reason(reason, site, language) for reason in _reasons(entry)),
        )
        for entry in entries
    )


def _reasons(entry: TimelineEntry) -> list[Reason]:
    return msgspec.convert(entry.reasons or [], list[Reason])


def _reason(reason: Reason, site: Site, language: str) -> ReasonOut:
    return ReasonOut(code=reason.code, facts=reason.facts, text=plain(reason, language, site))
