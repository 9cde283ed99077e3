"""Heartbeats of controllers."""

from __future__ import annotations

from alarmhub.inbound.scaip_beats import Beats
from alarmhub.inbound.supervision import LinkState

EVERY_MS = 60_000


def beats(*controllers: str, most: int = 10) -> Beats:
    """Watched from 0, a heartbeat a minute."""
    return Beats(controllers, every_ms=EVERY_MS, now=0, most=most)


def test_three_missed_heartbeats_are_news_once() -> None:
    """Of one that came, and of one that never did."""
    watch = beats("1")
    watch.heard("2", 30_000, beats=True)
    assert watch.next_check() == 180_000
    assert watch.check(179_999) == []
    assert [(news.source, news.state) for news in watch.check(180_000)] == [("1", LinkState.DOWN)]
    assert [news.source for news in watch.check(210_000)] == ["2"]
    assert watch.check(999_000) == [] and watch.next_check() is None
    assert watch.silent() == ["1", "2"]


def test_it_is_back_after_an_interval_of_life() -> None:
    """Any message is life."""
    watch = beats("1")
    watch.check(180_000)
    watch.heard("1", 200_000, beats=False)
    assert watch.next_check() == 260_000
    watch.heard("1", 250_000, beats=False)
    assert [(news.source, news.state) for news in watch.check(260_000)] == [("1", LinkState.UP)]
    assert watch.silent() == []


def test_only_a_heartbeat_begins_the_watching() -> None:
    """A unit that sends none is not missed; and their number is bounded."""
    watch = beats(most=1)
    assert watch.heard("1", 0, beats=False)
    assert len(watch) == 0 and watch.next_check() is None
    assert watch.heard("1", 0, beats=True)
    assert not watch.heard("2", 0, beats=True)
    assert watch.heard("1", 1, beats=True)
