"""The best of a person's devices counts."""

from __future__ import annotations

import itertools

from alarmhub.core.reach import Reach, best


def test_the_best_device_counts() -> None:
    """live, recent, pushable, one-way, none; no device is none."""
    order = [Reach.LIVE, Reach.RECENT, Reach.PUSHABLE, Reach.ONE_WAY, Reach.NONE]
    for better, worse in itertools.combinations(order, 2):
        assert best([worse, better]) is best([better, worse]) is better
    assert best([]) is Reach.NONE
