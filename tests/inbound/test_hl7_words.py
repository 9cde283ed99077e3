"""From an alert to the hub's words: address, text, key, id and origin, as every sample should have them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.inbound.hl7_words import (
    EVENTS,
    MAX_KEY_CHARS,
    MAX_ORIGIN_CHARS,
    Origin,
    entity_of,
    id_of,
    key_of,
    location_of,
    origin_of,
    words_of,
)
from alarmhub.inbound.mapping import Words
from protocols.hl7 import Message, read
from protocols.pcd04 import Alert, Entity, Phase, read_alerts
from tests.support.hl7_line import LINE, sample

KEY = "AL-1001^NURSECALL_GW^00A0B1FFFEC2D3E4^EUI-64"
START, UPDATE, END = SignalEvent.START, SignalEvent.UPDATE, SignalEvent.END
HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW

EXPECTED: dict[str, tuple[SignalEvent, str, str, Priority | None, str]] = {
    "ihe_tf2_e31_spo2_low_start.hl7": (
        START,
        "HO Surgery^OR^1",
        "Low SpO2 88 % (90-96) [MDC_EVT_LO 196670]",
        MEDIUM,
        "1^MINDRAY_EGATEWAY^00A037EB2175780F^EUI-64",
    ),
    "ihe_tf2_e32_advisory_timeout_not_documented.hl7": (
        START,
        "HO 3 West ICU^10^1",
        "Timeout not documented [MDCX_DOCUMENTATION_ERROR 0]",
        MEDIUM,
        "12345-2^LIVEDATA^^",
    ),
    "ihe_tf2_e32_occlusion_start.hl7": (
        START,
        "HO 3 West ICU^10^1",
        "Occlusion [MDC_EVT_FLUID_LINE_OCCL 196940]",
        None,
        "E0001_27^PAT_DEVICE_BBRAUN^0012211839000001^EUI-64",
    ),
    "ihe_tf2_e32_occlusion_end.hl7": (
        END,
        "HO 3 West ICU^10^1",
        "Occlusion [MDC_EVT_FLUID_LINE_OCCL 196940]",
        None,
        "E0001_27^PAT_DEVICE_BBRAUN^0012211839000001^EUI-64",
    ),
    "synth_01_start_high.hl7": (
        START,
        "CARD2^12^1",
        "SpO2 low 84 % (90-100) [MDC_EVT_LO 196670]",
        HIGH,
        KEY,
    ),
    "synth_02_update_value.hl7": (
        UPDATE,
        "CARD2^12^1",
        "SpO2 low 81 % (90-100) [MDC_EVT_LO 196670]",
        HIGH,
        KEY,
    ),
    "synth_03_continue_audio_paused.hl7": (
        UPDATE,
        "CARD2^12^1",
        "SpO2 low 84 % (90-100) (audio-paused) [MDC_EVT_LO 196670]",
        HIGH,
        KEY,
    ),
    "synth_04_escalate.hl7": (
        UPDATE,
        "CARD2^12^1",
        "SpO2 low 84 % (90-100) [MDC_EVT_LO 196670]",
        HIGH,
        KEY,
    ),
    "synth_06_end.hl7": (END, "CARD2^12^1", "SpO2 low 95 % (90-100) [MDC_EVT_LO 196670]", HIGH, KEY),
    "synth_07_technical_leads_off.hl7": (
        START,
        "CARD2^12^1",
        "ECG leads off [MDC_EVT_LEADS_OFF 196882]",
        LOW,
        "AL-2001^NURSECALL_GW^00A0B1FFFEC2D3E4^EUI-64",
    ),
}


def message(name: str = "synth_01_start_high.hl7", **changes: str) -> Message:
    """A sample, with some words of it replaced."""
    text = sample(name).decode()
    for was, becomes in changes.items():
        assert was in text
        text = text.replace(was, becomes)
    found = read(text.encode())
    assert isinstance(found, Message)
    return found


def words(found: Message, **line: Any) -> tuple[Words, Alert]:
    """What its one alert says."""
    settings = replace(LINE, **line)
    (alert,) = read_alerts(found, with_patient=True)
    assert isinstance(alert, Alert)
    return words_of(alert, found, settings), alert


@pytest.mark.parametrize("name", EXPECTED)
def test_every_sample_becomes_the_signal_a_person_would_expect(name: str) -> None:
    """Event, address and text for the site's rules, priority, and what pairs its messages."""
    said, _ = words(message(name))
    assert (said.event, said.address, said.text, said.priority, said.key) == EXPECTED[name]


