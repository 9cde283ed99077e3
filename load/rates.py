"""The latency runs: hub and floor in turn at fixed rates, the knee, and the burst.

Each function plays rounds on a Bench and returns plain values for the report, with the faults that make
them invalid. Nothing is averaged: quantiles are medians over the pairs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from load import plan
from load.answers import Prompt
from load.bench import FLOOR, HUB, Bench
from load.histograms import QUANTILES, Latencies, merged
from load.plan import Press
from load.rounds import Outcome, Round

SHOWN = ("p50_ms", "p99_ms", "p999_ms", "max_ms")
KNEE_P99_MS = 50.0
KNEE_TRIES = 2
KNEE_LADDER = (200, 300, 400, 500, 600, 700, 800, 1000, 1200, 1500, 1800, 2200, 2600, 3000)
BURST_STARTS = 2000
BURST_SECONDS = 5.0
BURST_HIGH_P99_MS = 1000.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Rate:
    """All rounds at one rate, by system, in the order of the pairs."""

    rate: float
    rounds: dict[str, list[Outcome]] = field(default_factory=lambda: {HUB: [], FLOOR: []})

    def report(self) -> dict[str, Any]:
        """The entry of report.json for this rate."""
        outcomes = [one for side in self.rounds.values() for one in side]
        hub, floor = figures(self.rounds[HUB]), figures(self.rounds[FLOOR])
        return {
            "rate": self.rate,
            "sent": sum(one.ledger.counts["sent"] for one in outcomes),
            "lost": sum(one.ledger.lost for one in outcomes),
            "duplicated": sum(one.ledger.duplicated for one in outcomes),
            "hub": hub,
            "floor": floor,
            "p50_ratio": _ratio(hub["p50_ms"], floor["p50_ms"]),
            "p99_ratio": _ratio(hub["p99_ms"], floor["p99_ms"]),
            "valid": all(self.rounds.values()) and all(one.valid for one in outcomes),
        }

    def faults(self) -> list[str]:
        """What made which round invalid, and which side is missing."""
        missing = [f"{self.rate:g}/s: {name} did not run" for name, side in self.rounds.items() if not side]
        return missing + [
            f"{self.rate:g}/s, {name}, pair {number + 1}: {fault}"
            for name, outcomes in self.rounds.items()
            for number, one in enumerate(outcomes)
            for fault in one.faults
        ]


def figures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Medians over the rounds of each shown quantile.

    Where single rounds have too few samples for a quantile but all together have enough, it is taken from
    the merged histogram; where even that has too few, it is None.
    """
    latencies = [one.ledger.first_phone for one in outcomes]
    whole = merged(latencies)
    out: dict[str, float | None] = {}
    for name in SHOWN[:-1]:
        values = [one.quantile_ms(QUANTILES[name]) for one in latencies]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            out[name] = round(median(known), 3)
        else:
            value = whole.quantile_ms(QUANTILES[name])
            out[name] = None if value is None else round(value, 3)
    tops = [top for one in latencies if (top := one.max_ms) is not None]
    out["max_ms"] = round(median(tops), 3) if tops else None
    return out


def _ratio(hub: float | None, floor: float | None) -> float | None:
    return round(hub / floor, 3) if hub is not None and floor else None


def detail(outcome: Outcome) -> dict[str, Any]:
    """Everything about one round, for runs.json."""
    ledger = outcome.ledger
    return {
        "system": outcome.system,
        "seconds": outcome.seconds,
        "valid": outcome.valid,
        "faults": outcome.faults,
        "first_phone": ledger.first_phone.summary(),
        "every_phone": ledger.every_phone.summary(),
        "high_first_phone": ledger.high_first_phone.summary(),
        "http_answer": ledger.answer.summary(),
        "self_lag": ledger.self_lag.summary(),
        "lost": ledger.lost,
        "refused": ledger.refused,
        "duplicated": ledger.duplicated,
        "ended_at_the_end": outcome.ended,
        "ends_not_confirmed": outcome.not_ended,
        "counts": dict(ledger.counts),
        "cpu": outcome.cpu,
        "system_cpu_us_per_alarm": outcome.system_us_per_alarm,
        "hdr": ledger.first_phone.encoded(),
    }


def play_once(
    bench: Bench,
    system: str,
    presses: list[Press],
    *,
    warmup_s: float,
    seconds: float,
    seed: int,
    require_all: bool = True,
    end_after_s: float = 0,
) -> Outcome:
    """Starts `system`, connects all phones, plays one round with prompt answers, stops it."""
    with bench.running(system) as target:
        one = Round(target, Prompt(seed))
        try:
            one.connect()
            return one.play(
                presses, warmup_s=warmup_s, seconds=seconds, require_all=require_all, end_after_s=end_after_s
            )
        finally:
            one.close()


