"""How much one peer may ask."""

from __future__ import annotations

from alarmhub.inbound.flood import Flood


def test_a_burst_then_the_rate() -> None:
    """Twice the rate at once, then so many a second."""
    flood = Flood(2)
    assert [flood.take("a", 0)[0] for _ in range(5)] == [True] * 4 + [False]
    assert [flood.take("a", 500)[0] for _ in range(2)] == [True, False]
    assert [flood.take("a", 60_000)[0] for _ in range(5)] == [True] * 4 + [False]


def test_the_beginning_of_a_flood_is_news_once() -> None:
    """And again when it has been quiet in between."""
    flood = Flood(1, 4)
    said = [flood.take("a", 0)[1] for _ in range(8)]
    assert said == [False] * 4 + [True] + [False] * 3
    assert flood.take("a", 1_000) == (True, False)
    assert flood.take("a", 1_000) == (False, False)
    assert [flood.take("a", 60_000)[1] for _ in range(5)] == [False] * 4 + [True]


def test_one_peer_does_not_use_up_anothers() -> None:
    """Each has its own bucket."""
    flood = Flood(1)
    for _ in range(5):
        flood.take("a", 0)
    assert flood.take("b", 0) == (True, False)


def test_the_number_of_peers_is_bounded() -> None:
    """The one unheard longest goes; time never runs backwards for anybody."""
    flood = Flood(1, 1, most=2)
    flood.take("a", 1_000)
    flood.take("b", 1_000)
    flood.take("a", 0)
    flood.take("c", 1_000)
    assert len(flood) == 2
    assert flood.take("a", 1_000) == (False, False)
