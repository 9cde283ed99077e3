"""From a committed decision to the providers: at once, in parallel, again in time, and not for nothing."""

from __future__ import annotations

from alarmhub.core.reach import Reach
from alarmhub.push.courier import AT_ONCE_PER_TARGET
from alarmhub.push.transport import WITHIN_S, Outcome, Sent
from tests.support.pushing import DEAD, LOST, TAKEN, PushShift, later
from tests.support.shift import COMMIT_S
from tests.support.virtual import in_virtual_time, passes, until


@in_virtual_time
async def test_a_sleeping_phone_is_woken_with_the_commit() -> None:
    """Opaque id, rev and priority, the moment the decision is stored; her receipt ends the hop."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        alarm = await shift.press("12/1")
        await passes(0.001)
        ((target, note),) = shift.web.sent
        assert (target.address, note.alarm, note.rev) == ("webpush:anna-phone", alarm.id, alarm.rev)
        assert (note.priority, note.drill, 1 <= note.ttl_s <= 60) == ("low", False, True)
        shift.rings("anna", alarm.id)
        await passes(44)
        assert shift.alarm(alarm).turn == alarm.turn, "she rang: the step waits for her answer"
        assert shift.web.to == ["webpush:anna-phone"]


@in_virtual_time
async def test_the_row_is_forgotten_once_a_provider_took_it() -> None:
    """Together with others, a moment later; nothing claims it before."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        await shift.press("12/1")
        (row,) = (row for row in shift.tables.outbox.values() if row.channel == "push")
        await passes(0.05)
        assert shift.tables.outbox[row.id].attempt == row.attempt == 1 and shift.web.sent
        await until(lambda: not shift.tables.outbox, "it is settled", within_s=0.5)
        assert shift.web.to == ["webpush:anna-phone"]


@in_virtual_time
async def test_a_crash_between_commit_and_provider_costs_no_push() -> None:
    """Stored, and the process gone before anybody was asked: the next one pushes."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        shift.web.takes_s = 10
        alarm = await shift.press("12/1")
        await shift.crash()
        shift.web.sent.clear()
        shift.web.takes_s = 0
        await shift.begin()
        await until(lambda: shift.web.sent, "it is pushed by the next hub", within_s=1)
        assert {note.alarm for _, note in shift.web.sent} == {alarm.id}
        await until(lambda: not shift.tables.outbox, "and settled", within_s=1)


@in_virtual_time
async def test_every_phone_she_carries_is_pushed_to_side_by_side() -> None:
    """Two phones, one of them by two ways: a provider that takes its time holds up none of the others."""
    shift = PushShift()
    shift.alone("anna")
    shift.enrol("anna", device="tablet", transport="apns")
    shift.enrol("anna", transport="apns")
    async with shift:
        shift.web.silent.add("webpush:anna-phone")
        await shift.press("12/1")
        await passes(0.001)
        assert sorted(shift.apns.to) == ["apns:anna-phone", "apns:tablet"]
        assert shift.web.to == ["webpush:anna-phone"]


@in_virtual_time
async def test_the_first_receipt_wins() -> None:
    """One way rang; the other, which answered nothing, is not tried again."""
    shift = PushShift()
    shift.alone("anna")
    shift.enrol("anna", transport="apns")
    async with shift:
        shift.web.silent.add("webpush:anna-phone")
        alarm = await shift.press("12/1")
        await passes(0.5)
        shift.rings("anna", alarm.id, via="apns")
        await passes(8)
        assert shift.web.to == ["webpush:anna-phone"] and shift.apns.to == ["apns:anna-phone"]
        assert not shift.tables.outbox


@in_virtual_time
async def test_no_answer_is_tried_again_while_nobody_rang() -> None:
    """A push may be lost on its way: again after a second, then more slowly, until its time is over."""
    shift = PushShift()
    shift.alone("anna", "bo")
    async with shift:
        shift.web.silent.add("webpush:anna-phone")
        await shift.press("12/1")
        await passes(2 * WITHIN_S + 2)
        assert shift.web.to.count("webpush:anna-phone") == 2
        assert shift.web.to.count("webpush:bo-phone") == 1


@in_virtual_time
async def test_what_a_provider_asks_to_wait_is_waited() -> None:
    """Retry-After 7 s: nothing goes to this address before, for another alarm neither; then both go."""
    shift = PushShift()
    shift.alone("anna")
    shift.enrol("bo")
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(7)]
        await shift.press("12/1")
        await passes(2)
        await shift.press("12/2")
        await passes(4.9)
        assert shift.web.to.count("webpush:anna-phone") == 1
        assert "webpush:bo-phone" in shift.web.to, "another address does not wait"
        await passes(0.2)
        assert shift.web.to.count("webpush:anna-phone") == 3


@in_virtual_time
async def test_what_would_come_too_late_is_given_up_at_once() -> None:
    """Retry-After beyond the push's time: it is not kept for a minute only to be thrown away."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(61)]
        await shift.press("12/1")
        await until(lambda: not shift.tables.outbox, "it is given up", within_s=1)
        assert shift.metrics.effects.labels("push", "given_up")._value.get() == 1


