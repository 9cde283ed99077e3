"""MLLP framing: what is a message, whatever the pieces it comes in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from protocols.mllp import (
    HEAD_BYTES,
    Fault,
    FrameRefused,
    Framing,
    MessageReceived,
    MllpEvent,
    framed,
)

SMALL = 64


def heard(*pieces: bytes, limit: int = SMALL) -> list[MllpEvent]:
    """What a framing of short messages makes of these pieces."""
    codec = Framing(max_message_bytes=limit)
    events: list[MllpEvent] = []
    for piece in pieces:
        codec.receive_data(piece, 0)
        events += codec.events_received()
    return events


def test_a_message_comes_out_as_it_went_in() -> None:
    """Framed, and without its frame again."""
    assert heard(framed(b"MSH|a\r")) == [MessageReceived(b"MSH|a\r")]


def test_the_last_carriage_return_may_be_missing_and_line_ends_may_stand_between() -> None:
    """Seen in the field."""
    assert heard(b"\x0bMSH|1\x1c\x0bMSH|2\x1c\n\r\n\x0bMSH|3\x1c\r") == [
        MessageReceived(b"MSH|1"),
        MessageReceived(b"MSH|2"),
        MessageReceived(b"MSH|3"),
    ]


def test_a_sender_that_begins_anew_loses_only_what_it_broke_off() -> None:
    """A second 0Bh before the first message's end; a vertical tab within a text is no second one."""
    assert heard(b"\x0bMSH|half\x0bMSH|whole\x1c\r") == [
        FrameRefused(Fault.CUT_SHORT, b"MSH|half"),
        MessageReceived(b"MSH|whole"),
    ]
    assert heard(b"\x0bMSH|a\x0bb\x1c\r") == [MessageReceived(b"MSH|a\x0bb")]


def test_bytes_outside_a_frame_are_told_of_once() -> None:
    """However many they are; the message after them is whole."""
    assert heard(b"GET / HTTP/1.1\r\n", b"more\r\n", b"\x0bMSH|1\x1c\r") == [
        FrameRefused(Fault.OUTSIDE_FRAME),
        MessageReceived(b"MSH|1"),
    ]


def test_a_message_that_is_too_long_is_skipped_and_its_head_kept() -> None:
    """To the next 0Bh, without another complaint; the limit itself is allowed."""
    assert heard(framed(b"x" * SMALL)) == [MessageReceived(b"x" * SMALL)]
    long = b"y" * (SMALL + 1)
    assert heard(framed(long), framed(b"MSH|2")) == [
        FrameRefused(Fault.TOO_LONG, long[:SMALL]),
        MessageReceived(b"MSH|2"),
    ]


def test_an_empty_frame_is_no_message() -> None:
    """Some senders probe with one."""
    assert heard(framed(b""), framed(b"\r")) == [FrameRefused(Fault.EMPTY), FrameRefused(Fault.EMPTY)]


def test_a_frame_that_stops_is_given_up_and_the_connection_stays() -> None:
    """After its silence; the rest of it is no second fault, the next message is taken."""
    codec = Framing(silence_within_ms=1_000)
    codec.receive_data(b"\x0bMSH|ha", 0)
    assert codec.next_timer() == 1_000
    codec.receive_data(b"lf", 900)
    assert codec.next_timer() == 1_900
    codec.handle_timer(1_899)
    assert codec.events_received() == []
    codec.handle_timer(1_900)
    codec.receive_data(b"rest\x1c\r" + framed(b"MSH|2"), 2_000)
    assert codec.events_received() == [
        FrameRefused(Fault.CUT_SHORT, b"MSH|half"),
        MessageReceived(b"MSH|2"),
    ]
    assert codec.next_timer() is None


def test_the_end_of_the_connection_ends_an_unfinished_message() -> None:
    """And the codec; what comes after is dropped, what is sent after goes nowhere."""
    codec = Framing()
    codec.receive_data(b"\x0bMSH|ha", 0)
    codec.receive_eof(1)
    codec.receive_data(framed(b"MSH|2"), 2)
    codec.send(b"MSH|3")
    assert codec.events_received() == [FrameRefused(Fault.CUT_SHORT, b"MSH|ha")]
    assert (codec.closed, codec.data_to_send(), codec.next_timer()) == (True, b"", None)


def test_what_is_sent_is_framed_and_handed_out_once() -> None:
    """In order."""
    codec = Framing()
    codec.send(b"MSH|1")
    codec.send(b"MSH|2")
    assert codec.data_to_send() == b"\x0bMSH|1\x1c\r\x0bMSH|2\x1c\r"
    assert codec.data_to_send() == b""


_talk = st.lists(
    st.one_of(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"MSH", b"\x0bMSH|", b"x" * 40]),
        st.binary(max_size=12),
    ),
    max_size=30,
).map(b"".join)


@given(_talk, st.lists(st.integers(0, 200), max_size=12))
@example(b"\x0b" + b"x" * 65 + b"\x1c\rz", [64, 65, 66])
def test_any_split_gives_the_same_events_and_nothing_grows(data: bytes, cuts: list[int]) -> None:
    """Whatever arrives, in whatever pieces."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    whole = heard(data)
    assert heard(*pieces) == whole
    for event in whole:
        size = len(event.data) if isinstance(event, MessageReceived) else len(event.head)
        assert size <= max(SMALL, HEAD_BYTES)


@given(st.binary(max_size=60))
def test_a_good_message_before_and_after_anything_is_delivered(garbage: bytes) -> None:
    """Unless the garbage opens a frame of its own, which then ends with the message after it."""
    events = heard(framed(b"MSH|first"), garbage, framed(b"MSH|last"), limit=1_000)
    assert events[0] == MessageReceived(b"MSH|first")
    last = events[-1]
    assert isinstance(last, MessageReceived)
    assert last.data.endswith(b"MSH|last")
