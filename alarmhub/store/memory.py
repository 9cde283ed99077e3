"""The store in memory: the same promises without a database, for virtual time, replay and tests.

Passes the contract tests PostgreSQL passes, refusals of data included. It keeps nothing beyond its process
and refuses to be a cache in front of anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.site import Site
from alarmhub.people import Device, DrillRow, PushTarget
from alarmhub.ports import (
    AlarmRow,
    AnsweredRow,
    Batch,
    EventRow,
    FactRow,
    Fenced,
    Lease,
    Loaded,
    OutboxRow,
    QuarantineRow,
    StoreUnavailable,
    TimelineEntry,
    Token,
    Unstorable,
)
from alarmhub.store import rows

_INT8 = range(-(2**63), 2**63)
_ENDED = "ended"


class Clock(Protocol):
    """Stands for the database's clock_timestamp()."""

    def now(self) -> int:
        """Epoch ms."""
        ...


class Tables(Struct):
    """What a database would hold; outlives the stores that work on it, so that a restart can be played."""

    epoch: int = 0
    owner: str = ""
    expires_at: int = 0
    renewed_at: int = 0
    batches: dict[str, int] = field(default_factory=dict)
    alarms: dict[str, AlarmRow] = field(default_factory=dict)
    events: dict[str, EventRow] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)
    leased_until: dict[str, int] = field(default_factory=dict)
    answered: dict[tuple[str, str], AnsweredRow] = field(default_factory=dict)
    facts: dict[tuple[str, str], FactRow] = field(default_factory=dict)
    rosters: dict[str, bytes] = field(default_factory=dict)
    quarantined: dict[str, QuarantineRow] = field(default_factory=dict)
    sites: list[bytes] = field(default_factory=list)
    site_at: int = 0
    policies: dict[tuple[str, int], bytes] = field(default_factory=dict)
    tokens: dict[bytes, Token] = field(default_factory=dict)
    tokens_version: int = 0
    devices: dict[str, Device] = field(default_factory=dict)
    drills: dict[str, DrillRow] = field(default_factory=dict)
    push_targets: dict[tuple[str, str], PushTarget] = field(default_factory=dict)


