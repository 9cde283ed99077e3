"""The framing of ESPA-X: ten bytes and a document, however they arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.espax import HEADER_BYTES, MAX_MESSAGE_BYTES, Frame, FrameReader, frame
from tests.fuzz.fuzz_espax import SAMPLES, SEEDS, target

HEADERS = {
    name: (bytes.fromhex(line.split("header ")[1].split("  ")[0]), int(line.split("total ")[1].split()[0]))
    for line in (SAMPLES / "headers.txt").read_text().splitlines()
    for name in [line.split()[0]]
}


def test_the_published_headers_are_read_and_written() -> None:
    """All 24, to the byte."""
    assert len(HEADERS) == 24
    for name, (head, total) in HEADERS.items():
        data = (SAMPLES / f"{name}.bin").read_bytes()
        (got,) = FrameReader().feed(data)
        assert len(data) == total
        assert data[:HEADER_BYTES] == head
        assert frame(got.invoke, got.document) == data


def test_a_client_that_writes_sixteen_bits_of_length_is_read_alike() -> None:
    """Zero in the first half of the length and no invoke number."""
    data = b"EX\x00\x00\x00\x0e\x00\x00\x00\x00<a/>"

    assert FrameReader().feed(data) == [Frame(0, b"<a/>")]


@given(st.lists(st.integers(1, 400), max_size=12))
def test_any_split_gives_the_same_messages(cuts: list[int]) -> None:
    """Byte by byte or all at once."""
    data = b"".join((SAMPLES / f"{name}.bin").read_bytes() for name in sorted(HEADERS))[:4_000]
    whole = FrameReader().feed(data)
    reader, got = FrameReader(), []
    for size in [*cuts, len(data)]:
        piece, data = data[:size], data[size:]
        got += reader.feed(piece)

    assert got == whole


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"E<?xml", "no ESPA-X header"),
        (b"GET / HTTP/1.1\r\n", "no ESPA-X header"),
        (b"EX\x00\x00\x00\x09\x00\x00\x00\x01", "a length shorter than the header"),
        (b"EX\x00\x10\x00\x01\x00\x00\x00\x01", f"a message of more than {MAX_MESSAGE_BYTES} bytes"),
    ],
)
def test_a_header_that_is_none_stops_the_reader_after_the_good_messages(head: bytes, why: str) -> None:
    """What came before is delivered, nothing after; nothing is kept."""
    reader = FrameReader()

    assert reader.feed(frame(7, b"<a/>") + head) == [Frame(7, b"<a/>")]
    assert (reader.fault, reader.pending) == (why, 0)
    assert reader.feed(frame(8, b"<b/>")) == []


def test_the_largest_message_is_taken_and_nothing_beyond_it_kept() -> None:
    """One MiB, header and all."""
    reader = FrameReader()
    data = frame(1, b"x" * (MAX_MESSAGE_BYTES - HEADER_BYTES))

    assert reader.feed(data[:-1]) == []
    assert reader.pending == MAX_MESSAGE_BYTES - 1
    assert len(reader.feed(data[-1:])) == 1
    assert reader.pending == 0


@given(st.one_of(st.binary(max_size=300), st.sampled_from(SEEDS)))
def test_garbage_breaks_no_promise(data: bytes) -> None:
    """The fuzz target, on noise and on what was recorded."""
    target(data)
