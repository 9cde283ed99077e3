"""Acknowledgements: which one a message asks for, and how it is written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.hl7 import Message, read
from protocols.hl7_ack import AckRead, Party, Verdict, ack, answer_code, read_ack, verdict_of
from protocols.pcd04 import Problem

SAMPLES = Path(__file__).parent / "samples" / "ihe-acm"
TAKEN, ERROR, REJECTED = Verdict.TAKEN, Verdict.ERROR, Verdict.REJECTED
AT = 1_732_262_400_150


def message(data: bytes) -> Message:
    """A readable message."""
    found = read(data)
    assert isinstance(found, Message)
    return found


def asking(accept: str, application: str) -> Message:
    """A message with these conditions in MSH-15 and MSH-16."""
    text = f"MSH|^~\\&|A|B|C|D|2026||ORU^R40^ORU_R40|7|P|2.6|||{accept}|{application}"
    return message(text.encode())


START = message((SAMPLES / "synth_01_start_high.hl7").read_bytes())


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("AL", "NE", ("CA", "CE", "CR")),
        ("AL", "AL", ("CA", "CE", "CR")),
        ("", "", ("AA", "AE", "AR")),
        ("NE", "AL", ("AA", "AE", "AR")),
        ("", "AL", ("AA", "AE", "AR")),
        ("NE", "NE", (None, None, None)),
        ("NE", "", (None, None, None)),
        ("ER", "NE", (None, "CE", "CR")),
        ("SU", "NE", ("CA", None, None)),
        ("al", "ne", ("CA", "CE", "CR")),
        ("NE", "ER", (None, "AE", "AR")),
        ("ALWAYS", "", ("CA", "CE", "CR")),
    ],
)
def test_msh_15_and_16_say_which_answer_is_wanted(
    accept: str, application: str, codes: tuple[str | None, ...]
) -> None:
    """Enhanced mode, original mode, and never."""
    asked = asking(accept, application)
    assert tuple(answer_code(asked, verdict) for verdict in (TAKEN, ERROR, REJECTED)) == codes


@pytest.mark.parametrize(
    ("name", "code", "problems"),
    [
        ("synth_09_ack_CA.hl7", "CA", ()),
        ("synth_10_ack_CR_unsupported.hl7", "CR", (Problem(200, "", rejected=True),)),
        ("synth_11_ack_CE_missing_field.hl7", "CE", (Problem(101, "", "OBR", 1, 3),)),
    ],
)
def test_the_hub_answers_as_the_samples_do(name: str, code: str, problems: tuple[Problem, ...]) -> None:
    """Field by field, but for the id and time of the answer itself."""
    sample = message((SAMPLES / name).read_bytes())
    mine = message(ack(START, code, control_id="H1", at=AT, me=Party(), problems=problems))
    assert [one.name for one in mine.segments] == [one.name for one in sample.segments]
    for field in (3, 4, 5, 6, 9, 11, 12, 15, 16, 18):
        assert mine.header.raw(field) == sample.header.raw(field), f"MSH-{field}"
    for ours, theirs in zip(mine.segments[1:], sample.segments[1:], strict=True):
        assert [ours.raw(field) for field in range(1, 5)] == [theirs.raw(field) for field in range(1, 5)]


def test_an_answer_says_what_is_wrong_in_words() -> None:
    """ERR-8, with HL7's own characters escaped; several errors are several segments."""
    problems = (Problem(103, "phase | unknown", "OBX", 3, 5), Problem(207, "busy"))
    data = ack(START, "CE", control_id="H1", at=AT, me=Party("ME", "HERE"), problems=problems)
    assert data.count(b"\rERR|") == 2
    answer = message(data)
    assert (answer.header.text(3), answer.header.text(4)) == ("ME", "HERE")
    assert read_ack(answer) == AckRead("CE", "A1", "phase | unknown; busy")


def test_what_is_read_of_an_answer() -> None:
    """Of either mode; a message without MSA is none; a bare text stands where ERR is missing."""
    assert read_ack(message((SAMPLES / "synth_10_ack_CR_unsupported.hl7").read_bytes())) == AckRead(
        "CR", "A1", "Unsupported message type"
    )
    assert read_ack(START) is None
    assert read_ack(message(b"MSH|^~\\&|||||||ACK\rMSA|ae|7|no such bed")) == AckRead(
        "AE", "7", "no such bed"
    )


def test_any_rejection_rejects_the_message() -> None:
    """An error beside it does not soften it."""
    assert verdict_of(()) is TAKEN
    assert verdict_of((Problem(101, ""),)) is ERROR
    assert verdict_of((Problem(101, ""), Problem(200, "", rejected=True))) is REJECTED


def test_independent_libraries_read_the_answers() -> None:
    """python-hl7 and hl7apy, each from the bytes."""
    hl7, parser = pytest.importorskip("hl7"), pytest.importorskip("hl7apy.parser")
    problems = (Problem(101, "Required field missing", "OBR", 1, 3),)
    text = ack(START, "CE", control_id="H1", at=AT, me=Party(), problems=problems).decode()
    parsed = hl7.parse(text)
    assert (str(parsed.segment("MSA")(1)), str(parsed.segment("MSA")(2))) == ("CE", "A1")
    assert parsed["ERR.F2.R1.C1"] == "OBR"
    strict = parser.parse_message(text, find_groups=False)
    assert (strict.msa.msa_1.value, strict.msa.msa_2.value) == ("CE", "A1")
    assert strict.err.err_3.err_3_1.value == "101"
