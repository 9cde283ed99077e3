"""Fuzz target for SIP: framing over a stream, single messages, and everything that reads their parts."""

from __future__ import annotations

from pathlib import Path

from protocols.sip import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Garbled,
    Message,
    Request,
    Response,
    address_of,
    answer,
    build,
    cseq_of,
    parse,
    uri_of,
    via_of,
)
from protocols.sip_digest import Credentials, Nonces, challenge, count_of, fits, read_credentials
from protocols.sip_registrar import Bindings
from protocols.sip_stream import SipStream
from protocols.sip_transaction import Begun, ClientTransactions, ServerTransactions

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "scaip"
REGISTER = (
    b"REGISTER sip:arc@arc.example SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 10.1.2.3:5062 ;branch=z9hG4bKr1;rport,\r\n SIP/2.0/TCP gw.example;branch=x\r\n"
    b'f: "Unit, \\"left\\"" <sip:46@arc.example;transport=udp>;tag=1\r\nt: sip:4670000123@arc.example\r\n'
    b"i: r1@10.1.2.3\r\nCSeq: 2 REGISTER\r\nm: <sip:46@10.1.2.3:5062>;expires=600, <sip:b@[::1]:9>\r\n"
    b'Authorization: Digest username="u", realm="alarmhub", nonce="n", uri="sip:arc@arc.example", '
    b'response="0123456789abcdef0123456789abcdef", cnonce="c", qop=auth, nc=00000001, algorithm=MD5\r\n'
    b"Expires: 3600\r\nl: 0\r\n\r\n"
)
RESPONSE = (
    b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKq;received=::1;rport=5\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
    + f"WWW-Authenticate: {challenge('r', 'n', stale=True)}\r\nContent-Length: 0\r\n\r\n".encode()
)
SEEDS: list[bytes] = [
    *(path.read_bytes() for path in sorted(SAMPLES.glob("*.txt"))),
    REGISTER,
    RESPONSE,
    b"\r\n\r\n" + REGISTER + b"\r\n" + RESPONSE,
    b"OPTIONS sip:x SIP/2.0\nVia: SIP/2.0/TLS [2001:db8::1]:5061\n\nrest",
]


def target(data: bytes) -> None:
    """As a stream in three splits, and as one datagram."""
    whole = _stream(data, len(data) or 1)
    assert _stream(data, 1 if len(data) < 3_000 else 61) == whole
    assert _stream(data, 7) == whole
    for message in [*whole[0], parse(data)]:
        _use(message)


def _stream(data: bytes, size: int) -> tuple[list[Message], bytes, str | None]:
    codec = SipStream(idle_ms=60_000)
    events: list[Message] = []
    for start in range(0, len(data), size):
        codec.receive_data(data[start : start + size], 0)
        events += codec.events_received()
        assert len(codec._buffer) <= MAX_HEAD_BYTES + MAX_BODY_BYTES + size
    due = codec.next_timer()
    if due is not None:
        assert due > 0
        codec.handle_timer(due)
        assert codec.next_timer() is None or codec.next_timer() > due  # type: ignore[operator]
    codec.receive_eof(due or 0)
    assert codec.closed and codec.next_timer() is None
    # Why a conversation ended (its time, half a message) is no event, and may come of either.
    return events + codec.events_received(), codec.data_to_send(), None


def _use(message: Message) -> None:
    request = message.request if isinstance(message, Garbled) else message
    if request is None:
        return
    again = parse(build(request))
    via_of(request), cseq_of(request)
    for name in ("from", "to", "contact"):
        for value in request.all(name):
            uri_of(address_of(value)[0])
    if isinstance(request, Response):
        ClientTransactions().receive(request, 0)
        return
    if isinstance(message, Request):
        assert isinstance(again, Request), again
    _serve(request)


def _serve(request: Request) -> None:
    build(answer(request, 200, source=("127.0.0.1", 5060), to_tag="t"))
    begun = ServerTransactions().receive(request, "p", 0)
    assert isinstance(begun, Begun)
    Bindings().register(request, 0)
    for value in request.all("authorization"):
        credentials = read_credentials(value)
        if isinstance(credentials, Credentials):
            fits(credentials, realm="alarmhub", password="x", method=request.method)
            nonces = Nonces()
            nonces.issue(credentials.nonce, 0)
            nonces.use(credentials.nonce, count_of(credentials) or 0, 1)
