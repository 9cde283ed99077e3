"""SIP messages, as RFC 3261 writes them and as the field does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.sip import (
    MAX_HEADERS,
    Garbled,
    Request,
    Response,
    address_of,
    answer,
    build,
    cseq_of,
    parse,
    reply_address,
    split_list,
    uri_of,
    via_of,
)

SAMPLES = Path(__file__).parent / "samples" / "scaip"
PEER = ("192.0.2.7", 40_000)
OPTIONS = (
    "OPTIONS sip:arc@arc.example SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.1.2.3:5062;branch=z9hG4bKx{rport}\r\n"
    "From: <sip:u@arc.example>;tag=1\r\nTo: <sip:arc@arc.example>\r\nCall-ID: c\r\n"
    "CSeq: 7 OPTIONS\r\n{more}\r\n"
)


def options(more: str = "", rport: str = "") -> Request:
    """A whole request with these lines added."""
    message = parse(OPTIONS.format(more=more, rport=rport).encode())
    assert isinstance(message, Request), message
    return message


def fault(data: bytes) -> Garbled:
    """What is wrong with these bytes."""
    message = parse(data)
    assert isinstance(message, Garbled), message
    return message


@pytest.mark.parametrize("name", ["sip_message_mrq.txt", "sip_message_mrs_separate.txt"])
def test_samples_are_read_and_written_alike(name: str) -> None:
    """Headers, parts and body; building gives the same bytes."""
    data = (SAMPLES / name).read_bytes()
    message = parse(data)
    assert isinstance(message, Request)
    assert message.method == "MESSAGE"
    assert message.header("content-type") == "application/scaip+xml"
    assert len(message.body) == int(message.header("content-length") or 0)
    assert cseq_of(message) == (1, "MESSAGE")
    via = via_of(message)
    assert via is not None
    assert (via.transport, via.host, via.port) == ("TCP", "127.0.0.1", 5070)
    assert build(message) == data


def test_compact_names_and_folded_lines() -> None:
    """RFC 3261 7.3.1 and 7.3.3: `v` is Via, and a line that begins with a blank goes on."""
    message = parse(
        b"OPTIONS sip:x SIP/2.0\r\nv: SIP/2.0/UDP a;branch=1,\r\n\tSIP/2.0/TCP b;branch=2\r\n"
        b"f: <sip:u@x>;tag=1\r\nt: sip:x\r\ni: c\r\nCSeq: 1 OPTIONS\r\nl: 2\r\n\r\nhi"
    )
    assert isinstance(message, Request)
    assert message.all("via") == ["SIP/2.0/UDP a;branch=1", "SIP/2.0/TCP b;branch=2"]
    assert message.header("call-id") == "c"
    assert message.body == b"hi"


def test_bare_line_feeds_are_met_in_the_field() -> None:
    """And mean the same."""
    message = parse(OPTIONS.format(more="", rport="").replace("\r\n", "\n").encode())
    assert isinstance(message, Request)


def test_the_rest_of_a_datagram_is_no_body() -> None:
    """RFC 3261 18.3: beyond the Content-Length it is dropped; short of it the message is refused."""
    assert options("Content-Length: 0\r\n").body == b""
    whole = OPTIONS.format(more="Content-Length: 3\r\n", rport="").encode()
    cut = parse(whole + b"abcdef")
    assert isinstance(cut, Request) and cut.body == b"abc"
    assert fault(whole + b"ab").cause == "body shorter than its content length"


@pytest.mark.parametrize(
    ("data", "status", "cause"),
    [
        (b"", 400, "no end of headers"),
        (b"\r\n\r\n", 400, "empty message"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not a SIP start line"),
        (b"OPTIONS sip:x SIP/3.0\r\n\r\n", 505, "not SIP 2.0"),
        (b"SIP/2.0 999 Odd\r\n\r\n", 400, "not a status"),
        (b"OPTIONS sip:x SIP/2.0\r\nno colon here\r\n\r\n", 400, "not a header line"),
        (b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n", 400, "no from header"),
        (b"OPTIONS sip:x SIP/2.0\r\n" + b"X: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n", 400, "too many headers"),
        (OPTIONS.format(more="Content-Length: 1\r\nl: 2\r\n", rport="").encode(), 400,
         "unusable content length"),
        (OPTIONS.format(more="", rport="").replace("7 OPTIONS", "7 MESSAGE").encode(), 400,
         "cseq does not fit the method"),
        (OPTIONS.format(more="", rport="").replace("10.1.2.3", "§").encode(), 400, "unusable via header"),
        (OPTIONS.format(more=f"Content-Length: {70_000}\r\n", rport="").encode() + b"x" * 70_000, 413,
         "body too long"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(data: bytes, status: int, cause: str) -> None:
    """With the status a peer gets for it."""
    garbled = fault(data)
    assert (garbled.status, garbled.cause) == (status, cause)


def test_addresses_in_all_their_forms() -> None:
    """Display names with brackets and commas, bare addresses, parameters of header and URI."""
    uri, params = address_of('"Lind, <Anna>" <sip:anna@arc.example;transport=tcp>;tag=9;expires=60')
    assert uri == "sip:anna@arc.example;transport=tcp"
    assert params == {"tag": "9", "expires": "60"}
    assert address_of("sip:anna@arc.example;tag=9") == ("sip:anna@arc.example", {"tag": "9"})
    parsed = uri_of("sips:u:pw@[2001:db8::1]:5061;transport=TLS?x=1")
    assert parsed is not None
    assert (parsed.scheme, parsed.user, parsed.host, parsed.port, parsed.transport) == (
        "sips", "u", "2001:db8::1", 5061, "tls",
    )  # fmt: skip
    assert uri_of("tel:+46") is None and uri_of("sip:a b") is None and uri_of("sip:a@b:99999") is None
    assert split_list('"a,b" <sip:x,y>, <sip:z>') == ['"a,b" <sip:x,y>', "<sip:z>"]


def test_an_answer_carries_what_the_request_said() -> None:
    """RFC 3261 8.2.6: Vias, From, To with a tag, Call-ID, CSeq; a tag that is there stays."""
    said = parse(build(answer(options(), 200, source=PEER, to_tag="mine")))
    assert isinstance(said, Response)
    assert (said.status, said.reason) == (200, "OK")
    assert said.header("via") == "SIP/2.0/UDP 10.1.2.3:5062;branch=z9hG4bKx;received=192.0.2.7"
    assert said.header("to") == "<sip:arc@arc.example>;tag=mine"
    assert said.header("cseq") == "7 OPTIONS"
    again = answer(
        parse(build(options()).replace(b"To: <sip:arc@arc.example>", b"To: <sip:a@b>;tag=old")),  # type: ignore[arg-type]
        200, source=PEER, to_tag="mine",
    )  # fmt: skip
    assert again.header("to") == "<sip:a@b>;tag=old"


def test_rport_brings_the_answer_back_through_address_translation() -> None:
    """RFC 3581: to the port it came from when asked for; otherwise to the port of the Via (18.2.2)."""
    asked = options(rport=";rport")
    assert answer(asked, 200, source=PEER, to_tag="t").header("via") == (
        "SIP/2.0/UDP 10.1.2.3:5062;branch=z9hG4bKx;received=192.0.2.7;rport=40000"
    )
    assert reply_address(asked, PEER) == PEER
    assert reply_address(options(), PEER) == ("192.0.2.7", 5062)


def test_nothing_said_becomes_a_header_of_ours() -> None:
    """Control characters are blanks, in what is read and in what is written."""
    built = build(Request("MESSAGE", "sip:x\r\nEvil: 1", (("subject", "a\r\nEvil: 2"),)))
    assert b"\nEvil" not in built
    assert options("Subject: a\x00b\x1bc\r\n").header("subject") == "a b c"


@given(st.binary(max_size=400))
def test_garbage_is_never_an_exception(data: bytes) -> None:
    """Whatever comes."""
    parse(data)
    parse(b"OPTIONS sip:x SIP/2.0\r\n" + data + b"\r\n\r\n")


@given(st.text(max_size=60))
def test_any_value_can_be_taken_apart(value: str) -> None:
    """Addresses, URIs, lists."""
    split_list(value)
    uri_of(address_of(value)[0])
    via_of(options(f"X: {value.encode('utf-8', 'replace').decode().splitlines()[:1]}\r\n"))
