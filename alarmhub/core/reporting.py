"""What the sources of an alarm are told, and of whom (`core.site.Reports`).

`accepted` is said once the kind's accept rule is satisfied, for each who has accepted by then and each who
does later: never for mere delivery, nor for a part of a team (ward.md, never possible 9).

A *turn of responsibility* is a time in which nobody has the alarm. It begins when it is raised, when it
gets worse, and when it is given back after the source has heard "accepted" (released, not attended,
acceptor lost). It ends when the accept rule is satisfied, and with the alarm. In each turn responsibility
is returned to the source once, by whichever comes first: "unanswered" when `return_after` has passed and
nobody has accepted, "absent" when the last resort rings and nobody can be reached. Only a source that has
heard since that a phone rang is told the other one too. The policy's steps and the last resort's repeats
begin no turn; a part of a team that comes and goes begins none either, the source heard nothing of it. Who
accepts later takes it back: "accepted".

This module refuses to decide when something is worth telling.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from alarmhub.core.alarm import Acceptance, Flag, Phase
from alarmhub.core.draft import Draft, change, flag, say, unflag
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.site import Reports


class _Ear(Struct, frozen=True):
    """One path's source, how much it is told, and its own words for the alarm."""

    source: str
    hears: Reports
    ref: str
    key: str
    source_text: str
    origin: str


def report(draft: Draft, status: ReportStatus) -> None:
    """Tell each source that takes reports what became of the alarm as a whole."""
    for ear in _ears(draft):
        _tell(draft, ear, status)


def report_rang(draft: Draft, staff: str) -> None:
    """A phone rang: of each person once a turn, or of the first one only."""
    first = not draft.alarm.paged
    if first:
        change(draft, paged=True)
    before = draft.alarm.told_back
    if before and before[-1] != ReportStatus.PAGED:
        change(draft, told_back=(*before, str(ReportStatus.PAGED)))
    for ear in _ears(draft):
        if ear.hears is Reports.EACH:
            _tell(draft, ear, ReportStatus.PAGED, staff)
        elif first:
            _tell(draft, ear, ReportStatus.PAGED)


def report_of(draft: Draft, status: ReportStatus, staff: str) -> None:
    """Read or rejected: news of one person, for sources that hear of each."""
    for ear in _ears(draft):
        if ear.hears is Reports.EACH:
            _tell(draft, ear, status, staff)


def report_accepted(draft: Draft, taking: tuple[Acceptance, ...], *, first: bool) -> None:
    """It is taken by these. `first`: it was not before."""
    for ear in _ears(draft):
        if ear.hears is Reports.EACH:
            for acceptance in taking:
                _tell(draft, ear, ReportStatus.ACCEPTED, acceptance.staff, acceptance.role)
        elif first:
            _tell(draft, ear, ReportStatus.ACCEPTED)


def report_so_far(draft: Draft, source: str) -> None:
    """A path was joined: its source hears what the others know."""
    alarm = draft.alarm
    for ear in _ears(draft):
        if ear.source != source:
            continue
        each = ear.hears is Reports.EACH
        _tell(draft, ear, ReportStatus.QUEUED)
        if each:
            for told in alarm.told:
                if told.reported:
                    _tell(draft, ear, ReportStatus.PAGED, told.staff)
        elif alarm.paged:
            _tell(draft, ear, ReportStatus.PAGED)
        for word in alarm.told_back:
            if word != ReportStatus.PAGED:
                _tell(draft, ear, ReportStatus(word))
        if alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
            takers = alarm.acceptances if each else ()
            for acceptance in takers:
                _tell(draft, ear, ReportStatus.ACCEPTED, acceptance.staff, acceptance.role)
            if not takers:
                _tell(draft, ear, ReportStatus.ACCEPTED)


def return_once(draft: Draft, status: ReportStatus) -> bool:
    """Return responsibility: the source is told `absent` or `unanswered`, unless it was in this turn and has
    heard nothing better since."""
    before = draft.alarm.told_back
    if status in before or (before and before[-1] != ReportStatus.PAGED):
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


def _ears(draft: Draft) -> Iterator[_Ear]:
    """The sources of all paths that take reports."""
    alarm, sources = draft.alarm, draft.world.site.sources
    ways = [(alarm.source, alarm.key, alarm.ref, alarm.source_text, alarm.origin)]
    ways += [(p.source, p.key, p.ref, p.source_text, p.origin) for p in alarm.paths]
    for source, key, ref, source_text, origin in ways:
        known = sources.get(source)
        if known is not None and known.hears is not Reports.NONE:
            yield _Ear(source, known.hears, ref, key, source_text, origin)


def _tell(draft: Draft, ear: _Ear, status: ReportStatus, staff: str = "", role: str = "") -> None:
    world = draft.world
    person = world.site.staff.get(staff)
    duties = world.roster.by_staff.get(staff, ())
    draft.effects.append(
        Report(
            ear.source,
            status,
            ear.ref,
            ear.source_text,
            key=ear.key,
            origin=ear.origin,
            staff=staff,
            name=person.name if person is not None else "",
            role=role or next((r for duty in duties for r in duty.roles), ""),
            at=draft.now,
        )
    )
