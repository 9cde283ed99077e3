"""Social alarms from many units at once, while the hub's process is killed."""

from __future__ import annotations

import asyncio

from load.scaip_alarm import NoReply, ScaipUnit
from protocols.scaip import Mrq
from tests.support.hub import House, free_ports
from tests.support.waiting import until

UNITS, ALARMS, KILLED_AFTER = 8, 25, 60
SOURCE = """
[[source]]
id = "trygghet"
name = "Trygghetslarm"
fallback_unit = "u0000"
protocol = "scaip"
reports = "alarm"
rules = [{ address = '^46(?P<bed>\\d)', place = "u0000/r{bed}/bed", type = "load-hold" }]
"""
LINE = """[[scaip]]
source = "trygghet"
udp = "127.0.0.1:{port}"
tcp = "127.0.0.1:{port}"
auth = "none"
requests_per_s = 10000
reply = "response"
"""


async def test_what_was_answered_is_there_once_after_a_kill(database_dsn: str) -> None:
    """Over UDP and TCP; a unit that heard nothing sends the same again, as the standard has it."""
    async with House(database_dsn, extra=SOURCE) as house:
        (port,) = free_ports(1)
        hub = house.hub(config=LINE.format(port=port))
        await hub.start()
        answered: set[str] = set()
        killing, killed = asyncio.Lock(), asyncio.Event()

        async def alarms(number: int) -> None:
            unit = ScaipUnit("127.0.0.1", port, transport="udp" if number % 2 else "tcp", cid=f"46{number}")
            await until(lambda: connected(unit), "the door to open")
            try:
                for alarm in range(ALARMS):
                    await sent(unit, Mrq(ref=f"R{alarm}", cid=unit.cid, dty="0003"))
                    async with killing:
                        if len(answered) >= KILLED_AFTER and not killed.is_set():
                            killed.set()
                            hub.kill()
                            await hub.start()
            finally:
                unit.disconnect()

        async def sent(unit: ScaipUnit, request: Mrq) -> None:
            while True:
                try:
                    said = await unit.send(request)
                except (NoReply, OSError):
                    said = None
                if said is not None and said.snu in (4, 5):
                    answered.add(f"{request.cid}/{request.ref}")
                    return
                await reconnected(unit)

        async def reconnected(unit: ScaipUnit) -> None:
            unit.disconnect()
            async with killing:  # not while the hub is being started
                await until(lambda: connected(unit), "the door to open again")

        async def connected(unit: ScaipUnit) -> bool:
            try:
                await unit.connect()
            except OSError:
                return False  # a hub that is ready opens its doors a moment later
            return True

        async with asyncio.TaskGroup() as tasks:
            for number in range(UNITS):
                tasks.create_task(alarms(number))
        rows = await house.sql("SELECT body->>'ref' AS ref FROM alarm WHERE source = 'trygghet'")
        assert killed.is_set() and len(answered) == UNITS * ALARMS
        assert sorted(row["ref"] for row in rows) == sorted(answered)
