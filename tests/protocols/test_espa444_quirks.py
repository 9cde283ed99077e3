"""What a tolerant receiver must swallow: one test for each row of the fact sheet's quirk list (1.9).

Rows that are not the codec's are tested where they belong: lists of addresses in `test_mapping`, "status 3 or
6 or the call has failed" in `test_espa`, texts cut at a site's limit in `test_espa444_call`.
"""

from __future__ import annotations

import pytest

from protocols.espa444 import Link, LinkMode, StatusMemory, StatusReport
from protocols.espa444_block import MAX_BLOCK_BYTES, bcc, encode_block
from protocols.espa444_control import ControlLine
from protocols.espa444_events import Cause, FrameRefused, PollSeen, StatusDelivered
from tests.support.espa_stations import Stations
from tests.support.espa_talk import ACK, BARE_SELECT, EOT, POLL, SELECT, Talk, call

EVERY_MODE = pytest.mark.parametrize("mode", list(LinkMode))


@EVERY_MODE
def test_a_select_without_any_poll(mode: LinkMode) -> None:
    """`addr ENQ` at any idle moment."""
    talk = Talk(mode)
    assert talk.say(BARE_SELECT) == ACK
    assert talk.say(call(text="one")) == ACK
    assert talk.texts == ["one"]


@EVERY_MODE
def test_blocks_sent_bare(mode: LinkMode) -> None:
    """No poll, no select, no EOT: each block is answered."""
    talk = Talk(mode)
    assert talk.say(call(text="one")) == ACK
    assert talk.say(call(text="two")) == ACK
    assert talk.say(call(text="three")[:-1] + b"\x7f") == b"1\x15"
    assert talk.texts == ["one", "two"]


@EVERY_MODE
def test_a_whole_transaction_in_one_packet_and_in_single_bytes(mode: LinkMode) -> None:
    """`EOT 1 ENQ 2 ENQ` glued, the block behind it: a stream, not packets."""
    glued = SELECT + call(text="glued") + EOT
    for pieces in (
        [glued],
        [glued[i : i + 1] for i in range(len(glued))],
        [glued[:3], glued[3:9], glued[9:]],
    ):
        talk = Talk(mode)
        assert b"".join(talk.say(piece) for piece in pieces) == ACK + ACK
        assert talk.texts == ["glued"]


@EVERY_MODE
def test_a_master_that_never_waits(mode: LinkMode) -> None:
    """BCC and EOT in one write, the next call behind them: each is stored and answered in its order."""
    talk = Talk(mode)
    for number in range(3):
        assert talk.say(SELECT + call(text=f"call {number}") + EOT) == ACK + ACK
    assert talk.texts == ["call 0", "call 1", "call 2"]


@pytest.mark.parametrize("extra", [b"\r", b"\n", b"\r\n", b"\x00", b"\r\n" * 40])
@EVERY_MODE
def test_carriage_returns_after_messages(mode: LinkMode, extra: bytes) -> None:
    """Between all frames: ignored, and no noise however many."""
    talk = Talk(mode)
    said = (SELECT, call(text="one"), call(text="two"))
    assert b"".join(talk.say(piece + extra) for piece in said) == ACK * 3
    talk.say(EOT + extra)
    assert talk.texts == ["one", "two"]
    assert talk.seen(FrameRefused) == []


def test_a_check_that_is_a_carriage_return_is_a_check() -> None:
    """Only between frames is it nothing."""
    texts = [first + chr(code) for first in ("", "A", "a") for code in range(0x20, 0x7F)]
    block = next(block for text in texts if (block := call(text=text))[-1] == 0x0D)
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(block) == ACK


def test_a_device_that_cannot_stand_continuous_polling() -> None:
    """The hub as control station polls only when something is to be said: a select of its own."""
    line = Stations(ControlLine(poll_every_ms=0, stations=("2",)))
    assert line.begin() == b""
    assert line.wait(3_600_000) == b""
    assert line.send("p1", "2", call("1042", "Sal 12")) == b"\x041\x052\x05"


def test_status_only_on_request() -> None:
    """The last status of each call is kept for header 3, also over a reconnect."""
    memory = StatusMemory()
    memory.note("1201", "Sal 12 plats 1", "6")
    talk = Talk(memory=memory)
    talk.say(SELECT)
    assert talk.say(encode_block("3", [("1", b"1201"), ("2", b"Sal 12 plats 1")])) == ACK
    talk.say(EOT)
    assert talk.say(POLL) == b"1\x05"
    assert b"\x1e7\x1f6\x03" in talk.say(ACK)


def test_a_sender_that_needs_its_status_gets_it_at_its_next_poll() -> None:
    """3 or 6, whichever the link is set to say; the poll is answered at once."""
    talk = Talk()
    talk.say(SELECT)
    talk.say(call())
    talk.say(EOT)
    assert talk.codec.queue_status(StatusReport("s1", "1201", "Sal 12 plats 1", "3"))
    assert talk.say(POLL) == b"1\x05"
    assert b"\x1e7\x1f3\x03" in talk.say(ACK)
    assert talk.say(ACK) == EOT
    assert talk.seen(StatusDelivered) == [StatusDelivered("s1")]


