"""A substitute's screens: what stands there, when it changes, and for whom."""

from __future__ import annotations

from alarmhub.core.shifts import Available, SignOff
from alarmhub.engine.stand_ins import StandIns
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time


def watching(shift: Shift) -> tuple[StandIns, list[str]]:
    """The banners of a running ward, and whose screens were told."""
    told: list[str] = []
    engine = shift.engine
    stand_ins = StandIns(world=engine.world, substitutes=lambda: engine.state.substitutes, shown=told.append)
    engine.on_roster.append(stand_ins.look)
    return stand_ins, told


@in_virtual_time
async def test_a_substitute_reads_for_whom_until_the_colleague_is_back() -> None:
    """Told when it begins and when it is over, and nobody else is."""
    async with Shift() as shift:
        stand_ins, told = watching(shift)
        await shift.engine.duty(staff="olle", said=Available("break", "eva"))
        assert stand_ins.banners_of("eva") == ("Eva svarar för Avd 205 medan Olle är borta",)
        assert stand_ins.banners_of("olle") == stand_ins.banners_of("finn") == ()
        assert told == ["eva"]
        await shift.engine.duty(staff="finn", said=Available("busy"))
        assert told == ["eva"], "a roster that changes for others is no news"
        await shift.engine.duty(staff="olle", said=Available("available"))
        assert stand_ins.banners_of("eva") == () and told == ["eva", "eva"]


@in_virtual_time
async def test_a_substitute_who_goes_home_answers_for_nobody() -> None:
    """The break goes on, the banner does not."""
    async with Shift() as shift:
        stand_ins, told = watching(shift)
        await shift.engine.duty(staff="olle", said=Available("break", "eva"))
        await shift.engine.duty(staff="eva", said=SignOff())
        assert stand_ins.banners_of("eva") == () and told == ["eva", "eva"]


@in_virtual_time
async def test_a_change_of_substitute_tells_both() -> None:
    """From break to busy, with another name."""
    async with Shift() as shift:
        stand_ins, told = watching(shift)
        await shift.engine.duty(staff="olle", said=Available("break", "eva"))
        await shift.engine.duty(staff="olle", said=Available("available"))
        await shift.engine.duty(staff="olle", said=Available("busy", "finn"))
        assert stand_ins.banners_of("finn") and not stand_ins.banners_of("eva")
        assert told == ["eva", "eva", "finn"]
