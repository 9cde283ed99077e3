"""Fuzz target for SNPP: the paging terminal's side, over any bytes and with every answer to a page.

`target` raises AssertionError when a promise of `protocols.codec` is broken: an exception, an event more or
less when the bytes are split otherwise, a timer that is not cleared, memory beyond its bounds.
"""

from __future__ import annotations

from protocols.snpp import MAX_WAITING_BYTES, SnppServer
from protocols.snpp_page import Dialect, PageSent, Reply, SnppEvent


class Anything:
    """A gateway that knows every other pager, and one login."""

    def login(self, user: str, password: str) -> bool:
        """One is right."""
        return (user, password) == ("lab", "secret")

    def takes(self, pager: str) -> bool:
        """Those that do not end in 9."""
        return not pager.endswith("9")

    def ping(self, pager: str) -> Reply:
        """With the peer's own words in the answer."""
        return Reply(820, f"{pager} here")

    def status(self, tag: str, password: str) -> Reply:
        """As `ping`."""
        return Reply(860, f"{tag} {password} delivered")

    def forget(self, tag: str, password: str) -> bool:
        """One is known."""
        return tag == "1"


TWO_WAY = (
    b"LEVE 3\r\nLOGI lab secret\r\n2WAY\r\nPAGE 5551234\r\nSUBJ Cardiac alarm\r\nDATA\r\nCARD2 12-1\r\n..\r\n"
    b".\r\nALER 1\r\nRTYP MULTICHOICE\r\nMCRE 01 Accept\r\nMCRE 02 Reject\r\nACKR 1\r\nEXPT 2\r\nNOQU\r\n"
    b"SEND\r\nMSTA 1 2\r\nKTAG 1 2\r\nPING 1\r\nQUIT\r\n"
)
SEEDS: list[bytes] = [
    b"\x00PAGE 1042\r\nMESS Sal 12 plats 2\r\nSEND\r\nQUIT\r\n",
    b"\x01PAGE 1042\r\nPAGE 2010 1\r\nMESS S\xe4ng\r\nSEND\r\nSEND\r\nRESE\r\n",
    b"\x02" + TWO_WAY,
    b"\x07" + TWO_WAY,
    b"\x03HOLD 261123031100 +1\r\nCALL 4711\r\nCOVE 1\r\nHELP\r\nMES\r\n\r\nPAGE 9\r\n"
    + b"X" * 1_100
    + b"\r\n",
]
"""The first byte chooses login, dot-stuffing and what becomes of a page; the rest is what the peer says."""


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
        _settle(late, head, due)


def _open(head: int) -> SnppServer:
    dialect = Dialect(
        login=bool(head & 4), dot_stuffing=bool(head & 8), hold="at_once" if head & 16 else "refuse"
    )
    return SnppServer(dialect, Anything(), 0)


def _run(head: int, said: bytes, size: int) -> tuple[list[SnppEvent], bytes]:
    codec, out = _open(head), b""
    events: list[SnppEvent] = []
    for start in range(0, len(said), size):
        codec.receive_data(said[start : start + size], 0)
        more, written = _settle(codec, head, 0)
        events, out = events + more, out + written
    codec.receive_eof(0)
    more, written = _settle(codec, head, 0)
    assert codec.closed and codec.next_timer() is None
    return events + more, out + written


def _settle(codec: SnppServer, head: int, now: int) -> tuple[list[SnppEvent], bytes]:
    events: list[SnppEvent] = []
    while True:
        assert len(codec._buffer) <= MAX_WAITING_BYTES
        new = codec.events_received()
        if not new:
            return events, codec.data_to_send()
        for event in new:
            events.append(event)
            if isinstance(event, PageSent):
                _answer(codec, head, event, now)


def _answer(codec: SnppServer, head: int, event: PageSent, now: int) -> None:
    if head & 1 and event.token == 1:
        codec.refused(event.token, "busy", now)
    else:
        codec.queued(event.token, now, ("1", "2") if event.page.two_way else None)
