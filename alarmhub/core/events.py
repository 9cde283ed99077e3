"""What happened: signals as the adapters decode them, and the events `decide` folds into an alarm.

Events are past participles. They carry every fact the decision needs beside site, roster and reach, so
that a stored event can be replayed. Nothing here acts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from alarmhub.core.kinds import Kind, Priority


class SignalEvent(StrEnum):
    """What one message of a source says (design.md, "signal")."""

    START = "start"
    UPDATE = "update"
    END = "end"
    ONCE = "once"
    ACKNOWLEDGED = "acknowledged"
    PRESENCE = "presence"
    HEARTBEAT = "heartbeat"


HUB_SOURCE = "hub"
"""The source name of what the hub itself raises."""
ORIGIN_LIMIT = 2_000
"""Characters of `Signal.origin` that are kept. Longer ones are dropped whole: half of them says nothing."""


class Signal(Struct, frozen=True, gc=False):
    """One decoded message of a source; text is already cleaned (no NUL, no surrogates, length bounded).

    `key`: what it is answered by while open, unique per source ("" = derive from place and kind).
    `place`: path as the source or the mapping named it, "" when none was found. `id`: the sender's own
    event id, remembered 24 h. `person`: who carries the button (the victim in an assault). `origin`: opaque
    words of the adapter, at most `ORIGIN_LIMIT`, kept with the alarm and given back in every report.
    """

    source: str
    event: SignalEvent
    key: str = ""
    ref: str = ""
    place: str = ""
    kind: Kind | None = None
    type: str | None = None
    priority: Priority | None = None
    text: str = ""
    source_text: str = ""
    present: bool | None = None
    callback: str | None = None
    person: str | None = None
    id: str | None = None
    occurred_at: int | None = None
    heard: bool = False  # drills: PROV shown and spoken
    unverified: bool = False  # nobody has ticked this point in a walk test of its source
    targets: tuple[str, ...] = ()  # requests and hub notices: who is asked, instead of the kind's steps
    unit: str | None = None  # hub notices without a place
    inside: tuple[str, ...] = ()  # staff known to be there: no candidates of an assistance
    mapped_by: tuple[str, ...] = ()  # reasons of the mapping
    origin: str = ""


class Around(Struct, frozen=True, gc=False, omit_defaults=True):
    """What else is known about the place when an alarm is raised there."""

    presence_since: int | None = None
    inside: tuple[str, ...] = ()  # staff known to be in the room
    last_ended_at: int | None = None
    last_attended: str | None = None
    starts_last_hour: int = 0  # of this place and kind, this one not counted
    again: int = 0  # how many in an unbroken series before this one


class Raised(Struct, frozen=True, gc=False, tag="raised"):
    """A signal that opens an alarm (`alarm_id` is the id it gets) or repeats an open one."""

    signal: Signal
    alarm_id: str
    around: Around = Around()


class Joined(Struct, frozen=True, gc=False, tag="joined"):
    """A start that tells of what another path told of already (`core.joining`)."""

    signal: Signal


class Updated(Struct, frozen=True, gc=False, tag="updated"):
    """The source says something new about an open alarm."""

    signal: Signal


class Ended(Struct, frozen=True, gc=False, tag="ended"):
    """The source, the room, the hub's clock or a real alarm (for drills) ended it. `by` names which."""

    by: str
    signal: Signal | None = None


class EndUnclear(Struct, frozen=True, gc=False, tag="end_unclear"):
    """A reset fitted several open alarms, or a more urgent one: none is closed, all are told."""

    signal: Signal
    candidates: tuple[str, ...]


class AcknowledgedAtSource(Struct, frozen=True, gc=False, tag="acknowledged_at_source"):
    """Somebody answered at the source itself (monitor, panel)."""

    signal: Signal


class PresenceChanged(Struct, frozen=True, gc=False, tag="presence_changed"):
    """Presence in the alarm's room began or ended."""

    present: bool
    signal: Signal


class Rang(Struct, frozen=True, gc=False, tag="rang"):
    """A device reported that it rang (or, `seen`, that somebody looked). `via`: the way it learned of the
    alarm (socket, webpush, apns, fcm)."""

    staff: str
    device: str
    seen: bool = False
    via: str = "socket"


class TextReported(Struct, frozen=True, gc=False, tag="text_reported"):
    """What became of a text message to somebody. `text_at`: which one (`Sms.at`); `delivered`: it is on the
    phone; otherwise it never will be, `cause` says why in the network's words."""

    staff: str
    text_at: int
    delivered: bool
    cause: str = ""


class Answer(StrEnum):
    """What a person can answer. `hold` is "Kommer strax", `safe` confirms an assault's place."""

    ACCEPT = "accept"
    DECLINE = "decline"
    RELEASE = "release"
    ATTEND = "attend"
    DONE = "done"
    HELP = "help"
    EXTEND = "extend"
    TAKE_OVER = "take_over"
    HOLD = "hold"
    SAFE = "safe"


class Answered(Struct, frozen=True, gc=False, tag="answered"):
    """A person answered. `rev`: what the phone had seen; `via`: phone, api, sms."""

    staff: str
    answer: Answer
    rev: int
    via: str = "phone"
    reason: str = ""
    device: str = ""


class HandedOver(Struct, frozen=True, gc=False, tag="handed_over"):
    """Who has accepted goes off duty, and a colleague takes it on."""

    staff: str
    to: str


class WorldChanged(Struct, frozen=True, gc=False, tag="world_changed"):
    """Roster, site, or reach changed for an open alarm. `cause`: roster, site, reach, texts, grace, restart.

    `staff`: whose contact changed (cause reach); `contact_lost_at`: when it was lost, None = regained.
    """

    cause: str
    staff: str | None = None
    contact_lost_at: int | None = None


class DeadlinePassed(Struct, frozen=True, gc=False, tag="deadline_passed"):
    """The alarm's next deadline is due. Carries the turn so that a stale or repeated one acts on nothing."""

    turn: int
    due: int


Signalled: TypeAlias = Raised | Joined | Updated | Ended | EndUnclear | AcknowledgedAtSource | PresenceChanged
"""What signals of sources mean for an alarm."""

Event: TypeAlias = Signalled | Rang | TextReported | Answered | HandedOver | WorldChanged | DeadlinePassed
