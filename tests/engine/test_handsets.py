"""The phones of a ward through a shift: who is warned of what, once, and until it is over."""

from __future__ import annotations

import msgspec

from alarmhub.core.handsets import HandsetRules, Said
from alarmhub.core.reach import Reach
from alarmhub.core.site import Duty, Hours
from alarmhub.engine.handsets import SCOPE
from alarmhub.people import Device
from tests.support.supervised import Supervised
from tests.support.virtual import in_virtual_time
from tests.support.ward import Ward

HOUR_S = 3600.0


def device(id: str, staff: str, label: str = "Telefon 7") -> Device:
    """An enrolled phone."""
    return Device(id=id, digest=id.encode(), label=label, enrolled_by="ivar", enrolled_at=0, staff=staff)


@in_virtual_time
async def test_a_low_battery_warns_owner_leader_and_board() -> None:
    """At once; the leader is asked quietly, and her phone says whose it is."""
    async with Supervised() as shift:
        shift.says_it_is("anna", battery=14)
        await shift.later(1)
        assert shift.wrong() == {("anna", "battery_low")}
        assert shift.handsets.warnings_of("anna") == ("Batteriet är på 14 %: ladda telefonen.",)
        assert shift.handsets.warnings_of("dan") == ("Anna: telefonens batteri är lågt (14 %)",)
        assert shift.handsets.warnings_of("bo") == ()
        assert shift.shows == {"anna": 1, "dan": 1}
        notice = shift.noticed("phone_battery_low")
        assert shift.told(notice) == {"dan"}
        assert (notice.kind, notice.priority, notice.unit) == ("request", "low", "201")
        assert notice.text == "Avd 201: telefonens batteri är lågt (14 %)"


@in_virtual_time
async def test_what_is_stored_names_nobody() -> None:
    """The request is kept for good: it names a phone by its label, and in another shift by another key."""
    async with Supervised() as shift:
        shift.handsets.carried([device("anna-phone", "anna")])
        shift.says_it_is("anna", battery=14)
        await shift.later(1)
        stored = shift.tables.alarms[shift.noticed("phone_battery_low").id].body
        assert b"anna" not in stored.lower() and b"Telefon 7" in stored
        first = shift.noticed("phone_battery_low").key
        shift.clock.jump(12 * HOUR_S)
        shift.says_it_is("anna", battery=90)
        await shift.later(1)
        shift.says_it_is("anna", battery=10)
        await shift.later(1)
        assert shift.noticed("phone_battery_low").key != first


@in_virtual_time
async def test_a_warning_is_taken_back_when_it_is_over() -> None:
    """From the owner's phone, the leader's, and the board."""
    async with Supervised() as shift:
        shift.says_it_is("anna", battery=14)
        await shift.later(1)
        shift.says_it_is("anna", battery=60)
        await shift.later(1)
        assert shift.wrong() == set() and shift.notices() == []
        assert shift.handsets.warnings_of("anna") == shift.handsets.warnings_of("dan") == ()
        assert shift.shows == {"anna": 2, "dan": 2}


@in_virtual_time
async def test_the_leader_is_told_once_a_shift_of_each_cause() -> None:
    """It comes and goes on the board; the leader is not asked again. Another cause is another matter."""
    async with Supervised() as shift:
        for _ in range(3):
            shift.says_it_is("anna", battery=14)
            await shift.later(1)
            shift.says_it_is("anna", battery=60)
            await shift.later(1)
        assert shift.shows["anna"] == 6
        asked = [r for r in shift.tables.alarms.values() if b"phone_battery_low" in r.body]
        assert len(asked) == 1
        shift.says_it_is("anna", battery=60, notifications="denied")
        await shift.later(11)
        assert shift.notices() == ["phone_no_permission"]


