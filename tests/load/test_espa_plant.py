"""The simulated call plant against the recorded transactions: it must put the same bytes on the line."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from load.espa_plant import EspaPlant, Mode, Outcome, block, read_block

VECTORS = Path(__file__).parent.parent / "protocols/vectors/espa444/transactions.json"
TEXT = "Zi 12 Bett 1 Ruf"


def _recorded() -> dict[str, list[tuple[str, bytes]]]:
    return {
        one["name"]: [(step["from"], bytes.fromhex(step["hex"])) for step in one["steps"]]
        for one in json.loads(VECTORS.read_text())
    }


class Recording:
    """The hub's side of one recording: expects the plant's bytes, says the hub's."""

    def __init__(self, steps: list[tuple[str, bytes]]) -> None:
        self.steps = steps
        self.faults: list[str] = []
        self.finished = asyncio.Event()
        self.left = asyncio.Event()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Plays the steps once, then keeps the line open in silence."""
        self.connections += 1
        for side, data in self.steps:
            if side == "control_station_1":
                heard = await reader.readexactly(len(data))
                if heard != data:
                    self.faults.append(f"expected {data.hex(' ')}, heard {heard.hex(' ')}")
            else:
                writer.write(data)
        self.finished.set()
        try:
            await reader.read()
        except ConnectionResetError:
            pass  # the plant left without ceremony
        writer.close()
        self.left.set()


@asynccontextmanager
async def line(
    steps: list[tuple[str, bytes]], mode: Mode, poll_every_s: float = 60
) -> AsyncIterator[tuple[EspaPlant, Recording]]:
    """A plant connected to a recording."""
    recording = Recording(steps)
    server = await asyncio.start_server(recording.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with EspaPlant("127.0.0.1", port, mode=mode, poll_every_s=poll_every_s) as plant:
            yield plant, recording
            async with asyncio.timeout(5):
                await recording.finished.wait()
        async with asyncio.timeout(5):
            await recording.left.wait()
    assert recording.faults == []


@pytest.mark.parametrize(
    ("name", "mode", "damaged", "records", "outcome"),
    [
        ("01_call_selfpoll_select", Mode.POLLED, 0, {}, Outcome.TAKEN),
        ("02_bcc_error_retransmit", Mode.POLLED, 1, {}, Outcome.TAKEN),
        ("03_busy_then_giveup", Mode.POLLED, 0, {}, Outcome.BUSY),
        ("11_quirk_bare_select_no_poll", Mode.SELECT_ONLY, 0, {}, Outcome.TAKEN),
        ("12_quirk_bare_soh", Mode.BARE, 0, {}, Outcome.TAKEN),
        ("13_quirk_crude_master", Mode.CRUDE, 0, {}, Outcome.TAKEN),
        (
            "15_quirk_minimal_records",
            Mode.SELECT_ONLY,
            0,
            dict.fromkeys(("beep", "call_type", "transmissions", "priority")),
            Outcome.TAKEN,
        ),
    ],
)
async def test_a_call_is_sent_as_recorded(
    name: str, mode: Mode, damaged: int, records: dict[str, str | None], outcome: Outcome
) -> None:
    """Nurse presses; the plant's bytes are those of the recording, and it believes the hub's answer."""
    async with line(_recorded()[name], mode) as (plant, _):
        plant.damage_next(damaged)
        assert await plant.call("1201", TEXT, **records) is outcome
        assert ("1201", TEXT) in plant.lamps


async def test_a_priority_alarm_is_sent_as_recorded() -> None:
    """Priority 1, beep 9, three transmissions."""
    async with line(_recorded()["10_high_priority_alarm"], Mode.POLLED) as (plant, _):
        outcome = await plant.call("1201", "Zi 12 HERZALARM", beep="9", transmissions="3", priority="1")
        assert outcome is Outcome.TAKEN


async def test_a_reset_puts_the_lamp_out() -> None:
    """Call type 1 with the same address and text."""
    recorded = _recorded()
    both = recorded["01_call_selfpoll_select"] + recorded["04_reset_call"]
    async with line(both, Mode.POLLED) as (plant, _):
        await plant.call("1201", TEXT)
        assert await plant.reset("1201", TEXT) is Outcome.TAKEN
        assert plant.lamps == {}


async def test_status_is_picked_up_by_polling() -> None:
    """Polled, the hub becomes temporary master and says that the call was acknowledged."""
    async with line(_recorded()["05_status_information_back"], Mode.POLLED, 0.01) as (plant, _):
        status = await plant.wait_status("1201", "6", 5)
        assert status.text == TEXT


async def test_status_request_is_answered_at_the_next_poll() -> None:
    """Header 3 goes out, and the poll after it brings status 2."""
    async with line(_recorded()["06_status_request"], Mode.POLLED, 0.05) as (plant, _):
        assert await plant.ask_status("1201", TEXT) is Outcome.TAKEN
        await plant.wait_status("1201", "2", 5)


async def test_a_transmitter_failure_is_understood() -> None:
    """System status 1 has no call address."""
    async with line(_recorded()["09_system_failure"], Mode.POLLED, 0.01) as (plant, _):
        await plant.wait_for(lambda one: any(status.system_status == "1" for status in one.statuses), 5)


async def test_an_idle_hub_is_polled_and_says_nothing() -> None:
    """EOT to a poll is an answered poll without status."""
    async with line(_recorded()["07_idle_poll"], Mode.POLLED, 0.01) as (plant, _):
        await plant.wait_for(lambda one: one.polls == 1, 5)
        assert plant.statuses == []


async def test_after_a_restart_all_lamps_are_sent_again() -> None:
    """The plant loses power with a call lit; back on the line it sends that call once more."""
    async with line(_recorded()["01_call_selfpoll_select"], Mode.POLLED) as (plant, recording):
        await plant.call("1201", TEXT)
        recording.finished.clear()
        await plant.restart()
        async with asyncio.timeout(5):
            await recording.finished.wait()
        assert recording.connections == 2


def test_blocks_read_back_and_a_wrong_check_is_noticed() -> None:
    """The check vector of the standard's users: 01 31 02 31 1F 41 03 gives 5F."""
    whole = block("1", [("1", "A")])
    assert whole == bytes.fromhex("01310231 1f41035f".replace(" ", ""))
    assert read_block(whole) == ("1", [("1", "A")])
    assert read_block(whole[:-1] + b"\x5e") is None
