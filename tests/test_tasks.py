"""A background task is kept, named, and missed when it dies."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alarmhub import tasks
from alarmhub.tasks import Begun, Crew, end, spawn, watch_loop
from tests.support.waiting import turns, until

Entries = list[dict[str, Any]]


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    """A crew that is closed after the test."""
    crew = Crew("hub")
    yield crew
    await crew.close()


async def for_ever() -> None:
    """A loop that nobody ends."""
    await asyncio.Event().wait()


async def fail() -> None:
    """A loop that meets a defect."""
    raise RuntimeError("kapott")


async def stubborn(release: asyncio.Event) -> None:
    """Work that no cancelling ends."""
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue


async def returns() -> str:
    """Work that has an end."""
    return "klar"


async def test_a_task_runs_under_its_name(crew: Crew) -> None:
    """The task can be awaited like any other and carries its name."""
    task = spawn(returns(), "hello", crew, ends=True)

    assert task.get_name() == "hello"
    assert await task == "klar"
    assert len(crew) == 0


async def test_a_task_nobody_holds_is_kept(crew: Crew) -> None:
    """The crew's reference is enough to keep a task alive through garbage collection."""
    ref = weakref.ref(spawn(for_ever(), "loop", crew))
    await turns()
    gc.collect()

    assert ref() is not None
    assert len(crew) == 1


async def test_a_dead_task_is_said_and_stops_the_hub(crew: Crew, log_lines: Entries) -> None:
    """An exception in a task becomes one clear line and the hub's reason to stop."""
    spawn(fail(), "outbox", crew)
    died = await asyncio.wait_for(crew.fatal, 5)

    assert (died.name, died.cause) == ("outbox", "RuntimeError: kapott")
    (line,) = log_lines
    assert (line["event"], line["task"], line["cause"]) == ("task_died", "outbox", "RuntimeError: kapott")


async def test_a_loop_that_returns_is_dead(crew: Crew, log_lines: Entries) -> None:
    """A loop that lives as long as the hub must not just end, not even without an error."""
    spawn(returns(), "deadlines", crew)
    died = await asyncio.wait_for(crew.fatal, 5)

    assert died == ("deadlines", "it returned", None)
    assert [line["event"] for line in log_lines] == ["task_died"]


async def test_a_loop_that_somebody_cancels_is_dead(crew: Crew, log_lines: Entries) -> None:
    """Only the crew itself may cancel a loop."""
    spawn(for_ever(), "lease", crew).cancel()
    died = await asyncio.wait_for(crew.fatal, 5)

    assert died == ("lease", "it was cancelled", None)


async def test_work_that_ends_is_no_death(crew: Crew, log_lines: Entries) -> None:
    """With `ends=True` returning and being cancelled are in order."""
    await spawn(returns(), "hello", crew, ends=True)
    spawn(for_ever(), "visit", crew, ends=True).cancel()
    await until(lambda: len(crew) == 0, "both tasks ended")

    assert not crew.fatal.done()
    assert log_lines == []


async def test_the_first_death_counts(crew: Crew, log_lines: Entries) -> None:
    """A second death is said too, and does not replace the cause."""
    spawn(fail(), "first", crew)
    spawn(fail(), "second", crew)
    await until(lambda: len(log_lines) == 2, "both deaths were said")

    assert crew.fatal.result().name == "first"


async def test_closing_cancels_everything_quietly(log_lines: Entries) -> None:
    """After `close` nothing runs, nothing was said, and nothing counts as dead."""
    crew = Crew("hub")
    spawn(for_ever(), "a", crew)
    spawn(for_ever(), "b", crew, ends=True)

    assert await crew.close() is True
    assert len(crew) == 0
    assert not crew.fatal.done()
    assert log_lines == []


async def test_a_task_may_finish_its_last_words() -> None:
    """A cancelled task is given the time to clean up."""
    crew = Crew("hub")
    said: list[str] = []

    async def polite() -> None:
        try:
            await for_ever()
        finally:
            await turns(3)
            said.append("hej då")

    spawn(polite(), "polite", crew)
    await turns()
    await crew.close()

    assert said == ["hej då"]


async def test_a_task_that_will_not_end_is_named(log_lines: Entries) -> None:
    """`close` keeps its deadline and says which task did not."""
    crew = Crew("hub")
    release = asyncio.Event()

    spawn(stubborn(release), "stubborn", crew)
    await turns()

    assert await crew.close(deadline_s=0.05) is False
    assert [(line["event"], line["task"]) for line in log_lines] == [("task_stuck", "stubborn")]
    release.set()
    await until(lambda: len(crew) == 0, "the task ended")


