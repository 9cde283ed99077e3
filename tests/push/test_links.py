"""Two connections, kept open: who gets which, and what happens when one goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from alarmhub.push.http2 import Broken
from alarmhub.push.links import Links
from alarmhub.tasks import Crew
from tests.support.apns_server import ApnsServer, apns_server
from tests.support.waiting import until


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Links, ApnsServer]]:
    """Connections to a server; afterwards neither tasks nor connections are left."""
    crew = Crew("test")
    async with apns_server() as server:
        links = Links("apns", server.url, ca_file=None, crew=crew)
        links.start()
        try:
            yield links, server
        finally:
            await links.stop()
        assert len(crew) == 0 and await crew.close()
        await until(lambda: not server.open)


async def test_both_are_opened_before_they_are_needed() -> None:
    """And are two."""
    async with linked() as (links, server):
        await until(lambda: links.count == 2 and server.opened == 2)
        one = await links.link()
        assert await links.link(other_than=one) is not one


async def test_one_that_is_lost_is_opened_again() -> None:
    """Meanwhile the other serves, also as the other."""
    async with linked() as (links, server):
        await until(lambda: links.count == 2)
        one = await links.link()
        other = await links.link(other_than=one)
        one.abort("test")
        assert await links.link() is other and await links.link(other_than=other) is other
        await until(lambda: server.opened == 3 and links.count == 2)


async def test_a_doubtful_one_is_the_last_choice() -> None:
    """And as the other it is none: a second attempt there would only wait."""
    async with linked() as (links, server):
        await until(lambda: links.count == 2)
        server.greets = False  # deaf to what comes now
        one = await links.link()
        one.doubt()
        other = await links.link()
        assert other is not one
        other.abort("test")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await links.link(other_than=one)
        assert await links.link() is one


async def test_who_waits_is_told_when_they_are_closed() -> None:
    """At once."""
    async with apns_server() as server:
        server.greets = False
        crew = Crew("test")
        links = Links("apns", server.url, ca_file=None, crew=crew)
        links.start()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_broken(links))
            await until(lambda: server.opened == 2)
            await links.stop()
        assert waiting.result() == "the hub stops pushing"
        assert await crew.close()


async def _broken(links: Links) -> str:
    with pytest.raises(Broken) as broken:
        await links.link()
    return str(broken.value)
