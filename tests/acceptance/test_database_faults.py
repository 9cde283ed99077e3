"""The database stops, dies and comes back under a working hub (design.md, "Without the database")."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from alarmhub.store.embedded import EmbeddedServer
from load.espa_plant import EspaPlant, Outcome
from load.phone_client import PhoneClient
from tests.support.hub import PLANT, Answer, House, Hub, free_ports, pass_time, plant_line
from tests.support.waiting import until

AWAY_S = 15.0


class Server:
    """A PostgreSQL of this test alone, and what can happen to it."""

    def __init__(self, embedded: EmbeddedServer, folder: Path) -> None:
        self._embedded = embedded
        self._cluster = folder / "postgres"

        self._databases = itertools.count(1)

    async def fresh(self) -> str:
        """DSN of a new database."""
        # A test that failed half-way must not take the next ones along.
        await self.thaw()
        await self.start()
        name = f"house_{next(self._databases)}"
        connection = await asyncpg.connect(self._embedded.dsn)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return self._embedded.dsn_of(name)

    def signal(self, number: signal.Signals) -> None:
        """To all its processes."""
        for pid in processes_in(self._cluster):
            os.kill(pid, number)

    async def freeze(self) -> None:
        """SIGSTOP to all of it: connections stay open and nobody answers."""
        self.signal(signal.SIGSTOP)

    async def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    async def stop(self) -> None:
        """pg_ctl stop -m fast."""
        await self._embedded.stop()

    async def start(self) -> None:
        """pg_ctl start."""
        await self._embedded.start()

    async def kill(self) -> None:
        """SIGKILL to all of it, as when the machine loses power: recovery follows at the next start."""
        self.signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One for this file; it can be stopped without a thought for others."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-acceptance-db-", dir="/tmp"))
    embedded = EmbeddedServer(folder)
    asyncio.run(embedded.start())
    one = Server(embedded, folder)
    try:
        yield one
    finally:
        one.signal(signal.SIGCONT)
        asyncio.run(embedded.stop())
        one.signal(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def house(server: Server) -> AsyncIterator[House]:
    """A house on a new database of this server."""
    async with House(await server.fresh()) as one:
        yield one


def processes_in(cluster: Path) -> list[int]:
    """A server's first process and all it forked: each works in the cluster's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(cluster):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class Presser:
    """A source that presses every 0.1 s with ids, and again and again what was not acknowledged."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.answers: list[tuple[str, Answer]] = []
        self.acknowledged: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Presser:
        self._task = asyncio.get_running_loop().create_task(self._press())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _press(self) -> None:
        number = 0
        async with asyncio.TaskGroup() as presses:
            while True:
                presses.create_task(self._until_taken(f"call-{number}", number))
                number += 1
                await pass_time(0.1, "the next press")

    async def _until_taken(self, ref: str, number: int) -> None:
        while ref not in self.acknowledged:
            answer = await self.hub.press(ref, 1 + number % 9, id=ref)
            self.answers.append((ref, answer))
            if answer.status in (200, 201):
                self.acknowledged[ref] = answer.body["alarm"]
            else:
                await pass_time(float(answer.headers["Retry-After"]), "until the hub said to try again")


async def _serves_again(
    house: House,
    hub: Hub,
    away: Callable[[], Awaitable[None]],
    back: Callable[[], Awaitable[None]],
    away_s: float = AWAY_S,
) -> float:
    """One outage from both ends; seconds from the database's return to a ready hub."""
    async with hub.phone(0) as rung, hub.phone(4) as other:
        ringing = (await hub.press("ringing", 0, id="ringing")).body["alarm"]
        await rung.wait_alarm(5, id=ringing, rings=True)
        accepted = (await hub.press("accepted", 2, id="accepted")).body["alarm"]
        await other.wait_alarm(5, id=accepted, rings=True)
        assert (await other.accept(accepted)).ok
        async with Presser(hub) as presser:
            await until(lambda: len(presser.acknowledged) >= 5, "presses are stored")
            await away()
            gone_at = time.monotonic()
            await _is_told(rung, other, storing=False)
            assert time.monotonic() - gone_at <= 5.0

            # The readiness page says so, the process is well; nobody is left waiting.
            assert await hub.status("/readyz") == 503
            assert await hub.status("/healthz") == 200
            answer = await hub.press("while away", 3, id="while away")
            assert (answer.status, answer.body["error"]) == (503, "not_stored")
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.took_s <= 2.7
            asked_at = time.monotonic()
            result = await rung.accept(ringing, req="kept")
            assert (result.ok, result.error, result.retry) == (False, "not_stored", True)
            assert time.monotonic() - asked_at <= 2.7

            # Reading is refused in time as well, and a phone that comes back is let in.
            listed = await hub.call("GET", "/api/v1/alarms")
            assert (listed.status, listed.took_s <= 5.8) == (503, True), listed
            async with hub.phone(4) as back_again:
                assert back_again.alarms[accepted].phase == "accepted"
                await _is_told(back_again, storing=False)

            # What rings rings on; the sockets stay.
            await pass_time(away_s - (time.monotonic() - gone_at), "the database is away")
            assert rung.alarms[ringing].rings and rung.closed is None
            refused = [a for _, a in presser.answers if a.status == 503]
            assert refused and max(a.took_s for a in refused) <= 2.7
            assert {a.status for _, a in presser.answers} <= {200, 201, 503}

            await back()
            back_at = time.monotonic()
            await hub.serves()
            took_s = time.monotonic() - back_at
            await _is_told(rung, storing=True)
            # The answer that the phone kept, with the same req.
            assert (await rung.accept(ringing, req="kept")).ok
            expected = {"ringing": ringing, "accepted": accepted, **presser.acknowledged}
            await until(lambda: len(presser.acknowledged) > len(expected) + 5, "presses are stored again")
        assert rung.closed is None and hub.running

        stored = await house.alarms()
        for ref, id in (expected | presser.acknowledged).items():
            assert stored[ref].id == id, ref
        assert "while away" not in stored
        assert stored["ringing"].phase == stored["accepted"].phase == "accepted"
        _no_frame_twice(rung)
    return took_s


