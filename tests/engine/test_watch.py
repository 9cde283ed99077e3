"""Site, roster and grace: shift changes at their instant, new sites, phones in lockers, empty wards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Duty, Hours, Policy, PolicyRule, Site, Staff, Step
from alarmhub.engine.contact import Contacts
from alarmhub.engine.state import State
from alarmhub.engine.watch import Watch
from tests.support.shift import Shift
from tests.support.virtual import VirtualClock, in_virtual_time, passes, until
from tests.support.ward import T0, Ward

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def clock_time(text: str) -> int:
    """That time of the day the shift begins on (10:00), epoch ms."""
    day = datetime.fromtimestamp(T0 / 1000, STOCKHOLM)
    hour, minute = map(int, text.split(":"))
    return int(day.replace(hour=hour, minute=minute).timestamp() * 1000)


def hours(start: str, end: str) -> Hours:
    """Every day from, to."""
    minutes = [int(t[:2]) * 60 + int(t[3:]) for t in (start, end)]
    return Hours(days=tuple(range(7)), start=minutes[0], end=minutes[1])


def with_duties(*duties: Duty, instead_of: tuple[str, ...] = ()) -> Site:
    """The ward with these duties instead of what those people had; whoever is new belongs to the unit."""
    site = Ward().site
    kept = tuple(d for d in site.duties if d.staff not in instead_of)
    people = {d.staff: Staff(d.staff, d.staff.capitalize(), (d.unit,)) for d in duties}
    return replace(site, duties=kept + duties, staff={**people, **site.staff})


@dataclass
class Since:
    """How long after the press something was seen."""

    shift: Shift
    call: Alarm

    @property
    def seconds(self) -> float:
        """Seconds since the press."""
        return (self.shift.clock.now() - self.call.raised_at) / 1000


DAY = Duty("bo", "201", ("usk",), hours("07:00", "10:01"), ("f/201/12/1",))
EVENING = Duty("siv", "201", ("usk",), hours("10:01", "22:00"), ("f/201/12/1",))


@in_virtual_time
async def test_at_the_change_of_shift_the_new_shift_rings_and_the_old_falls_silent() -> None:
    """An open alarm follows the roster at the very instant of the change (10:01), not at its next step."""
    async with Shift(with_duties(DAY, EVENING, instead_of=("bo",))) as shift:
        await shift.later(30)
        call = await shift.press("12/1")
        assert shift.told(call) == {"anna", "bo"}
        await shift.later(29.9)
        assert shift.told(call) == {"anna", "bo"}
        await shift.later(0.2)
        assert shift.told(call) == {"anna", "siv"}
        assert shift.alarm(call).step == 0
        shift.check()


@in_virtual_time
async def test_an_acceptor_who_goes_off_duty_gives_the_alarm_back() -> None:
    """Accepted, not arrived, shift over: it rings again."""
    async with Shift(with_duties(DAY, EVENING, instead_of=("bo",))) as shift:
        call = await shift.press("12/1")
        assert (await shift.says("bo", "accept", call)).ok
        await shift.later(61)
        assert shift.alarm(call).phase == "ringing"
        assert "siv" in shift.told(call) and "bo" not in shift.told(call)


@in_virtual_time
async def test_a_change_of_shift_while_no_hub_ran_is_taken_at_the_start() -> None:
    """Between a crash and the next hub: the new shift rings, and who is off duty has the alarm no longer."""
    shift = Shift(with_duties(DAY, EVENING, instead_of=("bo",)))
    await shift.begin()
    taken = await shift.press("12/1")
    assert (await shift.says("bo", "accept", taken)).ok
    await shift.later(50)
    ringing = await shift.press("12/1", "toilet_call", key="wc")
    await shift.settled()
    await shift.crash()
    await shift.later(15)
    await shift.begin()
    await shift.settled()
    assert shift.alarm(taken).phase == "ringing" and shift.alarm(taken).acceptances == ()
    for alarm in (taken, ringing):
        assert "siv" in shift.told(alarm) and "bo" not in shift.told(alarm)
    shift.check()
    await shift.crash()


@in_virtual_time
async def test_a_site_published_while_no_hub_ran_is_taken_at_the_start() -> None:
    """During an upgrade, say: whom the new site puts on duty rings at once, not with the next step."""
    shift = Shift()
    await shift.begin()
    call = await shift.press("12/1", "toilet_call")
    await shift.settled()
    await shift.crash()
    await shift.later(5)
    await shift.publish(with_duties(Duty("siv", "201", ("usk",), Hours(), ("f/201/12/1",))))
    await shift.begin()
    await shift.settled()
    assert shift.told(call) == {"anna", "bo", "siv"}
    assert shift.alarm(call).step == 0
    shift.check()
    await shift.crash()


class WokenAtTheStart(Shift):
    """A push finds somebody's phone before the deadlines are served, as in the application: an alarm of hers
    is decided then."""

    async def started(self) -> None:
        """What lies between a start and its begin."""
        self.engine.pushable("bo", ("bo-phone",))
        await passes(0.05)


@in_virtual_time
async def test_a_site_is_taken_whatever_else_is_decided_at_the_start() -> None:
    """Each alarm follows by its own last decision: one whose reminder was due meanwhile hides nothing."""
    shift = WokenAtTheStart()
    await shift.begin()
    other = await shift.press("12/2", key="o")
    assert (await shift.says("bo", "accept", other)).ok
    await shift.later(170)
    call = await shift.press("12/1", "toilet_call")
    await shift.settled()
    await shift.crash()
    await shift.later(5)
    await shift.publish(with_duties(Duty("siv", "201", ("usk",), Hours(), ("f/201/12/1",))))
    await shift.later(15)
    await shift.begin()
    await shift.later(1)
    assert "siv" in shift.told(call) and shift.alarm(call).step == 0
    shift.check()
    await shift.crash()


@in_virtual_time
async def test_a_break_takes_effect_with_its_commit() -> None:
    """Whoever says break is rung no more by what comes after; the bed's others are."""
    async with Shift() as shift:
        said = await shift.engine.availability(staff="bo", device="bo-phone", req="r1", state="break")
        assert said.ok
        call = await shift.press("12/1")
        assert shift.told(call) == {"anna"}
        assert (
            await shift.engine.availability(staff="bo", device="bo-phone", req="r2", state="available")
        ).ok
        await shift.settled()
        assert shift.told(call) == {"anna", "bo"}


