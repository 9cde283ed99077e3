"""Drills of a ward's phones: the whole way, each phone and way by itself, and never green by mistake."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from alarmhub.core.drilling import DrillRules, Outcome, State, Why
from alarmhub.core.reach import Reach
from alarmhub.core.site import Duty, Hours, Policy, PolicyRule, Step
from alarmhub.engine import notices
from alarmhub.engine.drills import DrillRefused
from tests.support.supervised import Supervised
from tests.support.virtual import in_virtual_time
from tests.support.ward import T0, Ward


@in_virtual_time
async def test_a_drill_reaches_every_phone_on_duty_and_is_over_when_all_have_confirmed() -> None:
    """Silently: nobody's phone rings, nothing is left, and the result is stored."""
    async with Supervised() as shift:
        row = await shift.drills.drill("201")
        assert (row.unit, row.cause, row.ended_at) == ("201", "asked", None)
        assert shift.told(shift.drill_alarm()) == {"anna", "bo", "cia", "dan"}
        await shift.drills.over(row.id)
        result = shift.result()
        assert (result.state, result.good, result.red, result.version) == (State.OK, 4, 0, "1")
        assert {(n.staff, n.channel, n.outcome) for n in result.lines} == {
            (staff, "socket", "rang") for staff in ("anna", "bo", "cia", "dan")
        }
        assert all(n.after_ms is not None and 0 <= n.after_ms < 100 for n in result.lines)
        await shift.later(1)
        assert shift.engine.open_alarms().__len__() == 0
        (stored,) = await shift.rows.drills("201", 10)
        assert stored.result["state"] == "ok" and stored.ended_at is not None


@in_virtual_time
async def test_one_answers_one_is_silent_one_is_gone() -> None:
    """Red within 30 s, not before; each with its reason."""
    async with Supervised() as shift:
        shift.mute = {"bo"}
        shift.lose("cia")
        await shift.drills.drill("201")
        await shift.later(29.9)
        assert shift.drills.running("201") and shift.drills.last("201") is None
        await shift.later(1)
        assert not shift.drills.running("201")
        lines = shift.lines()
        assert lines["anna", "socket"].outcome is Outcome.RANG
        assert (lines["bo", "socket"].outcome, lines["bo", "socket"].why) == ("failed", Why.NO_RECEIPT)
        assert (lines["cia", "socket"].outcome, lines["cia", "socket"].why) == ("failed", Why.NO_CONTACT)
        assert shift.result().state is State.FAILED
        assert {n.staff for n in shift.drills.red("201")} == {"bo", "cia"}
        assert shift.ended == [("201", "asked", "failed", 2)]


@in_virtual_time
async def test_each_way_to_a_phone_counts_by_itself() -> None:
    """The socket's receipt says nothing of the push, nor one push of another."""
    async with Supervised() as shift:
        shift.transports = {"anna-phone": ("webpush",), "bo-phone": ("fcm",), "cia-phone": ("apns",)}
        shift.lose("bo", "cia")
        await shift.drills.drill("201")
        alarm = shift.drill_alarm()
        shift.confirms("bo", alarm, "fcm")
        shift.drills.push_outcome("cia", "cia-phone", alarm, "apns", taken=False)
        await shift.later(31)
        lines = shift.lines()
        assert lines["anna", "socket"].outcome is Outcome.RANG
        assert (lines["anna", "webpush"].outcome, lines["anna", "webpush"].why) == ("failed", "no_receipt")
        assert lines["bo", "fcm"].outcome is Outcome.RANG
        assert (lines["cia", "apns"].outcome, lines["cia", "apns"].why) == ("failed", Why.NOT_TAKEN)
        assert ("bo", "socket") not in lines


@in_virtual_time
async def test_a_receipt_counts_although_the_provider_refused_or_the_phone_came_late() -> None:
    """The phone's word is the last; said twice it is one, and one from a new way is a line of its own."""
    async with Supervised() as shift:
        shift.transports = {"anna-phone": ("fcm",)}
        shift.mute = {"bo"}
        await shift.drills.drill("201")
        alarm = shift.drill_alarm()
        shift.drills.push_outcome("anna", "anna-phone", alarm, "fcm", taken=False)
        shift.drills.push_outcome("anna", "unheard-of", alarm, "fcm", taken=False)
        await shift.later(2)
        for _ in range(2):
            shift.confirms("anna", alarm, "fcm")
        shift.confirms("anna", alarm, "socket", "her-tablet")
        await shift.later(30)
        result = shift.result()
        assert shift.lines()["anna", "fcm"].outcome is Outcome.RANG
        assert [n.after_ms for n in result.lines if n.device == "her-tablet"] == [
            shift.lines()["anna", "fcm"].after_ms
        ]
        assert (result.good, result.red) == (5, 1)


