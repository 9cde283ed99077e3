"""Fuzz target for HL7: MLLP framing, messages, alerts, statuses and acknowledgements, over any bytes.

`target` raises AssertionError when a promise of `protocols.codec` is broken: an exception, an event more or
less when the bytes are split otherwise, a timer that is not cleared, memory beyond its bounds.
"""

from __future__ import annotations

from pathlib import Path

from protocols.hl7 import MAX_SEGMENTS, Message, read
from protocols.hl7_ack import Party, Verdict, ack, answer_code, read_ack
from protocols.mllp import HEAD_BYTES, Framing, MessageReceived, MllpEvent, framed
from protocols.pcd04 import MAX_PART_CHARS, MAX_TEXT_CHARS, Alert, Problem, read_alerts
from protocols.pcd05 import read_status

_SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "ihe-acm"
LIMIT_BYTES = 4_096
SEEDS: list[bytes] = [
    *(framed(path.read_bytes()) for path in sorted(_SAMPLES.glob("*.hl7"))),
    b"\x0bMSH|half" + framed((_SAMPLES / "synth_01_start_high.hl7").read_bytes()),
    b"GET / HTTP/1.1\r\n\r\n"
    + framed(b"MSH|^~\\&#|A||||||ORU^R40|1\nOBR|1||7^A\nOBX|1|ST|68481|1.0.0.0.3|start"),
    framed(
        b"MSH|^~\\&|A||||||ORU^R40^ORU_R40|1||2.6||||||8859/1\rOBR|1||\\X41\\\\F\\~&^\rOBX|1|CWE|1^2|.1|\\.br\\"
    )
    + b"\x0b"
    + b"x" * (LIMIT_BYTES + 7),
]


def target(data: bytes) -> None:
    """Run the framing over these bytes in three splits; read and answer every message in them."""
    whole = _run(data, len(data) or 1)
    assert _run(data, 1) == whole
    assert _run(data, 61) == whole
    for event in whole:
        if isinstance(event, MessageReceived):
            _read(event.data)
        else:
            assert len(event.head) <= HEAD_BYTES
            _read(event.head)
    late = Framing(max_message_bytes=LIMIT_BYTES)
    late.receive_data(data, 0)
    due = late.next_timer()
    if due is not None:
        late.handle_timer(due)
        assert late.next_timer() is None


def _run(data: bytes, size: int) -> list[MllpEvent]:
    codec = Framing(max_message_bytes=LIMIT_BYTES)
    events: list[MllpEvent] = []
    for start in range(0, len(data), size):
        codec.receive_data(data[start : start + size], 0)
        events += codec.events_received()
        assert len(codec._frame) <= LIMIT_BYTES
    codec.receive_eof(0)
    assert codec.closed and codec.next_timer() is None
    return events + codec.events_received()


def _read(data: bytes) -> None:
    message = read(data)
    if not isinstance(message, Message):
        assert message.cause
        return
    assert len(message.segments) <= MAX_SEGMENTS
    found = read_alerts(message, with_patient=True)
    assert found and len({type(one) for one in found}) == 1
    problems = tuple(one for one in found if isinstance(one, Problem))
    for one in found:
        if isinstance(one, Alert):
            assert len(one.text) <= MAX_TEXT_CHARS and len(one.key.id) <= MAX_PART_CHARS
    read_status(message)
    for verdict in Verdict:
        code = answer_code(message, verdict)
        if code is not None:
            said = read(ack(message, code, control_id="1", at=0, me=Party(), problems=problems))
            assert isinstance(said, Message)
            answer = read_ack(said)
            assert answer is not None and answer.code == code
