"""The site as the rules see it: units, places, people, duty, cover, types, policies, sources.

These are the checked, compiled values. Reading and checking the site *file* is `alarmhub.site`;
this module refuses to parse, to validate and to know what a clock is.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum

from msgspec import Struct, field

from alarmhub.core.kinds import Kind, Priority


class Hours(Struct, frozen=True):
    """A recurring window in the site's local time, or one dated window.

    `days`: 0 = Monday … 6 = Sunday on which the window *starts*; `start`/`end`: minutes after
    midnight; an end at or before the start lies on a later day, `span_days` further.
    `from_at`/`to_at`: bounds in epoch ms (either may be None). `holidays`: None = every day,
    True = only on holidays, False = never on holidays. An empty `days` with bounds = the whole time.
    """

    days: tuple[int, ...] = ()
    start: int = 0
    end: int = 0
    span_days: int = 0
    from_at: int | None = None
    to_at: int | None = None
    holidays: bool | None = None


class Unit(Struct, frozen=True):
    """A care unit or a desk. `last_resort`: targets outside the unit's own duty list."""

    id: str
    name: str
    site: str
    last_resort: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    clinical: bool = True
    warn_unstaffed: bool = True


class Place(Struct, frozen=True):
    """A named point. `path` is site/unit/room[/point]; only a name: who answers is cover."""

    path: str
    label: str
    unit: str
    point: str = "room"  # bed, wc, corridor, entrance, equipment, room
    room: str = ""  # path of the room it belongs to, itself for a room
    add_attend_s: int = 0  # e.g. isolation rooms: time to dress
    person: str | None = None  # a carried button: whose


class Role(Struct, frozen=True):
    """A function on duty (ssk, usk, shift_leader, guard …). `deputy`: role rung when it stays unfilled."""

    id: str
    name: str
    deputy: str | None = None
    on_call: bool = False


class Staff(Struct, frozen=True):
    """A person or a desk. `units`: whose phone belongs to which units; `pager`: one-way number; `grants`:
    roles of who signs in, in words (`core.rights`); `sms`: the number text messages go to (E.164)."""

    id: str
    name: str
    units: tuple[str, ...] = ()
    pager: str | None = None
    desk: bool = False
    grants: tuple[str, ...] = ()
    sms: str | None = None


class Duty(Struct, frozen=True):
    """Who works when: unit, roles, beds of the care team (place paths, or prefixes of them)."""

    staff: str
    unit: str
    roles: tuple[str, ...]
    hours: Hours
    beds: tuple[str, ...] = ()
    on_site: bool = True


class Cover(Struct, frozen=True):
    """In these hours `by` answers for `unit` or for the places below `place` (exactly one is set)."""

    by: str
    hours: Hours
    unit: str | None = None
    place: str | None = None


class TeamRole(Struct, frozen=True):
    """A role of a team alarm and how many of it are needed. role `ward` = anyone of the unit."""

    role: str
    count: int = 1
    deputy: str | None = None


class Step(Struct, frozen=True):
    """One step of a policy: targets (see `routing.resolve`), and its clocks in seconds."""

    targets: tuple[str, ...]
    answer_s: int
    reach_s: int


class Policy(Struct, frozen=True):
    """A published, versioned policy. Pinned by (name, version) to the alarms it started."""

    name: str
    version: int
    steps: tuple[Step, ...]
    last_resort_s: int | None
    return_s: int | None
    remind_s: int | None
    lapse_s: int | None
    enough: int = 1


class PolicyRule(Struct, frozen=True):
    """Which policy serves which alarms; unset fields match all. First match wins."""

    policy: str
    kind: Kind | None = None
    type: str | None = None
    unit: str | None = None
    priority: Priority | None = None


class AlarmType(Struct, frozen=True):
    """The site's own name for a kind, with its label, sound, policy and, for teams, its roles."""

    id: str
    kind: Kind
    label: str
    label_en: str = ""
    sound: str = ""
    priority: Priority | None = None
    policy: str | None = None
    team: tuple[TeamRole, ...] = ()
    leader: str | None = None


class MappingRule(Struct, frozen=True):
    """Plant words to place, kind, type, priority. `address`/`text`: regular expressions (search).

    `place` may name groups of either as `{group}`. `event`: start, end, once, presence_on,
    presence_off; None = decided by the protocol's own field (ESPA call type).
    """

    address: str | None = None
    text: str | None = None
    place: str | None = None
    kind: Kind | None = None
    type: str | None = None
    priority: Priority | None = None
    event: str | None = None


