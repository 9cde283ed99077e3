"""A whole hub as its own process, on a real PostgreSQL, with everything a fault test does to it.

`House` is one installation: a database with a site and secrets in it, and the hubs that serve it. It ends
only processes it started, by their id, and always.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
from websockets.exceptions import InvalidHandshake

from alarmhub import site as site_files
from alarmhub.core.alarm import Alarm
from alarmhub.core.site import Site
from alarmhub.gateway.tokens import digest_of
from alarmhub.ports import Token
from alarmhub.store.postgres import PostgresStore
from load.phone_client import PhoneClient
from load.site import SOURCE, Layout, site_file, staff_id
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
SERVING_WITHIN_S = 30.0
ENDED_WITHIN_S = 15.0
_PR_SET_PDEATHSIG = 1

PLANT = """
[[source]]
id = "plant"
name = "Call plant"
fallback_unit = "u0000"
protocol = "espa"
reports = true
rules = [{ text = 'Bed (?P<bed>\\d+)', place = "u0000/r{bed}/bed", type = "load-hold" }]
"""
"""More site file text: a plant that speaks ESPA 4.4.4 and calls from the first unit's beds."""


def plant_line(port: int) -> str:
    """Settings that open the plant's line."""
    return f'[[espa]]\nsource = "plant"\nlisten = "127.0.0.1:{port}"\n'


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; a hub that is started again keeps its own."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Answer:
    """What the hub said to one HTTP request."""

    def __init__(self, status: int, headers: Any, raw: bytes, took_s: float) -> None:
        self.status = status
        self.headers = headers
        self.raw = raw
        self.took_s = took_s

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    def __repr__(self) -> str:
        return f"{self.status} {self.raw[:300]!r} after {self.took_s:.2f} s"


