"""ESPA-X through a whole hub: a client of another make, a phone, a kill, and TLS.

There is no independent server or client to install; the client (`load.espax_client`) shares no line with the
hub, and `tests.support.espax_oracle` judges what the hub says in the adapter's own tests.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from alarmhub.core.alarm import Alarm, Phase
from load.espax_client import EspaxClient
from tests.support.hub import House, Hub, free_ports

SOURCE = """
[[source]]
id = "plant-x"
name = "Call system"
fallback_unit = "u0000"
protocol = "espax"
reports = "each"
rules = [{ text = 'Bed (?P<bed>\\d+)', place = "u0000/r{bed}/bed", type = "load-hold" }]
"""
LINE = """[[espax]]
source = "plant-x"
listen = "127.0.0.1:{port}"
user = "lichtruf"
password = "geheim12"
{more}
"""
CONNECTIONS = 4


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house whose site knows the call system."""
    async with House(database_dsn, extra=SOURCE) as one:
        yield one


@pytest.fixture
def certificate(house: House) -> tuple[Path, Path]:
    """A certificate of `localhost` and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    cert, key = house.folder / "cert.pem", house.folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


async def hub_with_line(house: House, more: str = "") -> tuple[Hub, int]:
    """A hub that listens for the call system."""
    (port,) = free_ports(1)
    hub = house.hub(config=LINE.format(port=port, more=more))
    await hub.start()
    return hub, port


def client(port: int, tls: ssl.SSLContext | None = None) -> EspaxClient:
    """The call system."""
    return EspaxClient("localhost", port, "lichtruf", "geheim12", heartbeat_s=5, tls=tls)


async def stored(house: House) -> list[Alarm]:
    """Every alarm of the call system."""
    rows = await house.sql("SELECT body FROM alarm WHERE source = 'plant-x'")
    return [msgspec.json.decode(row["body"], type=Alarm) for row in rows]


async def test_a_call_rings_a_phone_and_the_call_system_hears_who_takes_it(house: House) -> None:
    """Started, reached, accepted by name, ended by the reset."""
    hub, port = await hub_with_line(house)
    async with hub.phone(0) as phone, client(port) as caller:
        answer = await caller.start("ruf-1", TEXTMSG="Bed 1 call", PR_DETAILS="All", CBCKNO="1900")
        assert answer.code == 200
        shown = await phone.wait_alarm(5)
        assert (shown.place, shown.source_text, shown.callback) == ("load/u0000/r1/bed", "Bed 1 call", "1900")
        process = caller.processes["ruf-1"]
        await caller.wait_for(lambda c: "Reached" in process.results)
        assert (await phone.accept(shown.id)).ok
        await caller.wait_for(lambda c: "Positive confirmed" in process.results)
        (accepted,) = [heard for heard in process.heard if heard.fields.get("SS-RESULT") == "Accepted"]
        assert accepted.fields["SS-SBSCRID"] == phone.name[:12]
        assert (await caller.stop("ruf-1")).code == 200
        await caller.wait_for(lambda c: process.heard[-1].element == "IND.P-ENDED")
        assert process.heard[-1].fields["SP-ENDREASON"] == "Client"
        assert {heard.fields["SP-PR-TAN"] for heard in process.heard} == {process.tan}
        assert (await caller.stop(tan=process.tan)).code == 410
    assert [alarm.phase for alarm in await stored(house)] == [Phase.ENDED]


async def test_what_was_confirmed_survives_the_hubs_death_and_is_there_once(house: House) -> None:
    """The process is killed while calls come in over several connections; each call system comes back, sends
    again what it heard nothing of, and stops by the numbers it was given before."""
    hub, port = await hub_with_line(house)
    confirmed: dict[str, str] = {}

    async def call(caller: EspaxClient, line: int) -> None:
        for number in range(40):
            ref = f"l{line}-{number}"
            answer = await caller.start(ref, TEXTMSG=f"Bed {number % 10} call {ref}", PR_DETAILS="No")
            assert answer.code in (200, 450)
            confirmed[ref] = answer.fields["SP-PR-TAN"]
            if len(confirmed) == 60:
                hub.kill()
                await hub.start()

    callers = [client(port) for _ in range(CONNECTIONS)]
    try:
        for caller in callers:
            await caller.__aenter__()
        async with asyncio.TaskGroup() as tasks:
            for line, caller in enumerate(callers):
                tasks.create_task(call(caller, line))
        assert len(confirmed) == 40 * CONNECTIONS
        assert sum(caller.sessions for caller in callers) == 2 * CONNECTIONS
        refs = [alarm.ref for alarm in await stored(house)]
        assert sorted(refs) == sorted(confirmed)
        # Those of the first process are still known by their numbers.
        for ref, tan in list(confirmed.items())[:20]:
            assert (await callers[0].stop(tan=tan)).code == 200, ref
    finally:
        for caller in callers:
            await caller.close()
    ended = {alarm.ref for alarm in await stored(house) if alarm.phase is Phase.ENDED}
    assert ended == set(list(confirmed)[:20])


async def test_a_call_comes_in_over_tls(house: House, certificate: tuple[Path, Path]) -> None:
    """And nothing comes in without."""
    cert, key = certificate
    _, port = await hub_with_line(house, f'tls_cert = "{cert}"\ntls_key = "{key}"')
    async with client(port, ssl.create_default_context(cafile=str(cert))) as caller:
        assert (await caller.start("ruf-1", TEXTMSG="Bed 1")).code == 200
    with pytest.raises(TimeoutError):
        bare = client(port)
        try:
            async with asyncio.timeout(2):
                await bare.__aenter__()
        finally:
            await bare.close()