class Sample(Struct, frozen=True):
    """A sample telegram and what it must map to; `site check` refuses a mismatch.

    `espa_priority`, `call_type`: records 6 and 4; `says`, `says_priority`: event and priority that another
    protocol states beside the text.
    """

    address: str
    text: str
    place: str | None
    kind: Kind
    priority: Priority
    espa_priority: str = "3"
    call_type: str = "3"
    event: str = "start"
    says: str | None = None
    says_priority: Priority | None = None


class Reports(StrEnum):
    """How much a source is told back. `each`: beside the alarm's own statuses, of every person whose phone
    rang, who looked, declined or took it, by name."""

    NONE = "none"
    ALARM = "alarm"
    EACH = "each"


class SourceRules(Struct, frozen=True):
    """A source of signals and what it can and cannot say."""

    id: str
    name: str
    site: str
    fallback_unit: str
    ends: str = "source"  # source | staff
    protocol: str = "http"  # see `site.entries.SourceEntry`
    units: tuple[str, ...] = ()  # affected when it falls silent
    assistance_by: str = "source"  # who turns call + presence into assistance: source | hub | none
    addresses_are_points: bool = False
    key: str = "mapped"  # mapped | address | text: what pairs a reset with its call
    list_separator: str | None = None
    rules: tuple[MappingRule, ...] = ()
    samples: tuple[Sample, ...] = ()
    default_kind: Kind = Kind.PATIENT_CALL
    reports: Reports | bool = Reports.NONE  # a site stored earlier has true or false
    clinical_enabled_by: str = ""  # "name, date"; without it clinical alarms of this source are refused
    ends_by_desk: bool = False  # a desk ends over the API what this source cannot end itself

    @property
    def hears(self) -> Reports:
        """How much it is told back."""
        if isinstance(self.reports, bool):
            return Reports.ALARM if self.reports else Reports.NONE
        return self.reports


class JoinRule(Struct, frozen=True):
    """Sources that may tell of one event over two paths (`core.joining`). Empty `kinds`, `places` = all;
    a place stands for what is below it too."""

    sources: tuple[str, ...]
    within_s: int
    kinds: tuple[Kind, ...] = ()
    places: tuple[str, ...] = ()


class Number(Struct, frozen=True):
    """A pager number, or all of one length from `first` to `last`, and what it means where no place is known.

    `targets`: who rings first, as target words; none: the kind's own steps. `unit`: whose steps, cover and
    last resort stand behind. `role`, `staff`, `beds`: what the targets were made of.
    """

    first: str
    last: str
    targets: tuple[str, ...] = ()
    unit: str | None = None
    role: str | None = None
    staff: str | None = None
    beds: tuple[str, ...] = ()
    kind: Kind | None = None
    type: str | None = None
    priority: Priority | None = None
    label: str = ""

    @property
    def order(self) -> tuple[int, str]:
        """Numbers sort by length, then digits; a site's are sorted so."""
        return len(self.first), self.first

    def __str__(self) -> str:
        """As the site file says it."""
        return self.first if self.first == self.last else f"{self.first}-{self.last}"


class Site(Struct, frozen=True, dict=True):
    """One published version of everything the site file says. Dicts are never mutated.

    `dict=True` lets `core.roster` keep with a site what it computes from it: neither stored nor compared.
    """

    version: int
    site: str
    name: str
    zone: str
    language: str
    holidays: frozenset[str]  # ISO dates
    floor_words: tuple[str, ...]
    units: dict[str, Unit]
    places: dict[str, Place]
    roles: dict[str, Role]
    staff: dict[str, Staff]
    duties: tuple[Duty, ...]
    covers: tuple[Cover, ...]
    types: dict[str, AlarmType]
    policies: dict[str, dict[int, Policy]]  # name → version → policy; all versions ever pinned
    newest: dict[str, int]  # name → newest version
    policy_rules: tuple[PolicyRule, ...]
    sources: dict[str, SourceRules]
    extra: dict[str, str] = field(default_factory=dict)
    numbers: tuple[Number, ...] = ()  # sorted by `Number.order`, none overlaps another
    joins: tuple[JoinRule, ...] = ()


def number_of(site: Site, address: str) -> Number | None:
    """What the site knows of a pager number; None for anything else."""
    if not (address.isascii() and address.isdigit()):
        return None
    after = bisect_right(site.numbers, (len(address), address), key=lambda number: number.order)
    found = site.numbers[after - 1] if after else None
    if found is None or len(found.first) != len(address) or address > found.last:
        return None
    return found
