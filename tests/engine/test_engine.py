"""The engine's door: a press until somebody comes, ids, restarts, changes of roster, site and contact."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from alarmhub.core.reach import Reach
from alarmhub.engine.notices import trial_ring
from alarmhub.ports import NotStored
from tests.support.shift import Shift, lost
from tests.support.virtual import in_virtual_time, until
from tests.support.ward import Ward

T = TypeVar("T")


def begun(coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Somebody does it; what becomes of it is theirs to see."""
    return asyncio.get_running_loop().create_task(coro)


@in_virtual_time
async def test_no_step_is_burnt_before_it_is_known_whose_phones_were_there() -> None:
    """After a restart a deadline that fell due meanwhile waits until the phones seen lately are `recent`."""
    shift = Shift()
    await shift.begin()
    call = await shift.press("12/1")
    await shift.crash()
    await shift.later(60)
    shift.reach = dict.fromkeys(shift.reach, Reach.RECENT)

    await shift.begin(seed_after_s=0.5)
    await shift.later(1)

    assert shift.alarm(call).step == 1
    assert shift.told(call) > {"anna", "bo"}
    await shift.crash()


@in_virtual_time
async def test_a_reset_of_the_room_does_not_overtake_the_call_of_its_bed() -> None:
    """In a backlog resets go first; this one still comes after the call it is meant for."""
    async with Shift() as shift:
        others = [shift.signal("14/1", "patient_call", key=f"k{n}") for n in range(400)]
        call, reset = shift.signal("12/1", "patient_call"), shift.reset("12")
        *_, called, ended = await asyncio.gather(*others, call, reset)
        assert ended.alarm == called.alarm
        assert shift.engine.open_alarm(called.alarm or "") is None


# A press until somebody comes


@in_virtual_time
async def test_from_the_press_to_the_reset() -> None:
    """Press, ring, receipt, accept, arrive, reset: each stored, shown and told to the source in turn."""
    async with Shift() as shift:
        outcome = await shift.signal("12/1", "patient_call", ref="r1")
        assert outcome.new and outcome.phase == "ringing" and outcome.alarm is not None
        id = outcome.alarm
        assert shift.told(id) == {"anna", "bo"}
        await shift.settled()
        assert all(t.rang_at is not None for t in shift.alarm(id).told)
        assert (await shift.says("bo", "accept", id, req="r1")).ok
        assert shift.told(id) == {"bo"} and shift.alarm(id).phase == "accepted"
        assert (await shift.says("bo", "attend", id)).ok
        again = await shift.signal("12/1", "patient_call", ref="r1")
        assert (again.alarm, again.new, again.phase) == (id, False, "attended")
        ended = await shift.reset("12/1", "patient_call")
        assert (ended.alarm, ended.phase, ended.new) == (id, "ended", False)
        assert shift.engine.open_alarm(id) is None and not shift.told_anywhere()
        await shift.later(1)
        assert shift.plants.heard == ["queued", "paged", "accepted", "ended"]
        assert shift.stored(id).phase == "ended"
        shift.check()


@in_virtual_time
async def test_an_end_of_nothing_is_answered() -> None:
    """A reset where nothing is open: no alarm, and no error."""
    async with Shift() as shift:
        outcome = await shift.reset("12/1", "patient_call")
        assert outcome.alarm is None and not outcome.new
        assert not shift.tables.alarms


@in_virtual_time
async def test_a_reset_that_fits_two_closes_none_and_says_so() -> None:
    """Two open calls of one room, a reset of the room: both go on, marked, and the source hears why."""
    async with Shift() as shift:
        a, b = await shift.press("12/1"), await shift.press("12/2")
        outcome = await shift.reset("12")
        assert outcome.note == "reset_unclear"
        for call in (a, b):
            assert "reset_unclear" in shift.alarm(call).flags


