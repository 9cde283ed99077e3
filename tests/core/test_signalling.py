"""What signals do: begin, repeat, worsen; never lower, never drop, never hide."""

from __future__ import annotations

import pytest

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import RULES, Kind, Priority
from alarmhub.core.signalling import kind_of, priority_of
from alarmhub.core.site import AlarmType
from tests.support.ward import HEART, MIN, Ward

UNIT = {"anna", "bo", "cia", "dan"}


# -- beginning


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("priority", list(Priority))
def test_no_source_rings_below_the_floor_of_the_kind(kind: Kind, priority: Priority) -> None:
    """Whatever priority it says; and it is said when it was raised (never possible 4)."""
    ward = Ward()
    call = ward.press("12", kind, priority=priority, type="heart" if kind is Kind.TEAM else None)
    rank = list(Priority)
    assert rank.index(call.alarm.priority) == max(rank.index(priority), rank.index(RULES[kind].floor))
    assert ("raised_to_floor" in call.codes) is (rank.index(priority) < rank.index(RULES[kind].floor))


def test_a_type_lends_its_kind_its_priority_and_its_name() -> None:
    """The site's own word for it."""
    ward = Ward()
    ward.change_site(types={"drop": AlarmType("drop", Kind.CLINICAL, "Sat-fall", priority=Priority.HIGH)})
    call = ward.press("12/1", None, type="drop", priority=Priority.LOW)
    assert (call.alarm.kind, call.alarm.type, call.alarm.priority) == (Kind.CLINICAL, "drop", Priority.HIGH)


def test_a_type_cannot_lower_what_the_signal_said() -> None:
    """The higher of the two counts."""
    site = Ward().site
    drop = AlarmType("drop", Kind.CLINICAL, "", priority=Priority.LOW)
    world = Ward().world
    signal = Signal(source="plant", event=SignalEvent.START, priority=Priority.HIGH)
    assert priority_of(signal, Kind.CLINICAL, "drop", world) is Priority.HIGH
    assert site.types == {"heart": HEART} and drop.kind is Kind.CLINICAL


def test_the_kind_comes_from_the_type_then_the_signal_then_the_source() -> None:
    """And from nobody at all it is technical: somebody looks at it."""
    world = Ward().world
    start = SignalEvent.START
    assert kind_of(Signal("plant", start, kind=Kind.DOOR, type="heart"), world) == (Kind.TEAM, "heart")
    assert kind_of(Signal("plant", start, kind=Kind.DOOR, type="own"), world) == (Kind.DOOR, "own")
    assert kind_of(Signal("plant", start), world) == (Kind.PATIENT_CALL, "patient_call")
    assert kind_of(Signal("stranger", start), world)[0] is Kind.TECHNICAL


def test_a_drill_of_a_team_does_not_call_the_real_team() -> None:
    """PROV stays PROV, whatever its type."""
    ward = Ward()
    call = ward.press("12", Kind.DRILL, type="heart")
    assert (call.alarm.kind, call.alarm.drill) == (Kind.DRILL, True) and not call.ringing


def test_a_place_nobody_knows_is_still_an_alarm_at_the_fallback_unit() -> None:
    """With the reason, and the plant's own words."""
    ward = Ward()
    call = ward.press("?somewhere", Kind.PATIENT_CALL, source_text="SAL 99")
    assert call.ringing == UNIT and "place_unknown" in call.flags
    assert call.facts("place_unknown") == {"place": "somewhere", "fallback_unit": "201"}
    assert call.alarm.source_text == "SAL 99"


def test_the_raised_reason_names_what_was_used() -> None:
    """Policy and version, mapping, roster (promise 7)."""
    ward = Ward()
    call = ward.press("12/1", mapped_by=("rule 3",))
    facts = call.facts("raised")
    assert facts["mapped_by"] == ["rule 3"] and facts["roster"] == ward.world.roster.hash
    assert (facts["policy"], facts["policy_version"]) == ("default/patient_call", 0)
    assert call.reports[0] == "queued"


# -- presence at the time of the call


def test_a_call_with_presence_is_assistance_where_the_hub_decides_that() -> None:
    """And only where it does; who is known to be inside is no candidate."""
    ward = Ward()
    first = ward.press("12/1", source="hubby")
    first.attends("anna")
    ward.present("12", source="hubby")
    call = ward.press("12/2", source="hubby")
    assert call.alarm.kind is Kind.ASSISTANCE and call.ringing == {"bo", "cia", "dan"}
    assert "call_with_presence_is_assistance" in call.codes
    ward.present("13")
    assert ward.press("13/1").alarm.kind is Kind.PATIENT_CALL


