"""The one writer: batches, lost commits, a database that is away, and the end of a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from alarmhub.core.alarm import Alarm
from alarmhub.core.world import World
from alarmhub.engine import writer
from alarmhub.engine.fold import Folder
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import Item, Rank
from alarmhub.engine.queue import BACKLOG_LIMITS
from alarmhub.engine.writer import COMPANY_WITHIN_S, DECIDE_WITHIN_S, MOST_EVENTS, STORE_WITHIN_MS
from alarmhub.ports import Batch, Fenced, NotStored, Refused, SignalOutcome, StoreUnavailable, Unstorable
from tests.support.shift import Shift
from tests.support.virtual import VirtualLoop, in_virtual_time, passes, until

T = TypeVar("T")


def begun(coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Somebody does it; what becomes of it is theirs to see."""
    return asyncio.get_running_loop().create_task(coro)


def pressed(shift: Shift, *keys: str, **more: Any) -> list[asyncio.Task[SignalOutcome]]:
    """Presses under way, each with its own key, in this order."""
    return [begun(shift.signal("12/1", "patient_call", key=key, **more)) for key in keys]


def keys(batch: Batch) -> list[str]:
    """Keys of the alarms of a batch."""
    return [row.key for row in batch.alarms]


def opened(batch: Batch) -> int:
    """How many alarms of the plant it opens."""
    return sum(row.source == "plant" and row.version == 1 for row in batch.alarms)


# Natural batching


@in_virtual_time
async def test_what_comes_during_a_commit_is_one_next_batch() -> None:
    """The first goes alone at once; the fifty that come meanwhile wait for it together."""
    async with Shift() as shift:
        shift.store.before_s = 0.02
        first = pressed(shift, "first")
        await passes(0.005)
        others = pressed(shift, *(f"k{n}" for n in range(50)))
        await asyncio.gather(*first, *others)
        assert [opened(b) for b in shift.store.batches if opened(b)] == [1, 50]


@in_virtual_time
async def test_a_fresh_press_goes_past_an_answer_that_is_held_back() -> None:
    """An answer waits 10 ms for company; a press that cannot concern it is committed at once, by itself."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.settled()
        began = len(shift.store.batches)
        answered = begun(shift.says("anna", "accept", call))
        await passes(0.001)
        await asyncio.gather(*pressed(shift, "fresh"))
        assert not answered.done()
        await answered
        first, *rest = [b for b in shift.store.batches[began:] if b.alarms]
        assert keys(first) == ["fresh"]
        assert shift.alarm(call).key in keys(rest[0])


@in_virtual_time
async def test_a_signal_of_an_open_alarm_takes_held_answers_along() -> None:
    """Within an alarm order is that of arrival: a repeat, an end or a deadline never passes an answer."""
    async with Shift() as shift:
        call = await shift.press("12/1", key="call")
        await shift.settled()
        began = len(shift.store.batches)
        answered = begun(shift.says("anna", "accept", call))
        await passes(0.001)
        again = begun(shift.signal("12/1", "patient_call", key="call"))
        await asyncio.gather(answered, again)
        batch = next(b for b in shift.store.batches[began:] if b.alarms)
        assert [row.type for row in batch.events] == ["answered", "raised"]


@in_virtual_time
async def test_a_batch_has_its_limit() -> None:
    """A thousand at once are as many batches as needed, none lost."""
    async with Shift() as shift:
        outcomes = await asyncio.gather(*pressed(shift, *(f"k{n}" for n in range(1_000))))
        assert len({o.alarm for o in outcomes}) == 1_000
        assert max(opened(b) for b in shift.store.batches) == MOST_EVENTS
        shift.check()


@in_virtual_time
async def test_high_goes_first_in_a_backlog() -> None:
    """An emergency pressed after a thousand calls is stored with the next batch."""
    async with Shift() as shift:
        calls = pressed(shift, *(f"k{n}" for n in range(1_000)))
        await passes(0)
        emergency = begun(shift.signal("14/1", "emergency"))
        await emergency
        assert sum(call.done() for call in calls) <= 2 * MOST_EVENTS
        await asyncio.gather(*calls)


@in_virtual_time
async def test_nobody_is_answered_and_nothing_is_shown_before_the_commit() -> None:
    """The source's answer, the phones and the state all come after it, phones first."""
    async with Shift() as shift:
        shift.store.before_s = 0.5
        (press,) = pressed(shift, "k")
        await passes(0.4)
        assert not press.done() and not shift.screens.changes and not shift.engine.state.alarms
        assert not shift.tables.alarms
        await passes(0.11)
        assert press.done() and len(shift.screens.changes) >= 1 and len(shift.engine.state.alarms) == 1