@in_virtual_time
async def test_a_place_nobody_knows_rings_and_says_so() -> None:
    """Still an alarm, at the source's fallback unit, with a note."""
    async with Shift() as shift:
        outcome = await shift.signal("f/999/1", "patient_call")
        assert outcome.new and outcome.note == "unknown_place"
        assert shift.told(outcome.alarm or "")


# The same id, the same answer


@in_virtual_time
async def test_an_id_twice_at_once_is_one_event() -> None:
    """Two copies in one batch: the same answer, one alarm, one count."""
    async with Shift() as shift:
        first, second = await asyncio.gather(
            shift.signal("12/1", "patient_call", id="e1"), shift.signal("12/1", "patient_call", id="e1")
        )
        assert first == second and first.new
        assert shift.alarm(first.alarm or "").count == 1


@in_virtual_time
async def test_an_id_gets_its_first_answer_whatever_has_happened_since() -> None:
    """Later, after the end, and after a restart."""
    shift = Shift()
    async with shift:
        first = await shift.signal("12/1", "patient_call", id="e1")
        await shift.later(60)
        assert await shift.signal("12/1", "patient_call", id="e1") == first
        await shift.reset("12/1", "patient_call")
        assert await shift.signal("12/1", "patient_call", id="e1") == first
    async with shift:
        assert await shift.signal("12/1", "patient_call", id="e1") == first
        assert not shift.engine.open_alarms()
        other = await shift.signal("12/1", "patient_call", id="e1", source="button")
        assert other.new, "another source's ids are its own"


@in_virtual_time
async def test_an_answer_repeated_on_another_connection_gets_the_same_result() -> None:
    """`req` is remembered per person and device: once accepted, again "ok", though all is different now."""
    shift = Shift()
    async with shift:
        call = await shift.press("12/1")
        assert (await shift.says("bo", "accept", call, req="r7")).ok
        late = await shift.says("anna", "accept", call, req="r7")
        assert late.error == "taken", "another person's r7 is another"
        await shift.says("bo", "release", call, req="r8")
        assert (await shift.says("bo", "accept", call, req="r7")).ok
        assert shift.alarm(call).phase == "ringing"
    async with shift:
        assert (await shift.says("bo", "accept", call, req="r7")).ok
        assert shift.alarm(call).phase == "ringing"


@in_virtual_time
async def test_answers_to_what_is_over_or_never_was() -> None:
    """`ended` for one that was, `unknown_alarm` for one that never was; a repeat hears the same."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.reset("12/1", "patient_call")
        for _ in range(2):
            assert (await shift.says("anna", "accept", call, req="r1")).error == "ended"
            assert (await shift.says("anna", "accept", "no-such", req="r2")).error == "unknown_alarm"
        assert (await shift.says("anna", "dance", call)).error == "unknown_answer"


@in_virtual_time
async def test_availability_is_remembered_by_its_req() -> None:
    """The same req again changes nothing."""
    async with Shift() as shift:
        for state in ("break", "available"):
            said = await shift.engine.availability(staff="bo", device="d", req="r1", state=state)
            assert said.ok
        assert shift.engine.state.availability == {"bo": "break"}


# Deadlines count at their due time


@in_virtual_time
async def test_an_accept_received_before_the_deadline_wins_though_decided_after_it() -> None:
    """The database stands still over the deadline; the accept had come 100 ms before it."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.settled()
        assert call.answer_at is not None
        await shift.later((call.answer_at - shift.clock.now()) / 1000 - 0.2)
        shift.store.before_s = 0.5
        blocking = begun(shift.signal("14/1", "patient_call"))
        await shift.later(0.1)
        accept = begun(shift.says("bo", "accept", call))
        await asyncio.gather(blocking, accept)
        await shift.later(1)
        assert shift.alarm(call).phase == "accepted" and shift.alarm(call).step == 0
        assert shift.told(call) == {"bo"}


