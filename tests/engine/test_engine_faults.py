"""What the engine does when the database goes, when too much is due at once, and when a rule fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from alarmhub.core.alarm import Alarm, Flag
from alarmhub.core.decide import decide
from alarmhub.core.events import Event, Raised
from alarmhub.core.world import Decision, World
from alarmhub.engine import engine as engine_module
from alarmhub.engine import fold, writer
from alarmhub.engine.writer import RECONNECT_EVERY_S
from alarmhub.ports import NotStored, Refused, SignalOutcome
from alarmhub.tasks import spawn
from load.site import staff_id
from tests.support.engine import Rig, running, start_of
from tests.support.waiting import turns, until


async def test_a_silent_night_notices_a_lost_database_too() -> None:
    """Nobody presses, the database goes: phones are told storing false, and true when it is back."""
    async with running() as rig:
        rig.store.away = True
        await until(lambda: rig.screens.said_storing == [False], "phones hear that nothing is stored")
        assert not rig.engine.storing

        rig.store.away = False
        await until(lambda: rig.screens.said_storing == [False, True], "phones hear that all is well")
        assert rig.engine.storing
        assert not rig.dead
        assert (await rig.press("after")).new


async def test_what_cannot_be_stored_is_refused_in_two_seconds() -> None:
    """A press while the database is away is told so after 2 s; it is not stored afterwards either."""
    async with running() as rig:
        rig.store.away = True
        before = rig.clock.now()
        with pytest.raises(NotStored):
            await rig.press("lost")
        assert 1_800 <= rig.clock.now() - before <= 3_000

        rig.store.away = False
        assert (await rig.press("kept")).new
        assert [row.key for row in rig.tables.alarms.values()] == ["kept"]


@pytest.mark.parametrize("applied", [True, False])
async def test_a_commit_with_an_unknown_end_counts_once(applied: bool) -> None:
    """The connection goes during a commit, before or after it was applied: one alarm, one answer."""
    async with running() as rig:
        rig.store.fail_next_write(applied=applied)
        outcome = await rig.press("once")
        assert outcome.new
        assert list(rig.tables.alarms) == [outcome.alarm]
        assert not rig.dead


async def test_after_a_lost_commit_an_end_does_not_overtake_its_start() -> None:
    """A start whose commit was lost is decided before the end that came meanwhile, however much waits."""
    async with running() as rig:
        rig.store.fail_next_write(applied=False)
        rig.store.away = True
        start = spawn(rig.press("call"), "start", rig.crew, ends=True)
        await until(lambda: not rig.engine.storing, "the loss is noticed")
        others = [
            spawn(rig.press(f"other-{n}", priority="high"), "other", rig.crew, ends=True) for n in range(600)
        ]
        end = spawn(rig.engine.signal(start_of("call", event="end")), "end", rig.crew, ends=True)
        await turns()
        rig.store.away = False

        assert (await start).new
        assert (await end).alarm == (await start).alarm
        assert rig.engine.open_alarm((await start).alarm or "") is None
        await asyncio.gather(*others)


async def test_more_deadlines_and_changes_than_the_backlog_allows_are_all_served() -> None:
    """Ten thousand open alarms whose world changes at once: the limits are for new calls, not for these."""
    async with running() as rig:
        for first in range(0, 9_000, 1_000):
            await asyncio.gather(*(rig.press(f"call-{first + n}", n % 10) for n in range(1_000)))
        staff = staff_id(0)
        req = await rig.engine.availability(staff=staff, device="phone", req="r", state="break")
        assert req.ok
        assert (await rig.press("one more")).new, "a low call is taken while the changes wait"
        assert not rig.dead


async def test_a_claim_under_the_epoch_before_a_return_is_no_takeover() -> None:
    """The database was away and the lease was taken anew: what was claimed under the old epoch meanwhile is
    no reason to stop."""
    async with running() as rig:
        engine = rig.engine
        held = engine.epoch
        rig.store.away = True
        await until(lambda: not engine.storing, "the loss is noticed")
        rig.store.away = False
        await until(lambda: engine.storing, "the return is noticed")
        assert engine.epoch > held
        await asyncio.gather(*(rig.press(f"call-{n}") for n in range(5)))
        assert not rig.dead


async def test_an_id_of_this_morning_gets_the_same_answer_after_a_restart() -> None:
    """Ids are remembered for 24 h, whatever has been restarted since."""
    async with running() as rig:
        this_morning = await rig.press("call", id="press-1")
    rig.tables.answered = {
        key: msgspec.structs.replace(reply, at=reply.at - 5 * 3_600_000)
        for key, reply in rig.tables.answered.items()
    }
    async with running(tables=rig.tables) as again:
        assert await again.press("call", id="press-1") == this_morning
        assert len(again.tables.alarms) == 1


def _rule_that_fails_for(broken: Callable[[Alarm | None, Event], bool]) -> Callable[..., Decision]:
    def failing(alarm: Alarm | None, event: Event, world: World, now: int) -> Decision:
        if broken(alarm, event):
            raise ZeroDivisionError("a rule with a defect")
        return decide(alarm, event, world, now)

    return failing


def _open_of(rig: Rig, ref: str) -> Alarm | None:
    return next((a for a in rig.engine.open_alarms() if a.ref == ref), None)


def _poison_notices(rig: Rig) -> list[Alarm]:
    return [a for a in rig.engine.open_alarms() if a.type == "event_set_aside"]


async def test_an_alarm_whose_rule_fails_goes_to_its_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in deciding one open alarm: it rings its last resort, an engineer hears of it."""
    monkeypatch.setattr(
        fold, "decide", _rule_that_fails_for(lambda alarm, event: alarm is not None and alarm.ref == "bad")
    )
    async with running() as rig:
        bad = await rig.press("bad", 0)
        rig.engine.receipt(staff=staff_id(0), device="phone", alarm=bad.alarm or "", rev=9, seen=False)
        accept = rig.engine.answer(
            staff=staff_id(0), device="phone", req="r1", alarm=bad.alarm or "", answer="accept", rev=1,
            reason="", via="phone",
        )  # fmt: skip
        good, _ = await asyncio.gather(rig.press("good", 1), accept)

        after = rig.engine.open_alarm(bad.alarm or "")
        assert after is not None and Flag.LAST_RESORT in after.flags
        assert "desk-1" in {told.staff for told in after.told}
        assert good.new and not rig.dead
        assert len(await until(lambda: _poison_notices(rig), "an engineer is told")) == 1


