"""Supervision and drills of a real hub: one phone answers, one is in a locker, one is gone."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from load.phone_client import PhoneClient
from load.site import staff_id
from tests.support.hub import ROOT, House, Hub, pass_time
from tests.support.waiting import until

UNIT = "u0000"
LEADER, ANSWERS, LOCKER, GONE = range(4)
RECEIPT_WITHIN_S = 5.0


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """One unit, four nurses on duty, the first of whom leads the shift."""
    async with House(database_dsn, phones=4) as one:
        yield one


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Hub]:
    """A hub that gives phones five seconds to confirm a drill."""
    hub = house.hub(DRILLS__RECEIPT_WITHIN_S=RECEIPT_WITHIN_S, PHONES__SILENT_AFTER_S=30)
    await hub.start()
    yield hub


async def on_duty(hub: Hub, stack: AsyncExitStack, *numbers: int) -> dict[int, PhoneClient]:
    """Phones that are connected and synced; the one in the locker never says anything."""
    return {
        number: await stack.enter_async_context(hub.phone(number, auto_rang=number != LOCKER))
        for number in numbers
    }


async def command(hub: Hub, *words: str) -> tuple[int, str, str]:
    """`alarmhub WORDS`, on the hub's own settings: exit code, standard output and error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "alarmhub", *words, "--config", str(hub.config), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **hub.environment},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_drill_finds_the_phone_in_the_locker_and_the_one_that_is_gone(house: House) -> None:
    """From the command: each phone and way with its result, exit 1; the doctor names the red ones."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS, LOCKER, GONE)
        await phones[GONE].cut()
        code, out, err = await command(hub, "drill", UNIT)
        assert (code, err) == (1, ""), (out, err)
        rows = {tuple(line.split()[:2])[1]: line for line in out.splitlines()[1:-1]}
        assert "rang" in rows["000000"] and "rang" in rows["000001"]
        assert "RED: telefonen svarade inte i tid" in rows["000002"]
        assert "RED: telefonen har ingen kontakt" in rows["000003"]
        assert out.splitlines()[-1] == f"{UNIT}: failed, 2 good, 2 red, 0 neither"
        # Silently: nothing rang, nothing is left on the phones.
        for number in (LEADER, ANSWERS, LOCKER):
            drill = next(f for f in phones[number].frames if f.get("type") == "alarm")
            assert drill["drill"] and not drill["rings"] and drill["can"] == []
            await phones[number].wait_gone(drill["id"], 5)
        _, doctor, _ = await command(hub, "doctor")
        (line,) = [line for line in doctor.splitlines() if f"drill {UNIT}" in line]
        assert line.startswith("warn") and "2 red: Nurse 000002 (socket), Nurse 000003 (socket)" in line
        metrics = (await hub.call("GET", "/metrics", secret=None)).raw.decode()
        assert f'alarmhub_drill_red{{unit="{UNIT}"}} 2.0' in metrics


async def test_a_drill_everybody_confirms_is_green(house: House) -> None:
    """Exit 0, in less time than phones have."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS, GONE)
        async with hub.phone(LOCKER, auto_rang=True) as awake:
            code, out, _ = await command(hub, "drill", UNIT)
            assert code == 0, out
            assert out.splitlines()[-1] == f"{UNIT}: ok, 4 good, 0 red, 0 neither"
            assert len(phones) + 1 == 4 and awake.alarms == {}


