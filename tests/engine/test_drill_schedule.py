"""Which unit is drilled when: never a storm, never twice in a row, never over a ringing alarm."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.drilling import DrillRules
from alarmhub.core.roster import roster_at
from alarmhub.core.site import Duty, Hours
from alarmhub.engine.drill_schedule import DrillSchedule, Next
from tests.support.ward import T0, Ward

S = 1000


def quiet(_unit: str) -> bool:
    """No alarm rings anywhere."""
    return False


def run(schedule: DrillSchedule, until_s: float, rings: object = quiet) -> list[tuple[float, Next]]:
    """Ask every half second; what began when, in seconds from the start."""
    begun = []
    for half in range(round(until_s * 2) + 1):
        following = schedule.next(T0 + half * 500, rings)  # type: ignore[arg-type]
        if following is not None:
            begun.append((half / 2, following))
            schedule.began(following.unit, T0 + half * 500)
    return begun


def test_twenty_units_that_change_at_seven_make_no_storm() -> None:
    """Each after its phones have settled, two seconds apart."""
    site = Ward().site
    units = {f"u{n:02}": replace(site.units["201"], id=f"u{n:02}") for n in range(20)}
    shift = tuple(Duty(f"p{n}", unit, ("ssk",), Hours(from_at=T0)) for n, unit in enumerate(units))
    site = replace(site, units=units, duties=shift)
    schedule = DrillSchedule(DrillRules())
    schedule.roster(roster_at(site, T0 - 1, {}), T0 - 1)
    for _ in range(3):
        schedule.roster(roster_at(site, T0, {}), T0)
    begun = run(schedule, 600)
    assert [at for at, _ in begun] == [180 + 2 * n for n in range(20)]
    assert {n for _, n in begun} == {Next(unit, "shift_start", 0) for unit in units}


def test_what_a_start_finds_is_no_shift_change() -> None:
    """Nor is somebody who goes, or the same people again."""
    ward = Ward()
    schedule = DrillSchedule(DrillRules())
    for site in (ward.site, ward.site, replace(ward.site, duties=ward.site.duties[2:])):
        schedule.roster(roster_at(site, T0, {}), T0)
    assert len(schedule) == 0


def test_a_unit_is_not_drilled_twice_within_twenty_minutes() -> None:
    """Whatever the causes; what an interruption left open is begun again sooner, three times."""
    schedule = DrillSchedule(DrillRules(settle_s=10))
    schedule.changed({"201": "policy"}, T0)
    schedule.changed({"201": "source"}, T0)
    assert run(schedule, 60) == [(10, Next("201", "policy", 0))]
    schedule.changed({"201": "source"}, T0 + 60 * S)
    assert run(schedule, 1209) == []
    assert run(schedule, 1210) == [(1210, Next("201", "source", 0))]
    schedule.again("201", "source", 0, T0 + 1300 * S)
    assert run(schedule, 1599.5) == []
    assert run(schedule, 1600) == [(1600, Next("201", "source", 1))]
    schedule.again("201", "source", 3, T0 + 1700 * S)
    assert run(schedule, 3000) == []


def test_a_ringing_alarm_is_waited_for_but_not_for_ever() -> None:
    """Half a minute at a time, ten minutes in all; other units go on meanwhile."""
    schedule = DrillSchedule(DrillRules(settle_s=10))
    schedule.changed({"201": "policy", "202": "policy"}, T0)
    begun = run(schedule, 900, lambda unit: unit == "201")
    assert begun == [(10, Next("202", "policy", 0)), (610, Next("201", "policy", 0))]


def test_what_could_not_begin_begins_later() -> None:
    """The database was away."""
    schedule = DrillSchedule(DrillRules(settle_s=0))
    schedule.changed({"201": "policy"}, T0)
    following = schedule.next(T0, quiet)
    assert following is not None
    schedule.later(following, T0)
    assert run(schedule, 60) == [(30, Next("201", "policy", 0))]


def test_each_cause_can_be_turned_off() -> None:
    """By the settings."""
    ward = Ward()
    schedule = DrillSchedule(DrillRules(on_shift_start=False, on_change=False))
    schedule.roster(roster_at(replace(ward.site, duties=()), T0, {}), T0)
    schedule.roster(roster_at(ward.site, T0, {}), T0)
    schedule.changed({"201": "policy"}, T0)
    assert len(schedule) == 0