async def test_a_start_that_cannot_be_decided_is_set_aside_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender hears "invalid", the row is kept for an engineer, the others of the batch are committed."""
    monkeypatch.setattr(
        fold,
        "decide",
        _rule_that_fails_for(lambda _, event: isinstance(event, Raised) and event.signal.ref == "bad"),
    )
    async with running() as rig:
        refs = ["one", "two", "bad", "three"]
        outcomes = await asyncio.gather(*(rig.press(ref) for ref in refs), return_exceptions=True)

        assert [isinstance(o, Refused) for o in outcomes] == [False, False, True, False]
        assert {row.key for row in rig.tables.alarms.values()} >= {"one", "two", "three"}
        (row,) = rig.tables.quarantined.values()
        assert b"bad" in row.body and "ZeroDivisionError" in row.cause
        await until(lambda: _poison_notices(rig), "an engineer is told")
        assert not rig.dead


async def test_an_event_half_decided_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect strikes after the decision, while its rows are made: nothing of it is stored."""
    made = fold.Folder._log_event

    def failing(self: fold.Folder, folded: fold.Folded, alarm: Alarm, *rest: Any) -> None:
        if alarm.ref == "bad":
            raise ZeroDivisionError("a defect while rows are made")
        made(self, folded, alarm, *rest)

    monkeypatch.setattr(fold.Folder, "_log_event", failing)
    async with running() as rig:
        outcomes = await asyncio.gather(rig.press("bad"), rig.press("good"), return_exceptions=True)

        assert [isinstance(o, Refused) for o in outcomes] == [True, False]
        assert "bad" not in {row.key for row in rig.tables.alarms.values()}
        assert "bad" not in {change.after.ref for change in rig.screens.changes}
        assert not rig.dead


