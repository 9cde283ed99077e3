"""What is written in an SMPP message: its alphabets, a part of a longer message, a delivery receipt.

The default alphabet of GSM (3GPP 23.038, one character an octet as SMPP carries it, `data_coding` 0), Latin-1
(3) and UCS-2 (8). It never raises on what a peer sends: what cannot be read becomes a replacement character.
It refuses to put a message of several parts together: whoever needs that may count on the first part alone.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

LONGEST_CHARS: Final = 1_000
"""Of a text that is read; more says nothing that is asked for here."""
UNREADABLE: Final = "\ufffd"

_ESCAPE: Final = 0x1B
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
    0x65: "€",
}  # fmt: skip
_TO_GSM: Final = {
    **{char: bytes((code,)) for code, char in enumerate(_BASIC) if code != _ESCAPE},
    **{char: bytes((_ESCAPE, code)) for code, char in _EXTENDED.items()},
}

_RECEIPT = re.compile(r"\bid:\s*(?P<id>[^\s:]{1,65})", re.I)
_STAT = re.compile(r"\bstat:\s*(?P<stat>[A-Z]{1,10})", re.I)


class Fate(StrEnum):
    """What the network says of a message."""

    DELIVERED = "delivered"
    FAILED = "failed"  # it never will be
    PENDING = "pending"  # no last word


FATES: Final[dict[str, Fate]] = {
    "DELIVRD": Fate.DELIVERED,
    "EXPIRED": Fate.FAILED,
    "DELETED": Fate.FAILED,
    "UNDELIV": Fate.FAILED,
    "REJECTD": Fate.FAILED,
    "ACCEPTD": Fate.PENDING,
    "ENROUTE": Fate.PENDING,
    "UNKNOWN": Fate.PENDING,
}
"""By the word of a receipt (SMPP 3.4, appendix B)."""
STATES: Final[dict[int, str]] = {
    1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN",
    8: "REJECTD",
}  # fmt: skip
"""The same by the number of `message_state` (5.2.28)."""


class Receipt(Struct, frozen=True):
    """A delivery receipt: the network's id of the message, and its word."""

    id: str
    stat: str

    @property
    def fate(self) -> Fate:
        """What it comes to."""
        return FATES.get(self.stat, Fate.PENDING)


class Part(Struct, frozen=True):
    """This is part `number` of `total`, of the message `ref`."""

    ref: int
    total: int
    number: int


def gsm7(text: str) -> bytes | None:
    """In GSM's default alphabet, an octet a character; None where it has no such character."""
    encoded = [_TO_GSM.get(char) for char in text]
    return None if None in encoded else b"".join(code for code in encoded if code is not None)


def from_gsm7(data: bytes) -> str:
    """From GSM's default alphabet."""
    chars: list[str] = []
    escaped = False
    for octet in data:
        if escaped:
            chars.append(_EXTENDED.get(octet) or (_BASIC[octet] if octet < 0x80 else UNREADABLE))
            escaped = False
        elif octet == _ESCAPE:
            escaped = True
        else:
            chars.append(_BASIC[octet] if octet < 0x80 else UNREADABLE)
    return "".join(chars)


def read(data: bytes, data_coding: int, *, latin: bool = False) -> str:
    """The text of a message. `latin`: this network's default alphabet is Latin-1. Binary says nothing."""
    data = data[: 2 * LONGEST_CHARS]
    match data_coding:
        case 1:
            text = data.decode("ascii", "replace")
        case 3:
            text = data.decode("latin-1")
        case 8:
            text = data.decode("utf-16-be", "replace")
        case 0:
            text = data.decode("latin-1") if latin else from_gsm7(data)
        case _ if data_coding >> 4 in (0x0, 0x1, 0xF):
            # General and class coding (3GPP 23.038): bits 3 and 2 say the alphabet.
            text = {0: from_gsm7(data), 2: data.decode("utf-16-be", "replace")}.get(data_coding >> 2 & 3, "")
        case _:
            text = ""
    return text[:LONGEST_CHARS]


def split_header(data: bytes) -> tuple[bytes, Part | None]:
    """Without its user data header, and what that says of parts (3GPP 23.040, 9.2.3.24)."""
    if not data or len(data) < data[0] + 1:
        return b"", None
    header, text = data[1 : data[0] + 1], data[data[0] + 1 :]
    part = None
    while len(header) >= 2 and len(header) >= header[1] + 2:
        kind, value, header = header[0], header[2 : header[1] + 2], header[header[1] + 2 :]
        if kind == 0x00 and len(value) == 3:
            part = Part(value[0], value[1], value[2])
        elif kind == 0x08 and len(value) == 4:
            part = Part(value[0] << 8 | value[1], value[2], value[3])
    return text, part


def receipt(text: str, *, id: str = "", state: int | None = None) -> Receipt | None:
    """A delivery receipt from its text and from what its parameters say, which goes first; None where it
    names no message or says nothing of it."""
    named, said = _RECEIPT.search(text), _STAT.search(text)
    id = id or (named["id"] if named else "")
    stat = STATES.get(state or 0, "") or (said["stat"].upper() if said else "")
    return Receipt(id, stat) if id and stat else None


def same_id(id: str) -> tuple[str, ...]:
    """How else the same message may be called: networks write its number in decimal in one place and in
    hexadecimal in the other, with and without zeros before it."""
    found = [id, id.lstrip("0")]
    if id.isascii() and id.isdecimal():
        found += [f"{int(id):x}", f"{int(id):X}", f"{int(id):08X}"]
    if re.fullmatch(r"[0-9A-Fa-f]{1,16}", id):
        found += [id.lower(), id.upper(), str(int(id, 16))]
    return tuple(dict.fromkeys(name for name in found if name))
