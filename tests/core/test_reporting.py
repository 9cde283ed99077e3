"""What a source is told, how much of it, and about whom."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import Report
from alarmhub.core.events import ORIGIN_LIMIT, Rang
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Reports
from tests.support.ward import Call, Ward


def told(call: Call) -> list[str]:
    """Each report as "status person", in order."""
    return [f"{r.status} {r.staff}".strip() for r in reports(call)]


def reports(call: Call) -> list[Report]:
    """The reports so far."""
    return [e for e in call._ward.effects[call.id] if isinstance(e, Report)]


def test_a_source_that_hears_of_each_is_told_who_rang_looked_declined_and_took_it() -> None:
    """By name and role; the alarm's own statuses name nobody."""
    ward = Ward()
    call = ward.press("12/1", source="monitor")
    assert told(call) == ["queued", "paged anna", "paged bo"]
    ward.feed(call.id, Rang("bo", "d", seen=True))
    ward.feed(call.id, Rang("bo", "d", seen=True))
    call.declines("bo")
    call.accepts("anna")
    ward.reset("12/1", Kind.PATIENT_CALL, source="monitor")
    assert told(call)[3:] == ["read bo", "rejected bo", "accepted anna", "ended"]
    taken = reports(call)[-2]
    assert (taken.name, taken.role) == ("Anna", "ssk")
    assert (reports(call)[-1].name, reports(call)[-1].role) == ("", "")


def test_looking_is_ringing_too() -> None:
    """A phone that says it was looked at has rung: both are told, in that order."""
    ward = Ward()
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1", source="monitor")
    ward.feed(call.id, Rang("anna", "d", seen=True))
    ward.feed(call.id, Rang("anna", "d"))
    assert told(call) == ["queued", "paged anna", "read anna"]


def test_each_turn_tells_of_each_person_once_and_the_last_resort_is_one_turn() -> None:
    """Its repeats every minute are no news to the source."""
    ward = Ward()
    call = ward.press("12/1", source="monitor")
    ward.at(45)
    assert told(call).count("paged anna") == 2, "the second step rings her again"
    ward.at(45 + 60 + 60)
    assert "last_resort" in call.flags
    before = told(call)
    assert before.count("paged gun") == 1
    ward.at(30 * 60)
    assert call.alarm.last_resort_rings > 20
    assert [t for t in told(call) if t.startswith("paged")] == [t for t in before if t.startswith("paged")]


def test_a_phone_that_comes_back_during_the_last_resort_is_news() -> None:
    """It rings for the first time."""
    ward = Ward()
    ward.mute_phones = {"gun"}
    call = ward.press("12/1", source="monitor")
    ward.at(200)
    assert "paged gun" not in told(call)
    ward.mute_phones = set()
    ward.at(300)
    assert told(call).count("paged gun") == 1


