"""A press committed by itself, beside what is in flight: only when plainly apart; each counts once whatever
fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from alarmhub.core.site import JoinRule, Site
from alarmhub.engine.beside import Flight
from alarmhub.engine.fold import Folder
from alarmhub.engine.folded import Folded
from alarmhub.engine.ids import Numbers
from alarmhub.engine.items import Rank, SignalItem
from alarmhub.engine.state import Overlay
from alarmhub.engine.writer import COMPANY_WITHIN_S, HELD_AT_MOST_S, MOST_PRESSES
from alarmhub.ports import AnswerOutcome, Batch, Fenced, Refused, SignalOutcome, StoreUnavailable, Unstorable
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time, passes
from tests.support.ward import Ward

T = TypeVar("T")
COMMIT_S = 0.02


def begun(coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Somebody does it; what becomes of it is theirs to see."""
    return asyncio.get_running_loop().create_task(coro)


def pressed(shift: Shift, place: str, key: str, **more: Any) -> asyncio.Task[SignalOutcome]:
    """A press under way."""
    return begun(shift.signal(place, more.pop("kind", "patient_call"), key=key, **more))


def slow(shift: Shift) -> Shift:
    """Commits that take their time, so that things meet."""
    shift.store.before_s, shift.store.after_s = COMMIT_S, 0.0
    return shift


def site_of_two_paths() -> Site:
    """The ward's calls come over the plant and over ESPA, and are joined."""
    ward = Ward()
    plant = ward.site.sources["plant"]
    rule = JoinRule(sources=("espa", "plant"), within_s=10)
    ward.change_site(sources={"plant": plant, "espa": replace(plant, id="espa")}, joins=(rule,))
    return ward.site


def of(batches: list[Batch]) -> list[list[str]]:
    """Keys of the alarms the plant opened, by batch."""
    found = [
        [row.key for row in batch.alarms if row.source == "plant" and row.version == 1] for batch in batches
    ]
    return [keys for keys in found if keys]


@asynccontextmanager
async def accepted_slowly() -> AsyncIterator[tuple[Shift, asyncio.Task[AnswerOutcome]]]:
    """Anna accepts a call, and commits take their time; it counts in the end, whatever comes between."""
    async with Shift() as shift:
        call = await shift.press("12/1", key="a")
        await shift.settled()
        slow(shift)
        answered = begun(shift.says("anna", "accept", call))
        yield shift, answered
        assert (await answered).ok
        await shift.settled()
        assert [a.staff for a in shift.alarm(call).acceptances] == ["anna"]
        shift.check()


@in_virtual_time
async def test_a_press_in_another_room_does_not_wait_for_a_commit_in_flight() -> None:
    """It is stored one commit after it came, not two."""
    async with Shift() as shift:
        slow(shift)
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b")
        await passes(COMMIT_S + 0.001)
        assert first.done() and second.done()
        assert of(shift.store.batches) == [["a"], ["b"]]
        shift.check()


@in_virtual_time
async def test_it_does_not_wait_for_answers_either_and_both_count() -> None:
    """Whatever is in flight: a colleague accepts, another room calls."""
    async with accepted_slowly() as (shift, answered):
        await passes(COMPANY_WITHIN_S + COMMIT_S / 4)
        assert not answered.done()
        press = pressed(shift, "14/1", "b")
        await answered
        assert not press.done()
        await passes(COMMIT_S / 4 + 0.001)
        assert press.done() and press.result().new


@in_virtual_time
async def test_a_few_go_by_themselves_the_rest_is_the_next_batch() -> None:
    """Natural batching stays what carries a burst."""
    async with Shift() as shift:
        slow(shift)
        places = ("12/1", "a"), ("13/1", "b"), ("14/1", "c"), ("12/2", "d")
        await asyncio.gather(*(pressed(shift, place, key) for place, key in places))
        assert of(shift.store.batches) == [["a"], ["b"], ["c", "d"]]
        assert MOST_PRESSES == 2
        shift.check()


