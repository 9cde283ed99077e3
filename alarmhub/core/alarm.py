"""The alarm: one condition from start to end, as a frozen value (design.md, "alarm").

This is what is stored, replayed and rendered. It holds no behaviour beyond reading its own fields:
how it changes is `decide`. All times are epoch ms. Values are trees without cycles, so Python's collector
need not visit them (`gc=False`): with thousands of open alarms it would stop the hub for 20 ms.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from alarmhub.core.kinds import ACCEPTOR_LOST_S, Kind, Priority


class Phase(StrEnum):
    """Accepted, arrived and ended are three facts (ward.md)."""

    RINGING = "ringing"
    PARTLY_ACCEPTED = "partly_accepted"
    ACCEPTED = "accepted"
    ATTENDED = "attended"
    ENDED = "ended"


class Flag(StrEnum):
    """Facts beside the phase."""

    UNANSWERED = "unanswered"  # nobody has accepted within return_after
    RETURNED = "returned"  # the source was told so, or that nobody can be reached, and has not heard since
    UNCONFIRMED = "unconfirmed"  # the link to the source was lost since
    RESET_UNCLEAR = "reset_unclear"  # a reset fitted several alarms
    NOT_ATTENDED = "not_attended"  # accepted, then nobody arrived in time
    RESET_SEEN = "reset_seen"  # assault: the source reset it, a responder must still say it is safe
    SAFE_SAID = "safe_said"  # assault: a responder said so, the source has not reset it
    REMINDED = "reminded"  # who takes it, or attends it, was asked about it
    PLACE_UNKNOWN = "place_unknown"
    PLACE_NOT_VERIFIED = "place_not_verified"  # nobody has ticked this point in a walk test
    LAST_RESORT = "last_resort"
    ACKNOWLEDGED_AT_SOURCE = "acknowledged_at_source"
    PRESENCE = "presence"  # somebody is in the room
    MIXED_POLICY = "newest_policy"  # from the last resort on


class Texted(Struct, frozen=True, gc=False, omit_defaults=True):
    """The text message a person was last sent of an alarm: where to, when, and how urgent it said it was.

    `delivered_at`: the network says that it is on the phone, which is no word of the person. `failed`: it
    never will be.
    """

    number: str
    at: int
    priority: str
    delivered_at: int | None = None
    failed: bool = False


class Told(Struct, frozen=True, gc=False, omit_defaults=True):
    """One person the alarm concerns now. `turn`: the turn that last rang this person.

    `answer`: "" (none), accepted, declined, holding, released; only `declined`/`released` people of the
    current step are kept here as a fact and are shown nothing.
    """

    staff: str
    turn: int
    since: int
    why: str
    rang_at: int | None = None
    seen_at: int | None = None
    answer: str = ""
    one_way: bool = False
    reported: bool = False
    """The source was told that this person's phone rang. The last resort's repeats are no news."""
    paged: str = ""
    """The pager that was sent to, to take it back."""
    texted: Texted | None = None
    declined_by_text: bool = False
    """To the last message. The same again is the same answer, even where she was asked again since."""
    pushed: bool = False
    """Pushed to in this turn."""

    @property
    def rings(self) -> bool:
        """Whether this person's phone should be ringing while the alarm rings."""
        return self.answer == ""


