"""Who is on duty at an instant: shifts, care teams, cover, the hash, and the next change."""

from __future__ import annotations

from datetime import datetime
from time import process_time
from zoneinfo import ZoneInfo

import msgspec

from alarmhub.core.roster import Shift, next_change, roster_at, unstaffed
from alarmhub.core.site import Cover, Duty, Hours, Place, Role, Site, Staff, Unit

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
DAY = Hours(days=EVERY_DAY, start=7 * 60, end=15 * 60 + 30)
NIGHT = Hours(days=EVERY_DAY, start=21 * 60, end=7 * 60)
WEEKEND = Hours(days=(4,), start=16 * 60, end=7 * 60, span_days=3)


def at(text: str) -> int:
    """Epoch ms of a local time in Stockholm."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Stockholm")).timestamp()) * 1000


def place(path: str, point: str = "bed") -> Place:
    """A place of the little ward; its room is the path above it."""
    unit = path.split("/")[1]
    return Place(path, path, unit, point, path if point == "room" else path.rsplit("/", 1)[0])


def ward(duties: tuple[Duty, ...], covers: tuple[Cover, ...] = ()) -> Site:
    """Units 201 and 202, room 1 with two beds and a WC, room 11 with one bed; whoever the duties name."""
    paths = [place(f"f/{u}/{r}", "room") for u in ("201", "202") for r in ("1", "11")]
    paths += [place("f/201/1/1"), place("f/201/1/2"), place("f/201/1/wc", "wc"), place("f/201/11/1")]
    return Site(
        version=1,
        site="f",
        name="F",
        zone="Europe/Stockholm",
        language="sv",
        holidays=frozenset(),
        floor_words=(),
        units={u: Unit(u, u, "f") for u in ("201", "202")},
        places={p.path: p for p in paths},
        roles={"ssk": Role("ssk", "ssk"), "usk": Role("usk", "usk")},
        staff={d.staff: Staff(d.staff, d.staff) for d in duties},
        duties=duties,
        covers=covers,
        types={},
        policies={},
        newest={},
        policy_rules=(),
        sources={},
    )


def test_the_shift_change_swaps_the_people_at_its_first_millisecond() -> None:
    """Until 06:59:59.999 the night nurse, from 07:00 the day nurse; both are the next change seen before."""
    site = ward((Duty("dag", "201", ("ssk",), DAY), Duty("natt", "201", ("ssk",), NIGHT)))
    seven = at("2026-11-24T07:00")
    assert [d.staff for d in roster_at(site, seven - 1, {}).by_unit["201"]] == ["natt"]
    assert [d.staff for d in roster_at(site, seven, {}).by_unit["201"]] == ["dag"]
    assert next_change(site, seven - 1) == seven
    assert next_change(site, seven) == at("2026-11-24T15:30")


def test_one_nurse_shared_by_two_wards_is_on_duty_in_both() -> None:
    """She has an entry in each unit, and both under her own name."""
    site = ward((Duty("natt", "201", ("ssk",), NIGHT), Duty("natt", "202", ("ssk",), NIGHT)))
    roster = roster_at(site, at("2026-11-24T23:00"), {})
    assert roster.by_unit["201"][0].staff == roster.by_unit["202"][0].staff == "natt"
    assert [entry.unit for entry in roster.by_staff["natt"]] == ["201", "202"]
    assert len(roster.by_role["ssk"]) == 2


def test_overlapping_duties_of_one_person_are_one_entry() -> None:
    """A double shift gives one entry with all roles and beds, not two people."""
    site = ward(
        (
            Duty("a", "201", ("ssk",), DAY, ("f/201/1/1",)),
            Duty("a", "201", ("ssk", "usk"), DAY, ("f/201/1/2",)),
        )
    )
    (entry,) = roster_at(site, at("2026-11-24T10:00"), {}).on_duty
    assert (entry.roles, entry.beds) == (("ssk", "usk"), ("f/201/1/1", "f/201/1/2"))


def test_a_care_team_named_by_room_has_all_its_beds_and_no_other_room() -> None:
    """Prefixes are path segments: room 1 is not room 11."""
    site = ward((Duty("a", "201", ("usk",), DAY, ("f/201/1",)),))
    by_bed = roster_at(site, at("2026-11-24T10:00"), {}).by_bed
    assert set(by_bed) == {"f/201/1", "f/201/1/1", "f/201/1/2", "f/201/1/wc"}
    assert by_bed["f/201/1/2"] == ("a",)


def test_the_wc_of_a_shared_room_has_the_people_of_its_beds() -> None:
    """Beds of one room may belong to two teams; a call from the WC concerns both."""
    site = ward(
        (Duty("a", "201", ("usk",), DAY, ("f/201/1/1",)), Duty("b", "201", ("usk",), DAY, ("f/201/1/2",)))
    )
    by_bed = roster_at(site, at("2026-11-24T10:00"), {}).by_bed
    assert by_bed["f/201/1/1"] == ("a",)
    assert by_bed["f/201/1/wc"] == by_bed["f/201/1"] == ("a", "b")


def test_a_nurse_who_has_the_whole_room_does_not_keep_its_wc_from_the_people_of_one_bed() -> None:
    """Whose patient is in the WC nobody knows: all of them are asked."""
    site = ward(
        (Duty("a", "201", ("ssk",), DAY, ("f/201/1",)), Duty("b", "201", ("usk",), DAY, ("f/201/1/2",)))
    )
    by_bed = roster_at(site, at("2026-11-24T10:00"), {}).by_bed
    assert by_bed["f/201/1/wc"] == ("a", "b") and by_bed["f/201/1/1"] == ("a",)


def test_a_bed_without_a_care_team_stays_a_gap() -> None:
    """Its neighbour in the room does not inherit it."""
    site = ward((Duty("a", "201", ("usk",), DAY, ("f/201/1/1",)),))
    by_bed = roster_at(site, at("2026-11-24T10:00"), {}).by_bed
    assert "f/201/1/2" not in by_bed and "f/201/11/1" not in by_bed


def test_cover_is_active_in_its_hours_only() -> None:
    """A closed weekend is covered from Friday 16:00 to Monday 07:00."""
    site = ward((Duty("a", "202", ("ssk",), Hours()),), (Cover("202", WEEKEND, unit="201"),))
    assert not roster_at(site, at("2026-11-27T15:59"), {}).covers
    assert [c.unit for c in roster_at(site, at("2026-11-28T10:00"), {}).covers] == ["201"]
    assert next_change(site, at("2026-11-28T10:00")) == at("2026-11-30T07:00")


def test_a_unit_is_unstaffed_without_people_and_without_staffed_cover() -> None:
    """Cover by a unit that has nobody itself is none."""
    by_day = Duty("a", "202", ("ssk",), DAY)
    site = ward((by_day,), (Cover("202", Hours(), unit="201"),))
    assert unstaffed(site, at("2026-11-24T10:00")) == ()
    assert unstaffed(site, at("2026-11-24T23:00")) == ("201", "202")


def test_a_doctor_on_call_at_home_does_not_staff_a_ward() -> None:
    """Nor does she make a desk unstaffed."""
    site = ward((Duty("jour", "201", ("ssk",), Hours(), on_site=False), Duty("a", "202", ("ssk",), Hours())))
    assert unstaffed(site, at("2026-11-24T10:00")) == ("201",)
    desk = msgspec.structs.replace(site, units={**site.units, "201": Unit("201", "201", "f", clinical=False)})
    assert unstaffed(desk, at("2026-11-24T10:00")) == ()


def test_the_hash_is_of_the_content_and_not_of_the_instant() -> None:
    """Two instants of one shift are the same roster; a break is another, and its end the first again."""
    site = ward((Duty("a", "201", ("ssk",), DAY, ("f/201/1",)), Duty("b", "201", ("usk",), DAY)))
    ten, eleven = (roster_at(site, at(f"2026-11-24T{hour}:00"), {}) for hour in (10, 11))
    pause = roster_at(site, at("2026-11-24T11:00"), {"a": "break"})
    assert ten == eleven
    assert pause.hash != ten.hash
    assert pause.by_staff["a"][0].availability == "break"
    assert roster_at(site, at("2026-11-24T11:00"), {"a": "available"}).hash == ten.hash


def test_what_is_kept_with_a_site_is_neither_compared_nor_stored() -> None:
    """A site that was asked for its roster equals one that was not, and encodes the same."""
    asked, fresh = (ward((Duty("a", "201", ("ssk",), DAY),)) for _ in range(2))
    roster_at(asked, at("2026-11-24T10:00"), {})
    assert asked == fresh
    assert msgspec.json.encode(asked) == msgspec.json.encode(fresh)


def test_a_site_that_never_changes_has_no_next_change() -> None:
    """Always is no boundary."""
    assert next_change(ward((Duty("a", "201", ("ssk",), Hours()),)), at("2026-11-24T10:00")) is None


def test_two_thousand_people_take_milliseconds() -> None:
    """Six thousand duties, asked again after the first time, fit a batch's 20 ms many times over."""
    shifts = (DAY, NIGHT, Hours(days=EVERY_DAY, start=13 * 60, end=21 * 60 + 30))
    site = ward(tuple(Duty(f"s{i}", "201", ("usk",), s, ("f/201/1",)) for i in range(2000) for s in shifts))
    roster_at(site, at("2026-11-24T10:00"), {})
    begin = process_time()
    roster = roster_at(site, at("2026-11-24T14:00"), {})
    change = next_change(site, at("2026-11-24T14:00"))
    taken_s = process_time() - begin
    assert len(roster.on_duty) == 2000 and change == at("2026-11-24T15:30")
    assert taken_s < 0.25  # of processor time; 20 ms is usual