@in_virtual_time
async def test_a_press_is_with_the_database_before_its_caller_waits() -> None:
    """Nothing is in flight: it needs no turn of the loop, nor the writer."""
    async with Shift() as shift:
        await shift.settled()
        began = len(shift.store.batches)
        press = pressed(shift, "12/1", "a")
        await passes(0)
        assert of(shift.store.batches[began:]) == [["a"]]
        assert (await press).new


@in_virtual_time
async def test_nothing_is_decided_while_a_press_is_on_its_way() -> None:
    """An end of what it opens waits for it, and so ends it."""
    async with Shift() as shift:
        slow(shift)
        press = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 4)
        reset = begun(shift.reset("12/1", key="a"))
        outcome = await press
        assert outcome.new and not reset.done()
        assert (await reset).alarm == outcome.alarm
        assert shift.open_of("patient_call") == []


@in_virtual_time
async def test_answers_wait_until_no_press_is_on_its_way_but_not_for_ever() -> None:
    """Presses in a row keep them back for 50 ms at most."""
    async with accepted_slowly() as (shift, answered):
        loop, done = asyncio.get_running_loop(), list[float]()
        began = loop.time()
        answered.add_done_callback(lambda _: done.append(loop.time() - began))
        presses = []
        for n in range(16):  # one is always on its way
            presses.append(pressed(shift, ("13/1", "14/1")[n % 2], f"k{n}"))
            await passes(COMMIT_S / 2)
        await answered
        waited_s = COMPANY_WITHIN_S + HELD_AT_MOST_S
        assert waited_s <= done[0] <= waited_s + 3 * COMMIT_S
        await asyncio.gather(*presses)


@in_virtual_time
async def test_a_press_at_the_door_goes_before_answers_whose_time_has_come() -> None:
    """Its bytes are there in that instant, but not yet read."""
    async with accepted_slowly() as (shift, answered):
        presses: list[asyncio.Task[SignalOutcome]] = []
        await passes(0)
        asyncio.get_running_loop().call_later(
            COMPANY_WITHIN_S, lambda: presses.append(pressed(shift, "14/1", "b"))
        )
        await passes(COMPANY_WITHIN_S + COMMIT_S + 0.001)
        assert presses[0].done() and not answered.done()


@in_virtual_time
async def test_a_press_that_comes_while_answers_are_decided_is_written_first() -> None:
    """What answers have to write takes its time too."""
    async with accepted_slowly() as (shift, answered):
        presses: list[asyncio.Task[SignalOutcome]] = []

        def decided(_: object) -> None:
            if not presses:
                presses.append(pressed(shift, "14/1", "b"))

        shift.engine.on_flight.append(decided)
        before = len(shift.store.batches)
        await answered
        assert (await presses[0]).new
        written = [[event.type for event in batch.events] for batch in shift.store.batches[before:]]
        assert written == [["raised"], ["answered"]]


@pytest.mark.parametrize(
    ("place", "key"), [("12/1", "b"), ("12/2", "b"), ("14/1", "a")], ids=["place", "room", "key"]
)
@in_virtual_time
async def test_what_may_be_about_the_same_waits(place: str, key: str) -> None:
    """Its room or its key is in flight: it is decided from what that commit leaves behind."""
    async with Shift() as shift:
        slow(shift)
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, place, key)
        await passes(COMMIT_S * 0.75)
        assert first.done() and not second.done()
        await second
        assert len(of(shift.store.batches)) == 2
        shift.check()


@in_virtual_time
async def test_the_same_press_twice_while_it_is_beside_is_one_alarm() -> None:
    """The repeat waits for both commits and finds the alarm."""
    async with Shift() as shift:
        slow(shift)
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 4)
        beside, again = pressed(shift, "14/1", "b"), pressed(shift, "14/1", "b")
        _, opened, repeated = await asyncio.gather(first, beside, again)
        assert (opened.new, repeated.new) == (True, False)
        assert opened.alarm == repeated.alarm
        assert shift.alarm(opened.alarm or "").count == 2
        shift.check()