@in_virtual_time
async def test_receipts_wait_for_company_and_hold_up_nobody() -> None:
    """Rings reported within 20 ms are one commit; a press meanwhile goes at once and takes them along."""
    async with Shift() as shift:
        shift.screens.muted.update(shift.reach)
        call = await shift.press("12/1")
        before = len(shift.store.batches)

        def rang(staff: str) -> None:
            shift.engine.receipt(staff=staff, device="d", alarm=call.id, rev=call.rev, seen=False)

        rang("anna")
        await passes(COMPANY_WITHIN_S / 2)
        rang("bo")
        await passes(COMPANY_WITHIN_S)
        assert [len(b.events) for b in shift.store.batches[before:]] == [2]

        other = await shift.press("14/1")
        at = shift.clock.now()
        shift.engine.receipt(staff="anna", device="d", alarm=other.id, rev=other.rev, seen=False)
        await passes(0.001)
        await shift.press("13/1")
        assert shift.clock.now() - at <= 5


# Callers


@in_virtual_time
async def test_a_caller_who_goes_away_harms_nobody() -> None:
    """A client drops its connection while its press is being stored: it is stored, others are answered."""
    async with Shift() as shift:
        shift.store.before_s = 0.1
        calls = pressed(shift, "a", "b", "c")
        await passes(0.01)
        calls[1].cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(o, SignalOutcome) for o in done] == [True, False, True]
        await shift.settled()
        assert {row.key for row in shift.tables.alarms.values()} == {"a", "b", "c"}
        shift.check()


# A commit whose end is unknown


@pytest.mark.parametrize("applied", [True, False])
@in_virtual_time
async def test_an_unknown_commit_counts_exactly_once(applied: bool) -> None:
    """The connection goes during a commit: each event is decided and stored once, each caller answered."""
    async with Shift() as shift:
        call = await shift.press("13/1")
        await shift.settled()
        shift.store.fail_next_write(applied=applied)
        outcomes = await asyncio.gather(
            *pressed(shift, "a", "b", id=None), shift.says("cia", "accept", call, req="r1")
        )
        assert outcomes[2].ok and outcomes[0].alarm != outcomes[1].alarm
        await shift.settled()
        for alarm in (outcomes[0].alarm, outcomes[1].alarm):
            assert shift.log_of(alarm or "").count("raised") == 1
        assert shift.log_of(call).count("answered") == 1
        assert shift.screens.said_storing == [False, True]
        assert not shift.dead
        shift.check()


@in_virtual_time
async def test_idle_means_that_what_was_lost_is_stored_too() -> None:
    """Whoever waits for everything to be committed waits for what had to be decided afresh."""
    async with Shift() as shift:
        shift.store.fail_next_write(applied=False)
        (press,) = pressed(shift, "k")
        await passes(0.0005)
        await shift.settled()
        assert press.done() and len(shift.tables.alarms) == 1


@in_virtual_time
async def test_a_deadline_in_a_lost_commit_is_served() -> None:
    """The connection goes while an escalation is being stored: it happens all the same, once."""
    async with Shift() as shift:
        call = await shift.press("13/1")
        await shift.later(44.9)
        shift.store.fail_next_write(applied=False)
        await shift.later(1)
        assert shift.alarm(call).step == 1
        assert shift.log_of(call).count("deadline_passed") == 2, "nobody but cia rang in time; then 45 s"
        shift.check()


