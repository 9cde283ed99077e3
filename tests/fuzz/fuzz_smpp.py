"""Fuzz target for SMPP: the ESME's side over any bytes, bound and not, with every answer to a delivery.

`target` raises AssertionError when a promise of `protocols.codec` is broken: an exception, an event more or
less when the bytes are split otherwise, a timer that is not cleared, memory beyond its bounds.
"""

from __future__ import annotations

from protocols.smpp import Arrived, Esme, Pace, SmppEvent
from protocols.smpp_pdu import (
    LONGEST_PDU_BYTES,
    RESPONSE,
    Address,
    Command,
    Login,
    Pdu,
    Status,
    Submit,
    encode,
)
from protocols.smpp_text import read, receipt, split_header

LOGIN = Login("hub", "secret")
PACE = Pace(window=3, enquire_ms=1_000, response_ms=500, most_unanswered=8)
BOUND = encode(Pdu(Command.BIND_TRANSCEIVER | RESPONSE, Status.OK, 1, b"SMSC\x00\x02\x10\x00\x01\x34"))
REPLY = bytes.fromhex(
    "0000009b0000000500000000000000010000003439313730303030303030310001013333333333000400000000000000006969643a"
    "4d534730303031207375623a30303120646c7672643a303031207375626d697420646174653a3234313132323039303020646f6e65"
    "20646174653a3234313132323039303120737461743a44454c49565244206572723a30303020746578743a426564203132"
)
SEEDS: list[bytes] = [
    b"\x00" + BOUND + REPLY,
    b"\x01" + BOUND + encode(Pdu(Command.SUBMIT_SM | RESPONSE, Status.OK, 2, b"MSG0001\x00")) + REPLY,
    b"\x02" + BOUND + encode(Pdu(Command.SUBMIT_SM | RESPONSE, Status.THROTTLED, 2)),
    b"\x03" + encode(Pdu(Command.BIND_TRANSCEIVER | RESPONSE, Status.INVALID_PASSWORD, 1)),
    b"\x04"
    + BOUND
    + encode(Pdu(Command.ENQUIRE_LINK, Status.OK, 7))
    + encode(Pdu(Command.ALERT_NOTIFICATION, Status.OK, 8, b"x"))
    + encode(Pdu(Command.OUTBIND, Status.OK, 9))
    + encode(Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, 2))
    + encode(Pdu(Command.UNBIND, Status.OK, 10)),
    b"\x05"
    + BOUND
    + encode(
        Pdu(
            Command.DATA_SM,
            Status.OK,
            3,
            b"\x00\x01\x0146701740605\x00\x00\x00hub\x00\x40\x00\x08\x04\x24\x00\x08\x05\x00\x03\x01\x02\x01\x001",
        )
    ),
]
"""The first byte chooses how much is sent and what is answered; the rest is what the peer says."""


def target(data: bytes) -> None:
    """Run the codec over these bytes in three splits; once more while time passes."""
    head, said = (data[0], data[1:]) if data else (0, b"")
    whole = _run(head, said, len(said) or 1)
    assert _run(head, said, 1 if len(said) < 3_000 else 61) == whole
    assert _run(head, said, 7) == whole
    late = _open(head)
    late.receive_data(said, 0)
    while (due := late.next_timer()) is not None:
        late.handle_timer(due)
        after = late.next_timer()
        assert after is None or after > due
        _settle(late, head)


def _open(head: int) -> Esme:
    codec = Esme(LOGIN, PACE, 0)
    codec.receive_data(b"", 0)
    return codec


def _submit(codec: Esme, head: int) -> None:
    for n in range(head & 3):
        codec.submit(str(n), Submit(Address("hub", 5), Address("46701740605", 1, 1), b"hej"), 0)


def _run(head: int, said: bytes, size: int) -> tuple[list[SmppEvent], bytes]:
    codec = _open(head)
    if head & 16:
        # What is sent depends on when it is bound, which the splits do not change here.
        codec.receive_data(BOUND, 0)
        _submit(codec, head)
    events: list[SmppEvent] = []
    out = b""
    for start in range(0, len(said), size):
        codec.receive_data(said[start : start + size], 0)
        events += codec.events_received()
        out += codec.data_to_send()
        assert len(codec._buffer) <= LONGEST_PDU_BYTES
    codec.receive_eof(0)
    assert codec.closed and codec.next_timer() is None and not codec.room
    return events + codec.events_received(), out + codec.data_to_send()


def _settle(codec: Esme, head: int) -> None:
    for event in codec.events_received():
        if isinstance(event, Arrived):
            delivery = event.delivery
            text, _ = split_header(delivery.text) if delivery.esm_class & 0x40 else (delivery.text, None)
            receipt(read(text, delivery.data_coding))
            codec.answer(event.ticket, Status.TEMPORARY if head & 8 else Status.OK)
    codec.data_to_send()