@in_virtual_time
async def test_a_phone_that_no_push_reaches_is_silent_from_then_on() -> None:
    """It was called and did not answer: owner, leader and board hear of it, until it gives a sign."""
    async with Supervised() as shift:
        shift.transports = {"anna-phone": ("webpush",)}
        shift.engine.pushable("anna", ("anna-phone",))
        shift.lose("anna")
        await shift.drills.drill("201")
        await shift.later(32)
        assert shift.wrong() == {("anna", "silent")}
        await shift.drills.drill("201")
        shift.confirms("anna", shift.drill_alarm(), "webpush")
        await shift.later(32)
        assert shift.wrong() == set()


@in_virtual_time
async def test_pagers_and_texts_cannot_be_drilled_in_silence() -> None:
    """Nor is that red; somebody without anything is."""
    async with Supervised() as shift:
        shift.lose("gun")
        await shift.drills.drill("desk")
        await shift.later(31)
        lines = shift.lines("desk")
        assert (lines["rut", "pager"].outcome, lines["rut", "pager"].why) == ("cannot", Why.ONE_WAY)
        assert lines["gun", "socket"].why == Why.NO_CONTACT
    ward = Ward()
    ward.on_duty(Duty("zoe", "205", ("usk",), Hours()))
    ward.site = msgspec.structs.replace(
        ward.site,
        staff={
            **ward.site.staff,
            "olle": msgspec.structs.replace(ward.site.staff["olle"], sms="+46700000001"),
        },
    )
    shift = Supervised(ward.site)
    shift.reach = {}
    async with shift:
        await shift.drills.drill("205")
        await shift.later(1)
        assert shift.lines("205")["zoe", ""].why == Why.NO_PHONE


@in_virtual_time
async def test_who_is_on_a_break_is_drilled_too() -> None:
    """It disturbs nobody; a heard one leaves her in peace."""
    async with Supervised() as shift:
        await shift.engine.availability(staff="anna", device="anna-phone", req="", state="break")
        await shift.drills.drill("201")
        assert "anna" in shift.told(shift.drill_alarm())
        await shift.later(1)
        await shift.drills.drill("201", heard=True)
        assert "anna" not in shift.told(shift.drill_alarm())


@in_virtual_time
async def test_a_real_alarm_interrupts_and_the_drill_is_begun_again() -> None:
    """What was confirmed stays so; the rest is neither good nor red. One asked for is not repeated."""
    async with Supervised() as shift:
        shift.mute = {"bo"}
        await shift.drills.drill("201", "shift_start")
        await shift.later(1)
        alarm = await shift.press("12/1", "emergency")
        await shift.later(1)
        result = shift.result()
        assert result.state is State.INTERRUPTED and result.red == 0 and result.good == 3
        assert shift.lines()["bo", "socket"].outcome is Outcome.INTERRUPTED
        shift.mute = set()
        await shift.reset("12/1", "emergency")
        await shift.later(299)
        assert shift.began() == [("201", "shift_start")]
        await shift.later(3)
        assert shift.began() == [("201", "shift_start")] * 2
        assert shift.result().state is State.OK
        assert alarm.id not in shift.engine.state.alarms
    async with Supervised() as shift:
        shift.mute = {"bo"}
        await shift.drills.drill("201")
        await shift.press("12/1", "emergency")
        await shift.reset("12/1", "emergency")
        await shift.later(400)
        assert shift.began() == [("201", "asked")]


@in_virtual_time
async def test_a_drill_never_begins_by_itself_over_a_ringing_alarm() -> None:
    """It waits until somebody has taken that, for ten minutes at most."""
    async with Supervised(drill_rules=DrillRules(settle_s=1)) as shift:
        await shift.publish(_other_policy(shift))
        alarm = await shift.press("12/1")
        await shift.later(60)
        assert shift.drills.last("201") is None
        await shift.says("anna", "accept", alarm)
        await shift.later(60)
        assert shift.result().state is State.OK


