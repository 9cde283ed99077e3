"""What both roles promise alike: any bytes, any split, bounded memory, one answer per call."""

from __future__ import annotations

import random

import pytest

from protocols.espa444 import Link, PagerSystem
from protocols.espa444_control import ControlLine, ControlStation
from protocols.espa444_events import AnswerUnwanted, BlockReceived, Cause, FrameRefused
from protocols.espa444_line import Timers
from protocols.espa444_station import GAVE_UP_MS, MAX_PENDING_BYTES, NOISE_BYTES
from tests.fuzz.fuzz_espa444 import SEEDS, target
from tests.support.espa_talk import ACK, EOT, call

Role = PagerSystem | ControlStation


def pager_system() -> PagerSystem:
    """Selected by its control station."""
    codec = PagerSystem(Link())
    codec.receive_data(b"\x041\x052\x05", 0)
    codec.events_received()
    assert codec.data_to_send() == ACK
    return codec


def control_station() -> ControlStation:
    """Selected by the station it polled."""
    codec = ControlStation(ControlLine(stations=("2",)))
    codec.handle_timer(0)
    codec.receive_data(b"1\x05", 0)
    codec.events_received()
    assert codec.data_to_send() == b"\x042\x05" + ACK
    return codec


@pytest.mark.parametrize("role", [pager_system, control_station])
def test_a_call_is_held_until_its_owner_answers_and_answered_once(role: type[Role]) -> None:
    """Tokens count; a second answer, or one for another call, does nothing."""
    codec = role()
    codec.receive_data(call(), 10)
    (event,) = codec.events_received()
    assert isinstance(event, BlockReceived)
    assert codec.data_to_send() == b""
    assert not codec.accept(event.token + 1, 10)
    assert not codec.refuse_busy(event.token + 1, 10)
    assert codec.accept(event.token, 10)
    assert not codec.accept(event.token, 10)
    assert not codec.refuse_invalid(event.token, 10)
    assert codec.data_to_send() == ACK


@pytest.mark.parametrize("role", [pager_system, control_station])
def test_an_answer_nobody_waits_for_is_not_given(role: type[Role]) -> None:
    """A master that speaks on after 300 ms has given up; one that speaks on at once is answered in order."""
    for later, unwanted in ((GAVE_UP_MS - 1, False), (GAVE_UP_MS, True)):
        codec = role()
        codec.receive_data(call(), 0)
        codec.receive_data(EOT, later)
        events = codec.events_received()
        assert (AnswerUnwanted(1) in events) is unwanted
        assert codec.accept(1, later) is not unwanted


@pytest.mark.parametrize("role", [pager_system, control_station])
def test_a_flood_is_bounded(role: type[Role]) -> None:
    """Behind a held answer and as noise: memory ends, the line does not."""
    codec = role()
    codec.receive_data(call(), 0)
    assert codec.wants_data
    codec.receive_data(b"x" * (MAX_PENDING_BYTES // 4), 0)
    assert not codec.wants_data
    codec.receive_data(b"x" * MAX_PENDING_BYTES, 0)
    assert len(codec._pending) <= MAX_PENDING_BYTES
    assert codec.wants_data
    noise = [event for event in codec.events_received() if isinstance(event, FrameRefused)]
    assert [event.cause for event in noise] == [Cause.NOISE]
    codec.receive_data(b"x" * NOISE_BYTES, 0)
    assert codec.events_received() == []


@pytest.mark.parametrize("role", [pager_system, control_station])
def test_after_the_end_nothing_is_taken(role: type[Role]) -> None:
    """Closed once; later bytes, timers and a second end change nothing."""
    codec = role()
    codec.receive_eof(0)
    codec.events_received()
    codec.data_to_send()
    codec.receive_data(call(), 1)
    codec.receive_eof(2)
    codec.handle_timer(99_999)
    assert (codec.closed, codec.error, codec.next_timer()) == (True, None, None)
    assert (codec.events_received(), codec.data_to_send()) == ([], b"")


def test_mutated_recordings_break_no_promise() -> None:
    """A few hundred of what the fuzzer makes by the million."""
    chance = random.Random(444)
    for _ in range(400):
        data = bytearray(chance.choice(SEEDS) + chance.choice(SEEDS)[1:])
        for _ in range(chance.randrange(10)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        target(bytes(data))


def test_deadlines_begin_after_the_bytes_have_got_there() -> None:
    """At 300 bit/s a block takes seconds: neither its sender nor its receiver is given up meanwhile."""
    slow = Timers(character_us=40_000)
    block = call(text="x" * 100)
    receiver = PagerSystem(Link(timers=slow))
    receiver.receive_data(b"\x041\x052\x05", 0)
    now = 0
    for byte in block:
        now += 40
        assert (due := receiver.next_timer()) is not None and due > now
        receiver.receive_data(bytes((byte,)), now)
    assert any(isinstance(event, BlockReceived) for event in receiver.events_received())
    sender = ControlStation(ControlLine(poll_every_ms=0, timers=slow))
    sender.send("p1", "2", block, 0)
    sender.receive_data(ACK, 0)
    assert sender.next_timer() == slow.wire_ms(len(block)) + slow.reply_ms
    assert (slow.wire_ms(100), Timers().wire_ms(100)) == (4_000, 0)
