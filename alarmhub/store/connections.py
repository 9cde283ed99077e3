"""Connections to PostgreSQL, and its errors in the words of `alarmhub.ports`.

A DSN may name several hosts; they are tried one by one, each with its own deadline, because asyncpg spends
one timeout on all of them and a silent first host would use it up. It refuses standbys, versions before 15,
and to commit without waiting for the disk.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from alarmhub.ports import StoreUnavailable, Unstorable
from alarmhub.store.queries import QUERIES

CONNECT_WITHIN_S = 2.0
"""Per host."""
OLDEST_SERVER = 15
TCP_IDLE_S = 5
TCP_INTERVAL_S = 2
TCP_PROBES = 3
TCP_USER_TIMEOUT_MS = 5_000

_SERVER_SETTINGS = {
    "application_name": "alarmhub",
    "timezone": "UTC",
    "jit": "off",
    "tcp_keepalives_idle": str(TCP_IDLE_S),
    "tcp_keepalives_interval": str(TCP_INTERVAL_S),
    "tcp_keepalives_count": str(TCP_PROBES),
    "tcp_user_timeout": str(TCP_USER_TIMEOUT_MS),
}

# SQLSTATE classes: 21 cardinality, 22 data, 23 integrity, 54 program limit (a key too long for an index).
_DATA_CLASSES = frozenset({"21", "22", "23", "54"})
# Classes: 08 connection, 40 rolled back, 53 resources, 57 operator, 58 system, XX internal.
_AWAY_CLASSES = frozenset({"08", "40", "53", "57", "58", "XX"})
# Read-only, a database that takes no connections, object in use, lock not available.
_AWAY = frozenset({"25006", "55000", "55006", "55P03"})


class WrongServer(Exception):
    """The server answers but must not be used: too old, or another shard's. The text says which."""


def hosts(dsn: str) -> Sequence[str]:
    """The DSN once per host it names, in order. Several hosts stand in the authority or in `?host=a,b`."""
    url = urlsplit(dsn)
    login, at, places = url.netloc.rpartition("@")
    query = dict(parse_qsl(url.query))
    if "," in places:
        return [urlunsplit(url._replace(netloc=f"{login}{at}{place}")) for place in places.split(",")]
    names = query.get("host", "").split(",")
    if len(names) < 2:
        return [dsn]
    ports = query.get("port", "").split(",")
    ports = ports * len(names) if len(ports) == 1 else ports
    return [
        urlunsplit(url._replace(query=urlencode({**query, "host": name, **({"port": port} if port else {})})))
        for name, port in zip(names, ports, strict=False)
    ]


async def connect(dsn: str, *, within_s: float = CONNECT_WITHIN_S, **options: Any) -> Any:
    """An asyncpg connection to the first host that takes writes. Raises StoreUnavailable, WrongServer."""
    said = []
    for one in hosts(dsn):
        try:
            with translated():
                return await _connect_one(one, within_s, options)
        except StoreUnavailable as error:
            said.append(str(error))
    raise StoreUnavailable("; ".join(said))


async def _connect_one(dsn: str, within_s: float, options: dict[str, Any]) -> Any:
    connection = await asyncpg.connect(dsn, timeout=within_s, server_settings=_SERVER_SETTINGS, **options)
    usable = False
    try:
        if connection.get_server_version().major < OLDEST_SERVER:
            raise WrongServer(f"PostgreSQL {OLDEST_SERVER} or later is needed")
        state = await connection.fetchrow(QUERIES["connected"], timeout=within_s)
        if state["standby"]:
            raise StoreUnavailable("a standby: it takes no writes")
        if state["durability"] in ("off", "local"):
            await connection.execute(QUERIES["durable"], timeout=within_s)
        _harden_socket(connection)
        # As bytes, both ways: the rows carry JSON that msgspec wrote and will read.
        await connection.set_type_codec(
            "json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
        )
        usable = True
        return connection
    finally:
        if not usable:
            connection.terminate()


def _harden_socket(connection: Any) -> None:
    """Notice a silent host in seconds, not in the quarter of an hour TCP allows itself."""
    transport = getattr(connection, "_transport", None)
    link = transport.get_extra_info("socket") if transport is not None else None
    if link is None or link.family == socket.AF_UNIX:
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", TCP_IDLE_S),
        ("TCP_KEEPINTVL", TCP_INTERVAL_S),
        ("TCP_KEEPCNT", TCP_PROBES),
        ("TCP_USER_TIMEOUT", TCP_USER_TIMEOUT_MS),
    ):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what asyncpg and the network raise as StoreUnavailable or Unstorable; let defects through."""
    try:
        yield
    except asyncpg.PostgresError as error:
        state = str(error.sqlstate or "")
        if state in _AWAY or state[:2] in _AWAY_CLASSES:
            raise StoreUnavailable(_short(error)) from error
        if state[:2] in _DATA_CLASSES:
            raise Unstorable(_short(error)) from error
        raise
    except UnicodeEncodeError as error:
        raise Unstorable("text that is no Unicode") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # InternalClientError: what asyncpg says when the server ended the session while it was idle.
        raise StoreUnavailable(_short(error)) from error


def _short(error: BaseException) -> str:
    """The first line without the values in it: what people wrote belongs in no log."""
    text = re.split(r"[\n:=(]", str(error), maxsplit=1)[0].strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