@in_virtual_time
async def test_refused_and_applied_after_all() -> None:
    """Told "not stored" after 2 s while its commit was in flight: it is stored, and the retry with the same
    id hears of the very alarm."""
    async with Shift() as shift:
        shift.store.before_s = 3.0
        (press,) = pressed(shift, "k", id="press-1")
        with pytest.raises(NotStored):
            await press
        shift.store.before_s = 0.001
        again = await shift.signal("12/1", "patient_call", key="k", id="press-1")
        assert again.new and again.alarm in shift.tables.alarms
        assert len(shift.tables.alarms) == 1


@in_virtual_time
async def test_refused_and_not_applied_is_never_stored() -> None:
    """Told "not stored" while the connection was lost: it is not decided afresh behind the sender's back."""
    async with Shift() as shift:
        shift.store.fail_next_write(applied=False)
        shift.store.before_s = 0.1
        (press,) = pressed(shift, "k")
        await passes(0.05)
        shift.store.away = True
        with pytest.raises(NotStored):
            await press
        shift.store.away = False
        await until(lambda: shift.engine.storing)
        await shift.settled()
        assert not shift.tables.alarms


# The database is away


@in_virtual_time
async def test_each_waits_two_seconds_and_no_longer() -> None:
    """Presses and answers are refused in time, counted from when each came; phones know why."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        shift.store.away = True
        await shift.later(0.6)
        assert shift.screens.said_storing == [False]
        for pause_s in (0.0, 0.7):
            await shift.later(pause_s)
            at = shift.clock.now()
            with pytest.raises(NotStored):
                await shift.signal("14/1", "patient_call")
            assert STORE_WITHIN_MS <= shift.clock.now() - at <= STORE_WITHIN_MS + 60
        with pytest.raises(NotStored):
            await shift.says("anna", "accept", call)
        shift.store.away = False
        await shift.later(1)
        assert shift.screens.said_storing == [False, True]
        assert shift.alarm(call).phase == "ringing"
        assert (await shift.says("anna", "accept", call)).ok


@in_virtual_time
async def test_a_clock_set_forward_refuses_nobody() -> None:
    """Two seconds are two seconds of waiting, not of the clock on the wall."""
    async with Shift() as shift:
        shift.store.before_s = 0.5
        (press,) = pressed(shift, "k")
        await passes(0.1)
        shift.clock.jump(3600)
        assert (await press).new


@in_virtual_time
async def test_no_step_is_skipped_for_the_time_the_database_was_away() -> None:
    """Fifteen minutes away: each ringing alarm goes one step further, not through them all, high first."""
    async with Shift() as shift:
        low = await shift.press("13/1")
        high = await shift.press("14/1", "clinical", priority="high")
        await shift.settled()
        shift.store.away = True
        await shift.later(900)
        shift.store.away = False
        await until(lambda: shift.alarm(low).step == 1 == shift.alarm(high).step, within_s=1)
        await shift.later(1)
        assert shift.alarm(low).step == 1 == shift.alarm(high).step
        shift.check()


@in_virtual_time
async def test_a_full_queue_refuses_low_starts_at_once_and_nothing_urgent() -> None:
    """The database stands still and presses pour in: "full" is for new low calls, never for a high one, an
    answer or an end; what was refused makes room again."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.settled()
        shift.store.before_s = 1.5
        blocking = pressed(shift, "blocking")
        await passes(0.01)
        calls = pressed(shift, *(f"k{n}" for n in range(BACKLOG_LIMITS[Rank.LOW])))
        await passes(0.01)
        at = shift.clock.now()
        with pytest.raises(NotStored) as full:
            await shift.signal("14/1", "patient_call")
        assert full.value.why == "full" and shift.clock.now() == at
        urgent = [
            begun(shift.signal("14/1", "emergency")),
            begun(shift.reset("12/1", key="k0")),
        ]
        accept = begun(shift.says("anna", "accept", call))
        shift.store.before_s = 0.001
        assert (await accept).ok and all([(await u).alarm for u in urgent])
        await asyncio.gather(*blocking, *calls)
        assert (await shift.signal("14/2", "patient_call")).new, "the phones' receipts fill nothing"


