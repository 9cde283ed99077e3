"""ESPA 4.4.4 beyond a socket that listens: a serial line made by socat, and pagers beside the phones."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from load.espa_plant import EspaPlant, Outcome
from load.espa_station import EspaStation
from tests.support.hub import PLANT, House, Nurse, free_ports
from tests.support.waiting import until

PAGER = "1042"
NURSE = 'id = "s000000"\n'


@contextlib.asynccontextmanager
async def serial_line(folder: Path) -> AsyncIterator[tuple[Path, int]]:
    """A device, and a port behind which its far end is: what a serial device server does."""
    socat = shutil.which("socat") or pytest.skip("socat is not installed")
    device, (port,) = folder / "ttyS9", free_ports(1)
    line = await asyncio.create_subprocess_exec(
        socat, f"PTY,raw,echo=0,link={device}", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr"
    )
    try:
        await until(device.exists, "the device")
        yield device, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            line.kill()
        await line.wait()


async def test_a_plant_on_a_serial_line(database_dsn: str) -> None:
    """Its call rings a phone, "paged" goes back at a poll, its reset ends the alarm; noise is overcome."""
    async with House(database_dsn, extra=PLANT) as house, serial_line(house.folder) as (device, port):
        line = f'[[espa]]\nsource = "plant"\nserial = "{device}"\nframe = "8N1"\nmode = "polled"\n'
        hub = house.hub(config=line)
        await hub.start()
        async with (
            EspaPlant("127.0.0.1", port, poll_every_s=0.1) as plant,
            Nurse(hub, 0, takes=False) as nurse,
        ):
            await hub.said("source_connected")
            plant.damage_next(2)
            assert await plant.call("2010", "Bed 0") is Outcome.TAKEN
            await until(lambda: nurse.phone.alarms, "the phone to ring")
            (alarm,) = nurse.phone.alarms
            await nurse.phone.rang(alarm)
            await plant.wait_status("2010", "3", 10)
            assert await plant.reset("2010", "Bed 0") is Outcome.TAKEN
            await until(lambda: not nurse.phone.alarms, "the phone to be still")
        assert (await house.phases())[alarm] == "ended"


@contextlib.asynccontextmanager
async def pager_house(dsn: str) -> AsyncIterator[tuple[House, EspaStation, str]]:
    """A house in which one nurse has a pager, the transmitter, and the settings of its line."""
    house, transmitter = House(dsn), EspaStation()
    assert NURSE in house.site_text
    house.site_text = house.site_text.replace(NURSE, f'{NURSE}pager = "{PAGER}"\n', 1)
    port = await transmitter.listen()
    settings = f'[[espa_sender]]\nsource = "old"\nconnect = "127.0.0.1:{port}"\npoll_every_s = 0.2\n'
    try:
        async with house:
            yield house, transmitter, settings
    finally:
        transmitter.close()


def pages(transmitter: EspaStation) -> list[tuple[str, str]]:
    """Number and call type of what was radioed."""
    return [(taken.get("1"), taken.get("4")) for taken in transmitter.taken]


async def test_who_has_only_a_pager_is_paged_beside_the_phones(database_dsn: str) -> None:
    """Her colleague's phone rings, her pager too, with kind and place; when the alarm ends it is reset."""
    async with pager_house(database_dsn) as (house, transmitter, settings):
        hub = house.hub(config=settings)
        await hub.start()
        async with Nurse(hub, 1, takes=False) as colleague:
            await until(lambda: colleague.phone.synced, "the colleague's phone")
            await hub.press("call-1", 0)
            await until(lambda: transmitter.taken, "the page")
            (page,) = transmitter.taken
            assert (page.get("1"), page.get("4")) == (PAGER, "3")
            assert page.get("2").endswith("Unit 0 Bed 0")
            await until(lambda: colleague.phone.alarms, "the colleague's phone to ring")
            await hub.press("call-1", 0, event="end")
            await until(lambda: len(transmitter.taken) == 2, "the reset")
            assert pages(transmitter) == [(PAGER, "3"), (PAGER, "1")]
            assert transmitter.taken[1].get("2") == page.get("2")


async def test_a_page_outlives_the_hub_that_promised_it(database_dsn: str) -> None:
    """The transmitter is full, the hub is killed; the next one sends it."""
    async with pager_house(database_dsn) as (house, transmitter, settings):
        hub = house.hub(config=settings)
        await hub.start()
        transmitter.busy = 1_000
        assert (await hub.press("call-1", 0)).status == 201
        await until(lambda: transmitter.busy < 1_000, "the first try")
        hub.kill()
        transmitter.busy = 0
        assert transmitter.taken == []
        await hub.start()
        await until(lambda: transmitter.taken, "the page", within_s=20)
        assert pages(transmitter)[0] == (PAGER, "3")
