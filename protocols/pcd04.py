"""IHE PCD-04 Report Alert (ORU^R40^ORU_R40): what one message says about one alert, old forms included.

`read_alerts` gives one `Alert` per OBR group that carries alarm facets, or the `Problem`s that an answer
names field by field. It follows IHE PCD TF-2 Rev 9.0 (3.4, B.7, B.8) and CP-PCD-143/150/151/154, and takes
what is seen in the field: facets by name, by code (old, misspelt and swapped ones too) or by their number in
OBX-4; priority, type and abnormality in OBX-8 in any order; OBX-11 anywhere.

It refuses to decide what rings, to compare anything but whole entity identifiers, and to take anything out of
PID unless asked (`Patient`): the hub needs no patient's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from protocols.hl7 import Delimiters, Message, Segment, subcomponents, time_ms
from protocols.pcd04_facets import Facet, Observation, facet_of, observation

MAX_ALERTS: Final = 16
"""In one message; the profile says one."""
MAX_TEXT_CHARS: Final = 200
MAX_PART_CHARS: Final = 128
"""Of an entity identifier's part and of a location's part."""
ACTIVE_EVENT: Final = ("196614", "MDC_EVT_ACTIVE")
"""The event of a watchdog message (Silent Hospital reference messages)."""


class Phase(StrEnum):
    """Table B.8.5-3."""

    TPOINT = "tpoint"
    START = "start"
    START_ONLY = "start_only"
    CONTINUE = "continue"
    PRESENT = "present"
    UPDATE = "update"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    INACTIVATE = "inactivate"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    STOP = "stop"
    END = "end"


class Entity(Struct, frozen=True):
    """An EI: id, namespace, universal id and its type. Two are one only if all four are (TF-2 B.7.1)."""

    id: str = ""
    namespace: str = ""
    universal: str = ""
    type: str = ""

    def __bool__(self) -> bool:
        return bool(self.id or self.namespace or self.universal or self.type)


class Code(Struct, frozen=True):
    """A coded value: number, reference id or text, coding system."""

    id: str = ""
    name: str = ""
    system: str = ""


class Location(Struct, frozen=True):
    """PV1-3. `point_of_care^room^bed^facility^^^building^floor`."""

    point_of_care: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""
    building: str = ""
    floor: str = ""

    def address(self) -> str:
        """PointOfCare^Room^Bed, empty when none of them is known."""
        return "^".join((self.point_of_care, self.room, self.bed)).rstrip("^")


class Patient(Struct, frozen=True):
    """What of PID may be shown to staff if a site wants it: the first id and the name as one text."""

    id: str = ""
    name: str = ""


class Alert(Struct, frozen=True):
    """One alert as one message tells it. Instants are epoch ms, None = not said or without an offset.

    `priority`, `type`, `state`, `abnormality`: the profile's words in upper (state: lower) case, "" = absent.
    `callback`: a number. `wants`: statuses asked for (CP154); None = not said. `confirm_within_s`: of a
    watchdog message, the time within which it wants its answer.
    """

    key: Entity
    own: Entity
    phase: Phase
    service: Code = Code()
    event: Code = Code()
    text: str = ""
    annotation: str = ""
    source: Code = Code()
    value: str = ""
    unit: Code = Code()
    limits: str = ""
    state: str = ""
    inactivation: tuple[str, ...] = ()
    priority: str = ""
    type: str = ""
    abnormality: str = ""
    location: Location = Location()
    device: str = ""
    callback: str = ""
    occurred_at: int | None = None
    patient: Patient = Patient()
    wants: tuple[str, ...] | None = None
    confirm_within_s: float | None = None

    @property
    def first(self) -> bool:
        """Whether this message begins the alert: by its phase, never by an empty OBR-29 (CP151)."""
        return self.phase in (Phase.START, Phase.START_ONLY, Phase.PRESENT, Phase.TPOINT)

    @property
    def watchdog(self) -> bool:
        """Whether it only says that the reporter lives."""
        return self.event.id == ACTIVE_EVENT[0] or self.event.name.upper() == ACTIVE_EVENT[1]

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has acknowledged it at the device."""
        return self.phase is Phase.ACKNOWLEDGED or "alert-acknowledged" in self.inactivation


class Problem(Struct, frozen=True):
    """Why a message is not taken: code of table 0357, the field at fault (ERR-2: segment, its number, field),
    and words. `rejected`: no message like this will ever be (CR), otherwise this one is in error (CE)."""

    code: int
    words: str
    segment: str = ""
    number: int = 1
    field: int = 0
    rejected: bool = False


class _Group(Struct):
    """One OBR with what belongs to it."""

    number: int
    obr: Segment
    location: Segment | None
    patient: Segment | None
    obx: list[Segment]
    notes: list[str]


def read_alerts(message: Message, *, with_patient: bool = False) -> tuple[Alert, ...] | tuple[Problem, ...]:
    """The alerts of a PCD-04, at least one; or at least one problem, then none of its alerts counts."""
    groups = list(_groups(message))
    if not groups:
        return (Problem(101, "Required segment missing", "OBR", 1),)
    if len(groups) > MAX_ALERTS:
        return (Problem(207, f"more than {MAX_ALERTS} alerts", "OBR", MAX_ALERTS + 1),)
    read = [_alert(group, with_patient) for group in groups]
    # Groups beside the alert's own carry evidence (an order, a waveform), not alerts.
    alerts = tuple(one for one in read if isinstance(one, Alert))
    relevant = [
        problem
        for group, one in zip(groups, read, strict=True)
        if isinstance(one, tuple) and (not alerts or _has_facets(group))
        for problem in one
    ]
    return tuple(relevant) or alerts


