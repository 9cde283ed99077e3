"""Arrival plans: fixed by their seed, open loop, with the rate they promise."""

import itertools

import pytest

from load import plan


def test_the_same_seed_gives_the_same_plan() -> None:
    """Two generators with one seed press the same buttons at the same instants; another seed does not."""
    one = plan.poisson(rate=50, seconds=20, beds=100, seed=7)
    again = plan.poisson(rate=50, seconds=20, beds=100, seed=7)
    other = plan.poisson(rate=50, seconds=20, beds=100, seed=8)
    assert one == again
    assert one != other


@pytest.mark.parametrize("rate", [20, 200])
def test_a_poisson_plan_has_its_rate_and_spread(rate: int) -> None:
    """The count lies within five standard deviations, and gaps vary as exponential ones do."""
    presses = plan.poisson(rate=rate, seconds=100, beds=10, seed=1)
    expected = rate * 100
    assert abs(len(presses) - expected) < 5 * expected**0.5
    gaps = [b.at_ns - a.at_ns for a, b in itertools.pairwise(presses)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.9 < deviation / mean < 1.1


def test_times_rise_and_numbers_are_unique() -> None:
    """Every press has its own number, in the order of time."""
    presses = plan.poisson(rate=100, seconds=10, beds=10, seed=3, first=500)
    assert [one.number for one in presses] == list(range(500, 500 + len(presses)))
    assert all(a.at_ns <= b.at_ns for a, b in itertools.pairwise(presses))


def test_a_burst_has_exactly_its_starts_within_its_seconds() -> None:
    """2,000 starts in 5 s are 2,000 starts in 5 s."""
    presses = plan.burst(starts=2000, seconds=5, beds=100, seed=1)
    assert len(presses) == 2000
    assert 0 <= presses[0].at_ns <= presses[-1].at_ns < 5 * plan.SECOND_NS
    assert any(one.priority == "high" for one in presses)


def test_even_presses_are_evenly_spread() -> None:
    """10 starts over a second come every 100 ms, so that their deadlines do."""
    presses = plan.even(starts=10, seconds=1, beds=5, seed=1)
    assert [one.at_ns for one in presses] == [number * 100_000_000 for number in range(10)]
