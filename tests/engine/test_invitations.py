"""Codes that are scanned: once, within two minutes, and no guessing."""

from __future__ import annotations

import pytest

from alarmhub.engine.invitations import (
    EACH_MOST,
    GUESSES,
    KEPT_MOST,
    LASTS_MS,
    CodeOver,
    Invitations,
    TooManyGuesses,
)
from tests.support.clock import ManualClock

HERE = "192.0.2.7"


def desk() -> tuple[Invitations, ManualClock]:
    """Codes over a clock that is moved by hand."""
    clock = ManualClock()
    return Invitations(clock.now), clock


def test_a_code_is_good_for_two_minutes_less_a_millisecond() -> None:
    """And at two minutes it is over."""
    codes, clock = desk()
    code, made = codes.issue("enrol", "anna", label="Min")
    other, _ = codes.issue("enrol", "bo")
    assert made.until == clock.now() + LASTS_MS
    clock.advance((LASTS_MS - 1) / 1000)
    assert codes.redeem("enrol", code, HERE) == made
    clock.advance(0.001)
    with pytest.raises(CodeOver):
        codes.redeem("enrol", other, HERE)


def test_a_code_is_used_once_and_for_what_it_was_made() -> None:
    """A hand-over enrols nothing; after its use the code is like any wrong one."""
    codes, _ = desk()
    code, _ = codes.issue("handover", "d-1")
    with pytest.raises(CodeOver):
        codes.redeem("enrol", code, HERE)
    assert codes.redeem("handover", code, HERE).by == "d-1"
    with pytest.raises(CodeOver):
        codes.redeem("handover", code, HERE)


def test_what_came_to_nothing_can_be_tried_again_until_its_time_is_over() -> None:
    """The database was away for a moment."""
    codes, clock = desk()
    code, made = codes.issue("enrol", "anna")
    codes.give_back(code, codes.redeem("enrol", code, HERE))
    assert codes.redeem("enrol", code, HERE) == made
    codes.give_back(code, made)
    clock.advance(LASTS_MS / 1000)
    with pytest.raises(CodeOver):
        codes.redeem("enrol", code, HERE)


def test_no_code_is_kept_as_it_was_given_and_none_is_short() -> None:
    """Digests only; 128 bits each, and never the same twice."""
    codes, _ = desk()
    given = {codes.issue("enrol", f"s{n}")[0] for n in range(500)}
    assert len(given) == 500 and min(map(len, given)) >= 22
    assert not any(code in repr(vars(codes)) for code in given)


def test_one_person_has_a_few_codes_and_the_newest_count() -> None:
    """The sixth ends the first; other people's stay."""
    codes, _ = desk()
    other, _ = codes.issue("enrol", "bo")
    mine = [codes.issue("enrol", "anna")[0] for _ in range(EACH_MOST + 1)]
    assert len(codes) == EACH_MOST + 1
    with pytest.raises(CodeOver):
        codes.redeem("enrol", mine[0], HERE)
    for code in (*mine[1:], other):
        codes.redeem("enrol", code, HERE)


def test_the_memory_of_codes_is_bounded_and_empties_by_itself() -> None:
    """However many people ask."""
    codes, clock = desk()
    for number in range(KEPT_MOST + 10):
        codes.issue("enrol", f"s{number}")
    assert len(codes) == KEPT_MOST
    clock.advance(LASTS_MS / 1000)
    assert len(codes) == 0


def test_who_guesses_from_one_address_is_made_to_wait_there_only() -> None:
    """The twentieth wrong one is still answered, the next is not looked at; elsewhere nobody notices."""
    codes, clock = desk()
    code, _ = codes.issue("enrol", "anna")
    for _ in range(GUESSES.most):
        with pytest.raises(CodeOver):
            codes.redeem("enrol", "wrong", HERE)
    with pytest.raises(TooManyGuesses) as waits:
        codes.redeem("enrol", code, HERE)
    clock.advance((waits.value.wait_ms - 1) / 1000)
    with pytest.raises(TooManyGuesses):
        codes.redeem("enrol", code, HERE)
    clock.advance(0.001)
    assert codes.redeem("enrol", code, HERE).by == "anna"
    other, _ = codes.issue("enrol", "bo")
    with pytest.raises(CodeOver):
        codes.redeem("enrol", "wrong", HERE)
    with pytest.raises(TooManyGuesses):
        codes.redeem("enrol", other, HERE)
    assert codes.redeem("enrol", other, "192.0.2.8").by == "bo"


@pytest.mark.parametrize("code", ["", "å", "\udc80", "x" * 64])
def test_nonsense_is_a_wrong_code(code: str) -> None:
    """Whatever it is made of."""
    codes, _ = desk()
    with pytest.raises(CodeOver):
        codes.redeem("enrol", code, HERE)