class Acceptance(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who takes it, in which role, whether arrived, and since when without contact."""

    staff: str
    at: int
    role: str = ""
    arrived_at: int | None = None
    lost_at: int | None = None
    on_duty: bool = True
    """Was on the roster when accepting: going off duty then gives the alarm back."""
    confirmed: bool = True
    """False: a colleague handed it over, and this person has not said anything to it yet."""


class Path(Struct, frozen=True, gc=False, omit_defaults=True):
    """Another way on which a source told of the same event, and what it calls the alarm (`core.joining`)."""

    source: str
    key: str
    ref: str
    at: int
    source_text: str = ""
    origin: str = ""


class Alarm(Struct, frozen=True, gc=False, omit_defaults=True):
    """One condition. `version` rises with every decision, `rev` only when some phone's view changes."""

    id: str
    source: str
    key: str
    ref: str
    kind: Kind
    type: str
    priority: Priority
    place: str
    unit: str
    raised_at: int
    at: int
    policy: str
    policy_version: int
    room: str = ""
    text: str = ""
    source_text: str = ""
    origin: str = ""
    """The adapter's own words, the newest it gave: they go back with every report."""
    callback: str | None = None
    person: str | None = None
    ends: str = "source"
    heard: bool = False
    targets: tuple[str, ...] = ()
    phase: Phase = Phase.RINGING
    flags: tuple[Flag, ...] = ()
    version: int = 0
    rev: int = 0
    turn: int = 0
    turn_rev: int = 0
    """The rev with which this turn began: declines and releases from before it are stale."""
    step: int = 0
    """Index into the pinned policy's steps; their number = the last resort."""
    count: int = 1
    again: int = 0
    last_resort_rings: int = 0
    told: tuple[Told, ...] = ()
    excluded: tuple[str, ...] = ()
    """Left out of the current step: declined, released, in the room. Cleared by the next step."""
    acceptances: tuple[Acceptance, ...] = ()
    noted: tuple[str, ...] = ()
    """Accepts that were recorded and silence nobody (SMS, another site)."""
    extended: bool = False
    last_attended: str | None = None
    ended_by: str = ""
    paged: bool = False
    """Some device has rung; the source was told so once."""
    told_back: tuple[str, ...] = ()
    """What the source was told in this turn of responsibility (`core.reporting`): absent, unanswered."""
    paths: tuple[Path, ...] = ()
    """Beside the first one, which is `source` and `key`. At most one a source."""
    reach_at: int | None = None
    answer_at: int | None = None
    remind_at: int | None = None
    lapse_at: int | None = None
    return_at: int | None = None
    expire_at: int | None = None
    again_at: int | None = None
    """Presence ended without a reset: rings again then."""
    lost_at: int | None = None
    """When the first acceptor without contact gives the alarm back."""
    review_at: int | None = None
    confirm_at: int | None = None
    """When who was handed it and says nothing gives it back."""

    @property
    def open(self) -> bool:
        """Not ended."""
        return self.phase is not Phase.ENDED

    @property
    def due(self) -> int | None:
        """The next deadline, or None for an ended alarm."""
        due: int | None = None
        for at in (
            self.reach_at,
            self.answer_at,
            self.remind_at,
            self.lapse_at,
            self.return_at,
            self.expire_at,
            self.again_at,
            self.lost_at,
            self.review_at,
            self.confirm_at,
        ):
            if at is not None and (due is None or at < due):
                due = at
        return due

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What each of its paths calls it: (source, key)."""
        own = (self.source, self.key)
        return (own, *((path.source, path.key) for path in self.paths)) if self.paths else (own,)

    def told_by(self, source: str) -> bool:
        """Whether this source told of it."""
        return source == self.source or any(path.source == source for path in self.paths)

    @property
    def reminded(self) -> bool:
        """Whoever takes or attends it was asked about it and has not said anything since."""
        return Flag.REMINDED in self.flags

    @property
    def drill(self) -> bool:
        """A trial (PROV), never care."""
        return self.kind is Kind.DRILL


def lost_due(acceptances: tuple[Acceptance, ...]) -> int | None:
    """When the first acceptor who has lost contact on the way gives the alarm back; None = nobody has."""
    due = [
        a.lost_at + ACCEPTOR_LOST_S * 1000
        for a in acceptances
        if a.lost_at is not None and a.arrived_at is None
    ]
    return min(due, default=None)


def told_of(alarm: Alarm, staff: str) -> Told | None:
    """The entry of one person, or None."""
    for told in alarm.told:
        if told.staff == staff:
            return told
    return None


def concerned(alarm: Alarm) -> tuple[str, ...]:
    """Everybody whose phone shows this alarm now: told and not declined or released. Empty when ended."""
    if alarm.phase is Phase.ENDED:
        return ()
    return tuple(t.staff for t in alarm.told if t.answer not in ("declined", "released"))