async def _is_told(*phones: PhoneClient, storing: bool) -> None:
    await until(lambda: {p.storing for p in phones} == {storing}, f"phones hear storing {storing}")


def _no_frame_twice(phone: PhoneClient) -> None:
    """Duplicate = the same id and rev twice on one connection."""
    shown = [(frame["id"], frame["rev"]) for frame in phone.frames if frame["type"] == "alarm"]
    assert len(shown) == len(set(shown))


async def test_a_database_that_hangs_for_15_s(house: House, server: Server) -> None:
    """Every process of the server is stopped: connections stay open and nobody answers."""
    hub = house.hub()
    await hub.start()
    took_s = await _serves_again(house, hub, server.freeze, server.thaw)
    print(f"serving again {took_s:.2f} s after a hanging database went on")
    assert took_s <= 3.0
    assert await hub.stop() == 0


async def test_a_plant_is_told_to_come_again_while_the_database_hangs(server: Server) -> None:
    """ESPA: "2 NAK" within two seconds, never an ACK; the repeated call is one alarm when all is well."""
    (port,) = free_ports(1)
    async with House(await server.fresh(), extra=PLANT) as house:
        hub = house.hub(config=plant_line(port))
        await hub.start()
        async with EspaPlant("127.0.0.1", port, reply_within_s=5) as plant, hub.phone(0) as phone:
            assert await plant.call("2010", "Bed 1") is Outcome.TAKEN
            await phone.wait_alarm(5, source_text="Bed 1")
            await server.freeze()
            try:
                asked_at = time.monotonic()
                outcome = await plant.call("2010", "Bed 2")
                took_s = time.monotonic() - asked_at
            finally:
                await server.thaw()
            assert outcome is Outcome.BUSY
            print(f"ESPA call refused with 2 NAK, its repeats included, after {took_s:.1f} s")
            await hub.serves()
            assert await plant.call("2010", "Bed 2") is Outcome.TAKEN
            texts = [row["text"] for row in await house.sql("SELECT body ->> 'source_text' text FROM alarm")]
            assert sorted(texts) == ["Bed 1", "Bed 2"]
        assert await hub.stop() == 0


async def test_a_hub_can_be_stopped_while_its_database_hangs(house: House, server: Server) -> None:
    """SIGTERM then: phones are closed, what cannot be drained is not waited for, exit 0."""
    hub = house.hub()
    await hub.start()
    async with hub.phone(0) as phone:
        await server.freeze()
        try:
            await until(lambda: not phone.storing, "the loss is noticed")
            hub.ask_to_stop()
            assert (await phone.wait_closed(5)).code == 1012
            assert await hub.ended(within_s=12) == 0
        finally:
            await server.thaw()


