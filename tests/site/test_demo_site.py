"""The demo site is what ward.md says it is, at every hour of the week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alarmhub.core.events import Raised, Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.core.roster import Roster, next_change, roster_at, unstaffed
from alarmhub.core.routing import resolve
from alarmhub.core.signalling import open_new
from alarmhub.core.site import Site, number_of
from alarmhub.core.world import World
from alarmhub.inbound.mapping import Words, map_words
from alarmhub.inbound.numbers import by_number
from alarmhub.site import check

CHECKED = check((Path(__file__).parents[2] / "config" / "demo.toml").read_text())
WEEK_MS = 7 * 24 * 3_600_000


@pytest.fixture
def site() -> Site:
    """The demo site, which checks clean."""
    assert isinstance(CHECKED, Site), [str(fault) for fault in CHECKED]
    return CHECKED


def at(text: str) -> int:
    """Epoch ms of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Stockholm")).timestamp()) * 1000


def rosters(site: Site, first: str = "2026-11-23T00:00") -> Iterator[tuple[int, Roster]]:
    """Every roster of a week, from change to change."""
    now: int | None = at(first)
    while now is not None and now < at(first) + WEEK_MS:
        yield now, roster_at(site, now, {})
        now = next_change(site, now)


def people(roster: Roster, unit: str) -> set[str]:
    """Who is on duty in a unit."""
    return {entry.staff for entry in roster.by_unit.get(unit, ())}


def test_it_has_225_beds_in_the_units_of_the_hospital(site: Site) -> None:
    """As many as ward.md counts, unit by unit."""
    beds = Counter(place.unit for place in site.places.values() if place.point == "bed")
    assert sum(beds.values()) == 225
    wanted = {
        "AVA": 12,
        "201": 20,
        "202": 20,
        "203": 16,
        "204": 17,
        "205": 14,
        "301": 20,
        "302": 20,
        "303": 12,
    }
    wanted |= {"IVA": 6, "BB": 12, "NEO": 6, "barn": 8, "infektion": 12, "palliativ": 8}
    assert {unit: beds[unit] for unit in wanted} == wanted
    assert len({unit.site for unit in site.units.values()}) == 7
    telemetry = [place for place in site.places.values() if "/tele-" in place.path]
    assert len(telemetry) == 24 and all(place.unit == "203" for place in telemetry)


def test_no_unit_is_ever_unstaffed_and_only_one_bed_lacks_a_care_team(site: Site) -> None:
    """All week; 303 is closed at the weekend and has no teams then."""
    for now, roster in rosters(site):
        assert unstaffed(site, now) == ()
        open_beds = (p.path for p in site.places.values() if p.point == "bed" and roster.by_unit.get(p.unit))
        assert [path for path in open_beds if path not in roster.by_bed] == ["fjallmark/204/11/2"]


def test_every_team_can_be_called_at_any_hour(site: Site) -> None:
    """Each role of each team has somebody on duty, in the middle of the night too."""
    roles = {m.role for t in site.types.values() if t.kind is Kind.TEAM for m in t.team} - {"ward"}
    assert {"anaesthesia", "physician", "hia", "paediatrician", "surgeon", "obstetrician"} <= roles
    for _, roster in rosters(site):
        assert not [role for role in roles if not roster.by_role.get(role)]


def test_every_last_resort_reaches_somebody_outside_the_unit_at_any_hour(site: Site) -> None:
    """The switchboard, a guard, an engineer or a doctor is on duty whenever it rings."""
    for _, roster in rosters(site):
        for unit in site.units.values():
            targets = [target.partition(":") for target in unit.last_resort]
            by_role = {e.staff for kind, _, n in targets if kind == "role" for e in roster.by_role.get(n, ())}
            by_unit = {e.staff for kind, _, n in targets if kind == "unit" for e in roster.by_unit.get(n, ())}
            assert (by_role | by_unit) - people(roster, unit.id), unit.id