@in_virtual_time
async def test_prov_is_not_spoken_where_a_real_alarm_rings_or_somebody_is_in_danger() -> None:
    """It would sound among the calls, and on the phone of who is attacked. A silent one disturbs nobody."""
    async with Supervised() as shift:
        call = await shift.press("12/1")
        with pytest.raises(DrillRefused) as refused:
            await shift.drills.drill("201", heard=True)
        assert refused.value.field == "unit"
        await shift.says("anna", "accept", call)
        assault = await shift.press("202:12", "assault", person="eva")
        with pytest.raises(DrillRefused):
            await shift.drills.drill("202", heard=True)
        for staff in ("finn", "hugo"):
            await shift.says(staff, "accept", assault)
            await shift.says(staff, "attend", assault)
        with pytest.raises(DrillRefused):
            await shift.drills.drill("202", heard=True)
        await shift.drills.drill("202")


@in_virtual_time
async def test_a_drill_in_flight_when_the_hub_dies_is_interrupted_never_green() -> None:
    """Also when everybody had confirmed, and when not even its row had been written. It is begun again."""
    for wait_s in (0.0, 1.0):
        shift = Supervised()
        await shift.begin()
        if wait_s:
            shift.mute = {"bo"}
        row = await shift.drills.drill("201", "shift_start")
        await shift.later(wait_s)
        await shift.crash()
        await shift.begin()
        await shift.later(2)
        (stored,) = [r for r in await shift.rows.drills("201", 10) if r.id == row.id]
        assert stored.result["state"] == "interrupted" and stored.ended_at is not None
        assert stored.cause == "shift_start"
        assert all(line["outcome"] != "waiting" for line in stored.result["lines"])
        assert not [a for a in shift.engine.open_alarms() if a.drill]
        await shift.later(302)
        assert shift.began() == [("201", "shift_start")] * 2
        await shift.crash()


@in_virtual_time
async def test_what_cannot_be_drilled_says_why() -> None:
    """No such unit, nobody on duty there, one under way."""
    async with Supervised() as shift:
        shift.mute = {"bo"}
        for unit, why in (("999", "a unit of the site"), ("empty", "one with somebody on duty")):
            with pytest.raises(DrillRefused) as refused:
                await shift.drills.drill(unit)
            assert (refused.value.field, refused.value.why) == ("unit", why)
        await shift.drills.drill("201")
        with pytest.raises(DrillRefused):
            await shift.drills.drill("201")
        await shift.drills.drill("202")


@in_virtual_time
async def test_without_the_database_nothing_begins_and_nothing_is_lost() -> None:
    """Results that could not be written are written when it is back."""
    async with Supervised() as shift:
        shift.mute = {"bo"}
        row = await shift.drills.drill("201")
        shift.rows.away = True
        await shift.later(40)
        assert shift.result().state is State.FAILED
        assert await shift.rows_of("201") == []
        shift.rows.away = False
        await shift.later(1)
        (stored,) = await shift.rows_of("201")
        assert (stored.id, stored.result["state"]) == (row.id, "failed")


@in_virtual_time
async def test_phones_are_forgotten_after_a_day() -> None:
    """The counts stay."""
    async with Supervised(drill_rules=DrillRules(on_shift_start=False)) as shift:
        await shift.drills.drill("201")
        await shift.later(1)
        shift.clock.jump(25 * 3600)
        await shift.later(2)
        (stored,) = await shift.rows_of("201")
        assert "lines" not in stored.result and stored.result["good"] == 4


def _other_policy(shift: Supervised) -> object:
    """The site with a policy of its own for calls of 201."""
    policy = Policy("fast", 1, (Step(("unit",), 20, 10),), 60, 180, None, None)
    return msgspec.structs.replace(
        shift.site,
        policies={"fast": {1: policy}},
        newest={"fast": 1},
        policy_rules=(PolicyRule("fast", unit="201"),),
    )


