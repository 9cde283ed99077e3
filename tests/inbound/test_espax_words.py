"""ESPA-X in the hub's words and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import ORIGIN_LIMIT, Signal
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import MappingRule, Number
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.espax_words import (
    MAX_KEY_CHARS,
    TAN_BITS,
    Origin,
    Process,
    call_words,
    key_of,
    map_call,
    origin_of,
    result_of,
    state_of,
    tan_of,
    told,
)
from alarmhub.secret import Secret
from protocols.espax_document import build
from tests.support.espax_oracle import judged
from tests.support.intake import BED, small_site

LINK = EspaxLink("plant", "127.0.0.1:0", "lichtruf", Secret("geheim12"))
ALARM = Alarm("a1", "plant", "k", "r", Kind.PATIENT_CALL, "t", Priority.LOW, "", "201", 0, 0, "p", 1)


def stamp(at: int) -> str:
    """Always the same instant."""
    return "2026-09-14T09:00:00"


@pytest.mark.parametrize(
    ("said", "priority", "floor"),
    [
        ({}, None, None),
        ({"CP-PRIO": "Standard", "CP-SIGNAL": "Special"}, None, None),
        ({"CP-PRIO": "Low"}, Priority.LOW, None),
        ({"CP-PRIO": "Low", "CP-SIGNAL": "Urgent"}, Priority.MEDIUM, None),
        ({"CP-PRIO": "Medium"}, Priority.MEDIUM, None),
        ({"CP-PRIO": "High"}, Priority.HIGH, None),
        ({"CP-SIGNAL": "emergency"}, Priority.HIGH, Priority.HIGH),
        ({"CP-PRIO": "Emergency", "CP-SIGNAL": "Standard"}, Priority.HIGH, Priority.HIGH),
        ({"CP-PRIO": "Maximal"}, None, None),
    ],
)
def test_priority_is_the_higher_of_what_both_fields_say(
    said: dict[str, str], priority: Priority | None, floor: Priority | None
) -> None:
    """Emergency may not be lowered by a rule; what is not known says nothing."""
    words = call_words(said, 0)
    assert (words.priority, words.floor) == (priority, floor)


@pytest.mark.parametrize(
    ("said", "callback"),
    [
        ({}, None),
        ({"CP-CBCKNO": "1900"}, "1900"),
        ({"CP-CBCKNO": "1900", "CP-CALLBACK": "No"}, None),
        ({"CP-CALLINGNO": "1901"}, None),
        ({"CP-CALLINGNO": "1901", "CP-CALLBACK": "Phone"}, "1901"),
        ({"CP-CALLINGNO": "1901", "CP-CBCKNO": "1900", "CP-CALLBACK": "NC-IF"}, "1900"),
    ],
)
def test_a_number_to_call_back_is_one_that_is_asked_for(said: dict[str, str], callback: str | None) -> None:
    """Unless the client says No."""
    assert call_words(said, 0).callback == callback


def test_a_call_maps_by_its_fields_in_order() -> None:
    """Group, phone, ward and bed; the text is the message, else the caller's name, else the event."""
    words = call_words(
        {
            "CP-GROUPID": "1002",
            "CP-PHONENO": "4711",
            "CP-WARD": "Innere 2",
            "CP-BED": "12-1",
            "CP-PR-REF": "r",
        },
        7,
    )
    assert (words.address, words.text, words.key, words.ref) == ("1002/4711/Innere 2/12-1", "", "r", "r")
    assert call_words({"CP-CALLINGNAME": "Zi 12", "CP-EVENT": "x"}, 0).text == "Zi 12"
    assert call_words({"CP-EVENT": "x"}, 0).text == "x"


