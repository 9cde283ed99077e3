"""The engine's door: a press until somebody comes, ids, restarts, changes of roster, site and contact."""

from __future__ import annotations

import asyncio

from alarmhub.core.reach import Reach
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time


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