class Hub:
    """One `alarmhub serve`, started and ended at will; it keeps its ports, its folder and its log."""

    def __init__(self, house: House, name: str, dsn: str | None, **settings: object) -> None:
        self.house, self.name = house, name
        self.api_port, self.phone_port = free_ports(2)
        self.folder = house.folder / name
        self.folder.mkdir(mode=0o755)
        self.log_file = house.folder / f"{name}.log"
        self.child: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        values: dict[str, object] = {
            "DATABASE__DATA_DIR": self.folder,
            "API__PORT": self.api_port,
            "PHONES__PORT": self.phone_port,
            "LOG__FORMAT": "json",
            "LOG__LEVEL": "info",
            **settings,
        }
        if dsn is not None:
            values["DATABASE__DSN"] = dsn
        self.config = house.folder / f"{name}.toml"
        self.config.write_text("")
        self.environment = {f"ALARMHUB_{key}": str(value) for key, value in values.items()}

    # -- its life -------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process; not waited for."""
        assert self.child is None or self.child.poll() is not None, f"{self.name} runs already"
        self.log_file.touch()
        self._read_from = self.log_file.stat().st_size
        with self.log_file.open("ab") as log:
            self.started_at = time.monotonic()
            self.child = subprocess.Popen(
                [sys.executable, "-m", "alarmhub", "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True,
                env={**os.environ, **self.environment}, preexec_fn=_die_with_parent,
            )  # fmt: skip

    async def start(self) -> float:
        """Start it and wait until it serves; seconds from the process's start to a ready hub."""
        self.launch()
        return await self.serves()

    async def serves(self, within_s: float = SERVING_WITHIN_S) -> float:
        """Wait until /readyz says 200; seconds since the process was started."""

        async def ready() -> bool:
            assert self.running, f"{self.name} ended with {self.exit_code}:\n{self.log()[-3000:]}"
            return (await self.status("/readyz")) == 200

        await until(ready, f"{self.name} serves", within_s=within_s)
        return time.monotonic() - self.started_at

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self.child is None else self.child.poll()

    def kill(self) -> None:
        """SIGKILL: nothing is drained, nothing is said."""
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def freeze(self) -> None:
        """SIGSTOP: the process stands still and does not know it."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    async def ended(self, within_s: float = ENDED_WITHIN_S) -> int:
        """Wait for the process to end; its exit code."""
        await until(lambda: not self.running, f"{self.name} ends", within_s=within_s)
        code = self.exit_code
        assert code is not None
        return code

    async def stop(self) -> int:
        """SIGTERM and the exit code."""
        self.ask_to_stop()
        return await self.ended()

    # -- what it says ---------------------------------------------------------------------------

    def log(self) -> str:
        """Everything since its last start."""
        with self.log_file.open("rb") as log:
            log.seek(self._read_from)
            return log.read().decode(errors="replace")

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log lines since the last start, of one event or all."""
        found = [json.loads(text) for text in self.log().splitlines() if text.startswith("{")]
        return [line for line in found if event is None or line["event"] == event]

    async def said(self, event: str, within_s: float = SERVING_WITHIN_S) -> dict[str, Any]:
        """Wait for a log line; the first one."""
        return (await until(lambda: self.lines(event), f"{self.name} says {event}", within_s=within_s))[0]

    # -- talking to it --------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    async def call(
        self, method: str, path: str, *, secret: str | None = "", within_s: float = 10.0, **more: Any
    ) -> Answer:
        """One request, by default with the source's secret. Raises what aiohttp raises."""
        headers = dict(more.pop("headers", {}))
        if secret is not None:
            headers.setdefault("Authorization", f"Bearer {secret or self.house.source_secret}")
        asked_at = time.monotonic()
        async with self.house.http.request(
            method, self.url + path, headers=headers, timeout=aiohttp.ClientTimeout(total=within_s), **more
        ) as response:
            raw = await response.read()
            return Answer(response.status, response.headers.copy(), raw, time.monotonic() - asked_at)

    async def press(self, ref: str, bed: int = 0, **more: Any) -> Answer:
        """A signal of the site's source: a start of a patient call at a bed, unless said otherwise."""
        signal_ = {"ref": ref, "event": "start", "place": self.house.layout.place(bed), "type": "load-hold"}
        return await self.call("POST", "/api/v1/signals", json=signal_ | more)

    async def status(self, path: str) -> int:
        """The status of a GET, 0 when nobody answers."""
        try:
            return (await self.call("GET", path, secret=None, within_s=2.0)).status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    def phone(self, number: int, **more: Any) -> PhoneClient:
        """The phone of the nurse with this number, not connected yet."""
        staff = staff_id(number)
        return self.phone_of(staff, **more)

    def phone_of(self, staff: str, **more: Any) -> PhoneClient:
        """The phone of somebody else of the site."""
        url = f"ws://127.0.0.1:{self.phone_port}/phone"
        return PhoneClient(url, self.house.phone_secrets[staff], f"{staff}-phone", name=staff, **more)


