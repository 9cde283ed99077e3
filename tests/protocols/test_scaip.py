"""SCAIP bodies: every sample as a person would read it, and every way of being wrong with its number."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.scaip import (
    MAX_XML_BYTES,
    Fault,
    Mrq,
    Mrs,
    Snu,
    inflated,
    merged,
    read,
    write_mrq,
    write_mrs,
)
from protocols.sip import Request, parse

SAMPLES = Path(__file__).parent / "samples" / "scaip"
PENDANT = {
    "ref": "A1B2C3", "ver": "01.00", "mty": "ME", "hbo": "001", "cid": "4670000123", "dty": "0003",
    "did": "P-77", "dco": "002", "dte": "Pendant", "crd": "sip:luc4670000123@arc.example", "stc": "0010",
    "pri": "9", "lco": "012", "lte": "Bedroom",
}  # fmt: skip
DUPLEX = Mrs("A1B2C3", 0, mre=1, cre=62, tnu="sip:ward2@arc.example")
BODIES: list[tuple[str, Mrq | Mrs]] = [
    ("01_mrq_minimal_alarm.xml", Mrq(ref="1234", cid="123456", dty="0001")),
    ("02_mrq_pendant_full.xml", Mrq(**PENDANT)),
    ("03_mrq_heartbeat.xml", Mrq(ref="HB0001", mty="PI", hbo="001", cid="4670000123", dty="0002")),
    ("04_mrq_reset_abort.xml", Mrq(ref="A1B2C3", mty="RE", cid="4670000123", dty="0003")),
    (
        "05_mrq_information_update.xml",
        Mrq(ref="A1B2C3", mty="IN", cid="4670000123", dty="0003", stc="0093"),
    ),
    ("06_mrs_ok_duplex_voice.xml", DUPLEX),
    ("08_mrs_not_treated.xml", Mrs("A1B2C3", 5)),
    ("09_mrs_heartbeat_ok_interval_5min.xml", Mrs("HB0001", 0, hbi=5)),
    ("sip_message_mrq.txt", Mrq(**PENDANT)),
    ("sip_message_mrs_separate.txt", DUPLEX),
]


@pytest.mark.parametrize(("name", "meaning"), BODIES, ids=[name for name, _ in BODIES])
def test_every_sample(name: str, meaning: Mrq | Mrs) -> None:
    """What it says; replies are written back to the byte."""
    body = (SAMPLES / name).read_bytes()
    if name.endswith(".txt"):
        message = parse(body)
        assert isinstance(message, Request)
        body = message.body
    assert read(body.strip()) == meaning
    if isinstance(meaning, Mrs):
        assert write_mrs(meaning) == body.strip()
    else:
        assert read(write_mrq(meaning)) == meaning


def test_no_sample_is_left_out() -> None:
    """The table above is all of them."""
    assert {name for name, _ in BODIES} == {path.name for path in SAMPLES.iterdir()}


def mrq(**fields: str) -> bytes:
    """A minimal request with these fields; "" leaves one out."""
    fields = {"ref": "1", "cid": "4670", "dty": "0003"} | fields
    return ("<mrq>" + "".join(f"<{k}>{v}</{k}>" for k, v in fields.items() if v) + "</mrq>").encode()


FAULTS: list[tuple[bytes, Snu, str]] = [
    (mrq(ref=""), Snu.NO_REFERENCE, "no reference"),
    (mrq(ref="A" * 17), Snu.TOO_LONG, "ref is longer than 16"),
    (mrq(ref="A-1"), Snu.INVALID, "ref has a wrong format"),
    (mrq(cid=""), Snu.TAG_MISSING, "no cid"),
    (mrq(dty=""), Snu.TAG_MISSING, "no dty"),
    (mrq(cid="1" * 33), Snu.TOO_LONG, "cid is longer than 32"),
    (mrq(cid="46a"), Snu.INVALID, "cid has a wrong format"),
    (mrq(dty="00031"), Snu.TOO_LONG, "dty is longer than 4"),
    (mrq(dty="x"), Snu.INVALID, "dty has a wrong format"),
    (mrq(ver="1.0"), Snu.INVALID, "ver has a wrong format"),
    (mrq(sco="4"), Snu.WRONG_DATA, "sco has no such value"),
    (mrq(cha="2"), Snu.WRONG_DATA, "cha has no such value"),
    (mrq(mty="XX"), Snu.WRONG_DATA, "mty has no such value"),
    (mrq(mty="me"), Snu.INVALID, "mty has a wrong format"),
    (mrq(did="P" * 17), Snu.TOO_LONG, "did is longer than 16"),
    (mrq(did="Sänk"), Snu.INVALID, "did has a wrong format"),
    (mrq(dco="1234"), Snu.TOO_LONG, "dco is longer than 3"),
    (mrq(dte="x" * 33), Snu.TOO_LONG, "dte is longer than 32"),
    (mrq(crd="x" * 257), Snu.TOO_LONG, "crd is longer than 256"),
    (mrq(stc="00100"), Snu.TOO_LONG, "stc is longer than 4"),
    (mrq(pri="10"), Snu.TOO_LONG, "pri is longer than 1"),
    (mrq(pri="x"), Snu.INVALID, "pri has a wrong format"),
    (mrq(lco="0123"), Snu.TOO_LONG, "lco is longer than 3"),
    (mrq(lva="123"), Snu.TOO_LONG, "lva is longer than 2"),
    (mrq(lte="x" * 33), Snu.TOO_LONG, "lte is longer than 32"),
    (mrq(ico="1234"), Snu.TOO_LONG, "ico is longer than 3"),
    (mrq(ite="x" * 129), Snu.TOO_LONG, "ite is longer than 128"),
    (mrq(ame="x"), Snu.INVALID, "ame has a wrong format"),
    (mrq().replace(b"<dty>", b"<dty>3</dty><dty>"), Snu.INVALID, "dty twice"),
    (b"", Snu.INVALID, "not well-formed XML"),
    (b"help", Snu.INVALID, "not well-formed XML"),
    (b"<mrq><ref>1</ref>", Snu.INVALID, "not well-formed XML"),
    (b"<html/>", Snu.INVALID, "not a SCAIP document"),
    (b"<mrs><snu>0</snu></mrs>", Snu.NO_REFERENCE, "no reference"),
    (b"<mrs><ref>1</ref></mrs>", Snu.TAG_MISSING, "no status number"),
    (b"<mrq>" + b"<a>" * 9 + b"</a>" * 9 + b"</mrq>", Snu.INVALID, "too many elements"),
    (b"<mrq>" + b"<a/>" * 200 + b"</mrq>", Snu.INVALID, "too many elements"),
    (mrq(ite="x" * 5_000), Snu.INVALID, "a value is too long"),
    (b" " * (MAX_XML_BYTES + 1), Snu.TOO_LONG, "body too long"),
    (b'<?xml version="1.0" encoding="klingon"?><mrq/>', Snu.INVALID, "not well-formed XML"),
]


@pytest.mark.parametrize(
    ("body", "snu", "cause"), FAULTS, ids=[f"{n}-{c}" for n, (_, _, c) in enumerate(FAULTS)]
)
def test_every_way_of_being_wrong_has_its_number(body: bytes, snu: Snu, cause: str) -> None:
    """SS 91100: 1 too long, 2 invalid format, 3 wrong data, 7 tag missing, 10 reference missing."""
    said = read(body)
    assert isinstance(said, Fault), said
    assert (said.snu, said.cause) == (snu, cause)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE mrq [<!ENTITY a "x">]><mrq><ref>1</ref></mrq>',
        b'<!DOCTYPE mrq SYSTEM "http://example.org/x.dtd"><mrq><ref>1</ref></mrq>',
        b'<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><mrq><ref>&a;</ref></mrq>',
    ],
)
def test_document_types_and_entities_are_refused(body: bytes) -> None:
    """Nothing is fetched, nothing is expanded."""
    said = read(body)
    assert isinstance(said, Fault) and said.cause == "a document type declaration"


def test_a_faulty_request_keeps_what_could_be_read() -> None:
    """Too long text is cut, a wrong code is left out; without controller or reference there is nothing."""
    said = read(mrq(lte="Sovrum " * 6, pri="x", stc="10"))
    assert isinstance(said, Fault) and said.ref == "1"
    assert said.read == Mrq(ref="1", cid="4670", dty="0003", stc="0010", lte=("Sovrum " * 6)[:32])
    for body in (mrq(cid="x"), mrq(ref="?"), mrq(mty="XX")):
        other = read(body)
        assert isinstance(other, Fault) and other.read is None
    assert isinstance(bad := read(mrq(ref="<b>&lt;")), Fault) and bad.ref == ""


def test_roots_namespaces_case_and_padding() -> None:
    """Syntilio's `<scaip>` for both directions, also around the message; short codes are padded."""
    plain = Mrq(ref="1", cid="4670", dty="0003", lco="012")
    inner = "<ref>1</ref><cid>4670</cid><dty>3</dty><lco>12</lco>"
    assert read(f"<scaip>{inner}</scaip>".encode()) == Mrq(
        ref="1", cid="4670", dty="0003", lco="012", root="scaip"
    )
    assert isinstance(read(f"<scaip><mrq>{inner}</mrq></scaip>".encode()), Mrq)
    assert read(f'<s:MRQ xmlns:s="urn:x">{inner}<new>1</new></s:MRQ>'.encode()) == plain
    assert read(b"<scaip><ref>1</ref><snu>4</snu></scaip>") == Mrs("1", 4, root="scaip")