@in_virtual_time
async def test_a_flapping_battery_floods_nobody() -> None:
    """A thousand statuses a second are one look; around the threshold there is one warning, few facts."""
    async with Supervised() as shift:
        for second in range(10):
            for n in range(1000):
                shift.says_it_is("anna", battery=14 + (n + second) % 5)
            await shift.later(1)
        assert shift.shows == {"anna": 1, "dan": 1}
        facts = [f for b in shift.store.batches for f in b.facts if f.scope == SCOPE]
        assert len(facts) <= 2


@in_virtual_time
async def test_an_unanswered_notice_is_taken_back_and_the_warning_stays() -> None:
    """Nobody else is rung with it."""
    async with Supervised() as shift:
        shift.says_it_is("anna", battery=14)
        await shift.later(119)
        assert shift.notices() == ["phone_battery_low"]
        await shift.later(3)
        assert shift.notices() == [] and shift.wrong() == {("anna", "battery_low")}
        assert "gun" not in shift.told_anywhere()


@in_virtual_time
async def test_a_phone_that_falls_silent_on_duty() -> None:
    """Two minutes, and back half a minute after it is there again."""
    async with Supervised() as shift:
        await shift.later(60)
        shift.lose("anna")
        await shift.later(119)
        assert shift.wrong() == set()
        await shift.later(2)
        assert shift.wrong() == {("anna", "silent")}
        assert shift.notices() == ["phone_silent"]
        shift.find("anna")
        await shift.later(29)
        assert shift.wrong() == {("anna", "silent")}
        await shift.later(2)
        assert shift.wrong() == set() and shift.notices() == []


@in_virtual_time
async def test_another_phone_of_hers_stands_in() -> None:
    """She can be reached: nothing is silent. When that one goes too, she is."""
    async with Supervised() as shift:
        shift.phone("anna", Reach.LIVE, "anna-other")
        shift.lose("anna")
        await shift.later(600)
        assert shift.wrong() == set()
        shift.phone("anna", Reach.RECENT, "anna-other")
        shift.phone("anna", Reach.NONE, "anna-other")
        await shift.later(121)
        assert [w.device for w in shift.handsets.warnings("201")] == ["anna-other"]


@in_virtual_time
async def test_a_phone_that_pushes_wake_may_sleep() -> None:
    """Until a push to it is lost; then it is silent at once, and well with the next sign of life."""
    async with Supervised(rules=HandsetRules(asleep_s=600)) as shift:
        shift.engine.pushable("anna", ("anna-phone",))
        shift.lose("anna")
        await shift.later(500)
        assert shift.wrong() == set()
        shift.handsets.push_lost("anna", "anna-phone", shift.clock.now())
        await shift.later(1)
        assert shift.wrong() == {("anna", "silent")}
        shift.handsets.heard("anna", "anna-phone", shift.clock.now())
        await shift.later(1)
        assert shift.wrong() == set()
        await shift.later(598)
        assert shift.wrong() == set()
        await shift.later(2)
        assert shift.wrong() == {("anna", "silent")}


@in_virtual_time
async def test_a_phone_whose_push_address_died_warns_until_it_has_a_new_one() -> None:
    """Its owner is told what to do, the leader that it cannot be woken. A stranger's phone is nobody's."""
    async with Supervised() as shift:
        shift.handsets.pushable("anna", ("anna-phone",))
        shift.handsets.pushable("anna", ())
        shift.handsets.push_dead("anna-phone")
        shift.handsets.push_dead("unknown")
        await shift.later(1)
        assert shift.wrong() == {("anna", "push_dead")}
        (own,) = shift.handsets.warnings_of("anna")
        assert own.startswith("Telefonen kan inte väckas")
        assert shift.handsets.warnings_of("dan") == ("Anna: telefonen kan inte väckas",)
        assert shift.notices() == ["phone_push_dead"]
        shift.handsets.pushable("anna", ("anna-phone",))
        await shift.later(1)
        assert shift.wrong() == set() and shift.notices() == []


@in_virtual_time
async def test_a_second_way_to_wake_it_is_enough() -> None:
    """One of its two addresses died."""
    async with Supervised() as shift:
        shift.handsets.pushable("anna", ("anna-phone",))
        shift.handsets.push_dead("anna-phone")
        await shift.later(1)
        assert shift.wrong() == set()


