"""What the engine needs from outside, as protocols and the values that cross them.

Implemented by `store` (PostgreSQL and a memory twin), `gateway`, `inbound` and `push`. It refuses
behaviour: every rule stated here is proved by the contract tests both stores pass.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from msgspec import Struct

from alarmhub.core.alarm import Alarm
from alarmhub.core.handsets import Said
from alarmhub.core.reach import Reach
from alarmhub.core.shifts import Word
from alarmhub.core.site import Site
from alarmhub.core.world import World


class StoreUnavailable(Exception):
    """The database cannot be reached or did not answer in time. Whether a write was applied is unknown."""


class Fenced(Exception):
    """Another process holds the lease: nothing was written, this one must stop at once."""


class Unstorable(Exception):
    """The database refused the data itself (not the connection): nothing of the batch was written."""


class AlarmRow(Struct, frozen=True, gc=False):
    """One alarm as stored. `body` is the whole `Alarm` as JSON; the other columns serve queries."""

    id: str
    source: str
    key: str
    kind: str
    priority: str
    place: str
    unit: str
    phase: str
    version: int
    raised_at: int
    at: int
    due: int | None
    body: bytes


class EventRow(Struct, frozen=True, gc=False):
    """One decided event of an alarm: what happened, and why what followed followed. Ids are unique."""

    id: str
    alarm: str
    version: int
    at: int
    received_at: int
    type: str
    body: bytes
    reasons: bytes
    phase: str
    roster: str


class OutboxRow(Struct, frozen=True, gc=False):
    """An effect to carry out. FIFO per (channel, address): `id`s sort in order of creation.

    One written with an `attempt` is carried out by its writer right after the commit: nobody can claim it
    before `give_up_at`, unless the writer dies (`Store.unclaim`).
    """

    id: str
    alarm: str
    channel: str  # report | push | page
    address: str
    body: bytes
    created_at: int
    give_up_at: int
    attempt: int = 0


class AnsweredRow(Struct, frozen=True, gc=False):
    """A remembered reply: the same (scope, id) gets the same answer for 24 h."""

    scope: str  # "source:ID" or "device:STAFF/ID"
    id: str
    at: int
    answer: bytes


class FactRow(Struct, frozen=True, gc=False):
    """A small durable fact outside any alarm (presence, availability, device last seen). None = forget."""

    scope: str
    key: str
    at: int
    body: bytes | None


class QuarantineRow(Struct, frozen=True, gc=False):
    """An event that could not be stored or decided, kept for an engineer."""

    id: str
    at: int
    alarm: str | None
    cause: str
    body: bytes


class Batch(Struct, frozen=True, gc=False):
    """Everything one commit writes, atomically. At most one row per alarm. `id` is unique per batch."""

    id: str
    alarms: Sequence[AlarmRow] = ()
    events: Sequence[EventRow] = ()
    outbox: Sequence[OutboxRow] = ()
    answered: Sequence[AnsweredRow] = ()
    facts: Sequence[FactRow] = ()
    rosters: Sequence[tuple[str, bytes]] = ()  # hash, JSON; already known hashes are ignored
    quarantined: Sequence[QuarantineRow] = ()


class Lease(Struct, frozen=True, gc=False):
    """What holding or renewing the lease returns. `database_now`: clock_timestamp() in epoch ms."""

    epoch: int
    database_now: int
    site_version: int
    tokens_version: int = 0


class Loaded(Struct, frozen=True, gc=False):
    """The committed state at the start: open alarms, newest site, facts, unsent effects, recent replies."""

    alarms: Sequence[Alarm]
    site: Site | None
    facts: Sequence[FactRow]
    outbox: Sequence[OutboxRow]
    answered: Sequence[AnsweredRow]
    ended_recently: Sequence[Alarm] = ()  # ended within the last hour, for "rings again"
    answered_complete: bool = True  # no reply of the last 24 h is missing
    site_at: int = 0  # when the site was published, epoch ms by the clock of whoever did


class Token(Struct, frozen=True, gc=False):
    """A bearer secret, stored as its SHA-256. kind: source | phone | api | board.

    `device`: the enrolled phone a phone's secret belongs to, "" = none; `subject` is then who carries it, ""
    = nobody.
    """

    digest: bytes
    kind: str
    subject: str
    scopes: tuple[str, ...] = ()
    device: str = ""


class TimelineEntry(Struct, frozen=True, gc=False):
    """One stored decision of an alarm, as the API and the press command show it."""

    id: str
    version: int
    at: int
    received_at: int
    type: str
    phase: str
    body: Any
    reasons: Any
    roster: str


class Store(Protocol):
    """The database of one shard. Every `now` is epoch ms from the hub's clock; no SQL reads a clock for rules
    (the lease does: it must compare processes). Raises StoreUnavailable, Fenced, Unstorable as stated."""

    async def acquire(self, owner: str, ttl_ms: int) -> Lease | None:
        """Take the lease if it is free, expired, or already `owner`'s: epoch + 1. None while another holds
        it. Waits for a statement in flight under the old epoch, so that what follows reads the truth."""
        ...

    async def renew(self, epoch: int, ttl_ms: int) -> Lease:
        """Extend; raises Fenced when the epoch is no longer ours."""
        ...

    async def release(self, epoch: int) -> None:
        """Give the lease back at a graceful stop, so that a standby takes over at once."""
        ...

    async def load(self, now: int) -> Loaded:
        """Read the committed state after `acquire`."""
        ...

    async def write(self, epoch: int, batch: Batch) -> None:
        """One statement, one commit, only under `epoch` (else Fenced). A data error raises Unstorable and
        writes nothing; a lost connection or a time-out raises StoreUnavailable and may have written all or
        nothing. Writing a batch again whose id was applied changes nothing and succeeds. Some of
        them may be in flight at a time; none waits for another then."""
        ...

    async def applied(self, batch_id: str) -> bool:
        """Whether a batch is committed. True answers are final; False is final only after `acquire`."""
        ...

    async def remembered(self, scope: str, id: str) -> bytes | None:
        """A reply given earlier, for ids the engine no longer holds in memory."""
        ...

    async def claim(self, epoch: int, now: int, lease_ms: int, limit: int) -> Sequence[OutboxRow]:
        """Unsent effects whose lease is over, oldest first; they are leased and their attempt is counted."""
        ...

    async def unclaim(self, epoch: int) -> None:
        """At a start: what a process before this one had claimed can be claimed again, without waiting."""
        ...

    async def settle(self, epoch: int, sent: Sequence[str], again: Sequence[tuple[str, int]]) -> None:
        """Forget what was sent or given up; free the others for another try at the given time."""
        ...

    async def site(self) -> Site | None:
        """The newest published site with every policy version ever pinned."""
        ...

    async def publish_site(self, body: bytes, policies: Sequence[tuple[str, int, bytes]], now: int) -> int:
        """Store a new site version; returns its number. Policies are (name, version, JSON)."""
        ...

    async def token(self, digest: bytes) -> Token | None:
        """The token with this digest, None when unknown or revoked."""
        ...

    async def tokens_otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        """The digests of those phones' secrets that are no longer so: revoked, or another person's now. One
        question for hundreds of phones."""
        ...

    async def add_tokens(self, tokens: Sequence[Token], now: int) -> None:
        """Store new tokens (only their digests); one that is known gets the scopes given."""
        ...

    async def alarm(self, id: str) -> tuple[Alarm, Sequence[TimelineEntry]] | None:
        """One alarm, open or ended, with its time line in order."""
        ...

    async def alarms(
        self,
        *,
        phase: str | None,
        units: Sequence[str] | None,
        source: str | None,
        limit: int,
        after: str | None,
    ) -> Sequence[Alarm]:
        """Newest first; `after` is the id of the last alarm of the page before."""
        ...

    async def trim(self, epoch: int, now: int) -> None:
        """Forget remembered replies older than 24 h and batch ids older than an hour."""
        ...

    async def close(self) -> None:
        """Close all connections; idempotent."""
        ...


class Change(Struct, frozen=True, gc=False):
    """What one commit did to one alarm, for those who render it."""

    before: Alarm | None
    after: Alarm


class SourceStatus(Struct):
    """What is known of a source's way in since the hub's start; instants in epoch ms, 0 = never."""

    source: str
    protocol: str
    connected: int = 0  # connections open now
    peer: str = ""
    up: bool = True
    last_signal_at: int = 0
    last_answer: str = ""  # in the protocol's own words
    last_answer_at: int = 0
    refused: int = 0
    last_refusal: str = ""
    last_refusal_at: int = 0


class Phones(Protocol):
    """The gateway as the engine sees it. Calls never block and never raise."""

    def refresh(self, changes: Sequence[Change]) -> None:
        """Committed: send each concerned phone its new view, and `gone` to those no longer told."""
        ...

    def storing(self, storing: bool) -> None:
        """Tell every phone whether answers can be stored."""
        ...


class PhoneWatch(Protocol):
    """Who supervises the phones, as the gateway sees it. Calls never block and never raise."""

    def hello(self, staff: str, device: str, app: str) -> None:
        """A phone said hello, with this version of its app ("" = it did not say)."""
        ...

    def status(self, staff: str, device: str, said: Said) -> None:
        """A phone said how it is. However often: the newest counts."""
        ...

    def warnings_of(self, staff: str) -> tuple[str, ...]:
        """What this person's phones show of what is wrong with phones, in plain words."""
        ...


