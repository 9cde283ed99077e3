"""The simulated Alertmanager against the API: what it sends, when it tries again and when it gives up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp

from alarmhub.ports import Hooked
from load.alertmanager import Alertmanager
from tests.support.waiting import until
from tests.support.web import PLANT, Hub, running

AT = datetime(2026, 11, 5, 14, 3, tzinfo=UTC)


def sender(hub: Hub, secret: str = PLANT, max_alerts: int = 0) -> Alertmanager:
    """One that posts to this hub."""
    return Alertmanager(hub.url + "/api/v1/alertmanager", secret, lambda: AT, max_alerts)


async def test_it_sends_the_whole_group_and_forgets_what_is_over() -> None:
    """Once each alert was told to be over."""
    async with running() as (hub, _), aiohttp.ClientSession() as http:
        one = sender(hub)
        disk = one.fire("DiskFull", "full", severity="critical")
        fan = one.fire("FanStopped")
        assert await one.notify(http) == 200
        one.resolve(disk)
        assert await one.notify(http) == 200
        assert await one.notify(http) == 200
        seen = [{alert.key: alert.firing for alert in said.alerts} for _, said in hub.hooks.taken]
    assert seen == [{disk: True, fan: True}, {disk: False, fan: True}, {fan: True}]


async def test_it_tries_again_after_503_and_gives_up_after_403() -> None:
    """As the original."""
    async with running() as (hub, _), aiohttp.ClientSession() as http:
        hub.hooks.answer = Hooked("busy")
        one = sender(hub)
        one.fire("DiskFull")
        notifying = asyncio.create_task(one.notify(http))  # noqa: TID251
        await until(lambda: len(one.statuses) >= 2, "two tries")
        hub.hooks.answer = None
        assert await notifying == 200
        assert set(one.statuses[:-1]) == {503}
        stranger = sender(hub, "nobody")
        assert await stranger.notify(http) == 401


async def test_it_says_how_many_alerts_it_cut_off() -> None:
    """By `max_alerts`."""
    async with running() as (hub, _), aiohttp.ClientSession() as http:
        one = sender(hub, max_alerts=1)
        one.fire("A")
        one.fire("B")
        await one.notify(http)
        ((_, said),) = hub.hooks.taken
    assert (len(said.alerts), said.cut) == (1, 1)