@in_virtual_time
async def test_half_a_ward_at_once_is_not_one_notice_each() -> None:
    """That is an alarm of its own; the board shows every one of them."""
    async with Supervised() as shift:
        await shift.later(60)
        shift.lose("anna", "bo", "cia")
        await shift.later(121)
        assert shift.wrong() == {("anna", "silent"), ("bo", "silent"), ("cia", "silent")}
        asked = [r for r in shift.tables.alarms.values() if b"phone_silent" in r.body]
        assert len(asked) <= 1


@in_virtual_time
async def test_a_muted_phone_by_the_sites_rule() -> None:
    """Every phone on duty must be able to sound, unless the site allows it or she is on a break."""
    async with Supervised() as shift:
        shift.says_it_is("anna", muted=True)
        shift.says_it_is("olle", volume=0)
        await shift.later(59)
        assert shift.wrong() == set()
        await shift.later(2)
        assert shift.wrong() == {("anna", "muted")} and shift.wrong("205") == {("olle", "muted")}
        await shift.engine.availability(staff="anna", device="anna-phone", req="", state="break")
        await shift.later(1)
        assert shift.wrong() == set()
    async with Supervised(rules=HandsetRules(muted="alone")) as shift:
        shift.says_it_is("anna", muted=True)
        shift.says_it_is("olle", volume=0)
        await shift.later(61)
        assert shift.wrong() == set() and shift.wrong("205") == {("olle", "muted")}


@in_virtual_time
async def test_a_ward_without_a_leader_shows_it_and_asks_nobody() -> None:
    """Nor is a leader asked about her own phone by a request to herself."""
    async with Supervised() as shift:
        shift.says_it_is("eva", battery=3)
        shift.says_it_is("dan", battery=3)
        await shift.later(2)
        assert shift.wrong("202") == {("eva", "battery_critical")}
        assert shift.wrong() == {("dan", "battery_critical")}
        assert shift.notices() == []
        assert shift.handsets.warnings_of("dan") == ("Batteriet tar slut (3 %): ladda nu eller byt telefon.",)


@in_virtual_time
async def test_the_phone_in_the_locker() -> None:
    """Rang twice and nobody touched it: owner and board at once, the leader as ever with the next alarm."""
    async with Supervised() as shift:
        for place in ("12/2", "13/1", "12/1"):
            alarm = await shift.press(place)
            await shift.later(46)
            await shift.says("dan", "accept", alarm)
        await shift.later(1)
        assert ("anna", "untouched") in shift.wrong()
        assert shift.handsets.warnings_of("anna")[0].startswith("Två larm har ringt")
        assert shift.notices() == []
        alarm = await shift.press("14/1")
        await shift.says("anna", "decline", alarm)
        await shift.later(2)
        assert ("anna", "untouched") not in shift.wrong()


@in_virtual_time
async def test_a_restart_remembers_warnings_and_raises_no_false_alarm() -> None:
    """Nobody is silent because the hub was; who was told is not told again; what has ended meanwhile ends."""
    shift = Supervised()
    await shift.begin()
    shift.says_it_is("anna", battery=14)
    shift.lose("bo")
    await shift.later(200)
    assert shift.wrong() == {("anna", "battery_low"), ("bo", "silent")}
    await shift.crash()
    await shift.later(600)
    everybody = dict(shift.reach)
    shift.reach = {}
    await shift.begin()
    # A phone that is back before anything was looked at is told all the same.
    assert shift.handsets.warnings_of("anna") == ("Batteriet är på 14 %: ladda telefonen.",)
    await shift.later(100)
    # Nobody has come back yet, and nobody is warned of for it.
    assert shift.wrong() == {("anna", "battery_low"), ("bo", "silent")}
    for staff, reach in everybody.items():
        shift.phone(staff, reach)
    shift.find("bo")
    await shift.later(31)
    assert shift.wrong() == {("anna", "battery_low")}
    assert len([r for r in shift.tables.alarms.values() if b"phone_" in r.body]) == 2
    await shift.crash()