def test_one_nurse_is_shared_by_201_and_202_at_night(site: Site) -> None:
    """She is the only nurse of either, and the only one on both."""
    night = roster_at(site, at("2026-11-24T23:30"), {})
    assert people(night, "201") & people(night, "202") == {"maria.norrman"}
    for unit in ("201", "202"):
        assert [e.staff for e in night.by_unit[unit] if "ssk" in e.roles] == ["maria.norrman"]


def test_an_assistant_nurse_is_alone_on_205_at_night_covered_by_204(site: Site) -> None:
    """One person, no nurse, and cover that is staffed."""
    night = roster_at(site, at("2026-11-24T23:30"), {})
    (alone,) = night.by_unit["205"]
    assert alone.roles == ("usk",)
    assert [cover.by for cover in night.covers if cover.unit == "205"] == ["204"]


def test_303_is_closed_from_friday_16_to_monday_07_and_covered_by_301(site: Site) -> None:
    """At the last millisecond of Friday's shift it is open, at the first of Monday's again."""
    for moment, is_open in (
        (at("2026-11-27T16:00") - 1, True),
        (at("2026-11-27T16:00"), False),
        (at("2026-11-28T10:00"), False),
        (at("2026-11-30T07:00") - 1, False),
        (at("2026-11-30T07:00"), True),
    ):
        roster = roster_at(site, moment, {})
        assert bool(people(roster, "303")) is is_open
        assert [c.by for c in roster.covers if c.unit == "303"] == (["302"] if is_open else ["301"])


def test_an_ordinary_tuesday_has_a_pool_nurse_and_a_doctor_with_a_pager(site: Site) -> None:
    """24 November 2026, 10:00: the nurse has no beds, the doctor's pager is one-way."""
    day = roster_at(site, at("2026-11-24T10:00"), {})
    (pool,) = [entry for entry in day.by_unit["201"] if not entry.beds]
    assert pool.staff == "petra.lidman" and pool.roles == ("ssk",)
    (doctor,) = day.by_role["physician"]
    assert site.staff[doctor.staff].pager == "1042"
    assert set(day.by_bed["fjallmark/201/12/2"]) == {"bengt.granberg", "gustav.frisk"}
    assert site.places["fjallmark/201/12/2"].label == "sal 12 plats 2"


def test_a_carried_assault_button_knows_its_person(site: Site) -> None:
    """Hers is the phone that stays silent; she works on the unit of the button."""
    button = site.places["fjallmark/501/larm-9"]
    assert button.person == "hassan.ohman"
    assert button.person in people(roster_at(site, at("2026-11-24T10:00"), {}), "501")


def test_the_sources_differ_in_what_they_can_say(site: Site) -> None:
    """A polled plant with resets, a select-only one without, and an HTTP plant; samples for the first two."""
    polled, select_only, http = (site.sources[name] for name in ("plant-201", "plant-301", "http-plant"))
    assert (polled.protocol, polled.ends) == ("espa", "source")
    assert (select_only.protocol, select_only.ends) == ("espa", "staff")
    assert (http.protocol, http.assistance_by) == ("http", "hub")
    assert len(polled.samples) >= 10
    assert {sample.event for sample in polled.samples} == {"start", "end", "presence_on", "presence_off"}


@pytest.mark.parametrize(
    ("number", "people", "unit"),
    [
        ("1042", {"britta.alm"}, "lakarjour"),
        ("2010", {"anna.berglund", "bengt.granberg", "gustav.frisk", "karin.dahlin", "petra.lidman"}, "201"),
        ("2011", {"anna.berglund", "karin.dahlin"}, "201"),
        ("2012", {"bengt.granberg", "gustav.frisk"}, "201"),
        ("2019", {"anna.berglund"}, "201"),
        ("2029", {"jonas.backlund"}, "202"),
    ],
)
def test_a_pager_number_rings_whom_it_rang_yesterday(
    site: Site, number: str, people: set[str], unit: str
) -> None:
    """An ordinary Tuesday: a person, all of a ward, team blue, team green, the shift leaders."""
    page = by_number(Signal("plant-201", SignalEvent.ONCE, source_text="4711"), number, site)
    roster = roster_at(site, at("2026-11-24T10:00"), {})
    world = World(site=site, roster=roster, reach={})
    alarm = open_new(Raised(page, "a"), world, 0)
    assert {found.staff for found in resolve(page.targets, alarm, world).people} == people
    assert (page.unit, page.callback) == (unit, "4711")