@in_virtual_time
async def test_a_change_of_who_is_available_is_waited_for() -> None:
    """Whom a press rings depends on it."""
    async with Shift() as shift:
        await shift.settled()
        slow(shift)
        taken = begun(shift.engine.availability(staff="anna", device="anna-phone", req="r", state="break"))
        await passes(COMPANY_WITHIN_S + COMMIT_S / 4)
        assert not taken.done()
        outcome = await pressed(shift, "12/1", "a")
        assert taken.done()
        assert "anna" not in shift.told(outcome.alarm or "")


@in_virtual_time
async def test_a_real_alarm_waits_for_a_drill_in_flight_and_ends_it() -> None:
    """Whoever a real alarm reaches is through with trials."""
    async with Shift() as shift:
        slow(shift)
        drill = pressed(shift, "12/1", "d", kind="drill")
        await passes(COMMIT_S / 2)
        real = pressed(shift, "14/1", "r", kind="emergency")
        await asyncio.gather(drill, real)
        await shift.settled()
        assert shift.open_of("drill") == []
        shift.check()


def failing(key: str, exc: Exception) -> Callable[[Batch], Exception | None]:
    """A database that says this, once, to the commit of this alarm."""
    left = [exc]
    return lambda batch: left.pop() if left and key in [row.key for row in batch.alarms] else None


@pytest.mark.parametrize("lost", ["a", "b"])
@in_virtual_time
async def test_a_connection_lost_under_one_of_the_two_harms_neither(lost: str) -> None:
    """Both are answered, each is stored once; nothing is decided before both are settled."""
    async with Shift() as shift:
        slow(shift)
        shift.store.refuse = failing(lost, StoreUnavailable("gone"))
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        outcomes = await asyncio.gather(first, pressed(shift, "14/1", "b"))
        await shift.settled()
        for outcome in outcomes:
            assert outcome.new
            assert shift.log_of(outcome.alarm or "").count("raised") == 1
        assert not shift.dead
        shift.check()


@pytest.mark.parametrize("applied", [True, False])
@in_virtual_time
async def test_an_unknown_commit_beside_counts_exactly_once(applied: bool) -> None:
    """The connection goes in the midst of it: the database knows whether it was applied."""
    async with Shift() as shift:
        shift.store.before_s, shift.store.after_s = 0.0, COMMIT_S
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        shift.store.fail_next_write(applied=applied)
        outcomes = await asyncio.gather(first, pressed(shift, "14/1", "b"))
        await shift.settled()
        for outcome in outcomes:
            assert outcome.new
            assert shift.log_of(outcome.alarm or "").count("raised") == 1
        assert shift.screens.said_storing == [False, True]
        shift.check()


@in_virtual_time
async def test_a_press_the_database_refuses_is_set_aside_alone() -> None:
    """Its sender hears that it is invalid; the commit beside it is untouched."""
    async with Shift() as shift:
        slow(shift)
        shift.store.refuse = failing("b", Unstorable("no such byte"))
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b")
        with pytest.raises(Refused):
            await second
        assert (await first).new
        assert len(shift.tables.quarantined) == 1
        assert not shift.dead


@in_virtual_time
async def test_a_press_beside_a_commit_that_is_refused_is_stored() -> None:
    """The culprit is the other one."""
    async with Shift() as shift:
        slow(shift)
        shift.store.refuse = failing("a", Unstorable("no such byte"))
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b")
        with pytest.raises(Refused):
            await first
        assert (await second).new
        assert len(shift.tables.quarantined) == 1


@in_virtual_time
async def test_a_takeover_beside_stops_the_hub() -> None:
    """As with any commit: another process writes now."""
    async with Shift() as shift:
        slow(shift)
        shift.store.refuse = failing("b", Fenced())
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b")
        await asyncio.gather(first, second, return_exceptions=True)
        await passes(0)
        assert shift.dead


