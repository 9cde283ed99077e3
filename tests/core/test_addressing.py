"""Which alarm a signal means: keys, repeats, and resets that never close the wrong one."""

from __future__ import annotations

import pytest

from alarmhub.core.addressing import key_of, normalised, room_of
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from tests.support.ward import Ward

START = SignalEvent.START


def phases(ward: Ward) -> list[str]:
    """The phases of all alarms in order of their start."""
    return [str(a.phase) for a in ward.alarms.values()]


# -- keys


def test_two_beds_on_one_pager_number_are_two_alarms() -> None:
    """The key is source, place and kind after mapping, never the call address (never possible 2)."""
    ward = Ward()
    one, two = ward.press("12/1", ref="2010"), ward.press("12/2", ref="2010")
    assert one.id != two.id
    assert one.alarm.place != two.alarm.place


def test_the_plants_own_escalation_to_another_number_is_the_same_alarm() -> None:
    """The same place and kind under several addresses."""
    ward = Ward()
    one = ward.press("12/1", ref="2010")
    assert ward.press("12/1", ref="2019").id == one.id and one.alarm.count == 2


def test_two_kinds_at_one_bed_are_two_alarms() -> None:
    """A call and an emergency end apart."""
    ward = Ward()
    assert ward.press("12/1").id != ward.press("12/1", Kind.EMERGENCY).id


def test_two_sources_at_one_bed_are_two_alarms() -> None:
    """Each is reset by its own source."""
    ward = Ward()
    assert ward.press("12/1").id != ward.press("12/1", source="button").id


def test_the_same_words_to_two_pagers_are_two_alarms() -> None:
    """Each has people of its own; the same pager again, or its reset, means the first alarm."""
    ward = Ward()

    def page(*targets: str, kind: Kind = Kind.REQUEST) -> str:
        return ward.press("", kind, source_text="Ring 4711", targets=targets, unit="201", source="button").id

    first = page("staff:eva")
    assert page("staff:eva") == first and page("staff:bo") != first
    assert page("staff:eva", kind=Kind.PATIENT_CALL) != first
    ended = ward.reset(
        "", Kind.REQUEST, source_text="ring  4711", targets=("staff:bo",), unit="201", source="button"
    )
    assert len(ended) == 1 and ended != [first]


def test_without_a_place_the_whole_normalised_text_is_the_key() -> None:
    """Blanks and case do not matter, everything else does."""
    ward = Ward()
    one = ward.press("?", source_text="SAL 12:1  Kallelse")
    assert ward.press("?", source_text=" sal 12:1 kallelse ").id == one.id
    assert ward.press("?", source_text="SAL 12:2 Kallelse").id != one.id
    assert normalised("  A \t b\n") == "a b"


def test_a_room_of_several_beds_is_no_point() -> None:
    """Two patients of one room are told apart by the words alone (never possible 2)."""
    ward = Ward()
    one = ward.press("12", source_text="12 A")
    assert ward.press("12", source_text="12 B").id != one.id
    assert ward.press("12", source_text="12  a").id == one.id
    assert ward.press("pump", source_text="x").id == ward.press("pump", source_text="y").id


def test_addresses_are_points_only_where_the_source_says_so() -> None:
    """Then the address is the key, whatever the text."""
    world = Ward().world
    one = Signal("points", START, ref="1201", source_text="a")
    two = Signal("points", START, ref="1201", source_text="b")
    assert key_of(one, world) == key_of(two, world)
    assert key_of(Signal("plant", START, ref="1201", source_text="a"), world) != key_of(
        Signal("plant", START, ref="1201", source_text="b"), world
    )


def test_a_source_by_text_is_keyed_by_text_even_with_a_place() -> None:
    """Its resets repeat the text."""
    ward = Ward()
    call = ward.press("12/1", source="words", source_text="Sal 12 plats 1")
    assert ward.reset("12/1", source="words", source_text="SAL 12 plats 1") == [call.id]
    assert call.phase == "ended"


def test_a_ref_used_for_two_beds_at_once_is_two_alarms() -> None:
    """A source that reuses its refs must not hide the second patient (never possible 2)."""
    ward = Ward()
    one, two = ward.press("12/1", key="7"), ward.press("13/1", key="7")
    assert one.id != two.id and two.ringing == {"cia"}
    assert ward.press("13/1", key="7").id == two.id
    assert ward.reset("13/1", key="7") == [two.id]
    assert (one.phase, two.phase) == ("ringing", "ended")
    assert ward.reset("13/1", key="7") == [], "a late reset of the second does not close the first"
    assert ward.reset("", key="7") == [one.id]


def test_a_ref_is_the_same_alarm_within_its_room_and_where_a_person_carries_it() -> None:
    """The room first, the bed later; and a button that moves."""
    ward = Ward()
    one = ward.press("12", key="7")
    assert ward.press("12/1", key="7").id == one.id
    carried = ward.press("12", Kind.ASSAULT, key="b1", person="anna")
    assert ward.press("202:13", Kind.ASSAULT, key="b1", person="anna").id == carried.id


def test_an_update_of_an_unknown_ref_opens_an_alarm_and_of_a_known_one_raises_no_count() -> None:
    """Nothing is lost because its start was."""
    ward = Ward()
    call = ward.press("12/1", event="update", key="9")
    assert call.ringing == {"anna", "bo"}
    ward.press("12/1", event="update", key="9")
    assert call.alarm.count == 1


