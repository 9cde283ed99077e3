"""The scenes with monitors and the switchboard's console hold against a whole hub."""

from __future__ import annotations

import pytest

from alarmhub.demo import neighbours
from alarmhub.demo.once import SCRIPT
from alarmhub.demo.stage import MONITORS, Refused
from alarmhub.demo.story import Part, Play
from tests.support.theatre import failures, stage


async def test_every_scene_over_another_protocol_holds(database_dsn: str) -> None:
    """In the order of the script, on one hub; and the same presses count as those of the plants."""
    parts = [part for part in SCRIPT if part.play.__module__ == neighbours.__name__]
    assert len(parts) == 3
    async with stage(database_dsn) as ready:
        assert await failures(ready, *parts) == []
        assert len(ready.pressed) == 3


@pytest.mark.parametrize(
    ("play", "missed"),
    [(neighbours.monitor_call, "its care team rings"), (neighbours.console_page, "2011 rings team blue")],
)
async def test_a_scene_fails_where_the_people_are_others(
    database_dsn: str, play: Play, missed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenes can fail: in the evening nobody of the day shift rings, and none of them can answer."""

    async def nobody(staff: str, answer: str, id: str) -> None:
        raise Refused(f"{staff} is at home")

    async with stage(database_dsn, "2026-11-24 18:00") as ready:
        monkeypatch.setattr(ready, "answers", nobody)
        held = [one.text for one in await failures(ready, Part("Later", "2026-11-24 18:00", play))]

    assert held[:1] == [missed] and "the scene is played to its end" in held


async def test_an_answer_without_a_stored_alarm_breaks_the_scene_off(database_dsn: str) -> None:
    """A positive answer is a promise about the database, not about what the hub remembers."""
    async with stage(database_dsn) as ready:
        before = await ready.stored_of(MONITORS)
        with pytest.raises(Refused, match="holds 0 new alarms"):
            await ready.has_stored(MONITORS, before)
