"""Contacts from servers that know nothing of ours (pyModbusTCP, modbus-serial), through a whole hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from alarmhub.core.alarm import Alarm, Phase
from tests.support import node_peers
from tests.support.hub import House, free_ports
from tests.support.waiting import until

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
    """An independent server, with contacts at rest; it remembers them over a power cut."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.values = {("discrete", 3): 1, ("coil", 5): 0, ("input", 9): 700, ("holding", 2): 0x0101}

    def put(self, table: str, address: int, value: int) -> None:
        """A contact moves."""
        self.values[table, address] = value
        self.show(table, address, value)

    def show(self, table: str, address: int, value: int) -> None:
        """To those that ask."""
        raise NotImplementedError

    async def start(self) -> None:
        """Power on."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Power off."""
        raise NotImplementedError


class PyModbusTcp(Module):
    """pyModbusTCP's server."""

    def __init__(self) -> None:
        super().__init__()
        self._library = pytest.importorskip("pyModbusTCP.server", reason="pyModbusTCP is not installed")
        self._bank = self._library.DataBank()
        self._server: Any = None

    def show(self, table: str, address: int, value: int) -> None:
        """To those that ask."""
        bank = self._bank
        sets = {
            "coil": bank.set_coils, "discrete": bank.set_discrete_inputs,
            "input": bank.set_input_registers, "holding": bank.set_holding_registers,
        }  # fmt: skip
        sets[table](address, [bool(value) if table in ("coil", "discrete") else value])

    async def start(self) -> None:
        """Power on."""
        for (table, address), value in self.values.items():
            self.show(table, address, value)
        self._server = self._library.ModbusServer("127.0.0.1", self.port, no_block=True, data_bank=self._bank)
        await asyncio.to_thread(self._server.start)

    async def stop(self) -> None:
        """Power off."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)


class ModbusSerial(Module):
    """modbus-serial's server, in Node.js."""

    def __init__(self) -> None:
        super().__init__()
        node_peers.need("modbus-serial")
        self._process: asyncio.subprocess.Process | None = None

    def show(self, table: str, address: int, value: int) -> None:
        """To those that ask."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{table} {address} {value}\n".encode())

    async def start(self) -> None:
        """Power on."""
        self._process = await node_peers.launch("modbus_serial.js", str(self.port))
        for (table, address), value in self.values.items():
            self.show(table, address, value)
        assert self._process.stdout is not None
        async with asyncio.timeout(node_peers.WITHIN_S):
            assert await self._process.stdout.readline() == b"ready\n"

    async def stop(self) -> None:
        """Power off."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.communicate()


@pytest.fixture(params=[PyModbusTcp, ModbusSerial])
async def module(request: pytest.FixtureRequest) -> AsyncIterator[Module]:
    """A module that is on."""
    one: Module = request.param()
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
        module.put("coil", 5, 1)
        shown = await phone.wait_alarm(5, kind="assault")
        assert (shown.place, shown.source_text) == ("load/u0000/r2", "active")
    module.put("discrete", 3, 0)
    module.put("input", 9, 3)
    module.put("holding", 2, 0x0201)
    await become(
        house,
        (ASSAULT, "assault", Phase.RINGING),
        (FRIDGE, "technical", Phase.RINGING),
        (LOOP, "technical", Phase.RINGING),
        ("io7/generator:active", "patient_call", Phase.RINGING),  # no rule: it rings all the same
    )
    module.put("discrete", 3, 1)
    module.put("input", 9, 700)
    module.put("holding", 2, 0x0101)
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
    module.put("discrete", 3, 0)
    module.put("coil", 5, 1)
    await become(house, (ASSAULT, "assault", Phase.RINGING), (FRIDGE, "technical", Phase.RINGING))
    hub.kill()
    module.put("discrete", 3, 1)
    module.put("input", 9, 3)
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
    module.put("discrete", 3, 0)
    await become(house, (FRIDGE, "technical", Phase.RINGING))
    await module.stop()

    async def told(phase_open: bool) -> bool:
        keys = {key: phase for key, _, phase in await stored(house, "hub") if key.startswith("link:io")}
        return bool(keys) and all((phase is not Phase.ENDED) == phase_open for phase in keys.values())

    await until(lambda: told(True), "the news", within_s=10)
    module.put("discrete", 3, 1)
    await module.start()
    await become(house, (FRIDGE, "technical", Phase.ENDED))
    await until(lambda: told(False), "its return", within_s=10)
    assert await hub.stop() == 0