class MemoryStore:
    """See `ports.Store`. Two of them on the same `tables` are two processes on one database.

    `away`: while true every call raises StoreUnavailable, as with a stopped database.
    """

    def __init__(self, clock: Clock, tables: Tables | None = None) -> None:
        self.tables = Tables() if tables is None else tables
        self.away = False
        self._clock = clock
        self._can_write = False
        self._fail_next: bool | None = None

    def fail_next_write(self, *, applied: bool) -> None:
        """The next write raises StoreUnavailable, after it was applied or before."""
        self._fail_next = applied

    async def open(self) -> None:
        """Nothing to connect or to migrate."""
        self._reach()

    async def close(self) -> None:
        """See `ports.Store.close`."""
        self._can_write = False

    # -- the lease -------------------------------------------------------------------------------------------

    async def acquire(self, owner: str, ttl_ms: int) -> Lease | None:
        """See `ports.Store.acquire`."""
        self._reach()
        tables, now = self.tables, self._clock.now()
        if tables.expires_at > now and tables.owner != owner:
            return None
        tables.epoch += 1
        tables.owner = owner
        self._can_write = True
        return self._extend(ttl_ms)

    async def renew(self, epoch: int, ttl_ms: int) -> Lease:
        """See `ports.Store.renew`."""
        self._reach(epoch)
        return self._extend(ttl_ms)

    async def release(self, epoch: int) -> None:
        """See `ports.Store.release`."""
        self._reach()
        if epoch == self.tables.epoch:
            self.tables.expires_at = 0

    # -- writing ---------------------------------------------------------------------------------------------

    async def write(self, epoch: int, batch: Batch) -> None:
        """See `ports.Store.write`."""
        rows.check(batch)
        await asyncio.sleep(0)  # no database answers at once
        try:
            self._reach()
            if not self._can_write:
                raise StoreUnavailable("the lease must be acquired again first")
            failing, self._fail_next = self._fail_next, None
            if failing is False:
                raise StoreUnavailable("lost before the commit")
            self._refuse_wrong_types(batch)
            self._reach(epoch)
            if batch.id not in self.tables.batches:
                self._refuse_doubles(batch)
                self._apply(batch)
            if failing:
                raise StoreUnavailable("lost after the commit")
        except StoreUnavailable:
            self._can_write = False
            raise

    async def applied(self, batch_id: str) -> bool:
        """See `ports.Store.applied`."""
        self._reach()
        return batch_id in self.tables.batches

    async def unclaim(self, epoch: int) -> None:
        """See `ports.Store.unclaim`."""
        self._reach(epoch)
        self.tables.leased_until = dict.fromkeys(self.tables.leased_until, 0)

    async def claim(self, epoch: int, now: int, lease_ms: int, limit: int) -> Sequence[OutboxRow]:
        """See `ports.Store.claim`."""
        self._reach(epoch)
        claimed: list[OutboxRow] = []
        waiting: set[tuple[str, str]] = set()
        for id, row in sorted(self.tables.outbox.items()):
            address = (row.channel, row.address)
            if self.tables.leased_until[id] > now:
                waiting.add(address)
            elif address not in waiting and len(claimed) < limit:
                claimed.append(msgspec.structs.replace(row, attempt=row.attempt + 1))
        for row in claimed:
            self.tables.outbox[row.id] = row
            self.tables.leased_until[row.id] = now + lease_ms
        return claimed

    async def settle(self, epoch: int, sent: Sequence[str], again: Sequence[tuple[str, int]]) -> None:
        """See `ports.Store.settle`."""
        self._reach(epoch)
        for id in sent:
            self.tables.outbox.pop(id, None)
            self.tables.leased_until.pop(id, None)
        for id, at in again:
            if id in self.tables.outbox:
                self.tables.leased_until[id] = at

    async def trim(self, epoch: int, now: int) -> None:
        """See `ports.Store.trim`."""
        self._reach(epoch)
        tables = self.tables
        tables.answered = {k: r for k, r in tables.answered.items() if r.at >= now - rows.REPLIES_KEPT_MS}
        tables.batches = {k: at for k, at in tables.batches.items() if at >= now - rows.BATCHES_KEPT_MS}

    # -- reading ---------------------------------------------------------------------------------------------

    async def load(self, now: int) -> Loaded:
        """See `ports.Store.load`."""
        self._reach()
        tables = self.tables
        is_open = [row for row in tables.alarms.values() if row.phase != _ENDED]
        ended = [
            row
            for row in tables.alarms.values()
            if row.phase == _ENDED and row.at >= now - rows.ENDED_RECENTLY_MS
        ]
        replies = [row for row in tables.answered.values() if row.at >= now - rows.REPLIES_KEPT_MS]
        replies.sort(key=lambda row: (-row.at, row.scope, row.id))
        return Loaded(
            alarms=_decoded(sorted(is_open, key=lambda row: (row.raised_at, row.id))),
            site=await self.site(),
            facts=[fact for _, fact in sorted(tables.facts.items())],
            outbox=[row for _, row in sorted(tables.outbox.items())],
            answered=replies[: rows.REPLIES_LOADED],
            ended_recently=_decoded(sorted(ended, key=lambda row: (row.at, row.id))),
            answered_complete=len(replies) <= rows.REPLIES_LOADED,
            site_at=tables.site_at,
        )

    async def remembered(self, scope: str, id: str) -> bytes | None:
        """See `ports.Store.remembered`."""
        self._reach()
        row = self.tables.answered.get((scope, id))
        return None if row is None else row.answer

    async def site(self) -> Site | None:
        """See `ports.Store.site`."""
        self._reach()
        sites = self.tables.sites
        if not sites:
            return None
        policies = ((name, version, body) for (name, version), body in sorted(self.tables.policies.items()))
        return rows.whole_site(len(sites), sites[-1], policies)

    async def alarm(self, id: str) -> tuple[Alarm, Sequence[TimelineEntry]] | None:
        """See `ports.Store.alarm`."""
        self._reach()
        row = self.tables.alarms.get(id)
        if row is None:
            return None
        # A stable sort: within one instant the order of writing holds.
        events = sorted(
            (event for event in self.tables.events.values() if event.alarm == id),
            key=lambda event: (event.version, event.at),
        )
        return rows.decode_alarm(row.body), [_entry(event) for event in events]

    async def alarms(
        self,
        *,
        phase: str | None,
        units: Sequence[str] | None,
        source: str | None,
        limit: int,
        after: str | None,
    ) -> Sequence[Alarm]:
        """See `ports.Store.alarms`."""
        self._reach()
        newest = sorted(self.tables.alarms.values(), key=lambda row: (row.raised_at, row.id), reverse=True)
        if after is not None:
            places = [index for index, row in enumerate(newest) if row.id == after]
            newest = newest[places[0] + 1 :] if places else []
        found = [
            row
            for row in newest
            if (phase is None or row.phase == phase)
            and (units is None or row.unit in units)
            and (source is None or row.source == source)
        ]
        return _decoded(found[:limit])

    # -- site and tokens -------------------------------------------------------------------------------------

    async def publish_site(self, body: bytes, policies: Sequence[tuple[str, int, bytes]], now: int) -> int:
        """See `ports.Store.publish_site`. Raises Unstorable if a published policy version would change."""
        self._reach()
        _refuse_bad_json([body, *(text for _, _, text in policies)])
        read = msgspec.json.decode
        for name, version, text in policies:
            if read(self.tables.policies.get((name, version), text)) != read(text):
                raise Unstorable(f"policy {name} version {version} is published with other content")
        self.tables.policies.update({(name, version): text for name, version, text in policies})
        self.tables.sites.append(body)
        self.tables.site_at = now
        return len(self.tables.sites)

    async def token(self, digest: bytes) -> Token | None:
        """See `ports.Store.token`."""
        self._reach()
        return self.tables.tokens.get(digest)

    async def tokens_otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        """See `ports.Store.tokens_otherwise`."""
        self._reach()
        known = self.tables.tokens
        return [
            t.digest
            for t in believed
            if (now := known.get(t.digest)) is None
            or (now.kind, now.subject, now.device) != ("phone", t.subject, t.device)
        ]

    async def add_tokens(self, tokens: Sequence[Token], now: int) -> None:
        """See `ports.Store.add_tokens`."""
        self._reach()
        given = {token.digest: token for token in tokens}
        if len(given) < len(tokens):
            raise Unstorable("a token twice")
        known = self.tables.tokens
        for digest, token in given.items():
            known[digest] = replace(known.get(digest, token), scopes=token.scopes)
        self.tables.tokens_version += 1

    # -- inside ----------------------------------------------------------------------------------------------

    def _reach(self, epoch: int | None = None) -> None:
        if self.away:
            raise StoreUnavailable("away")
        if epoch is not None and epoch != self.tables.epoch:
            raise Fenced

    def _extend(self, ttl_ms: int) -> Lease:
        tables, now = self.tables, self._clock.now()
        tables.expires_at, tables.renewed_at = now + ttl_ms, now
        return Lease(
            epoch=tables.epoch,
            database_now=now,
            site_version=len(tables.sites),
            tokens_version=tables.tokens_version,
        )

    def _refuse_wrong_types(self, batch: Batch) -> None:
        """What PostgreSQL's column types refuse."""
        for row in _all_rows(batch):
            for value in msgspec.structs.astuple(row):
                if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
                    raise Unstorable("text PostgreSQL cannot hold")
                if isinstance(value, int) and value not in _INT8:
                    raise Unstorable("a number out of range")
        _refuse_bad_json(rows.bodies(batch))

    def _refuse_doubles(self, batch: Batch) -> None:
        """What PostgreSQL's keys refuse."""
        tables = self.tables
        for ids, known in (
            ([row.id for row in batch.alarms], ()),
            ([row.id for row in batch.events], tables.events),
            ([row.id for row in batch.outbox], tables.outbox),
            ([row.id for row in batch.quarantined], tables.quarantined),
        ):
            if len(set(ids)) < len(ids) or any(id in known for id in ids):
                raise Unstorable("an id twice")

    def _apply(self, batch: Batch) -> None:
        tables = self.tables
        tables.batches[batch.id] = tables.renewed_at
        for alarm in batch.alarms:
            known = tables.alarms.get(alarm.id)
            if known is None or known.version < alarm.version:
                tables.alarms[alarm.id] = alarm
        tables.events.update({row.id: row for row in batch.events})
        for effect in batch.outbox:
            tables.outbox[effect.id] = effect
            tables.leased_until[effect.id] = effect.give_up_at if effect.attempt else 0
        for reply in batch.answered:
            tables.answered.setdefault((reply.scope, reply.id), reply)
        kept, forgotten = rows.last_facts(batch.facts)
        for fact in kept:
            tables.facts[fact.scope, fact.key] = fact
        for fact in forgotten:
            tables.facts.pop((fact.scope, fact.key), None)
        for hash, body in batch.rosters:
            tables.rosters.setdefault(hash, body)
        tables.quarantined.update({row.id: row for row in batch.quarantined})


def _all_rows(batch: Batch) -> Iterable[Any]:
    for part in (batch.alarms, batch.events, batch.outbox, batch.answered, batch.facts, batch.quarantined):
        yield from part


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_bad_json(bodies: Iterable[bytes]) -> None:
    for body in bodies:
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unstorable("no JSON") from error


def _decoded(found: Iterable[AlarmRow]) -> list[Alarm]:
    return [rows.decode_alarm(row.body) for row in found]


def _entry(event: EventRow) -> TimelineEntry:
    read = msgspec.json.decode
    return TimelineEntry(
        id=event.id,
        version=event.version,
        at=event.at,
        received_at=event.received_at,
        type=event.type,
        phase=event.phase,
        body=read(event.body),
        reasons=read(event.reasons),
        roster=event.roster,
    )
