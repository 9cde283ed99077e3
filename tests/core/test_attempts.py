"""How many failed sign-ins are too many, on both sides of each bound."""

from __future__ import annotations

import pytest

from alarmhub.core.attempts import (
    ADDRESS,
    ANYWHERE,
    EMPTY,
    HERE,
    Bound,
    Bucket,
    charged,
    owed_ms,
    refunded,
    sign_in_wait_ms,
    wait_ms,
)

NOW = 1_790_000_000_000


def full(bound: Bound, now: int = NOW) -> Bucket:
    """As many failures as it holds, at once."""
    bucket = EMPTY
    for _ in range(bound.most):
        assert wait_ms(bucket, bound, now) == 0
        bucket = charged(bucket, bound, now)
    return bucket


@pytest.mark.parametrize("bound", [HERE, ANYWHERE, ADDRESS])
def test_after_the_last_allowed_failure_one_waits_until_one_is_forgotten(bound: Bound) -> None:
    """To the millisecond."""
    bucket = full(bound)

    assert wait_ms(bucket, bound, NOW) == bound.forget_ms
    assert wait_ms(bucket, bound, NOW + bound.forget_ms - 1) == 1
    assert wait_ms(bucket, bound, NOW + bound.forget_ms) == 0


@pytest.mark.parametrize("bound", [HERE, ANYWHERE, ADDRESS])
def test_a_flood_makes_the_way_back_no_longer(bound: Bound) -> None:
    """Ten thousand more change nothing, and in the end everything is forgotten."""
    bucket = full(bound)
    for _ in range(10_000):
        bucket = charged(bucket, bound, NOW)

    assert wait_ms(bucket, bound, NOW) == bound.forget_ms
    assert owed_ms(bucket, NOW + bound.most * bound.forget_ms - 1) == 1
    assert owed_ms(bucket, NOW + bound.most * bound.forget_ms) == 0


def test_a_clock_set_back_forgets_nothing_and_locks_nobody_out() -> None:
    """What is owed stays what it was."""
    assert owed_ms(Bucket(3, NOW), NOW - 10_000_000) == 3


def test_what_was_no_failure_is_taken_back() -> None:
    """One, and never more than there is."""
    one = charged(charged(EMPTY, HERE, NOW), HERE, NOW)

    assert refunded(one, HERE, NOW) == charged(EMPTY, HERE, NOW)
    assert refunded(EMPTY, HERE, NOW) == Bucket(0, NOW)


def test_one_who_guesses_does_not_keep_colleagues_out() -> None:
    """The ward's address is full: who has not failed there lately is let through all the same."""
    mine = charged(EMPTY, HERE, NOW)

    assert sign_in_wait_ms(EMPTY, EMPTY, full(ADDRESS), NOW) == 0
    assert sign_in_wait_ms(mine, EMPTY, full(ADDRESS), NOW) == ADDRESS.forget_ms
    assert sign_in_wait_ms(mine, EMPTY, EMPTY, NOW) == 0


def test_a_login_guessed_at_from_everywhere_waits() -> None:
    """From a new address too."""
    assert sign_in_wait_ms(EMPTY, full(ANYWHERE), EMPTY, NOW) == ANYWHERE.forget_ms
    assert sign_in_wait_ms(full(HERE), EMPTY, EMPTY, NOW) == HERE.forget_ms
