"""SIP over a stream: where one message ends and the next begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.sip import MAX_BODY_BYTES, MAX_HEAD_BYTES, Garbled, Message, Request
from protocols.sip_stream import MESSAGES_WAITING, SipStream

SAMPLES = Path(__file__).parent / "samples" / "scaip"
MRQ = (SAMPLES / "sip_message_mrq.txt").read_bytes()
MRS = (SAMPLES / "sip_message_mrs_separate.txt").read_bytes()
SHORT = b"OPTIONS sip:x SIP/2.0\r\n%sContent-Length: %s\r\n\r\n"


def fed(data: bytes, sizes: list[int] | None = None) -> tuple[list[Message], SipStream]:
    """The events of these bytes, fed in pieces of these sizes (over and over)."""
    codec, events, start, turn = SipStream(), list[Message](), 0, 0
    sizes = sizes or [len(data) or 1]
    while start < len(data):
        size = sizes[turn % len(sizes)]
        codec.receive_data(data[start : start + size], 0)
        events += codec.events_received()
        start, turn = start + size, turn + 1
    return events, codec


def test_two_messages_in_one_breath() -> None:
    """Each is told, in order."""
    events, codec = fed(MRQ + MRS)
    assert [type(event) for event in events] == [Request, Request]
    assert not codec.closed and codec.next_timer() is None


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.binary(max_size=30))
def test_any_split_gives_the_same(sizes: list[int], noise: bytes) -> None:
    """Whole, in pieces, with noise behind."""
    data = b"\r\n" + MRQ + b"\r\n\r\n" + MRS + noise
    whole, first = fed(data)
    split, second = fed(data, sizes)
    assert split == whole
    assert (second.closed, second.error, second.data_to_send()) == (
        first.closed, first.error, first.data_to_send(),
    )  # fmt: skip


def test_a_keep_alive_is_answered() -> None:
    """RFC 5626 4.4.1: two line ends with one; a single one is only swallowed."""
    _, codec = fed(b"\r\n\r\n")
    assert codec.data_to_send() == b"\r\n"
    events, codec = fed(b"\r\n" + MRQ)
    assert len(events) == 1 and codec.data_to_send() == b""
    _, codec = fed(b"\r\n")
    assert codec.next_timer() is None


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (SHORT % (b"", b"x"), "unusable content length"),
        (SHORT % (b"l: 3\r\n", b"4"), "unusable content length"),
        (SHORT % (b"", str(MAX_BODY_BYTES + 1).encode()), "body too long"),
        (b"OPTIONS sip:x SIP/2.0\r\n\r\n", "no content length in a stream"),
        (b"GET / HTTP/1.1\r\n\r\n", "not a SIP start line"),
        (b"X" * (MAX_HEAD_BYTES + 10), "headers too long"),
    ],
)
def test_what_cannot_be_framed_ends_the_conversation(data: bytes, cause: str) -> None:
    """After the good message before it was told."""
    events, codec = fed(MRQ + data)
    assert isinstance(events[0], Request)
    assert isinstance(events[1], Garbled) and events[1].cause == cause
    assert (codec.closed, codec.error) == (True, cause)
    codec.receive_data(MRQ, 0)
    codec.send(b"x")
    assert codec.events_received() == [] and codec.data_to_send() == b""


def test_a_faulty_message_that_is_framed_stops_nothing() -> None:
    """The next one counts."""
    events, codec = fed(SHORT % (b"", b"0") + MRQ)
    assert isinstance(events[0], Garbled) and events[0].cause == "no via header"
    assert isinstance(events[1], Request) and not codec.closed


def test_a_message_that_trickles_has_its_time() -> None:
    """So that nobody holds a connection with half a message."""
    codec = SipStream(begun_within_ms=1_000)
    codec.receive_data(MRQ[:50], 0)
    codec.receive_data(MRQ[50:60], 900)
    assert codec.next_timer() == 1_000
    codec.handle_timer(999)
    assert not codec.closed
    codec.handle_timer(1_000)
    assert codec.error == "a message took too long" and codec.next_timer() is None


def test_a_silent_connection_ends() -> None:
    """After its idle time, counted from the last bytes."""
    codec = SipStream(idle_ms=5_000)
    codec.receive_data(MRQ, 0)
    codec.receive_data(MRQ, 3_000)
    codec.handle_timer(5_000)
    assert codec.next_timer() == 8_000
    codec.handle_timer(8_000)
    assert codec.error == "idle"


def test_the_end_of_the_stream() -> None:
    """Half a message is told as the cause; the end between two is none."""
    _, codec = fed(MRQ[:100])
    codec.receive_eof(0)
    assert codec.error == "closed in the middle of a message"
    _, codec = fed(MRQ)
    codec.receive_eof(0)
    assert (codec.closed, codec.error) == (True, None)


def test_too_many_untaken_messages_stop_the_reading() -> None:
    """Until they are taken."""
    codec = SipStream()
    codec.receive_data(MRQ * MESSAGES_WAITING, 0)
    assert not codec.wants_data
    assert len(codec.events_received()) == MESSAGES_WAITING
    assert codec.wants_data
