"""What is written in an SMPP message: alphabets, parts, receipts; whatever comes, nothing raises."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from protocols.smpp_text import (
    LONGEST_CHARS,
    UNREADABLE,
    Fate,
    Part,
    Receipt,
    from_gsm7,
    gsm7,
    read,
    receipt,
    same_id,
    split_header,
)


def test_swedish_is_in_the_alphabet() -> None:
    """As two other implementations wrote it: Ä is 5B, the euro sign 1B 65."""
    assert gsm7("Zimmer 7 Ä€") == bytes.fromhex("5a696d6d65722037205b1b65")
    assert gsm7("åäöÅÄÖ") == b"\x0f\x7b\x7c\x0e\x5b\x5c"


def test_what_the_alphabet_lacks_is_said() -> None:
    """It is not sent with a hole in it."""
    assert gsm7("ŷ") is None and gsm7("日") is None and gsm7("") == b""


@given(st.text(alphabet=[c for c in map(chr, range(0x2FF)) if gsm7(c) is not None], max_size=200))
def test_what_is_written_is_read_again(text: str) -> None:
    """Every character of the alphabet."""
    encoded = gsm7(text)
    assert encoded is not None and from_gsm7(encoded) == text


@pytest.mark.parametrize(
    ("data", "coding", "text"),
    [
        (b"1 4711", 0, "1 4711"),
        (b"1 4711 \x80", 0, f"1 4711 {UNREADABLE}"),
        ("1 4711 å".encode("latin-1"), 3, "1 4711 å"),
        ("1 4711 日".encode("utf-16-be"), 8, "1 4711 日"),
        (b"\x001\x00 \xd8", 8, f"1 {UNREADABLE}"),
        (b"1 4711", 1, "1 4711"),
        (b"1 4711", 0xF1, "1 4711"),
        (b"\x001", 0x18, "1"),
        (b"\x01\x02", 0x04, ""),
        (b"\x01\x02", 0xF5, ""),
        (b"1 4711", 0xC8, ""),
        (b"\x1b", 0, ""),
        (b"", 0, ""),
    ],
)
def test_each_alphabet_is_read(data: bytes, coding: int, text: str) -> None:
    """Binary and what is reserved says nothing."""
    assert read(data, coding) == text


def test_a_network_whose_default_is_latin() -> None:
    """By agreement."""
    assert read("å".encode("latin-1"), 0, latin=True) == "å"


@given(st.binary(max_size=300), st.integers(0, 255))
def test_nothing_that_comes_raises(data: bytes, coding: int) -> None:
    """Text, header and receipt alike; and what is read is bounded."""
    assert len(read(data * 30, coding)) <= LONGEST_CHARS
    text, _ = split_header(data)
    assert len(text) <= len(data)
    receipt(read(data, coding))


def test_parts_are_known_by_their_header() -> None:
    """With references of one octet and of two; other elements are passed over."""
    assert split_header(bytes.fromhex("050003cc0201") + b"1 4711") == (b"1 4711", Part(0xCC, 2, 1))
    assert split_header(bytes.fromhex("060804abcd0302") + b"x") == (b"x", Part(0xABCD, 3, 2))
    assert split_header(bytes.fromhex("0804020102000301ff01") + b"x") == (b"\x01x", None)
    assert split_header(b"\x00hej") == (b"hej", None)


@pytest.mark.parametrize("data", [b"", b"\x05\x00\x03", b"\xff1 4711"])
def test_a_header_longer_than_the_message_leaves_nothing(data: bytes) -> None:
    """It is not read as text."""
    assert split_header(data) == (b"", None)


STANDARD = (
    "id:MSG0001 sub:001 dlvrd:001 submit date:2411220900 done date:2411220901 stat:{} err:000 text:Bed 12"
)


@pytest.mark.parametrize(
    ("stat", "fate"),
    [
        ("DELIVRD", Fate.DELIVERED),
        ("delivrd", Fate.DELIVERED),
        ("EXPIRED", Fate.FAILED),
        ("UNDELIV", Fate.FAILED),
        ("REJECTD", Fate.FAILED),
        ("DELETED", Fate.FAILED),
        ("ACCEPTD", Fate.PENDING),
        ("UNKNOWN", Fate.PENDING),
        ("ODDWORD", Fate.PENDING),
    ],
)
def test_a_receipt_is_read_from_its_text(stat: str, fate: Fate) -> None:
    """A word nobody knows is no last word."""
    found = receipt(STANDARD.format(stat))
    assert found is not None and (found.id, found.fate) == ("MSG0001", fate)


def test_parameters_of_a_receipt_go_before_its_text() -> None:
    """And do without it."""
    assert receipt(STANDARD.format("EXPIRED"), id="7", state=2) == Receipt("7", "DELIVRD")
    assert receipt("", id="7", state=5) == Receipt("7", "UNDELIV")
    assert receipt("", id="7", state=99) is None


@pytest.mark.parametrize(
    "text", ["", "1 4711", "id: stat:", "stat:DELIVRD", "id:7 sub:001", "id:" + "7" * 99]
)
def test_what_names_no_message_is_no_receipt(text: str) -> None:
    """Or says nothing of it."""
    assert receipt(text) is None


def test_a_message_may_be_called_otherwise_in_its_receipt() -> None:
    """In decimal here, in hexadecimal there."""
    assert "1F" in same_id("31") and "31" in same_id("0000001F") and "31" in same_id("1f")
    assert same_id("MSG0001") == ("MSG0001",)
    assert same_id("007")[:2] == ("007", "7")
    assert "" not in same_id("000")
