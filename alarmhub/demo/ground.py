"""What every demo stands on: its own PostgreSQL, the demo site in it, and secrets for plants and phones.

The demo never touches an installation: it runs on the embedded server below the data folder, refuses a
database that holds another site, and refuses to be pointed at somebody's PostgreSQL by a DSN.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from alarmhub import site as site_files
from alarmhub.app import StartFailed
from alarmhub.clock import MonotonicClock
from alarmhub.core.site import Site
from alarmhub.gateway.tokens import digest_of
from alarmhub.ports import Token
from alarmhub.settings import Settings
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.postgres import PostgresStore

SITE_FILE: Final = Path(__file__).parents[2] / "config" / "demo.toml"
LOCK_FILE: Final = "demo-{name}.lock"


def data_folder(settings: Settings) -> Path:
    """Where the demo keeps its data: the folder that is set, else a folder of its own below the default one.
    Raises StartFailed when a DSN is set."""
    if settings.database.dsn is not None:
        raise StartFailed("the demo runs on its own embedded PostgreSQL; unset [database] dsn")
    folder = settings.database.folder()
    return folder if settings.database.data_dir is not None else folder / "demo"


@contextmanager
def alone_in(folder: Path, name: str) -> Iterator[None]:
    """One demo of this name at a time in a folder. Raises StartFailed when another runs."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(folder / LOCK_FILE.format(name=name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StartFailed(
            f"another demo runs in {folder}; end it first, or set another data folder"
        ) from None
    finally:
        os.close(lock)


def demo_site() -> Site:
    """The checked demo site. Raises StartFailed."""
    try:
        text = SITE_FILE.read_text(encoding="utf-8")
    except OSError as exc:
        raise StartFailed(f"the demo site cannot be read: {exc}") from exc
    checked = site_files.check(text)
    if isinstance(checked, list):
        raise StartFailed(f"{SITE_FILE}: {checked[0]}")
    return checked


async def fresh_database(server: EmbeddedServer, name: str) -> str:
    """An empty database of this name on a started server; what was in it is gone. Returns its DSN."""
    connection = await asyncpg.connect(server.dsn_of("postgres"), timeout=10)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close(timeout=5)
    return server.dsn_of(name)


async def publish_demo_site(store: PostgresStore, site: Site) -> None:
    """Publish the demo site if it is not the published one already. Raises StartFailed for another's site."""
    previous = await store.site()
    if previous is not None and previous.site != site.site:
        raise StartFailed(f'this data folder holds the site "{previous.name}", no place for a demo')
    now = MonotonicClock().now()
    open_units = {alarm.unit for alarm in (await store.load(now)).alarms}
    published = site_files.publish(previous, site, open_units)
    if isinstance(published, list):
        raise StartFailed(f"{SITE_FILE}: {published[0]}")
    if previous is not None and site_files.dump(previous) == site_files.dump(published):
        return
    policies = [
        (p.name, p.version, msgspec.json.encode(p)) for p in site_files.new_policies(previous, published)
    ]
    await store.publish_site(site_files.to_json(published), policies, now)


async def make_secrets(store: PostgresStore, kind: str, ids: Iterable[str]) -> dict[str, str]:
    """New secrets of one kind (source, phone), by id. They live only as long as this process."""
    made = {id: secrets.token_urlsafe(24) for id in ids}
    tokens = [Token(digest_of(secret), kind, id) for id, secret in made.items()]
    await store.add_tokens(tokens, MonotonicClock().now())
    return made


async def kept_secrets(
    store: PostgresStore, folder: Path, kind: str, ids: Iterable[str], scopes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Secrets that the next demo in this folder uses again, in a file of its own with mode 0600."""
    path = folder / f"demo-{kind}.secrets"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        kept = {}
    wanted = {id: kept.get(id) or secrets.token_urlsafe(24) for id in ids}
    unknown = [id for id, secret in wanted.items() if await store.token(digest_of(secret)) is None]
    tokens = [Token(digest_of(wanted[id]), kind, id, scopes) for id in unknown]
    await store.add_tokens(tokens, MonotonicClock().now())
    write_private(path, msgspec.json.encode(wanted))
    return wanted


def write_private(path: Path, content: bytes) -> None:
    """A file that nobody else may read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
