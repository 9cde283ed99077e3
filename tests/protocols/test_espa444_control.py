"""The hub as control station: it polls in turn, takes calls, sends, and never talks over another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import StreamCodec
from protocols.espa444 import StatusMemory, StatusReport
from protocols.espa444_block import encode_block
from protocols.espa444_control import ControlLine, ControlStation
from protocols.espa444_events import (
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    Selected,
    SendCause,
    SendFailed,
    SendTaken,
    StationHeard,
    StationLost,
    StatusRequested,
)
from protocols.espa444_queue import MAX_SENDINGS
from protocols.espa444_station import MAX_PENDING_BYTES
from tests.support.espa_stations import Stations
from tests.support.espa_talk import ACK, EOT, call

POLL_2, POLL_3 = b"\x042\x05", b"\x043\x05"
SELECT_2 = b"\x041\x052\x05"
SELECTS_US = b"1\x05"
AGAIN, BUSY, INVALID = b"1\x15", b"2\x15", b"3\x15"
TWO = ControlLine(stations=("2", "3"), poll_every_ms=5_000)
ONE = ControlLine(stations=("2",), poll_every_ms=5_000)
SENDER = ControlLine(poll_every_ms=0)
PAGE = call("1042", "Sal 12")


def test_a_control_station_is_a_stream_codec() -> None:
    """Whoever drives one codec can drive this one."""
    codec: StreamCodec[EspaEvent] = ControlStation(TWO)
    assert codec.next_timer() == 0, "it begins at once"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"own": "12"}, "one digit"),
        ({"stations": ("a",)}, "one digit"),
        ({"own": "2", "stations": ("2",)}, "poll itself"),
        ({"charset": "morse"}, "unknown character set"),
    ],
)
def test_a_line_that_cannot_be(line: dict[str, str], fault: str) -> None:
    """It is refused where it is made."""
    with pytest.raises(ValueError, match=fault):
        ControlLine(**line)  # type: ignore[arg-type]


# Polling.


def test_stations_are_polled_in_turn_and_again_after_the_interval() -> None:
    """Who has nothing to say answers EOT; the next is polled at once."""
    line = Stations(TWO)
    assert line.begin() == POLL_2
    assert line.say(EOT) == POLL_3
    assert line.say(EOT) == b""
    assert line.wait(4_999) == b""
    assert line.wait(1) == POLL_2
    assert line.seen(StationHeard) == [StationHeard("2"), StationHeard("3")]


def test_a_station_that_does_not_answer_holds_up_nobody() -> None:
    """After the reply time the next is polled; the silent one is asked again in its turn."""
    line = Stations(TWO)
    line.begin()
    assert line.wait(1_999) == b""
    assert line.wait(1) == POLL_3
    assert line.say(EOT) == b""
    assert line.wait(3_000) == POLL_2


def test_a_station_silent_three_times_is_off_line_for_a_minute() -> None:
    """It is told once, polled once a minute, and welcomed back."""
    line = Stations(ONE)
    assert line.begin() == POLL_2
    assert line.wait(5_000) + line.wait(5_000) == POLL_2 * 2
    assert line.seen(StationLost) == []
    assert line.wait(2_000) == b""
    assert line.seen(StationLost) == [StationLost("2")]
    assert line.codec.offline == ("2",)
    assert line.wait(59_999) == b""
    assert line.wait(1) == POLL_2
    assert line.wait(60_000) == POLL_2
    assert line.say(EOT) == b""
    assert line.seen(StationHeard) == [StationHeard("2", back=True)]
    assert line.codec.offline == ()
    assert line.wait(5_000) == POLL_2
    assert line.seen(StationLost) == [StationLost("2")]


def test_a_line_without_stations_is_silent() -> None:
    """A hub that only sends polls nobody."""
    line = Stations(SENDER)
    assert line.begin() == b""
    assert line.codec.next_timer() is None


# Calls of temporary masters.


def test_a_polled_station_gives_its_call_and_the_line_back() -> None:
    """Poll, select of us, block, EOT; then the next station."""
    line = Stations(TWO)
    line.begin()
    assert line.say(SELECTS_US) == ACK
    assert line.say(call(text="Kyl 4 larm")) == ACK
    assert line.say(EOT) == POLL_3
    (event,) = line.seen(BlockReceived)
    assert (event.text, event.station) == ("Kyl 4 larm", "2")
    assert line.seen(Selected) == [Selected(True)]


def test_several_blocks_in_one_selection() -> None:
    """Some send all they have."""
    line = Stations(TWO)
    line.begin()
    line.say(SELECTS_US)
    assert line.say(call(text="one")) == ACK
    assert line.say(call(text="two")) == ACK
    assert line.say(EOT) == POLL_3
    assert line.texts == ["one", "two"]


def test_a_station_that_never_says_eot_loses_the_line_soon() -> None:
    """Its call is stored; the others are polled after the reply time."""
    line = Stations(TWO)
    line.begin()
    line.say(SELECTS_US)
    line.say(call(text="one"))
    assert line.wait(1_999) == b""
    assert line.wait(1) == POLL_3
    assert line.seen(FrameRefused) == []


def test_a_station_that_took_the_line_and_says_nothing_loses_it_after_ten_seconds() -> None:
    """Its select without a block is refused, the line is reset by the next poll."""
    line = Stations(TWO)
    line.begin()
    line.say(SELECTS_US)
    assert line.wait(9_999) == b""
    assert line.wait(1).endswith(POLL_3)
    assert line.seen(FrameRefused) == [FrameRefused(Cause.NO_BLOCK)]


def test_a_station_that_sends_its_block_without_a_select() -> None:
    """Bare in answer to the poll: taken all the same."""
    line = Stations(TWO)
    line.begin()
    assert line.say(call(text="bare")) == ACK
    assert line.say(EOT) == POLL_3
    assert line.texts == ["bare"]


@pytest.mark.parametrize(("answers", "answer"), [("busy", BUSY), ("invalid", INVALID)])
def test_the_owner_may_refuse(answers: str, answer: bytes) -> None:
    """In the protocol's words; the repetition is answered anew."""
    line = Stations(TWO, answers=answers)
    line.begin()
    line.say(SELECTS_US)
    assert line.say(call()) == answer
    line.answers = "accept"
    assert line.say(call()) == ACK


