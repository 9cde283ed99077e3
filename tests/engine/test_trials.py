"""Tests, maintenance and walk tests on a running engine, in virtual time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Flag
from alarmhub.core.answers import rings
from alarmhub.core.reach import Reach
from alarmhub.core.trials import LONGEST_S
from alarmhub.engine.trials import TrialRefused, Trials
from alarmhub.ports import NotStored
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time, passes
from tests.support.ward import Ward, path


class Desk:
    """The trials of a shift, and what they told."""

    def __init__(self, shift: Shift) -> None:
        engine = shift.engine
        self.up = True
        self.shown = 0
        self.trials = Trials(
            clock=shift.clock,
            world=engine.world,
            fact=engine.fact,
            say=engine.say,
            opened=engine.state.by_key,
            lost=lambda source: engine.link(source, up=False),
            is_up=lambda source: self.up,
            shown=self._show,
            forgotten=engine.forgotten,
        )
        engine.admit, engine.announced = self.trials.admit, self.trials.announced

    def _show(self) -> None:
        self.shown += 1


@in_virtual_time
async def test_in_test_mode_a_call_is_a_drill_and_after_it_a_call_again() -> None:
    """On both sides of its end; nobody has to remember to end it."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_test(by="anna", minutes=1, heard=True, place=path("12/1"))
        drill = await shift.press("12/1", key="a")
        assert (drill.kind, drill.heard) == ("drill", True)
        elsewhere = await shift.press("14/1", key="b")
        assert elsewhere.kind == "patient_call"
        await passes(59.0)
        assert (await shift.press("12/1", key="c")).kind == "drill"
        await passes(1.0)
        await trials.look()
        assert trials.tests == {}
        assert (await shift.press("12/1", key="d")).kind == "patient_call"


@pytest.mark.parametrize("kind", ["emergency", "team", "assault"])
@in_virtual_time
async def test_a_test_never_hides_what_is_urgent(kind: str) -> None:
    """It rings as ever."""
    async with Shift() as shift:
        Desk(shift).trials.begin_test(by="anna", minutes=60, heard=False, source="plant")
        assert (await shift.press("12/1", kind, key="a")).kind == kind


