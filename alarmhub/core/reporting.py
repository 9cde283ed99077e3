"""What the source of an alarm is told, and of whom (`core.site.Reports`).

`accepted` is said once the kind's accept rule is satisfied, for each who has accepted by then and each who
does later: never for mere delivery, nor for a part of a team (ward.md, never possible 9).

A *turn of responsibility* is a time in which nobody has the alarm. It begins when it is raised, when it
gets worse, and when it is given back after the source has heard "accepted" (released, not attended, acceptor
lost). It ends when the accept rule is satisfied, and with the alarm. In each turn responsibility is returned
to the source at most once by each of two words: "unanswered" when `return_after` has passed and nobody has
accepted, "absent" when the last resort rings and nobody can be reached. The policy's steps and the last
resort's repeats begin no such turn; a part of a team that comes and goes begins none either, the source heard
nothing of it. Who accepts later takes it back: "accepted".

This module refuses to decide when something is worth telling.
"""

from __future__ import annotations

from alarmhub.core.alarm import Acceptance, Flag
from alarmhub.core.draft import Draft, change, flag, say, unflag
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.site import Reports


def hears(draft: Draft) -> Reports:
    """How much the alarm's source is told; nothing, when the site does not know it."""
    source = draft.world.site.sources.get(draft.alarm.source)
    return Reports.NONE if source is None else source.hears


def report(draft: Draft, status: ReportStatus) -> None:
    """Tell the source what became of the alarm as a whole, if it takes reports."""
    if hears(draft) is not Reports.NONE:
        _tell(draft, status)


def report_rang(draft: Draft, staff: str) -> None:
    """A phone rang: of each person once a turn, or of the first one only."""
    first = not draft.alarm.paged
    if first:
        change(draft, paged=True)
    if hears(draft) is Reports.EACH:
        _tell(draft, ReportStatus.PAGED, staff)
    elif first:
        report(draft, ReportStatus.PAGED)


def report_of(draft: Draft, status: ReportStatus, staff: str) -> None:
    """Read or rejected: news of one person, for sources that hear of each."""
    if hears(draft) is Reports.EACH:
        _tell(draft, status, staff)


def report_accepted(draft: Draft, taking: tuple[Acceptance, ...], *, first: bool) -> None:
    """It is taken by these. `first`: it was not before."""
    if hears(draft) is Reports.EACH:
        for acceptance in taking:
            _tell(draft, ReportStatus.ACCEPTED, acceptance.staff, acceptance.role)
    elif first:
        report(draft, ReportStatus.ACCEPTED)


def return_once(draft: Draft, status: ReportStatus) -> bool:
    """Return responsibility: the source is told `absent` or `unanswered`, unless it was in this turn."""
    before = draft.alarm.told_back
    if status in before:
        return False
    change(draft, told_back=(*before, str(status)))
    flag(draft, Flag.RETURNED)
    report(draft, status)
    return True


def take_back(draft: Draft) -> None:
    """Somebody has it: the turn is over. Telling the source "accepted" is the caller's."""
    unflag(draft, Flag.UNANSWERED, Flag.NOT_ATTENDED)
    change(draft, told_back=())
    if Flag.RETURNED in draft.alarm.flags:
        unflag(draft, Flag.RETURNED)
        say(draft, "responsibility_taken_back")


def _tell(draft: Draft, status: ReportStatus, staff: str = "", role: str = "") -> None:
    alarm, world = draft.alarm, draft.world
    person = world.site.staff.get(staff)
    duties = world.roster.by_staff.get(staff, ())
    draft.effects.append(
        Report(
            alarm.source,
            status,
            alarm.ref,
            alarm.source_text,
            key=alarm.key,
            origin=alarm.origin,
            staff=staff,
            name=person.name if person is not None else "",
            role=role or next((r for duty in duties for r in duty.roles), ""),
            at=draft.now,
        )
    )
