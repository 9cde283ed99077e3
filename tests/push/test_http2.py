"""One connection over a wire in memory: any split of the bytes, silence, and bytes that are no HTTP/2."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import PingReceived, RequestReceived, StreamEnded
from hpack import HeaderTuple
from hyperframe.frame import GoAwayFrame

from alarmhub.push.http2 import PING_EVERY_S, PONG_WITHIN_IDLE_S, PONG_WITHIN_S, Broken, Link, Reply
from tests.support.virtual import in_virtual_time, passes
from tests.support.waiting import turns

HEADERS = [
    HeaderTuple(":method", "POST"),
    HeaderTuple(":scheme", "https"),
    HeaderTuple(":authority", "h"),
    HeaderTuple(":path", "/"),
]


class Wire(asyncio.Transport):
    """What the link writes goes to an h2 server; what that says is handed over by `deliver`."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link, self.ended = link, ""
        self.peer = H2Connection(H2Configuration(client_side=False))
        self.events: list[Any] = []
        self.peer.initiate_connection()
        link.connection_made(self)

    def write(self, data: Any) -> None:
        """Asyncio: bytes for the peer."""
        self.events += self.peer.receive_data(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Asyncio: it buffers nothing."""

    def is_closing(self) -> bool:
        """Asyncio."""
        return bool(self.ended)

    def close(self) -> None:
        """Asyncio: the end, soon."""
        self._end("closed")

    def abort(self) -> None:
        """Asyncio: the end, soon."""
        self._end("aborted")

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            asyncio.get_running_loop().call_soon(self.link.connection_lost, None)

    def deliver(self, *, piece: int = 1 << 20, more: bytes = b"") -> None:
        """What the peer has to say, in pieces of so many bytes."""
        data = self.peer.data_to_send() + more
        for at in range(0, len(data), piece):
            self.link.data_received(data[at : at + piece])

    def requests(self) -> list[int]:
        """The streams of all requests that arrived whole."""
        return [event.stream_id for event in self.events if isinstance(event, StreamEnded)]

    def answer(self, stream: int, body: bytes = b"") -> None:
        """200."""
        self.peer.send_headers(stream, [(":status", "200")], end_stream=not body)
        if body:
            self.peer.send_data(stream, body, end_stream=True)


def opened() -> tuple[Link, Wire]:
    """A connection that has been greeted."""
    link = Link(lambda: None)
    wire = Wire(link)
    wire.deliver()
    assert link.usable
    return link, wire


def post(link: Link, body: bytes = b"{}", *, doubt_after_s: float = 1.0) -> asyncio.Future[Reply]:
    """A request under way."""
    return asyncio.ensure_future(link.exchange(HEADERS, body, doubt_after_s=doubt_after_s))  # noqa: TID251


@pytest.mark.parametrize("piece", [1, 2, 9, 10, 1 << 20])
async def test_any_split_of_the_bytes_gives_the_same(piece: int) -> None:
    """Also of the greeting."""
    link = Link(lambda: None)
    wire = Wire(link)
    wire.deliver(piece=piece)
    reply = post(link)
    await turns()
    wire.answer(wire.requests()[0], b'{"reason": "x"}')
    wire.deliver(piece=piece)
    assert (await reply).body == b'{"reason": "x"}' and link.answered == 1 and link.in_flight == 0


async def test_before_the_greeting_nothing_begins() -> None:
    """What the peer allows is not known yet."""
    link = Link(lambda: None)
    Wire(link)
    assert not link.usable and not link.greeted.done()


@pytest.mark.parametrize("last", [3, 0])
async def test_goaway_and_answers_in_one_packet(last: int) -> None:
    """Those that it spares are answered, those above it were surely not seen."""
    link, wire = opened()
    posts = [post(link) for _ in range(3)]
    await turns(2)
    wire.peer.data_to_send()
    for stream in [stream for stream in wire.requests() if stream <= last]:
        wire.answer(stream)
    answers = wire.peer.data_to_send()
    wire.deliver(more=GoAwayFrame(0, last_stream_id=last).serialize() + answers)
    done = await asyncio.gather(*posts, return_exceptions=True)

    assert [isinstance(one, Reply) for one in done] == [stream <= last for stream in (1, 3, 5)]
    assert all(one.unseen for one in done if isinstance(one, Broken))
    assert link.leaving and wire.ended == "closed"
    with pytest.raises(Broken):
        await post(link)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" * 40,
        b"\x00\x00\x00\x05\x00\x00\x00\x00\x01",
        bytes(9) * 3,
    ],
    ids=["http1", "ff", "push-promise", "data-on-0"],
)
async def test_bytes_that_are_no_http2_end_every_request(garbage: bytes) -> None:
    """At once; the good answer before them still counts."""
    link, wire = opened()
    first, second = post(link), post(link)
    await turns(2)
    wire.answer(1)
    wire.deliver(more=garbage)
    assert (await first).status == 200
    with pytest.raises(Broken, match="protocol error") as broken:
        await second
    assert not broken.value.unseen and wire.ended == "aborted"


@in_virtual_time
async def test_a_quiet_connection_is_kept_warm() -> None:
    """One PING after 45 s of silence; who answers it lives on."""
    link, wire = opened()
    await passes(PING_EVERY_S + 0.1)
    assert [type(event) for event in wire.events if isinstance(event, PingReceived)] == [PingReceived]
    assert link.in_doubt and link.usable
    wire.deliver()
    assert not link.in_doubt
    await passes(PONG_WITHIN_IDLE_S)
    assert not wire.ended
    link.abort("enough")
    await turns(2)


@in_virtual_time
async def test_one_that_does_not_answer_a_ping_is_given_up() -> None:
    """With everything under way on it."""
    link, wire = opened()
    reply = post(link, doubt_after_s=1.0)
    await passes(1.0 + PONG_WITHIN_S - 0.01)
    assert link.in_doubt and not wire.ended and not reply.done()
    await passes(0.02)
    with pytest.raises(Broken, match="no answer to PING"):
        await reply
    assert wire.ended == "aborted" and link.leaving


@in_virtual_time
async def test_a_doubt_ends_with_any_answer() -> None:
    """It lives."""
    link, wire = opened()
    slow, quick = post(link, doubt_after_s=1.0), post(link, doubt_after_s=9.0)
    await passes(1.1)
    wire.peer.data_to_send()
    wire.answer(3)
    wire.deliver()
    assert (await quick).status == 200 and not link.in_doubt
    slow.cancel()
    await turns(2)
    link.abort("enough")
    await turns(2)


async def test_a_peer_that_does_not_read_gets_no_new_requests() -> None:
    """And has to prove that it lives."""
    link, _wire = opened()
    link.pause_writing()
    assert not link.usable and link.in_doubt
    link.resume_writing()
    assert link.usable
    link.abort("enough")
    await turns(2)


async def test_cancelling_a_request_takes_it_back() -> None:
    """And its late answer disturbs nobody."""
    link, wire = opened()
    one, other = post(link), post(link)
    await turns(2)
    wire.answer(1)
    late = wire.peer.data_to_send()
    one.cancel()
    await turns(2)
    wire.answer(3)
    wire.deliver(more=late)
    assert (await other).status == 200 and one.cancelled() and link.usable


async def test_closing_lets_what_is_under_way_end() -> None:
    """In good order."""
    link, wire = opened()
    reply = post(link)
    await turns(2)
    link.close()
    assert not wire.ended
    wire.answer(1)
    wire.deliver()
    assert (await reply).status == 200
    await turns(2)
    assert wire.ended == "closed" and link.closed.done()


async def test_it_keeps_no_memory_of_all_that_ended() -> None:
    """h2 would remember 65,536 streams."""
    link, wire = opened()
    for _ in range(2_000):
        reply = post(link)
        await turns(1)
        wire.answer(wire.requests()[-1])
        wire.events.clear()
        wire.deliver()
        await reply
    assert len(link._h2._closed_streams) <= 1_024 and len(link._h2.streams) <= 1
    assert not [event for event in wire.events if isinstance(event, RequestReceived)]
