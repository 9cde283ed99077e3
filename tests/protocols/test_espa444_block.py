"""Blocks: the check, what is tolerated, what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.espa444_block import (
    BccRule,
    Block,
    BlockFault,
    Record,
    bcc,
    call_records,
    encode_block,
    matching_bcc,
    parse_block,
)

plain = st.binary(max_size=30).filter(lambda data: not set(data) & {1, 2, 3, 4, 0x1E, 0x1F})


def test_the_published_check_vector() -> None:
    """01 31 02 31 1F 41 03 has the check 5F."""
    assert bcc(bytes.fromhex("31 02 31 1F 41 03")) == 0x5F
    assert encode_block("1", [("1", b"A")]) == bytes.fromhex("01 31 02 31 1F 41 03 5F")


@pytest.mark.parametrize(
    ("received", "seven_bit_line", "expected"),
    [
        (0xF6, False, BccRule.EIGHT_BIT),
        (0x76, False, BccRule.MASKED),
        (0x77, False, None),
        (0x76, True, BccRule.MASKED),
    ],
)
def test_which_reading_of_the_check_matched(
    received: int, seven_bit_line: bool, expected: BccRule | None
) -> None:
    """An odd number of high-bit characters: 8-bit check F6, masked 76, all else wrong."""
    covered = b"1\x021\x1f1201\x1e2\x1fK\xfcche\x03"
    assert matching_bcc(covered, received, seven_bit_line=seven_bit_line) is expected


def test_parity_on_the_check_is_forgiven_on_a_seven_bit_line_only() -> None:
    """All text is 7-bit, the check came with its top bit set."""
    covered = b"1\x021\x1fA\x03"
    assert matching_bcc(covered, 0x5F | 0x80, seven_bit_line=True) is BccRule.SEVEN_BIT_LINE
    assert matching_bcc(covered, 0x5F | 0x80) is None


@pytest.mark.parametrize(
    ("covered", "records"),
    [
        (b"1\x021\x1f12\x1e2\x1fhej", [("1", b"12"), ("2", b"hej")]),
        (b"1\x021\x1f12\x1e2\x1fhej\x1e", [("1", b"12"), ("2", b"hej")]),
        (b"1\x02 1\x1f12\x1e 2 \x1f hej ", [("1", b"12"), ("2", b" hej ")]),
        (b"1\x022\x1fhej\x1e1\x1f12", [("2", b"hej"), ("1", b"12")]),
        (b"1\x021\x1f12\x1ebroken\x1e01\x1fx", [("1", b"12"), ("01", b"x")]),
        (b" 1\x021\x1f", [("1", b"")]),
    ],
)
def test_what_a_tolerant_reader_swallows(covered: bytes, records: list[tuple[str, bytes]]) -> None:
    """Trailing RS, blanks around ids, any order, records without US, ids nobody knows, empty data."""
    assert parse_block(covered) == Block("1", tuple(Record(*record) for record in records))


@pytest.mark.parametrize(
    ("covered", "fault"),
    [
        (b"", BlockFault.NO_HEADER),
        (b"\x021\x1f1", BlockFault.NO_HEADER),
        (b"1", BlockFault.NO_HEADER),
        (b"1\x02", BlockFault.NO_RECORDS),
        (b"1\x02no separators", BlockFault.NO_RECORDS),
    ],
)
def test_what_is_no_message(covered: bytes, fault: BlockFault) -> None:
    """A good check on something that is no block."""
    assert parse_block(covered) is fault


def test_the_first_of_two_equal_records_counts() -> None:
    """A repeated id does not overwrite what was said first; '01' is another id than '1'."""
    block = parse_block(b"1\x021\x1f12\x1e1\x1f13")
    assert isinstance(block, Block)
    assert block.get("1") == b"12"
    assert block.get("01") is None


@given(
    header=st.sampled_from("12345"),
    records=st.lists(st.tuples(st.sampled_from("12345678"), plain), min_size=1),
)
def test_what_is_written_is_read_back(header: str, records: list[tuple[str, bytes]]) -> None:
    """Both directions agree, and the written check is the 8-bit one."""
    raw = encode_block(header, records)
    assert parse_block(raw[1:-2]) == Block(header, tuple(Record(*record) for record in records))
    assert matching_bcc(raw[1:-1], raw[-1]) is BccRule.EIGHT_BIT


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_raise(data: bytes) -> None:
    """A value comes back whatever is read."""
    assert isinstance(parse_block(data), Block | BlockFault)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 0x1E, 0x1F])
def test_a_byte_that_breaks_the_frame_is_not_written(code: int) -> None:
    """That would be our fault, and it is told where it was made."""
    with pytest.raises(ValueError, match="control byte"):
        encode_block("2", [("1", bytes([code]))])


def test_outgoing_texts_are_cut_and_cleaned() -> None:
    """128 characters at most; control characters become blanks; the address is repeated as it was."""
    records = call_records("1201", "a\x03b" + "c" * 200, "ascii")
    assert records == [("1", b"1201"), ("2", b"a b" + b"c" * 125)]
    assert call_records("1201", None, "ascii") == [("1", b"1201")]
