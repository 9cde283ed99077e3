"""What waits, and who is polled next."""

from __future__ import annotations

from protocols.espa444_queue import MAX_SENDINGS, Sending, Sendings, Stations


def test_a_station_that_must_wait_holds_up_its_own_blocks_only() -> None:
    """Order per station, no order between them; nothing is due before its time."""
    waiting = Sendings()
    for id, station, due_at in (("a", "2", 50), ("b", "2", 0), ("c", "3", 20)):
        assert waiting.add(Sending(id, station, b"", due_at))
    assert waiting.next_at() == 20
    assert waiting.due(19) is None
    other = waiting.due(20)
    assert other is not None and other.id == "c"
    first = waiting.due(50)
    assert first is not None and first.id == "a"
    waiting.remove(first)
    second = waiting.due(0)
    assert second is not None and second.id == "b"


def test_the_queue_is_bounded_and_can_be_emptied() -> None:
    """What was in it comes out in order."""
    waiting = Sendings()
    for number in range(MAX_SENDINGS):
        assert waiting.add(Sending(str(number), "2", b"", 0))
    assert not waiting.add(Sending("more", "2", b"", 0))
    assert waiting.named("5") is not None
    assert [sending.id for sending in waiting.drain()] == [str(n) for n in range(MAX_SENDINGS)]
    assert (len(waiting), waiting.next_at(), waiting.named("5")) == (0, None, None)


def test_whoever_has_waited_longest_is_polled() -> None:
    """In the order of the list at first, then by what is due."""
    stations = Stations("23", every_ms=100, offline_after=3, offline_ms=1_000)
    assert stations.due(0) == "2"
    stations.polled("2", 0)
    assert stations.due(0) == "3"
    stations.polled("3", 10)
    assert (stations.due(99), stations.next_at()) == (None, 100)
    assert stations.due(500) == "2"


def test_off_line_after_so_many_silences_in_a_row() -> None:
    """An answer between them starts the count anew; told at the turn of the third only."""
    stations = Stations("2", every_ms=100, offline_after=3, offline_ms=1_000)
    assert [stations.silent("2", 0), stations.silent("2", 0)] == [False, False]
    assert stations.heard("2", 0) is False
    assert [stations.silent("2", 0) for _ in range(4)] == [False, False, True, False]
    assert (stations.offline, stations.next_at()) == (("2",), 1_000)
    assert stations.heard("2", 500) is True
    assert (stations.offline, stations.next_at()) == ((), 600)


def test_one_that_is_only_spoken_to_is_never_polled() -> None:
    """It may be off-line all the same."""
    stations = Stations("", every_ms=0, offline_after=1, offline_ms=1_000)
    assert stations.silent("4", 0)
    assert (stations.offline, stations.due(9_999), stations.next_at()) == (("4",), None, None)
