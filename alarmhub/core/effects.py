"""What should be done, as data: returned by `decide`, stored as rows, carried out by the engine's outbox.

Effects are imperatives. What phones show is no effect: it is rendered from committed state.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from alarmhub.core.events import Signal


class ReportStatus(StrEnum):
    """What a source is told back, in the hub's terms; adapters say it in the source's own words."""

    QUEUED = "queued"
    PAGED = "paged"  # a device reported that it rang
    READ = "read"  # somebody looked
    ACCEPTED = "accepted"  # the kind's accept rule is satisfied: never for a part of a team
    REJECTED = "rejected"  # somebody declined
    ABSENT = "absent"  # nobody is on duty or reachable
    UNANSWERED = "unanswered"  # return of responsibility
    ENDED = "ended"


class Report(Struct, frozen=True, gc=False, tag="report"):
    """Tell the source. `ref`: the source's own words for the alarm, enough to name it there; `key`: what it
    is answered by while open; `origin`: the adapter's words as `Signal.origin` had them.

    `staff`, `name`, `role`: whom a paged, read, accepted or rejected is about, for sources that hear of each
    (`core.site.Reports`); otherwise "": the alarm as a whole, or somebody in the room or at the source.
    """

    source: str
    status: ReportStatus
    ref: str
    source_text: str = ""
    key: str = ""
    origin: str = ""
    staff: str = ""
    name: str = ""
    role: str = ""
    at: int = 0  # when it was decided, epoch ms


class Push(Struct, frozen=True, gc=False, tag="push"):
    """Wake a person's phone: opaque id and priority only, never a name, a room or a text."""

    staff: str
    alarm: str
    rev: int
    priority: str
    drill: bool = False


class Page(Struct, frozen=True, gc=False, tag="page"):
    """Send to a one-way pager; `ends`: take back what was sent, it is over for this person.

    `label`, `place`, `unit`: what and where in the site's own words, "" when not known; never a patient.
    """

    staff: str
    pager: str
    alarm: str
    label: str = ""
    place: str = ""
    unit: str = ""
    priority: str = "low"
    drill: bool = False
    ends: bool = False


class Says(StrEnum):
    """What a text message is about. None says where, who or what: it can be read by anybody."""

    RINGS = "rings"
    TAKEN = "taken"  # your reply was taken: you have it
    NOTED = "noted"  # your reply is noted, and it rings on (the kind needs hands)
    HOLDING = "holding"  # you are alone: it waits for you, and cover rings
    OVER = "over"
    PASSED_ON = "passed_on"  # it does not concern you any more


class Sms(Struct, frozen=True, gc=False, tag="sms"):
    """Send a text message. `at`: when it was decided (epoch ms), by which what becomes of it is told.

    `code`: by which a reply names the alarm; given when the effect is stored, "" in a decision.
    """

    staff: str
    number: str
    alarm: str
    says: Says
    at: int
    priority: str = "low"
    drill: bool = False
    code: str = ""


class Raise(Struct, frozen=True, gc=False, tag="raise"):
    """Open another alarm as a consequence (help, a notice to the shift leader, a lost source)."""

    signal: Signal


Effect: TypeAlias = Report | Push | Page | Sms | Raise
