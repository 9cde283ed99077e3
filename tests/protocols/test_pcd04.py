"""PCD-04: what every published and synthesized sample says, and what the field does to the profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.hl7 import Message, read
from protocols.pcd04 import MAX_ALERTS, Alert, Code, Entity, Location, Phase, Problem, read_alerts

SAMPLES = Path(__file__).parent / "samples" / "ihe-acm"
NURSECALL = ("NURSECALL_GW", "00A0B1FFFEC2D3E4", "EUI-64")
BRAUN = ("PAT_DEVICE_BBRAUN", "0012211839000001", "EUI-64")
MINDRAY = ("MINDRAY_EGATEWAY", "00A037EB2175780F", "EUI-64")
CARDIO = Location("CARD2", "12", "1", "HOSPITAL_A", "B", "2")
ICU = Location("HO 3 West ICU", "10", "1")
LOW = Code("196670", "MDC_EVT_LO", "MDC")
SPO2: dict[str, Any] = {
    "key": Entity("AL-1001", *NURSECALL),
    "event": LOW,
    "text": "SpO2 low",
    "location": CARDIO,
    "priority": "PH",
    "type": "SP",
    "limits": "90-100",
    "device": "MON-77",
}

EXPECTED: dict[str, dict[str, Any]] = {
    "ihe_tf2_e31_spo2_low_start.hl7": {
        "key": Entity("1", *MINDRAY),
        "phase": Phase.START,
        "event": LOW,
        "text": "Low SpO2",
        "value": "88",
        "limits": "90-96",
        "priority": "PM",  # the old form: L~PM~SP in OBX-8
        "type": "SP",
        "abnormality": "L",
        "location": Location("HO Surgery", "OR", "1"),
        "occurred_at": 1_326_315_897_000,
    },
    "ihe_tf2_e32_advisory_timeout_not_documented.hl7": {
        "key": Entity("12345-2", "LIVEDATA"),
        "phase": Phase.START,
        "event": Code("0", "MDCX_DOCUMENTATION_ERROR", "MDC"),
        "text": "Timeout not documented",
        "priority": "PM",
        "type": "SA",
        "state": "active",  # 684820, a misprint of the framework itself
        "callback": "8664693239",
        "location": ICU,
    },
    "ihe_tf2_e32_occlusion_start.hl7": {
        "key": Entity("E0001_27", *BRAUN),
        "own": Entity("P6013_4", *BRAUN),
        "phase": Phase.START,
        "event": Code("196940", "MDC_EVT_FLUID_LINE_OCCL", "MDC"),
        "text": "Occlusion",
        "source": Code("69985", "MDC_DEV_PUMP_INFUS_MDS", "MDC"),
        "priority": "",
        "type": "ST",
        "device": "P6013",
        "location": ICU,
    },
    "ihe_tf2_e32_occlusion_end.hl7": {
        "key": Entity("E0001_27", *BRAUN),  # that of its start
        "phase": Phase.END,
        "state": "inactive",
        "inactivation": ("enabled",),  # OBX-11 one column early
        "location": ICU,
    },
    "synth_01_start_high.hl7": SPO2 | {"phase": Phase.START, "value": "84", "state": "active"},
    "synth_02_update_value.hl7": SPO2 | {"phase": Phase.UPDATE, "value": "81"},
    "synth_03_continue_audio_paused.hl7": SPO2 | {"phase": Phase.CONTINUE, "inactivation": ("audio-paused",)},
    "synth_04_escalate.hl7": SPO2 | {"phase": Phase.ESCALATE},
    "synth_06_end.hl7": SPO2 | {"phase": Phase.END, "state": "inactive", "value": "95"},
    "synth_07_technical_leads_off.hl7": {
        "key": Entity("AL-2001", *NURSECALL),
        "phase": Phase.START,
        "event": Code("196882", "MDC_EVT_LEADS_OFF", "MDC"),
        "text": "ECG leads off",
        "source": Code("69965", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", "MDC"),
        "priority": "PL",
        "type": "ST",
        "location": CARDIO,
    },
}

BARE = """MSH|^~\\&|GW^00A0^EUI-64||||20260101120000+0100||ORU^R40^ORU_R40|1|P|2.6|||AL|NE
PV1||I|201^12^2
OBR|1||7^GW^00A0^EUI-64|196616^MDC_EVT_ALARM^MDC|||20260101120000+0100
"""
START = "OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.0.0.0.3|start||||||F"
EVENT = "OBX|1|ST|196670^MDC_EVT_LO^MDC|1.0.0.0.1|SpO2 low||||||F"


def message(text: str) -> Message:
    """A readable message."""
    found = read(text.encode())
    assert isinstance(found, Message)
    return found


def alert(*lines: str, head: str = BARE, with_patient: bool = False) -> Alert:
    """The one alert of this message; the test fails when there is none."""
    (found,) = read_alerts(message(head + "\n".join(lines)), with_patient=with_patient)
    assert isinstance(found, Alert), found
    return found


def problems(*lines: str, head: str = BARE) -> list[tuple[int, str, int, int]]:
    """What is wrong with this message."""
    found = read_alerts(message(head + "\n".join(lines)))
    assert all(isinstance(one, Problem) for one in found), found
    return [(one.code, one.segment, one.number, one.field) for one in found if isinstance(one, Problem)]


def test_the_table_has_every_alert_of_the_samples() -> None:
    """None is forgotten."""
    alerts = {
        path.name for path in SAMPLES.glob("*.hl7") if b"ORU^R40" in path.read_bytes().partition(b"\r")[0]
    }
    assert set(EXPECTED) == alerts
    assert len(alerts) == 10


@pytest.mark.parametrize("name", EXPECTED)
def test_every_sample_says_what_a_person_would_read_in_it(name: str) -> None:
    """The framework's own examples, errors included, and a synthesized life."""
    found = read((SAMPLES / name).read_bytes())
    assert isinstance(found, Message)
    (one,) = read_alerts(found)
    assert isinstance(one, Alert)
    assert {field: getattr(one, field) for field in EXPECTED[name]} == EXPECTED[name]
    assert (one.patient.id, one.patient.name, one.watchdog) == ("", "", False)