@in_virtual_time
async def test_a_break_outlives_a_restart() -> None:
    """What a person told the phone is a fact in the database."""
    shift = Shift()
    async with shift:
        await shift.engine.availability(staff="bo", device="bo-phone", req="r1", state="break")
    async with shift:
        assert shift.told(await shift.press("12/1")) == {"anna"}


@in_virtual_time
async def test_a_site_published_while_alarms_are_open_is_in_force_within_a_second() -> None:
    """People, last resort: the new site's; the policy an alarm began with stays pinned to it."""
    quick = Policy("calls", 1, (Step(("care_team",), 5, 5), Step(("unit",), 5, 5)), 60, 180, 180, 300)
    async with Shift() as shift:
        call = await shift.press("12/1")
        new = with_duties(Duty("siv", "201", ("usk",), Hours(), ("f/201/12/1",)))
        await shift.publish(
            replace(
                new,
                policies={"calls": {1: quick}},
                newest={"calls": 1},
                policy_rules=(PolicyRule("calls", kind=Kind.PATIENT_CALL),),
            )
        )
        heard: list[int] = []
        shift.engine.on_site.append(lambda site: heard.append(site.version))
        await shift.later(0.9)
        assert heard == [2] and shift.engine.world().site.version == 2
        assert shift.told(call) == {"anna", "bo", "siv"}
        await shift.later(20)
        assert shift.alarm(call).step == 0, "the policy it began with gives them 45 s"
        assert shift.alarm(await shift.press("13/1")).policy == "calls"
        shift.check()


@in_virtual_time
async def test_new_tokens_are_told_at_once() -> None:
    """Whoever keeps tokens hears that there are others."""
    async with Shift() as shift:
        heard: list[str] = []
        shift.engine.on_tokens.append(lambda: heard.append("tokens"))
        shift.tables.tokens_version += 1
        await shift.later(0.9)
        assert heard == ["tokens"]
        await shift.later(5)
        assert heard == ["tokens"]


