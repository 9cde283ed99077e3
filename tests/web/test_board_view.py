"""The board as a value, from the invented ward: what staff read, and what the public never does."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub.core.drilling import DrillLine, Outcome
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.roster import Shift
from alarmhub.core.site import Cover, Duty, Place
from alarmhub.core.trials import Maintenance
from alarmhub.engine.handset import PhoneWarning
from alarmhub.people import DrillRow
from alarmhub.web.board_view import ALARMS_MOST, Board, Facts, Label, RedPhone, board, red_phones
from tests.support.ward import ALWAYS, HEART, T0, Ward

SECRET_WORDS = "Bengt Karlsson ligger i sal 12"


def hung(ward: Ward, unit: str = "201", *, public: bool = False, **facts: Any) -> Board:
    """The board of a unit as it hangs now."""
    usual: dict[str, Any] = {
        "now": ward.now,
        "storing": True,
        "alarms": ward.open,
        "shown_to": lambda staff: [a for a in ward.open if any(t.staff == staff for t in a.told)],
        "maintenances": {},
    }
    return board(unit, ward.world, Facts(**(usual | facts)), public=public)


def test_most_urgent_first_and_ringing_before_taken() -> None:
    """As on the phones: an emergency above assistance above calls; what nobody has taken above what is."""
    ward = Ward()
    first = ward.press("12/1")
    ward.press("13/1")
    first.accepts("anna")
    ward.press("14", Kind.ASSISTANCE)
    ward.press("13", Kind.EMERGENCY)

    shown = [(alarm.kind, alarm.place.sv) for alarm in hung(ward).alarms]
    assert shown == [
        (Kind.EMERGENCY, "sal 13"), (Kind.ASSISTANCE, "sal 14"),
        (Kind.PATIENT_CALL, "sal 13 plats 1"), (Kind.PATIENT_CALL, "sal 12 plats 1"),
    ]  # fmt: skip


def test_who_is_coming_and_who_is_there() -> None:
    """By name for staff, by number for the public."""
    ward = Ward()
    call = ward.press("13", Kind.ASSISTANCE)
    call.accepts("anna", "dan")
    call.attends("dan")

    [row] = hung(ward).alarms
    assert (row.coming, row.there, row.names, row.there_names) == (1, 1, ("Anna",), ("Dan",))
    [row] = hung(ward, public=True).alarms
    assert (row.coming, row.there, row.names, row.there_names) == (1, 1, (), ())


def test_labels_come_in_both_languages() -> None:
    """Type, phase and flags; the page chooses."""
    ward = Ward()
    ward.press("12", "team", type=HEART.id)
    row = hung(ward).alarms[0]

    assert row.label == Label("Hjärtlarm vuxen", "Adult cardiac arrest")
    assert row.phase_label == Label("ringer", "ringing")
    assert [role.sv for role in row.missing] == ["narkosläkare", "medicinjour", "avdelningens personal"]
    assert row.missing[2].en == "the ward's staff"


def test_no_free_text_whoever_wrote_it() -> None:
    """Neither the plant's words, a colleague's, an engineer's note, nor a place nobody knows."""
    ward = Ward()
    said = dict.fromkeys(("text", "source_text", "origin", "callback"), SECRET_WORDS)
    ward.press("12/1", **said)
    ward.press(f"f/201/{SECRET_WORDS}", source="words", type=SECRET_WORDS, source_text=SECRET_WORDS)
    window = Maintenance("plant", "dan", T0, T0 + 60_000, note=SECRET_WORDS)

    for public in (False, True):
        shown = hung(ward, public=public, maintenances={"plant": window})
        assert len(shown.alarms) == 2
        assert SECRET_WORDS not in msgspec.json.encode(shown).decode()
        assert {alarm.place.sv for alarm in shown.alarms} == {"sal 12 plats 1", "okänd plats"}
        assert [alarm.label.en for alarm in shown.alarms] == ["patient call", "patient call"]
        assert [said.source for said in shown.banners] == ["Kallelseanläggningen"]


