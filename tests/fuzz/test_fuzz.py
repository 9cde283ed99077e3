"""Every codec stands 10,000 hostile inputs; a million each by `python -m tests.fuzz --count 1000000`."""

from __future__ import annotations

import random

import pytest

from tests.support import fuzzing
from tests.support.fuzzing import Failed, mutated, run, targets

COUNT = 10_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", targets())
def test_nothing_a_peer_sends_breaks_it(name: str) -> None:
    """No exception, no hang, no growth."""
    print(run(name, COUNT))


def test_the_same_seed_gives_the_same_inputs() -> None:
    """So that a failure can be had again; another seed gives others."""
    made = [[mutated(random.Random(seed), [b"abc", b"<x/>"]) for _ in range(50)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_a_broken_promise_names_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """As bytes that can be given to the target again."""

    def target(data: bytes) -> None:
        if b"\xff" in data:
            raise ValueError("0xff")

    monkeypatch.setattr(fuzzing, "load", lambda name: (target, [b"abc"]))
    with pytest.raises(Failed, match=r"ValueError: 0xff for b['\"]"):
        run("any", 2_000)