def test_the_patient_is_read_only_when_asked_for() -> None:
    """Nobody gets a name by accident."""
    head = BARE.replace("PV1", "PID|||4711^^^H^PI||Test^Tina\nPV1")
    assert alert(EVENT, START, head=head).patient.name == ""
    shown = alert(EVENT, START, head=head, with_patient=True).patient
    assert (shown.id, shown.name) == ("4711", "Tina Test")


def test_a_nurse_call_may_have_a_place_and_no_patient() -> None:
    """Use case A1: location-sourced."""
    one = alert("OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|0^MDCX_CALL^L^^^^^^Nurse call||||||F", START)
    assert (one.location.address(), one.text, one.event.name) == ("201^12^2", "Nurse call", "MDCX_CALL")


def test_an_identity_is_compared_in_all_its_parts() -> None:
    """OBR-29.2 with `&` is OBR-3 with `^`; the id alone means nothing; missing stays missing."""
    later = BARE.replace("20260101120000+0100\n", "20260101120000+0100" + "|" * 22 + "^7&GW&00A0&EUI-64\n")
    other = later.replace("7^GW", "8^GW")
    assert alert(EVENT, START, head=other).key == alert(EVENT, START).key
    assert alert(EVENT, START, head=other).own.id == "8"
    for changed in ("7&GX&00A0&EUI-64", "7&GW&00A1&EUI-64", "7&GW&&EUI-64", "0&GW&00A0&EUI-64"):
        parted = other.replace("7&GW&00A0&EUI-64", changed)
        assert alert(EVENT, START, head=parted).key != alert(EVENT, START).key
    assert alert(EVENT, START, head=BARE.replace("EUI-64|196616", "EUI64|196616")).key.type == "EUI-64"


@pytest.mark.parametrize(
    "phase",
    [
        "OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.0.0.0.3|start",
        "OBX|3|ST|MDC_ATTR_EVENT_PHASE^68481^MDC|1.0.0.0.3|start",
        "OBX|3|ST|MDC_ATTR_EVT_PHASE|1.0.0.0.3|START",
        "OBX|3|ST|684810^MDC_ATTR_EVENT_PHASE^MDC |2.1.2.1.3| start ",
        "OBX|3|ST|68165^X^MDC|0.0.0.3|start",
        "OBX|3|ST|999^UNKNOWN^MDC|0.0.0.3|start",
        "OBX|3|CWE|68481^MDC_ATTR_EVENT_PHASE^MDC|1.0.0.0.3|1^start^MDC",
    ],
)
def test_a_facet_is_found_by_name_code_or_number(phase: str) -> None:
    """Swapped, misprinted, of earlier drafts, or of no name at all."""
    assert alert(EVENT, phase).phase is Phase.START


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("L~PM~SP", ("PM", "SP", "L")),
        ("SP~HH~PH", ("PH", "SP", "HH")),
        ("ST", ("", "ST", "")),
        ("A~PM~SA", ("PM", "SA", "A")),
        ("whatever~pl", ("PL", "", "")),
    ],
)
def test_the_old_form_is_read_in_any_order(old: str, said: tuple[str, str, str]) -> None:
    """OBX-8 of facet 1, each repetition by what it is."""
    one = alert(EVENT.replace("SpO2 low|||", f"SpO2 low|||{old}"), START)
    assert (one.priority, one.type, one.abnormality) == said


def test_facets_of_their_own_win_over_the_old_form() -> None:
    """OBX-8 says medium, facet 6 high."""
    one = alert(
        EVENT.replace("SpO2 low|||", "SpO2 low|||L~PM~SP"),
        START,
        "OBX|6|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.0.0.0.6|PH",
        "OBX|7|ST|68485^MDC_ATTR_ALERT_TYPE^MDC|1.0.0.0.7|ST",
    )
    assert (one.priority, one.type, one.abnormality) == ("PH", "ST", "L")