def test_where_no_rule_finds_a_place_the_called_number_is_looked_up() -> None:
    """The group, else the phone; a rule's place wins."""
    site = small_site()
    numbers = (Number("1002", "1002", ("staff:anna",), "201"), Number("4711", "4711", ("staff:bo",), "202"))
    site = replace(site, numbers=numbers)
    rules = replace(site.sources["plant"], rules=(MappingRule(address="12-2", place=BED),))

    def called(**fields: str) -> Signal:
        said = {f"CP-{name}": value for name, value in fields.items()}
        (signal,) = map_call(call_words(said, 0), said, rules, site)
        return signal

    assert (called(GROUPID="1002", BED="12-2").place, called(GROUPID="1002", BED="12-2").targets) == (BED, ())
    assert called(GROUPID="1002", WARD="3").targets == called(GROUPID="1002").targets == ("staff:anna",)
    assert called(GROUPID="77", PHONENO="4711").targets == ("staff:bo",)
    assert called(GROUPID="77", WARD="3", TEXTMSG="08123").targets == ()
    assert called(GROUPID="77", WARD="3", TEXTMSG="08123").callback == "08123"


@given(st.dictionaries(st.sampled_from(["CP-PR-REF", "CP-GROUPID", "CP-PHONENO", "CP-CBCKNO", "CP-TEXTMSG",
                                        "CP-WARD", "CP-PR-DETAILS", "CP-CALLBACK"]), st.text()))  # fmt: skip
def test_whatever_a_client_writes_its_words_are_kept_and_read_back(fields: dict[str, str]) -> None:
    """Within the origin's limit, and every indication about it keeps the schema."""
    words = call_words(fields, 1_790_000_000_000)
    assert len(words.origin) <= ORIGIN_LIMIT
    assert origin_of(words.origin).ref == words.key
    for status in ReportStatus:
        report = Report(
            "plant", status, words.ref, words.text, origin=words.origin, staff="ä" * 40, name="\x00"
        )
        for returned in ("status", "ended"):
            for element, said in told(report, "a1", Process(), replace(LINK, returned=returned), stamp):
                judged(build(element, stamp(0), said, session_id="s"))


def test_two_references_that_differ_only_far_behind_are_two_calls() -> None:
    """A key never grows beyond its bound."""
    one, other = (key_of({"CP-PR-REF": "x" * 100 + end}) for end in "ab")
    assert one != other
    assert len(one) == len(other) == len(key_of({"CP-PR-REF": "y" * 64})) == MAX_KEY_CHARS


def test_a_number_is_the_alarms_for_ever_and_fits_a_double() -> None:
    """Never 0, never the same for two."""
    tans = {tan_of(f"alarm-{n}") for n in range(2_000)}
    assert len(tans) == 2_000
    assert min(tans) > 0 and max(tans) < 2**TAN_BITS
    assert tan_of("a") == tan_of("a")


@pytest.mark.parametrize(
    ("phase", "flags", "state", "result"),
    [
        (Phase.RINGING, (), "Active", "None"),
        (Phase.RINGING, (Flag.RETURNED,), "Active", "Negative"),
        (Phase.PARTLY_ACCEPTED, (), "Active", "None"),
        (Phase.ACCEPTED, (), "Postprocessing", "Positive confirmed"),
        (Phase.ATTENDED, (), "Postprocessing", "Positive confirmed"),
    ],
)
def test_an_open_alarm_has_a_state_and_a_result(
    phase: Phase, flags: tuple[Flag, ...], state: str, result: str
) -> None:
    """A part of a team is no acceptance."""
    alarm = replace(ALARM, phase=phase, flags=flags)
    assert (state_of(alarm), result_of(alarm)) == (state, result)


def test_an_end_says_how_it_went() -> None:
    """Confirmed, never answered, or not known after a restart; by the client or not."""

    def end(process: Process) -> tuple[str | None, str | None]:
        ((element, fields),) = told(Report("plant", ReportStatus.ENDED, "r"), "a1", process, LINK, stamp)
        assert element == "IND.P-ENDED"
        return fields["SP-ENDREASON"], fields["SP-RESULT"]

    assert end(Process(accepted=True)) == ("Finished", "Positive confirmed")
    assert end(Process(returned=True, stopped=True)) == ("Client", "Negative")
    assert end(Process()) == ("Finished", None)


def test_words_of_somebody_else_are_nothing() -> None:
    """An alarm of another adapter, or none."""
    assert origin_of('{"ref":"a","created":5}') == Origin(ref="a", created=5)
    assert origin_of("PV1|x") == origin_of("") == Origin()
