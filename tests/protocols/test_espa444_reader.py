"""One block as it arrives."""

from __future__ import annotations

import pytest

from protocols.espa444_block import Block
from protocols.espa444_events import Cause
from protocols.espa444_reader import BlockReader, Stop
from tests.support.espa_talk import call


def reader(max_bytes: int = 1024, started: bool = True) -> BlockReader:
    """A fresh reader of a block for us."""
    return BlockReader(by=0, selected=True, foreign=False, started=started, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("stop_byte", "stop"), [(b"\x03", Stop.ETX), (b"\x04", Stop.EOT), (b"\x01", Stop.RESTART)]
)
def test_what_stops_a_block_and_what_is_left(stop_byte: bytes, stop: Stop) -> None:
    """Everything up to the stop is taken, everything after it stays."""
    pending = bytearray(b"1\x021\x1fabc" + stop_byte + b"rest")
    assert reader().take(pending) is stop
    assert pending == b"rest"


def test_other_control_bytes_are_text() -> None:
    """ENQ, ACK and NAK inside a block are judged by the check alone."""
    raw = call(text="\x05\x06\x15§")
    block = reader()
    pending = bytearray(raw[1:])
    assert block.take(pending) is Stop.ETX
    verdict = block.verdict(pending[0], seven_bit_line=False)
    assert isinstance(verdict, tuple)
    assert isinstance(verdict[0], Block)
    assert verdict[0].get("2") == b"\x05\x06\x15\xa7"


def test_verdicts() -> None:
    """Each way to be refused has its cause."""
    for data, max_bytes, started, expected in (
        (call()[1:-1], 1024, True, Cause.BCC),
        (call()[1:-1], 5, True, Cause.TOO_LONG),
        (call()[1:-1], 1024, False, Cause.NO_START),
        (b"1\x02\x03", 1024, True, Cause.NOT_A_MESSAGE),
    ):
        block = reader(max_bytes, started)
        assert block.take(bytearray(data)) is Stop.ETX
        check = ord("1") ^ 2 ^ 3 if expected is Cause.NOT_A_MESSAGE else 0xFF
        assert block.verdict(check, seven_bit_line=False) is expected


def test_a_block_that_never_ends_keeps_nothing() -> None:
    """Beyond the limit the bytes are counted as too long and dropped."""
    block = reader(max_bytes=100)
    for _ in range(1_000):
        assert block.take(bytearray(b"x" * 64)) is None
    assert block.too_long
    assert not block.empty
    assert block._covered == b""
