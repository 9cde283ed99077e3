"""Fuzz target for ESPA-X: framing, document and session over any bytes.

`target` raises AssertionError when a promise of `protocols.codec` is broken: an exception, an event more or
less when the bytes are split otherwise, memory beyond its bounds, an answer the codec's own rules forbid.
"""

from __future__ import annotations

from pathlib import Path

from protocols.espax import HEADER_BYTES, MAX_MESSAGE_BYTES, FrameReader
from protocols.espax_document import Unreadable, parse
from protocols.espax_events import EspaxEvent, LoginAsked, StartAsked, StatusAsked, StopAsked
from protocols.espax_rules import faults
from protocols.espax_session import MAX_HELD_BYTES, PagingServer, Server

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "espax"
STAMP = "2026-09-14T09:00:00"
SESSION = "20241122090000.0001"  # that of the samples, so that recorded requests belong to it


def _seeds() -> list[bytes]:
    samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*.bin"))]
    requests = [sample for sample in samples if b"<REQ." in sample or b"<PROPRIETARY" in sample]
    login = next(sample for sample in samples if b"<REQ.LOGIN" in sample)
    return [login + sample for sample in requests] + [login + b"".join(requests), *samples]


SEEDS: list[bytes] = _seeds()


def target(data: bytes) -> None:
    """Run the server over these bytes in three splits."""
    whole = _run(data, len(data) or 1)
    assert _run(data, 1 if len(data) < 3_000 else 61) == whole
    assert _run(data, 7) == whole


def _run(data: bytes, size: int) -> list[EspaxEvent]:
    codec = PagingServer(Server(), stamp=lambda _now: STAMP, now=0)
    events: list[EspaxEvent] = []
    said = bytearray()
    for start in range(0, len(data), size):
        codec.receive_data(data[start : start + size], 0)
        _answer(codec, events)
        said += codec.data_to_send()
        assert codec._reader.pending <= MAX_MESSAGE_BYTES
        assert codec._held_bytes <= MAX_HELD_BYTES
    codec.receive_eof(0)
    _answer(codec, events)
    said += codec.data_to_send()
    assert codec.closed
    assert codec.next_timer() is None
    _judge(bytes(said))
    return events


def _answer(codec: PagingServer, events: list[EspaxEvent]) -> None:
    while got := codec.events_received():
        for event in got:
            events.append(event)
            match event:
                case LoginAsked(token):
                    codec.admit(token, SESSION, 0)
                case StartAsked(token):
                    codec.answer_start(token, 200, token, 0)
                case StopAsked(token) | StatusAsked(token):
                    codec.answer(token, 410, 0)


def _judge(said: bytes) -> None:
    """What the server said is whole messages, each as the rules have it."""
    reader = FrameReader()
    frames = reader.feed(said)
    assert reader.fault is None
    assert sum(len(frame.document) + HEADER_BYTES for frame in frames) == len(said)
    for frame in frames:
        message = parse(frame.document)
        assert not isinstance(message, Unreadable), message
        assert faults(message.element, message.attributes, message.fields) == [], frame.document
