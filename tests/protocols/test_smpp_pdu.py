"""SMPP on the wire, held against what two other implementations wrote to each other."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from protocols.smpp_pdu import (
    HEADER,
    Address,
    Command,
    Login,
    Pdu,
    Status,
    Submit,
    Tag,
    bind_body,
    encode,
    read_delivery,
    read_string,
    status_words,
    submit_body,
)

CAPTURE = [
    (entry["pdu"], bytes.fromhex(entry["hex"]))
    for entry in json.loads((Path(__file__).parent / "samples/smpp/capture.json").read_text())
]
DESTINATION = Address("46701740605", 1, 1)


def captured(name: str, nth: int = 0) -> bytes:
    """One PDU as it went over the wire."""
    return [data for pdu, data in CAPTURE if pdu == name][nth]


def test_a_bind_is_written_as_others_write_it() -> None:
    """To the octet, but for the type of number it claims."""
    ours = encode(Pdu(Command.BIND_TRANSCEIVER, 0, 1, bind_body(Login("hub", "secret"))))
    assert ours == captured("BindTransceiver")


@pytest.mark.parametrize(
    ("nth", "to", "text"), [(0, "491700000001", b"Bed 12 emergency call"), (1, "491700000099", None)]
)
def test_a_message_is_written_as_others_write_it(nth: int, to: str, text: bytes | None) -> None:
    """To the octet."""
    theirs = captured("SubmitSm", nth)
    text = text if text is not None else bytes.fromhex("5a696d6d65722037205b1b65")
    body = submit_body(Submit(Address("33333"), Address(to), text, receipt=True))
    ours = encode(Pdu(Command.SUBMIT_SM, 0, nth + 2, body))
    assert ours[HEADER.size :] == theirs[HEADER.size :], (ours.hex(), theirs.hex())


def test_a_receipt_is_read_as_it_came() -> None:
    """Source, destination, class and text."""
    found = read_delivery(Command.DELIVER_SM, captured("DeliverSm")[HEADER.size :])
    assert found is not None
    assert (found.source, found.destination) == (Address("491700000001"), Address("33333", 1, 1))
    assert found.esm_class == 4 and found.text.startswith(b"id:MSG0001 ") and not found.options


def test_a_long_text_goes_as_a_payload() -> None:
    """On both sides of 254 octets."""
    for length, short in ((254, True), (255, False)):
        body = submit_body(Submit(Address("hub", 5), DESTINATION, b"x" * length))
        found = read_delivery(Command.DELIVER_SM, body)
        assert found is not None and found.text == b"x" * length
        assert (Tag.MESSAGE_PAYLOAD not in found.options) is short


@given(st.binary(max_size=254), st.integers(0, 255), st.integers(0, 255))
def test_what_is_written_is_read_again(text: bytes, data_coding: int, priority: int) -> None:
    """deliver_sm has the body of submit_sm."""
    sent = Submit(Address("hub", 5), DESTINATION, text, data_coding, priority, "000000000500000R", True)
    found = read_delivery(Command.DELIVER_SM, submit_body(sent))
    assert found is not None
    assert (found.source, found.destination, found.data_coding) == (sent.source, DESTINATION, data_coding)
    assert found.text == text


@given(st.binary(max_size=200), st.sampled_from([Command.DELIVER_SM, Command.DATA_SM]))
def test_any_body_is_read_or_refused(body: bytes, command: Command) -> None:
    """Nothing raises."""
    read_delivery(command, body)
    read_string(body)


def test_a_body_that_ends_early_is_none() -> None:
    """Wherever it is cut."""
    body = submit_body(Submit(Address("hub", 5), DESTINATION, b"1 4711"))
    assert read_delivery(Command.DELIVER_SM, body) is not None
    assert [cut for cut in range(len(body)) if read_delivery(Command.DELIVER_SM, body[:cut])] == []


def test_data_sm_carries_its_text_as_a_payload() -> None:
    """Some networks deliver receipts so."""
    body = b"\x00\x01\x01467\x00\x00\x00hub\x00\x04\x00\x08\x04\x24\x00\x02\x00\x31\x00\x1e\x00\x02M1"
    found = read_delivery(Command.DATA_SM, body)
    assert found is not None and (found.text, found.data_coding) == (b"\x001", 8)
    assert found.options[Tag.RECEIPTED_MESSAGE_ID] == b"M1"


def test_a_secret_with_a_zero_in_it_cannot_end_a_string_early() -> None:
    """Nor a name."""
    assert bind_body(Login("hu\x00b", "x")).startswith(b"hub\x00x\x00")


def test_statuses_read_as_words() -> None:
    """Also those nobody has heard of."""
    assert status_words(Status.INVALID_PASSWORD) == "wrong password (0x0E)"
    assert status_words(0x4FF) == "status 0x4FF"