@in_virtual_time
async def test_an_alarm_that_is_open_stays_what_it_is() -> None:
    """Its repeat counts, its reset ends it."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        call = await shift.press("12/1", key="a")
        trials.begin_test(by="anna", minutes=60, heard=False, source="plant")
        again = await shift.press("12/1", key="a")
        assert (again.id, again.kind, again.count) == (call.id, "patient_call", 2)
        ended = await shift.reset("12/1", key="a")
        assert ended.phase == "ended"


@in_virtual_time
async def test_the_reset_of_a_drill_ends_it() -> None:
    """Lamps go out on the panel and on the phone."""
    async with Shift() as shift:
        Desk(shift).trials.begin_test(by="anna", minutes=60, heard=False, source="plant")
        drill = await shift.press("12/1", key="a")
        ended = await shift.reset("12/1", key="a")
        assert (ended.alarm, ended.phase) == (drill.id, "ended")


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ({"minutes": LONGEST_S / 60 + 0.1, "source": "plant"}, "minutes"),
        ({"minutes": 0, "source": "plant"}, "minutes"),
        ({"minutes": 5, "source": "nobody"}, "source"),
        ({"minutes": 5, "place": "f/none"}, "place"),
        ({"minutes": 5}, "source"),
        ({"minutes": 5, "source": "plant", "place": path("12/1")}, "source"),
        ({"minutes": 5, "source": "plant", "by": "nobody"}, "by"),
    ],
)
@in_virtual_time
async def test_what_cannot_be_is_refused_by_name(what: dict[str, object], field: str) -> None:
    """Longer than two hours, an unknown source, place or person, neither or both."""
    async with Shift() as shift:
        usual: dict[str, object] = {"by": "anna", "heard": False}
        with pytest.raises(TrialRefused) as refused:
            Desk(shift).trials.begin_test(**(usual | what))  # type: ignore[arg-type]
        assert refused.value.field == field


@in_virtual_time
async def test_two_hours_are_allowed() -> None:
    """The other side of the limit."""
    async with Shift() as shift:
        test = Desk(shift).trials.begin_test(by="anna", minutes=120, heard=False, source="plant")
        assert test.until_at - test.from_at == LONGEST_S * 1000


@in_virtual_time
async def test_under_maintenance_silence_is_announced_and_its_end_is_a_drill() -> None:
    """No alarm for the lost link meanwhile; one if it is not back at the end."""
    async with Shift() as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=1)
        assert desk.shown == 1
        unit = next(iter(shift.engine.world().site.units))
        await shift.engine.link("plant", up=False)
        await shift.settled()
        assert shift.open_of("technical") == []
        desk.up = False
        await passes(59.0)
        await desk.trials.look()
        assert desk.trials.announced("plant")
        await passes(1.0)
        await desk.trials.look()
        await shift.settled()
        assert not desk.trials.announced("plant")
        assert [alarm.key.split(":")[0] for alarm in shift.open_of("drill")]
        assert any(alarm.key.startswith("link:plant") for alarm in shift.open_of("technical"))
        assert desk.trials.banners(unit) == ()


@in_virtual_time
async def test_a_source_that_is_back_ends_its_maintenance_without_an_alarm() -> None:
    """The drill tells whether its phones are reached."""
    async with Shift() as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=60)
        await desk.trials.end_maintenance("plant")
        await shift.settled()
        assert shift.open_of("drill") and not shift.open_of("technical")
        with pytest.raises(TrialRefused):
            await desk.trials.end_maintenance("plant")


@in_virtual_time
async def test_a_window_announced_ahead_begins_at_its_time() -> None:
    """Until then silence is an alarm as ever."""
    async with Shift() as shift:
        desk = Desk(shift)
        begins = shift.clock.now() + 60_000
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=30, from_at=begins)
        assert not desk.trials.announced("plant")
        await passes(60.0)
        assert desk.trials.announced("plant")
        with pytest.raises(TrialRefused):
            desk.trials.begin_maintenance(source="plant", by="anna", minutes=5, from_at=begins - 3_600_000)


@in_virtual_time
async def test_a_walk_rings_only_who_walks_and_unticked_points_say_so_afterwards() -> None:
    """Pressed, ticked, ended: the ticked one rings as ever, the other with a word about it."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        before = await shift.press("14/1", key="before")
        assert Flag.PLACE_NOT_VERIFIED not in before.flags
        trials.begin_walk(source="plant", by="anna", minutes=30)
        one = await shift.press("12/1", key="a")
        two = await shift.press("13/1", key="b")
        assert {one.kind, two.kind} == {"drill"}
        assert shift.told(one) | shift.told(two) == {"anna"}
        with pytest.raises(TrialRefused):
            trials.tick(source="plant", place=path("14/1"))
        trials.tick(source="plant", place=path("12/1"))
        assert path("12/1") not in trials.unticked("plant")
        assert path("13/1") in trials.unticked("plant")
        await trials.end_walk("plant")
        ticked = await shift.press("12/1", key="c")
        unticked = await shift.press("13/1", key="d")
        assert (ticked.kind, unticked.kind) == ("patient_call", "patient_call")
        assert Flag.PLACE_NOT_VERIFIED not in ticked.flags
        assert Flag.PLACE_NOT_VERIFIED in unticked.flags


@in_virtual_time
async def test_an_emergency_pressed_in_a_walk_rings_for_real() -> None:
    """Whoever walks has told the ward before; nobody hides an emergency."""
    async with Shift() as shift:
        Desk(shift).trials.begin_walk(source="plant", by="anna", minutes=30)
        assert (await shift.press("12/1", "emergency", key="a")).kind == "emergency"


