"""Blocks of ESPA 4.4.4: `SOH header STX id US data RS … ETX BCC`, written strictly and read tolerantly.

Used by both roles (pager system and control station). It knows bytes and records; it refuses to know the line
(who may speak when: `protocols.espa444`) and what a call means (`alarmhub.inbound.mapping`).

Ids and values are compared as strings: '01' is not '1', and call status has two-digit values (71, 72).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor

from protocols.espa444_charset import encode

SOH, STX, ETX, EOT, ENQ, ACK, NAK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15
RS, US = 0x1E, 0x1F
CR, LF, NUL = 0x0D, 0x0A, 0x00

NAK_TRANSMISSION, NAK_BUSY, NAK_INVALID = b"1\x15", b"2\x15", b"3\x15"

MAX_BLOCK_BYTES = 1024
"""From SOH to ETX. The standard allows 16 + 128 characters of address and text; some send longer texts."""
MAX_TEXT_OUT = 128
"""Characters of record 2 a receiver must take by the standard; longer texts are cut when sent."""


class Header(StrEnum):
    """Header ids the standard gives a meaning."""

    CALL = "1"
    STATUS = "2"
    STATUS_REQUEST = "3"
    SUBSCRIBER_CALL = "4"
    OTHER = "5"


class RecordId(StrEnum):
    """Record ids."""

    ADDRESS = "1"
    TEXT = "2"
    BEEP = "3"
    CALL_TYPE = "4"
    TRANSMISSIONS = "5"
    PRIORITY = "6"
    CALL_STATUS = "7"
    SYSTEM_STATUS = "8"


class CallType(StrEnum):
    """Record 4. 4 and above are a vendor's dialect."""

    RESET = "1"
    SPEECH = "2"
    STANDARD = "3"


class CallStatus(StrEnum):
    """Record 7: what became of a call."""

    BUSY = "1"
    QUEUED = "2"
    PAGED = "3"
    ABSENT = "4"
    TERMINATED = "5"
    ACKNOWLEDGED = "6"
    SPEECH_OPEN = "7"
    FAULT = "8"


class BccRule(StrEnum):
    """Which reading of the block check matched; a change on a link is worth an engineer's look."""

    EIGHT_BIT = "8-bit"
    MASKED = "masked to 7 bits"
    SEVEN_BIT_LINE = "7-bit line"


class BlockFault(StrEnum):
    """Why a block with a good check is still not a message."""

    NO_RECORDS = "no records"
    NO_HEADER = "no header"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its id with blanks stripped, and its bytes as sent."""

    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A parsed block: header id and records in the order sent."""

    header: str
    records: tuple[Record, ...]

    def get(self, record_id: str) -> bytes | None:
        """The data of the first record with this id, None when it was not sent."""
        return next((record.data for record in self.records if record.id == record_id), None)


def bcc(covered: bytes) -> int:
    """XOR over every byte after SOH up to and including ETX (ISO 1155, even longitudinal parity).

    Vector: 31 02 31 1F 41 03 gives 5F.
    """
    return reduce(xor, covered, 0)


def matching_bcc(covered: bytes, received: int, *, seven_bit_line: bool = False) -> BccRule | None:
    """Which rule makes `received` the check of `covered` (both without SOH), None when it is wrong.

    Senders disagree on high-bit characters: some keep 8 bits, some mask with 7Fh. On a 7-bit line the top bit
    of the check itself may be parity, so that only the low seven are compared.
    """
    computed = bcc(covered)
    if received == computed:
        return BccRule.EIGHT_BIT
    if received == computed & 0x7F:
        return BccRule.MASKED
    if seven_bit_line and received & 0x7F == computed & 0x7F:
        return BccRule.SEVEN_BIT_LINE
    return None


def encode_block(header: str, records: Iterable[tuple[str, bytes]]) -> bytes:
    """A whole block with its check. Raises ValueError if data holds a byte that would break the frame."""
    parts = []
    for record_id, data in records:
        if any(code in data for code in (SOH, STX, ETX, EOT, RS, US)):
            raise ValueError(f"record {record_id} holds a control byte")
        parts.append(record_id.encode("ascii") + b"\x1f" + data)
    covered = header.encode("ascii") + b"\x02" + b"\x1e".join(parts) + b"\x03"
    return b"\x01" + covered + bytes([bcc(covered)])


def parse_block(covered: bytes) -> Block | BlockFault:
    """Read what lies between SOH and ETX (both excluded), its check already good. Never raises.

    Tolerated (seen in the field): blanks around header and record ids, a trailing RS, records in any order,
    records without US (skipped), ids nobody knows (kept, skipped by the reader).
    """
    head, stx, body = covered.partition(b"\x02")
    header = _id(head)
    if not header or not stx:
        return BlockFault.NO_HEADER
    records = []
    for part in body.split(b"\x1e"):
        record_id, us, data = part.partition(b"\x1f")
        if us and (name := _id(record_id)):
            records.append(Record(name, data))
    return Block(header, tuple(records)) if records else BlockFault.NO_RECORDS


def call_records(address: str, text: str | None, charset: str) -> list[tuple[str, bytes]]:
    """Records 1 and 2 of an outgoing block, in the link's character set, control bytes made blanks."""
    records = [(str(RecordId.ADDRESS), encode(_printable(address), charset))]
    if text is not None:
        records.append((str(RecordId.TEXT), encode(_printable(text)[:MAX_TEXT_OUT], charset)))
    return records


def _id(raw: bytes) -> str:
    return raw.strip(b" \r\n\x00").decode("latin-1")


def _printable(text: str) -> str:
    return "".join(char if char >= " " else " " for char in text)
