"""Shift start, break and shift end on the engine: stored, seen by open alarms, no alarm without somebody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alarmhub.core.alarm import Alarm
from alarmhub.core.reach import Reach
from alarmhub.core.roster import roster_at
from alarmhub.core.shifts import OVERLAP_MS, Available, HandOff, Heard, SignOff, SignOn, Word
from alarmhub.core.site import Duty
from alarmhub.ports import AnswerOutcome
from tests.engine.test_watch import hours, with_duties
from tests.support.shift import Shift
from tests.support.virtual import in_virtual_time
from tests.support.ward import Ward

BED_12_1, BED_13_1 = "f/201/12/1", "f/201/13/1"


async def says(shift: Shift, staff: str, said: Word, **more: Any) -> AnswerOutcome:
    """A person's word, and what follows from it in the same second."""
    outcome = await shift.engine.duty(staff=staff, said=said, **more)
    await shift.settled()
    return outcome


def units(shift: Shift, staff: str) -> list[str]:
    """Where this person is on duty now."""
    return [entry.unit for entry in shift.engine.world().roster.by_staff.get(staff, ())]


def open_alarm(shift: Shift, alarm: Alarm) -> Alarm:
    """As committed."""
    found = shift.engine.open_alarm(alarm.id)
    assert found is not None
    return found


def takers(shift: Shift, alarm: Alarm) -> list[str]:
    """Who has it."""
    return [a.staff for a in open_alarm(shift, alarm).acceptances]


# -- on


@in_virtual_time
async def test_who_signs_on_with_a_bed_is_rung_by_it_from_that_instant() -> None:
    """An open call too: the roster changed for it."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        assert shift.told(call) == {"anna", "bo"}
        assert (await says(shift, "stig", SignOn("201", (BED_12_1,), ("usk",)))).ok
        assert units(shift, "stig") == ["201"] and shift.told(call) == {"anna", "bo", "stig"}
        shift.check()


@in_virtual_time
async def test_a_restart_knows_who_signed_on_and_off_and_who_stands_in() -> None:
    """It is in the database, as every word that was answered."""
    async with Shift() as shift:
        await says(shift, "stig", SignOn("201", (BED_12_1,)))
        await says(shift, "anna", SignOff())
        await says(shift, "olle", Available("break", "eva"))
        before = shift.engine.world().roster
        await shift.crash()
        await shift.begin()
        assert shift.engine.world().roster.hash == before.hash
        assert units(shift, "stig") == ["201"] and units(shift, "anna") == []
        assert units(shift, "eva") == ["202", "205"]
        state = shift.engine.state
        again = roster_at(shift.site, shift.clock.now(), state.availability, state.shifts, state.substitutes)
        assert again == before


@in_virtual_time
async def test_the_roster_a_shift_made_is_stored_by_its_hash_with_the_decision() -> None:
    """So that last month's decision can be replayed."""
    async with Shift() as shift:
        await says(shift, "stig", SignOn("201", (BED_12_1,)))
        await shift.press("12/1")
        roster = shift.engine.world().roster.hash
        assert b'"stig"' in shift.tables.rosters[roster]


@in_virtual_time
async def test_signing_on_forgets_yesterdays_break() -> None:
    """A new shift begins available."""
    async with Shift() as shift:
        await says(shift, "bo", Available("break"))
        await says(shift, "bo", SignOn("201", (BED_13_1,)))
        (entry,) = shift.engine.world().roster.by_staff["bo"]
        assert (entry.availability, entry.beds) == ("available", (BED_13_1,))


@pytest.mark.parametrize("crash", [False, True])
@in_virtual_time
async def test_a_break_ends_with_the_duty_it_was_taken_in(crash: bool) -> None:
    """She went home without a word, and nobody stands in for her next duty either; a hub that was away then
    learns it at its start."""
    day = Duty("olle", "205", ("usk",), hours("07:00", "10:01"), ("f/205/12",))
    next_one = Duty("olle", "205", ("usk",), hours("10:04", "15:00"), ("f/205/12",))
    async with Shift(with_duties(day, next_one, instead_of=("olle",))) as shift:
        await says(shift, "olle", Available("break", "eva"))
        if crash:
            await shift.crash()
            await shift.later(70)
            await shift.begin()
        await shift.later(70)
        assert units(shift, "olle") == [] and not shift.engine.shown_to("eva")
        assert shift.engine.state.availability == {"olle": "available"}
        assert shift.engine.state.substitutes == {}
        await shift.later(180)
        assert [d.availability for d in shift.engine.world().roster.by_staff["olle"]] == ["available"]


