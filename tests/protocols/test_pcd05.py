"""PCD-05: what the hub writes, as independent libraries read it, and what samples and the field write."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from protocols.hl7 import Message, read
from protocols.hl7_ack import Party
from protocols.pcd04 import Code, Entity, Location
from protocols.pcd05 import Envelope, Recipient, Status, StatusReport, build_status, read_status

SAMPLES = Path(__file__).parent / "samples" / "ihe-acm"
AT = 1_732_262_406_500
ENVELOPE = Envelope(
    me=Party("ALARM_HUB^0012AAFFFE001122^EUI-64", "HOSPITAL_A"),
    you=Party("NURSECALL_GW^00A0B1FFFEC2D3E4^EUI-64", "HOSPITAL_A"),
)
REPORT = StatusReport(
    status=Status.ACCEPTED,
    own=Entity("ST-4", "ALARM_HUB", "0012AAFFFE001122", "EUI-64"),
    alert=Entity("AL-1001", "NURSECALL_GW", "00A0B1FFFEC2D3E4", "EUI-64"),
    answers="A1",
    at=AT,
    action="UP",
    recipient=Recipient("u17", "Anna Åberg | Lind", "ssk", "dev-88"),
    location=Location("CARD2", "12", "1", "HOSPITAL_A", "B", "2"),
)
EXPECTED = {
    "synth_12_pcd05_1_received.hl7": ("RECEIVED", "AD", "u17"),
    "synth_12_pcd05_2_delivered.hl7": ("DELIVERED", "UP", "u17"),
    "synth_12_pcd05_3_read.hl7": ("READ", "UP", "u17"),
    "synth_12_pcd05_4_accepted.hl7": ("ACCEPTED", "UP", "u17"),
    "synth_12_pcd05_5_completed.hl7": ("COMPLETED", "UP", "u17"),
    "synth_13_pcd05_rejected.hl7": ("REJECTED", "AD", "u18"),
}


def message(data: bytes) -> Message:
    """A readable message."""
    found = read(data)
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_every_sample_is_read(name: str) -> None:
    """Status, action, recipient, and which alert and message it answers."""
    (one,) = read_status(message((SAMPLES / name).read_bytes()))
    assert (one.status, one.action, one.recipient) == EXPECTED[name]
    assert (one.answers, one.alert) == ("A1", REPORT.alert)


def test_the_hub_writes_what_the_sample_has() -> None:
    """Field by field, but for the patient, whom it leaves out, and the zone it writes times in."""
    mine = message(build_status(REPORT, ENVELOPE, control_id="S4", at=AT))
    sample = message((SAMPLES / "synth_12_pcd05_4_accepted.hl7").read_bytes())
    for name, fields in {
        "MSH": (3, 4, 5, 6, 9, 10, 11, 12, 15, 16, 18, 21),
        "MSA": (1, 2),
        "PV1": (2, 3),
        "OBR": (1, 3, 4, 29),
        "PRT": (2, 3, 4, 15),
    }.items():
        ours, theirs = mine.first(name), sample.first(name)
        assert ours is not None and theirs is not None
        for field in fields:
            assert ours.raw(field) == theirs.raw(field), f"{name}-{field}"
    assert mine.first("PID") is None


def test_a_status_of_nobody_names_nobody() -> None:
    """Received and undeliverable are of the alarm as a whole; no place, no message id, no PV1 and MSA."""
    report = replace(
        REPORT, status=Status.UNDELIVERABLE, recipient=Recipient(), location=Location(), answers=""
    )
    written = message(build_status(report, ENVELOPE, control_id="S1", at=AT))
    prt = written.first("PRT")
    assert prt is not None
    assert (prt.raw(3), prt.raw(5), prt.raw(6), prt.raw(10), prt.raw(15)) == (
        "RESPONSE^UNDELIVERABLE^IHE_PCD_ACM",
        "",
        "",
        "",
        "",
    )
    assert (written.first("MSA"), written.first("PV1")) == (None, None)


def test_every_status_is_read_back_as_written() -> None:
    """All seven, also with names that carry HL7's own characters."""
    for status in Status:
        (one,) = read_status(
            message(build_status(replace(REPORT, status=status), ENVELOPE, control_id="S", at=AT))
        )
        assert (one.status, one.own, one.alert, one.role) == (status, REPORT.own, REPORT.alert, "ssk")


def test_short_statuses_are_read_too() -> None:
    """As a reference reporter's mock sends them: OBR-3 and PRT-3 alone, under either message type."""
    for structure in ("ORA^R41^ORA_R41", "ORU^R41"):
        text = f"MSH|^~\\&|||||||{structure}|1|P|2.7\rOBR|||0^uuid^EUI^EUI-64\rPRT|||Delivered"
        (one,) = read_status(message(text.encode()))
        assert (one.status, one.own.namespace, one.alert) == ("DELIVERED", "uuid", Entity())
    assert read_status(message((SAMPLES / "synth_01_start_high.hl7").read_bytes())) == ()


def test_python_hl7_reads_what_the_hub_writes() -> None:
    """Segment by segment, escapes undone."""
    hl7 = pytest.importorskip("hl7")
    parsed = hl7.parse(build_status(REPORT, ENVELOPE, control_id="S4", at=AT).decode())
    assert [str(one[0]) for one in parsed] == ["MSH", "MSA", "PV1", "OBR", "PRT"]
    assert str(parsed.segment("MSH")(9)) == "ORA^R41^ORA_R41"
    assert str(parsed["PRT.F3.R1.C2"]) == "ACCEPTED"
    assert str(parsed["PRT.F5.R1.C1"]) == "u17"
    assert parsed["PRT.F5.R1.C2"] == "Lind"
    assert parsed["PRT.F5.R1.C3"] == "Anna Åberg |"
    assert parsed["OBR.F29.R1.C2.S1"] == "AL-1001"


def test_hl7apy_reads_what_the_hub_writes() -> None:
    """As 2.7: it does not know PRT in 2.6 (its own limit), which is why the version is a setting."""
    parser = pytest.importorskip("hl7apy.parser")
    data = build_status(REPORT, replace(ENVELOPE, version="2.7"), control_id="S4", at=AT)
    segments = parser.parse_segments(data.decode(), version="2.7")
    names = [one.name for one in segments]
    assert names == ["MSH", "MSA", "PV1", "OBR", "PRT"]
    prt = segments[-1]
    assert prt.prt_3.prt_3_2.value == "ACCEPTED"
    assert prt.prt_5.prt_5_1.value == "u17"
    assert segments[0].msh_10.value == "S4"
    assert segments[1].msa_2.value == "A1"


def test_the_service_is_that_of_the_alert() -> None:
    """OBR-4 goes back as it came."""
    report = replace(REPORT, service=Code("ALARM", "ALARM", ""))
    obr = message(build_status(report, ENVELOPE, control_id="S", at=AT)).first("OBR")
    assert obr is not None
    assert obr.raw(4) == "ALARM^ALARM"