class DeliveryFailed(Exception):
    """An outside party did not take what it was sent; may be tried again."""


class SignalOutcome(Struct, frozen=True, gc=False):
    """The answer to a source, after the commit. `alarm` None: an end or update without an open alarm."""

    alarm: str | None
    phase: str = ""
    new: bool = False
    note: str = ""  # e.g. reset_unclear, unknown_place


class AnswerOutcome(Struct, frozen=True, gc=False):
    """The answer to a person, after the commit. Errors are names from a closed list."""

    ok: bool
    error: str = ""
    retry: bool = False
    candidates: tuple[str, ...] = ()  # who could stand in, or take an alarm on, when somebody must be named
    alarms: tuple[str, ...] = ()  # those in hand that need a receiver


class NotStored(Exception):
    """The event was not stored within its time (database away, or queue full). Retry later."""

    def __init__(self, why: str, retry_after_s: int = 2) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The event can never be stored (poison): tell the sender it is invalid."""


class Intake(Protocol):
    """The engine as adapters and gateway see it. Both await the commit."""

    async def signal(self, signal: Any) -> SignalOutcome:
        """Take a core.events.Signal. Raises NotStored, Refused."""
        ...

    async def answer(
        self, *, staff: str, device: str, req: str, alarm: str, answer: str, rev: int, reason: str, via: str
    ) -> AnswerOutcome:
        """Take a person's answer. Raises NotStored, Refused."""
        ...

    def receipt(
        self, *, staff: str, device: str, alarm: str, rev: int, seen: bool, via: str = "socket"
    ) -> None:
        """A phone rang or was looked at; stored with the next batch, nobody waits for it. `via`: by which way
        the phone learned of the alarm (socket, webpush, apns, fcm)."""
        ...

    async def availability(
        self, *, staff: str, device: str, req: str, state: str, substitute: str = ""
    ) -> AnswerOutcome:
        """available, busy or break; part of the roster from its commit on. The last one of a unit needs a
        substitute (error last_one)."""
        ...

    async def duty(self, *, staff: str, said: Word, device: str = "", req: str = "") -> AnswerOutcome:
        """What a person says of being at work; part of the roster from its commit on. Errors: last_one,
        receiver_needed, not_in_site, not_signed_on. Raises NotStored, Refused."""
        ...