def test_a_toilet_call_with_presence_stays_a_toilet_call() -> None:
    """Only patient calls become assistance."""
    ward = Ward()
    ward.present("12", source="hubby")
    assert ward.press("12/wc", Kind.TOILET_CALL, source="hubby").alarm.kind is Kind.TOILET_CALL


def test_presence_older_than_half_an_hour_rings_care_team_and_assistance_together() -> None:
    """It is no longer believed; at exactly 30 min it still is."""
    for minutes, kind in ((30, Kind.ASSISTANCE), (31, Kind.PATIENT_CALL)):
        ward = Ward()
        ward.present("12", source="hubby")
        ward.at(minutes * MIN)
        call = ward.press("12/1", source="hubby")
        assert call.alarm.kind is kind and call.ringing == UNIT
        assert ("presence_stale" in call.codes) is (kind is Kind.PATIENT_CALL)


# -- repeats


def test_a_repeat_of_an_open_alarm_raises_the_count_only() -> None:
    """No new turn, no new phone, no clock moved."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(20)
    before = call.alarm
    again = ward.press("12/1")
    assert again.id == call.id and call.alarm.count == 2
    assert (call.alarm.turn, call.alarm.due, call.alarm.told) == (before.turn, before.due, before.told)


def test_a_repeat_of_an_accepted_alarm_rings_nobody() -> None:
    """Pressing more never promotes, and never mutes."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    for _ in range(20):
        ward.press("12/1")
    assert call.ringing == set() and call.alarm.count == 21 and call.phase == "accepted"


def test_a_call_soon_after_a_reset_goes_to_who_attended_last_and_one_more() -> None:
    """It says which time it is; from there on as ever."""
    ward = Ward()
    for _ in range(3):
        call = ward.press("12/1")
        call.attends("dan")
        ward.later(60)
        ward.reset("12/1", Kind.PATIENT_CALL)
        ward.later(60)
    call = ward.press("12/1")
    assert call.ringing == {"dan", "anna"}
    assert call.facts("rings_again_after_reset")["times"] == 4
    ward.later(45)
    assert call.ringing == UNIT


@pytest.mark.parametrize(("after_s", "again"), [(600, True), (600.001, False)])
def test_after_ten_minutes_it_is_an_ordinary_call(after_s: float, again: bool) -> None:
    """At exactly ten minutes it still rings again."""
    ward = Ward()
    ward.press("12/1").attends("dan")
    ward.reset("12/1", Kind.PATIENT_CALL)
    ward.at(after_s)
    call = ward.press("12/1")
    assert (call.ringing == {"dan", "anna"}) is again
    assert (call.ringing == {"anna", "bo"}) is not again


def test_who_attended_last_and_went_home_is_not_asked() -> None:
    """The care team is."""
    ward = Ward()
    ward.press("12/1").attends("dan")
    ward.reset("12/1", Kind.PATIENT_CALL)
    ward.off_duty("dan")
    assert ward.press("12/1").ringing == {"anna", "bo"}


def test_an_emergency_soon_after_another_still_rings_everybody() -> None:
    """Only patient calls are narrowed."""
    ward = Ward()
    ward.press("12", Kind.EMERGENCY).attends("anna", "bo")
    ward.reset("12", Kind.EMERGENCY)
    call = ward.press("12", Kind.EMERGENCY)
    assert call.ringing == UNIT and "rings_again_after_reset" in call.codes


def test_six_calls_in_an_hour_tell_the_shift_leader_once() -> None:
    """Not at the fifth, not again at the seventh; every call rings as ever."""
    ward = Ward()
    for number in range(1, 9):
        call = ward.press("12/1")
        assert call.ringing
        ward.reset("12/1", Kind.PATIENT_CALL)
        assert len(ward.calls(Kind.REQUEST)) == (1 if number >= 6 else 0), number
        ward.later(60)
    (notice,) = ward.calls(Kind.REQUEST)
    assert notice.alarm.type == "many_calls" and "dan" in notice.shown
    notice.accepts("dan")
    notice.says("dan", "done")
    ward.press("12/1")
    assert not ward.calls(Kind.REQUEST), "told once"


def test_an_assault_and_a_drill_raise_no_notices() -> None:
    """A notice could light the victim's phone."""
    ward = Ward()
    ward.untouched = frozenset({"anna", "bo", "cia", "dan", "eva"})
    call = ward.press("12", Kind.ASSAULT, person="dan")
    ward.press("13", Kind.DRILL, heard=True)
    assert not ward.calls(Kind.REQUEST) and "dan" not in call.shown


