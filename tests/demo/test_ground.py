"""The ground every demo stands on: never somebody's installation, never two at once."""

from __future__ import annotations

import stat
from pathlib import Path

import asyncpg
import msgspec
import pytest

from alarmhub import site as site_files
from alarmhub.app import StartFailed
from alarmhub.demo import ground
from alarmhub.gateway.tokens import digest_of
from alarmhub.secret import Secret
from alarmhub.settings import DatabaseSettings, Settings
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.postgres import PostgresStore


def test_it_is_refused_on_a_server_somebody_named() -> None:
    """A DSN means an installation."""
    settings = Settings(database=DatabaseSettings(dsn=Secret("postgresql://db/alarmhub")))

    with pytest.raises(StartFailed, match="unset"):
        ground.data_folder(settings)


def test_without_a_folder_it_takes_one_below_the_usual_one() -> None:
    """The installation's own cluster is left alone; a folder that is named is taken as it is."""
    assert ground.data_folder(Settings()) == Settings().database.folder() / "demo"
    named = Settings(database=DatabaseSettings(data_dir="/tmp/somewhere"))
    assert ground.data_folder(named) == Path("/tmp/somewhere")


def test_only_one_demo_of_a_kind_runs_in_a_folder(tmp_path: Path) -> None:
    """The second is refused in one line; after the first has ended it may run."""
    with (
        ground.alone_in(tmp_path, "live"),
        pytest.raises(StartFailed, match="another demo runs"),
        ground.alone_in(tmp_path, "live"),
    ):
        pass
    with ground.alone_in(tmp_path, "live"), ground.alone_in(tmp_path, "once"):
        pass


async def test_the_scenarios_database_is_empty_each_time(database_server: EmbeddedServer) -> None:
    """What the last run left is gone, also when somebody is still connected."""
    dsn = await ground.fresh_database(database_server, "demo_ground")
    left = await asyncpg.connect(dsn)
    await left.execute("CREATE TABLE left_over (id integer)")

    await ground.fresh_database(database_server, "demo_ground")

    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT to_regclass('left_over')") is None
    await connection.close()
    left.terminate()


async def test_the_demo_site_is_published_once(database_dsn: str) -> None:
    """A second demo in the same folder publishes nothing new."""
    store = PostgresStore(database_dsn)
    await store.open()
    site = ground.demo_site()

    await ground.publish_demo_site(store, site)
    await ground.publish_demo_site(store, site)

    published = await store.site()
    assert published is not None and published.version == 1
    await store.close()


async def test_a_folder_with_another_site_is_refused(database_dsn: str) -> None:
    """A demo in a hospital's database would ring real phones."""
    store = PostgresStore(database_dsn)
    await store.open()
    other = msgspec.structs.replace(ground.demo_site(), site="karlstad", name="Karlstad")
    await store.publish_site(site_files.to_json(other), [], 1)

    with pytest.raises(StartFailed, match='holds the site "Karlstad"'):
        await ground.publish_demo_site(store, ground.demo_site())
    await store.close()


async def test_kept_secrets_are_the_same_next_time_and_nobody_else_reads_them(
    database_dsn: str, tmp_path: Path
) -> None:
    """Phones sign in again after a restart of the demo; a fresh database learns them anew."""
    store = PostgresStore(database_dsn)
    await store.open()

    first = await ground.kept_secrets(store, tmp_path, "phone", ["anna", "bo"])
    again = await ground.kept_secrets(store, tmp_path, "phone", ["anna", "bo", "cia"])

    assert {id: again[id] for id in first} == first
    token = await store.token(digest_of(again["cia"]))
    assert token is not None and (token.kind, token.subject) == ("phone", "cia")
    assert stat.S_IMODE((tmp_path / "demo-phone.secrets").stat().st_mode) == 0o600
    await store.close()
