"""The store on PostgreSQL: one statement per batch on a connection of its own, fenced by the lease.

Three kinds of connection: a few that write batches (one beside the other), one for the lease (a renewal must
not queue behind a slow read), and a small pool for everything else. It refuses to retry: after
StoreUnavailable the caller acquires again, which reconnects and waits for what the lost connection may still
be writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from alarmhub.core.alarm import Alarm
from alarmhub.core.site import Site
from alarmhub.ports import (
    AnsweredRow,
    Batch,
    FactRow,
    Fenced,
    Lease,
    Loaded,
    OutboxRow,
    StoreUnavailable,
    TimelineEntry,
    Token,
    Unstorable,
)
from alarmhub.store import rows
from alarmhub.store.condition import Condition, condition_of
from alarmhub.store.connections import WrongServer, connect, translated
from alarmhub.store.migrate import migrate
from alarmhub.store.queries import QUERIES

COMMAND_WITHIN_S = 2.0
READ_WITHIN_S = 5.0
LOAD_WITHIN_S = 30.0
CLOSE_WITHIN_S = 1.0
POOL_MAX = 3
WRITERS = 3
"""Batches written at a time: the writer's, and the presses beside it."""

_astuple = msgspec.structs.astuple
_NO_REPLY = (None,) * 4
_NO_EFFECT = (None,) * 8


