"""The dumb phone's framing: any split of the bytes gives the same frames."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load import wsframes

PAYLOADS = st.lists(
    st.tuples(
        st.sampled_from([wsframes.TEXT, wsframes.BINARY, wsframes.PING, wsframes.PONG]),
        st.one_of(st.binary(max_size=130), st.sampled_from([b"x" * 126, b"y" * 65_535, b"z" * 65_536])),
    ),
    max_size=6,
)


@given(PAYLOADS, st.lists(st.integers(min_value=0, max_value=400_000), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_frames(
    messages: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    """A phone that reads in arbitrary pieces sees what one that reads at once sees."""
    stream = b"".join(wsframes.server_frame(payload, opcode) for opcode, payload in messages)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    got: list[tuple[int, bytes]] = []
    rest = b""
    for start, stop in itertools.pairwise(edges):
        rest += stream[start:stop]
        frames, used = wsframes.split(rest)
        got += frames
        rest = rest[used:]
    assert rest == b""
    assert got == [(0x80 | opcode, payload) for opcode, payload in messages]


@given(st.binary(max_size=70_000))
def test_what_a_phone_sends_is_masked_and_reads_back(payload: bytes) -> None:
    """RFC 6455 section 5.3: a client masks every frame; the key may be any, here all zero."""
    frame = wsframes.client_frame(payload)
    assert frame[0] == 0x81
    assert frame[1] & 0x80
    size = frame[1] & 0x7F
    head = 2 if size < 126 else 4 if size == 126 else 10
    assert frame[head : head + 4] == b"\0\0\0\0"
    assert frame[head + 4 :] == payload


@pytest.mark.parametrize(
    "data", [b"\xc1\x00", b"\x81\x80\0\0\0\0", b"\x81\x7f" + (1 << 40).to_bytes(8, "big")]
)
def test_what_a_server_must_not_send_is_a_fault(data: bytes) -> None:
    """Reserved bits, a masked server frame, a frame of a terabyte."""
    with pytest.raises(wsframes.FrameFault):
        wsframes.split(data)


def test_a_handshake_refused_is_told_with_the_servers_words() -> None:
    """Anything but 101 ends the phone; an incomplete head waits."""
    assert wsframes.handshake_end(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso") == 0
    whole = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    assert wsframes.handshake_end(whole + b"\x81\x00") == len(whole)
    with pytest.raises(wsframes.FrameFault, match="503"):
        wsframes.handshake_end(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
