"""The source: it sends at the intended time and waits for nobody."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.press import Sender, parse_response
from load.reactor import Reactor
from tests.support.raw_gateway import RawHttp

Line = tuple[Reactor, RawHttp, Sender]


@pytest.fixture
def line() -> Iterator[Line]:
    """A sender and a server that answers when told."""
    reactor = Reactor()
    server = RawHttp(reactor)
    sender = Sender(reactor, "127.0.0.1", server.port, "secret")
    sender.open(2)
    yield reactor, server, sender
    sender.close()
    server.close()
    reactor.close()


def test_a_request_does_not_wait_for_the_answer_to_another(line: Line) -> None:
    """Open loop: five presses are at the server before it has answered any, each on its own connection."""
    reactor, server, sender = line
    answers: list[int] = []
    for number in range(5):
        sender.post(b"/api/v1/signals", b'{"n":%d}' % number, lambda status, body, at: answers.append(status))
    assert reactor.run_until(lambda: len(server.requests) == 5, 5)
    assert answers == []
    assert sender.in_flight == 5
    assert len({connection for connection, _, _ in server.requests}) == 5
    for connection, _, _ in server.requests:
        server.reply(connection, b"{}")
    assert reactor.run_until(lambda: len(answers) == 5, 5)
    assert sender.in_flight == 0


def test_a_free_connection_is_used_again(line: Line) -> None:
    """Keep-alive: one after the other needs one connection."""
    reactor, server, sender = line
    server.answer = b"{}"
    answers: list[int] = []
    for number in range(1, 6):
        sender.post(b"/x", b"{}", lambda status, body, at: answers.append(status))
        assert reactor.run_until(lambda n=number: len(answers) == n, 5)
    assert len({connection for connection, _, _ in server.requests}) == 1
    assert sender.counts["connections"] == 2


def test_the_secret_and_the_body_arrive_as_given(line: Line) -> None:
    """A bearer secret, JSON, and the length of it."""
    reactor, server, sender = line
    sender.post(b"/api/v1/signals", b'{"ref":"1"}', lambda status, body, at: None)
    assert reactor.run_until(lambda: bool(server.requests), 5)
    _, head, body = server.requests[0]
    assert head.startswith(b"POST /api/v1/signals HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret\r\n" in head
    assert body == b'{"ref":"1"}'


def test_a_connection_that_breaks_answers_its_requests_with_status_0(line: Line) -> None:
    """The books learn that no answer will come."""
    reactor, server, sender = line
    answers: list[int] = []
    sender.post(b"/x", b"{}", lambda status, body, at: answers.append(status))
    assert reactor.run_until(lambda: bool(server.requests), 5)
    server.close()
    assert reactor.run_until(lambda: answers == [0], 5)


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=400))
def test_an_answer_is_read_whole_or_not_at_all(body: bytes, cut: int) -> None:
    """Any prefix of an answer is incomplete; the whole gives status, body and its length."""
    whole = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nX: y\r\n\r\n%s" % (len(body), body)
    assert parse_response(whole + b"HTTP/1.1 200") == (201, body, len(whole))
    if cut < len(whole):
        assert parse_response(whole[:cut]) is None


@pytest.mark.parametrize(
    "data", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_what_is_no_plain_answer_is_status_0(data: bytes) -> None:
    """No HTTP, or an answer without a length."""
    parsed = parse_response(data)
    assert parsed is not None
    assert parsed[0] == 0
