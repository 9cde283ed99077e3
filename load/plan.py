"""When each press happens: open-loop arrival plans, computed before the first byte is sent.

A plan is a pure function of its seed. Nothing here sends, waits or reads a clock: times are nanoseconds
from the start of the run. An open loop means that a slow hub changes no arrival time; a closed loop
would hide every stall it causes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Press:
    """One planned signal.

    at_ns: intended time from the start of the run. number: the alarm it belongs to (its ref and text).
    bed: index of the place. kind, priority, event: as in the HTTP contract (priority "" = the kind's own).
    type: the site's own type, sent in place of the kind if given.
    defect: "" or one of duplicate, malformed, late, lost_end (what the source does wrong here).
    skew_ms: error of the source's clock in `occurred_at`.
    """

    at_ns: int
    number: int
    bed: int
    kind: str = "patient_call"
    priority: str = ""
    event: str = "start"
    defect: str = ""
    skew_ms: int = 0
    type: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the mix: this kind with this priority, in `weight` of all cases."""

    kind: str
    priority: str
    weight: float


LATENCY_MIX = (
    Share("patient_call", "", 0.8),
    Share("toilet_call", "", 0.1),
    Share("clinical", "high", 0.1),
)
"""Kinds whose first step is the care team of the bed: two phones ring, as 1-2 do in a ward."""


def poisson(
    *, rate: float, seconds: float, beds: int, seed: int, mix: tuple[Share, ...] = LATENCY_MIX, first: int = 0
) -> list[Press]:
    """Presses of a Poisson process of `rate` per second over `seconds`, beds drawn evenly.

    Numbers run from `first`. The same arguments give the same plan.
    """
    rng = random.Random(f"poisson {seed} {rate} {seconds} {beds}")
    weights = [share.weight for share in mix]
    plan: list[Press] = []
    at = rng.expovariate(rate)
    while at < seconds:
        share = rng.choices(mix, weights)[0]
        plan.append(_press(rng, at, first + len(plan), beds, share))
        at += rng.expovariate(rate)
    return plan


def burst(
    *, starts: int, seconds: float, beds: int, seed: int, mix: tuple[Share, ...] = LATENCY_MIX, first: int = 0
) -> list[Press]:
    """Exactly `starts` presses at even odds anywhere in `seconds`: a plant that re-sends all it has."""
    rng = random.Random(f"burst {seed} {starts} {seconds} {beds}")
    weights = [share.weight for share in mix]
    times = sorted(rng.uniform(0, seconds) for _ in range(starts))
    return [
        _press(rng, at, first + number, beds, rng.choices(mix, weights)[0]) for number, at in enumerate(times)
    ]


def even(*, starts: int, seconds: float, beds: int, seed: int, type_: str = "") -> list[Press]:
    """`starts` patient calls at equal distances over `seconds`, so that their deadlines are spread too."""
    rng = random.Random(f"even {seed} {starts} {seconds} {beds}")
    gap_ns = seconds * SECOND_NS / starts
    return [Press(int(number * gap_ns), number, rng.randrange(beds), type=type_) for number in range(starts)]


def _press(rng: random.Random, at_s: float, number: int, beds: int, share: Share) -> Press:
    return Press(int(at_s * SECOND_NS), number, rng.randrange(beds), share.kind, share.priority)