@in_virtual_time
async def test_a_change_of_policy_or_source_drills_the_units_it_concerns() -> None:
    """And no others; the same site published again drills nobody."""
    async with Supervised(drill_rules=DrillRules(settle_s=10)) as shift:
        await shift.publish(shift.site)
        await shift.later(20)
        assert shift.began() == []
        changed = _other_policy(shift)
        await shift.publish(changed)  # type: ignore[arg-type]
        await shift.later(9)
        assert shift.began() == []
        await shift.later(3)
        assert shift.began() == [("201", "policy")]
        sources = dict(shift.site.sources)
        sources["plant"] = msgspec.structs.replace(sources["plant"], units=("202",))
        await shift.publish(msgspec.structs.replace(changed, sources=sources))  # type: ignore[type-var]
        await shift.later(1300)
        assert sorted(shift.began()[1:]) == [("201", "source"), ("202", "source")]


@in_virtual_time
async def test_other_software_drills_every_unit_one_after_the_other() -> None:
    """And so does what was published while the hub was away. The first start ever drills nobody."""
    shift = Supervised(drill_rules=DrillRules(settle_s=10, on_shift_start=False))
    await shift.begin()
    await shift.later(30)
    assert shift.began() == []
    await shift.crash()
    shift.version = "2"
    await shift.begin()
    await shift.later(30)
    staffed = sorted(u for u in shift.site.units if shift.engine.world().roster.by_unit.get(u))
    assert sorted(shift.began()) == [(unit, "software") for unit in staffed]
    times = sorted(row.began_at for row in shift.tables.drills.values())
    assert all(later - sooner >= 2000 for sooner, later in itertools.pairwise(times))
    await shift.crash()
    await shift.publish(_other_policy(shift))  # type: ignore[arg-type]
    await shift.begin()
    await shift.later(1300)
    assert shift.began()[len(staffed) :] == [("201", "policy")]
    await shift.crash()


@in_virtual_time
async def test_a_shift_change_drills_its_unit_once_phones_have_settled() -> None:
    """Who comes brings it, who goes does not; not twice within 20 min."""
    site = Ward().site
    minute = 60_000
    duties = (
        *site.duties,
        Duty("stig", "201", ("usk",), Hours(from_at=T0 + 5 * minute)),
        Duty("tove", "201", ("usk",), Hours(from_at=T0 + 10 * minute, to_at=T0 + 40 * minute)),
    )
    async with Supervised(msgspec.structs.replace(site, duties=duties)) as shift:
        await shift.later(7.9 * 60)
        assert shift.began() == []
        await shift.later(0.2 * 60)
        assert shift.began() == [("201", "shift_start")]
        assert ("stig", "socket") in shift.lines()
        await shift.later(19.7 * 60)
        assert len(shift.began()) == 1
        await shift.later(0.5 * 60)
        assert shift.began() == [("201", "shift_start")] * 2
        assert ("tove", "socket") in shift.lines()
        await shift.later(40 * 60)
        assert len(shift.began()) == 2


@in_virtual_time
async def test_a_break_is_no_shift_change() -> None:
    """Nor is coming back from it."""
    async with Supervised(drill_rules=DrillRules(settle_s=1)) as shift:
        for state in ("break", "available"):
            await shift.engine.availability(staff="anna", device="anna-phone", req="", state=state)
            await shift.later(10)
        assert shift.began() == []


@in_virtual_time
async def test_the_drill_after_maintenance_has_a_result_too() -> None:
    """It is the hub's own: the source has changed."""
    async with Supervised() as shift:
        shift.mute = {"bo"}
        site = shift.engine.world().site
        shift.engine.say(notices.after_maintenance(site, "plant", "201", shift.clock.now()))
        await shift.later(31)
        assert shift.began() == [("201", "source")]
        assert shift.result().red == 1


@in_virtual_time
async def test_a_drill_of_a_source_in_test_mode_is_none_of_ours() -> None:
    """Only the hub's own are kept."""
    async with Supervised() as shift:
        await shift.signal("12/1", "drill", key="theirs")
        await shift.later(31)
        assert shift.began() == []


@in_virtual_time
async def test_reach_none_of_everybody_is_all_red_at_once() -> None:
    """There is nothing to wait for."""
    async with Supervised() as shift:
        shift.lose("eva", "finn")
        row = await shift.drills.drill("202")
        await shift.later(1)
        assert shift.result("202").red == 2 and not shift.drills.running("202")
        await shift.drills.over(row.id)
        assert shift.engine.contacts.reach.get("eva") is None is not Reach.NONE