def test_every_phase_has_its_meaning() -> None:
    """None is forgotten."""
    assert set(EVENTS) == set(Phase)


@pytest.mark.parametrize(
    ("word", "priority"),
    [("PH", HIGH), ("PM", MEDIUM), ("PL", LOW), ("PN", Priority.INFORMATION), ("20", HIGH), ("PU", HIGH)],
)
def test_priorities_are_the_devices_own_and_what_nobody_knows_rings_high(
    word: str, priority: Priority
) -> None:
    """Numbers of old pumps too."""
    said, _ = words(message(PH=word))
    assert said.priority is priority


def test_what_an_unknown_priority_rings_as_is_the_lines_choice() -> None:
    """Where the vendor has said what its numbers mean."""
    assert words(message(PH="20"), unknown_priority="low")[0].priority is LOW


def test_an_inactivation_by_acknowledgement_is_one() -> None:
    """Sounds that are only paused are not."""
    inactivated = {"|start|": "|inactivate|"}
    assert words(message(**inactivated))[0].event is UPDATE
    acknowledged = {**inactivated, "|enabled|": "|audio-paused~alert-acknowledged|"}
    assert words(message(**acknowledged))[0].event is SignalEvent.ACKNOWLEDGED


def test_a_device_without_a_place_is_the_address() -> None:
    """So that a rule can know it."""
    said, _ = words(message(**{"CARD2^12^1^HOSPITAL_A^^^B^2": ""}))
    assert said.address == "device MON-77"


def test_a_bare_id_is_kept_apart_by_its_sender() -> None:
    """Two gateways that count from 1 do not end each other's alarms."""
    bare = {"AL-1001^NURSECALL_GW^00A0B1FFFEC2D3E4^EUI-64": "1"}
    (mine, alert), (other, _) = words(message(**bare)), words(message(**bare, NURSECALL_GW="OTHER"))
    assert mine.key != other.key
    long = replace(alert, key=Entity("x" * 128, "y" * 128, "z"))
    longer = replace(alert, key=Entity("x" * 128, "y" * 128, "w"))
    assert len(key_of(long, message())) <= MAX_KEY_CHARS
    assert key_of(long, message()) != key_of(longer, message())


def test_a_message_is_itself_whenever_it_was_sent() -> None:
    """Its control id, its sender and what it says make it; its time and later headers do not."""
    first = id_of(message(), 0)
    assert id_of(message(**{"|20241122090000.000+0100||ORU": "|20241122090009.000+0100||ORU"}), 0) == first
    for changes in ({"|A1|": "|A2|"}, {"MSH|^~\\&|NURSE": "MSH|^~\\&|OTHER"}, {"SpO2 low": "SpO2 lower"}):
        assert id_of(message(**changes), 0) != first
    assert id_of(message(), 1) != first


def test_the_origin_is_enough_to_report_by() -> None:
    """First OBR-3, message, both parties, place; nothing of the patient."""
    said, alert = words(message(), patient="name")
    origin = origin_of(said.origin)
    assert origin is not None
    assert (origin.message, origin.sender[0]) == ("A1", "NURSECALL_GW^00A0B1FFFEC2D3E4^EUI-64")
    assert (entity_of(origin), location_of(origin)) == (alert.own, alert.location)
    assert (origin.asked, origin.wants) == (True, None)
    assert "Tina" not in said.origin and "4711" not in said.origin
    assert said.text.endswith("Tina Test")


def test_an_origin_is_bounded_and_another_protocols_is_none() -> None:
    """Rather less to report by than half of it."""
    said, _ = words(message(HOSPITAL_A="H" * 120, CARD2="å" * 128, AL="\\E\\" * 120))
    assert len(said.origin) <= MAX_ORIGIN_CHARS
    assert origin_of(said.origin) is not None
    assert origin_of("") is None
    assert origin_of('{"pager": 1}') is None
    assert origin_of('{"message":"1"}') == Origin("1")