async def test_when_every_rule_fails_the_hub_neither_stops_nor_runs_hot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing can be decided at all: each sender hears it, and the news of it breeds no news."""
    monkeypatch.setattr(fold, "decide", _rule_that_fails_for(lambda alarm, event: True))
    async with running() as rig:
        for number in range(3):
            with pytest.raises(Refused):
                await rig.press(f"call-{number}")
        await rig.engine.idle()
        await turns(200)
        await rig.engine.idle()
        assert len(rig.tables.quarantined) <= 6
        assert not rig.dead


async def test_a_deadline_that_cannot_be_decided_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even the fallback fails: the deadline is set aside, not run in a circle, and not forgotten."""

    def no_fallback(*_: Any) -> Decision:
        raise ZeroDivisionError("no way out")

    async with running() as rig:
        opened = await rig.press("bad")
        monkeypatch.setattr(
            fold, "decide", _rule_that_fails_for(lambda a, _: a is not None and a.ref == "bad")
        )
        monkeypatch.setattr(fold, "fallback", no_fallback)
        monkeypatch.setattr(engine_module, "STUCK_AGAIN_S", 0.3)
        alarm = rig.engine.open_alarm(opened.alarm or "")
        assert alarm is not None and alarm.due is not None
        rig.clock.jump_to(alarm.due + 1)
        rig.engine.time_moved()

        await until(lambda: len(rig.tables.quarantined) >= 1, "the deadline is set aside")
        await until(lambda: len(rig.tables.quarantined) >= 2, "it is tried again")
        assert len(rig.tables.quarantined) < 6
        assert not rig.dead


@pytest.mark.parametrize("company", [0, 5, 60])
async def test_an_event_the_database_refuses_is_found_among_others(company: int) -> None:
    """A NUL that slipped through: the batch is halved until it stands alone; the others are stored."""
    async with running() as rig:
        bad = rig.press("bad", text="\x00")
        outcomes = await asyncio.gather(
            *(rig.press(f"good-{n}", n % 10, id=f"id-{n}") for n in range(company)), bad,
            return_exceptions=True,
        )  # fmt: skip
        assert isinstance(outcomes.pop(), Refused)
        assert all(isinstance(o, SignalOutcome) and o.new for o in outcomes)
        assert len(rig.tables.quarantined) == 1
        await until(lambda: _poison_notices(rig), "an engineer is told")
        assert not rig.dead


@pytest.mark.parametrize("back_after_s", [RECONNECT_EVERY_S, 0.001])
async def test_on_return_answers_go_first(monkeypatch: pytest.MonkeyPatch, back_after_s: float) -> None:
    """Six hundred low calls wait when the database comes back; the accept that came last is stored first,
    also when it has not waited for company yet."""
    monkeypatch.setattr(writer, "RECONNECT_EVERY_S", back_after_s)
    async with running() as rig:
        ringing = (await rig.press("ringing")).alarm or ""
        rig.store.away = True
        await until(lambda: not rig.engine.storing, "the loss is noticed")
        calls = [spawn(rig.press(f"call-{n}", n % 10), "call", rig.crew, ends=True) for n in range(600)]
        await turns(2)
        accept = rig.engine.answer(
            staff=staff_id(0), device="phone", req="r1", alarm=ringing, answer="accept", rev=1, reason="",
            via="phone",
        )  # fmt: skip
        accepting = spawn(accept, "accept", rig.crew, ends=True)
        await turns(2)
        rig.store.away = False

        assert (await accepting).ok
        await asyncio.gather(*calls)
        logged = [event.type for _, event in sorted(rig.tables.events.items())]
        assert logged.index("answered") < len(logged) / 2, "with the first batch of 256, not the last"
