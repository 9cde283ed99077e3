"""Every way into the hub: a whole hub takes a start from each, and each is an alarm."""

from __future__ import annotations

import pytest

from load import site as load_site
from load.database import DatabaseServer
from load.systems import Hub
from load.ways import WAYS, source_tables


@pytest.mark.timeout(120)
async def test_a_start_over_every_way_is_an_alarm() -> None:
    """One hub with all links open, one call each, twice."""
    ways = [make(1) for make in WAYS.values()]
    with DatabaseServer() as database:
        dsn = database.fresh("ways")
        site = load_site.site_file(load_site.Layout(10)) + source_tables(ways)
        hub = Hub(dsn, site, "way-http", settings="".join(way.tables for way in ways))
        for way in ways:
            await way.begin(hub)
        with hub.start():
            for way in ways:
                call = await way.open(0)
                await call(1)
                await call(2)
            for way in ways:
                await way.close()
        told = database.run("SELECT source, count(*) FROM alarm WHERE source LIKE 'way-%' GROUP BY 1", "ways")
    assert dict(line.split("|") for line in told.splitlines()) == {way.sources[0][0]: "2" for way in ways}
