"""Calling out: kept up, tried again with back-off, and stopped at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.inbound.dial import Dial, Dialer, tcp
from alarmhub.inbound.stream import Connection
from alarmhub.tasks import Crew
from protocols.espa444 import Link, PagerSystem
from protocols.espa444_events import BlockReceived, EspaEvent
from tests.support.espa_talk import SELECT, call
from tests.support.waiting import until
from tests.support.wires import Called


class Session:
    """Takes calls, and accepts each."""

    def __init__(self, connection: Connection[EspaEvent], texts: list[str]) -> None:
        self.codec = PagerSystem(Link())
        self._texts = texts

    async def take(self, event: EspaEvent) -> None:
        """Accept."""
        if isinstance(event, BlockReceived):
            self._texts.append(event.text)
            self.codec.accept(event.token, MonotonicClock().now())

    def lost(self, cause: str) -> None:
        """Nothing to do."""


class Rig:
    """A dialer, and what came of it."""

    def __init__(self, dial: Dial) -> None:
        self.texts: list[str] = []
        self.failed: list[str] = []
        self.crew = Crew("test")
        self.dialer: Dialer[EspaEvent] = Dialer(
            dial,
            lambda connection: Session(connection, self.texts),
            peer="plant",
            crew=self.crew,
            clock=MonotonicClock(),
            failed=self.failed.append,
        )


@asynccontextmanager
async def dialling(dial: Dial) -> AsyncIterator[Rig]:
    """A dialer that runs; afterwards no task is left and none has died."""
    it = Rig(dial)
    await it.dialer.start()
    try:
        yield it
    finally:
        await it.dialer.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The back-off as delivered is seconds."""
    monkeypatch.setattr("alarmhub.inbound.dial.AGAIN_AFTER_S", (0.01, 0.02, 0.04))


def to(plant: Called) -> Dial:
    """Call this plant."""
    host, _, port = plant.address.partition(":")
    return tcp(host, int(port))


async def test_a_call_over_a_connection_of_our_own() -> None:
    """The hub connects; the conversation is the same."""
    async with Called() as plant, dialling(to(plant)) as it:
        await plant.answered()
        await plant.call(SELECT, call(text="hello"))
        assert (it.texts, it.dialer.port) == (["hello"], 0)


async def test_a_lost_connection_is_made_again() -> None:
    """As often as it takes; what was useful before starts afresh."""
    async with Called() as plant, dialling(to(plant)) as it:
        for text in ("one", "two", "three"):
            await plant.answered()
            await plant.call(SELECT, call(text=text))
            plant.writer.transport.abort()
        await plant.answered()
        assert it.texts == ["one", "two", "three"]


async def test_nobody_there_is_told_once_and_tried_on() -> None:
    """Once until it has worked; then the plant is switched on."""
    tries = 0
    real: list[Callable[[], object]] = []

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal tries
        tries += 1
        if not real:
            raise ConnectionRefusedError(111, "Connection refused")
        return await real[0]()  # type: ignore[no-any-return, misc]

    async with Called() as plant, dialling(dial) as it:
        await until(lambda: tries > 4, "more tries")
        assert it.failed == ["Connection refused"]
        real.append(to(plant))
        await plant.answered()
        await plant.call(SELECT, call())
        assert it.texts == ["Sal 12 plats 1"]


async def test_a_call_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not hang for the minutes TCP would wait."""
    monkeypatch.setattr("alarmhub.inbound.dial.CONNECT_WITHIN_S", 0.01)

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await asyncio.Event().wait()
        raise AssertionError

    async with dialling(dial) as it:
        await until(lambda: it.failed, "the news")
        assert it.failed == ["no answer"]


async def test_a_stop_does_not_wait_for_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither between two tries nor in the middle of a connection."""
    monkeypatch.setattr("alarmhub.inbound.dial.AGAIN_AFTER_S", (3600.0,))
    async with Called() as plant:
        async with asyncio.timeout(5):
            async with dialling(to(plant)):
                await plant.answered()
            async with dialling(tcp("127.0.0.1", 1)) as it:
                await until(lambda: it.failed, "the news")


async def test_a_stop_while_it_is_calling_waits_for_nobody() -> None:
    """The other side lets it ring."""
    calling = asyncio.Event()

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        calling.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(2), dialling(dial):
        await calling.wait()
