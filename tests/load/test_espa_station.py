"""The simulated station, by the recorded bytes and by the simulated plant; the hub has no part in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from load.espa_plant import EspaPlant, Mode, Outcome, block
from load.espa_station import EspaStation
from tests.support.espa_plant import Plant
from tests.support.espa_replay import load_transactions, replay_stream

POLL, SELECT = b"\x042\x05", b"\x041\x052\x05"
ACK, EOT = b"\x06", b"\x04"
CALL = block("1", [("1", "1042"), ("2", "Sal 12")])


@asynccontextmanager
async def line() -> AsyncIterator[tuple[EspaStation, Plant]]:
    """A station, and somebody who speaks as its control station."""
    station = EspaStation()
    async with Plant(await station.listen()) as control:
        yield station, control
    station.close()


@pytest.mark.parametrize("name", ["01_call_selfpoll_select", "04_reset_call", "10_high_priority_alarm"])
async def test_recorded_calls_are_taken_as_recorded(name: str) -> None:
    """As a pager transmitter answered."""
    async with line() as (station, control):
        await replay_stream(load_transactions()[name], control.reader, control.writer)
        (taken,) = station.taken
        assert (taken.header, taken.get("1")) == ("1", "1201")


async def test_polled_it_gives_its_calls_one_at_a_time() -> None:
    """EOT when there is none; a refused one again at the next poll, an invalid one never."""
    async with line() as (station, control):
        await control.say(POLL)
        await control.hear(EOT)
        station.call("2010", "Kyl 4")
        for answer in (b"2\x15", b"3\x15"):
            await control.say(POLL)
            await control.hear(b"1\x05")
            await control.say(ACK)
            for _ in range(3):
                await control.hear(block("1", station_call()))
                await control.say(answer)
            await control.hear(EOT)
        await control.say(POLL)
        await control.hear(EOT)
        assert station.outcomes == [Outcome.BUSY, Outcome.INVALID]
        assert station.polls == 4


def station_call() -> list[tuple[str, str]]:
    """The records of the call above."""
    return [("1", "2010"), ("2", "Kyl 4"), ("3", "3"), ("4", "3"), ("5", "1"), ("6", "3")]


async def test_a_full_or_disturbed_transmitter_says_so() -> None:
    """`2 NAK` to the select, `1 NAK` to the block."""
    async with line() as (station, control):
        station.busy = station.damaged = 1
        await control.say(SELECT)
        await control.hear(b"2\x15")
        await control.say(SELECT)
        await control.hear(ACK)
        await control.say(CALL)
        await control.hear(b"1\x15")
        await control.say(CALL)
        await control.hear(ACK)
        assert len(station.taken) == 1


async def test_what_is_not_for_it_or_while_it_is_deaf_is_not_answered() -> None:
    """Another's select and block; then nothing at all."""
    async with line() as (station, control):
        await control.say(b"\x041\x053\x05" + CALL + EOT)
        await control.hear_nothing()
        station.deaf = True
        await control.say(POLL + SELECT + CALL)
        await control.hear_nothing()
        assert station.taken == []


async def test_the_simulated_plant_and_the_simulated_station_understand_each_other() -> None:
    """Calls one way, a status the other."""
    station = EspaStation()
    port = await station.listen()
    async with EspaPlant("127.0.0.1", port, mode=Mode.POLLED, poll_every_s=0.02) as plant:
        assert await plant.call("1042", "Sal 12") is Outcome.TAKEN
        station.give(block("2", [("1", "1042"), ("2", "Sal 12"), ("7", "3")]))
        await plant.wait_status("1042", "3", 5)
        await station.wait_for(lambda it: it.outcomes == [Outcome.TAKEN], 5)
        with pytest.raises(TimeoutError, match="Sal 12"):
            await station.wait_for(lambda it: len(it.taken) > 1, 0.01)
    station.close()
