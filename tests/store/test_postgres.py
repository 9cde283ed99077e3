"""What only PostgreSQL can get wrong: statements in flight, lost and late connections, the log, speed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.ports import AnsweredRow, Batch, Fenced, StoreUnavailable, Token
from alarmhub.store.connections import WrongServer
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.queries import QUERIES
from alarmhub.tasks import Crew, spawn
from tests.support.stored import HOUR, NOW, alarm, alarm_row, batch, effect_row, event_row, raised
from tests.support.waiting import until

HELD_UP = "held-up"


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[PostgresStore]:
    """One open store, with a short deadline."""
    store = PostgresStore(database_dsn, command_timeout_s=0.5)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def patient(database_dsn: str) -> AsyncIterator[PostgresStore]:
    """The same, in no hurry."""
    store = PostgresStore(database_dsn, command_timeout_s=5)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def standby(database_dsn: str) -> AsyncIterator[PostgresStore]:
    """A second process on the same database."""
    store = PostgresStore(database_dsn, command_timeout_s=5)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def psql(database_dsn: str) -> AsyncIterator[Any]:
    """Somebody else's connection."""
    connection = await asyncpg.connect(database_dsn, command_timeout=5)
    yield connection
    await connection.close()


@pytest.fixture
async def hold_up(database_dsn: str) -> AsyncIterator[Callable[[], Any]]:
    """Inside `async with hold_up():` a batch with the event HELD_UP waits half-way, as on a stalled disk."""
    connection = await asyncpg.connect(database_dsn, command_timeout=5)

    @asynccontextmanager
    async def held_up() -> AsyncIterator[None]:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO event VALUES ($1, '', 0, 0, 0, '', '{}', '{}', '', '', 0)", HELD_UP
        )
        try:
            yield
        finally:
            await transaction.rollback()

    yield held_up
    await connection.close()


def slow(call: Alarm) -> Batch:
    """A batch that stops half-way while it is held up."""
    return batch(alarms=[alarm_row(call)], events=[event_row(call.id, id=HELD_UP)])


def _waiting(psql: Any, count: int) -> Any:
    """How many backends wait for a lock, as a condition."""

    async def is_so() -> bool:
        waiting = await psql.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        return bool(waiting == count)

    return is_so


async def test_a_takeover_waits_for_the_batch_in_flight(
    patient: PostgresStore, standby: PostgresStore, psql: Any, hold_up: Any, crew: Crew
) -> None:
    """So that the new one reads what the old one was told is stored."""
    lease = await patient.acquire("first", 1)
    assert lease is not None
    async with hold_up():
        writing = spawn(patient.write(lease.epoch, slow(alarm("a"))), "write", crew, ends=True)
        await until(_waiting(psql, 1), "the batch to be half-way")
        taking = spawn(standby.acquire("second", 60_000), "acquire", crew, ends=True)
        await until(_waiting(psql, 2), "the takeover to wait")
        assert not writing.done() and not taking.done()

    await writing
    assert (await taking) is not None
    assert [a.id for a in (await standby.load(NOW)).alarms] == ["a"]


async def test_a_renewal_does_not_wait_for_the_batch_in_flight(
    store: PostgresStore, psql: Any, hold_up: Any, crew: Crew
) -> None:
    """Nor the batch for a renewal: a slow disk must not cost the lease."""
    lease = await store.acquire("first", 1500)
    assert lease is not None
    async with hold_up():
        writing = spawn(store.write(lease.epoch, slow(alarm("a"))), "write", crew, ends=True)
        await until(_waiting(psql, 1), "the batch to be half-way")

        await store.renew(lease.epoch, 1500)

        assert not writing.done()
    await writing


async def test_a_store_that_waits_holds_no_locks(store: PostgresStore, psql: Any) -> None:
    """Or a newer version's migration would wait for this one's next alarm."""
    assert await store.acquire("first", 60_000) is not None
    await store.load(NOW)

    async with psql.transaction():
        await psql.execute("LOCK TABLE alarm, event, outbox, lease IN ACCESS EXCLUSIVE MODE NOWAIT")


async def test_after_a_timeout_the_truth_is_known_once_the_lease_is_held_again(
    store: PostgresStore, psql: Any, hold_up: Any, crew: Crew
) -> None:
    """A batch that took too long is applied or not; acquiring waits until that is decided."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    given = slow(alarm("a"))
    async with hold_up():
        with pytest.raises(StoreUnavailable):
            await store.write(lease.epoch, given)
        with pytest.raises(StoreUnavailable):
            await store.write(lease.epoch, raised(alarm("b")))

    again = await store.acquire("first", 60_000)

    assert again is not None and again.epoch > lease.epoch
    applied = await store.applied(given.id)
    assert applied == (len((await store.load(NOW)).alarms) == 1)
    await store.write(again.epoch, given)
    assert [a.id for a in (await store.load(NOW)).alarms] == ["a"]


async def test_acquiring_has_a_deadline(store: PostgresStore, psql: Any) -> None:
    """It gives up rather than hang, and an attempt given up takes nothing from the next."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    async with psql.transaction():
        await psql.execute("SELECT 1 FROM lease FOR UPDATE")
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.acquire("first", 60_000)
        assert time.monotonic() - begun < 3

    again = await store.acquire("first", 60_000)
    assert again is not None
    await until(_waiting(psql, 0), "the attempt given up to end")
    await store.write(again.epoch, raised(alarm("a")))