# -- what people said


def on(
    unit: str, since: str, until: str, *beds: str, lent: bool = False, roles: tuple[str, ...] = ()
) -> Shift:
    """Signed on there from then until then."""
    return Shift(at(since), at(until), unit, beds, roles, lent)


def test_who_signed_on_is_on_duty_there_with_the_claimed_beds_and_all_roles() -> None:
    """The scheduled role and the chosen one; the scheduled beds are somebody else's now, or a gap."""
    site = ward((Duty("a", "201", ("ssk",), DAY, ("f/201/1/1",)),))
    shifts = {"a": on("201", "2026-11-24T07:00", "2026-11-24T16:00", "f/201/1/2", roles=("usk",))}
    roster = roster_at(site, at("2026-11-24T10:00"), {}, shifts)
    (entry,) = roster.on_duty
    assert (entry.roles, entry.beds, entry.on_site) == (("usk", "ssk"), ("f/201/1/2",), True)
    assert roster.by_bed.get("f/201/1/1") is None, "a bed nobody claimed stays a gap"
    assert roster.by_bed["f/201/1/2"] == ("a",)


def test_what_was_said_counts_until_its_last_millisecond_and_is_a_change() -> None:
    """Signed on outside the schedule; then the schedule counts again, and the watch wakes for it."""
    site = ward((Duty("a", "201", ("ssk",), NIGHT),))
    shifts = {"a": on("202", "2026-11-24T08:00", "2026-11-24T16:00", lent=True)}
    end = at("2026-11-24T16:00")
    assert [d.unit for d in roster_at(site, end - 1, {}, shifts).on_duty] == ["202"]
    assert roster_at(site, end, {}, shifts).on_duty == ()
    assert next_change(site, at("2026-11-24T10:00"), shifts) == end
    assert next_change(site, end - 1, shifts) == end
    assert next_change(site, end, shifts) == at("2026-11-24T21:00")


