"""One event over two paths is one alarm; whatever is in doubt rings as an alarm of its own."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Path
from alarmhub.core.effects import Report
from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import AlarmType, JoinRule, Reports, SourceRules, TeamRole
from tests.support.ward import T0, Call, S, Ward

RULE = JoinRule(("plant", "espa", "mqtt"), 5)


def two_paths(*rules: JoinRule) -> Ward:
    """The ward's plant also speaks over two other lines."""
    ward = Ward()
    espa = SourceRules("espa", "Samma anläggning, serielinje", "f", "201", reports=Reports.ALARM)
    mqtt = SourceRules("mqtt", "Samma anläggning, MQTT", "f", "201", ends="staff", reports=Reports.EACH)
    ward.change_site(sources={**ward.site.sources, "espa": espa, "mqtt": mqtt}, joins=rules or (RULE,))
    return ward


def to(call: Call, source: str) -> list[str]:
    """What one source was told of an alarm: "status person"."""
    effects = call._ward.effects[call.id]
    return [f"{e.status} {e.staff}".strip() for e in effects if isinstance(e, Report) and e.source == source]


def test_one_event_over_two_paths_is_one_alarm() -> None:
    """It rings once; the time line shows both, and the alarm knows what each calls it."""
    ward = two_paths()
    call = ward.press("12/1", key="7", source_text="SAL 12 PL 1")
    ward.at(2)
    again = ward.press("12/1", source="espa", key="x9", ref="1201", source_text="12:1 KALLELSE", origin="o")
    assert again.id == call.id and len(ward.open) == 1
    assert call.alarm.turn == 1 and call.alarm.count == 1 and call.alarm.at == T0 + 2 * S
    assert call.facts("joined") == {"source": "espa", "first": "plant", "source_text": "12:1 KALLELSE"}
    assert call.alarm.paths == (Path("espa", "x9", "1201", T0 + 2 * S, "12:1 KALLELSE", "o"),)
    assert call.alarm.keys == (("plant", "7"), ("espa", "x9"))
    assert call.alarm.source_text == "SAL 12 PL 1"


def test_within_the_seconds_of_the_rule_and_no_longer() -> None:
    """On the millisecond; later it is an alarm of its own."""
    for at, alarms in ((5, 1), (5.001, 2)):
        ward = two_paths()
        ward.press("12/1")
        ward.at(at)
        ward.press("12/1", source="espa")
        assert len(ward.open) == alarms


def apart(ward: Ward, first: dict[str, Any], second: dict[str, Any], **then: Any) -> bool:
    """Whether two starts, each at a place, open an alarm each."""
    ward.press(first.pop("place", "12/1"), first.pop("kind", Kind.PATIENT_CALL), **first)
    ward.press(second.pop("place", "12/1"), second.pop("kind", Kind.PATIENT_CALL), **second)
    return len(ward.open) == 2


