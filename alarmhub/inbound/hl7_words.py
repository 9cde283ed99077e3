"""From an IHE ACM alert to the hub's words and back to whom it belongs, as pure functions.

The site's mapping rules see `PointOfCare^Room^Bed` as address (`device ID` where no location is told) and the
event's text, value, code and annotation as text. The key of an alarm is the alert's entity identifier, all
four parts. Nothing of PID goes into any of it unless the line says so, and then only into the text.

It refuses to decide what rings, and to take an alert's end for anything but what it is.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.inbound.mapping import Words
from protocols.hl7 import Message, composed
from protocols.pcd04 import Alert, Entity, Location, Phase

MAX_ORIGIN_CHARS: Final = 2_000
MAX_KEY_CHARS: Final = 200

EVENTS: Final[dict[Phase, SignalEvent]] = {
    Phase.TPOINT: SignalEvent.ONCE,
    Phase.START: SignalEvent.START,
    # No end will follow: staff end it.
    Phase.START_ONLY: SignalEvent.ONCE,
    # An update of what is not open opens it: the hub or the reporter was away (resynchronisation).
    Phase.CONTINUE: SignalEvent.UPDATE,
    Phase.PRESENT: SignalEvent.UPDATE,
    Phase.UPDATE: SignalEvent.UPDATE,
    Phase.ESCALATE: SignalEvent.UPDATE,
    Phase.DEESCALATE: SignalEvent.UPDATE,
    Phase.INACTIVATE: SignalEvent.UPDATE,
    Phase.ACKNOWLEDGED: SignalEvent.ACKNOWLEDGED,
    Phase.RESET: SignalEvent.END,
    Phase.STOP: SignalEvent.END,
    Phase.END: SignalEvent.END,
}
"""What each phase (TF-2 table B.8.5-3) is to the hub."""

PRIORITIES: Final[dict[str, Priority]] = {
    "PH": Priority.HIGH,
    "PM": Priority.MEDIUM,
    "PL": Priority.LOW,
    "PN": Priority.INFORMATION,
    "PI": Priority.INFORMATION,
}
UNITS: Final[dict[str, str]] = {
    "MDC_DIM_PERCENT": "%",
    "MDC_DIM_SEC": "s",
    "MDC_DIM_MILLI_SEC": "ms",
    "MDC_DIM_BEAT_PER_MIN": "/min",
    "MDC_DIM_RESP_PER_MIN": "/min",
    "MDC_DIM_MMHG": "mmHg",
    "MDC_DIM_KILO_PASCAL": "kPa",
    "MDC_DIM_CM_H2O": "cmH2O",
    "MDC_DIM_DEGC": "°C",
    "MDC_DIM_MILLI_L_PER_HR": "ml/h",
    "MDC_DIM_DIMLESS": "",
}
"""How people write the units (MDC dimension) seen in alerts; any other is shown by its own name."""


class Origin(Struct, frozen=True, omit_defaults=True):
    """What a status to the reporter needs of the first message of an alert; kept with the alarm as JSON.

    `message`: its MSH-10; `sender`: MSH-3 and MSH-4 raw, `receiver`: MSH-5 and MSH-6; `entity`: its OBR-3;
    `service`: OBR-4; `wants`: statuses asked for (CP154), None = all; `asked`: MSH-16 asks for them (CP150).
    """

    message: str
    sender: tuple[str, str] = ("", "")
    receiver: tuple[str, str] = ("", "")
    entity: tuple[str, str, str, str] = ("", "", "", "")
    service: tuple[str, str, str] = ("", "", "")
    location: tuple[str, str, str, str, str, str] = ("", "", "", "", "", "")
    wants: tuple[str, ...] | None = None
    asked: bool = False


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Origin).decode


def origin_of(text: str) -> Origin | None:
    """The origin an alarm was opened with; None for one that was not opened by this protocol."""
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        return None


def words_of(alert: Alert, message: Message, line: Hl7Link, number: int = 0) -> Words:
    """One alert of one message in general words; `number`: which of the message's alerts it is."""
    event = SignalEvent.ACKNOWLEDGED if _acknowledged_only(alert) else EVENTS[alert.phase]
    return Words(
        address_of(alert),
        text_of(alert, line),
        event=event,
        priority=priority_of(alert, line),
        callback=alert.callback or None,
        ref=alert.key.id,
        key=key_of(alert, message),
        id=id_of(message, number),
        occurred_at=alert.occurred_at,
        origin=_origin(alert, message),
        because=(f"phase:{alert.phase}",),
    )


