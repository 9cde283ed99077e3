"""SMPP 3.4 on the wire: the PDUs an ESME needs, from values to octets and back.

A PDU is length, command, status and sequence number, four octets each, then a body by command. It never
raises on what a peer sends: a body that cannot be read is None. It refuses what an ESME has no use for
(broadcast, query, cancel, several destinations).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from msgspec import Struct

HEADER: Final = struct.Struct("!IIII")
RESPONSE: Final = 0x8000_0000
LONGEST_PDU_BYTES: Final = 70_000
"""A `message_payload` has at most 64 K octets."""
VERSION: Final = 0x34


class Command(IntEnum):
    """command_id (5.1.2.1); an answer's is its request's with the highest bit."""

    UNBIND = 0x06
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    GENERIC_NACK = 0x8000_0000


class Status(IntEnum):
    """command_status (5.1.3), those that mean something here."""

    OK = 0x00
    INVALID_LENGTH = 0x02
    INVALID_COMMAND = 0x03
    ALREADY_BOUND = 0x05
    SYSTEM_ERROR = 0x08
    INVALID_DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    INVALID_PASSWORD = 0x0E
    INVALID_SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58
    TEMPORARY = 0x64  # ESME_RX_T_APPN: the network tries again
    PERMANENT = 0x65  # ESME_RX_P_APPN
    REJECTED = 0x66  # ESME_RX_R_APPN


_WORDS: Final = {
    Status.ALREADY_BOUND: "already bound",
    Status.SYSTEM_ERROR: "system error",
    Status.INVALID_DESTINATION: "invalid number",
    Status.BIND_FAILED: "bind failed",
    Status.INVALID_PASSWORD: "wrong password",
    Status.INVALID_SYSTEM_ID: "unknown system_id",
    Status.QUEUE_FULL: "queue full",
    Status.SUBMIT_FAILED: "submit failed",
    Status.THROTTLED: "throttled",
}


class Tag(IntEnum):
    """Tags of optional parameters (5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_REF = 0x020C
    SAR_TOTAL = 0x020E
    SAR_NUMBER = 0x020F
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Pdu(Struct, frozen=True):
    """One PDU, its body unread."""

    command: int
    status: int
    sequence: int
    body: bytes = b""


class Address(Struct, frozen=True):
    """A number or a name with its type (5.2.5): `ton` 1 international, 2 national, 5 alphanumeric."""

    text: str
    ton: int = 0
    npi: int = 0


class Login(Struct, frozen=True):
    """Who binds."""

    system_id: str
    password: str
    system_type: str = ""


class Submit(Struct, frozen=True):
    """A message to send. `validity`: in SMPP's own form (7.1.1), "" = the network's default."""

    source: Address
    destination: Address
    text: bytes
    data_coding: int = 0
    priority: int = 0
    validity: str = ""
    receipt: bool = False


class Delivery(Struct, frozen=True):
    """A message or a receipt that the network delivers."""

    source: Address
    destination: Address
    esm_class: int
    data_coding: int
    text: bytes
    options: dict[int, bytes]


def status_words(status: int) -> str:
    """A status as an engineer reads it."""
    word = _WORDS.get(status)  # type: ignore[call-overload]
    return f"{word} (0x{status:02X})" if word else f"status 0x{status:02X}"


def encode(pdu: Pdu) -> bytes:
    """On the wire."""
    return HEADER.pack(HEADER.size + len(pdu.body), pdu.command, pdu.status, pdu.sequence) + pdu.body


def bind_body(login: Login) -> bytes:
    """bind_transceiver (4.1.5): no numbers of its own are claimed."""
    strings = _string(login.system_id), _string(login.password), _string(login.system_type)
    return b"".join(strings) + bytes((VERSION, 0, 0)) + _string("")


def submit_body(message: Submit) -> bytes:
    """submit_sm (4.4.1). A text beyond 254 octets goes as `message_payload`."""
    short = message.text if len(message.text) <= 254 else b""
    return b"".join(
        (
            _string(""),
            _address(message.source),
            _address(message.destination),
            bytes((0, 0, message.priority)),
            _string(""),
            _string(message.validity),
            bytes((int(message.receipt), 0, message.data_coding, 0, len(short))),
            short,
            b"" if short or not message.text else _option(Tag.MESSAGE_PAYLOAD, message.text),
        )
    )


def read_delivery(command: int, body: bytes) -> Delivery | None:
    """deliver_sm (4.6.1) or data_sm (4.7.1); None for one that cannot be read."""
    at = _Reader(body)
    at.string(6)
    source, destination = at.address(), at.address()
    if command == Command.DATA_SM:
        esm_class, _, data_coding = at.octet(), at.octet(), at.octet()
        text = b""
    else:
        esm_class, _, _ = at.octet(), at.octet(), at.octet()
        at.string(17), at.string(17)
        _, _, data_coding, _ = at.octet(), at.octet(), at.octet(), at.octet()
        text = at.octets(at.octet())
    options = at.options()
    if at.failed:
        return None
    return Delivery(
        source, destination, esm_class, data_coding, text or options.get(Tag.MESSAGE_PAYLOAD, b""), options
    )


def read_string(body: bytes, longest: int = 65) -> str:
    """The string with which a body begins; "" for none."""
    return _Reader(body).string(longest)


def _string(text: str) -> bytes:
    return text.encode("latin-1", "replace").replace(b"\x00", b"") + b"\x00"


def _address(address: Address) -> bytes:
    return bytes((address.ton, address.npi)) + _string(address.text)


def _option(tag: int, value: bytes) -> bytes:
    return struct.pack("!HH", tag, len(value)) + value


class _Reader:
    """Reads a body from its beginning. Once something is missing it has failed, and gives nothing."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0
        self.failed = False

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        self._at += count
        self.failed = self.failed or len(found) < count
        return found

    def octet(self) -> int:
        return int.from_bytes(self.octets(1))

    def string(self, longest: int) -> str:
        """A string of at most so many octets, its end included."""
        end = self._body.find(b"\x00", self._at, self._at + longest)
        if end < 0:
            self.failed = True
            return ""
        found = self._body[self._at : end]
        self._at = end + 1
        return found.decode("latin-1")

    def address(self) -> Address:
        ton, npi = self.octet(), self.octet()
        return Address(self.string(21), ton, npi)

    def options(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while not self.failed and self._at < len(self._body):
            tag, length = int.from_bytes(self.octets(2)), int.from_bytes(self.octets(2))
            found.setdefault(tag, self.octets(length))
        return found
