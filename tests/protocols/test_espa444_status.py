"""Status back: what is encoded, what is remembered, and how much."""

from __future__ import annotations

from protocols.espa444_status import MAX_REPORTS, StatusMemory, StatusQueue, StatusReport, first_status


def test_a_status_repeats_the_call_in_the_links_own_letters() -> None:
    """Records 1, 2 and 7 of the fact sheet's transaction D; a Swedish 7-bit line gets its own codes."""
    report = StatusReport("s", "1201", "Zi 12 Bett 1 Ruf", "6")
    expected = bytes.fromhex("013202311f313230311e321f5a6920313220426574742031205275661e371f36034b")
    assert report.encoded("ascii") == expected
    assert b"2\x1fV}rd" in StatusReport("s", "1201", "Vård", "3").encoded("iso646-se")


def test_a_transmitter_failure_is_its_own_block() -> None:
    """Transaction F of the fact sheet."""
    assert StatusReport("s", system_status="1").encoded("ascii") == bytes.fromhex("013202381f310325")


def test_what_no_line_can_carry_is_still_a_block() -> None:
    """Control bytes become blanks, letters the set lacks `?`; the frame holds."""
    raw = StatusReport("s", "1\x03", "\x01\x02x‾", "3").encoded("ascii")
    assert raw[1:-2] == b"2\x021\x1f1 \x1e2\x1f  x?\x1e7\x1f3"


def test_the_memory_forgets_the_oldest_call() -> None:
    """Bounded, and a call that is spoken of again is young again."""
    memory = StatusMemory(calls=2)
    memory.note("1", "a", "2")
    memory.note("1", "b", "2")
    memory.note("1", "a", "3")
    memory.note("1", "c", "2")
    assert (memory.last("1", "a"), memory.last("1", "b"), memory.last("1", "c")) == ("3", None, "2")
    assert memory.last("1", None) == "2"
    assert memory.last("2", None) is None
    assert len(memory) == 2


def test_the_first_status_of_a_call() -> None:
    """In queue; of a reset: terminated."""
    assert (first_status("3"), first_status("1")) == ("2", "5")


def test_the_queue_is_bounded_and_in_order() -> None:
    """First in, first out; the one on the line stays when asked to."""
    queue = StatusQueue()
    assert all(queue.add(str(n), b"") for n in range(MAX_REPORTS))
    assert not queue.add("one too many", b"")
    assert queue.remove("5", keep_first=True)
    assert not queue.remove("0", keep_first=True)
    assert queue.first.id == "0"
    assert [queue.pop().id for _ in range(6)] == ["0", "1", "2", "3", "4", "6"]
