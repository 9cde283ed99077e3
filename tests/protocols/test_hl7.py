"""HL7 v2 messages: taking them apart and writing them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.hl7 import (
    MAX_SEGMENTS,
    USUAL,
    Message,
    Unreadable,
    charset_of,
    composed,
    escaped,
    read,
    segment,
    time_ms,
    unescape,
    utc_text,
    written,
)

HEAD = "MSH|^~\\&|A|B|C|D|20260101||ORU^R40^ORU_R40|1|P|2.6|||AL|NE||{charset}"


def message(data: bytes | str) -> Message:
    """The message these bytes are; the test fails when they are none."""
    found = read(data.encode() if isinstance(data, str) else data)
    assert isinstance(found, Message), found
    return found


def test_fields_are_counted_as_hl7_counts_them() -> None:
    """MSH-1 is the separator, MSH-2 the other characters, everything after counts from there."""
    header = message(HEAD.format(charset="")).header
    assert (header.raw(1), header.raw(2), header.text(3), header.text(9, 2)) == ("|", "^~\\&", "A", "R40")
    assert (header.text(10), header.text(99), header.text(9, 99)) == ("1", "", "")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_segments_may_end_in_any_way(end: str) -> None:
    """CR by the book, LF and both in the field."""
    read_ = message(end.join([HEAD.format(charset=""), "PV1||I|A^B^C", "OBR|1", ""]))
    assert [one.name for one in read_.segments] == ["MSH", "PV1", "OBR"]


def test_a_line_end_within_a_text_does_not_make_a_segment() -> None:
    """The rest of the line belongs to the field before it."""
    read_ = message(HEAD.format(charset="") + "\rOBX|1|ST|a\nbroken text|next\rNTE|1||x")
    obx = read_.segments[1]
    assert (obx.raw(3), obx.raw(4)) == ("a broken text", "next")


def test_repetitions_components_and_subcomponents_are_told_apart() -> None:
    """Each on its level, escapes undone last."""
    read_ = message(HEAD.format(charset="") + "\rOBX|a^b\\S\\c&d~e^f|~~x")
    obx = read_.segments[1]
    assert obx.components(1) == ["a", "b^c&d"]
    assert obx.components(1, 1) == ["e", "f"]
    assert obx.components(1, 2) == []
    assert obx.repetitions(2) == ["x"]


def test_an_explicit_null_is_empty() -> None:
    """Two double quotes delete a value."""
    assert message(HEAD.format(charset="") + '\rPV1|""|I').segments[1].raw(1) == ""


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (r"a\.br\b", "a\nb"),
        (r"\H\bold\N\ ", "bold "),
        (r"\XC3A5\ ", "å "),
        (r"\.sp+2\x\.ti-3\y", "xy"),
        (r"\C2842\x\M241B24\y\Zabc\z", "xyz"),
        (r"50\50", r"50\50"),
        (r"C:\temp\new", r"C:\temp\new"),
        ("\\", "\\"),
        ("\\" + "x" * 100 + "\\", "\\" + "x" * 100 + "\\"),
        (r"\P\ ", "# "),
    ],
)
def test_escapes_are_undone_and_lone_backslashes_are_text(raw: str, text: str) -> None:
    """HL7 v2.6, 2.7."""
    assert unescape(raw, USUAL) == text


def test_the_message_says_its_own_encoding_characters() -> None:
    """Others than usual, a fifth for truncation, and none at all."""
    other = message("MSH$%*!@$A$$$$$$ORU%R40$1\rOBX$x!S!y%z*w")
    assert other.header.text(9, 2) == "R40"
    assert other.segments[1].components(1) == ["x%y", "z"]
    fifth = message("MSH|^~\\&#|A||||||ORU^R40^ORU_R40|1")
    assert (fifth.delimiters.truncation, fifth.header.text(9, 2)) == ("#", "R40")
    only = message("MSH|^|AAAA||||||ORU^R40\rOBX|a~b\\T\\c")
    assert only.segments[1].whole(1) == "a~b\\T\\c"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-8"),
        ("", "cp1252"),
        ("ASCII", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE UTF-8", "cp1252"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("ISO_8859-1", "latin-1"),
        ("~ISO IR87", "utf-8"),
        ("NO SUCH SET", "utf-8"),
    ],
)
def test_the_character_set_is_that_declared_unless_the_bytes_say_otherwise(
    declared: str, encoding: str
) -> None:
    """A wrong declaration costs no letter of a ward's name."""
    data = (HEAD.format(charset=declared) + "\rPV1||I|Västra^Ö1").encode(encoding)
    assert message(data).segments[1].text(3) == "Västra"


def test_unknown_character_sets_are_known_to_be_unknown() -> None:
    """UTF-16 cannot travel in MLLP."""
    assert charset_of("UNICODE UTF-16") is None
    assert charset_of("8859/9") == "iso8859-9"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"MSH",
        b"MSHa^~\\&|b",
        b"MSH|^~^&|A|B",
        b"MSH|^~\\&#!|A|B",
        b"MSH|^~\\&|\r" + b"OBX|\r" * MAX_SEGMENTS,
    ],
)
def test_what_is_no_message_says_why(data: bytes) -> None:
    """In one line."""
    found = read(data)
    assert isinstance(found, Unreadable)
    assert found.cause


@given(st.binary(max_size=300))
def test_reading_never_raises(data: bytes) -> None:
    """Nor does asking for anything of what was read."""
    for start in (b"", b"MSH|^~\\&|", b"MSH^^^^", b"MSH|"):
        found = read(start + data)
        if isinstance(found, Message):
            for one in found.segments:
                for field in range(len(one.fields) + 2):
                    one.text(field)
                    one.components(field, 1)
                    one.whole(field)


@given(st.text(max_size=60))
def test_what_is_written_is_read_again(text: str) -> None:
    """Through escaping, joining and the bytes; control characters become blanks."""
    data = written([segment("MSH", {3: composed("A", text, "B"), 18: "UNICODE UTF-8"})])
    found = message(data).header.components(3)
    clean = "".join(
        " " if ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF else char for char in text
    )
    assert found == ["A", clean, "B"]
    assert unescape(escaped(text), USUAL) == clean


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20241122090000.150+0100", "2024-11-22T08:00:00.150+00:00"),
        ("20120111150457-0600", "2012-01-11T21:04:57+00:00"),
        ("202402291200+0000", "2024-02-29T12:00:00+00:00"),
        ("20240229+0000", "2024-02-29T00:00:00+00:00"),
    ],
)
def test_times_are_read_with_their_offset(text: str, at: str) -> None:
    """To the millisecond."""
    assert time_ms(text) == round(datetime.fromisoformat(at).timestamp() * 1000)


@pytest.mark.parametrize(
    "text", ["", "20241122090000", "20241122090000-0000", "yesterday", "20241322090000+0100", "2024+010"]
)
def test_a_time_without_an_offset_is_no_instant(text: str) -> None:
    """`-0000` says that nobody knows it."""
    assert time_ms(text) is None


@given(st.integers(0, 4_102_444_800_000))
def test_instants_are_written_as_they_are(at: int) -> None:
    """As the standard library has them, and read back."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    assert utc_text(at) == f"{moment:%Y%m%d%H%M%S}.{at % 1000:03}+0000"
    assert time_ms(utc_text(at)) == at