@in_virtual_time
async def test_a_shift_change_while_the_clock_was_moved_is_taken_at_once() -> None:
    """The machine slept over it: told so, the hub takes the change now."""
    async with Shift(with_duties(DAY, EVENING, instead_of=("bo",))) as shift:
        call = await shift.press("12/1")
        await shift.says("anna", "decline", call)
        shift.clock.jump(120)
        shift.engine.time_moved()
        await shift.settled()
        assert "siv" in shift.told(call) and "bo" not in shift.told(call)


# Grace


@in_virtual_time
async def test_who_was_there_before_the_restart_is_waited_for() -> None:
    """Phones that come back after 8 s find their alarm in the step it was in."""
    shift = Shift()
    async with shift:
        call = await shift.press("12/1")
    shift.reach = dict.fromkeys(shift.reach, Reach.RECENT)
    async with shift:
        new = await shift.press("13/1")
        await shift.later(8)
        for staff in shift.reach:
            shift.phone(staff, Reach.LIVE)
        await shift.later(12)
        assert shift.alarm(call).step == 0
        assert shift.alarm(new).step == 0


@in_virtual_time
async def test_when_many_drop_at_once_nobody_is_passed_over_before_the_grace() -> None:
    """A switch restarts: a call of that moment waits for the phones to return."""
    async with Shift() as shift:
        for staff in shift.reach:
            shift.phone(staff, Reach.RECENT)
        shift.engine.lost_many(shift.clock.now())
        call = await shift.press("12/1")
        await shift.later(25)
        assert shift.alarm(call).step == 0
        await shift.later(10)
        assert shift.alarm(call).step > 0


# The phone in the locker


async def _let_it_pass(shift: Shift, place: str) -> Alarm:
    call = await shift.press(place)
    await shift.later(46)
    assert shift.alarm(call).step == 1
    await shift.reset(place, "patient_call")
    return call


@in_virtual_time
async def test_two_rings_without_a_touch_bring_the_next_step_and_the_shift_leader() -> None:
    """The phone rang twice and nobody looked: the third call rings the unit too, and Dan is asked to look."""
    async with Shift() as shift:
        await _let_it_pass(shift, "13/1")
        await shift.later(700)
        await _let_it_pass(shift, "13/2")
        await shift.later(700)
        third = await shift.press("13/1")
        assert shift.told(third) == {"anna", "bo", "cia", "dan"}
        (notice,) = shift.open_of("request")
        assert notice.type == "untouched_phone" and shift.told(notice) == {"dan"}


@in_virtual_time
async def test_a_look_at_the_phone_is_a_touch() -> None:
    """Whoever has looked since is rung alone as ever."""
    async with Shift() as shift:
        await _let_it_pass(shift, "13/1")
        await shift.later(700)
        second = await shift.press("13/2")
        await shift.settled()
        shift.engine.receipt(staff="cia", device="cia-phone", alarm=second.id, rev=9, seen=True)
        shift.engine.receipt(
            staff="cia", device="cia-phone", alarm=second.id, rev=shift.alarm(second).rev, seen=True
        )
        await shift.later(46)
        await shift.reset("13/2", "patient_call")
        await shift.later(700)
        assert shift.told(await shift.press("13/1")) == {"cia"}


@in_virtual_time
async def test_after_half_an_hour_the_locker_is_forgotten() -> None:
    """Two untouched rings long ago say nothing about now, even if nothing has happened since."""
    async with Shift() as shift:
        await _let_it_pass(shift, "13/1")
        await _let_it_pass(shift, "13/2")
        await shift.later(1_900)
        assert shift.told(await shift.press("13/1")) == {"cia"}
        assert not shift.open_of("request")


@in_virtual_time
async def test_a_phone_that_cannot_ring_lies_in_no_locker() -> None:
    """A live phone that never reported a ring is another fault; nobody is sent to look for it."""
    async with Shift() as shift:
        shift.screens.muted.add("cia")
        for place in ("13/1", "13/2"):
            call = await shift.press(place)
            await shift.later(46)
            assert shift.alarm(call).step >= 1
            await shift.reset(place, "patient_call")
        await shift.later(700)
        await shift.press("13/1")
        assert not shift.open_of("request")


