"""Reports as statuses: what is said to whom, and what stays the same when it is said again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound.hl7_status import ALARMS_REMEMBERED, SPOKEN, UNSENT_REMEMBERED, Statuses, Told
from alarmhub.inbound.hl7_words import Origin
from protocols.hl7 import Message, read
from protocols.pcd05 import Status, StatusRead, read_status
from tests.support.hl7_line import LINE

ORIGIN = Origin(
    message="A1",
    sender=("GW^1^EUI-64", "H"),
    receiver=("HUB", "H2"),
    entity=("7", "GW", "1", "EUI-64"),
    service=("196616", "MDC_EVT_ALARM", "MDC"),
    location=("201", "12", "2", "", "", ""),
)
NOW = 1_790_000_000_000


def report(status: ReportStatus, staff: str = "", **origin: Any) -> Report:
    """A report about the alert of ORIGIN."""
    text = msgspec.json.encode(replace(ORIGIN, **origin)).decode()
    return Report("plant", status, "7", origin=text, staff=staff, name="Anna Lind" if staff else "")


def said(told: Told | None, control_id: str = "S1") -> StatusRead:
    """The one status it says."""
    assert told is not None
    message = read(told.message(control_id, NOW))
    assert isinstance(message, Message)
    (one,) = read_status(message)
    return one


def test_every_report_has_its_word() -> None:
    """None is forgotten, and every word the profile requires is used."""
    assert set(SPOKEN) == set(ReportStatus)
    assert set(SPOKEN.values()) == set(Status)


def test_the_first_status_of_a_person_adds_and_the_next_update() -> None:
    """TF-2 B.10; always AD where the line says so (CP153)."""
    statuses = Statuses(LINE)
    seen = []
    for status in (ReportStatus.PAGED, ReportStatus.READ):
        for staff in ("anna", "bo"):
            one = report(status, staff)
            seen.append(said(statuses.status(one, "a", NOW)).action)
            statuses.sent(one, "a")
    assert seen == ["AD", "AD", "UP", "UP"]
    assert said(statuses.status(report(ReportStatus.READ, "anna"), "another", NOW)).action == "AD"
    always = Statuses(replace(LINE, status_action="ad"))
    always.sent(report(ReportStatus.PAGED, "anna"), "a")
    assert said(always.status(report(ReportStatus.READ, "anna"), "a", NOW)).action == "AD"


def test_a_status_that_was_not_taken_is_the_same_status_again() -> None:
    """Same OBR-3 and time, other control id (CP157); once taken, the next of its kind is another."""
    statuses = Statuses(LINE)
    one = report(ReportStatus.UNANSWERED)
    first, again = statuses.status(one, "a", NOW), statuses.status(one, "a", NOW + 60_000)
    assert first is not None and again is not None
    assert first.report == again.report
    assert (said(first, "S1").control_id, said(again, "S2").control_id) == ("S1", "S2")
    statuses.sent(one, "a")
    assert said(statuses.status(one, "a", NOW + 90_000)).own != said(first).own


def test_only_what_the_reporter_wants_is_said() -> None:
    """CP150, CP154; what another protocol opened is nothing to say here."""
    statuses = Statuses(replace(LINE, status_asked_only=True))
    queued = ReportStatus.QUEUED
    assert statuses.status(report(queued), "a", NOW) is None
    assert statuses.status(report(queued, asked=True), "a", NOW) is not None
    assert statuses.status(report(queued, asked=True, wants=()), "a", NOW) is None
    assert statuses.status(report(queued, asked=True, wants=("RECEIVED",)), "a", NOW) is not None
    assert statuses.status(Report("plant", queued, "7", origin="x"), "a", NOW) is None


@pytest.mark.parametrize(("application", "me"), [("HUB2^9^EUI-64", "HUB2^9^EUI-64"), ("", "HUB")])
def test_the_hub_has_its_own_name_or_the_one_it_was_addressed_by(application: str, me: str) -> None:
    """MSH-3; and to whom: the reporter."""
    told = Statuses(replace(LINE, application=application)).status(report(ReportStatus.QUEUED), "a", NOW)
    assert told is not None
    assert (told.envelope.me.application, told.envelope.you.application) == (me, "GW^1^EUI-64")
    assert told.sender == "GW^1^EUI-64"


def test_what_is_remembered_is_bounded() -> None:
    """And forgotten with the alarm."""
    statuses = Statuses(LINE)
    for number in range(ALARMS_REMEMBERED + UNSENT_REMEMBERED + 10):
        statuses.status(report(ReportStatus.QUEUED), f"a{number}", NOW)
        statuses.sent(report(ReportStatus.PAGED, "anna"), f"a{number}")
    assert len(statuses._named) <= ALARMS_REMEMBERED
    assert len(statuses._unsent) <= UNSENT_REMEMBERED
    statuses.sent(report(ReportStatus.PAGED, "anna"), "b")
    statuses.sent(report(ReportStatus.ENDED), "b")
    assert "b" not in statuses._named