class House:
    """One database with a site in it, and its hubs. Use as `async with`; nothing is left behind."""

    def __init__(
        self, dsn: str, *, phones: int = 20, extra: str = "", site_text: str = "", source: str = SOURCE
    ) -> None:
        """`phones`: nurses of the load site, two a bed. `extra`: more site file text. `site_text`: another
        site altogether, whose `source` presses."""
        self.dsn = dsn
        self.layout = Layout(phones)
        self.site_text = (site_text or site_file(self.layout)) + extra
        self.source = source
        self.folder = Path(tempfile.mkdtemp(prefix="alarmhub-acceptance-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.source_secret = secrets.token_urlsafe(24)
        self.phone_secrets: dict[str, str] = {}
        self.hubs: list[Hub] = []
        self.http: aiohttp.ClientSession

    async def __aenter__(self) -> House:
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await self._furnish()
        return self

    async def __aexit__(self, *error: object) -> None:
        for hub in self.hubs:
            if hub.running:
                hub.thaw()
                hub.kill()
        await self.http.close()
        shutil.rmtree(self.folder)

    async def _furnish(self) -> None:
        """The site and its secrets, as `site load` and `token` would put them there."""
        site = site_files.check(self.site_text)
        assert isinstance(site, Site), [str(fault) for fault in site]
        self.phone_secrets = {staff: secrets.token_urlsafe(24) for staff in site.staff}
        tokens = [
            Token(digest_of(self.source_secret), "source", self.source),
            *(Token(digest_of(secret), "phone", staff) for staff, secret in self.phone_secrets.items()),
        ]
        store = PostgresStore(self.dsn)
        await store.open()
        try:
            published = site_files.publish(None, site, set())
            assert isinstance(published, Site)
            policies = [
                (p.name, p.version, msgspec.json.encode(p)) for p in site_files.new_policies(None, published)
            ]
            await store.publish_site(site_files.to_json(published), policies, 0)
            await store.add_tokens(tokens, 0)
        finally:
            await store.close()

    def hub(
        self, name: str = "hub", *, own_database: bool = False, config: str = "", **settings: object
    ) -> Hub:
        """A hub of this house, not started. `own_database`: it is told no DSN and runs the server below its
        `DATABASE__DATA_DIR` itself. `config`: text of its settings file."""
        hub = Hub(self, name, None if own_database else self.dsn, **settings)
        hub.config.write_text(config)
        self.hubs.append(hub)
        return hub

    async def token(self, kind: str, subject: str, *scopes: str) -> str:
        """One more secret, told once."""
        secret = secrets.token_urlsafe(24)
        store = PostgresStore(self.dsn)
        await store.open()
        try:
            await store.add_tokens([Token(digest_of(secret), kind, subject, scopes)], 0)
        finally:
            await store.close()
        return secret

    async def sql(self, query: str, *values: object) -> list[Any]:
        """Rows of the database, read past the hub."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def phases(self) -> dict[str, str]:
        """The phase of every stored alarm, the hub's own included, by its id."""
        return {row["id"]: row["phase"] for row in await self.sql("SELECT id, phase FROM alarm")}

    async def alarms(self) -> dict[str, Alarm]:
        """Every stored alarm of the source by its ref; fails when two share one."""
        found: dict[str, Alarm] = {}
        for row in await self.sql("SELECT body FROM alarm WHERE source = $1", self.source):
            alarm = msgspec.json.decode(row["body"], type=Alarm)
            assert alarm.ref not in found, f"two alarms for {alarm.ref}"
            found[alarm.ref] = alarm
        return found


class Nurse:
    """Somebody with a phone who comes back whenever the connection breaks, and takes what rings.

    `took`: alarms whose accept the hub confirmed. `takes`: whether to accept what rings.
    """

    def __init__(self, hub: Hub, number: int, *, takes: bool = True) -> None:
        self.phone = hub.phone(number)
        self.takes = takes
        self.took: set[str] = set()
        self.tried: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Nurse:
        self._task = asyncio.get_running_loop().create_task(self._live(), name=self.phone.name)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.phone.close()

    async def _live(self) -> None:
        while True:
            try:
                await self.phone.connect(within_s=5)
                while True:
                    alarm = await self.phone.wait_for(self._ringing, within_s=3600)
                    self.tried.add(alarm)
                    result = await self.phone.accept(alarm)
                    if result.ok:
                        self.took.add(alarm)
            except (OSError, TimeoutError, EOFError):
                await self.phone.cut()
                await asyncio.sleep(0.02)
            except InvalidHandshake:
                await asyncio.sleep(0.02)

    def _ringing(self, phone: PhoneClient) -> str | None:
        if not self.takes:
            return None
        for alarm in phone.alarms.values():
            if alarm.rings and "accept" in alarm.can:
                return alarm.id
        return None


async def pass_time(seconds: float, what: str) -> None:
    """So long something takes in the story itself (`what`); never to wait for an effect."""
    assert what
    await asyncio.sleep(seconds)


async def stays(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """`condition` holds all the time."""
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        assert condition(), f"{what} ended"
        await asyncio.sleep(0.02)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