@in_virtual_time
async def test_trials_survive_a_restart() -> None:
    """They are facts in the database; what is over by then is not taken up."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_test(by="anna", minutes=5, heard=False, place=path("12/1"))
        trials.begin_maintenance(source="plant", by="anna", minutes=5)
        trials.begin_walk(source="plant", by="anna", minutes=5)
        await shift.press("13/1", key="p")
        trials.tick(source="plant", place=path("13/1"))
        await shift.settled()
        await passes(0)
        await shift.settled()
        again = Desk(shift).trials
        again.take(shift.tables.facts.values())
        assert again.tests == trials.tests
        assert again.maintenances == trials.maintenances
        assert again.walks == trials.walks
        assert again.verified == trials.verified


@in_virtual_time
async def test_a_drill_that_became_an_emergency_is_ended_by_no_other_alarm() -> None:
    """A real alarm interrupts trials; this is none any more."""
    async with Shift() as shift:
        Desk(shift).trials.begin_test(by="anna", minutes=60, heard=True, source="plant")
        drill = await shift.press("12/1", key="a")
        worse = await shift.press("12/1", "emergency", key="a")
        assert (worse.id, worse.kind) == (drill.id, "emergency")
        await shift.settled()
        await shift.press("14/1", "emergency", key="b")
        await shift.settled()
        assert shift.alarm(worse).kind == "emergency"


@pytest.mark.parametrize("kind", ["patient_call", None])
@in_virtual_time
async def test_a_drill_pressed_again_is_a_drill_until_the_test_ends_and_then_a_call(kind: str | None) -> None:
    """Plants repeat what is not answered; and a patient presses again."""
    async with Shift() as shift:
        Desk(shift).trials.begin_test(by="anna", minutes=1, heard=False, source="plant")
        drill = await shift.press("12/1", kind, key="a")
        assert (await shift.press("12/1", kind, key="a")).kind == "drill"
        await passes(60.0)
        call = await shift.press("12/1", kind, key="a")
        assert (call.id, call.kind) == (drill.id, "patient_call")
        assert shift.told(call)


@in_virtual_time
async def test_an_open_alarm_without_a_key_of_its_own_stays_what_it_is_too() -> None:
    """What its repeat says worse rings, in test mode as ever."""
    async with Shift() as shift:
        plant = shift.site.sources["plant"]
        by_text = replace(plant, key="text")
        await shift.publish(replace(shift.site, version=2, sources={"plant": by_text}))
        await passes(2.0)
        call = await shift.press("12/1", source_text="SAL 12 PL 1")
        Desk(shift).trials.begin_test(by="anna", minutes=60, heard=False, source="plant")
        worse = await shift.press("12/1", "assistance", source_text="SAL 12 PL 1")
        assert (worse.id, worse.kind) == (call.id, "assistance")


@in_virtual_time
async def test_a_second_test_of_the_same_is_refused_while_one_lasts() -> None:
    """Two hours are two hours: whoever wants more ends one and begins another."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_test(by="anna", minutes=1, heard=False, source="plant")
        with pytest.raises(TrialRefused):
            trials.begin_test(by="anna", minutes=120, heard=False, source="plant")
        trials.begin_test(by="anna", minutes=1, heard=False, place=path("12/1"))
        await passes(60.0)
        trials.begin_test(by="anna", minutes=1, heard=False, source="plant")


@in_virtual_time
async def test_maintenance_under_way_is_not_replaced_by_another_window() -> None:
    """The lost source would never be told of."""
    async with Shift() as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=5)
        await shift.engine.link("plant", up=False)
        desk.up = False
        tomorrow = shift.clock.now() + 86_400_000
        for begins in (tomorrow, None):
            with pytest.raises(TrialRefused):
                desk.trials.begin_maintenance(source="plant", by="anna", minutes=120, from_at=begins)
        await passes(300.0)
        await desk.trials.look()
        await shift.settled()
        assert any(alarm.key.startswith("link:plant") for alarm in shift.open_of("technical"))
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=5, from_at=tomorrow)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=9, from_at=tomorrow)


@in_virtual_time
async def test_a_walk_of_somebody_who_cannot_hear_it_rings_the_ward() -> None:
    """Else a patient who presses meanwhile would reach nobody at all; the point is ticked all the same."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_walk(source="plant", by="anna", minutes=30)
        shift.phone("anna", Reach.NONE)
        one = await shift.press("12/1", key="a")
        assert one.kind == "patient_call" and shift.told(one)
        trials.tick(source="plant", place=path("12/1"))
        shift.phone("anna", Reach.LIVE)
        assert (await shift.press("13/1", key="b")).kind == "drill"
        await shift.engine.availability(staff="anna", device="anna-phone", req="r", state="break")
        assert (await shift.press("14/1", key="c")).kind == "patient_call"


@in_virtual_time
async def test_a_test_that_was_ended_is_taken_up_by_no_restart() -> None:
    """Once its end is answered the database knows; without it, it has ended all the same."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        test = trials.begin_test(by="anna", minutes=120, heard=False, source="plant")
        await shift.settled()
        assert [fact.key for fact in shift.tables.facts.values() if fact.scope == "test"] == [test.id]
        await trials.end_test(test.id)
        await shift.crash()
        assert [fact for fact in shift.tables.facts.values() if fact.scope == "test"] == []


@in_virtual_time
async def test_neither_is_a_window_that_was_ended() -> None:
    """Else the next silence of the source would be announced for as long as it was to last."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_maintenance(source="plant", by="anna", minutes=120)
        await shift.settled()
        await trials.end_maintenance("plant")
        await shift.crash()
        assert [fact for fact in shift.tables.facts.values() if fact.scope == "maintenance"] == []


@in_virtual_time
async def test_a_test_ended_while_the_database_is_away_has_ended_all_the_same() -> None:
    """Who ended it hears that it is not stored yet; it is, as soon as it can be."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        test = trials.begin_test(by="anna", minutes=120, heard=False, source="plant")
        await shift.settled()
        shift.store.away = True
        with pytest.raises(NotStored):
            await trials.end_test(test.id)
        assert trials.tests == {}
        shift.store.away = False
        await shift.settled()
        assert [fact for fact in shift.tables.facts.values() if fact.scope == "test"] == []