@in_virtual_time
async def test_going_off_duty_leaves_nothing_behind() -> None:
    """The board, the leader's phone, the notice and what was stored."""
    ward = Ward()
    anna_until = ward.now + 1_800_000
    duties = tuple(
        Duty("anna", "201", d.roles, Hours(to_at=anna_until), d.beds) if d.staff == "anna" else d
        for d in ward.site.duties
    )
    site = msgspec.structs.replace(ward.site, duties=duties)
    async with Supervised(site) as shift:
        shift.says_it_is("anna", battery=14)
        await shift.later(10)
        assert (SCOPE, "anna/anna-phone") in shift.tables.facts
        await shift.later(1_800)
        assert shift.wrong() == set() and shift.notices() == []
        assert shift.handsets.warnings_of("anna") == shift.handsets.warnings_of("dan") == ()
        assert (SCOPE, "anna/anna-phone") not in shift.tables.facts
        # At home nothing is supervised.
        shift.lose("anna")
        await shift.later(600)
        assert shift.wrong() == set()


@in_virtual_time
async def test_a_phone_handed_on_is_no_longer_hers() -> None:
    """It neither falls silent for her nor keeps its warnings."""
    async with Supervised() as shift:
        shift.phone("anna", Reach.LIVE, "pool-1")
        shift.says_it_is("anna", "pool-1", battery=10)
        await shift.later(1)
        assert shift.wrong() == {("anna", "battery_low")}
        shift.handsets.carried([device("pool-1", "bo")])
        await shift.later(1)
        assert shift.wrong() == set() and shift.notices() == []
        shift.phone("bo", Reach.LIVE, "pool-1")
        assert [h.label for h in shift.handsets.phones("201") if h.device == "pool-1"] == ["Telefon 7"]
        # Lost, and revoked: nobody is asked about it either.
        shift.handsets.carried([])
        assert [h for h in shift.handsets.phones("201") if h.device == "pool-1"] == []


@in_virtual_time
async def test_health_says_how_each_phone_is() -> None:
    """One row for each phone on duty; somebody without one is shown too."""
    async with Supervised() as shift:
        shift.handsets.hello("anna", "anna-phone", "pwa/1.2")
        shift.says_it_is("anna", battery=81, notifications="granted")
        await shift.later(1)
        rows = {h.staff: h for h in shift.handsets.phones("201")}
        assert set(rows) == {"anna", "bo", "cia", "dan"}
        anna = rows["anna"]
        assert (anna.app, anna.reach, anna.said) == (
            "pwa/1.2", "live", Said(battery=81, notifications="granted"),
        )  # fmt: skip
        assert shift.handsets.phones("desk")[-1].device in ("", "vera-phone")
        rut = next(h for h in shift.handsets.phones("desk") if h.staff == "rut")
        assert (rut.device, rut.reach, rut.warnings) == ("", "none", ())
        assert shift.handsets.by_cause() == {}


@in_virtual_time
async def test_a_shift_change_is_seen_to_in_handfuls() -> None:
    """So many people a look and no more; all are seen to in the end. Nobody has phones without end."""
    people = [f"p{n}" for n in range(120)]
    ward = Ward()
    ward.on_duty(*(Duty(p, "201", ("usk",), Hours()) for p in people))
    async with Supervised(ward.site) as shift:
        for person in people:
            shift.says_it_is(person, battery=3)
        shift.handsets.look()
        assert len(shift.wrong()) <= 50
        await shift.later(3)
        assert len(shift.wrong()) == 120
        assert len(shift.handsets.warnings_of("dan")) == 12
        for n in range(20):
            shift.handsets.contact("anna", f"d{n}", Reach.NONE, shift.clock.now())
        assert len(shift.handsets.phones_of("anna")) == 8