def test_an_owner_who_is_silent_means_busy() -> None:
    """Nothing is acknowledged before it is stored, nobody is polled meanwhile."""
    line = Stations(TWO, answers="hold")
    line.begin()
    line.say(SELECTS_US)
    assert line.say(call()) == b""
    assert line.wait(1_799) == b""
    assert line.wait(1) == BUSY
    assert line.say(EOT) == POLL_3


def test_a_station_that_gave_up_gets_no_late_answer() -> None:
    """Its EOT ends the wait; what it gets next is a poll."""
    line = Stations(TWO, answers="hold")
    line.begin()
    line.say(SELECTS_US)
    line.say(call())
    line.wait(400)
    assert line.say(EOT) == POLL_3
    assert line.seen(AnswerUnwanted) == [AnswerUnwanted(1)]
    assert not line.codec.accept(1, line.now)


def test_a_bad_block_is_asked_for_again() -> None:
    """`1 NAK`, the repetition, ACK."""
    line = Stations(TWO)
    line.begin()
    line.say(SELECTS_US)
    assert line.say(call()[:-1] + b"\x7f") == AGAIN
    assert line.say(call()) == ACK
    assert len(line.texts) == 1


def test_a_block_that_breaks_off_is_refused_in_time() -> None:
    """The line does not wait for ever."""
    line = Stations(TWO)
    line.begin()
    line.say(SELECTS_US)
    line.say(call()[:7])
    assert line.wait(1_000) == AGAIN
    assert line.say(call()[:7] + EOT) == POLL_3
    assert [refused.cause for refused in line.seen(FrameRefused)] == [Cause.TIMED_OUT, Cause.CUT_OFF]