@in_virtual_time
async def test_who_comes_on_duty_is_shown_the_banner() -> None:
    """A standing banner for the units, whoever works there by then."""
    async with Shift() as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=60)
        await desk.trials.look()
        shown = desk.shown
        await desk.trials.look()
        assert desk.shown == shown
        await shift.engine.availability(staff="anna", device="anna-phone", req="r", state="break")
        await desk.trials.look()
        assert desk.shown == shown + 1


@in_virtual_time
async def test_a_button_that_is_stuck_in_a_walk_is_written_once() -> None:
    """Not with each of its repeats, for two hours."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        trials.begin_walk(source="plant", by="anna", minutes=30)
        await shift.press("12/1", key="a")
        first = trials.walks["plant"]
        await passes(1.0)
        await shift.press("12/1", key="a")
        assert trials.walks["plant"] is first
        await shift.press("13/1", key="b")
        assert set(trials.walks["plant"].pressed) == {path("12/1"), path("13/1")}


@in_virtual_time
async def test_a_silent_drill_that_became_worse_rings() -> None:
    """Nothing of the silence is left."""
    async with Shift() as shift:
        Desk(shift).trials.begin_test(by="anna", minutes=60, heard=False, source="plant")
        drill = await shift.press("12/1", key="a")
        assert not any(rings(drill, staff) for staff in shift.told(drill))
        worse = await shift.signal("12/1", "emergency", key="a", event="update")
        alarm = shift.alarm(worse.alarm or "")
        assert shift.told(alarm) and all(rings(alarm, staff) for staff in shift.told(alarm))


@in_virtual_time
async def test_calls_that_are_open_when_an_announced_silence_begins_are_marked() -> None:
    """Their resets cannot be heard of now, whoever knows why; they ring on."""
    async with Shift() as shift:
        desk = Desk(shift)
        call = await shift.press("12/1", key="a")
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=60)
        await shift.engine.link("plant", up=False)
        await shift.settled()
        assert Flag.UNCONFIRMED in shift.alarm(call).flags
        assert shift.open_of("technical") == []


@in_virtual_time
async def test_the_silence_of_another_source_is_an_alarm_as_ever() -> None:
    """A window is of one source."""
    ward = Ward()
    plant = ward.site.sources["plant"]
    ward.change_site(sources={"plant": plant, "espa": replace(plant, id="espa")})
    async with Shift(ward.site) as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=60)
        await shift.engine.link("espa", up=False)
        await shift.settled()
        assert any(alarm.key.startswith("link:espa") for alarm in shift.open_of("technical"))


@in_virtual_time
async def test_a_window_that_ended_while_the_hub_was_down_ends_with_its_drill_and_alarm() -> None:
    """The next hub finds it over."""
    async with Shift() as shift:
        desk = Desk(shift)
        desk.trials.begin_maintenance(source="plant", by="anna", minutes=1)
        await shift.settled()
        await shift.crash()
        await passes(120.0)
        await shift.begin()
        again = Desk(shift)
        again.up = False
        again.trials.take(shift.tables.facts.values())
        await again.trials.look()
        await shift.settled()
        assert shift.open_of("drill")
        assert any(alarm.key.startswith("link:plant") for alarm in shift.open_of("technical"))
        assert [fact for fact in shift.tables.facts.values() if fact.scope == "maintenance"] == []


@in_virtual_time
async def test_a_place_may_leave_the_site_out() -> None:
    """As with `press`; the test and the tick mean the same point as its whole path, and a refusal says what
    there is."""
    async with Shift() as shift:
        trials = Desk(shift).trials
        short = path("12/1").partition("/")[2]
        test = trials.begin_test(by="anna", minutes=1, heard=True, place=short)
        assert test.place == path("12/1")
        assert (await shift.press("12/1", key="a")).kind == "drill"
        with pytest.raises(TrialRefused) as refused:
            trials.begin_test(by="anna", minutes=1, heard=True, place="nowhere/9")
        assert '"nowhere/9"' in refused.value.why
        trials.begin_walk(source="plant", by="anna", minutes=5)
        await shift.press("12/1", key="b")
        assert path("12/1") in trials.tick(source="plant", place=short).points
        with pytest.raises(TrialRefused) as refused:
            trials.tick(source="plant", place="nowhere/9")
        assert path("12/1") in refused.value.why