# -- resets


def test_a_reset_of_a_bed_closes_its_call_and_nothing_else() -> None:
    """By place and kind."""
    ward = Ward()
    ward.press("12/1"), ward.press("12/2"), ward.press("12/1", Kind.EMERGENCY)
    ward.reset("12/1", Kind.PATIENT_CALL)
    assert phases(ward) == ["ended", "ringing", "ringing"]


def test_a_reset_without_a_kind_closes_the_only_call_that_fits() -> None:
    """What the source usually means."""
    ward = Ward()
    call = ward.press("12/1")
    assert ward.reset("12/1") == [call.id] and call.phase == "ended"
    other = ward.press("12/2")
    ward.reset("12")
    assert other.phase == "ended"


def test_a_reset_that_fits_several_closes_none_and_says_so() -> None:
    """Two beds of the room call (never possible 2)."""
    for kind in (None, Kind.PATIENT_CALL):
        ward = Ward()
        one, two = ward.press("12/1"), ward.press("12/2")
        ward.reset("12", kind, source_text="12 ATER")
        assert (one.phase, two.phase) == ("ringing", "ringing"), kind
        assert "reset_unclear" in one.flags and "reset_unclear" in two.flags
        assert one.facts("reset_unclear")["candidates"] == [one.id, two.id]


def test_a_reset_never_closes_a_more_urgent_kind_by_guess() -> None:
    """The only alarm at the place is an emergency, and the reset names no kind."""
    for kind in (Kind.TOILET_CALL, Kind.ASSISTANCE, Kind.EMERGENCY, Kind.CLINICAL):
        ward = Ward()
        call = ward.press("12/1", kind)
        ward.reset("12/1")
        assert call.phase == "ringing" and "reset_unclear" in call.flags, kind


def test_a_reset_that_names_the_kind_closes_the_urgent_one() -> None:
    """And leaves the call beside it."""
    ward = Ward()
    call, emergency = ward.press("12/1"), ward.press("12/1", Kind.EMERGENCY)
    ward.reset("12/1", Kind.EMERGENCY)
    assert (call.phase, emergency.phase) == ("ringing", "ended")


def test_a_reset_by_type_closes_only_that_types_kind() -> None:
    """A heart alarm's reset does not touch the call beside it, nor close it when it is alone."""
    ward = Ward()
    call = ward.press("12")
    assert ward.reset("12", None, type="heart") == [] and call.phase == "ringing"
    team = ward.press("12", None, type="heart", source_text="x")
    assert ward.reset("12", None, type="heart") == [team.id]
    assert (call.phase, team.phase) == ("ringing", "ended")


def test_a_source_resets_only_its_own() -> None:
    """Another plant's alarm at the bed rings on."""
    ward = Ward()
    call = ward.press("12/1", source="button")
    assert ward.reset("12/1", Kind.PATIENT_CALL) == [] and call.phase == "ringing"


@pytest.mark.parametrize("more", [{"key": "unknown"}, {"place": "?"}])
def test_a_reset_of_nothing_closes_nothing(more: dict[str, str]) -> None:
    """An unknown ref, an unknown place: there is no such alarm."""
    ward = Ward()
    call = ward.press("12/1")
    place = more.pop("place", "12/1")
    assert ward.reset(place, Kind.PATIENT_CALL, source_text="zzz", **more) == []
    assert call.phase == "ringing"


def test_a_call_that_became_assistance_by_presence_is_closed_by_its_own_reset() -> None:
    """The plant does not know what the hub made of it."""
    ward = Ward()
    ward.present("12", source="hubby")
    call = ward.press("12/1", source="hubby")
    assert call.alarm.kind is Kind.ASSISTANCE
    ward.reset("12/1", Kind.PATIENT_CALL, source="hubby")
    assert call.phase == "ended"


def test_after_a_reset_the_same_key_is_a_new_alarm() -> None:
    """The plant restarts and sends again."""
    ward = Ward()
    one = ward.press("12/1")
    ward.reset("12/1", Kind.PATIENT_CALL)
    assert ward.press("12/1").id != one.id


# -- the rest


def test_an_acknowledgement_that_fits_several_is_for_none() -> None:
    """Nobody is silenced by guess."""
    ward = Ward()
    one, two = ward.press("12/1"), ward.press("12/2")
    assert ward.signal("12", None, event="acknowledged") == []
    assert one.ringing and two.ringing
    assert ward.signal("12/1", None, event="acknowledged") == [one.id]


def test_presence_is_for_the_patient_calls_of_its_room() -> None:
    """From any point of it."""
    ward = Ward()
    call, toilet = ward.press("12/1"), ward.press("12/wc", Kind.TOILET_CALL)
    assert ward.present("12/2") == [call.id] and toilet.phase == "ringing"
    assert ward.present("14") == []


def test_a_heartbeat_is_for_nobody() -> None:
    """It only says that the source lives."""
    ward = Ward()
    ward.press("12/1")
    assert ward.signal("12/1", event="heartbeat") == []


def test_the_room_of_a_place() -> None:
    """A bed's room, a room itself, equipment itself, and what nobody knows itself."""
    world = Ward().world
    assert room_of("f/201/12/1", world) == room_of("f/201/12", world) == "f/201/12"
    assert room_of("f/201/pump", world) == "f/201/pump" and room_of("x", world) == "x"