@in_virtual_time
async def test_an_accept_received_after_the_deadline_does_not_undo_it() -> None:
    """The database stands still over both: the next step has rung first, then the accept takes it."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.settled()
        assert call.answer_at is not None
        await shift.later((call.answer_at - shift.clock.now()) / 1000 - 0.1)
        shift.store.before_s = 0.5
        blocking = begun(shift.signal("14/1", "patient_call"))
        await shift.later(0.2)
        accept = begun(shift.says("bo", "accept", call))
        await asyncio.gather(blocking, accept)
        shift.store.before_s = 0.001
        after = shift.alarm(call)
        assert after.step == 1 and after.phase == "accepted"
        assert shift.log_of(call)[-2:] == ["deadline_passed", "answered"]


@in_virtual_time
async def test_an_accept_between_two_missed_deadlines_is_decided_between_them() -> None:
    """Nobody rang within 10 s, and the step's 45 s passed too, while the database stood still: the accept
    of the 44th second keeps the alarm in its step."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.settled()
        before = shift.alarm(call)
        assert before.reach_at is not None and before.answer_at is not None
        await shift.later((before.reach_at - shift.clock.now()) / 1000 - 0.1)
        shift.store.away = True
        await shift.later((before.answer_at - shift.clock.now()) / 1000 - 1)
        accept = begun(shift.says("bo", "accept", call))
        await shift.later(1.5)
        shift.store.away = False
        assert (await accept).ok
        await shift.later(1)
        assert shift.alarm(call).step == 0 and shift.alarm(call).phase == "accepted"


@in_virtual_time
async def test_every_escalation_is_punctual() -> None:
    """Care team, unit, cover, last resort: each at its second, none early, none late."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        began = shift.clock.now()
        steps: list[float] = []
        last = 0
        while len(steps) < 3:
            await shift.later(0.005)
            if shift.alarm(call).turn != last:
                if last:
                    steps.append((shift.clock.now() - began) / 1000)
                last = shift.alarm(call).turn
        for seen, due in zip(steps, (45, 105, 165), strict=True):
            assert due <= seen + 0.01 and seen <= due + 0.05


# Receipts


@in_virtual_time
async def test_receipts_for_what_is_no_longer_this_persons_are_dropped() -> None:
    """Ended, never told, or a revision that does not exist: nothing is stored for it."""
    async with Shift() as shift:
        shift.screens.muted.update(shift.reach)
        call = await shift.press("12/1")
        ended = await shift.press("14/1")
        await shift.reset("14/1", "patient_call")
        await shift.settled()
        before = len(shift.tables.events)
        for staff, id, rev in (
            ("anna", "no-such", 1), ("anna", ended.id, 1), ("eva", call.id, 1), ("anna", call.id, 99),
        ):  # fmt: skip
            shift.engine.receipt(staff=staff, device="d", alarm=id, rev=rev, seen=False)
        await shift.later(1)
        assert len(shift.tables.events) == before
        shift.engine.receipt(staff="anna", device="d", alarm=call.id, rev=call.rev, seen=True)
        await shift.settled()
        assert len(shift.tables.events) == before + 1


# History


@in_virtual_time
async def test_it_rings_again_and_the_sixth_in_an_hour_is_news() -> None:
    """A new call after a reset goes to who attended last; the sixth tells the shift leader; a restart in
    between forgets nothing."""
    shift = Shift()
    for number in range(6):
        async with shift:
            call = await shift.press("12/1")
            assert call.again == number
            if number:
                assert "anna" in shift.told(call)
            await shift.says("anna", "accept", call)
            await shift.says("anna", "attend", call)
            await shift.later(30)
            await shift.reset("12/1", "patient_call")
            await shift.later(30)
            requests = [a.type for a in shift.open_of("request")]
            assert requests == (["many_calls"] if number == 5 else [])


# Presence


@in_virtual_time
async def test_presence_attends_the_call_and_outlives_a_restart() -> None:
    """Somebody is in the room: the call there is attended, and after a restart that is still known."""
    shift = Shift()
    async with shift:
        call = await shift.press("12/1")
        await shift.signal("12", event="presence", present=True)
        assert shift.alarm(call).phase == "attended"
    async with shift:
        room = "f/201/12"
        assert list(shift.engine.state.presence) == [("plant", room)]
        await shift.signal("12", event="presence", present=False)
        assert not shift.engine.state.presence and not shift.tables.facts
        await shift.later(31)
        assert shift.alarm(call).phase == "ringing"


# Drills


@in_virtual_time
async def test_a_real_alarm_interrupts_a_drill_of_the_same_people() -> None:
    """At once when it starts, and later when it reaches somebody the drill has."""
    async with Shift() as shift:
        drill = await shift.press("13/1", "drill")
        assert "cia" in shift.told(drill)
        elsewhere = await shift.press("202:12/1")
        assert shift.engine.open_alarm(drill.id) is not None, "people of another ward"
        await shift.press("12/1", "emergency")
        assert shift.engine.open_alarm(drill.id) is None
        assert shift.stored(drill).ended_by == "real_alarm"
        await shift.says("eva", "accept", elsewhere)


@in_virtual_time
async def test_a_real_alarm_that_reaches_further_interrupts_a_drill_then() -> None:
    """It began with others and comes to the people of the drill with its second step."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.later(30)
        drill = await shift.press("202:13/1", "drill")
        await shift.later(80)
        assert {"eva", "finn"} <= shift.told(call)
        assert shift.stored(drill).ended_by == "real_alarm"


