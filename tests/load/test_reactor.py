"""The generator's loop: timers in order, never early, and rarely late."""

import socket

from load.reactor import Reactor, now_ns


def test_timers_run_in_order_of_time_and_never_early() -> None:
    """Three timers set in disorder."""
    reactor = Reactor()
    ran: list[tuple[str, int]] = []
    start = now_ns()
    for name, after_ms in (("late", 30), ("soon", 1), ("middle", 10)):
        due = start + after_ms * 1_000_000
        reactor.call_at(due, lambda n=name, d=due: ran.append((n, now_ns() - d)))
    assert reactor.run_until(lambda: len(ran) == 3, 5)
    assert [name for name, _ in ran] == ["soon", "middle", "late"]
    assert all(lateness >= 0 for _, lateness in ran)
    reactor.close()


def test_run_until_gives_up_in_time() -> None:
    """False when the condition does not come true."""
    reactor = Reactor()
    start = now_ns()
    assert not reactor.run_until(lambda: False, 0.05)
    assert now_ns() - start < 2_000_000_000
    reactor.close()


def test_a_socket_that_is_forgotten_is_heard_no_more() -> None:
    """Watching, then forgetting, a pair of sockets."""
    reactor = Reactor()
    near, far = socket.socketpair()
    heard: list[bytes] = []
    reactor.watch(near.fileno(), lambda events: heard.append(near.recv(10)))
    far.send(b"one")
    assert reactor.run_until(lambda: heard == [b"one"], 5)
    reactor.forget(near.fileno())
    far.send(b"two")
    reactor.run_for(0.01)
    assert heard == [b"one"]
    near.close()
    far.close()
    reactor.close()
