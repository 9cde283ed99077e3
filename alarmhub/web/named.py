"""Alarms in hand and the colleagues who could take them on, as problems and answers show them.

It refuses to choose anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from alarmhub.core.site import Site
from alarmhub.core.wording import error_label, type_label
from alarmhub.ports import AnswerOutcome, Desk
from alarmhub.web.problems import Colleague, Failed, InHand


def colleague(staff: str, site: Site) -> Colleague:
    """A person by name."""
    return Colleague(staff=staff, name=site.staff[staff].name if staff in site.staff else staff)


def in_hand(desk: Desk, staff: str, language: str) -> tuple[InHand, ...]:
    """The open alarms this person has taken."""
    held = (a for a in desk.open_alarms() if any(one.staff == staff for one in a.acceptances))
    return shown(desk, (alarm.id for alarm in held), language)


def shown(desk: Desk, alarms: Iterable[str], language: str) -> tuple[InHand, ...]:
    """Open alarms as a person knows them."""
    site = desk.world().site
    found = (desk.open_alarm(id) for id in alarms)
    return tuple(
        InHand(
            alarm=alarm.id,
            place_label=site.places[alarm.place].label if alarm.place in site.places else alarm.place,
            type_label=type_label(alarm.type, language, site),
        )
        for alarm in found
        if alarm is not None
    )


def receiver_needed(desk: Desk, outcome: AnswerOutcome, holder: str, language: str) -> Failed:
    """409: somebody has alarms in hand, and nobody was named who takes them on."""
    site = desk.world().site
    return Failed(
        HTTPStatus.CONFLICT,
        "receiver_needed",
        error_label(outcome.error, language),
        error=outcome.error,
        field="receivers",
        alarms=shown(desk, outcome.alarms, language),
        candidates=tuple(colleague(staff, site) for staff in outcome.candidates),
        holder=colleague(holder, site),
    )