def test_words_around_the_alert_are_kept() -> None:
    """Annotations, the sender's own text, notes; the device of an OBX before the facets."""
    one = alert(
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0.0|||||||X|||||||MON-9^^00A0^EUI-64",
        EVENT,
        "OBX|3|ST|0^MDCX_ATTR_ALERT_ANNOTATION^MDC|1.0.0.0.1|Check the probe",
        "OBX|4|ST|68546^MDC_ATTR_ALERT_TEXT^MDC|1.0.0.0.1|Finger cold",
        "OBX|5|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE|1.0.0.0.5|audio-paused~alert-acknowledged",
        START,
        "NTE|1||Second day",
    )
    assert one.annotation == "Check the probe; Finger cold; Second day"
    assert (one.device, one.inactivation) == ("MON-9", ("audio-paused", "alert-acknowledged"))
    assert one.acknowledged


def test_a_watchdog_message_is_known_by_its_event() -> None:
    """With the time within which it wants its answer."""
    one = alert(
        "OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|196614^MDC_EVT_ACTIVE^MDC",
        START,
        "OBX|9|NM|67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC|1.0.0.0.9|5|264320^MDC_DIM_SEC^MDC",
    )
    assert (one.watchdog, one.confirm_within_s) == (True, 5.0)
    assert alert("OBX|1|ST|196614^MDC_EVT_ACTIVE^MDC|1.0.0.0.1|active", START).watchdog


def test_the_statuses_wanted_are_read() -> None:
    """CP154: absent means all, empty none."""
    wish = "OBX|9|ST|0^MDCX_ALERT_DISSEM_STATUS_FILTER^MDC|1.0.0.0.9|"
    assert alert(EVENT, START).wants is None
    assert alert(EVENT, START, wish).wants == ()
    assert alert(EVENT, START, wish + "accepted~READ").wants == ("ACCEPTED", "READ")


@pytest.mark.parametrize(
    ("xtn", "number"),
    [("8664693239", "8664693239"), ("^^^^46^910^123456", "910123456"), ("^" * 11 + "+46 910 1", "+46 910 1")],
)
def test_a_number_to_call_back_is_read_from_either_form(xtn: str, number: str) -> None:
    """OBR-17; the unstructured number wins."""
    head = BARE.replace("20260101120000+0100\n", "20260101120000+0100" + "|" * 10 + xtn + "\n")
    assert alert(EVENT, START, head=head).callback == number


@pytest.mark.parametrize(("state", "phase"), [("active", Phase.START), ("inactive", Phase.END)])
def test_a_state_without_a_phase_says_it(state: str, phase: Phase) -> None:
    """Better rung than refused."""
    assert alert(EVENT, f"OBX|4|ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.0.0.0.4|{state}").phase is phase


def test_what_is_missing_or_unknown_is_named_by_its_field() -> None:
    """For ERR-2."""
    nobody = BARE.replace("7^GW^00A0^EUI-64", "")
    assert problems(EVENT, START, head=nobody) == [(101, "OBR", 1, 3)]
    assert problems(EVENT) == [(101, "OBX", 1, 3)]
    assert problems(EVENT, START.replace("start", "beginning")) == [(103, "OBX", 2, 5)]
    assert problems() == [(101, "OBX", 1, 0)]
    assert problems(head=BARE.partition("OBR")[0]) == [(101, "OBR", 1, 0)]


def test_groups_that_carry_no_alert_are_evidence() -> None:
    """An order or a waveform beside the alert; two alerts in one message are two."""
    more = "OBR|2||9^GW|5^WAVE^MDC\nOBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.150456|88"
    assert alert(EVENT, START, more).key.id == "7"
    second = f"OBR|2||9^GW|196616^MDC_EVT_ALARM^MDC\n{EVENT}\n{START}"
    both = read_alerts(message("\n".join((BARE.strip(), EVENT, START, second))))
    assert [one.key.id for one in both if isinstance(one, Alert)] == ["7", "9"]


def test_a_message_of_very_many_alerts_is_refused() -> None:
    """The profile says one."""
    group = f"OBR|2||9^GW|196616^MDC_EVT_ALARM^MDC\n{EVENT}\n{START}\n"
    assert problems(group * (MAX_ALERTS + 1), head=BARE.partition("OBR")[0])[0][0] == 207


_piece = st.sampled_from(
    [
        *BARE.replace("\n", "|").split("|"),
        *EVENT.split("|"),
        *START.split("|"),
        "\n",
        "^",
        "&",
        "~",
        "|",
        "OBX",
    ]
) | st.text(max_size=5)


@given(st.lists(_piece, max_size=60))
def test_reading_never_raises_and_says_one_or_the_other(pieces: list[str]) -> None:
    """Alerts or problems, never none and never both."""
    found = read((BARE + "|".join(pieces)).encode("utf-8", "replace"))
    if isinstance(found, Message):
        read_ = read_alerts(found, with_patient=True)
        assert read_
        assert len({type(one) for one in read_}) == 1