async def test_an_attempt_given_up_takes_nothing_from_the_next(store: PostgresStore, psql: Any) -> None:
    """Its statement may run after all, when the server wakes up: it no longer finds the epoch it saw."""
    seen = await store.acquire("first", 60_000)
    held = await store.acquire("first", 60_000)
    assert seen is not None and held is not None

    assert await psql.fetchrow(QUERIES["acquire"], "main", "first", 60_000, seen.epoch) is None

    await store.write(held.epoch, raised(alarm("a")))


async def test_a_batch_that_arrives_late_is_fenced(store: PostgresStore, psql: Any) -> None:
    """Its backend slept while the lease moved on: waking up, it writes nothing."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    late = raised(alarm("late"))
    backend = store._writers[0].connection.get_server_pid()
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable):
            await store.write(lease.epoch, late)
        again = await store.acquire("first", 60_000)
    finally:
        os.kill(backend, signal.SIGCONT)

    assert again is not None
    await until(lambda: _gone(psql, backend), "the late backend to end")
    assert not await store.applied(late.id)


async def _gone(psql: Any, backend: int) -> bool:
    return await psql.fetchval("SELECT 1 FROM pg_stat_activity WHERE pid = $1", backend) is None


async def test_a_lost_server_connection_is_replaced(store: PostgresStore, psql: Any) -> None:
    """The batch under way is of unknown fate; the next acquire makes all connections anew."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.load(NOW)
    await psql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'alarmhub' AND datname = current_database()"
    )

    with pytest.raises(StoreUnavailable):
        await store.write(lease.epoch, raised(alarm("a")))
    again = await store.acquire("first", 60_000)

    assert again is not None
    await store.write(again.epoch, raised(alarm("a")))
    assert [a.id for a in (await store.load(NOW)).alarms] == ["a"]


async def test_a_cancelled_write_leaves_no_answer_for_the_next(
    store: PostgresStore, psql: Any, hold_up: Any, crew: Crew
) -> None:
    """Its connection is given up with it."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    async with hold_up():
        writing = spawn(store.write(lease.epoch, slow(alarm("a"))), "write", crew, ends=True)
        await until(_waiting(psql, 1), "the batch to be half-way")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        with pytest.raises(StoreUnavailable):
            await store.write(lease.epoch, raised(alarm("b")))

    again = await store.acquire("first", 60_000)
    assert again is not None
    await store.write(again.epoch, raised(alarm("c")))


async def test_without_a_server_it_says_so(tmp_path: Any) -> None:
    """Opening, and everything on a store that is not open."""
    store = PostgresStore(f"postgresql://nobody@/x?host={tmp_path}")

    with pytest.raises(StoreUnavailable):
        await store.open()
    with pytest.raises(StoreUnavailable):
        await store.load(NOW)
    with pytest.raises(StoreUnavailable):
        await store.acquire("first", 1000)
    await store.close()


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE event SET reasons = '[]'",
        "DELETE FROM event",
        "TRUNCATE event",
        "DELETE FROM event WHERE false",
    ],
)
async def test_the_log_is_not_edited(store: PostgresStore, psql: Any, edit: str) -> None:
    """ward.md, never possible 11: not even by whoever has psql."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.write(lease.epoch, raised(alarm("a")))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await psql.execute(edit)

    assert await psql.fetchval("SELECT count(*) FROM event") == 1


async def test_alarms_can_be_read_by_people(store: PostgresStore, psql: Any) -> None:
    """The view shows dates, and the words of the alarm."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.write(lease.epoch, raised(alarm("a", text="Sal 12 plats 2")))

    row = await psql.fetchrow("SELECT * FROM alarm_readable WHERE id = 'a'")

    assert (row["text"], row["phase"], row["ended"]) == ("Sal 12 plats 2", "ringing", None)
    assert row["raised"].isoformat() == "2026-09-14T07:00:00+00:00"
    assert row["next_deadline"].isoformat() == "2026-09-14T07:00:45+00:00"


async def test_a_revoked_token_is_unknown_and_the_hub_is_told(store: PostgresStore, psql: Any) -> None:
    """Revoking is one UPDATE."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.add_tokens([Token(digest=b"1" * 32, kind="phone", subject="berit")], NOW)
    before = await store.renew(lease.epoch, 60_000)

    await psql.execute("UPDATE token SET revoked = true WHERE subject = 'berit'")

    assert await store.token(b"1" * 32) is None
    assert (await store.renew(lease.epoch, 60_000)).tokens_version > before.tokens_version