def test_where_it_stands_and_what_is_still_to_come() -> None:
    """`lge` has parts; `ame` counts messages."""
    said = read(mrq(lge="<geo>59.3,18.0</geo><tim>1200</tim>", ame="2"))
    assert isinstance(said, Mrq)
    assert (said.geo, said.tim, said.more) == ("59.3,18.0", "1200", 2)
    assert b"<lge><geo>59.3,18.0</geo><tim>1200</tim></lge>" in write_mrq(said)
    outside = read(mrq(geo="59.3"))
    assert isinstance(outside, Mrq) and outside.geo == ""


def test_a_heartbeat_says_whether_it_can_be_told() -> None:
    """Hbo 001."""
    states = [read(mrq(hbo=hbo)) for hbo in ("", "0", "000", "001")]
    assert [isinstance(s, Mrq) and s.heartbeat_adjustable for s in states] == [False, False, False, True]


def test_messages_of_one_session_are_put_together() -> None:
    """What the later says counts; free text is added, and not twice."""
    first = Mrq(ref="1", cid="2", dty="0003", ite="Bor ensam.", ame="1")
    later = Mrq(ref="1", cid="2", dty="0003", ite="Nyckel hos granne.", lco="012")
    both = merged(first, later)
    assert (both.ite, both.lco, both.dty) == ("Bor ensam. Nyckel hos granne.", "012", "0003")
    assert merged(both, later) == both