@in_virtual_time
async def test_who_waits_for_a_fact_is_told_when_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts are dropped then, for nobody waits for them; whoever waits would wait for ever."""
    monkeypatch.setitem(BACKLOG_LIMITS, Rank.RECEIPT, 1)
    async with Shift() as shift:
        shift.store.before_s = 0.5
        calls = pressed(shift, "blocking")
        await passes(0.01)
        calls += pressed(shift, "beside", "waits", "too")
        await passes(0.01)
        with pytest.raises(NotStored) as full:
            async with asyncio.timeout(10):
                await shift.engine.forgotten("test", "plant")
        assert full.value.why == "full"
        await asyncio.gather(*calls)


@in_virtual_time
async def test_the_queue_can_be_watched() -> None:
    """How many events wait, for who looks at the hub."""
    async with Shift() as shift:
        shift.store.before_s = 0.5
        calls = pressed(shift, *(f"k{n}" for n in range(5)))
        await passes(0.01)
        waiting = shift.metrics.registry.get_sample_value
        pressed(shift, "one", "two")
        await passes(0.01)
        assert waiting("alarmhub_queue_events") == 4 + 2, "one is being committed"
        await asyncio.gather(*calls)
        await shift.settled()
        assert waiting("alarmhub_queue_events") == 0


@in_virtual_time
async def test_rosters_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are stored is remembered to save writing, not for ever; writing one again changes nothing."""
    monkeypatch.setattr(writer, "ROSTERS_KNOWN", 3)
    async with Shift() as shift:
        for n in range(12):
            state = "break" if n % 2 else "available"
            await shift.engine.availability(staff=f"{'abc'[n % 3]}", device="d", req="", state=state)
            await shift.engine.availability(
                staff="bo", device="d", req="", state="break" if n % 3 else "busy"
            )
            await shift.press("13/1", key=f"k{n}")
        assert len(shift.engine._writer._folder.stored_rosters) <= 3
        shift.check()


# Data the database refuses


def refusing(*bad: str, gone_at: str = "") -> Any:
    """A database that refuses batches with these keys, and once loses the connection at another."""
    left = [gone_at] if gone_at else []

    def refuse(batch: Batch) -> BaseException | None:
        for row in batch.alarms:
            if row.key in bad:
                return Unstorable("a defect")
        if left and left[0] in keys(batch):
            left.pop()
            return StoreUnavailable("gone")
        return None

    return refuse


@in_virtual_time
async def test_only_the_culprit_is_set_aside() -> None:
    """The rest of its batch is stored, in order; the sender hears "invalid", an engineer is told."""
    async with Shift() as shift:
        shift.store.refuse = refusing("k3")
        names = [f"k{n}" for n in range(9)]
        outcomes = await asyncio.gather(*pressed(shift, *names), return_exceptions=True)
        assert [n for n, o in zip(names, outcomes, strict=True) if isinstance(o, Refused)] == ["k3"]
        assert len(shift.tables.quarantined) == 1
        await shift.settled()
        assert [a.type for a in shift.open_of("technical")] == ["event_set_aside"]
        shift.check()


@in_virtual_time
async def test_a_connection_lost_between_the_halves_keeps_the_order() -> None:
    """A batch is being halved and the connection goes: what follows does not overtake what was lost."""
    async with Shift() as shift:
        shift.store.refuse = refusing("bad", gone_at="call")
        others = [begun(shift.signal("14", event="presence", present=True))]
        call, *others[1:] = pressed(shift, "call", "bad")
        end = begun(shift.reset("12/1", key="call"))
        ended = await end
        assert (await call).alarm == ended.alarm
        assert shift.engine.open_alarm(ended.alarm or "") is None
        await shift.settled()
        shift.check()


@in_virtual_time
async def test_the_quarantine_survives_a_lost_connection() -> None:
    """The row for the engineer is written when the database is back."""
    async with Shift() as shift:
        gone = [True]

        def refuse(batch: Batch) -> BaseException | None:
            if "bad" in keys(batch):
                return Unstorable("a defect")
            if batch.quarantined and gone:
                gone.pop()
                return StoreUnavailable("gone")
            return None

        shift.store.refuse = refuse
        (press,) = pressed(shift, "bad")
        with pytest.raises(Refused):
            await press
        assert len(shift.tables.quarantined) == 1
        assert not shift.dead


