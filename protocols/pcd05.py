"""IHE PCD-05 Report Alert Status: built for the reporter, and read back (simulators, tests).

One message tells one status of one alert for one recipient, or for nobody in particular (TF-2 3.5, B.10;
CP-PCD-150/151/153). It refuses to carry PID: CP150 leaves it optional, and the reporter knows its patient.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from protocols.hl7 import Message, composed, escaped, segment, subcomponents, utc_text, written
from protocols.hl7_ack import Party
from protocols.pcd04 import Code, Entity, Location, entity

PROFILE: Final = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.5.1^ISO"
STRUCTURES: Final = ("ORA^R41^ORA_R41", "ORU^R41^ORU_R41")
"""MSH-9: as TF-2 3.5 says, and as its appendix B.1 does."""


class Status(StrEnum):
    """PRT-3.2 of what the hub sends (TF-2 table B.10.2-2)."""

    RECEIVED = "RECEIVED"
    UNDELIVERABLE = "UNDELIVERABLE"
    DELIVERED = "DELIVERED"
    READ = "READ"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    COMPLETED = "COMPLETED"


class Recipient(Struct, frozen=True):
    """Whom a status is about: id, name, role (code and words), device. All may be empty."""

    id: str = ""
    name: str = ""
    role: str = ""
    device: str = ""


class StatusReport(Struct, frozen=True):
    """One PCD-05. Instants are epoch ms.

    `own`: OBR-3, the id of this report, the same when it is sent again; `alert`: the first OBR-3 of the
    alert; `answers`: MSH-10 of its first message; `action`: PRT-2, AD for a recipient's first status, UP for
    later ones; `location`: the reporter's own.
    """

    status: Status
    own: Entity
    alert: Entity
    answers: str
    at: int
    service: Code = Code("196616", "MDC_EVT_ALARM", "MDC")
    action: str = "AD"
    recipient: Recipient = Recipient()
    location: Location = Location()


class Envelope(Struct, frozen=True):
    """How it is addressed: both parties, MSH-9, MSH-12, MSA-1 (AA by CP150's words; no source gives it)."""

    me: Party
    you: Party
    structure: str = STRUCTURES[0]
    version: str = "2.6"
    msa: str = "AA"


def build_status(report: StatusReport, envelope: Envelope, *, control_id: str, at: int) -> bytes:
    """The message, with a control id and time of its own (CP157: new ones each time it is sent)."""
    service, own = report.service, report.own
    lines = [
        segment(
            "MSH",
            {
                3: envelope.me.application,
                4: envelope.me.facility,
                5: envelope.you.application,
                6: envelope.you.facility,
                7: utc_text(at),
                9: envelope.structure,
                10: escaped(control_id),
                11: "P",
                12: envelope.version,
                15: "AL",
                16: "NE",
                18: "UNICODE UTF-8",
                21: PROFILE,
            },
        )
    ]
    if report.answers:
        lines.append(segment("MSA", {1: envelope.msa, 2: escaped(report.answers)}))
    if where := _place(report.location):
        lines.append(segment("PV1", {2: "I", 3: where}))
    lines.append(
        segment(
            "OBR",
            {
                1: "1",
                3: composed(own.id, own.namespace, own.universal, own.type),
                4: composed(service.id, service.name, service.system),
                7: utc_text(report.at),
                29: "^" + composed(*_parts(report.alert), mark="&"),
            },
        )
    )
    lines.append(_participation(report))
    return written(lines)


def _place(at: Location) -> str:
    return composed(at.point_of_care, at.room, at.bed, at.facility, "", "", at.building, at.floor)


def _parts(entity: Entity) -> tuple[str, str, str, str]:
    return entity.id, entity.namespace, entity.universal, entity.type


def _participation(report: StatusReport) -> str:
    who = report.recipient
    family, given = _names(who.name)
    return segment(
        "PRT",
        {
            1: composed(report.own.id, report.own.namespace, report.own.universal, report.own.type),
            2: report.action,
            3: composed("RESPONSE", report.status, "IHE_PCD_ACM"),
            4: composed("AAP", "Alert Acknowledging Provider", "HL70912"),
            5: composed(who.id, family, given),
            6: composed(who.role.upper(), who.role, "L") if who.role else "",
            9: _place(report.location),
            10: composed(who.device),
            11: utc_text(report.at),
            15: composed("", "", "", "", "", "", who.device) if who.device else "",
        },
    )


def _names(name: str) -> tuple[str, str]:
    """Family and given name of a name as written for people: the last word is the family's."""
    given, _, family = name.strip().rpartition(" ")
    return family, given


class StatusRead(Struct, frozen=True):
    """What a PCD-05 says, as its reporter reads it. `own`: OBR-3; `alert`: OBR-29, component 2."""

    control_id: str
    status: str
    action: str
    answers: str
    own: Entity
    alert: Entity
    recipient: str
    role: str


def read_status(message: Message) -> tuple[StatusRead, ...]:
    """One for each PRT of a status message; empty when it is none. Takes R41 under either name, and messages
    of OBR-3 and PRT-3 alone, or with the bare word in PRT-3 (`PRT|||Delivered`)."""
    obr = message.first("OBR")
    if message.header.text(9, 2) != "R41" or obr is None:
        return ()
    msa = message.first("MSA")
    found = obr.repetitions(29)
    parent = [*found[0].split(message.delimiters.component), ""][1] if found else ""
    parts = [*subcomponents(parent, message.delimiters), "", "", "", ""][:4]
    return tuple(
        StatusRead(
            control_id=message.header.text(10),
            status=(prt.text(3, 2) or prt.text(3)).upper(),
            action=prt.text(2),
            answers="" if msa is None else msa.text(2),
            own=entity(obr, 3),
            alert=Entity(*parts),
            recipient=prt.text(5),
            role=prt.text(6, 2),
        )
        for prt in message.all("PRT")
    )
