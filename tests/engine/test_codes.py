"""Codes of text messages: one for each alarm and person, not used twice too soon, not to be guessed."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from alarmhub.engine.codes import MOST_KEPT, REST_MS, Code, drawn, of_alarm

NOW = 1_000_000_000


def nothing_open(alarm: str) -> bool:
    """Every alarm has ended."""
    return False


def test_an_alarm_keeps_its_code() -> None:
    """The second message names it as the first did, later."""
    first, known = drawn((), "a", "anna", NOW, nothing_open)
    again, known = drawn(known, "a", "anna", NOW + 60_000, nothing_open)
    assert (again.code, again.texted_at, len(known)) == (first.code, NOW + 60_000, 1)
    assert of_alarm(known, "a", "anna") == again and of_alarm(known, "a", "bo") is None


def test_a_code_rests_for_a_day_and_for_as_long_as_its_alarm_is_open() -> None:
    """On both sides of the day's end."""
    first, known = drawn((), "a", "anna", NOW, nothing_open)
    _, just_before = drawn(known, "b", "anna", NOW + REST_MS - 1, nothing_open)
    assert first in just_before
    _, after = drawn(known, "b", "anna", NOW + REST_MS, nothing_open)
    assert first not in after
    _, still_open = drawn(known, "b", "anna", NOW + 7 * REST_MS, lambda alarm: alarm == "a")
    assert first in still_open


@given(st.lists(st.integers(0, 60), max_size=120))
def test_no_two_alarms_of_a_number_share_a_code(alarms: list[int]) -> None:
    """Whatever is texted in whatever order; four digits that do not begin with a zero."""
    known: tuple[Code, ...] = ()
    for at, alarm in enumerate(alarms):
        mine, known = drawn(known, str(alarm), "anna", NOW + at, nothing_open)
        assert len(mine.code) == 4 and 1000 <= int(mine.code) <= 9999
    assert len({c.code for c in known}) == len(known) == len(set(alarms))


def test_what_is_kept_is_bounded_and_open_alarms_go_last() -> None:
    """A flood of messages to one number costs old codes, and not those of what is open."""
    known = tuple(Code(str(1000 + n), f"a{n}", "anna", NOW + n) for n in range(MOST_KEPT))
    _, after = drawn(known, "new", "anna", NOW + MOST_KEPT, lambda alarm: alarm == "a0")
    assert len(after) == MOST_KEPT
    assert known[0] in after and known[1] not in after


def test_codes_say_nothing_of_the_alarm() -> None:
    """The same alarm and person get another each time: it is drawn, not derived."""
    found = Counter(drawn((), "a", "anna", NOW, nothing_open)[0].code for _ in range(60))
    assert len(found) > 30