@pytest.mark.parametrize(
    "said", [SignOn("999"), SignOn("201", ("f/201/99/1",)), SignOn("201", (), ("surgeon",))]
)
@in_virtual_time
async def test_what_the_site_does_not_have_is_refused_and_nothing_is_stored(said: SignOn) -> None:
    """Unit, bed, role."""
    async with Shift() as shift:
        outcome = await says(shift, "stig", said)
        assert (outcome.ok, outcome.error) == (False, "not_in_site")
        assert units(shift, "stig") == [] and not shift.engine.state.shifts


@in_virtual_time
async def test_the_same_word_again_gets_the_same_answer_and_counts_once() -> None:
    """A phone that repeats its request, also after a restart."""
    async with Shift() as shift:
        first = await says(shift, "anna", SignOff(), device="p", req="r1")
        await says(shift, "anna", SignOn("201"), device="p", req="r2")
        await shift.crash()
        await shift.begin()
        assert await says(shift, "anna", SignOff(), device="p", req="r1") == first
        assert units(shift, "anna") == ["201"]


@in_virtual_time
async def test_a_phone_is_heard_within_a_shift_and_the_shift_remembers_it() -> None:
    """Not before signing on; still after claiming another bed; anew in another unit."""
    async with Shift() as shift:
        assert (await says(shift, "stig", Heard())).error == "not_signed_on"
        await says(shift, "stig", SignOn("201"))
        assert (await says(shift, "stig", Heard())).ok
        await says(shift, "stig", SignOn("201", (BED_12_1,)))
        assert shift.engine.state.shifts["stig"].heard_at is not None
        await says(shift, "stig", SignOn("202"))
        assert shift.engine.state.shifts["stig"].heard_at is None


# -- off


@in_virtual_time
async def test_who_goes_with_nothing_in_hand_is_off_at_once() -> None:
    """And rings no more."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        assert (await says(shift, "anna", SignOff())).ok
        assert units(shift, "anna") == [] and shift.told(call) == {"bo"}
        shift.check()


@in_virtual_time
async def test_who_has_taken_an_alarm_must_name_a_receiver_first() -> None:
    """Refused with the alarm and who could: on duty, available, within reach. Nothing has changed."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)
        await says(shift, "dan", Available("busy"))
        shift.phone("bo", Reach.NONE)
        outcome = await says(shift, "anna", SignOff())
        assert (outcome.ok, outcome.error, outcome.alarms) == (False, "receiver_needed", (call.id,))
        assert outcome.candidates == ("cia", "eva", "finn")
        assert units(shift, "anna") == ["201"] and takers(shift, call) == ["anna"]
        shift.check()


@in_virtual_time
async def test_with_a_receiver_it_is_hers_in_the_same_commit_and_her_phone_rings() -> None:
    """There is no instant at which nobody has it, and nobody else is woken."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)
        assert (await says(shift, "anna", SignOff({call.id: "cia"}))).ok
        assert units(shift, "anna") == [] and takers(shift, call) == ["cia"]
        assert shift.told(call) == {"cia"}
        moved = [
            batch
            for batch in shift.store.batches
            if {row.scope for row in batch.facts} >= {"shift"} and batch.events[0].type == "handed_over"
        ]
        assert len(moved) == 1
        told = open_alarm(shift, call).told[0]
        assert told.rang_at is not None, "her phone rang"
        await shift.says("cia", "accept", call)
        await shift.later(100)
        assert takers(shift, call) == ["cia"]
        shift.check()


@in_virtual_time
async def test_a_receiver_whose_phone_is_silent_gives_it_back_and_it_rings() -> None:
    """Ten seconds later the care team that is left has it again."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)
        shift.screens.muted.add("cia")
        await says(shift, "anna", SignOff({call.id: "cia"}))
        await shift.later(9.9)
        assert takers(shift, call) == ["cia"]
        await shift.later(0.2)
        assert takers(shift, call) == [] and "bo" in shift.told(call)
        shift.check()


