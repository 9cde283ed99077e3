"""People of the live demo follow the roster and their phones, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from alarmhub.demo import people as people_of_the_demo
from alarmhub.demo.ground import make_secrets
from alarmhub.demo.people import Leaves, Staff
from alarmhub.demo.stage import Stage
from alarmhub.store.postgres import PostgresStore
from alarmhub.tasks import Crew
from tests.support.theatre import stage
from tests.support.waiting import until

QUICK = 400.0


async def staff_of(
    ready: Stage, dsn: str, on_duty: list[str], crew: Crew, leaves: Leaves = lambda alarm: False
) -> Staff:
    """Some of the stage's people as the live demo has them, on phones of their own."""
    store = PostgresStore(dsn)
    await store.open()
    secrets = await make_secrets(store, "phone", ["jonas.rosen", "sara.hagg", "noor.ekman"])
    await store.close()
    url = f"ws://127.0.0.1:{ready.app.gateway.port}/phone"

    async def at_place(alarm: str) -> None:
        await ready.medicine.reset("2010", "201 Sal 12 Plats 2")

    return Staff(url, secrets, lambda: on_duty, at_place, crew, leaves=leaves, pace=QUICK)


async def test_they_hear_answer_walk_and_reset(database_dsn: str) -> None:
    """A call at a bed is taken, attended and reset in the room, without anybody telling them."""
    async with stage(database_dsn, "2026-11-24 18:00") as ready:
        crew = Crew("test")
        people = await staff_of(ready, database_dsn, ["jonas.rosen", "sara.hagg", "noor.ekman"], crew)
        await people.change_shift()
        ended = 0
        for _ in range(20):  # each of them may not hear it, but not twenty times
            call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")
            try:
                await until(lambda call=call: ready.open_alarm(call) is None, "it ends", within_s=4)
            except AssertionError:
                await ready.resets(ready.medicine, "2010", "201 Sal 12 Plats 2")
            else:
                ended += 1
                break
            await ready.passes(1200)
        found = await ready.app.store.alarm(call)
        await people.sign_off()
        await crew.close()

    assert ended == 1
    assert found is not None and found[0].last_attended in ("jonas.rosen", "noor.ekman")


async def test_what_rings_the_visitor_is_the_visitors_first(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then they come all the same: in a demo too somebody comes, always."""
    monkeypatch.setattr(people_of_the_demo, "VISITOR_FIRST_S", 1.0)
    async with stage(database_dsn, "2026-11-24 18:00") as ready:
        crew, loop = Crew("test"), asyncio.get_running_loop()
        on_duty = ["jonas.rosen", "sara.hagg", "noor.ekman"]
        people = await staff_of(ready, database_dsn, on_duty, crew, lambda alarm: True)
        await people.change_shift()
        taken_after_s = []
        for _ in range(20):  # each of them may not hear it, but not twenty times
            began = loop.time()
            call = await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")
            try:
                await until(lambda call=call: ready.open_alarm(call) is None, "it ends", within_s=5)
            except AssertionError:
                await ready.resets(ready.medicine, "2010", "201 Sal 12 Plats 2")
            else:
                taken_after_s.append(loop.time() - began)
                break
            await ready.passes(1200)
        await people.sign_off()
        await crew.close()

    assert len(taken_after_s) == 1
    assert taken_after_s[0] >= 1.0


async def test_they_come_and_go_with_the_roster(database_dsn: str) -> None:
    """Who goes off duty signs off, who comes on signs in."""
    async with stage(database_dsn, "2026-11-24 18:00") as ready:
        crew, on_duty = Crew("test"), ["jonas.rosen", "sara.hagg", "nobody.known"]
        people = await staff_of(ready, database_dsn, on_duty, crew)

        await people.change_shift()
        assert set(people.people) == {"jonas.rosen", "sara.hagg"}
        sara = people.people["sara.hagg"].phone
        on_duty[:] = ["jonas.rosen", "noor.ekman"]
        await people.change_shift()

        assert set(people.people) == {"jonas.rosen", "noor.ekman"}
        assert sara.closed is not None or not sara._tasks
        await people.sign_off()
        await asyncio.wait_for(crew.close(), 5)