def blocked(covered: bytes) -> bytes:
    """A block around these bytes, with its check."""
    return b"\x01" + covered + b"\x03" + bytes([bcc(covered + b"\x03")])


@pytest.mark.parametrize(
    "covered",
    [
        b"1\x021\x1f1201\x1e2\x1fSal 12",
        b"1\x021\x1f1201\x1e2\x1fSal 12\x1e",
        b"1\x02 1\x1f1201\x1e2\x1fSal 12",
        b" 1 \x021 \x1f1201\x1e 2\x1fSal 12\x1e\x1e",
        b"1\x024\x1f3\x1e2\x1fSal 12\x1e6\x1f3\x1e1\x1f 1201 ",
        b"1\x021\x1f1201\x1e2\x1fSal 12\x1e9\x1fx\x1eA\x1fy\x1enonsense\x1e3\x1f",
    ],
    ids=["no 3 to 6", "trailing RS", "blank after STX", "blanks everywhere", "any order", "unknown records"],
)
@EVERY_MODE
def test_records_as_they_come(mode: LinkMode, covered: bytes) -> None:
    """Missing, in any order, with stray blanks and separators: the same call."""
    talk = Talk(mode)
    talk.say(SELECT)
    assert talk.say(blocked(covered)) == ACK
    (event,) = talk.seen(type(talk.events[-1]))
    assert (event.address, event.text) == ("1201", "Sal 12")  # type: ignore[attr-defined]
    assert (event.call_type, event.priority, event.transmissions) == ("3", "3", "1")  # type: ignore[attr-defined]


@pytest.mark.parametrize("chars", [128, 138, 250])
def test_long_texts_are_taken(chars: int) -> None:
    """More than the standard's 128; only beyond a kilobyte is a block refused, as invalid, not for ever."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(text="x" * chars)) == ACK
    assert talk.texts == ["x" * chars]
    assert talk.say(call(text="x" * MAX_BLOCK_BYTES)) == b"3\x15"


def test_a_sender_that_repeats_only_so_often_is_answered_each_time() -> None:
    """NAK limits: the third repetition may be the last, so the first good one is taken."""
    talk = Talk()
    talk.say(SELECT)
    for _ in range(2):
        assert talk.say(call()[:-1] + b"\x7f") == b"1\x15"
    assert talk.say(call()) == ACK


@EVERY_MODE
def test_two_stations_on_one_line(mode: LinkMode) -> None:
    """Polls, selects, blocks and answers of others are not ours, good or damaged; then we are called."""
    talk = Talk(mode)
    for other in (call(text="for 3"), call(text="for 3")[:-1] + b"\x7f"):
        assert talk.say(b"\x041\x053\x05") == b""
        assert talk.say(other) == b""
        assert talk.say(EOT) == b""
    assert talk.say(SELECT) == ACK
    assert talk.say(call(text="for 2")) == ACK
    assert talk.texts == ["for 2"]
    assert talk.seen(FrameRefused) == []


@pytest.mark.parametrize(
    "noise",
    [b"\x00" * 50, b"\xff\xfe\x7f", b"\x05\x05\x02", b"4\x00\x05", b"\x06\x15\x06", b"7", b"\x03\x1f\x1e"],
)
@EVERY_MODE
def test_control_bytes_in_idle_noise(mode: LinkMode, noise: bytes) -> None:
    """Breaks, stray ENQs and answers: the next EOT or SOH is understood."""
    talk = Talk(mode)
    talk.say(noise)
    assert talk.say(SELECT).endswith(ACK)
    assert talk.say(call(text="after")) == ACK
    assert talk.texts == ["after"]


def test_noise_between_two_frames_of_a_poll_does_not_make_it_a_select() -> None:
    """`EOT 2 ENQ` with a break inside is still a poll of a polled link."""
    talk = Talk()
    assert talk.say(b"\x04\x00\x00" + b"2\x05") == EOT
    assert talk.seen(PollSeen) == [PollSeen("2", mine=True)]


def test_a_line_of_seven_bits_and_parity() -> None:
    """Behind a device server that hands the parity bit on: taken off, the check compared in seven bits."""
    talk = Talk(link=Link(seven_bit=True))
    with_parity = bytes(c | 0x80 if c.bit_count() % 2 else c for c in SELECT + call(text="Sal 12") + EOT)
    assert talk.say(with_parity) == ACK + ACK
    assert talk.texts == ["Sal 12"]


@pytest.mark.parametrize("header", ["7", "9"])
def test_a_vendors_licence_request_is_invalid(header: str) -> None:
    """Dialects ask for what only their own systems know."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(header=header)) == b"3\x15"
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.UNKNOWN_HEADER, "3")]


@pytest.mark.parametrize("call_type", ["4", "7", "12"])
def test_a_vendors_call_type_is_a_call(call_type: str) -> None:
    """Whatever it means there, it rings here."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(text="alarm", r4=call_type)) == ACK
    assert talk.texts == ["alarm"]