# -- worse


def test_a_rise_of_kind_rings_anew_whoever_had_taken_it() -> None:
    """Patient call to emergency on one address: the policy of what it is now, from its first step."""
    ward = Ward()
    call = ward.press("12/1", source="points", ref="1201")
    call.attends("anna")
    ward.signal("12/1", Kind.EMERGENCY, source="points", ref="1201")
    assert call.alarm.kind is Kind.EMERGENCY and str(call.alarm.priority) == "high"
    assert (call.phase, call.ringing, call.takers) == ("ringing", UNIT, [])
    assert call.alarm.policy == "default/emergency" and call.alarm.count == 2
    ward.at(15)
    assert call.ringing >= {"eva", "finn"}


def test_a_rise_after_the_last_resort_begins_at_the_first_step_of_what_it_is_now() -> None:
    """And counts its own last resort from one."""
    ward = Ward()
    call = ward.press("12/1", source="points", ref="1201")
    ward.at(300)
    assert "last_resort" in call.flags
    ward.signal("12/1", Kind.EMERGENCY, source="points", ref="1201")
    assert "last_resort" not in call.flags and call.alarm.step == 0
    assert call.facts("turn_started")["next_step_at"] == ward.now + 15_000
    ward.later(30)
    assert call.facts("last_resort_rings")["times"] == 1


def test_a_rise_returns_the_responsibility_in_the_time_of_what_it_is_now() -> None:
    """Thirty seconds for an emergency, counted from the rise; none that the old kind had left."""
    ward = Ward()
    call = ward.press("12/1", source="points", ref="1")
    ward.at(170)
    ward.signal("12/1", Kind.EMERGENCY, source="points", ref="1")
    ward.at(199.999)
    assert "unanswered" not in call.flags
    ward.at(200)
    assert "unanswered" in call.flags


def test_a_rise_of_kind_keeps_the_higher_priority() -> None:
    """A high monitor alarm that becomes an assistance stays high."""
    ward = Ward()
    call = ward.press("12/1", Kind.CLINICAL, source="points", ref="1", priority=Priority.HIGH)
    ward.signal("12/1", Kind.ASSISTANCE, source="points", ref="1")
    assert call.alarm.kind is Kind.ASSISTANCE and str(call.alarm.priority) == "high"


def test_a_kind_as_grave_is_not_graver() -> None:
    """An assault after an emergency on one address changes neither kind nor type, nor does another type."""
    ward = Ward()
    call = ward.press("12", Kind.EMERGENCY, source="points", ref="1")
    turn = call.alarm.turn
    ward.signal("12", Kind.ASSAULT, source="points", ref="1")
    ward.signal("12", Kind.EMERGENCY, source="points", ref="1", type="other")
    assert (call.alarm.kind, call.alarm.type, call.alarm.turn) == (Kind.EMERGENCY, "emergency", turn)


def test_a_rise_of_priority_rings_anew() -> None:
    """A monitor alarm from low to high while somebody is on the way."""
    ward = Ward()
    call = ward.press("12/1", Kind.CLINICAL, priority=Priority.LOW)
    call.accepts("anna")
    ward.signal("12/1", Kind.CLINICAL, event="update", priority=Priority.HIGH)
    assert call.ringing == {"anna", "bo"} and str(call.alarm.priority) == "high"
    ward.at(20)
    assert call.ringing == UNIT


def test_a_fall_of_priority_changes_no_ringing_and_not_the_policy_it_started_with() -> None:
    """Said, shown, and nothing else; never below the floor."""
    ward = Ward()
    call = ward.press("12/1", Kind.CLINICAL, priority=Priority.HIGH)
    ward.signal("12/1", Kind.CLINICAL, event="update", priority=Priority.INFORMATION)
    assert str(call.alarm.priority) == "low" and "priority_fell" in call.codes
    ward.at(20)
    assert call.ringing == UNIT, "still the steps of high"
    ward.at(40)
    assert call.ringing >= {"eva"}


def test_a_milder_kind_for_an_open_alarm_lowers_nothing() -> None:
    """It is said, and the alarm stays what it is."""
    ward = Ward()
    call = ward.press("12/1", Kind.EMERGENCY, source="points", ref="1201")
    for kind in (Kind.PATIENT_CALL, Kind.DRILL, Kind.DOOR):
        ward.signal("12/1", kind, source="points", ref="1201", priority=Priority.INFORMATION)
        assert call.alarm.kind is Kind.EMERGENCY and str(call.alarm.priority) == "high"
    assert call.ringing == UNIT and call.codes.count("kind_not_lowered") == 3