def run_rates(
    bench: Bench,
    *,
    rates: Sequence[float],
    pairs: int,
    seconds: float,
    warmup_s: float,
    systems: Sequence[str],
    say: Say,
    end_after_s: float = 0,
) -> list[Rate]:
    """Plays every rate `pairs` times on each system, order drawn from the seed; both get the same plan."""
    rng = random.Random(f"order {bench.setup.seed}")
    results = {rate: Rate(rate) for rate in rates}
    for pair in range(pairs):
        for rate in rng.sample(list(rates), len(rates)):
            seed = bench.setup.seed * 1000 + pair
            presses = plan.poisson(rate=rate, seconds=warmup_s + seconds, beds=bench.layout.beds, seed=seed)
            for system in rng.sample(list(systems), len(systems)):
                outcome = play_once(
                    bench,
                    system,
                    presses,
                    warmup_s=warmup_s,
                    seconds=seconds,
                    seed=seed,
                    end_after_s=end_after_s,
                )
                results[rate].rounds[system].append(outcome)
                say(f"pair {pair + 1}/{pairs} {rate:g}/s {line(outcome)}")
    return [results[rate] for rate in rates]


def line(outcome: Outcome) -> str:
    """One round in one line."""
    shown = figures([outcome])
    parts = [f"{name[:-3]} {value:.2f}" for name in SHOWN if (value := shown[name]) is not None]
    core = outcome.cpu
    busy = f"cores {core['system_core']:.2f}+{core['database_core']:.2f} (own {core['generator_core']:.2f})"
    verdict = "ok" if outcome.valid else "INVALID: " + "; ".join(outcome.faults)
    return f"{outcome.system}: {' '.join(parts)} ms, {busy}, {verdict}"


@dataclass(slots=True)
class Knee:
    """The highest rate that held, the rounds that showed it, and one at twice that."""

    rate: float | None
    rounds: list[tuple[float, Outcome]]
    beyond: Outcome | None


def find_knee(
    bench: Bench,
    *,
    system: str,
    seconds: float,
    warmup_s: float,
    say: Say,
    ladder: Sequence[float] = KNEE_LADDER,
) -> Knee:
    """Climbs `ladder` until p99 passes 50 ms or something fails, halves the last step once, then doubles.

    A rate does not hold only if it fails twice: one stall of the machine is no knee.
    """
    rounds: list[tuple[float, Outcome]] = []

    def holds(rate: float) -> bool:
        for _ in range(KNEE_TRIES):
            outcome = _at_rate(bench, system, rate, seconds, warmup_s)
            rounds.append((rate, outcome))
            p99 = outcome.ledger.first_phone.quantile_ms(0.99)
            good = outcome.valid and p99 is not None and p99 <= KNEE_P99_MS
            say(f"knee {rate:g}/s {'holds' if good else 'does not hold'}: {line(outcome)}")
            if good:
                return True
        return False

    best: float | None = None
    for rate in ladder:
        if not holds(rate):
            if best is not None and holds(middle := (best + rate) / 2):
                best = middle
            break
        best = rate
    beyond = None
    if best is not None:
        beyond = _at_rate(bench, system, 2 * best, seconds, warmup_s)
        say(f"at twice the knee ({2 * best:g}/s): {line(beyond)}")
    return Knee(best, rounds, beyond)


def _at_rate(bench: Bench, system: str, rate: float, seconds: float, warmup_s: float) -> Outcome:
    seed = bench.setup.seed
    presses = plan.poisson(rate=rate, seconds=warmup_s + seconds, beds=bench.layout.beds, seed=seed)
    return play_once(bench, system, presses, warmup_s=warmup_s, seconds=seconds, seed=seed)


def run_burst(
    bench: Bench, *, system: str, say: Say, starts: int = BURST_STARTS, seconds: float = BURST_SECONDS
) -> tuple[dict[str, Any], Outcome]:
    """`starts` presses within `seconds` out of the blue; the section of the report and the round."""
    seed = bench.setup.seed
    presses = plan.burst(starts=starts, seconds=seconds, beds=bench.layout.beds, seed=seed)
    outcome = play_once(bench, system, presses, warmup_s=0, seconds=seconds, seed=seed)
    high: Latencies = outcome.ledger.high_first_phone
    # Some 200 of the 2,000 are high: too few for a p99 by the rule, so the worst of them must do.
    high_p99 = high.quantile_ms(0.99)
    section = {
        "starts": starts,
        "within_s": seconds,
        "lost": outcome.ledger.lost,
        "refused": outcome.ledger.refused,
        "duplicated": outcome.ledger.duplicated,
        **figures([outcome]),
        "high": {"count": high.count, "p99_ms": high_p99, "max_ms": high.max_ms},
        "valid": outcome.valid,
    }
    judged = high_p99 if high_p99 is not None else high.max_ms
    if judged is None or judged > BURST_HIGH_P99_MS:
        outcome.faults.append(f"high priority took {judged} ms")
        section["valid"] = False
    say(f"burst of {starts} in {seconds:g} s: {line(outcome)}, high max {high.max_ms} ms")
    return section, outcome