def test_a_part_of_a_team_is_not_accepted_to_the_source() -> None:
    """Once it is complete the source hears of each who takes it, and later of each who joins."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE, source="monitor")
    call.accepts("anna")
    assert "accepted anna" not in told(call) and call.phase == "partly_accepted"
    call.accepts("bo")
    assert told(call)[-2:] == ["accepted anna", "accepted bo"]
    sos = ward.press("13", Kind.EMERGENCY, source="monitor")
    sos.accepts("anna")
    sos.accepts("cia")
    assert [t for t in told(sos) if t.startswith("accepted")] == ["accepted anna", "accepted cia"]


def test_a_role_of_a_team_is_the_one_taken() -> None:
    """Not the one on the roster."""
    ward = Ward()
    call = ward.press("12", Kind.TEAM, type="heart", source="monitor")
    call.accepts("anna", "bo", "kim", "lena")
    roles = {r.staff: r.role for r in reports(call) if r.status == "accepted"}
    assert roles == {"kim": "anaesthetist", "lena": "physician", "anna": "ward", "bo": "ward"}


def test_who_takes_over_is_told() -> None:
    """To a source that hears of each; the alarm as a whole was taken before."""
    ward = Ward()
    both = [ward.press("12/1", source="monitor"), ward.press("12/2")]
    for call in both:
        call.accepts("anna")
        call.says("bo", "take_over")
    assert told(both[0])[-1] == "accepted bo"
    assert told(both[1]).count("accepted") == 1


def test_presence_takes_it_without_a_name() -> None:
    """Nobody said who is in the room."""
    ward = Ward()
    call = ward.press("12/1", source="monitor")
    ward.present("12")
    assert told(call)[-1] == "accepted"


@pytest.mark.parametrize("hears", [Reports.ALARM, True])
def test_a_source_that_hears_of_the_alarm_is_told_no_names(hears: Reports | bool) -> None:
    """Once paged, once accepted; a site stored earlier says yes instead."""
    ward = Ward()
    ward.change_site(
        sources={**ward.site.sources, "plant": replace(ward.site.sources["plant"], reports=hears)}
    )
    call = ward.press("12/1")
    ward.feed(call.id, Rang("bo", "d", seen=True))
    call.declines("bo")
    call.accepts("anna")
    assert told(call) == ["queued", "paged", "accepted"]


def test_the_words_of_the_adapter_come_back_with_every_report() -> None:
    """The newest it gave, beside what the alarm is called; too long ones are dropped whole."""
    ward = Ward()
    call = ward.press("12/1", key="k7", ref="7", origin='{"control":"A1"}', source_text="SAL 12")
    ward.press("12/1", key="k7", ref="7")
    call.accepts("anna")
    ward.signal("12/1", event="update", key="k7", origin='{"control":"A2"}')
    ward.press("12/1", key="k7", origin="x" * (ORIGIN_LIMIT + 1))
    ward.reset("12/1", key="k7")
    assert {(r.key, r.ref, r.source_text) for r in reports(call)} == {("k7", "7", "SAL 12")}
    said = [(str(r.status), r.origin) for r in reports(call)]
    assert said == [
        ("queued", '{"control":"A1"}'),
        ("paged", '{"control":"A1"}'),
        ("accepted", '{"control":"A1"}'),
        ("ended", '{"control":"A2"}'),
    ]
    kept = ward.press("12/2", origin="x" * ORIGIN_LIMIT)
    assert len(kept.alarm.origin) == ORIGIN_LIMIT


# -- return of responsibility: turns


def test_each_turn_of_responsibility_is_returned_once() -> None:
    """Returned, taken back, given back: a new turn, counted from there, on the millisecond."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(179.999)
    assert "unanswered" not in told(call)
    ward.at(180)
    assert told(call)[-1] == "unanswered" and "returned" in call.flags
    ward.at(900)
    assert told(call).count("unanswered") == 1, "steps and the last resort's repeats are no new turn"
    call.accepts("anna")
    assert told(call)[-1] == "accepted" and "returned" not in call.flags
    call.says("anna", "release")
    ward.at(900 + 179.999)
    assert told(call)[-1] == "accepted"
    ward.at(900 + 180)
    assert told(call)[-1] == "unanswered" and "returned" in call.flags
    ward.present("12")
    assert told(call)[-1] == "accepted" and not {"returned", "unanswered"} & call.flags
    assert call.codes.count("responsibility_taken_back") == 2


def test_not_attended_in_time_is_given_back() -> None:
    """The source heard "accepted" and nobody came: after return_after it hears that too."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.at(300 + 179.999)
    assert "unanswered" not in told(call) and "not_attended" in call.flags
    ward.at(300 + 180)
    assert told(call)[-1] == "unanswered"


def test_nobody_reachable_is_told_at_once_and_once_a_turn() -> None:
    """Not when somebody may still answer; in the next turn again."""
    ward = Ward()
    ward.no_phone(*(p for p in ward.site.staff if p not in ("anna", "vera")))
    call = ward.press("12/1", source="button")
    ward.at(170)
    assert "absent" not in told(call)
    ward.no_phone("anna", "vera")
    ward.at(179)
    assert "absent" not in told(call), "the last resort has not rung yet since"
    ward.at(30 * 60)
    assert told(call).count("unanswered") == 1
    assert "absent" not in told(call), "it was told already, and nobody's phone has rung since"
    ward.phone("anna", Reach.LIVE)
    call.accepts("anna")
    assert told(call)[-1] == "accepted" and "returned" not in call.flags
    ward.no_phone("anna")
    ward.later(59.999)
    assert told(call)[-1] == "accepted"
    ward.later(0.001)
    assert told(call)[-1] == "absent" and "returned" in call.flags


def test_reached_after_all_and_not_answered_is_returned_too() -> None:
    """The source heard "absent", then "paged": it must not believe that somebody comes."""
    ward = Ward()
    ward.no_phone(*ward.site.staff)
    call = ward.press("12/1")
    assert told(call) == ["queued", "absent"] and "returned" in call.flags
    ward.later(20)
    ward.phone("anna", Reach.LIVE)
    ward.at(179.999)
    assert told(call) == ["queued", "absent", "paged"]
    ward.at(180)
    assert told(call)[-1] == "unanswered"


def test_worse_is_a_new_turn() -> None:
    """The source hears of the graver alarm after the graver one's time."""
    ward = Ward()
    call = ward.press("12", Kind.PATIENT_CALL, key="k")
    ward.at(200)
    ward.press("12", Kind.EMERGENCY, key="k")
    ward.at(229.999)
    assert told(call).count("unanswered") == 1
    ward.at(230)
    assert told(call).count("unanswered") == 2
    ward.at(400)
    assert told(call).count("unanswered") == 2