def test_a_drill_becomes_real_by_a_real_start_of_the_same_key() -> None:
    """And never the other way round."""
    ward = Ward()
    call = ward.press("12", Kind.DRILL, source="points", ref="9")
    ward.signal("12", Kind.EMERGENCY, source="points", ref="9")
    assert call.alarm.kind is Kind.EMERGENCY and call.ringing == UNIT
    assert call.alarm.expire_at is None


def test_what_becomes_assistance_spares_who_is_in_the_room() -> None:
    """Who attended the call is inside: she is no candidate any more."""
    ward = Ward()
    call = ward.press("12/1", source="points", ref="1201")
    call.attends("anna")
    ward.signal("12/1", Kind.ASSISTANCE, source="points", ref="1201")
    assert call.ringing == {"bo", "cia", "dan"} and "anna" not in call.shown


def test_what_becomes_an_assault_drops_the_victim_who_was_told() -> None:
    """Her phone falls silent and dark at once (never possible 8)."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE, source="points", ref="7", person="anna")
    assert "anna" in call.shown
    ward.signal("12", Kind.ASSAULT, source="points", ref="7")
    assert call.alarm.kind is Kind.ASSAULT and "anna" not in call.shown and "hugo" in call.ringing


def test_a_victim_who_becomes_known_only_later_is_dropped_then() -> None:
    """By a repeat or an update that names who carries the button."""
    for event in ("start", "update"):
        ward = Ward()
        call = ward.press("12", Kind.ASSAULT, key="b7")
        call.accepts("anna")
        ward.signal("12", Kind.ASSAULT, event=event, key="b7", person="anna")
        assert "anna" not in call.shown and call.takers == []


def test_an_update_brings_new_words_and_keeps_the_old_where_it_says_none() -> None:
    """Text, the plant's words, the number to call."""
    ward = Ward()
    call = ward.press("12/1", text="HR 40", source_text="HR40", callback="12")
    ward.signal("12/1", event="update", text="HR 38")
    assert (call.alarm.text, call.alarm.source_text, call.alarm.callback) == ("HR 38", "HR40", "12")
    ward.signal("12/1", event="update", source_text="HR38", callback="13")
    assert (call.alarm.text, call.alarm.source_text, call.alarm.callback) == ("HR 38", "HR38", "13")
    assert call.alarm.count == 1


# -- assault, pressed again


def test_an_assault_half_ended_and_pressed_again_is_not_ended_by_the_old_word() -> None:
    """Whoever came for the last press cannot vouch for this one: it rings again."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="anna")
    call.attends("hugo")
    ward.reset("12", Kind.ASSAULT)
    ward.press("12", Kind.ASSAULT, person="anna")
    assert "reset_seen" not in call.flags and call.ringing >= {"hugo", "bo"}
    call.attends("hugo")
    call.says("hugo", "safe")
    assert call.phase != "ended"
    ward.press("12", Kind.ASSAULT, person="anna")
    ward.reset("12", Kind.ASSAULT)
    assert call.phase != "ended"


def test_an_assault_reset_and_pressed_again_before_anybody_came_goes_on_where_it_was() -> None:
    """Its steps do not begin again."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT)
    ward.at(9)
    ward.reset("12", Kind.ASSAULT)
    ward.press("12", Kind.ASSAULT)
    ward.at(10)
    assert "vera" in call.ringing and "reset_seen" not in call.flags


# -- drills


def test_prov_is_interrupted_by_a_real_alarm() -> None:
    """A heard drill rings until then; the real one rings on."""
    ward = Ward()
    drill = ward.press("13", Kind.DRILL, heard=True)
    assert drill.ringing == UNIT
    real = ward.press("12", Kind.EMERGENCY)
    assert drill.alarm.ended_by == "real_alarm" and real.ringing == UNIT


def test_a_source_hears_accepted_never_for_mere_delivery() -> None:
    """Queued, paged when a device rang, accepted when somebody accepts (never possible 9)."""
    ward = Ward()
    ward.mute_phones = set(ward.site.staff)
    call = ward.press("12/1")
    assert call.reports == ["queued"]
    ward.mute_phones = set()
    ward.receipts(call.id)
    assert call.reports == ["queued", "paged"]
    ward.at(45)
    assert call.reports == ["queued", "paged"]
    call.accepts("anna")
    assert call.reports == ["queued", "paged", "accepted"]


def test_a_source_that_takes_no_reports_gets_none() -> None:
    """It could not hear them."""
    ward = Ward()
    call = ward.press("12/1", source="words", source_text="sal 12")
    call.accepts("anna")
    assert call.reports == []