def test_the_public_board_has_no_person_in_it() -> None:
    """Whatever happens: no name, no id, no word of anybody's phone; only how many."""
    ward = Ward()
    carried = Place("f/201/button", "Annas knapp", "201", "button", person="anna")
    ward.change_site(places={**ward.site.places, carried.path: carried})
    ward.press("button", Kind.ASSISTANCE, person="anna").accepts("bo", "cia")
    ward.press("12", "team", type=HEART.id).accepts("kim", "lena")
    ward.press("13/1").says("anna", "hold")
    ward.available("bo", "break")
    red = [RedPhone(staff="anna", device="annas-telefon", code="muted", since=T0)]
    facts: dict[str, Any] = {"red": red}

    said = msgspec.json.encode(hung(ward, public=True, **facts)).decode()
    staff_said = msgspec.json.encode(hung(ward, **facts)).decode()
    assert "muted" not in said and "telefon" not in said
    for person in ward.site.staff.values():
        assert f'"{person.id}' not in said
        assert person.name not in said
    assert all(name in staff_said for name in ("Anna", "Bo", "Cia", "Kim", "Lena", "muted"))
    shown = hung(ward, public=True, **facts)
    assert (shown.people, shown.red, shown.red_phones) == ((), (), 1)
    assert (shown.counts.on_duty, shown.counts.reachable, shown.counts.away) == (4, 4, 1)


def test_an_assault_leaves_no_trace_in_its_own_unit() -> None:
    """Not the alarm, not its place, not who went to it, and no number that moves."""
    ward = Ward()
    before = [hung(ward, public=public) for public in (False, True)]
    ward.press("13", Kind.ASSAULT).accepts("anna", "bo")

    assert [hung(ward, public=public) for public in (False, True)] == before
    [veiled] = hung(ward, "202").alarms
    assert (veiled.shown, veiled.label.sv, veiled.unit) == ("veiled", "överfallslarm", "Avd 201")
    assert (veiled.place, veiled.names, veiled.flags, veiled.sound) == (Label("", ""), (), (), "")
    assert "sal 13" not in msgspec.json.encode(veiled).decode()
    assert hung(ward, "202", public=True).alarms == ()


def test_the_people_of_the_ward_and_how_they_are_reached() -> None:
    """Roles, beds, reach, break, and where somebody has gone."""
    ward = Ward()
    ward.phone("bo", Reach.PUSHABLE)
    ward.phone("cia", Reach.RECENT)
    ward.no_phone("dan")
    ward.available("cia", "break")
    ward.press("12", Kind.EMERGENCY).accepts("anna", "eva")

    people = {person.name: person for person in hung(ward).people}
    assert list(people) == ["Anna", "Bo", "Cia", "Dan"]
    assert [p.reach for p in people.values()] == [Reach.LIVE, Reach.PUSHABLE, Reach.RECENT, Reach.NONE]
    assert [p.beds for p in people.values()] == [2, 1, 2, 0]
    assert [role.sv for role in people["Dan"].roles] == ["ssk", "ledningsansvarig"]
    assert people["Cia"].state == "break"
    assert people["Anna"].at == (Label("akutlarm sal 12", "emergency sal 12"),)
    [eva] = [person for person in hung(ward, "202").people if person.name == "Eva"]
    assert eva.at == (Label("akutlarm sal 12, Avd 201", "emergency sal 12, Avd 201"),)


def test_somebody_with_two_duties_here_stands_once_and_on_site() -> None:
    """A person who is on call at home and works here too is here."""
    ward = Ward()
    ward.on_duty(Duty("anna", "201", ("house_doctor",), ALWAYS, on_site=False))
    assert [p.on_site for p in hung(ward).people if p.name == "Anna"] == [True]
    assert hung(ward).counts.on_duty == 4


def test_who_is_signed_on_and_who_only_scheduled() -> None:
    """By their word for this unit, as long as it counts."""
    ward = Ward()
    said = {
        "anna": Shift(at=T0, until=T0 + 1, unit="201"), "bo": Shift(at=T0, until=T0, unit="201"),
        "cia": Shift(at=T0, until=T0 + 1, unit="202"),
    }  # fmt: skip
    people = {person.name: person.signed_on for person in hung(ward, shifts=said).people}
    assert people == {"Anna": True, "Bo": False, "Cia": False, "Dan": False}


def test_lent_places_stand_on_both_boards() -> None:
    """Room 14 of 201 is 205's tonight: who answers for it, and who does not."""
    ward = Ward()
    ward.covers(Cover("205", ALWAYS, place="f/201/14"))
    assert (hung(ward, "201").lent, hung(ward, "205").lent) == (("sal 14 (Avd 205)",), ())
    assert (hung(ward, "201").covers, hung(ward, "205").covers) == ((), ("sal 14 (Avd 201)",))