def test_who_signed_off_is_off_whatever_the_schedule_says_and_a_later_duty_counts_again() -> None:
    """Home at two. The evening's duty is another one, though it begins before this one ends."""
    evening = Hours(days=EVERY_DAY, start=15 * 60, end=21 * 60)
    site = ward((Duty("a", "201", ("ssk",), DAY), Duty("a", "202", ("ssk",), evening)))
    shifts = {"a": Shift(at("2026-11-24T14:00"), at("2026-11-24T15:30"))}
    assert roster_at(site, at("2026-11-24T14:59"), {}, shifts).on_duty == ()
    assert [d.unit for d in roster_at(site, at("2026-11-24T15:00"), {}, shifts).on_duty] == ["202"]
    assert [d.unit for d in roster_at(site, at("2026-11-25T07:00"), {}, shifts).on_duty] == ["201"]


def test_who_is_lent_out_does_not_count_at_home_until_a_later_duty_there() -> None:
    """At work in 202: 201 must not believe to have a nurse. Signed on ten minutes early it is the same."""
    site = ward((Duty("a", "201", ("ssk",), DAY), Duty("a", "201", ("ssk",), NIGHT)))
    for since in ("2026-11-24T06:50", "2026-11-24T09:00"):
        shifts = {"a": on("202", since, "2026-11-24T22:00", lent=True)}
        assert [d.unit for d in roster_at(site, at("2026-11-24T10:00"), {}, shifts).on_duty] == ["202"]
        later = roster_at(site, at("2026-11-24T21:00"), {}, shifts)
        assert [d.unit for d in later.on_duty] == ["201", "202"]


def test_a_nurse_the_schedule_shares_stays_in_both_wards_when_she_signs_on_in_one() -> None:
    """202 would have nobody otherwise."""
    site = ward((Duty("natt", "201", ("ssk",), NIGHT), Duty("natt", "202", ("ssk",), NIGHT)))
    shifts = {"natt": on("201", "2026-11-24T21:00", "2026-11-25T07:30")}
    roster = roster_at(site, at("2026-11-24T23:00"), {}, shifts)
    assert [entry.unit for entry in roster.by_staff["natt"]] == ["201", "202"]