def test_an_unready_hub_says_so() -> None:
    """`2 NAK` to the select; the station keeps its call and the line goes back with its EOT."""
    line = Stations(TWO)
    line.codec.ready = False
    line.begin()
    assert line.say(SELECTS_US) == BUSY
    assert line.say(EOT) == POLL_3
    assert line.seen(Selected) == [Selected(False)]


def test_a_station_that_missed_our_ack_selects_again() -> None:
    """It is answered again."""
    line = Stations(TWO)
    line.begin()
    assert line.say(SELECTS_US) == ACK
    assert line.say(SELECTS_US) == ACK
    assert line.say(call()) == ACK


def test_a_late_answer_to_a_poll_is_still_a_select() -> None:
    """The reply time was over, nobody else was polled yet."""
    line = Stations(ONE)
    line.begin()
    line.wait(2_500)
    assert line.say(SELECTS_US) == ACK
    assert line.say(call()) == ACK


def test_the_hub_is_silent_while_stations_talk_to_each_other() -> None:
    """A block for another is not ours; after its EOT, or ten seconds, the line is ours again."""
    line = Stations(TWO)
    line.begin()
    assert line.say(b"3\x05") == b""
    assert line.say(ACK) == b""
    assert line.say(call(text="not for us")) == b""
    assert line.say(ACK + EOT) == POLL_3
    assert line.texts == []
    line.say(b"2\x05")
    assert line.wait(2_999) == b""
    assert line.wait(7_001) == POLL_2


def test_a_station_may_select_us_after_another() -> None:
    """One turn, two receivers."""
    line = Stations(TWO)
    line.begin()
    line.say(b"3\x05" + ACK + call(text="not for us") + ACK)
    assert line.say(SELECTS_US) == ACK
    assert line.say(call(text="for us")) == ACK
    assert line.texts == ["for us"]


def test_information_is_acknowledged_and_told() -> None:
    """A transmitter that reports its failure."""
    line = Stations(ONE)
    line.begin()
    line.say(SELECTS_US)
    assert line.say(bytes.fromhex("01 32 02 38 1F 31 03 25")) == ACK
    (event,) = line.seen(InformationReceived)
    assert event.block.get("8") == b"1"


# Sending.


def test_a_call_is_sent_at_once_when_the_line_is_free() -> None:
    """The recorded order: poll of itself and select in one burst, block, EOT."""
    line = Stations(SENDER)
    line.begin()
    assert line.send("p1", "2", PAGE) == SELECT_2
    assert line.say(ACK) == PAGE
    assert line.seen(SendTaken) == []
    assert line.say(ACK) == EOT
    assert line.seen(SendTaken) == [SendTaken("p1")]
    assert line.codec.next_timer() is None


def test_a_call_waits_while_a_station_has_the_line() -> None:
    """Nobody is interrupted; afterwards polls and sends take turns."""
    line = Stations(TWO)
    line.begin()
    assert line.send("p1", "2", PAGE) == b""
    assert line.send("p2", "2", PAGE) == b""
    assert line.say(SELECTS_US) == ACK
    assert line.say(EOT) == SELECT_2
    line.say(ACK)
    assert line.say(ACK) == POLL_3
    assert line.say(EOT) == SELECT_2