@in_virtual_time
async def test_a_deadline_the_database_refuses_comes_again() -> None:
    """However strange, an open alarm never loses its deadline."""
    async with Shift() as shift:
        call = await shift.press("13/1")
        await shift.settled()
        shift.store.refuse = lambda batch: (
            Unstorable("a defect") if any(r.id == call.id for r in batch.alarms) else None
        )
        await shift.later(50)
        shift.store.refuse = lambda batch: None
        assert 1 <= len(shift.tables.quarantined) <= 4
        await shift.later(40)
        assert shift.alarm(call).step >= 1
        shift.check()


# The end of a lease


@in_virtual_time
async def test_when_another_has_taken_over_the_hub_stops_and_says_so_to_who_waits() -> None:
    """Fenced: nothing is written, the writer dies, nobody is left without an answer."""
    async with Shift() as shift:
        await shift.settled()
        shift.store.before_s = 0.05
        (press,) = pressed(shift, "k")
        await passes(0.01)
        shift.tables.epoch += 1
        queued = pressed(shift, "k2")
        await passes(0.05)
        for waiting in (press, *queued):
            assert isinstance(waiting.exception(), NotStored)
        assert isinstance(shift.crew.fatal.result().exc, Fenced)
        assert not shift.tables.alarms
        with pytest.raises(NotStored):
            await shift.signal("12/1")


@in_virtual_time
async def test_a_hub_that_was_away_too_long_stops() -> None:
    """The database is back, and meanwhile another process has taken the lease."""
    async with Shift() as shift:
        shift.store.away = True
        await shift.later(5)
        shift.tables.owner, shift.tables.expires_at = "other", shift.clock.now() + 60_000
        shift.tables.epoch += 1
        shift.store.away = False
        died = await asyncio.wait_for(asyncio.shield(shift.crew.fatal), 5)
        assert isinstance(died.exc, Fenced)


# A graceful stop


@in_virtual_time
async def test_a_stop_commits_what_waits() -> None:
    """Everything taken in is answered and stored, then the lease is free at once."""
    shift = await Shift().begin()
    calls = pressed(shift, *(f"k{n}" for n in range(600)))
    await passes(0)
    await shift.stop()
    assert all(call.result().new for call in calls)
    assert sum(row.source == "plant" for row in shift.tables.alarms.values()) == 600
    assert shift.tables.expires_at == 0


@in_virtual_time
async def test_after_a_stop_nothing_rings_on() -> None:
    """Deadlines that fall due after the drain are the next process's."""
    shift = await Shift().begin()
    call: Alarm = await shift.press("13/1")
    await shift.press("14/1")
    await shift.engine.stop()
    before = len(shift.store.batches)
    await shift.later(60)
    assert len(shift.store.batches) == before
    assert shift.stored(call).step == 0
    await shift.crash()


# Time to decide


@in_virtual_time
async def test_decisions_that_take_long_make_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding is never more than some 20 ms at a stretch: phones and new presses wait no longer."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    took: list[float] = []

    def slow(self: Folder, items: list[Item], world: World, now: int) -> Folded:
        folded = fold(self, items, world, now)
        took.append(0.002 * len(items))
        loop.passed_s += took[-1]
        return folded

    fold = Folder.fold
    async with Shift() as shift:
        monkeypatch.setattr(Folder, "fold", slow)
        await asyncio.gather(*pressed(shift, *(f"k{n}" for n in range(20))))
        took.clear()
        await asyncio.gather(*pressed(shift, *(f"j{n}" for n in range(200))))
        assert max(took) <= 2 * DECIDE_WITHIN_S
        monkeypatch.undo()
        for name in "abcdefghij":
            await asyncio.gather(*pressed(shift, *(f"{name}{n}" for n in range(300))))
        assert max(opened(b) for b in shift.store.batches) > 200, "and large ones again when they do not"
