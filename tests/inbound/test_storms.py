"""Every door that listens, in a storm of connections: bounded, without a task left behind, and open again."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from alarmhub.inbound.doors import opener
from alarmhub.secret import Secret
from alarmhub.settings import LINKS
from load.ways import WAYS, Way
from tests.support.paging import Rig, rig_of
from tests.support.waiting import until

LISTENING = ("hl7", "espax", "espa", "snpp", "smtp", "scaip")
TURNS_AWAY = ("smtp",)
"""When it is full it tells the next to come again; at the others the least useful connection goes."""
STORM = 300
SPARE_TASKS = 20


class Storm:
    """Sockets that say nothing, or something wrong."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Storm:
        return self

    async def __aexit__(self, *error: object) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def connect(self, count: int, says: bytes = b"") -> None:
        """So many more."""
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writers.append(writer)
            writer.write(says)


@asynccontextmanager
async def door(name: str) -> AsyncIterator[tuple[Way, Rig[Any], int]]:
    """A way, its adapter with a hub that behaves, and how many connections its settings grant."""
    way = WAYS[name](1)
    ((_, (table,)),) = tomllib.loads(way.tables).items()
    settings = msgspec.convert(table, LINKS[name], dec_hook=lambda _, said: Secret(said))
    async with rig_of(lambda feed: opener(name)(settings, feed)) as rig:
        try:
            yield way, rig, getattr(settings, "connections", 4)
        finally:
            await way.close()


@pytest.mark.parametrize("says", [b"", b"\x02\x0b!EX GET / HTTP/1.1\r\n\r\n"], ids=["silent", "nonsense"])
@pytest.mark.parametrize("name", LISTENING)
async def test_a_storm_is_bounded_and_a_sender_gets_through(name: str, says: bytes) -> None:
    """Three hundred strangers hold no more than the door grants, and leave nothing behind."""
    async with door(name) as (way, rig, granted):
        before = len(asyncio.all_tasks())
        async with Storm(rig.port) as storm:
            await storm.connect(STORM, says)
            await until(lambda: rig.feed.status.connected <= granted, "no more than granted")
            await until(lambda: len(asyncio.all_tasks()) - before <= 3 * granted + SPARE_TASKS, "few tasks")
            if name not in TURNS_AWAY:
                await (await way.open(0))(1)
                assert len(rig.taken) == 1
        await way.hang_up(0)
        await until(lambda: not rig.feed.status.connected, "all to be gone")
        await until(lambda: len(asyncio.all_tasks()) <= before + 1, "no task to be left")
        await (await way.open(0))(2)
        assert "call 2" in rig.taken[-1].source_text + rig.taken[-1].text