def test_gaps_unstaffed_and_cover() -> None:
    """Beds without a team; a unit with nobody and no cover; who covers, and who is covered."""
    ward = Ward()
    shown = hung(ward)
    assert (shown.gaps, shown.gap_count) == (("sal 14 plats 1", "sal 14 plats 2", "isolering plats 1"), 3)
    assert (shown.covered_by, shown.covers, shown.unstaffed) == (("Avd 202",), (), False)
    assert hung(ward, "202").covers == ("Avd 201", "Avd 205")

    assert hung(ward, "empty").unstaffed
    ward.off_duty("olle")
    assert not hung(ward, "205").unstaffed
    ward.covers()
    assert hung(ward, "205").unstaffed


def test_maintenance_is_a_banner_until_its_end_and_only_for_its_units() -> None:
    """Source and hours, in the units the source's silence concerns."""
    ward = Ward()
    window = Maintenance("plant", "dan", T0, T0 + 60_000)
    for at, banners in ((T0, 1), (T0 + 59_999, 1), (T0 + 60_000, 0)):
        assert len(hung(ward, now=at, maintenances={"plant": window}).banners) == banners
    [banner] = hung(ward, maintenances={"plant": window}).banners
    assert (banner.code, banner.from_at, banner.until_at) == ("maintenance", T0, T0 + 60_000)
    assert hung(ward, "205", maintenances={"plant": window}).banners == ()


def test_calls_that_do_not_arrive_stand_across_the_board() -> None:
    """The hub's own news of a silent plant is more than one row among others."""
    ward = Ward()
    ward.press("?", Kind.TECHNICAL, source="hub", type="calls_not_arriving", unit="201", text=SECRET_WORDS)

    shown = hung(ward)
    assert [banner.code for banner in shown.banners] == ["calls_not_arriving"]
    assert shown.alarms[0].label.sv == "kallelser når inte telefonerna"
    assert shown.alarms[0].place == Label("", "")
    assert hung(ward, "205").banners == ()


def test_what_is_not_stored_reaches_the_board() -> None:
    """Both variants say it."""
    assert [hung(Ward(), storing=False, public=public).storing for public in (False, True)] == [False, False]


def test_the_red_list_has_warnings_and_the_last_drill_of_who_is_on_duty_here() -> None:
    """Whose phone, what is wrong, over which way and since when; each said once; not who went home."""
    ward = Ward()
    ward.off_duty("cia")
    muted = [
        PhoneWarning(who, who.capitalize(), f"{who}-{n}", SECRET_WORDS, "muted", SECRET_WORDS, T0)
        for who, n in (("anna", 1), ("anna", 2), ("cia", 1), ("eva", 1))
    ]
    drill = DrillRow(id="d", unit="201", cause="asked", began_at=T0 + 5, result=None, ended_at=T0 + 9)
    failed = [
        DrillLine("bo", "bo-1", "webpush", Outcome.FAILED, "no_receipt"),
        DrillLine("cia", "cia-1", "socket", Outcome.FAILED, "no_contact"),
    ]
    red = red_phones("201", ward.world, muted, drill, failed)
    shown = hung(ward, red=red)

    assert [(line.name, line.code, line.channel, line.since) for line in shown.red] == [
        ("Anna", "muted", "", T0), ("Bo", "no_receipt", "webpush", T0 + 9),
    ]  # fmt: skip
    assert shown.red_phones == 3
    assert SECRET_WORDS not in msgspec.json.encode(shown).decode()
    assert red_phones("201", ward.world, [], None, []) == []


def test_more_alarms_than_fit_are_counted_never_dropped_in_silence() -> None:
    """The most urgent are listed."""
    ward = Ward()
    call = ward.press("12/1").alarm
    many = [replace(call, id=f"x{n}", raised_at=T0 + n) for n in range(ALARMS_MOST + 7)]
    urgent = replace(call, id="urgent", priority=ward.press("13", Kind.EMERGENCY).alarm.priority)

    shown = hung(ward, alarms=[*many, urgent])
    assert (len(shown.alarms), shown.more) == (ALARMS_MOST, 8)
    assert shown.alarms[0].id == "urgent"


def test_an_unchanged_board_is_an_equal_one() -> None:
    """Time alone changes nothing on it: ages are the page's."""
    ward = Ward()
    ward.press("12/1")
    assert hung(ward) == hung(ward, now=ward.now + 5_000)