def _acknowledged_only(alert: Alert) -> bool:
    """Silenced by an acknowledgement; sounds paused or switched off are no answer of anybody."""
    return alert.phase is Phase.INACTIVATE and "alert-acknowledged" in alert.inactivation


def address_of(alert: Alert) -> str:
    """What the site's rules see as address."""
    return alert.location.address() or (f"device {alert.device}" if alert.device else "")


def text_of(alert: Alert, line: Hl7Link) -> str:
    """What the site's rules see as text and staff read: words, value and limits, code, annotation."""
    parts = [alert.text or alert.event.name or alert.event.id]
    if alert.value:
        unit = alert.unit.name or alert.unit.id
        parts.append(f"{alert.value} {UNITS.get(unit, unit.removeprefix('MDC_DIM_').lower())}".strip())
    if alert.limits:
        parts.append(f"({alert.limits})")
    quiet = [word for word in alert.inactivation if word != "enabled"]
    if quiet:
        parts.append(f"({', '.join(quiet)})")
    code = " ".join(filter(None, (alert.event.name, alert.event.id)))
    if code and code != parts[0]:
        parts.append(f"[{code}]")
    shown = {"none": "", "id": alert.patient.id, "name": alert.patient.name}[line.patient]
    return " · ".join(filter(None, (" ".join(parts), alert.annotation, shown)))


def priority_of(alert: Alert, line: Hl7Link) -> Priority | None:
    """The device's priority; a word nobody knows rings as the line says, none leaves it to the kind."""
    if not alert.priority:
        return None
    return PRIORITIES.get(alert.priority) or Priority(line.unknown_priority)


def key_of(alert: Alert, message: Message) -> str:
    """What the alarm is answered by while open. A bare id says nothing (TF-2 B.7.1): the sender goes with
    it."""
    key = alert.key
    text = "^".join((key.id, key.namespace, key.universal, key.type))
    if not (key.namespace or key.universal or key.type):
        text += message.header.raw(3)
    # Two long identifiers that differ only behind the bound are still two.
    return text if len(text) <= MAX_KEY_CHARS else f"{text[:100]}#{_digest(text)}"


def id_of(message: Message, number: int) -> str:
    """The sender's own id of this message: MSH-10 with MSH-3, and what the message says after its header.

    The content is part of it because a reporter that counts from 1 after each restart must not have its first
    alerts of today taken for those of yesterday."""
    said = "\r".join("|".join(one.fields) for one in message.segments[1:])
    header = message.header
    return f"{_digest(chr(30).join((header.raw(3), header.raw(10), said)))}.{number}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def _origin(alert: Alert, message: Message) -> str:
    header = message.header
    place, service = alert.location, alert.service
    own = alert.own if alert.first and alert.own else alert.key
    origin = Origin(
        message=header.text(10),
        sender=(party_of(message, 3), party_of(message, 4)),
        receiver=(party_of(message, 5), party_of(message, 6)),
        entity=(own.id, own.namespace, own.universal, own.type),
        service=(service.id, service.name, service.system),
        location=(place.point_of_care, place.room, place.bed, place.facility, place.building, place.floor),
        wants=alert.wants,
        asked=header.text(16).upper() not in ("", "NE"),
    )
    text = _encode(origin).decode()
    return text if len(text) <= MAX_ORIGIN_CHARS else _encode(Origin(header.text(10)[:200])).decode()


def party_of(message: Message, field: int) -> str:
    """A party's name in the form we write, whatever characters the sender divides by."""
    parts = message.header.components(field)
    return composed(*(part.strip()[:100] for part in parts[:3]))


def entity_of(origin: Origin) -> Entity:
    """The OBR-3 of an alert's first message."""
    return Entity(*origin.entity)


def location_of(origin: Origin) -> Location:
    """Where the reporter said it was."""
    return Location(*origin.location)
