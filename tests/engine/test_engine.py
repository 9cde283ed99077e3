"""The engine's door: a press until somebody comes, ids, restarts, changes of roster, site and contact."""

from __future__ import annotations

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
