"""What changes while a decision is being committed: the alarms it made are looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from alarmhub.core.alarm import Alarm, Flag
from alarmhub.core.reach import Reach
from alarmhub.ports import SignalOutcome
from tests.engine.test_beside import begun, pressed
from tests.engine.test_watch import DAY, EVENING, with_duties
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time, passes

COMMIT_S = 1.0


def slow(shift: Shift) -> None:
    """The database takes its time, so that much can happen meanwhile."""
    shift.store.before_s = shift.store.after_s = COMMIT_S / 2


@asynccontextmanager
async def pressed_slowly() -> AsyncIterator[tuple[Shift, asyncio.Task[SignalOutcome]]]:
    """Within the commit of a call to anna and bo, whose phones have not rung yet."""
    async with Shift() as shift:
        shift.screens.muted = {"anna", "bo"}
        await shift.settled()
        slow(shift)
        press = pressed(shift, "12/1", "a")
        await passes(COMMIT_S / 4)
        yield shift, press
        shift.check()


async def opened(shift: Shift, press: asyncio.Task[SignalOutcome]) -> Alarm:
    """The call, when all that follows from it is committed too."""
    outcome = await press
    await shift.settled()
    assert outcome.alarm is not None
    return shift.alarm(outcome.alarm)


def lose(shift: Shift, *staff: str) -> None:
    """Their phones are gone."""
    for person in staff:
        shift.phone(person, Reach.NONE)


@in_virtual_time
async def test_whose_phones_were_lost_before_they_could_ring_is_not_waited_for() -> None:
    """Told by the decision, gone by its commit: the next step rings at once."""
    async with pressed_slowly() as (shift, press):
        lose(shift, "anna", "bo")
        assert (await opened(shift, press)).step == 1


@in_virtual_time
async def test_who_came_back_meanwhile_is_waited_for() -> None:
    """The first step goes on for whoever is there at the end of it all: what was between is not replayed."""
    async with pressed_slowly() as (shift, press):
        lose(shift, "anna", "bo")
        shift.phone("anna", Reach.LIVE)
        assert (await opened(shift, press)).step == 0


@in_virtual_time
async def test_an_acceptor_whose_phone_was_lost_meanwhile_is_followed() -> None:
    """She is on her way from this commit on, and out of contact since before it."""
    async with Shift() as shift:
        call = await shift.press("12/1", key="a")
        await shift.settled()
        slow(shift)
        answered = begun(shift.says("anna", "accept", call))
        await passes(COMMIT_S / 2)
        shift.phone("anna", Reach.RECENT)
        lost_at = shift.clock.now()
        assert (await answered).ok
        await shift.settled()
        assert [a.lost_at for a in shift.alarm(call).acceptances] == [lost_at]
        shift.check()


@pytest.mark.parametrize("commit_s", [0.002, COMMIT_S])
@in_virtual_time
async def test_an_acceptor_whose_phone_was_lost_before_it_was_decided_is_followed(commit_s: float) -> None:
    """She taps and puts the phone into her pocket: the answer waits a little, or behind a slow commit."""
    async with Shift() as shift:
        call = await shift.press("12/1", key="a")
        await shift.settled()
        shift.store.before_s = shift.store.after_s = commit_s / 2
        before = pressed(shift, "14/1", "b")
        answered = begun(shift.says("anna", "accept", call))
        await passes(0.005)
        shift.phone("anna", Reach.RECENT)
        lost_at = shift.clock.now()
        assert (await answered).ok and (await before).new
        await shift.settled()
        assert [a.lost_at for a in shift.alarm(call).acceptances] == [lost_at]
        shift.check()


@in_virtual_time
async def test_who_comes_on_duty_meanwhile_is_asked_before_the_next_step() -> None:
    """At the change of shift the one goes, the other is there, and then the first one's phone is gone."""
    duties = with_duties(DAY, EVENING, instead_of=("bo", "anna"))
    async with Shift(duties) as shift:
        shift.screens.muted = {"bo", "siv"}
        await shift.later(59.5)
        slow(shift)
        press = pressed(shift, "12/1", "a")
        await passes(COMMIT_S * 0.7)
        shift.phone("bo", Reach.NONE)
        call = await opened(shift, press)
        assert (call.step, shift.told(call)) == (0, {"siv"})
        shift.check()


@in_virtual_time
async def test_what_was_decided_before_the_change_of_shift_follows_it_after_the_commit() -> None:
    """Pressed in the last half second of a duty."""
    async with Shift(with_duties(DAY, EVENING, instead_of=("bo",))) as shift:
        await shift.later(59.5)
        slow(shift)
        call = await opened(shift, pressed(shift, "12/1", "a"))
        assert shift.told(call) == {"anna", "siv"}
        shift.check()


@in_virtual_time
async def test_a_commit_of_which_nobody_knew_what_became_is_looked_at_too() -> None:
    """The connection broke after it was applied; when that is known nobody of the first step is there."""
    async with pressed_slowly() as (shift, press):
        shift.store.fail_next_write(applied=True)
        lose(shift, "anna", "bo")
        assert (await opened(shift, press)).step == 1


@pytest.mark.parametrize("back", [False, True])
@in_virtual_time
async def test_a_call_whose_line_broke_meanwhile_is_unconfirmed_unless_it_is_back(back: bool) -> None:
    """Its reset may never come, and whoever looks at it must know."""
    async with pressed_slowly() as (shift, press):
        await shift.engine.link("plant", up=False)
        if back:
            await shift.engine.link("plant", up=True)
        assert (Flag.UNCONFIRMED in (await opened(shift, press)).flags) is not back