# A ward that will have nobody

ONLY_TILL_ELEVEN = Duty("olle", "205", ("usk",), hours("07:00", "11:00"))


def _left_alone() -> Site:
    site = with_duties(ONLY_TILL_ELEVEN, instead_of=("olle",))
    return replace(site, covers=())


@in_virtual_time
async def test_half_an_hour_before_a_ward_is_empty_it_is_told() -> None:
    """Once per gap, to who works there and leads; not again every half minute."""
    async with Shift(_left_alone()) as shift:
        await shift.later(29 * 60)
        assert not shift.open_of("technical")
        await shift.later(2 * 60)
        (notice,) = shift.open_of("technical")
        assert notice.type == "unit_unstaffed" and notice.unit == "205"
        count = notice.count
        await shift.later(10 * 60)
        assert [a.count for a in shift.open_of("technical")] == [count]


@in_virtual_time
async def test_the_warning_is_not_lost_with_the_database() -> None:
    """The database is away at that moment: it is said as soon as it can be stored, and nothing waits for it
    meanwhile."""
    async with Shift(_left_alone()) as shift:
        await shift.later(29 * 60)
        shift.store.away = True
        await shift.later(2 * 60)
        shift.store.away = False
        (notice,) = await until(lambda: shift.open_of("technical"), "it is said", within_s=1)
        assert notice.type == "unit_unstaffed"
        assert not shift.dead


@in_virtual_time
async def test_who_carries_a_pager_that_can_be_sent_to_is_reached_one_way() -> None:
    """A number no transmitter reaches is no reach; a new site is asked anew, a hub without a sender never."""
    site = Ward().site
    pagers = {"rut": "1042", "anna": "2042"}
    carrying = {staff: replace(site.staff[staff], pager=number) for staff, number in pagers.items()}
    for carried, reached in ((lambda number: number.startswith("1"), {"rut"}), (None, set())):
        contacts = Contacts()
        watch = Watch(
            clock=VirtualClock(),
            state=State(),
            contacts=contacts,
            pagers=carried,
            put=lambda item: None,
            tell=lambda signal: None,
        )
        watch.begin(replace(site, staff=site.staff | carrying), T0)
        assert {s for s, reach in contacts.reach.items() if reach is Reach.ONE_WAY} == reached
        watch.take_site(replace(site, staff=site.staff | {"rut": replace(site.staff["rut"], pager=None)}))
        assert contacts.reach == {}


@in_virtual_time
async def test_who_has_a_number_is_reached_one_way_where_there_is_a_link() -> None:
    """A receipt of a person is impossible, which is not unreachable; without a link a number is no reach."""
    site = Ward().site
    numbered = site.staff | {"anna": replace(site.staff["anna"], sms="+46701740605")}
    for texts, reached in ((True, {"anna": Reach.ONE_WAY}), (False, {})):
        contacts = Contacts()
        watch = Watch(
            clock=VirtualClock(),
            state=State(),
            contacts=contacts,
            pagers=None,
            put=lambda item: None,
            tell=lambda signal: None,
            texts=texts,
        )
        watch.begin(replace(site, staff=numbered), T0)
        assert contacts.reach == reached and watch.world().texts is texts
        watch.take_site(site)
        assert contacts.reach == {}


@in_virtual_time
async def test_who_listens_hears_of_another_roster_and_of_another_site() -> None:
    """At the change of shift, at a break, at a new site; an hour in which nothing changes is no news."""
    async with Shift(with_duties(DAY, EVENING, instead_of=("bo",))) as shift:
        heard: list[str] = []
        shift.engine.on_roster.append(lambda: heard.append(shift.engine.world().roster.hash))
        await shift.later(59)
        assert heard == []
        await shift.later(2)
        assert len(heard) == 1
        await shift.engine.availability(staff="anna", device="d", req="1", state="break")
        assert len(set(heard)) == 2
        shift.engine._watch.take_site(replace(shift.site, version=7))
        assert len(heard) == 3