async def test_a_real_alarm_interrupts_a_drill(house: House) -> None:
    """It rings at once, and the drill is neither good nor red."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS, LOCKER, GONE)
        drill = asyncio.get_running_loop().create_task(command(hub, "drill", UNIT))
        await phones[LOCKER].wait_alarm(10, drill=True)
        assert (await hub.press("real", 1)).status == 201
        rung = await phones[LOCKER].wait_alarm(2, kind="patient_call")
        assert rung.rings
        code, out, _ = await drill
        assert (code, out.splitlines()[-1]) == (1, f"{UNIT}: interrupted, 3 good, 0 red, 1 neither")


async def test_a_drill_in_flight_when_the_hub_is_killed_is_interrupted(house: House) -> None:
    """Never green, never left open, and gone from the phones; the command sees it through the restart."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS, LOCKER, GONE)
        drill = asyncio.get_running_loop().create_task(command(hub, "drill", UNIT))
        alarm = await phones[LOCKER].wait_alarm(10, drill=True)

        async def written() -> bool:
            return bool(await house.sql("SELECT 1 FROM drill"))

        await until(written, "the drill is written")
        hub.kill()
        await hub.start()
        code, out, _ = await drill
        assert (code, out.splitlines()[-1].split(",")[0]) == (1, f"{UNIT}: interrupted")

        async def stored() -> bool:
            (row,) = await house.sql("SELECT ended_at, result->>'state' AS state FROM drill")
            return row["ended_at"] is not None and bool(row["state"] == "interrupted")

        await until(stored, "the interruption is written")
        await until(lambda: _ended(house, alarm.id), "the drill's alarm has ended")


async def _ended(house: House, alarm: str) -> bool:
    return (await house.phases())[alarm] == "ended"


async def test_a_flat_battery_and_a_lost_permission_warn_owner_and_leader(house: House) -> None:
    """Until they are over; a restart neither forgets nor repeats them."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS)
        hers, leader = phones[ANSWERS], phones[LEADER]
        await hers.status(battery=12, charging=False, notifications="denied", muted=False)
        await hers.wait_for(lambda p: len(p.warnings) == 2, 20)
        assert any("12 %" in text for text in hers.warnings)
        await leader.wait_for(lambda p: len(p.warnings) == 2, 5)
        assert all(text.startswith("Nurse 000001: ") for text in leader.warnings)
        await leader.wait_alarm(5, alarm_type="phone_battery_low")
        notice = await leader.wait_alarm(5, alarm_type="phone_no_permission")
        assert hers.alarms == {} and "000001" not in (notice.text or "")
        assert [row["body"] for row in await _notices(house)] and not await _naming(house, staff_id(ANSWERS))

        hub.kill()
        await hub.start()
        for phone in (hers, leader):
            await phone.cut()
            await phone.connect()
        # The kill may have come before the second warning was stored: the phone's state brings it back.
        await hers.wait_for(lambda p: len(p.warnings) == 2, 20)
        await pass_time(1.5, "supervision looks at everybody again")
        # Of each cause one; rung again under its own key where the kill came before the leader's phone rang.
        assert len({row["key"] for row in await _notices(house)}) == 2

        await hers.status(battery=80, charging=True, notifications="granted", muted=False)
        await hers.wait_for(lambda p: p.warnings == [], 20)
        await leader.wait_for(lambda p: p.warnings == [] and p.alarms == {}, 5)
        health = await _health(hub)
        assert (health["battery"], health["warnings"], health["reach"]) == (80, [], "live")


async def test_a_phone_that_falls_silent_warns_the_leader_and_comes_back(house: House) -> None:
    """After half a minute here, by this hub's settings."""
    async with serving(house) as hub, AsyncExitStack() as stack:
        phones = await on_duty(hub, stack, LEADER, ANSWERS, LOCKER, GONE)
        await phones[GONE].cut()
        await phones[LEADER].wait_for(lambda p: p.warnings != [], 50)
        assert phones[LEADER].warnings == ["Nurse 000003: telefonen har ingen kontakt"]
        await phones[GONE].connect()
        await phones[GONE].wait_for(lambda p: p.warnings != [], 5)
        await phones[LEADER].wait_for(lambda p: p.warnings == [], 45)


async def _notices(house: House) -> list[dict[str, str]]:
    query = "SELECT key, body::text FROM alarm WHERE source = 'hub' AND body->>'type' LIKE 'phone_%'"
    return [dict(row) for row in await house.sql(query)]


async def _naming(house: House, staff: str) -> list[dict[str, str]]:
    return [row for row in await _notices(house) if staff in row["body"]]


async def _health(hub: Hub) -> dict[str, object]:
    secret = (hub.folder / "press.secret").read_text().strip()
    answer = await hub.call("GET", f"/api/v1/units/{UNIT}/phones", secret=secret)
    return next(p for p in answer.body["phones"] if p["staff"] == staff_id(ANSWERS))
