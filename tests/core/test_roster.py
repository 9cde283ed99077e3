"""Who is on duty at an instant: shifts, care teams, cover, the hash, and the next change."""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from zoneinfo import ZoneInfo

import msgspec

from alarmhub.core.roster import next_change, roster_at, unstaffed
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
    begin = perf_counter()
    roster = roster_at(site, at("2026-11-24T14:00"), {})
    change = next_change(site, at("2026-11-24T14:00"))
    taken_s = perf_counter() - begin
    assert len(roster.on_duty) == 2000 and change == at("2026-11-24T15:30")
    assert taken_s < 0.25  # a busy machine; 20 ms is usual