def test_a_block_with_noise_on_it_is_sent_three_times_at_most() -> None:
    """`1 NAK`, or NAK alone, or silence; the third success counts, the third failure ends it."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    line.say(ACK)
    assert line.say(AGAIN) == PAGE
    assert line.say(b"\x15") == PAGE
    assert line.say(ACK) == EOT
    line.send("p2", "2", PAGE)
    line.say(ACK)
    assert line.wait(2_000) == PAGE
    assert line.say(AGAIN) == PAGE
    assert line.wait(2_000) == EOT
    assert line.events[-1:] == [SendFailed("p2", SendCause.NO_ANSWER)]
    assert SendTaken("p1") in line.events


@pytest.mark.parametrize("at_select", [True, False])
def test_a_busy_station_is_tried_again_after_a_second_and_three_times(at_select: bool) -> None:
    """Its queue is full; others are served meanwhile."""
    line = Stations(SENDER)
    heard = line.send("p1", "2", PAGE)
    for attempt in range(3):
        assert heard == SELECT_2
        if not at_select:
            assert line.say(ACK) == PAGE
        assert line.say(BUSY) == EOT
        if attempt == 0:
            assert line.send("other", "4", PAGE) == b"\x041\x054\x05"
            line.say(ACK)
            line.say(ACK)
        heard = line.wait(1_000)
    assert heard == b""
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.BUSY)]
    assert line.seen(SendTaken) == [SendTaken("other")]


def test_an_invalid_message_is_not_repeated() -> None:
    """`3 NAK` will not change."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    line.say(ACK)
    assert line.say(INVALID) == EOT
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.INVALID)]


@pytest.mark.parametrize("answer", [EOT, AGAIN, INVALID])
def test_a_station_that_refuses_the_select_is_asked_three_times(answer: bytes) -> None:
    """EOT rejects it, so does any NAK."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    for _ in range(3):
        assert line.say(answer) == EOT
        line.wait(1_000)
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.NOT_SELECTED)]


def test_a_station_that_does_not_hear_its_select_is_lost() -> None:
    """Three selects without an answer: the block failed, the owner is told who is away."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    line.wait(10_000)
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.NO_ANSWER)]
    assert line.seen(StationLost) == [StationLost("2")]
    line.send("p2", "2", PAGE)
    line.say(ACK)
    assert line.seen(StationHeard) == [StationHeard("2", back=True)]


def test_a_station_that_takes_our_select_for_a_poll_is_heard_first() -> None:
    """It has a status to give; our block comes after it."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    assert line.say(SELECTS_US) == ACK
    assert line.say(encode_block("2", [("1", b"1042"), ("7", b"3")])) == ACK
    assert line.say(EOT) == SELECT_2
    assert line.say(ACK) == PAGE
    line.say(ACK)
    assert line.seen(SendTaken) == [SendTaken("p1")]


def test_one_that_always_speaks_first_does_not_keep_our_block_for_ever() -> None:
    """After three times it failed."""
    line = Stations(SENDER)
    line.send("p1", "2", PAGE)
    for _ in range(3):
        line.say(SELECTS_US)
        line.say(EOT)
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.NOT_SELECTED)]


def test_blocks_to_one_station_keep_their_order() -> None:
    """A reset never overtakes its call, however often the call is refused."""
    line = Stations(SENDER)
    line.send("call", "2", PAGE)
    line.send("reset", "2", call("1042", "Sal 12", r4="1"))
    assert line.say(BUSY) == EOT
    assert line.wait(1_000) == SELECT_2
    assert line.say(ACK) == PAGE
    assert line.say(ACK) == SELECT_2
    line.say(ACK)
    line.say(ACK)
    assert [taken.id for taken in line.seen(SendTaken)] == ["call", "reset"]


def test_the_queue_is_bounded_and_what_waits_can_be_taken_back() -> None:
    """But not what is on the line."""
    line = Stations(SENDER)
    line.send("0", "2", PAGE)
    for number in range(1, MAX_SENDINGS):
        assert line.codec.send(str(number), "2", PAGE, line.now)
    assert not line.codec.send("more", "2", PAGE, line.now)
    assert not line.codec.forget("0")
    assert line.codec.forget("1")
    assert not line.codec.forget("1")
    assert line.codec.send("more", "2", PAGE, line.now)


def test_a_lost_connection_fails_everything_that_waits() -> None:
    """The owner tries again over the next one; a held call gets no answer."""
    line = Stations(TWO, answers="hold")
    line.begin()
    line.send("p1", "2", PAGE)
    line.send("", "2", PAGE)
    line.say(SELECTS_US)
    line.say(call())
    line.codec.receive_eof(line.now)
    line.hear()
    assert line.seen(SendFailed) == [SendFailed("p1", SendCause.CONNECTION_LOST)]
    assert line.seen(AnswerUnwanted) == [AnswerUnwanted(1)]
    assert line.codec.closed
    assert line.codec.next_timer() is None
    assert not line.codec.send("p2", "2", PAGE, line.now)


# Status back to the stations.


def test_a_status_goes_to_the_station_that_called() -> None:
    """Header 2, by our own select."""
    line = Stations(ONE)
    line.begin()
    line.say(SELECTS_US)
    line.say(call())
    line.say(EOT)
    assert line.codec.send_status(StatusReport("s1", "1201", "Sal 12 plats 1", "3"), "2", line.now)
    assert line.hear() == SELECT_2
    assert line.say(ACK) == encode_block("2", [("1", b"1201"), ("2", b"Sal 12 plats 1"), ("7", b"3")])
    line.say(ACK)
    assert line.seen(SendTaken) == [SendTaken("s1")]


def test_a_station_that_asks_for_status_gets_the_last_one() -> None:
    """Header 3; the answer follows its EOT. A call nobody knows is the owner's to answer."""
    line = Stations(ONE, memory=StatusMemory())
    line.begin()
    line.say(SELECTS_US)
    line.say(call())
    assert line.say(encode_block("3", [("1", b"1201")])) == ACK
    assert line.say(encode_block("3", [("1", b"9999")])) == ACK
    assert line.say(EOT) == SELECT_2
    assert line.say(ACK) == encode_block("2", [("1", b"1201"), ("7", b"2")])
    line.say(ACK)
    assert line.seen(StatusRequested) == [
        StatusRequested("1201", None, True),
        StatusRequested("9999", None, False),
    ]
    assert line.seen(SendTaken) == [], "nobody asked to be told"