@in_virtual_time
async def test_an_alarm_that_is_over_is_not_pushed_any_more() -> None:
    """The room was reset while the provider asked us to wait."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(3)]
        await shift.press("12/1")
        await shift.reset("12/1", "patient_call")
        await passes(10)
        assert shift.web.to == ["webpush:anna-phone"]
        assert not shift.tables.outbox


@in_virtual_time
async def test_who_is_not_concerned_any_more_is_left_in_peace() -> None:
    """Bo takes it from another phone: hers is not woken for it."""
    shift = PushShift()
    shift.asleep("anna")
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(3)]
        alarm = await shift.press("12/1")
        await shift.says("bo", "accept", alarm)
        await passes(10)
        assert shift.web.to == ["webpush:anna-phone"]


@in_virtual_time
async def test_a_dead_address_is_forgotten_and_its_owner_told() -> None:
    """It is no longer counted on: with no other phone she cannot be reached, and the step passes on."""
    shift = PushShift()
    shift.asleep("anna", "bo")
    async with shift:
        died: list[tuple[str, str]] = []
        shift.book.on_dead.append(lambda device, transport: died.append((device, transport)))
        shift.web.script = {"webpush:anna-phone": [DEAD], "webpush:bo-phone": [DEAD]}
        alarm = await shift.press("12/1")
        await passes(0.1)
        assert died == [("anna-phone", "webpush"), ("bo-phone", "webpush")]
        assert shift.book.dead_on("anna-phone") == {"webpush"} and len(shift.book) == 0
        assert not shift.tables.push_targets
        assert shift.alarm(alarm).step == 1 and {"cia", "dan"} <= shift.told(alarm)


@in_virtual_time
async def test_what_is_our_own_fault_keeps_the_address() -> None:
    """Wrong credentials say nothing about the phone; trying again at once would not mend them."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        shift.web.answers["webpush:anna-phone"] = Sent(Outcome.REFUSED, "403 InvalidProviderToken")
        await shift.press("12/1")
        await passes(5)
        assert shift.web.to == ["webpush:anna-phone"] and len(shift.book) == 1
        assert shift.metrics.effects.labels("push", "given_up")._value.get() == 1


@in_virtual_time
async def test_a_newer_turn_is_pushed_at_once_and_the_older_one_ends() -> None:
    """She is rung again while the first push still waits for an answer: one push is tried again, not two."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        shift.web.silent.add("webpush:anna-phone")
        alarm = await shift.press("12/1")
        before = shift.alarm(alarm).turn
        await until(lambda: shift.alarm(alarm).turn > before + 1, "she is rung again", within_s=200)
        pushed = len(shift.web.sent)
        shift.rings("anna", alarm.id)
        await passes(30)
        assert len(shift.web.sent) <= pushed + 1


@in_virtual_time
async def test_a_silent_provider_delays_neither_commits_nor_others() -> None:
    """Twenty presses while nobody answers: each is stored in its usual time, bo is pushed to at once, and no
    address has more than its share in flight."""
    shift = PushShift()
    shift.alone("anna", "bo")
    async with shift:
        shift.web.silent.add("webpush:anna-phone")
        for number in range(20):
            began = shift.clock.now()
            alarm = await shift.press("12/1", key=f"k{number}", ref=f"k{number}")
            assert shift.clock.now() - began <= 2 * COMMIT_S * 1000
            await passes(0.001)
            bo = {note.alarm for target, note in shift.web.sent if target.device == "bo-phone"}
            assert alarm.id in bo
        assert shift.web.to.count("webpush:anna-phone") == AT_ONCE_PER_TARGET


@in_virtual_time
async def test_a_live_phone_is_pushed_to_beside_its_socket_where_seconds_count() -> None:
    """And its socket's receipt, a moment later, leaves the push as it is: it is out."""
    shift = PushShift()
    shift.enrol("anna")
    async with shift:
        await shift.press("12/1", "patient_call")
        await passes(1)
        assert shift.web.to == []
        await shift.press("13/1", "emergency")
        await passes(0.001)
        assert shift.web.to == ["webpush:anna-phone"]