ESPA = {"source": "espa"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {"key": "other"}, id="the same source"),
        pytest.param({}, {"source": "hubby"}, id="a source of no rule"),
        pytest.param({"source": "hubby"}, ESPA, id="the first of no rule"),
        pytest.param({}, ESPA | {"place": "12/2"}, id="another bed"),
        pytest.param({"place": "12"}, ESPA, id="the room, not the bed"),
        pytest.param({"place": "12"}, ESPA | {"place": "12"}, id="a room of two patients"),
        pytest.param({"place": "?x"}, ESPA | {"place": "?x"}, id="a place nobody knows"),
        pytest.param({}, ESPA | {"kind": Kind.TOILET_CALL}, id="another kind"),
        pytest.param({"kind": Kind.EMERGENCY}, ESPA, id="a lesser kind"),
        pytest.param({}, ESPA | {"kind": Kind.EMERGENCY}, id="a graver kind"),
        pytest.param({}, ESPA | {"kind": Kind.ASSAULT}, id="an assault"),
        pytest.param(
            {"kind": Kind.TEAM, "type": "heart"},
            ESPA | {"kind": Kind.TEAM, "type": "child"},
            id="another team",
        ),
        pytest.param(
            {"kind": Kind.ASSAULT, "person": "anna"},
            ESPA | {"kind": Kind.ASSAULT, "person": "bo"},
            id="another victim",
        ),
        pytest.param(
            {"kind": Kind.DRILL, "heard": True}, ESPA | {"kind": Kind.DRILL, "heard": True}, id="a drill"
        ),
        pytest.param({}, ESPA | {"targets": ("staff:eva",)}, id="people of its own"),
    ],
)
def test_what_is_not_plainly_the_same_rings_by_itself(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Never two patients in one alarm, never a graver one in a lesser one."""
    ward = two_paths()
    child = AlarmType("child", Kind.TEAM, "Hjärtlarm barn", team=(TeamRole("physician"),))
    ward.change_site(types={**ward.site.types, "child": child})
    assert apart(ward, dict(first), dict(second))


@pytest.mark.parametrize("kind", [k for k in Kind if k is not Kind.DRILL])
def test_every_kind_but_drills_can_be_joined(kind: Kind) -> None:
    """Also the gravest, with their own kind only."""
    ward = two_paths()
    type_ = "heart" if kind is Kind.TEAM else None
    assert not apart(ward, {"kind": kind, "type": type_}, ESPA | {"kind": kind, "type": type_})


def test_a_rule_can_name_kinds_and_places() -> None:
    """A place stands for what is below it, not for what begins with its letters."""
    ward = two_paths(
        JoinRule(("plant", "espa"), 5, kinds=(Kind.PATIENT_CALL,), places=("f/201/1", "f/201/12"))
    )
    assert not apart(ward, {}, dict(ESPA))
    assert len({ward.press("13/1").id, ward.press("13/1", **ESPA).id}) == 2
    assert (
        len({ward.press("12/wc", Kind.TOILET_CALL).id, ward.press("12/wc", Kind.TOILET_CALL, **ESPA).id}) == 2
    )


def test_two_calls_it_could_be_are_none() -> None:
    """The other path's word may be about either."""
    ward = two_paths()
    ward.press("12/1", key="1")
    ward.press("12/1", key="2")
    ward.press("12/1", source="espa")
    assert len(ward.open) == 3


def test_a_second_press_over_the_second_path_is_no_repeat_of_the_first() -> None:
    """Each path is in an alarm once; by its key it repeats, by another key it calls anew."""
    ward = two_paths()
    call = ward.press("12/1")
    ward.press("12/1", source="espa", key="1")
    assert ward.press("12/1", source="espa", key="1").id == call.id and call.alarm.count == 2
    assert ward.press("12/1", source="espa", key="2").id != call.id


def test_three_paths_can_be_one() -> None:
    """A site that changes its plant and its hub in the same month."""
    ward = two_paths()
    ids = {ward.press("12/1", source=source).id for source in ("espa", "mqtt", "plant")}
    assert len(ids) == 1


# -- the end


def test_the_end_over_either_path_ends_it_and_the_other_end_is_known() -> None:
    """The room resets both paths: each end names the same alarm, and ends nothing else."""
    for first, second in (("plant", "espa"), ("espa", "plant")):
        ward = two_paths()
        call = ward.press("12/1")
        other = ward.press("12/2")
        ward.press("12/1", source="espa")
        assert ward.reset("12/1", Kind.PATIENT_CALL, source=first) == [call.id]
        assert call.phase == "ended" and call.alarm.ended_by == "source"
        assert ward.reset("12/1", Kind.PATIENT_CALL, source=second) == [call.id]
        assert other.phase == "ringing"


def test_a_late_end_never_ends_the_next_call() -> None:
    """Reset and pressed again on one path while the other is still on its way: both presses ring."""
    ward = two_paths()
    call = ward.press("12/1")
    ward.press("12/1", source="espa")
    ward.at(60)
    ward.reset("12/1", Kind.PATIENT_CALL)
    next_call = ward.press("12/1")
    assert ward.reset("12/1", Kind.PATIENT_CALL, source="espa") == [call.id]
    assert next_call.phase == "ringing"
    other = ward.press("12/1", source="espa")
    assert other.id != next_call.id, "so soon after an end it could be the late word of the call that ended"
    ward.later(30)
    ward.reset("12/1", Kind.PATIENT_CALL)
    assert next_call.phase == "ended" and other.phase == "ringing"


def test_a_start_that_lags_behind_a_whole_call_is_not_joined_to_the_next() -> None:
    """Its end would come next, and end the wrong one."""
    ward = two_paths()
    ward.press("12/1")
    ward.at(1)
    ward.reset("12/1", Kind.PATIENT_CALL)
    second = ward.press("12/1")
    ward.at(2)
    late = ward.press("12/1", source="espa")
    ward.reset("12/1", Kind.PATIENT_CALL, source="espa")
    assert late.id != second.id and second.phase == "ringing" and late.phase == "ended"


def test_a_reset_of_the_room_over_the_second_path_fits_the_joined_call() -> None:
    """It names the room only; two calls there stay open and say so."""
    ward = two_paths()
    call = ward.press("12/1")
    ward.press("12/1", source="espa")
    assert ward.reset("12", source="espa") == [call.id] and call.phase == "ended"
    calls = [ward.press(bed, source=s) for bed in ("13/1", "13/2") for s in ("plant", "espa")]
    ward.reset("13", source="espa")
    assert len({c.id for c in calls}) == 2
    assert all(c.phase == "ringing" and "reset_unclear" in c.flags for c in calls)


def test_where_one_path_can_end_it_no_phone_can() -> None:
    """The room must reset it, whichever path came first; where none can, staff end it."""
    for order in (("plant", "mqtt"), ("mqtt", "plant")):
        ward = two_paths()
        calls = [ward.press("12/1", source=source) for source in order]
        assert calls[0].id == calls[1].id
        calls[0].attends("anna")
        assert calls[0].says("anna", "done").error == "not_allowed"
    ward = two_paths()
    call = ward.press("12/1", source="mqtt")
    ward.signal("12/1", event="once", source="espa")
    call.attends("anna")
    assert call.says("anna", "done").ok


def test_an_assault_over_two_paths_still_wants_a_responders_word() -> None:
    """And a press over the other path after a reset is a new one."""
    ward = two_paths()
    call = ward.press("12/1", Kind.ASSAULT)
    ward.press("12/1", Kind.ASSAULT, source="espa", person="bo")
    assert call.alarm.person == "bo" and "bo" not in call.shown
    ward.reset("12/1", Kind.ASSAULT, source="espa")
    assert call.phase != "ended" and "reset_seen" in call.flags
    third = ward.press("12/1", Kind.ASSAULT, source="mqtt")
    assert third.id != call.id
    call.attends("cia")
    call.says("cia", "safe")
    assert call.phase == "ended" and third.phase == "ringing"


# -- who hears what


def test_reports_go_to_every_path() -> None:
    """Each in its own words, as much as it asked for."""
    ward = two_paths()
    call = ward.press("12/1", key="7", ref="r7", source_text="SAL 12")
    ward.press("12/1", source="mqtt", key="m", origin="topic/12", source_text="12-1")
    call.declines("bo")
    call.accepts("anna")
    ward.reset("12/1", key="7")
    assert to(call, "plant") == ["queued", "paged", "accepted", "ended"]
    said = ["queued", "paged anna", "paged bo", "rejected bo", "accepted anna", "ended"]
    assert to(call, "mqtt") == said
    words = {
        (e.source, e.key, e.ref, e.origin, e.source_text)
        for e in ward.effects[call.id]
        if isinstance(e, Report)
    }
    assert words == {("plant", "7", "r7", "", "SAL 12"), ("mqtt", "m", "m", "topic/12", "12-1")}


def test_a_path_that_joins_late_hears_what_the_others_know() -> None:
    """Accepted already; or returned already, and taken back for both."""
    ward = two_paths(JoinRule(("plant", "espa", "mqtt"), 120))
    call = ward.press("12/1")
    call.accepts("anna")
    ward.press("12/1", source="espa")
    ward.press("12/1", source="mqtt")
    assert to(call, "espa") == ["queued", "paged", "accepted"]
    assert to(call, "mqtt") == ["queued", "paged anna", "accepted anna"]
    ward.present("13", source="plant")
    sos = ward.press("13/1", Kind.EMERGENCY)
    ward.later(60)
    ward.press("13/1", Kind.EMERGENCY, source="espa")
    assert to(sos, "espa") == ["queued", "paged", "unanswered"]
    sos.accepts("bo")
    assert to(sos, "espa")[-1] == "accepted" == to(sos, "plant")[-1]


def test_what_a_path_says_later_is_its_own_words() -> None:
    """The first path's words stay on the phones; each source gets its own back."""
    ward = two_paths()
    call = ward.press("12/1", key="1", source_text="SAL 12")
    ward.press("12/1", source="espa", key="2", source_text="12:1", origin="a")
    ward.signal("12/1", event="update", source="espa", key="2", source_text="12:1 IGEN", origin="b")
    ward.press("12/1", source="espa", key="2", source_text="12:1 TREDJE")
    assert call.alarm.source_text == "SAL 12"
    (path,) = call.alarm.paths
    assert (path.source_text, path.origin) == ("12:1 IGEN", "b")


def test_worse_over_one_path_is_worse_and_lower_over_one_lowers_nothing() -> None:
    """The other still says the higher."""
    ward = two_paths()
    call = ward.press("12/1", Kind.CLINICAL, priority=Priority.MEDIUM, key="1")
    ward.press("12/1", Kind.CLINICAL, priority=Priority.LOW, source="espa", key="2")
    assert call.alarm.priority == "medium" and "priority_not_lowered" in call.codes
    ward.signal("12/1", Kind.CLINICAL, event="update", priority=Priority.HIGH, source="espa", key="2")
    assert call.alarm.priority == "high" and "worse" in call.codes
    ward.signal("12/1", Kind.CLINICAL, event="update", priority=Priority.LOW, key="1")
    assert call.alarm.priority == "high"


def test_a_graver_word_of_the_second_path_rings_again_at_once() -> None:
    """Joined, and higher than what the first path said."""
    ward = two_paths()
    call = ward.press("12/1", Kind.CLINICAL, priority=Priority.LOW)
    call.accepts("anna")
    ward.press("12/1", Kind.CLINICAL, priority=Priority.HIGH, source="espa")
    assert call.phase == "ringing" and call.alarm.priority == "high" and call.alarm.turn == 2


def test_joining_rings_nobody_new() -> None:
    """Taken is taken: the second path's word reaches the first one's acceptor at most."""
    ward = two_paths()
    call = ward.press("12/1")
    call.accepts("anna")
    ward.press("12/1", source="espa")
    assert call.phase == "accepted" and call.ringing == set() and call.shown == {"anna"}


def test_answered_at_either_source() -> None:
    """A panel of the second path answers it as well."""
    ward = two_paths()
    call = ward.press("12/1")
    ward.press("12/1", source="espa")
    ward.signal("12/1", None, event="acknowledged", source="espa")
    assert call.phase == "accepted"


def test_a_lost_line_that_another_path_speaks_for_is_confirmed() -> None:
    """Not confirmed since the link was lost, until another path tells of it."""
    ward = two_paths(JoinRule(("plant", "espa"), 60))
    call = ward.press("12/1")
    ward.feed(call.id, WorldChanged("link_lost"))
    assert "unconfirmed" in call.flags
    ward.press("12/1", source="espa")
    assert "unconfirmed" not in call.flags


# -- presence


def test_a_call_that_would_be_assistance_is_joined_to_assistance_only() -> None:
    """One path makes assistance of a call with presence; the other's plain call stays what it is."""
    ward = two_paths(JoinRule(("plant", "hubby"), 5))
    ward.present("12", source="hubby")
    call = ward.press("12/1")
    help_ = ward.press("12/1", source="hubby")
    assert help_.id != call.id and help_.alarm.kind is Kind.ASSISTANCE


def test_a_call_in_old_presence_asks_for_more_than_the_other() -> None:
    """It rings the assistance's phones too: an alarm of its own."""
    ward = two_paths(JoinRule(("plant", "espa"), 5))
    ward.present("12", source="espa")
    ward.at(31 * 60)
    call = ward.press("12/1")
    assert ward.press("12/1", source="espa").id != call.id


def test_a_rule_taken_away_leaves_joined_alarms_joined() -> None:
    """Publishing never orphans an open alarm."""
    ward = two_paths()
    call = ward.press("12/1")
    ward.press("12/1", source="espa")
    ward.change_site(joins=(), sources={"plant": replace(ward.site.sources["plant"], reports=Reports.NONE)})
    assert ward.reset("12/1", Kind.PATIENT_CALL, source="espa") == [call.id] and call.phase == "ended"