@in_virtual_time
async def test_of_two_alarms_both_find_a_receiver_or_neither_moves() -> None:
    """The second receiver is off duty: the first alarm stays where it was, in memory and in the database."""
    async with Shift() as shift:
        calls = [await shift.press(bed) for bed in ("12/1", "13/1")]
        for call in calls:
            await shift.says("anna", "accept", call)
        outcome = await says(shift, "anna", SignOff({calls[0].id: "cia", calls[1].id: "stig"}))
        assert outcome.error == "receiver_needed" and set(outcome.alarms) == {c.id for c in calls}
        assert [takers(shift, call) for call in calls] == [["anna"], ["anna"]]
        assert (await says(shift, "anna", SignOff({calls[0].id: "cia", calls[1].id: "dan"}))).ok
        assert [takers(shift, call) for call in calls] == [["cia"], ["dan"]]
        shift.check()


@in_virtual_time
async def test_whose_phone_goes_to_somebody_else_hands_over_and_stays_on_duty() -> None:
    """She takes another phone from the drawer."""
    async with Shift() as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)
        assert (await says(shift, "anna", HandOff())).error == "receiver_needed"
        assert (await says(shift, "anna", HandOff({call.id: "bo"}))).ok
        assert units(shift, "anna") == ["201"] and takers(shift, call) == ["bo"]


@in_virtual_time
async def test_a_shift_that_ends_by_itself_with_an_alarm_in_hand_gives_it_back_and_it_rings() -> None:
    """Half an hour after the duty, at its very instant, never silently."""
    day = Duty("anna", "201", ("ssk",), hours("07:00", "10:01"), ("f/201/12",))
    async with Shift(with_duties(day, instead_of=("anna",))) as shift:
        await says(shift, "anna", SignOn("201", (BED_12_1,)))
        ends = shift.engine.state.shifts["anna"].until
        await shift.later((ends - shift.clock.now()) / 1000 - 100)
        call = await shift.press("12/1")
        await shift.says("anna", "accept", call)
        await shift.later((ends - shift.clock.now()) / 1000 - 0.05)
        assert takers(shift, call) == ["anna"] and ends == day_end(shift) + OVERLAP_MS
        await shift.later(0.1)
        assert takers(shift, call) == [] and "bo" in shift.told(call) and units(shift, "anna") == []
        shift.check()


def day_end(shift: Shift) -> int:
    """10:01 of the shift's day, which begins at ten."""
    began = shift.engine.state.shifts["anna"].at
    return began - began % 60_000 + 60_000


# -- breaks


@in_virtual_time
async def test_the_last_one_of_a_unit_has_no_break_without_a_substitute() -> None:
    """Olle is alone on 205; 202 covers it. Nothing is stored, and he is told who could."""
    async with Shift() as shift:
        for said in (Available("break"), Available("break", "anna"), Available("busy", "olle")):
            outcome = await says(shift, "olle", said)
            assert (outcome.ok, outcome.error, outcome.candidates) == (False, "last_one", ("eva", "finn"))
        assert shift.engine.state.availability == {}


@in_virtual_time
async def test_a_substitute_is_told_and_answers_for_the_unit_until_the_break_is_over() -> None:
    """Her phone rings with a word about it; she taps it away. A call of 205 rings her first."""
    async with Shift() as shift:
        assert (await says(shift, "olle", Available("break", "eva"))).ok
        (notice,) = shift.engine.shown_to("eva")
        assert (notice.kind, notice.unit, shift.told(notice)) == ("request", "205", {"eva"})
        assert notice.text == "Eva svarar för Avd 205 medan Olle är borta"
        await shift.says("eva", "accept", notice)
        assert shift.engine.open_alarm(notice.id) is None
        call = await shift.press("205:12/1")
        assert shift.told(call) == {"eva"}
        assert (await says(shift, "olle", Available("available"))).ok
        assert shift.told(call) == {"olle", "eva"}, "she is at work, and knows of it"
        second = await shift.press("205:13/1")
        assert shift.told(second) == {"olle"}
        shift.check()


@in_virtual_time
async def test_the_word_to_the_substitute_is_gone_when_the_break_is_over_before_it_was_read() -> None:
    """It would be false by then."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        (notice,) = shift.engine.shown_to("eva")
        await says(shift, "olle", Available("available"))
        assert shift.engine.open_alarm(notice.id) is None


@in_virtual_time
async def test_a_substitute_who_is_gone_herself_lets_the_calls_ring_the_one_on_break() -> None:
    """A break hides nothing from the last of a unit who could come."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        await says(shift, "eva", SignOff())
        call = await shift.press("205:12/1")
        assert "olle" in shift.told(call)


