"""One-way pagers: who is paged, with which words, and when a page is taken back.

A person who carries a pager and has no phone that answers is paged once for each turn that rings her. A pager
cannot confirm, which is not the same as unreachable (ward.md): she is waited for like anybody. What was paged
is taken back when the alarm ends or no longer concerns her, as phones are told `gone`. This module refuses to
choose whom an alarm rings.
"""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Told, concerned
from alarmhub.core.draft import Draft, change
from alarmhub.core.effects import Page
from alarmhub.core.wording import kind_label, type_label


def page(draft: Draft, told: Told) -> None:
    """Page her in this turn, if she has a pager and this decision has not paged her already."""
    person = draft.world.site.staff.get(told.staff)
    if person is None or person.pager is None:
        return
    if draft.alarm.drill and not draft.alarm.heard:
        return  # a silent trial sounds on no phone, and a pager can only sound
    if any(isinstance(e, Page) and e.staff == told.staff for e in draft.effects):
        return
    draft.effects.append(_words(draft, draft.alarm, told.staff, person.pager))
    change(
        draft,
        told=tuple(replace(t, paged=person.pager) if t.staff == told.staff else t for t in draft.alarm.told),
    )


def take_back_pages(before: Alarm, draft: Draft) -> None:
    """Whoever was paged and is not concerned any more."""
    if not any(told.paged for told in before.told):
        return
    still = concerned(draft.alarm)
    for told in before.told:
        if told.paged and told.staff not in still:
            draft.effects.append(replace(_words(draft, before, told.staff, told.paged), ends=True))


def _words(draft: Draft, alarm: Alarm, staff: str, pager: str) -> Page:
    site = draft.world.site
    place, unit = site.places.get(alarm.place), site.units.get(alarm.unit)
    named = alarm.type in site.types
    label = type_label(alarm.type, site.language, site) if named else kind_label(alarm.kind, site.language)
    return Page(
        staff,
        pager,
        alarm.id,
        label=label,
        place=place.label if place is not None else "",
        unit=unit.name if unit is not None else alarm.unit,
        priority=str(alarm.priority),
        drill=alarm.drill,
    )
