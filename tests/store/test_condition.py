"""What the doctor reads of a database."""

from __future__ import annotations

from alarmhub.ports import Token
from alarmhub.store.postgres import PostgresStore


async def test_an_empty_database_has_nobody_and_nothing(database_dsn: str) -> None:
    """No lease, no secret, nothing set aside."""
    store = PostgresStore(database_dsn)
    await store.open()

    seen = await store.condition(0)

    assert (seen.lease_owner, seen.quarantined, seen.unsent) == ("", 0, 0)
    assert seen.lease_left_ms < 0
    assert int(seen.server.split(".")[0]) >= 15
    assert dict(seen.secrets) == {} and dict(seen.newest) == {}
    await store.close()


async def test_it_says_who_holds_the_lease_and_which_secrets_there_are(database_dsn: str) -> None:
    """The lease of this shard; secrets are counted, never shown."""
    store = PostgresStore(database_dsn)
    await store.open()
    lease = await store.acquire("first", 5_000)
    assert lease is not None
    await store.add_tokens([Token(b"1", "phone", "anna"), Token(b"2", "phone", "anna")], 1)

    seen = await store.condition(0)

    assert (seen.lease_owner, seen.lease_epoch) == ("first", lease.epoch)
    assert 0 < seen.lease_left_ms <= 5_000
    assert dict(seen.secrets) == {("phone", "anna"): 2}
    await store.close()
