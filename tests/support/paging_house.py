"""A small house whose site knows pager numbers, and a hub with doors for pages, for whole-hub tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from alarmhub.core.alarm import Alarm
from load.site import staff_id
from tests.support.hub import House, Hub, free_ports

NURSE, COLLEAGUE = staff_id(0), staff_id(1)
SITE = f"""
[[source]]
id = "console"
name = "Console"
fallback_unit = "u0000"
protocol = "snpp"
default_kind = "request"
reports = "each"

[[source]]
id = "lab"
name = "Laboratory"
fallback_unit = "u0000"
protocol = "smtp"
default_kind = "request"

[[number]]
number = "1042"
staff = "{NURSE}"

[[number]]
number = "1043"
staff = "{COLLEAGUE}"

[[number]]
number = "2010-2019"
unit = "u0000"
"""
CONFIG = """
[[snpp]]
source = "console"
listen = "127.0.0.1:{snpp}"
{more}

[[smtp]]
source = "lab"
listen = "127.0.0.1:{smtp}"
domains = ["hub.example"]
"""


@asynccontextmanager
async def paging_house(dsn: str) -> AsyncIterator[House]:
    """Four nurses, two of them with pager numbers."""
    async with House(dsn, phones=4, extra=SITE) as house:
        yield house


class PagingHub:
    """A hub of such a house, with its doors."""

    def __init__(self, house: House, more: str = "") -> None:
        self.house = house
        self.snpp, self.smtp = free_ports(2)
        self.hub: Hub = house.hub(config=CONFIG.format(snpp=self.snpp, smtp=self.smtp, more=more))

    async def pages(self) -> list[Alarm]:
        """Every stored alarm of the two doors."""
        query = "SELECT body FROM alarm WHERE source IN ('console', 'lab') ORDER BY raised_at"
        return [msgspec.json.decode(row["body"], type=Alarm) for row in await self.house.sql(query)]