async def test_changing_an_open_alarm_touches_no_index(store: PostgresStore, psql: Any) -> None:
    """Updates stay in their page (HOT) until the end; otherwise a busy night bloats every index."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    phases = [Phase.RINGING, Phase.ACCEPTED, Phase.ATTENDED, Phase.RINGING]
    for version, phase in enumerate(phases, start=1):
        row = alarm_row(alarm("a", version=version, phase=phase, at=NOW + version))
        await store.write(lease.epoch, batch(alarms=[row]))
    await store.close()

    async def counted() -> Any:
        await psql.execute("SELECT pg_stat_clear_snapshot()")
        row = await psql.fetchrow("SELECT * FROM pg_stat_user_tables WHERE relname = 'alarm'")
        return row if row["n_tup_upd"] else None

    row = await until(counted, "the statistics")
    assert (row["n_tup_upd"], row["n_tup_hot_upd"]) == (3, 3)


async def test_ten_thousand_open_alarms_load_in_a_second(store: PostgresStore) -> None:
    """Restart serves within 2 s; reading the state is the smaller part of it."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    for _ in range(40):
        await store.write(lease.epoch, raised(*(alarm(text="x" * 100) for _ in range(250))))

    begun = time.monotonic()
    loaded = await store.load(NOW)

    assert len(loaded.alarms) == 10_000
    assert time.monotonic() - begun < 1


async def test_a_full_batch_goes_through_with_all_its_parts(store: PostgresStore) -> None:
    """256 alarms with two events, an effect and a reply each."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    calls = [alarm() for _ in range(256)]
    full = batch(
        alarms=[alarm_row(call) for call in calls],
        events=[event_row(call.id) for call in calls for _ in range(2)],
        outbox=[effect_row(alarm=call.id) for call in calls],
        answered=[AnsweredRow(scope="source:plant", id=call.id, at=NOW, answer=b"{}") for call in calls],
    )

    await store.write(lease.epoch, full)

    loaded = await store.load(NOW)
    assert (len(loaded.alarms), len(loaded.outbox), len(loaded.answered)) == (256, 256, 256)
    found = await store.alarm(calls[-1].id)
    assert found is not None and len(found[1]) == 2


async def test_a_commit_waits_for_the_disk_even_where_the_database_would_not(
    store: PostgresStore, standby: PostgresStore, psql: Any
) -> None:
    """Acknowledged means stored: a database set to answer earlier is overruled."""
    name = await psql.fetchval("SELECT quote_ident(current_database())")
    await psql.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    lease = await store.acquire("first", 60_000)

    assert lease is not None
    assert await store._writers[0].connection.fetchval("SHOW synchronous_commit") == "on"


async def test_the_store_keeps_to_the_clock_it_is_given(store: PostgresStore) -> None:
    """A `now` far from the database's own changes nothing but what is asked for it."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.write(lease.epoch, batch(outbox=[effect_row()]))

    assert len(await store.claim(lease.epoch, 5, 1000, 10)) == 1
    assert await store.claim(lease.epoch, 1004, 1000, 10) == []
    assert len(await store.claim(lease.epoch, NOW + 1000 * HOUR, 1000, 10)) == 1


async def test_a_database_belongs_to_one_shard(database_dsn: str, store: PostgresStore) -> None:
    """A second one would take the first one's alarms for its own."""
    other = PostgresStore(database_dsn, shard="north")
    assert await store.acquire("first", 60_000) is not None

    with pytest.raises(WrongServer, match="main"):
        await other.open()
    await other.close()


async def test_a_write_beside_waits_for_no_other(store: PostgresStore, psql: Any) -> None:
    """One is held up in the database; the other, on its own connection, is not. A takeover waits for both."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    await store.write(lease.epoch, raised(alarm("a")))
    loop = asyncio.get_running_loop()
    async with psql.transaction():
        await psql.execute("SELECT 1 FROM alarm WHERE id = 'a' FOR UPDATE")
        held_up = loop.create_task(store.write(lease.epoch, raised(alarm("a", version=9))))
        await until(_waiting(psql, 1), "the first to wait")
        await store.write(lease.epoch, raised(alarm("b")))
        assert not held_up.done()
        takeover = loop.create_task(store.acquire("first", 60_000))
        await until(_waiting(psql, 2), "the takeover to wait")
    await held_up
    again = await takeover
    assert again is not None and again.epoch == lease.epoch + 1
    assert {a.id for a in (await store.load(NOW)).alarms} == {"a", "b"}
    with pytest.raises(Fenced):
        await store.write(lease.epoch, raised(alarm("c")))


async def test_after_a_loss_no_connection_is_as_old_as_the_lost_one(store: PostgresStore, psql: Any) -> None:
    """The other that writes went to the same server, perhaps one that is gone or leads no more."""
    lease = await store.acquire("first", 60_000)
    assert lease is not None
    before = {writing.connection.get_server_pid() for writing in store._writers}
    await psql.execute("SELECT pg_terminate_backend($1)", store._writers[0].connection.get_server_pid())
    with pytest.raises(StoreUnavailable):
        await store.write(lease.epoch, raised(alarm("a")))

    again = await store.acquire("first", 60_000)

    assert again is not None
    assert before.isdisjoint(writing.connection.get_server_pid() for writing in store._writers)
    await store.write(again.epoch, raised(alarm("b")))
