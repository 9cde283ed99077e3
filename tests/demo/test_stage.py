"""The stage: real doors and lines, time that is moved, and nothing that is quietly wrong."""

from __future__ import annotations

import pytest

from alarmhub.core.alarm import Phase
from alarmhub.demo.stage import HOUSE, MEDICINE, NotInTime, Refused, stage_settings, until
from alarmhub.settings import Settings
from tests.support.theatre import stage


async def test_a_press_travels_from_the_plants_bytes_to_the_phones(database_dsn: str) -> None:
    """The plant gets its ACK, the right phones ring, an answer is taken, the reset ends it."""
    async with stage(database_dsn) as ready:
        call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")
        assert ready.rings("bengt.granberg", call)
        assert not ready.ever_shown("anna.berglund", call)

        await ready.answers("bengt.granberg", "attend", call)
        assert ready.must(call).phase is Phase.ATTENDED
        await ready.resets(ready.medicine, "2010", "201 Sal 12 Plats 2")

        assert ready.open_alarm(call) is None
        with pytest.raises(NotInTime, match="has ended"):
            ready.must(call)


async def test_a_deadline_is_reached_by_moving_the_clock(database_dsn: str) -> None:
    """A millisecond before 45 s nothing happens, at 45 s the next step rings; nothing was early."""
    async with stage(database_dsn) as ready:
        call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")
        raised_at = ready.must(call).raised_at

        await ready.deadline(call, "answer_at")

        assert ready.early == []
        assert ready.must(call).step == 1
        assert ready.clock.now() - raised_at < 47_000
        await until(lambda: ready.rings("anna.berglund", call), "the ward rings")
        with pytest.raises(NotInTime, match="no lapse_at"):
            await ready.deadline(call, "lapse_at")


async def test_what_happens_too_early_is_noticed(database_dsn: str) -> None:
    """A step that somebody ends a millisecond before its time is written down as early."""
    async with stage(database_dsn) as ready:
        call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")
        moved = ready.clock_to

        async def meddling(at: int, *, runs_on: bool = True) -> None:
            await moved(at, runs_on=runs_on)
            if not runs_on:
                await ready.answers("bengt.granberg", "accept", call)

        ready.clock_to = meddling  # type: ignore[method-assign]
        await ready.deadline(call, "answer_at")

        assert len(ready.early) == 1


async def test_a_shift_changes_when_the_clock_is_moved_over_it(database_dsn: str) -> None:
    """The engine takes the new roster at once, not at its next look."""
    async with stage(database_dsn, "2026-11-24 15:29") as ready:
        assert "karin.dahlin" in ready.app.engine.world().roster.by_staff

        await ready.passes(60)

        assert "karin.dahlin" not in ready.app.engine.world().roster.by_staff


async def test_a_refused_answer_or_press_stops_the_scene(database_dsn: str) -> None:
    """Nothing that the hub refuses passes for done."""
    async with stage(database_dsn) as ready:
        call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")

        with pytest.raises(Refused, match="done was refused"):
            await ready.answers("bengt.granberg", "done", call)
        with pytest.raises(Refused, match="the hub answered 400"):
            await ready.posts("start", "x", place="fjallmark/AVA/5", type="prov", priority="loud")
        with pytest.raises(Refused, match="opened 0 alarms"):
            await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")


async def test_what_does_not_come_is_said() -> None:
    """Waiting ends with what was waited for."""
    with pytest.raises(NotInTime, match="rain: not within"):
        await until(lambda: False, "rain", 0.01)


def test_the_scenario_has_a_line_for_each_plant_and_no_port_of_its_own() -> None:
    """Any free ports: it runs beside a hub that has the usual ones."""
    settings = stage_settings(Settings(), "/tmp/x", "postgresql://somewhere")

    assert (settings.api.port, settings.phones.port) == (0, 0)
    assert {link.source: link.mode for link in settings.espa} == {
        MEDICINE: "polled",
        "plant-301": "select-only",
    }
    assert HOUSE not in {link.source for link in settings.espa}