def test_every_number_of_the_wards_words_is_known(site: Site) -> None:
    """2010-2059, 3010-3039, 5010-5029, 7000-7099, 9001, 9008, and one for each person."""
    wanted = [*range(2010, 2060), *range(3010, 3040), *range(5010, 5030), *range(7000, 7100), 9001, 9008]
    assert all(number_of(site, str(number)) for number in wanted)
    assert {number.staff for number in site.numbers if number.staff} == set(site.staff)
    assert all(1000 <= int(number.first) < 1800 for number in site.numbers if number.staff)
    technical = number_of(site, "7042")
    assert technical is not None and (technical.type, technical.unit) == ("tekniskt", "samdrift")


def test_every_protocol_has_a_source_with_rules_or_numbers_and_samples(site: Site) -> None:
    """One for each way in, which serves its fallback unit too; the HTTP plant names places itself."""
    spoken = {source.protocol for source in site.sources.values()}
    assert spoken == {
        "http", "espa", "espax", "hl7", "mqtt", "modbus", "alertmanager", "scaip", "snpp", "smtp"
    }  # fmt: skip
    for source in site.sources.values():
        if source.protocol != "http":
            assert len(source.samples) >= 3, source.id
            assert source.rules or all(number_of(site, sample.address) for sample in source.samples), (
                source.id
            )
            assert set(source.units) >= {source.fallback_unit} or source.id == "plant-201", source.id


def test_clinical_alarms_come_only_from_the_source_somebody_answers_for(site: Site) -> None:
    """A named person of the house, and a date; no other source raises one."""
    enabled = {source.id: source.clinical_enabled_by for source in site.sources.values()}
    assert {id: by for id, by in enabled.items() if by} == {"monitor-gw": "Britta Alm, 2026-11-01"}
    assert site.staff["britta.alm"].name == "Britta Alm"
    raising = {s.id for s in site.sources.values() if any(x.kind is Kind.CLINICAL for x in s.samples)}
    assert raising == {"monitor-gw"}


def test_what_only_a_reset_ends_is_ended_by_a_desk_where_the_source_sends_none(site: Site) -> None:
    """The silent ones, all: pager numbers of the house reach an assault alarm over any of them."""
    silent = {source.id for source in site.sources.values() if source.ends == "staff"}
    assert silent == {
        "plant-301", "knappar-bjorkvattnet", "vaxel-konsol", "labbsystem", "trygghetslarm-norrsele"
    }  # fmt: skip
    assert {source.id for source in site.sources.values() if source.ends_by_desk} == silent


def test_the_two_call_systems_of_205_are_joined_and_say_the_same(site: Site) -> None:
    """What both report of a bed is of one place and type, or nothing would ever be joined."""
    [rule] = site.joins
    assert set(rule.sources) == {"plant-201", "kallelse-205"} and rule.places == ("fjallmark/205",)
    old = map_words(Words("2050", "205 Sal 6 Plats 2"), site.sources["plant-201"], site)
    new = map_words(Words("2050", "205 rum 6 plats 2"), site.sources["kallelse-205"], site)
    assert [(s.place, s.type) for s in old] == [(s.place, s.type) for s in new]
    assert old[0].place == "fjallmark/205/6/2"


def test_numbers_for_text_messages_are_nobodys(site: Site) -> None:
    """All are of the range kept for fiction (070-174 06 05 to 070-174 06 99), and people at home have one."""
    numbers = {person.id: person.sms for person in site.staff.values() if person.sms}
    assert all(605 <= int(number.removeprefix("+46701740")) <= 699 for number in numbers.values())
    assert {"tilda.nyberg", "edvin.granberg"} <= set(numbers)