# Any split, any garbage.


def outcome(data: bytes, cuts: list[int]) -> tuple[list[EspaEvent], bytes]:
    """What comes of the bytes, cut at these places, all within one instant; calls are accepted at once."""
    line = Stations(TWO)
    line.begin()
    line.codec.send("p1", "2", PAGE, line.now)
    heard = b""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        line.codec.receive_data(data[start:end], line.now)
        heard += line.hear()
    return line.events, heard


pieces = st.lists(
    st.sampled_from([SELECTS_US, b"3\x05", EOT, ACK, AGAIN, BUSY, INVALID, b"\r", call(), call(header="3")])
    | st.binary(max_size=6),
    max_size=14,
).map(b"".join)


@given(data=pieces, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_of_the_bytes_gives_the_same(data: bytes, cuts: list[int]) -> None:
    """Packets mean nothing: whole, cut anywhere, or byte by byte."""
    whole = outcome(data, [])
    assert outcome(data, cuts) == whole
    assert outcome(data, list(range(len(data)))) == whole


@given(
    data=st.lists(st.binary(max_size=60) | st.sampled_from([SELECTS_US, call()[:-1], call()]), max_size=20),
    waits=st.lists(st.integers(0, 4_000), max_size=20),
    answers=st.sampled_from(["accept", "busy", "invalid", "hold"]),
)
def test_garbage_never_raises_and_the_line_recovers(
    data: list[bytes], waits: list[int], answers: str
) -> None:
    """Whatever came before, the stations are polled again and their calls taken."""
    line = Stations(TWO, answers=answers)
    line.begin()
    line.codec.send("p1", "2", PAGE, line.now)
    for index, piece in enumerate(data):
        line.say(piece)
        line.wait(waits[index] if index < len(waits) else 0)
        assert len(line.codec._pending) <= MAX_PENDING_BYTES
    line.answers = "accept"
    line.wait(100_000)
    calls = len(line.texts)
    # Off-line stations are polled once a minute.
    for _ in range(70):
        if line.wait(1_000).endswith((POLL_2, POLL_3)):
            break
    assert line.say(SELECTS_US).endswith(ACK)
    assert line.say(call()) == ACK
    assert len(line.texts) == calls + 1
