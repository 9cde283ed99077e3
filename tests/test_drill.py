"""A drill from a terminal, against a real API."""

from __future__ import annotations

import asyncio

import pytest

from alarmhub.core.reach import Reach
from alarmhub.drill import DrillFailed, drilled, good, lines
from tests.support.waiting import until
from tests.support.web import running


async def test_it_begins_waits_and_shows_each_phone_and_way() -> None:
    """Until the drill has ended, and not before."""
    async with running() as (hub, _):
        secret = hub.shelf.admit("local", "api", "local", "drills:read", "drills:write")
        hub.handsets.contact("anna", "a", Reach.NONE, hub.intake.at)
        hub.handsets.contact("anna", "b", Reach.LIVE, hub.intake.at)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(drilled(hub.url, secret, "201", heard=False))
            await until(lambda: hub.drills.running("201"), "the drill has begun")
            (alarm,) = hub.drills._running
            await hub.drills.look()
            assert hub.drills.running("201") and not asked.done()
            hub.drills.receipt("anna", "b", alarm, "socket", "rang", hub.intake.at + 1_230)
            await hub.drills.look()
        drill = asked.result()
        assert good(drill)
        assert list(lines(drill)) == [
            "person     phone  channel  result  after",
            "Anna Lind  b      socket   rang    1.23 s",
            "201: ok, 1 good, 0 red, 0 neither",
        ]


async def test_red_is_said_with_its_reason() -> None:
    """In the site's language; a drill with anything red is not good."""
    async with running() as (hub, _):
        secret = hub.shelf.admit("local", "api", "local", "drills:read", "drills:write")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(drilled(hub.url, secret, "201", heard=False))
            await until(lambda: hub.drills.running("201"), "the drill has begun")
            await hub.drills.look()
        drill = asked.result()
        assert not good(drill)
        assert list(lines(drill))[1:] == [
            "Anna Lind  -      -        RED: ingen telefon", "201: failed, 0 good, 1 red, 0 neither",
        ]  # fmt: skip


async def test_what_is_refused_is_one_clear_line() -> None:
    """By the hub, and when there is no hub."""
    async with running() as (hub, _):
        secret = hub.shelf.admit("local", "api", "local", "drills:read", "drills:write")
        with pytest.raises(DrillFailed, match=r"^there is no such unit$"):
            await drilled(hub.url, secret, "9/9", heard=False)
        with pytest.raises(DrillFailed, match=r"^unit: expected one with somebody on duty$"):
            await drilled(hub.url, secret, "202", heard=False)
        url = hub.url
    with pytest.raises(DrillFailed, match="no hub answers"):
        await drilled(url, secret, "201", heard=False)
