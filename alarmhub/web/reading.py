"""Reading alarms for a caller: what a source, a person or an api token may see, and pages of it.

It refuses to widen: a filter narrows what the caller may see, and what it may not see does not exist for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from multidict import MultiMapping

from alarmhub.core.alarm import Alarm, Phase, told_of
from alarmhub.ports import Desk, Store, Token
from alarmhub.web.auth import forbidden
from alarmhub.web.problems import NO_NUL, Failed, invalid
from alarmhub.web.routes import PHONE, SOURCE
from alarmhub.web.views import language_of, shown, timeline
from alarmhub.web.wire import ID_CHARS, AlarmDetail, AlarmPage

PAGE: Final = 50
LONGEST_PAGE: Final = 200
UNITS_AT_ONCE: Final = 100
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def no_such_alarm() -> Failed:
    """404, also for what the caller may not see."""
    return Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such alarm")


async def page(
    store: Store, desk: Desk, caller: Token, query: MultiMapping[str], accept_language: str
) -> AlarmPage:
    """GET /api/v1/alarms. Raises Failed (400, 403) and StoreUnavailable."""
    limit = _limit(query.get("limit"))
    site = desk.world().site
    found = await store.alarms(
        phase=_phase(query.get("phase")),
        units=_units(desk, caller, query.getall("unit", [])),
        source=caller.subject if caller.kind == SOURCE else None,
        limit=limit + 1,
        after=_after(query.get("after")),
    )
    kept = found[:limit]
    language = language_of(accept_language, site)
    return AlarmPage(
        alarms=tuple(shown(alarm, site, language) for alarm in kept),
        next=kept[-1].id if len(found) > limit else None,
    )


async def one(store: Store, desk: Desk, caller: Token, id: str, accept_language: str) -> AlarmDetail:
    """GET /api/v1/alarms/{id}. Raises Failed (404) and StoreUnavailable."""
    found = await store.alarm(id)
    if found is None or not _may_see(desk, caller, found[0]):
        raise no_such_alarm()
    alarm, entries = found
    site = desk.world().site
    language = language_of(accept_language, site)
    return AlarmDetail(alarm=shown(alarm, site, language), timeline=timeline(entries, site, language))


def units_of(desk: Desk, staff: str) -> frozenset[str]:
    """A person's units: those the phone belongs to, and those where the person is on duty now."""
    world = desk.world()
    person = world.site.staff.get(staff)
    belongs = () if person is None else person.units
    return frozenset(belongs) | {duty.unit for duty in world.roster.by_staff.get(staff, ())}


def _may_see(desk: Desk, caller: Token, alarm: Alarm) -> bool:
    if caller.kind == SOURCE:
        return alarm.source == caller.subject
    if caller.kind == PHONE:
        return alarm.unit in units_of(desk, caller.subject) or told_of(alarm, caller.subject) is not None
    return True


def unit_asked(query: MultiMapping[str]) -> str:
    """The unit a query names, "" for none. Raises Failed (400)."""
    unit = query.get("unit")
    if unit is None:
        return ""
    _check_unit(unit)
    return unit


def _check_unit(unit: str) -> None:
    if not 0 < len(unit) <= ID_CHARS:
        raise invalid("unit", f"text of 1 to {ID_CHARS} characters")
    if "\x00" in unit:
        raise invalid("unit", NO_NUL)


def _units(desk: Desk, caller: Token, asked: Sequence[str]) -> list[str] | None:
    """Which units to look in; None for all."""
    if len(asked) > UNITS_AT_ONCE:
        raise invalid("unit", f"at most {UNITS_AT_ONCE} units")
    for unit in asked:
        _check_unit(unit)
    if caller.kind != PHONE:
        return list(asked) or None
    own = units_of(desk, caller.subject)
    if not own.issuperset(asked):
        raise forbidden("this person does not belong to that unit", field="unit")
    return list(asked) or sorted(own)


def _phase(text: str | None) -> str | None:
    if text is not None and text not in set(Phase):
        raise invalid("phase", "one of " + ", ".join(Phase))
    return text


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= LONGEST_PAGE):
        raise invalid("limit", f"a whole number from 1 to {LONGEST_PAGE}")
    return int(text)


def _after(text: str | None) -> str | None:
    if text is not None and not UUID.match(text):
        raise invalid("after", "the id of the last alarm of the page before")
    return text