@in_virtual_time
async def test_a_heard_drill_is_interrupted_by_a_real_alarm_that_rings_the_same_people_again() -> None:
    """They knew of the call when PROV began; now it is an emergency."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        site = shift.engine.world().site
        drill = await shift.engine.signal(trial_ring(site, "anna", "201", shift.clock.now()))
        await shift.settled()
        assert drill.alarm is not None and shift.engine.open_alarm(drill.alarm) is not None
        await shift.press("12/1", "emergency", key=call.key)
        await shift.settled()
        assert shift.engine.open_alarm(drill.alarm) is None


# The link to a source


@in_virtual_time
async def test_a_lost_link_is_said_and_taken_back() -> None:
    """Its open calls are marked, the duty engineer and each affected unit are told; the return ends that."""
    site = Ward().site
    plant = replace(site.sources["plant"], units=("201", "202"))
    async with Shift(replace(site, sources={**site.sources, "plant": plant})) as shift:
        call = await shift.press("12/1")
        await shift.engine.link("plant", up=False)
        await shift.settled()
        assert "unconfirmed" in shift.alarm(call).flags
        said = {a.type: a for a in shift.open_of("technical")}
        assert set(said) == {"source_lost", "calls_not_arriving"}
        assert len(shift.open_of("technical")) == 3
        assert "ivar" in shift.told(said["source_lost"])
        await shift.engine.link("plant", up=True)
        await shift.settled()
        assert not shift.open_of("technical")
        assert "unconfirmed" in shift.alarm(call).flags, "until the plant says so itself"
        await shift.press("12/1")
        assert "unconfirmed" not in shift.alarm(call).flags


@in_virtual_time
async def test_a_link_lost_together_with_the_database_is_said_afterwards() -> None:
    """The switch takes both: nothing is lost of it."""
    async with Shift() as shift:
        shift.store.away = True
        await shift.engine.link("plant", up=False)
        await shift.later(10)
        shift.store.away = False
        await until(lambda: len(shift.open_of("technical")) == 2, "both notices", within_s=1)


# Contact


@in_virtual_time
async def test_when_the_last_phone_of_a_step_is_gone_nobody_is_waited_for() -> None:
    """Live, recent, none: with the last the step is passed."""
    async with Shift() as shift:
        shift.screens.muted.add("cia")
        call = await shift.press("13/1")
        shift.phone("cia", Reach.RECENT)
        await shift.settled()
        assert shift.alarm(call).step == 0
        shift.phone("cia", Reach.NONE)
        await shift.settled()
        assert shift.alarm(call).step == 1


@in_virtual_time
async def test_an_acceptor_out_of_contact_for_a_minute_gives_the_alarm_back() -> None:
    """Counted from the loss; back within the minute changes nothing."""
    async with Shift() as shift:
        call = await shift.press("13/1")
        await shift.says("cia", "accept", call)
        shift.phone("cia", Reach.RECENT)
        await shift.later(30)
        shift.phone("cia", Reach.NONE)
        await shift.later(20)
        shift.phone("cia", Reach.LIVE)
        await shift.later(60)
        assert shift.alarm(call).phase == "accepted"
        shift.phone("cia", Reach.RECENT)
        await shift.later(59.9)
        assert shift.alarm(call).phase == "accepted"
        await shift.later(0.2)
        assert shift.alarm(call).phase == "ringing"


@in_virtual_time
async def test_a_second_phone_of_the_same_person_keeps_contact() -> None:
    """One device lost, another there: nobody is lost."""
    async with Shift() as shift:
        call = await shift.press("13/1")
        shift.phone("cia", Reach.LIVE, "tablet")
        await shift.says("cia", "accept", call)
        shift.phone("cia", Reach.NONE)
        await shift.later(90)
        assert shift.alarm(call).phase == "accepted"


@in_virtual_time
async def test_an_acceptor_who_is_not_there_after_a_restart_is_missed() -> None:
    """Nothing is heard of the phone since the start: a minute later the alarm rings."""
    shift = Shift()
    async with shift:
        call = await shift.press("13/1")
        await shift.says("cia", "accept", call)
    del shift.reach["cia"]
    async with shift:
        await shift.later(59)
        assert shift.alarm(call).phase == "accepted"
        await shift.later(2)
        assert shift.alarm(call).phase == "ringing"


# A crash


@in_virtual_time
async def test_a_crash_loses_nothing_that_was_acknowledged() -> None:
    """A thousand ringing, killed, started again: all there, as they were, in their steps."""
    shift = Shift()
    await shift.begin()
    outcomes = await asyncio.gather(*(shift.signal("13/1", "patient_call", key=f"k{n}") for n in range(1000)))
    accepted = outcomes[7].alarm or ""
    await shift.says("cia", "accept", accepted)
    await shift.crash()
    await shift.later(8)
    await shift.begin()
    shift.check()
    assert {o.alarm for o in outcomes} <= set(shift.engine.state.alarms)
    assert shift.alarm(accepted).phase == "accepted" and shift.told(accepted) == {"cia"}
    assert max(a.step for a in shift.engine.open_alarms()) <= 1
    await shift.stop()


@in_virtual_time
async def test_effects_a_crash_left_behind_go_out() -> None:
    """Committed and not yet sent: the next process tells the source."""
    shift = Shift()
    await shift.begin()
    shift.plants.broken = lost
    await shift.press("12/1")
    await shift.later(0.1)
    await shift.crash()
    shift.plants.broken = lambda row: None
    async with shift:
        await until(lambda: shift.plants.heard[:2] == ["queued", "paged"], "the source hears", within_s=40)


@in_virtual_time
async def test_a_standby_takes_over_and_the_first_writes_nothing_more() -> None:
    """Stopped beyond its lease, another serves; woken, the first is fenced and dies, and nothing is mixed."""
    first = await Shift().begin()
    call = await first.press("12/1")
    second = Shift()
    second.tables = first.tables
    first.tables.expires_at = 0
    await second.begin(owner="standby")
    with pytest.raises(NotStored):
        await first.signal("14/1", "patient_call")
    await second.settled()
    assert first.dead and not second.dead
    assert set(second.engine.state.alarms) == {call.id}
    second.check()
    await first.crash()
    await second.crash()
