"""Repetition: done once, answered alike."""

from __future__ import annotations

from pathlib import Path

from protocols.sip import Request, Response, answer, parse
from protocols.sip_transaction import (
    T1_MS,
    T2_MS,
    TIMER_F_MS,
    TIMER_J_MS,
    Again,
    Begun,
    Busy,
    ClientTransactions,
    Outcome,
    Sending,
    ServerTransactions,
)

MRQ = (Path(__file__).parent / "samples" / "scaip" / "sip_message_mrq.txt").read_bytes()


def message(branch: str = "z9hG4bKone") -> Request:
    """A request with this branch."""
    parsed = parse(MRQ.replace(b"z9hG4bKmessage_mrq", branch.encode()))
    assert isinstance(parsed, Request)
    return parsed


def response(branch: str, status: int = 200) -> Response:
    """A peer's response to a request with this branch."""
    return answer(message(branch), status, source=("127.0.0.1", 5070), to_tag="t")


def begun(server: ServerTransactions, request: Request, now: int = 0) -> str:
    """The key of a new request."""
    state = server.receive(request, "peer", now)
    assert isinstance(state, Begun)
    return state.key


def test_a_repetition_gets_the_same_answer_for_timer_j() -> None:
    """And none while the first is worked on; after it, it is a new request."""
    server = ServerTransactions()
    key = begun(server, message())
    assert server.receive(message(), "peer", 10) == Again(None)
    server.answered(key, b"answer", 20, reliable=False)
    assert server.receive(message(), "peer", TIMER_J_MS) == Again(b"answer")
    assert server.next_timer() == 20 + TIMER_J_MS
    assert isinstance(server.receive(message(), "peer", 20 + TIMER_J_MS), Begun)


def test_another_branch_or_another_peer_is_another_request() -> None:
    """A branch is unique for its sender; nobody fetches another's answer by guessing it."""
    server = ServerTransactions()
    server.answered(begun(server, message()), b"answer", 0, reliable=False)
    assert isinstance(server.receive(message("z9hG4bKtwo"), "peer", 1), Begun)
    assert isinstance(server.receive(message(), "other", 1), Begun)


def test_an_old_branch_is_told_by_the_other_headers() -> None:
    """RFC 3261 17.2.3, senders of RFC 2543."""
    server = ServerTransactions()
    server.answered(begun(server, message("1")), b"answer", 0, reliable=False)
    assert server.receive(message("1"), "peer", 1) == Again(b"answer")
    later = parse(MRQ.replace(b"z9hG4bKmessage_mrq", b"1").replace(b"CSeq: 1", b"CSeq: 2"))
    assert isinstance(later, Request)
    assert isinstance(server.receive(later, "peer", 1), Begun)


def test_over_tcp_nothing_is_kept() -> None:
    """Nothing is repeated there."""
    server = ServerTransactions()
    server.answered(begun(server, message()), b"answer", 0, reliable=True)
    assert len(server) == 0 and server.next_timer() is None


def test_the_number_of_requests_is_bounded() -> None:
    """Answered ones make room, those being worked on do not."""
    server = ServerTransactions(most=2)
    first = begun(server, message("z9hG4bK1"))
    begun(server, message("z9hG4bK2"))
    assert server.receive(message("z9hG4bK3"), "peer", 0) == Busy()
    server.answered(first, b"a", 0, reliable=False)
    assert isinstance(server.receive(message("z9hG4bK3"), "peer", 1), Begun)
    assert len(server) == 2
    server.handle_timer(TIMER_J_MS * 2)
    assert len(server) == 2
    server.forget(first)


def test_a_request_is_repeated_until_it_is_answered() -> None:
    """Timer E: 0.5, 1, 2, 4, 4 s …"""
    client = ClientTransactions()
    assert client.start("b", "MESSAGE", b"data", 0, reliable=False) == Sending("b", b"data")
    at = []
    now = 0
    while (due := client.next_timer()) is not None and due < 16_000:
        now = due
        assert client.handle_timer(now) == [Sending("b", b"data")]
        at.append(now)
    assert at == [T1_MS, 1_500, 3_500, 7_500, 11_500, 15_500]
    outcome = client.receive(response("b"), now)
    assert isinstance(outcome, Outcome) and outcome.response is not None and outcome.response.status == 200
    assert client.next_timer() is None
    assert client.receive(response("b"), now) is None


def test_a_provisional_response_slows_the_repetition() -> None:
    """Timer E becomes T2 in "proceeding"."""
    client = ClientTransactions()
    client.start("b", "MESSAGE", b"data", 0, reliable=False)
    assert client.receive(response("b", 100), 100) is None
    assert client.next_timer() == 100 + T2_MS


def test_no_answer_in_time() -> None:
    """Timer F; over TCP nothing is repeated until then."""
    client = ClientTransactions()
    client.start("b", "MESSAGE", b"data", 0, reliable=True)
    assert client.next_timer() == TIMER_F_MS
    assert client.handle_timer(TIMER_F_MS) == [Outcome("b", None)]
    assert len(client) == 0


def test_a_response_must_fit() -> None:
    """Branch and method (17.1.3)."""
    client = ClientTransactions()
    client.start("b", "REGISTER", b"data", 0, reliable=False)
    assert client.receive(response("b"), 1) is None
    assert client.receive(response("c"), 1) is None
    client.forget("b")
    assert len(client) == 0


def test_the_number_of_open_requests_is_bounded() -> None:
    """And a branch is used once."""
    client = ClientTransactions(most=1)
    client.start("a", "MESSAGE", b"", 0, reliable=False)
    assert client.start("b", "MESSAGE", b"", 0, reliable=False) is None