@in_virtual_time
async def test_a_caller_who_goes_away_beside_harms_nobody() -> None:
    """It is stored all the same."""
    async with Shift() as shift:
        slow(shift)
        first = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b")
        await passes(0.001)
        second.cancel()
        await first
        await shift.settled()
        assert [alarm.key for alarm in shift.open_of("patient_call")] == ["a", "b"]
        shift.check()


@in_virtual_time
async def test_a_press_waits_while_a_refused_commit_is_tried_by_halves() -> None:
    """A reset of its key, taken from the queue before it came, does not end it."""
    async with Shift() as shift:
        slow(shift)
        shift.store.refuse = lambda batch: (
            Unstorable("no such byte") if "bad" in [row.key for row in batch.alarms] else None
        )
        first = pressed(shift, "12/1", "first")
        await passes(COMMIT_S / 4)
        bad, good = pressed(shift, "12/1", "bad"), pressed(shift, "12/2", "good")
        await passes(0.001)
        old = [pressed(shift, "14/1", "k"), begun(shift.reset("14/1", key="k"))]
        await passes(COMMIT_S * 2)  # the four were refused together, the first half is tried
        new = pressed(shift, "14/1", "k")
        results = await asyncio.gather(first, bad, good, *old, new, return_exceptions=True)
        assert isinstance(results[1], Refused)
        outcome = results[-1]
        assert isinstance(outcome, SignalOutcome) and outcome.new
        assert shift.alarm(outcome.alarm or "").phase == "ringing"


@in_virtual_time
async def test_what_a_joined_path_calls_it_is_in_flight_too() -> None:
    """The same key of the same source, for another room, is decided from what that commit leaves behind."""
    async with Shift(site_of_two_paths()) as shift:
        call = await shift.press("12/1", source="espa", key="e")
        await shift.settled()
        slow(shift)
        joined = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 2)
        other = pressed(shift, "14/1", "a")
        assert (await joined).alarm == call.id
        opened = await other
        assert opened.alarm != call.id
        assert shift.alarm(opened.alarm or "").key != "a"
        shift.check()


@in_virtual_time
async def test_the_same_id_again_is_never_beside_the_first() -> None:
    """Whatever it says now: it waits, and gets the first one's answer."""
    async with Shift() as shift:
        slow(shift)
        first = pressed(shift, "12/1", "a", id="e1")
        await passes(COMMIT_S / 2)
        second = pressed(shift, "14/1", "b", id="e1")
        assert await first == await second
        assert of(shift.store.batches) == [["a"]]
        shift.check()


@in_virtual_time
async def test_a_second_path_does_not_pass_an_answer_that_came_before_it() -> None:
    """It tells of an alarm that is open: within an alarm order is that of arrival, held back or not."""
    async with Shift(site_of_two_paths()) as shift:
        call = await shift.press("12/1", source="espa", key="e")
        await shift.settled()
        answered = begun(shift.says("anna", "accept", call))
        await passes(COMPANY_WITHIN_S / 4)
        joined = await pressed(shift, "12/1", "a")
        assert joined.alarm == call.id
        assert (await answered).ok
        log = shift.log_of(call)
        assert log.index("answered") < log.index("joined")


@pytest.mark.parametrize("said", ["substitutes", "availability"])
@in_virtual_time
async def test_who_answers_for_whom_concerns_every_press(said: str) -> None:
    """Whatever it is said by, a word of a colleague or the answer to one."""
    async with Shift() as shift:
        world, now, state = shift.engine.world(), shift.clock.now(), shift.engine.state
        item = SignalItem(
            now, Rank.LOW, "a", None, shift.signal_of("12/1", "patient_call", key="a"), fresh=True
        )
        press = Folder(state, Numbers(9)).fold([item], world, now)
        flight = Folded("b", [], Overlay(state))
        assert Flight(flight, world).apart(press, world)
        getattr(flight.overlay, said)["anna"] = "bo"
        assert not Flight(flight, world).apart(press, world)