@in_virtual_time
async def test_a_substitute_whose_phone_is_lost_lets_the_calls_ring_the_one_on_break() -> None:
    """Who answers for a unit and cannot be rung answers for nobody."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        shift.phone("eva", Reach.NONE)
        call = await shift.press("205:12/1")
        assert "olle" in shift.told(call)


@in_virtual_time
async def test_a_substitute_who_says_no_answers_for_nobody() -> None:
    """The calls ring the one on a break, after a restart too, until somebody else says yes."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        (notice,) = shift.engine.shown_to("eva")
        await shift.says("eva", "decline", notice)
        await shift.settled()
        assert shift.engine.state.substitutes == {} and units(shift, "eva") == ["202"]
        call = await shift.press("205:12/1")
        assert "olle" in shift.told(call) and "eva" not in shift.told(call)
        await shift.crash()
        await shift.begin()
        assert shift.engine.state.substitutes == {} and units(shift, "eva") == ["202"]


@in_virtual_time
async def test_whoever_says_yes_in_her_stead_is_the_substitute() -> None:
    """The word was passed on to the covering ward; who takes it answers for the unit."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        (notice,) = shift.engine.shown_to("eva")
        await shift.says("eva", "decline", notice)
        await shift.says("finn", "accept", notice)
        await shift.settled()
        assert shift.engine.open_alarm(notice.id) is None
        assert shift.engine.state.substitutes == {"olle": "finn"} and units(shift, "finn") == ["202", "205"]
        call = await shift.press("205:12/1")
        assert shift.told(call) == {"finn"}


@in_virtual_time
async def test_a_desk_that_takes_the_word_to_have_peace_answers_for_no_ward() -> None:
    """It came to the bed coordinator as the last resort: calls ring the one on a break."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        (notice,) = shift.engine.shown_to("eva")
        await shift.says("eva", "decline", notice)
        await shift.later(1000)
        assert "gun" in shift.told(notice)
        await shift.says("gun", "accept", notice)
        await shift.settled()
        assert shift.engine.state.substitutes == {} and units(shift, "gun") == ["desk"]
        call = await shift.press("205:12/1")
        assert "olle" in shift.told(call) and "gun" not in shift.told(call)


@in_virtual_time
async def test_a_substitute_is_the_last_one_herself_while_the_break_lasts() -> None:
    """She cannot leave too without naming somebody."""
    async with Shift() as shift:
        await says(shift, "olle", Available("break", "eva"))
        outcome = await says(shift, "eva", Available("break"))
        assert outcome.error == "last_one" and "finn" in outcome.candidates


@in_virtual_time
async def test_whoever_is_not_the_last_needs_no_substitute_and_disturbs_nobody() -> None:
    """One of four: the named one is left in peace."""
    async with Shift() as shift:
        assert (await says(shift, "bo", Available("break", "eva"))).ok
        assert shift.engine.state.substitutes == {} and not shift.engine.shown_to("eva")


@in_virtual_time
async def test_the_others_phones_count_for_being_the_last_one() -> None:
    """Three colleagues on duty, none of whom can be rung: she is the last one."""
    async with Shift() as shift:
        for staff in ("bo", "cia", "dan"):
            shift.phone(staff, Reach.NONE)
        outcome = await says(shift, "anna", Available("break"))
        assert (outcome.error, outcome.candidates) == ("last_one", ("eva", "finn"))


@in_virtual_time
async def test_two_who_leave_in_the_same_instant_are_not_both_let_go() -> None:
    """The second is told that she is the last one, though both said it within one batch."""
    async with Shift() as shift:
        first = shift.engine.duty(staff="eva", said=Available("break"))
        second = shift.engine.duty(staff="finn", said=Available("break"))
        outcomes = await asyncio.gather(first, second)
        assert sorted(o.error for o in outcomes) == ["", "last_one"]
        assert len([b for b in shift.store.batches if b.facts]) == 1


def test_the_wards_people_are_as_these_conversations_take_them() -> None:
    """Olle is alone on 205, and 202 covers it."""
    ward = Ward()
    assert [d.staff for d in ward.world.roster.by_unit["205"]] == ["olle"]