async def test_a_database_that_is_stopped_for_15_s(house: House, server: Server) -> None:
    """pg_ctl stop, and start after 15 s: connections break and new ones are refused."""
    hub = house.hub()
    await hub.start()
    took_s = await _serves_again(house, hub, server.stop, server.start)
    print(f"serving again {took_s:.2f} s after a stopped database was started")
    assert took_s <= 3.0
    assert await hub.stop() == 0


async def test_a_database_that_is_killed_and_recovers(house: House, server: Server) -> None:
    """SIGKILL to the whole server under load: it recovers from its log, nothing acknowledged is missing."""
    hub = house.hub()
    await hub.start()
    took_s = await _serves_again(house, hub, server.kill, server.start, away_s=8)
    print(f"serving again {took_s:.2f} s after a killed database was started")
    assert took_s <= 3.0
    assert await hub.stop() == 0


@pytest.mark.parametrize("whom", ["first process", "all of them"])
async def test_the_hubs_own_database_is_started_again_when_it_is_killed(whom: str) -> None:
    """Nobody else would: the hub looks after its embedded PostgreSQL, and takes it along when it stops."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-acceptance-own-", dir="/tmp"))
    ours = EmbeddedServer(folder)
    try:
        await ours.start()
        async with House(ours.dsn) as house:
            hub = house.hub(DATABASE__DATA_DIR=folder, own_database=True)
            await hub.start()
            await ours.stop()  # the hub alone uses it now
            assert processes_in(folder / "postgres")
            before = (await hub.press("before", 0, id="before")).body["alarm"]

            async with hub.phone(0) as phone:
                await phone.wait_alarm(5, id=before, rings=True)
                first = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
                for pid in [first] if whom == "first process" else processes_in(folder / "postgres"):
                    os.kill(pid, signal.SIGKILL)
                killed_at = time.monotonic()
                await until(lambda: not phone.storing, "the phone hears of it")
                await until(lambda: phone.storing, "the database is back", within_s=20)
                took_s = time.monotonic() - killed_at
                assert phone.closed is None
                assert (await phone.accept(before)).ok
            assert (await hub.press("before", 0, id="before")).body["alarm"] == before
            print(f"own database killed ({whom}): storing again after {took_s:.1f} s")
            assert took_s <= 10
            assert await hub.stop() == 0
            assert processes_in(folder / "postgres") == []
    finally:
        for pid in processes_in(folder / "postgres"):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


async def test_after_an_outage_the_hub_that_was_active_stays_active(house: House, server: Server) -> None:
    """A standby lets it come back first: its phones are still connected, and ringing."""
    active, standby = house.hub("active"), house.hub("standby")
    await active.start()
    standby.launch()
    await standby.said("hub_standby")
    async with active.phone(0) as phone:
        for _ in range(3):
            await server.stop()
            await until(lambda: not phone.storing, "the loss is noticed")
            await pass_time(2.0, "the lease runs out")
            await server.start()
            await active.serves()
            await _is_told(phone, storing=True)
            assert standby.running and not standby.lines("lease_taken")
        assert phone.closed is None

    active.kill()
    killed_at = time.monotonic()
    await standby.serves()
    print(f"take-over by a standby that saw outages: {time.monotonic() - killed_at:.2f} s")
    assert time.monotonic() - killed_at <= 3.5
    assert await standby.stop() == 0


async def test_a_machine_that_loses_its_power_loses_nothing_acknowledged() -> None:
    """Hub and embedded database are killed together in a stream of presses, and started again."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-acceptance-own-", dir="/tmp"))
    ours = EmbeddedServer(folder)
    try:
        await ours.start()
        async with House(ours.dsn) as house:
            hub = house.hub(DATABASE__DATA_DIR=folder, own_database=True)
            await hub.start()
            await ours.stop()
            acknowledged: dict[str, str] = {}
            for number in range(60):
                answer = await hub.press(f"call-{number}", number % 10, id=f"call-{number}")
                acknowledged[f"call-{number}"] = answer.body["alarm"]
            hub.kill()
            for pid in processes_in(folder / "postgres"):
                with suppress(ProcessLookupError):  # a backend may go with its hub
                    os.kill(pid, signal.SIGKILL)

            took_s = await hub.start()
            print(f"hub and database killed together: serving {took_s:.2f} s after the start")
            assert {ref: alarm.id for ref, alarm in (await house.alarms()).items()} == acknowledged
            assert await hub.stop() == 0
    finally:
        for pid in processes_in(folder / "postgres"):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
