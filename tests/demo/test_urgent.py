"""The scenes with urgent alarms hold against a whole hub."""

from __future__ import annotations

from alarmhub.demo import urgent
from alarmhub.demo.once import SCRIPT
from tests.support.theatre import failures, stage


async def test_every_urgent_scene_holds(database_dsn: str) -> None:
    """In the order of the script, on one hub."""
    parts = [part for part in SCRIPT if part.play.__module__ == urgent.__name__]
    assert len(parts) == 4
    async with stage(database_dsn) as ready:
        assert await failures(ready, *parts) == []
