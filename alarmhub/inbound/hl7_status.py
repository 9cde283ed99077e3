"""What an IHE reporter is told of its alert: the hub's reports as PCD-05 statuses (TF-2 3.5, CP150/153/154).

A status that failed is sent again as the same status: same OBR-3, same time, a new MSH-7 and MSH-10 (CP157).
It refuses to send anything (`inbound.hl7` does), and to name a person where the site does not let the source
hear of each.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.inbound.hl7_words import Origin, entity_of, location_of, origin_of
from protocols.hl7 import composed
from protocols.hl7_ack import Party
from protocols.pcd04 import Code, Entity
from protocols.pcd05 import Envelope, Recipient, Status, StatusReport, build_status

SPOKEN: Final[dict[ReportStatus, Status]] = {
    ReportStatus.QUEUED: Status.RECEIVED,
    ReportStatus.PAGED: Status.DELIVERED,
    ReportStatus.READ: Status.READ,
    ReportStatus.ACCEPTED: Status.ACCEPTED,
    ReportStatus.REJECTED: Status.REJECTED,
    # Return of responsibility; ACCEPTED takes it back.
    ReportStatus.ABSENT: Status.UNDELIVERABLE,
    ReportStatus.UNANSWERED: Status.UNDELIVERABLE,
    ReportStatus.ENDED: Status.COMPLETED,
}
ALARMS_REMEMBERED: Final = 4_096
UNSENT_REMEMBERED: Final = 1_024


class Told(Struct, frozen=True):
    """A status ready to go; `sender`: MSH-3 of the reporter it is for."""

    report: StatusReport
    envelope: Envelope
    sender: str

    def message(self, control_id: str, at: int) -> bytes:
        """Its bytes, under a control id and time of their own."""
        return build_status(self.report, self.envelope, control_id=control_id, at=at)


class Statuses:
    """Turns reports into statuses and remembers who has been named before and what has not been taken yet."""

    def __init__(self, line: Hl7Link) -> None:
        self._line = line
        self._named: dict[str, set[str]] = {}
        self._unsent: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._number = 0

    def status(self, report: Report, alarm: str, now: int) -> Told | None:
        """What to send; None when there is nothing to say to this reporter about this."""
        origin = origin_of(report.origin)
        spoken = SPOKEN.get(report.status)
        if origin is None or spoken is None or not self._wanted(spoken, origin):
            return None
        own, at = self._own(report, alarm, now)
        return Told(
            StatusReport(
                status=spoken,
                own=Entity(own, *self._name()),
                alert=entity_of(origin),
                answers=origin.message,
                at=at,
                service=Code(*origin.service),
                action=self._action(alarm, report.staff),
                recipient=Recipient(report.staff, report.name, report.role),
                location=location_of(origin),
            ),
            Envelope(
                me=self._me(origin),
                you=Party(*origin.sender),
                structure=self._line.status_message,
                version=self._line.status_version,
                msa=self._line.status_msa,
            ),
            origin.sender[0],
        )

    def sent(self, report: Report, alarm: str) -> None:
        """It was taken: the same status again will be another one."""
        self._unsent.pop((alarm, report.status, report.staff), None)
        named = self._named.setdefault(alarm, set())
        named.add(report.staff)
        if report.status is ReportStatus.ENDED:
            del self._named[alarm]
        elif len(self._named) > ALARMS_REMEMBERED:
            del self._named[next(iter(self._named))]

    def _wanted(self, status: Status, origin: Origin) -> bool:
        if self._line.status_asked_only and not origin.asked:
            return False
        return origin.wants is None or status in origin.wants

    def _own(self, report: Report, alarm: str, now: int) -> tuple[str, int]:
        """The id and time of this status, those of its first try when that failed."""
        what = (alarm, str(report.status), report.staff)
        if what not in self._unsent:
            self._number += 1
            self._unsent[what] = (f"{now:x}-{self._number}", now)
            if len(self._unsent) > UNSENT_REMEMBERED:
                del self._unsent[next(iter(self._unsent))]
        return self._unsent[what]

    def _action(self, alarm: str, staff: str) -> str:
        if self._line.status_action == "ad":
            return "AD"
        return "UP" if staff in self._named.get(alarm, ()) else "AD"

    def _name(self) -> tuple[str, str, str]:
        """Namespace, id and type of the hub, for ids of its own."""
        parts = [*self._line.application.split("^"), "", "", ""]
        return parts[0] or "ALARMHUB", parts[1], parts[2]

    def _me(self, origin: Origin) -> Party:
        written = composed(*self._line.application.split("^"))
        return Party(
            written or origin.receiver[0] or "ALARMHUB", composed(self._line.facility) or origin.receiver[1]
        )
