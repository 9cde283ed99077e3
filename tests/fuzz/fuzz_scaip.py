"""Fuzz target for SCAIP bodies: any bytes, as they are and as something to inflate."""

from __future__ import annotations

import zlib
from pathlib import Path

from protocols.scaip import (
    MAX_XML_BYTES,
    RULES,
    Fault,
    Mrq,
    Mrs,
    inflated,
    merged,
    read,
    write_mrq,
    write_mrs,
)

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "scaip"
SEEDS: list[bytes] = [
    *(path.read_bytes() for path in sorted(SAMPLES.glob("*.xml"))),
    b"<scaip><ref>1</ref><cid>1</cid><dty>3</dty><lge><geo>59.3</geo><tim>1</tim></lge><ame>2</ame></scaip>",
    b'<?xml version="1.0" encoding="ISO-8859-1"?><mrq><ref>9</ref><cid>1</cid><lte>S\xe4ng</lte></mrq>',
    b'<!DOCTYPE mrq [<!ENTITY a "aaaa">]><mrq><ref>&a;</ref></mrq>',
    zlib.compress(b"<mrq><ref>1234</ref><cid>123456</cid><dty>0001</dty></mrq>"),
]


def target(data: bytes) -> None:
    """Read, write back, read again; nothing longer than the standard allows gets through."""
    _one(data)
    plain = inflated(data, "deflate")
    if isinstance(plain, bytes):
        assert len(plain) <= MAX_XML_BYTES
        _one(plain)


def _one(body: bytes) -> None:
    said = read(body)
    if isinstance(said, Fault):
        write_mrs(Mrs(said.ref, said.snu, root="mrs"))
        said = said.read if said.read is not None else Mrq("1")
    if isinstance(said, Mrs):
        write_mrs(said)
        return
    for name, rule in RULES.items():
        assert len(getattr(said, name)) <= rule.longest
    again = read(write_mrq(said))
    if said.cid and said.dty and isinstance(again, Mrq):
        assert (again.ref, again.cid, again.dty) == (said.ref, said.cid, said.dty)
    merged(said, said)
    assert said.more >= 0