def test_deflate_is_inflated_within_bounds() -> None:
    """With and without the zlib wrapper; a bomb, a cut body and another encoding are refused."""
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare = raw.compress(mrq()) + raw.flush()
    assert inflated(zlib.compress(mrq()), "deflate") == mrq()
    assert inflated(bare, " Deflate ") == mrq()
    assert inflated(mrq(), "") == inflated(mrq(), "identity") == mrq()
    assert inflated(zlib.compress(b"x" * 10_000_000), "deflate") == "body too long when inflated"
    assert inflated(zlib.compress(mrq())[:-6], "deflate") == "body cannot be inflated"
    assert inflated(mrq(), "gzip") == "unknown content encoding"


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=32).map(str.strip)


@given(
    st.fixed_dictionaries(
        {
            "ref": st.from_regex("[A-Za-z0-9]{1,16}", fullmatch=True),
            "cid": st.from_regex("[0-9]{1,32}", fullmatch=True),
            "dty": st.from_regex("[0-9]{4}", fullmatch=True),
            "mty": st.sampled_from(["ME", "RE", "IN", "PI"]),
            "lte": TEXT, "dte": TEXT, "ite": TEXT,
            "pri": st.sampled_from(["", "0", "9"]),
        }
    )
)  # fmt: skip
def test_what_is_written_is_read_again(fields: dict[str, Any]) -> None:
    """Markup, dots and rings in texts included."""
    request = Mrq(**fields)
    said = read(write_mrq(request))
    if said != request:  # letters XML 1.0 has no place for
        assert isinstance(said, Fault)


@given(st.binary(max_size=200))
def test_garbage_is_never_an_exception(data: bytes) -> None:
    """As a body, as a field, as something to inflate."""
    read(data)
    read(b"<mrq><ref>" + data + b"</ref></mrq>")
    inflated(data, "deflate")