def test_what_the_site_no_longer_has_is_left_out_of_a_shift() -> None:
    """A role or unit that a new site file dropped: the person stays on duty, or the schedule counts."""
    site = ward((Duty("a", "201", ("ssk",), DAY),))
    ten = at("2026-11-24T10:00")
    roles = {"a": on("201", "2026-11-24T07:00", "2026-11-24T16:00", roles=("gone",))}
    assert roster_at(site, ten, {}, roles).on_duty[0].roles == ("ssk",)
    unit = {"a": on("203", "2026-11-24T07:00", "2026-11-24T16:00")}
    assert [d.unit for d in roster_at(site, ten, {}, unit).on_duty] == ["201"]
    nobody = {"b": on("201", "2026-11-24T07:00", "2026-11-24T16:00")}
    assert [d.staff for d in roster_at(site, ten, {}, nobody).on_duty] == ["a"]


def test_a_shift_in_the_site_file_and_the_same_one_signed_on_have_one_hash() -> None:
    """A decision is replayed from the stored roster alone, whatever made it."""
    site = ward((Duty("a", "201", ("ssk",), DAY, ("f/201/1/1",)),))
    ten = at("2026-11-24T10:00")
    signed = roster_at(site, ten, {}, {"a": on("201", "2026-11-24T07:00", "2026-11-24T16:00", "f/201/1/1")})
    assert signed.hash == roster_at(site, ten, {}).hash
    other = roster_at(site, ten, {}, {"a": on("201", "2026-11-24T07:00", "2026-11-24T16:00")})
    assert other.hash != signed.hash


def test_a_substitute_answers_for_the_unit_and_the_beds_while_the_break_lasts() -> None:
    """And no longer: at work again, or not able to, the entry is gone."""
    site = ward((Duty("a", "201", ("ssk",), DAY, ("f/201/1/1",)), Duty("b", "202", ("usk",), DAY)))
    ten = at("2026-11-24T10:00")
    roster = roster_at(site, ten, {"a": "break"}, {}, {"a": "b"})
    assert [(d.staff, d.availability) for d in roster.by_unit["201"]] == [("a", "break"), ("b", "available")]
    assert roster.by_bed["f/201/1/1"] == ("a", "b")
    assert [d.unit for d in roster.by_staff["b"]] == ["201", "202"]
    for availability in ({}, {"a": "available"}, {"a": "break", "b": "busy"}):
        assert [d.staff for d in roster_at(site, ten, availability, {}, {"a": "b"}).by_unit["201"]] == ["a"]
    gone = roster_at(site, ten, {"a": "break"}, {"b": Shift(ten - 1, ten + 1)}, {"a": "b"})
    assert [d.staff for d in gone.by_unit["201"]] == ["a"]


def test_the_substitute_of_a_substitute_answers_for_both() -> None:
    """Who names somebody herself passes on what she answered for; a circle answers for nobody."""
    duties = tuple(Duty(staff, unit, (), DAY) for staff, unit in (("a", "201"), ("b", "202"), ("c", "203")))
    site = ward(duties)
    ten = at("2026-11-24T10:00")
    roster = roster_at(site, ten, {"a": "break", "b": "busy"}, {}, {"a": "b", "b": "c"})
    assert [d.staff for d in roster.by_unit["201"]] == ["a", "c"]
    assert [d.staff for d in roster.by_unit["202"]] == ["b", "c"]
    circle = roster_at(site, ten, {"a": "break", "b": "busy"}, {}, {"a": "b", "b": "a"})
    assert [d.staff for d in circle.by_unit["201"]] == ["a"]


def test_a_unit_is_staffed_by_who_signed_on_and_not_by_who_signed_off() -> None:
    """Half an hour ahead the ward is warned by what people said, too."""
    site = ward((Duty("a", "201", ("ssk",), DAY), Duty("b", "202", ("ssk",), DAY)))
    ten = at("2026-11-24T10:00")
    assert unstaffed(site, ten) == ()
    assert unstaffed(site, ten, {"a": Shift(ten - 1, ten + 1)}) == ("201",)
    assert unstaffed(site, ten, {"a": Shift(ten - 1, ten + 1, "202", lent=True)}) == ("201",)
    assert unstaffed(
        site, at("2026-11-24T16:00"), {"a": on("202", "2026-11-24T07:00", "2026-11-24T16:30")}
    ) == ("201",)
