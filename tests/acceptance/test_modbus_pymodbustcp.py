"""Contacts from a Modbus server that knows nothing of ours (pyModbusTCP), through a whole hub to a phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from alarmhub.core.alarm import Alarm, Phase
from tests.support.hub import House, free_ports
from tests.support.waiting import until

server = pytest.importorskip("pyModbusTCP.server", reason="pyModbusTCP is not installed")

SITE = """
[[source]]
id = "io"
name = "I/O module"
fallback_unit = "u0000"
protocol = "modbus"
rules = [
  { address = '^io7/fridge$', text = '^active', place = "u0000/r1", kind = "technical" },
  { address = '^io7/assault$', text = '^active', place = "u0000/r2", kind = "assault" },
  { text = '^fault', kind = "technical" },
]
samples = [
  { address = "io7/fridge", text = "active", place = "u0000/r1", kind = "technical", priority = "low" },
]
"""
LINE = """
[[modbus]]
source = "io"
module = "io7"
connect = "127.0.0.1:{port}"
poll_s = 0.05
read_within_s = 0.5
down_s = 1.0
up_s = 0.2
points = [
  {{ name = "fridge", table = "discrete", address = 3, normally = "closed", label = "Blood fridge" }},
  {{ name = "assault", table = "coil", address = 5, debounce_ms = 20 }},
  {{ name = "loop", table = "input", address = 9, open = [[600, 800]], closed = [[300, 500]] }},
  {{ name = "generator", table = "holding", address = 2, mask = 0x0300, open = [[1, 1]], closed = [[2, 2]] }},
]
"""


class Module:
    """The independent server, with contacts at rest."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.bank = server.DataBank()
        self.bank.set_discrete_inputs(3, [True])
        self.bank.set_input_registers(9, [700])
        self.bank.set_holding_registers(2, [0x0101])
        self._server: server.ModbusServer | None = None

    async def start(self) -> None:
        """Power on."""
        self._server = server.ModbusServer("127.0.0.1", self.port, no_block=True, data_bank=self.bank)
        await asyncio.to_thread(self._server.start)

    async def stop(self) -> None:
        """Power off."""
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
            self._server = None


@pytest.fixture
async def module() -> AsyncIterator[Module]:
    """A module that is on."""
    one = Module()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house with a module in its site."""
    async with House(database_dsn, extra=SITE) as one:
        yield one


async def stored(house: House, source: str = "io") -> list[tuple[str, str, Phase]]:
    """Key, kind and phase of every stored alarm of the source, oldest first."""
    rows = await house.sql("SELECT body FROM alarm WHERE source = $1 ORDER BY raised_at, id", source)
    alarms = [msgspec.json.decode(row["body"], type=Alarm) for row in rows]
    return [(alarm.key, str(alarm.kind), alarm.phase) for alarm in alarms]


async def become(house: House, *expected: tuple[str, str, Phase]) -> None:
    """Wait until exactly these are stored."""

    async def same() -> bool:
        return sorted(await stored(house)) == sorted(expected)

    try:
        await until(same, "the stored alarms", within_s=10)
    except AssertionError:
        assert sorted(await stored(house)) == sorted(expected)


FRIDGE, ASSAULT, LOOP = "io7/fridge:active", "io7/assault:active", "io7/loop:fault"


async def test_contacts_of_all_tables_become_alarms_and_end(house: House, module: Module) -> None:
    """Discrete input, coil, input and holding register; the place from the site, on a phone of the unit."""
    hub = house.hub(config=LINE.format(port=module.port))
    await hub.start()
    async with hub.phone(0) as phone:
        module.bank.set_coils(5, [True])
        shown = await phone.wait_alarm(5, kind="assault")
        assert (shown.place, shown.source_text) == ("load/u0000/r2", "active")
    module.bank.set_discrete_inputs(3, [False])
    module.bank.set_input_registers(9, [3])
    module.bank.set_holding_registers(2, [0x0201])
    await become(
        house,
        (ASSAULT, "assault", Phase.RINGING),
        (FRIDGE, "technical", Phase.RINGING),
        (LOOP, "technical", Phase.RINGING),
        ("io7/generator:active", "patient_call", Phase.RINGING),  # no rule: it rings all the same
    )
    module.bank.set_discrete_inputs(3, [True])
    module.bank.set_input_registers(9, [700])
    module.bank.set_holding_registers(2, [0x0101])
    await become(
        house,
        (ASSAULT, "assault", Phase.RINGING),
        (FRIDGE, "technical", Phase.ENDED),
        (LOOP, "technical", Phase.ENDED),
        ("io7/generator:active", "patient_call", Phase.ENDED),
    )
    assert [line for line in hub.lines() if line["level"] == "error"] == [], hub.log()[-6000:]
    assert await hub.stop() == 0


async def test_a_hub_that_was_killed_finds_its_contacts_as_they_are(house: House, module: Module) -> None:
    """One alarm for what is still active, none twice; what went normal meanwhile is over; what came rings."""
    hub = house.hub(config=LINE.format(port=module.port))
    await hub.start()
    module.bank.set_discrete_inputs(3, [False])
    module.bank.set_coils(5, [True])
    await become(house, (ASSAULT, "assault", Phase.RINGING), (FRIDGE, "technical", Phase.RINGING))
    hub.kill()
    module.bank.set_discrete_inputs(3, [True])
    module.bank.set_input_registers(9, [3])
    await hub.start()
    await become(
        house,
        (ASSAULT, "assault", Phase.RINGING),
        (FRIDGE, "technical", Phase.ENDED),
        (LOOP, "technical", Phase.RINGING),
    )
    assert await hub.stop() == 0


async def test_a_module_without_power_is_news_and_its_alarms_are_set_right_afterwards(
    house: House, module: Module
) -> None:
    """The engineer and the unit are told; after its return what is over ends."""
    hub = house.hub(config=LINE.format(port=module.port))
    await hub.start()
    module.bank.set_discrete_inputs(3, [False])
    await become(house, (FRIDGE, "technical", Phase.RINGING))
    await module.stop()

    async def told(phase_open: bool) -> bool:
        keys = {key: phase for key, _, phase in await stored(house, "hub") if key.startswith("link:io")}
        return bool(keys) and all((phase is not Phase.ENDED) == phase_open for phase in keys.values())

    await until(lambda: told(True), "the news", within_s=10)
    module.bank.set_discrete_inputs(3, [True])
    await module.start()
    await become(house, (FRIDGE, "technical", Phase.ENDED))
    await until(lambda: told(False), "its return", within_s=10)
    assert await hub.stop() == 0
