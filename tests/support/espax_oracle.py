"""Judges what the hub says in ESPA-X: cuts the bytes by itself and holds each document against a schema.

It shares no line with the codec: framing is done here, the schema (`espax.xsd`) was written from the
published facts, and `lxml` validates. Skipped by name where `lxml` is not installed.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "espax"
PAIRS = {
    "200": "OK", "400": "Bad Request", "401": "Unauthorized", "403": "Forbidden", "404": "Not Found",
    "405": "Method Not Allowed", "406": "Not Acceptable", "407": "Authentication Required", "409": "Conflict",
    "410": "Gone", "450": "Duplicate", "500": "Internal Server Error", "501": "Not Implemented",
    "503": "Service Unavailable", "600": "Invalid header", "601": "Not wellformed", "602": "Invalid message",
}  # fmt: skip


class Said(NamedTuple):
    """One message as the other side reads it."""

    invoke: int
    element: str
    attributes: dict[str, str]
    fields: dict[str, str]

    @property
    def code(self) -> str:
        return self.fields.get("RSP-CODE", "")


@lru_cache(maxsize=1)
def _schema() -> Any:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    return etree.XMLSchema(etree.parse(str(Path(__file__).with_name("espax.xsd"))))


def judged(document: bytes, invoke: int = 0) -> Said:
    """The message in a document; fails the test when the schema does not allow it."""
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    root = etree.fromstring(document)
    schema = _schema()
    assert schema.validate(root), f"{schema.error_log.last_error}\n{document.decode()}"
    (message,) = root
    fields = {etree.QName(field).localname: field.text or "" for field in message}
    if "RSP-CODE" in fields:
        assert fields["RSP-REASON"] == PAIRS[fields["RSP-CODE"]]
    return Said(invoke, etree.QName(message).localname, dict(message.attrib), fields)


def heard(data: bytes) -> list[Said]:
    """All messages in these bytes, each judged; fails the test when something is left over."""
    said = []
    while data:
        magic, length, invoke = struct.unpack_from(">2sII", data)
        assert magic == b"EX"
        assert 10 <= length <= len(data)
        said.append(judged(data[10:length], invoke))
        data = data[length:]
    return said


def sample(name: str) -> bytes:
    """A published sample with its header, by the beginning of its name."""
    (path,) = SAMPLES.glob(f"{name}*.bin")
    return path.read_bytes()


def asked(inner: str, invoke: int = 0, *, zeros: bool = False) -> bytes:
    """A client's message with `inner` as its one child. `zeros`: with 16 bits of length after two zeros."""
    document = (
        f'<ESPA-X version="1.00" timestamp="2026-09-14T09:00:00" xmlns="http://ns.espa-x.org/espa-x">{inner}'
        "</ESPA-X>"
    ).encode()
    length = len(document) + 10
    head = (
        struct.pack(">2sHHI", b"EX", 0, length, 0) if zeros else struct.pack(">2sII", b"EX", length, invoke)
    )
    return head + document


def request(element: str, invoke: int = 1, session: str | None = None, **fields: str) -> bytes:
    """A request; the fields' names with `_` for `-`."""
    named = "" if session is None else f' sessionID="{session}"'
    inner = "".join(f"<{k.replace('_', '-')}>{v}</{k.replace('_', '-')}>" for k, v in fields.items())
    return asked(f'<{element} invokeID="{invoke}"{named}>{inner}</{element}>', invoke)