@in_virtual_time
async def test_a_socket_lost_before_it_rang_is_made_up_for() -> None:
    """Frames went to a socket that was dead already: half a second later push follows."""
    shift = PushShift()
    shift.enrol("anna")
    async with shift:
        shift.screens.muted = {"anna", "bo"}
        alarm = await shift.press("12/1")
        shift.phone("anna", Reach.RECENT)
        await until(lambda: shift.web.sent, "it is pushed", within_s=0.1)
        assert shift.web.sent[0][1].rev == alarm.rev
        shift.phone("anna", Reach.LIVE)
        shift.phone("anna", Reach.RECENT)
        await passes(1)
        assert len(shift.web.sent) == 1


@in_virtual_time
async def test_a_drill_is_pushed_whatever_the_socket_has_reached() -> None:
    """Its result is wanted for each way."""
    shift = PushShift()
    shift.enrol("anna")
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(1), TAKEN]
        await shift.press("12/1", "drill", targets=("staff:anna",))
        await passes(2)
        assert [note.drill for _, note in shift.web.sent] == [True, True]


@in_virtual_time
async def test_each_way_is_counted_by_what_became_of_it() -> None:
    """Taken by one, lost by another."""
    shift = PushShift()
    shift.alone("anna")
    shift.enrol("anna", transport="apns")
    async with shift:
        tries: list[tuple[object, ...]] = []
        shift.courier.on_outcome.append(lambda *what: tries.append(what))
        shift.apns.script["apns:anna-phone"] = [LOST]
        alarm = await shift.press("12/1")
        await passes(0.001)
        assert sorted(tries) == [
            ("anna", "anna-phone", alarm.id, "apns", False),
            ("anna", "anna-phone", alarm.id, "webpush", True),
        ]
        count = shift.metrics.pushes
        assert count.labels("webpush", "taken")._value.get() == 1
        assert count.labels("apns", "lost")._value.get() == 1


@in_virtual_time
async def test_a_sleeping_ward_is_reachable_from_the_start_of_the_hub_on() -> None:
    """The hub was down, no phone has a socket yet: nobody is passed over, and everybody is pushed to."""
    shift = PushShift()
    shift.asleep("anna", "bo")
    async with shift:
        shift.web.takes_s = 100
        alarm = await shift.press("12/1")
        await shift.crash()
        shift.web.takes_s = 0
        shift.web.sent.clear()
        await shift.begin()
        await passes(1)
        assert shift.alarm(alarm).turn == alarm.turn
        assert sorted(set(shift.web.to)) == ["webpush:anna-phone", "webpush:bo-phone"]


@in_virtual_time
async def test_a_receipt_says_by_which_way_the_phone_learned_of_it() -> None:
    """Stored with the event, and told to who keeps account of the ways, second ones too."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        heard: list[tuple[str, ...]] = []
        shift.engine.on_receipt.append(
            lambda staff, device, alarm, via, event, at: heard.append((staff, device, via, event))
        )
        alarm = await shift.press("12/1")
        shift.rings("anna", alarm.id, via="webpush")
        shift.rings("anna", alarm.id, via="socket")
        await shift.settled()
        assert heard == [("anna", "anna-phone", "webpush", "rang"), ("anna", "anna-phone", "socket", "rang")]
        (rang,) = (e for e in shift.tables.events.values() if e.type == "rang")
        assert b'"via":"webpush"' in rang.body


@in_virtual_time
async def test_a_defect_in_one_way_costs_that_way_alone() -> None:
    """The other transport's push goes on, is waited for and tried again."""
    shift = PushShift()
    shift.alone("anna")
    shift.enrol("anna", transport="apns")

    async def broken(*_: object, **__: object) -> Sent:
        raise ZeroDivisionError("a defect")

    shift.apns.send = broken  # type: ignore[method-assign]
    async with shift:
        shift.web.script["webpush:anna-phone"] = [later(1), TAKEN]
        await shift.press("12/1")
        await passes(2)
        assert shift.web.to == ["webpush:anna-phone"] * 2
        await until(lambda: not shift.tables.outbox, "it is settled", within_s=1)
        assert shift.metrics.effects.labels("push", "sent")._value.get() == 1
        assert not shift.crew.fatal.done()


@in_virtual_time
async def test_what_a_provider_has_taken_once_is_remembered_with_the_address() -> None:
    """Once a day: a later refusal then says something about us, not about the phone."""
    shift = PushShift()
    shift.alone("anna")
    async with shift:
        await shift.press("12/1")
        await passes(0.1)
        assert [t.taken_at for t in shift.book.of("anna")] == [shift.clock.now() - 100]
        await passes(6)
        (stored,) = shift.tables.push_targets.values()
        first = stored.taken_at
        assert first is not None
        await shift.press("12/2")
        await passes(12)
        assert [t.taken_at for t in shift.tables.push_targets.values()] == [first]
