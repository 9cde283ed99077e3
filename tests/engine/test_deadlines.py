"""The index of due times: what is due, once each, and nothing stale."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.engine.deadlines import Deadlines
from tests.support.stored import NOW, alarm


def waiting(id: str, due_s: int) -> Alarm:
    """An alarm whose next deadline is so many seconds from now."""
    return alarm(id, answer_at=NOW + due_s * 1000)


def test_the_earliest_is_next_and_what_is_due_is_handed_out_once() -> None:
    """In order of time; until it is noted again it is not handed out again."""
    deadlines = Deadlines()
    for a in (waiting("late", 9), waiting("soon", 3), waiting("now", 0)):
        deadlines.note(a)
    assert deadlines.next() == NOW
    assert deadlines.take_due(NOW + 3000) == [(NOW, "now"), (NOW + 3000, "soon")]
    assert deadlines.take_due(NOW + 3000) == []
    assert deadlines.next() == NOW + 9000
    deadlines.note(waiting("now", 0))
    assert deadlines.take_due(NOW + 3000) == [(NOW, "now")]


def test_not_a_millisecond_early() -> None:
    """One before its instant nothing is due."""
    deadlines = Deadlines()
    deadlines.note(waiting("a", 1))
    assert deadlines.take_due(NOW + 999) == []
    assert deadlines.take_due(NOW + 1000) == [(NOW + 1000, "a")]


def test_a_deadline_that_moved_counts_where_it_is_now() -> None:
    """Later or earlier: only the last word of each alarm."""
    deadlines = Deadlines()
    a = waiting("a", 5)
    deadlines.note(a)
    deadlines.note(replace(a, answer_at=NOW + 9000))
    assert deadlines.take_due(NOW + 5000) == []
    deadlines.note(replace(a, answer_at=NOW + 1000))
    assert deadlines.take_due(NOW + 5000) == [(NOW + 1000, "a")]
    assert deadlines.next() is None


def test_an_ended_alarm_waits_for_nothing() -> None:
    """Its deadline goes with it."""
    deadlines = Deadlines()
    a = waiting("a", 5)
    deadlines.note(a)
    deadlines.note(replace(a, phase=Phase.ENDED))
    assert deadlines.next() is None and len(deadlines) == 0


def test_the_index_does_not_grow_with_the_changes_of_an_alarm() -> None:
    """A hundred thousand changes of a few alarms leave a small index, due or not."""
    deadlines = Deadlines()
    for number in range(100_000):
        deadlines.note(waiting(f"a{number % 10}", 60 + number))
    assert deadlines.held < 2_000
    assert len(deadlines) == 10


_STEP = st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 50)), st.integers(0, 20))


@given(st.lists(_STEP, max_size=60))
def test_each_alarm_is_due_at_the_last_time_noted(steps: list[tuple[int, int | None, int]]) -> None:
    """Against the plainest model there is: a dictionary."""
    deadlines, model, now = Deadlines(), {}, 0
    for id, due, passed in steps:
        now += passed
        a = waiting(f"a{id}", due or 0)
        if due is None:
            a = replace(a, phase=Phase.ENDED)
            model.pop(a.id, None)
        else:
            model[a.id] = due
        deadlines.note(a)
        assert deadlines.next() == min((NOW + d * 1000 for d in model.values()), default=None)
        taken = deadlines.take_due(NOW + now * 1000)
        assert sorted(taken) == sorted((NOW + d * 1000, i) for i, d in model.items() if d <= now)
        for _, taken_id in taken:
            del model[taken_id]
        assert len(deadlines) == len(model)
