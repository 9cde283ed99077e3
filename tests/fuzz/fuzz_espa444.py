"""Fuzz target for ESPA 4.4.4: the hub as pager system and as control station, over any bytes.

`target` raises AssertionError when a promise of `protocols.codec` is broken: an exception, an event more or
less when the bytes are split otherwise, a timer that is not cleared, memory beyond its bounds.
"""

from __future__ import annotations

from protocols.espa444 import MAX_PENDING_BYTES, Link, LinkMode, PagerSystem, StatusReport
from protocols.espa444_call import PagerCall
from protocols.espa444_control import ControlLine, ControlStation
from protocols.espa444_events import BlockReceived, EspaEvent
from tests.support.espa_replay import load_transactions

Codec = PagerSystem | ControlStation
MODES = list(LinkMode)
PAGE = PagerCall(address="1042", text="Sal 12").encoded("latin-1")

SEEDS: list[bytes] = [
    bytes([head]) + transaction.said
    for index, transaction in enumerate(load_transactions().values())
    for head in (index % 32, 32 + index % 16)
] + [
    b"\x20" + b"1\x05" + PAGE + b"\x04" + b"\x04" + b"\x06\x06" + b"\x06\x06",
    b"\x23" + b"3\x05\x06" + PAGE + b"\x06\x04" + b"1\x05" + PAGE + b"\x042\x15",
    b"\x2c" + b"\x06" + b"1\x15" + b"\x15" + b"3\x15" + b"1\x05" + PAGE + b"\x04",
]
"""The first byte chooses role, mode and answers; the rest is what the other side says."""


def target(data: bytes) -> None:
    """Run the codec over these bytes in three splits at one instant, and once while time passes."""
    head, said = (data[0], data[1:]) if data else (0, b"")
    whole = _at_once(head, said, len(said) or 1)
    assert _at_once(head, said, 1 if len(said) < 3_000 else 61) == whole
    assert _at_once(head, said, 7) == whole
    _in_time(head, said)


def _open(head: int) -> Codec:
    if head & 0x20:
        control = ControlStation(ControlLine(stations=("2", "3"), seven_bit=bool(head & 0x10)))
        control.handle_timer(0)
        control.send("p1", "2", PAGE, 0)
        control.send("p2", "3", PAGE, 0)
        return control
    pager = PagerSystem(Link(mode=MODES[head % 3], seven_bit=bool(head & 0x10)))
    pager.queue_status(StatusReport("s", "1", "x", "3"))
    return pager


def _at_once(head: int, said: bytes, size: int) -> list[EspaEvent]:
    codec, events = _open(head), []
    for start in range(0, len(said), size):
        codec.receive_data(said[start : start + size], 0)
        events += _settle(codec, 0, 0)
    codec.receive_eof(0)
    events += _settle(codec, 0, 0)
    assert codec.closed
    assert codec.next_timer() is None
    return events


def _in_time(head: int, said: bytes) -> None:
    """Pieces of any size with time between them; calls are answered as the first byte says, or not at all."""
    codec, now, start = _open(head), 0, 0
    while start < len(said):
        size = 1 + said[start] % 23
        chunk, start = said[start : start + size], start + size
        codec.receive_data(chunk, now)
        _settle(codec, head // 3 % 4, now)
        if chunk[0] % 7 == 0:
            now += chunk[-1] * 40
            _pass_time(codec, now)
            _settle(codec, head // 3 % 4, now)
    codec.receive_eof(now)
    _settle(codec, head // 3 % 4, now)
    assert codec.closed
    assert codec.next_timer() is None


def _settle(codec: Codec, how: int, now: int) -> list[EspaEvent]:
    seen: list[EspaEvent] = []
    while events := codec.events_received():
        seen += events
        for event in events:
            if isinstance(event, BlockReceived):
                answer = (codec.accept, codec.refuse_busy, codec.refuse_invalid, None)[how]
                if answer is not None:
                    answer(event.token, now)
                assert len(event.text) + len(event.address) <= codec.link.max_block_bytes
    codec.data_to_send()
    assert len(codec._pending) <= MAX_PENDING_BYTES
    return seen


def _pass_time(codec: Codec, now: int) -> None:
    for _ in range(10_000):
        due = codec.next_timer()
        if due is None or due > now:
            return
        codec.handle_timer(due)
    raise AssertionError("the codec does not clear its timer")