class _Writing:
    """One connection that writes batches, its prepared statements, and whose turn it is."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.statements: dict[str, Any] = {}
        self.lock = asyncio.Lock()

    @property
    def connected(self) -> bool:
        return self.connection is not None and not self.connection.is_closed()

    def terminate(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.terminate()


class PostgresStore:
    """See `ports.Store`. One shard per database; `shard` names its lease."""

    def __init__(self, dsn: str, *, shard: str = "main", command_timeout_s: float = COMMAND_WITHIN_S) -> None:
        """`command_timeout_s`: for a batch, a renewal or a takeover; past it the store is unavailable."""
        self._dsn = dsn
        self._shard = shard
        self._within_s = command_timeout_s
        self._writers = tuple(_Writing() for _ in range(WRITERS))
        self._leaser: Any = None
        self._suspect = False
        self._pool: Any = None
        self._leasing = asyncio.Lock()

    async def open(self) -> None:
        """Connect and migrate; may be called again after a failure.

        Raises StoreUnavailable, connections.WrongServer, migrate.SchemaMismatch.
        """
        if self._pool is None:
            connection = await connect(self._dsn)
            try:
                with translated():
                    await migrate(connection)
                    other = await connection.fetchval(QUERIES["other_shard"], self._shard)
                if other is not None:
                    raise WrongServer(f"the database belongs to shard {other}, not to {self._shard}")
            finally:
                connection.terminate()
            self._pool = asyncpg.create_pool(
                self._dsn, min_size=0, max_size=POOL_MAX, max_inactive_connection_lifetime=0, reset=_no_reset,
                connect=self._connect,
            )  # fmt: skip
            await self._pool  # opens no connection yet

    async def close(self) -> None:
        """Close all connections; idempotent."""
        pool, self._pool = self._pool, None
        for writing in self._writers:
            writing.terminate()
        if self._leaser is not None:
            self._leaser.terminate()
        self._leaser = None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), CLOSE_WITHIN_S)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()

    # -- the lease -------------------------------------------------------------------------------------------

    async def acquire(self, owner: str, ttl_ms: int) -> Lease | None:
        """See `ports.Store.acquire`. Also (re)connects the writing connections."""
        async with self._lease_connection(afresh=self._suspect) as connection:
            await connection.execute(QUERIES["acquire_make"], self._shard)
            seen = await connection.fetchval(QUERIES["acquire_look"], self._shard, owner)
            if seen is None:
                return None
            row = await connection.fetchrow(QUERIES["acquire"], self._shard, owner, ttl_ms, seen)
        if row is None:
            return None
        for writing in self._writers:
            async with writing.lock:
                if self._suspect:
                    writing.terminate()
                await self._connect_writer(writing)
        self._suspect = False
        return Lease(**row)

    async def renew(self, epoch: int, ttl_ms: int) -> Lease:
        """See `ports.Store.renew`."""
        async with self._lease_connection() as connection:
            row = await connection.fetchrow(QUERIES["renew"], self._shard, epoch, ttl_ms)
        if row is None:
            raise Fenced
        return Lease(**row)

    async def release(self, epoch: int) -> None:
        """See `ports.Store.release`."""
        async with self._lease_connection() as connection:
            await connection.execute(QUERIES["release"], self._shard, epoch)

    # -- writing ---------------------------------------------------------------------------------------------

    async def write(self, epoch: int, batch: Batch) -> None:
        """See `ports.Store.write`."""
        rows.check(batch)
        writing = next((one for one in self._writers if not one.lock.locked()), self._writers[0])
        async with writing.lock:
            if not writing.connected:
                await self._expire()
                raise StoreUnavailable("the lease must be acquired again first")
            name, values = _statement(batch)
            try:
                with translated():
                    held = await writing.statements[name].fetchval(
                        self._shard, epoch, batch.id, *values, timeout=self._within_s
                    )
            except Unstorable:
                raise
            except BaseException:
                # Whether it was applied is unknown now, and a cancelled one must not be answered later.
                writing.terminate()
                await self._expire()
                raise
        if not held:
            raise Fenced

    async def applied(self, batch_id: str) -> bool:
        """See `ports.Store.applied`."""
        async with self.reading() as connection:
            return bool(await connection.fetchval(QUERIES["applied"], batch_id))

    async def unclaim(self, epoch: int) -> None:
        """See `ports.Store.unclaim`."""
        async with self.reading() as connection:
            held = await connection.fetchval(QUERIES["unclaim"], self._shard, epoch)
        if not held:
            raise Fenced

    async def claim(self, epoch: int, now: int, lease_ms: int, limit: int) -> Sequence[OutboxRow]:
        """See `ports.Store.claim`."""
        async with self.reading() as connection:
            found = await connection.fetch(QUERIES["claim"], self._shard, epoch, now, lease_ms, limit)
        if not found:
            raise Fenced
        # The last row says only that the lease is held.
        return [OutboxRow(**row) for row in found[:-1]]

    async def settle(self, epoch: int, sent: Sequence[str], again: Sequence[tuple[str, int]]) -> None:
        """See `ports.Store.settle`."""
        ids, times = rows.columns(again, 2)
        async with self.reading() as connection:
            held = await connection.fetchval(QUERIES["settle"], self._shard, epoch, list(sent), ids, times)
        if not held:
            raise Fenced

    async def trim(self, epoch: int, now: int) -> None:
        """See `ports.Store.trim`."""
        oldest = (now - rows.REPLIES_KEPT_MS, now - rows.BATCHES_KEPT_MS)
        async with self.reading(LOAD_WITHIN_S) as connection:
            held = await connection.fetchval(
                QUERIES["trim"], self._shard, epoch, *oldest, timeout=LOAD_WITHIN_S
            )
        if not held:
            raise Fenced

    # -- reading ---------------------------------------------------------------------------------------------

    async def load(self, now: int) -> Loaded:
        """See `ports.Store.load`."""
        async with self.reading(LOAD_WITHIN_S) as connection:
            alarms = await connection.fetch(QUERIES["load_open"], timeout=LOAD_WITHIN_S)
            ended = await connection.fetch(QUERIES["load_ended"], now - rows.ENDED_RECENTLY_MS)
            facts = await connection.fetch(QUERIES["load_facts"], timeout=LOAD_WITHIN_S)
            outbox = await connection.fetch(QUERIES["load_outbox"], timeout=LOAD_WITHIN_S)
            since, most = now - rows.REPLIES_KEPT_MS, rows.REPLIES_LOADED
            answered = await connection.fetch(QUERIES["load_answered"], since, most + 1)
            site_at = await connection.fetchval(QUERIES["site_at"])
        return Loaded(
            alarms=[rows.decode_alarm(row[0]) for row in alarms],
            site=await self.site(),
            facts=[FactRow(**row) for row in facts],
            outbox=[OutboxRow(**row) for row in outbox],
            answered=[AnsweredRow(**row) for row in answered[:most]],
            ended_recently=[rows.decode_alarm(row[0]) for row in ended],
            answered_complete=len(answered) <= most,
            site_at=site_at or 0,
        )

    async def remembered(self, scope: str, id: str) -> bytes | None:
        """See `ports.Store.remembered`."""
        async with self.reading() as connection:
            answer: bytes | None = await connection.fetchval(QUERIES["remembered"], scope, id)
            return answer

    async def site(self) -> Site | None:
        """See `ports.Store.site`."""
        async with self.reading() as connection:
            newest = await connection.fetchrow(QUERIES["site"])
            policies = await connection.fetch(QUERIES["policies"])
        return None if newest is None else rows.whole_site(newest["version"], newest["body"], policies)

    async def alarm(self, id: str) -> tuple[Alarm, Sequence[TimelineEntry]] | None:
        """See `ports.Store.alarm`."""
        async with self.reading() as connection:
            body = await connection.fetchval(QUERIES["alarm"], id)
            events = await connection.fetch(QUERIES["timeline"], id)
        return None if body is None else (rows.decode_alarm(body), [_entry(row) for row in events])

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
        only = None if units is None else list(units)
        async with self.reading() as connection:
            found = await connection.fetch(QUERIES["alarms"], phase, only, source, limit, after)
        return [rows.decode_alarm(row[0]) for row in found]

    async def condition(self, since: int) -> Condition:
        """How the database is; newest alarms are looked for from `since` (epoch ms) on."""
        async with self.reading() as connection:
            return await condition_of(connection, self._shard, since)

    # -- site and tokens -------------------------------------------------------------------------------------

    async def publish_site(self, body: bytes, policies: Sequence[tuple[str, int, bytes]], now: int) -> int:
        """See `ports.Store.publish_site`. Raises Unstorable if a published policy version would change."""
        async with self.reading() as connection, connection.transaction():
            await connection.execute(QUERIES["publish_lock"])
            changed = await connection.fetch(QUERIES["publish_policies"], *rows.columns(policies, 3))
            if changed:
                name, version = changed[0]
                raise Unstorable(f"policy {name} version {version} is published with other content")
            return int(await connection.fetchval(QUERIES["publish_site"], now, body))

    async def token(self, digest: bytes) -> Token | None:
        """See `ports.Store.token`."""
        async with self.reading() as connection:
            row = await connection.fetchrow(QUERIES["token"], digest)
        return None if row is None else Token(**{**row, "scopes": tuple(row["scopes"])})

    async def add_tokens(self, tokens: Sequence[Token], now: int) -> None:
        """See `ports.Store.add_tokens`."""
        given = rows.columns(((t.digest, t.kind, t.subject, " ".join(t.scopes)) for t in tokens), 4)
        async with self.reading() as connection:
            await connection.execute(QUERIES["add_tokens"], *given, now)

    async def tokens_otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        """See `ports.Store.tokens_otherwise`."""
        given = rows.columns(((t.digest, t.subject, t.device) for t in believed), 3)
        async with self.reading() as connection:
            return [row[0] for row in await connection.fetch(QUERIES["tokens_otherwise"], *given)]

    # -- connections -----------------------------------------------------------------------------------------

    async def _connect(self, *_: object, **options: Any) -> Any:
        # The pool hands over its own idea of where to connect; hosts are chosen here.
        kept = {name: options[name] for name in ("loop", "connection_class", "record_class")}
        return await connect(self._dsn, command_timeout=READ_WITHIN_S, **kept)

    async def _connect_writer(self, writing: _Writing) -> None:
        if writing.connected:
            return
        connection = await connect(self._dsn, command_timeout=self._within_s)
        with translated():
            for name in ("write_first", "write_one", "write", "write_rare"):
                writing.statements[name] = await connection.prepare(QUERIES[name])
            # One plan for ever: planning these statements costs more than running them. And not before them:
            # preparing leaves a transaction open, with locks on every table, until the next command.
            await connection.execute(QUERIES["plan_once"])
        writing.connection = connection

    @asynccontextmanager
    async def _lease_connection(self, *, afresh: bool = False) -> AsyncIterator[Any]:
        async with self._leasing:
            if afresh and self._leaser is not None:
                self._leaser.terminate()
            if self._leaser is None or self._leaser.is_closed():
                self._leaser = await connect(self._dsn, command_timeout=self._within_s)
            try:
                with translated():
                    yield self._leaser
            except BaseException:
                self._leaser.terminate()
                self._leaser = None
                await self._expire()
                raise

    @asynccontextmanager
    async def reading(self, within_s: float = READ_WITHIN_S) -> AsyncIterator[Any]:
        """A connection of the pool."""
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        try:
            with translated():
                async with self._pool.acquire(timeout=within_s) as connection:
                    try:
                        yield connection
                    except (OSError, TimeoutError, asyncio.CancelledError):
                        # Given back in the midst of a statement it is waited for while the server hangs.
                        connection.terminate()
                        raise
        except StoreUnavailable:
            await self._expire()
            raise

    async def _expire(self) -> None:
        """One connection was lost: the others are as old."""
        self._suspect = True
        if self._pool is not None:
            await self._pool.expire_connections()


async def _no_reset(connection: Any) -> None:
    """Nothing to reset: no query here leaves anything behind in its session."""


def _statement(batch: Batch) -> tuple[str, Sequence[Any]]:
    """The cheapest statement that holds the batch, and its values from $4 on."""
    if batch.facts or batch.rosters or batch.quarantined:
        return "write_rare", [*_core_columns(batch), *_rare_columns(batch)]
    if len(batch.alarms) == len(batch.events) == 1 and len(batch.answered) < 2 and len(batch.outbox) < 2:
        alarm, event = batch.alarms[0], batch.events[0]
        if alarm.version == 1 and event.id == batch.id and not batch.answered and not batch.outbox:
            return "write_first", [*_astuple(alarm), *_astuple(event)[1:]]
        return "write_one", _only_values(batch)
    return "write", _core_columns(batch)


def _only_values(batch: Batch) -> list[Any]:
    """$4 to $38 of write_one."""
    return [
        *_astuple(batch.alarms[0]),
        *_astuple(batch.events[0]),
        *(_astuple(batch.answered[0]) if batch.answered else _NO_REPLY),
        *(_astuple(batch.outbox[0]) if batch.outbox else _NO_EFFECT),
    ]


def _core_columns(batch: Batch) -> list[list[Any]]:
    """$4 to $38 of the others."""
    return [
        *rows.columns(map(_astuple, batch.alarms), 13),
        *rows.columns(map(_astuple, batch.events), 10),
        *rows.columns(map(_astuple, batch.answered), 4),
        *rows.columns(map(_astuple, batch.outbox), 8),
    ]


def _rare_columns(batch: Batch) -> list[list[Any]]:
    """$39 to $51."""
    kept, forgotten = rows.last_facts(batch.facts)
    return [
        *rows.columns(map(_astuple, kept), 4),
        *rows.columns(((fact.scope, fact.key) for fact in forgotten), 2),
        *rows.columns(dict(batch.rosters).items(), 2),
        *rows.columns(map(_astuple, batch.quarantined), 5),
    ]


def _entry(row: Any) -> TimelineEntry:
    read = msgspec.json.decode
    return TimelineEntry(**{**row, "body": read(row["body"]), "reasons": read(row["reasons"])})
