"""The scenes with patients' calls hold against a whole hub."""

from __future__ import annotations

from alarmhub.demo import calls
from alarmhub.demo.once import SCRIPT
from tests.support.theatre import failures, stage


async def test_every_scene_with_calls_holds(database_dsn: str) -> None:
    """In the order of the script, on one hub."""
    parts = [part for part in SCRIPT if part.play.__module__ == calls.__name__]
    assert len(parts) == 9
    async with stage(database_dsn) as ready:
        assert await failures(ready, *parts) == []


async def test_a_scene_fails_where_the_people_are_others(database_dsn: str) -> None:
    """The scenes can fail: in the evening nobody of the day shift rings."""
    [part] = [part for part in SCRIPT if part.play is calls.presence]
    async with stage(database_dsn, "2026-11-24 18:00") as ready:
        missed = await failures(ready, type(part)(part.title, "2026-11-24 18:00", part.play))

    assert [one.text for one in missed] == ["the care team rings"]