def _groups(message: Message) -> Iterator[_Group]:
    patient: Segment | None = None
    location: Segment | None = None
    group: _Group | None = None
    count = 0
    for one in message.segments:
        match one.name:
            case "PID":
                patient, location = one, None
            case "PV1":
                location = one
            case "OBR":
                if group is not None:
                    yield group
                count += 1
                group = _Group(count, one, location, patient, [], [])
            case "OBX" if group is not None:
                group.obx.append(one)
            case "NTE" if group is not None and group.obx:
                group.notes.append(one.whole(3))
    if group is not None:
        yield group


def _has_facets(group: _Group) -> bool:
    return any(facet_of(one) in (Facet.PHASE, Facet.STATE) for one in group.obx)


def _alert(group: _Group, with_patient: bool) -> Alert | tuple[Problem, ...]:
    obr, delimiters = group.obr, group.obr.delimiters
    seen = observation(group.obx)
    problems: list[Problem] = []
    own = entity(obr, 3)
    key = _parent(obr, delimiters) or own
    if not key:
        problems.append(Problem(101, "Required field missing", "OBR", group.number, 3))
    phase = _phase(seen, problems)
    if not seen.found:
        problems = [Problem(101, "Required segment missing", "OBX", 1)]
    if problems or phase is None:
        return tuple(problems)
    place = group.location
    return Alert(
        key=key,
        own=own,
        phase=phase,
        service=code(obr, 4),
        event=Code(*seen.event),
        text=seen.text[:MAX_TEXT_CHARS],
        annotation="; ".join([*seen.annotations, *filter(None, group.notes)])[:MAX_TEXT_CHARS],
        source=Code(*seen.source),
        value=seen.value[:MAX_PART_CHARS],
        unit=Code(*seen.unit),
        limits=seen.limits[:MAX_PART_CHARS],
        state=seen.state,
        inactivation=seen.inactivation,
        priority=seen.priority,
        type=seen.type,
        abnormality=seen.abnormality,
        location=Location() if place is None else _location(place),
        device=seen.device[:MAX_PART_CHARS],
        callback=_callback(obr),
        occurred_at=time_ms(seen.at) if seen.at else time_ms(obr.text(7)),
        patient=_patient(group.patient) if with_patient and group.patient is not None else Patient(),
        wants=seen.wants,
        confirm_within_s=seen.confirm_within_s,
    )


def _phase(seen: Observation, problems: list[Problem]) -> Phase | None:
    """The phase as said; where it is not said, what the state implies."""
    word = seen.phase.replace("-", "_")
    word = {"startonly": "start_only", "de_escalate": "deescalate"}.get(word, word)
    if word in Phase.__members__.values():
        return Phase(word)
    if word:
        problems.append(Problem(103, "Table value not found", "OBX", seen.phase_number, 5))
    elif seen.state in ("active", "latched"):
        return Phase.START
    elif seen.state in ("inactive", "off"):
        return Phase.END
    else:
        problems.append(
            Problem(101, "Required facet missing: MDC_ATTR_EVENT_PHASE", "OBX", seen.phase_number, 3)
        )
    return None


def entity(segment: Segment, field: int) -> Entity:
    """The EI of a field; an EI type written without its dash is the same type."""
    return _entity(segment.components(field))


def _entity(parts: list[str]) -> Entity:
    four = [part.strip()[:MAX_PART_CHARS] for part in [*parts, "", "", "", ""][:4]]
    kind = four[3].upper()
    return Entity(four[0], four[1], four[2], "EUI-64" if kind == "EUI64" else kind)


def _parent(obr: Segment, delimiters: Delimiters) -> Entity:
    """OBR-29 is an EIP: its second component is the first message's OBR-3, parts divided by `&`."""
    found = obr.repetitions(29)
    if not found or not delimiters.component:
        return Entity()
    filler = [*found[0].split(delimiters.component), ""][1]
    return _entity(subcomponents(filler, delimiters))


def code(segment: Segment, field: int) -> Code:
    """A CWE's first three components."""
    parts = [*segment.components(field), "", "", ""]
    return Code(*(part.strip()[:MAX_PART_CHARS] for part in parts[:3]))


def _location(pv1: Segment) -> Location:
    # The parts of a location are HDs at most by their first sub-component.
    found = pv1.repetitions(3)
    raw = found[0].split(pv1.delimiters.component or "^") if found else []
    parts = [(subcomponents(part, pv1.delimiters) or [""])[0].strip()[:MAX_PART_CHARS] for part in raw]
    parts = [part.replace("^", " ") for part in [*parts, *[""] * 8][:8]]
    return Location(parts[0], parts[1], parts[2], parts[3], parts[6], parts[7])


def _patient(pid: Segment) -> Patient:
    name = [part.strip() for part in [*pid.components(5), "", ""][:2]]
    return Patient(pid.text(3)[:MAX_PART_CHARS], " ".join(filter(None, (name[1], name[0])))[:MAX_PART_CHARS])


def _callback(obr: Segment) -> str:
    """OBR-17, XTN: the unstructured number (12), else area code and number, else what stands first."""
    parts = [part.strip() for part in [*obr.components(17), *[""] * 12]]
    local = parts[5] + parts[6]
    return (parts[11] or local or parts[0])[:MAX_PART_CHARS]