class Hooked(Struct, frozen=True):
    """What became of a notification posted to a webhook, after its commits.

    `answer`: stored; busy: not all of it could be stored, send it again; invalid: some of it never can be;
    malformed: `member` of it is not as `expected`. `alerts`: how many it told of.
    """

    answer: str
    alerts: int = 0
    member: str = ""
    expected: str = ""
    why: str = ""
    retry_after_s: int = 0


class Webhooks(Protocol):
    """The sources that post in a format of their own, as the API sees them."""

    def serves(self, source: str) -> bool:
        """Whether the settings have an `[[alertmanager]]` for this source."""
        ...

    async def alertmanager(self, source: str, body: bytes) -> Hooked:
        """Take one notification of a source that is served."""
        ...

    def turned_away(self, source: str, reason: str, detail: str) -> None:
        """The API refused a body of this source before it was read."""
        ...


class Desk(Protocol):
    """The committed state, for reading: what phones, pages and the API show. Never waits."""

    @property
    def storing(self) -> bool:
        """Whether the database takes writes."""
        ...

    def now(self) -> int:
        """The hub's clock, epoch ms."""
        ...

    def world(self) -> World:
        """Site, roster and reach of this instant."""
        ...

    def open_alarm(self, id: str) -> Alarm | None:
        """One open alarm."""
        ...

    def open_alarms(self) -> Collection[Alarm]:
        """All open alarms."""
        ...

    def shown_to(self, staff: str) -> Sequence[Alarm]:
        """The open alarms this person's phone shows now, most urgent first."""
        ...

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        """A device's reach changed (live on connect, recent when lost, none after the grace)."""
        ...

    def lost_many(self, at: int) -> None:
        """More than a fifth of the phones dropped within 5 s: grant the grace to everyone `recent`."""
        ...
