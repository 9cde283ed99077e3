"""When a link is down and when it is up again, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.inbound.supervision import (
    FaultTally,
    LinkChanged,
    LinkState,
    LinkWatch,
    PollHabit,
    SourceFault,
)

S = 1_000
START = 1_000_000


def watch(polls: bool = True) -> LinkWatch:
    """A link of 30 s down, 2 min up."""
    return LinkWatch("plant", down_ms=30 * S, up_ms=120 * S, now=START, polls=polls)


def poll(link: LinkWatch, from_s: int, to_s: int, every_s: int = 5) -> list[LinkChanged]:
    """Life every few seconds; what was news meanwhile."""
    news = []
    for second in range(from_s, to_s + 1, every_s):
        link.life(START + second * S)
        news.append(link.check(START + second * S))
    return [n for n in news if n]


def test_thirty_seconds_of_silence_are_down() -> None:
    """Both sides of the limit, told once, with when it was last heard."""
    link = watch()
    link.connected(START, True)
    link.life(START + 10 * S)
    assert link.next_check() == START + 40 * S
    assert link.check(START + 40 * S - 1) is None
    assert link.check(START + 40 * S) == LinkChanged("plant", LinkState.DOWN, START + 40 * S, START + 10 * S)
    assert link.check(START + 41 * S) is None
    assert link.next_check() is None


def test_a_plant_that_never_comes_is_down_too() -> None:
    """The hub starts, the plant does not."""
    link = watch(polls=False)
    assert link.next_check() == START + 30 * S
    news = link.check(START + 30 * S)
    assert news is not None
    assert news.state is LinkState.DOWN


def test_up_again_after_two_stable_minutes() -> None:
    """Not at the first word, not a millisecond early."""
    link = watch()
    link.check(START + 30 * S)
    assert poll(link, 100, 215) == []
    link.life(START + 220 * S - 1)
    assert link.check(START + 220 * S - 1) is None
    assert link.check(START + 220 * S) == LinkChanged("plant", LinkState.UP, START + 220 * S, START + 100 * S)


def test_a_gap_starts_the_two_minutes_anew() -> None:
    """A link that flaps stays down."""
    link = watch()
    link.check(START + 30 * S)
    assert poll(link, 100, 200) == []
    assert poll(link, 230, 340) == [], "the gap of 30 s broke the first two minutes"
    assert [n.state for n in poll(link, 345, 360)] == [LinkState.UP]


def test_silence_is_not_stability() -> None:
    """One word after the loss and nothing more is no two minutes of life."""
    link = watch()
    link.check(START + 30 * S)
    link.life(START + 100 * S)
    assert link.check(START + 220 * S) is None
    assert link.next_check() is None
    assert [n.state for n in poll(link, 300, 420)] == [LinkState.UP]


def test_a_lost_connection_starts_the_two_minutes_anew() -> None:
    """However short it was."""
    link = watch()
    link.check(START + 30 * S)
    link.connected(START + 90 * S, True)
    assert poll(link, 100, 150) == []
    link.connected(START + 151 * S, False)
    link.connected(START + 152 * S, True)
    assert poll(link, 155, 270) == []
    assert [n.state for n in poll(link, 275, 290)] == [LinkState.UP]


def test_where_silence_is_normal_an_open_connection_is_life() -> None:
    """A select-only plant may say nothing for days; without its connection it is down after 30 s."""
    link = watch(polls=False)
    link.connected(START + 1 * S, True)
    assert link.next_check() is None
    assert link.check(START + 86_400 * S) is None
    link.connected(START + 86_400 * S, False)
    assert link.check(START + 86_430 * S - 1) is None
    news = link.check(START + 86_430 * S)
    assert news is not None
    assert news.since == START + 86_400 * S
    link.connected(START + 86_500 * S, True)
    assert link.next_check() == START + 86_620 * S
    assert link.check(START + 86_620 * S - 1) is None
    assert link.check(START + 86_620 * S) is not None
    assert link.state is LinkState.UP


def test_connections_that_never_last_are_a_loss() -> None:
    """A broker that accepts and hangs up, two hubs under one name: nothing is delivered, however often."""
    link = watch(polls=False)
    news = []
    for second in range(0, 120, 15):
        link.connected(START + second * S, True)
        link.connected(START + (second + 5) * S, False)
        news.append(link.check(START + (second + 5) * S))
    assert [n.state for n in news if n] == [LinkState.DOWN]
    link.connected(START + 120 * S, True)
    assert link.check(START + 240 * S) == LinkChanged("plant", LinkState.UP, START + 240 * S, START + 120 * S)


def test_a_call_over_a_short_connection_is_life() -> None:
    """Whoever connects for each call has said something."""
    link = watch(polls=False)
    for second in range(0, 200, 20):
        link.connected(START + second * S, True)
        link.life(START + (second + 1) * S)
        link.connected(START + (second + 2) * S, False)
        assert link.check(START + (second + 19) * S) is None


def test_seldom_words_over_an_open_connection_are_no_gaps() -> None:
    """A sensor every minute: two minutes of an open connection are two minutes."""
    link = watch(polls=False)
    assert link.check(START + 30 * S) is not None
    link.connected(START + 100 * S, True)
    for second in (160, 219):
        link.life(START + second * S)
        assert link.check(START + second * S) is None
    assert link.check(START + 220 * S) == LinkChanged("plant", LinkState.UP, START + 220 * S, START + 100 * S)


def test_a_short_loss_is_no_news() -> None:
    """Twenty seconds off is not thirty."""
    link = watch(polls=False)
    link.connected(START, True)
    link.connected(START + 60 * S, False)
    assert link.check(START + 80 * S) is None
    link.connected(START + 80 * S, True)
    assert link.check(START + 200 * S) is None


@pytest.mark.parametrize("polls", [True, False])
@given(
    steps=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["life", "on", "off", "wait"])), max_size=60)
)
def test_news_alternates_and_is_never_early(polls: bool, steps: list[tuple[int, str]]) -> None:
    """Down, up, down …: never twice the same, never within the hysteresis."""
    link, now, told = watch(polls), START, []
    for seconds, what in steps:
        now += seconds * S
        if what == "life":
            link.connected(now, True)
            link.life(now)
        elif what != "wait":
            link.connected(now, what == "on")
        due = link.next_check()
        news = link.check(now)
        if news is not None:
            assert due is not None
            assert due <= now
            assert now - news.since >= (30 * S if news.state is LinkState.DOWN else 120 * S)
            told.append(news.state)
    assert told == [LinkState.UP if index % 2 else LinkState.DOWN for index in range(len(told))]


def test_polling_is_a_habit_after_five_idle_polls() -> None:
    """Close enough together, and not the beginnings of selects."""
    habit = PollHabit(30 * S)
    assert [habit.poll(START + n * 10 * S) for n in range(6)] == [False] * 5 + [True]
    slow = PollHabit(30 * S)
    assert not any(slow.poll(START + n * 11 * S) for n in range(20))
    calling = PollHabit(30 * S)
    for n in range(20):
        assert not calling.poll(START + n * S)
        calling.select()


def test_three_faults_in_a_minute_are_told_and_then_not_for_ten_minutes() -> None:
    """Both sides of each limit."""
    tally = FaultTally("plant")
    assert tally.fault("a", START) is None
    assert tally.fault("b", START + 30 * S) is None
    assert tally.fault("c", START + 60 * S) is None, "the first was a minute ago"
    assert tally.fault("d", START + 60 * S) == SourceFault("plant", "d", 3, START + 60 * S)
    assert not any(tally.fault("e", START + t * S) for t in range(61, 660))
    news = tally.fault("f", START + 660 * S)
    assert news is not None
    assert news.cause == "f"
