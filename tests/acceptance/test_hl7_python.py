"""HL7 from reporters that know nothing of ours (`hl7` and `hl7apy`), through a hub to a phone and back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from alarmhub.core.alarm import Phase
from load.hl7_monitor import Alert, pcd04, watchdog
from tests.support.hl7_house import GATEWAY, house_with_gateway, stored
from tests.support.hub import House, Hub, free_ports
from tests.support.waiting import until

hl7 = pytest.importorskip("hl7", reason="hl7 (PyPI) is not installed")
mllp = pytest.importorskip("hl7.mllp", reason="hl7 (PyPI) is not installed")

CALL = Alert("AL-1", place="U0000^R1^1", text="Nurse call")


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house with a nurse call gateway in its site."""
    async with house_with_gateway(database_dsn) as one:
        yield one


class Gateway:
    """A reporter made of `hl7`'s asyncio streams: sends, reads answers and statuses."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer = reader, writer
        self.statuses: list[Any] = []

    async def report(self, message: bytes) -> Any:
        """Send and return the acknowledgement; statuses that come first are kept and acknowledged."""
        self._writer.writemessage(hl7.parse(message.decode()))
        await self._writer.drain()
        return await self._next("ACK")

    async def status(self) -> tuple[str, str]:
        """The next status: its word and whom it is about."""
        if not self.statuses:
            await self._next("ORA")
        one = self.statuses.pop(0)
        return str(one["PRT.F3.R1.C2"]), str(one.segment("PRT")(5)).partition("^")[0]

    async def _next(self, kind: str) -> Any:
        while True:
            async with asyncio.timeout(10):
                message = await self._reader.readmessage()
            if str(message.segment("MSH")(9)).startswith("ORA"):
                self.statuses.append(message)
                self._writer.writemessage(message.create_ack("CA", message_id="K"))
                await self._writer.drain()
            if str(message.segment("MSH")(9)).startswith(kind):
                return message


@asynccontextmanager
async def gateway(port: int) -> AsyncIterator[Gateway]:
    """A gateway that is connected."""
    reader, writer = await mllp.open_hl7_connection("127.0.0.1", port, encoding="utf-8")
    try:
        yield Gateway(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def gateway_hub(house: House, more: str = 'status_back = "same"') -> tuple[Hub, int]:
    """A hub that listens for the gateway."""
    (port,) = free_ports(1)
    hub = house.hub(config=GATEWAY.format(port=port, more=more))
    await hub.start()
    return hub, port


async def test_a_call_rings_a_phone_and_the_gateway_hears_of_each_person(house: House) -> None:
    """Commit acknowledgement, received, delivered, read or accepted by name, completed."""
    hub, port = await gateway_hub(house)
    async with hub.phone(0) as phone, gateway(port) as gw:
        answer = await gw.report(pcd04(CALL, "A1", 0))
        assert (str(answer.segment("MSA")(1)), str(answer.segment("MSA")(2))) == ("CA", "A1")
        shown = await phone.wait_alarm(5)
        assert shown.place == "load/u0000/r1/bed"
        assert "Nurse call" in shown.source_text
        assert await gw.status() == ("RECEIVED", "")
        assert (await gw.status())[0] == "DELIVERED"
        assert (await phone.accept(shown.id)).ok
        said = set()
        while "ACCEPTED" not in {word for word, _ in said}:
            said.add(await gw.status())
        assert ("ACCEPTED", phone.name) in said
        await gw.report(pcd04(Alert("AL-1", place="U0000^R1^1", phase="end", state="inactive"), "A2", 0))
        while (await gw.status())[0] != "COMPLETED":
            pass
    assert [alarm.phase for alarm in await stored(house)] == [Phase.ENDED]


async def test_what_was_acknowledged_survives_the_hubs_death_and_is_there_once(house: House) -> None:
    """The process is killed while calls come in; the gateway repeats under the same control ids."""
    hub, port = await gateway_hub(house)
    acknowledged: set[str] = set()
    try:
        # Closing the connection of a hub that is dead fails as well.
        async with gateway(port) as gw:
            for number in range(400):
                message = pcd04(Alert(f"K-{number}", place="U0000^R1^1"), f"C{number}", 0)
                answer = await gw.report(message)
                assert str(answer.segment("MSA")(1)) == "CA"
                acknowledged.add(f"K-{number}")
                if number == 60:
                    hub.kill()
    except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
        pass
    assert len(acknowledged) >= 60
    await hub.start()
    async with gateway(port) as gw:
        for number in range(len(acknowledged) + 5):
            message = pcd04(Alert(f"K-{number}", place="U0000^R1^1"), f"C{number}", 0)
            assert str((await gw.report(message)).segment("MSA")(1)) == "CA"
    alarms = await stored(house)
    refs = [alarm.ref for alarm in alarms]
    assert len(refs) == len(set(refs))
    assert acknowledged <= set(refs)
    assert {alarm.count for alarm in alarms} == {1}


async def test_mllp_send_gets_its_answers(house: House, tmp_path: Path) -> None:
    """The command of the `hl7` package, with a message it frames itself."""
    _, port = await gateway_hub(house)
    file = tmp_path / "call.hl7"
    file.write_bytes(pcd04(CALL, "A1", 0).replace(b"\r", b"\n"))
    command = Path(sys.executable).with_name("mllp_send")
    if not command.exists():
        pytest.skip("mllp_send is not installed")
    process = await asyncio.create_subprocess_exec(
        str(command), "--loose", "--port", str(port), "--file", str(file), "127.0.0.1",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert b"MSA|CA|A1" in said
    assert [alarm.ref for alarm in await stored(house)] == ["AL-1"]


async def test_statuses_reach_an_hl7_server_on_a_connection_of_our_own(house: House) -> None:
    """`hl7`'s own server as the reporter's second socket; a watchdog message rings nobody."""
    heard: list[Any] = []

    async def serve(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                heard.append(message)
                writer.writemessage(message.create_ack("CA"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    (status_port,) = free_ports(1)
    server = await mllp.start_hl7_server(serve, "127.0.0.1", status_port, encoding="utf-8")
    async with server:
        hub, port = await gateway_hub(house, f'status_back = "connect 127.0.0.1:{status_port}"')
        async with hub.phone(0) as phone, gateway(port) as gw:
            await gw.report(watchdog("W1", 0))
            await gw.report(pcd04(CALL, "A1", 0))
            await phone.wait_alarm(5)
            await until(lambda: len(heard) >= 2, "two statuses", within_s=10)
        words = [str(message["PRT.F3.R1.C2"]) for message in heard]
        assert words[:2] == ["RECEIVED", "DELIVERED"]
        assert {str(message.segment("MSA")(2)) for message in heard} == {"A1"}
    assert len(await stored(house)) == 1


async def test_hl7apy_agrees_with_every_answer(house: House) -> None:
    """A strict parser reads CA, CE and CR as acknowledgements of what it sent."""
    parser = pytest.importorskip("hl7apy.parser", reason="hl7apy is not installed")
    _, port = await gateway_hub(house)
    good = pcd04(CALL, "A1", 0)
    cases = [
        (good, "CA", ""),
        (good.replace(b"|start|", b"|begin|"), "CE", "103"),
        (good.replace(b"R40^ORU_R40", b"R01^ORU_R01"), "CR", "201"),
        (good.replace(b"|SA|", b"|SP|").replace(b"MDCX_EVT_NURSE_CALL", b"MDC_EVT_LO"), "CR", "207"),
    ]
    for message, code, error in cases:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0b" + message + b"\x1c\r")
        raw = (await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 10)).strip(b"\x0b\x1c\r")
        writer.close()
        await writer.wait_closed()
        answer = parser.parse_message(raw.decode(), find_groups=False)
        assert (answer.msa.msa_1.value, answer.msa.msa_2.value) == (code, "A1")
        assert answer.msh.msh_9.value.startswith("ACK^")
        if error:
            assert answer.err.err_3.err_3_1.value == error