class Deaf:
    """Work that loses the first cancelling, as one inside `asyncio.wait_for` up to Python 3.11 may."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def run(self) -> None:
        """End at the second cancelling."""
        while True:
            try:
                await for_ever()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > 1:
                    raise


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_AFTER_S", 0.01)


@pytest.mark.usefixtures("_soon")
async def test_a_crew_cancels_again_what_did_not_hear(log_lines: Entries) -> None:
    """A lost cancelling keeps no hub from stopping."""
    crew, deaf = Crew("hub"), Deaf()
    spawn(deaf.run(), "deaf", crew)
    await turns()

    assert await crew.close() is True
    assert (deaf.cancelled, log_lines) == (2, [])


@pytest.mark.usefixtures("_soon")
async def test_ending_waits_for_all_and_for_no_longer_than_it_may(crew: Crew) -> None:
    """Those that end are over, the one that does not is given back; nothing to end is nothing to wait for."""
    release = asyncio.Event()

    deaf = spawn(Deaf().run(), "deaf", crew, ends=True)
    stuck = spawn(stubborn(release), "stubborn", crew, ends=True)
    over = spawn(returns(), "over", crew, ends=True)
    await turns()

    assert await end(deaf, None, over, stuck, within_s=0.05) == {stuck}
    assert deaf.cancelled() and over.done()
    release.set()
    assert await end(stuck) == set()
    assert await end() == await end(None) == set()


async def test_a_closing_crew_starts_nothing(crew: Crew) -> None:
    """Work that arrives during a stop is refused, and its coroutine is not left unawaited."""
    await crew.close()

    with pytest.raises(RuntimeError, match="closing"):
        spawn(for_ever(), "late", crew)


async def test_the_loop_is_watched(crew: Crew) -> None:
    """Each wake-up gives one measurement in seconds, never negative."""
    lags: list[float] = []
    spawn(watch_loop(lags.append, period_s=0.001), "watch", crew)
    await until(lambda: len(lags) >= 3, "three measurements")

    assert all(0 <= lag < 5 for lag in lags)


async def test_an_expected_end_is_left_to_the_owner_to_say(log_lines: Entries) -> None:
    """It stops the hub like any death, and there is one line about it: the owner's."""

    class Fenced(Exception):
        """The lease went to another process."""

    async def works() -> None:
        raise Fenced

    crew = Crew("hub", expected=(Fenced,))
    spawn(works(), "writer", crew)
    died = await crew.fatal
    assert isinstance(died.exc, Fenced)
    assert log_lines == []
    await crew.close()


async def test_what_is_begun_runs_to_its_first_wait_at_once_and_the_rest_when_awaited() -> None:
    """Nothing is lost in between, and the result is the coroutine's."""
    said: list[str] = []
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        said.append("begun")
        word = await gate
        await turns()
        said.append(word)
        return "klar"

    begun = Begun(work())
    assert said == ["begun"]
    gate.set_result("gone on")
    await turns()
    assert said == ["begun"], "nobody has awaited it"
    assert await begun == "klar"
    assert said == ["begun", "gone on"]


@pytest.mark.parametrize("when", ["before its first wait", "after it"])
async def test_what_is_begun_raises_where_it_is_awaited(when: str) -> None:
    """Not where it is begun: whose work it is decides what that means."""

    async def work() -> None:
        if when == "after it":
            await turns()
        raise RuntimeError("kapott")

    begun = Begun(work())
    with pytest.raises(RuntimeError, match="kapott"):
        await begun


async def test_what_is_begun_may_end_without_waiting() -> None:
    """Its result is there all the same."""
    assert await Begun(returns()) == "klar"


async def test_what_is_begun_is_cancelled_with_who_awaits_it(crew: Crew) -> None:
    """It can put its things away, and who awaits it is cancelled."""
    put_away: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns()
            put_away.append(True)

    async def carry(begun: Begun[None]) -> None:
        await begun

    task = spawn(carry(Begun(work())), "carrier", crew, ends=True)
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert put_away == [True]


async def test_what_is_begun_may_catch_what_it_waits_for() -> None:
    """A failed wait is the coroutine's to handle, as in any other."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await answer
        except OSError as exc:
            return str(exc)
        return "never"

    begun = Begun(work())
    answer.set_exception(OSError("gone"))
    assert await begun == "gone"
