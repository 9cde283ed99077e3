"""Latency runs: medians over pairs, nulls where samples are few, and what makes a rate invalid."""

from load.bench import FLOOR, HUB, Bench
from load.ledger import Entry, Ledger
from load.rates import Rate, detail, figures, find_knee, run_burst, run_rates
from load.rounds import Outcome

CPU = {"system_core": 0.1, "database_core": 0.1, "generator_core": 0.1, "seconds": 1.0}


def outcome(system: str, latencies_ms: list[float]) -> Outcome:
    """A round in which one alarm each took so long."""
    ledger = Ledger(marker="L-")
    for number, latency_ms in enumerate(latencies_ms):
        ledger.opened(Entry(number, 0, "patient_call", "", False, True, 1_000_000_000, 1_000_000_000))
        at_ns = 1_000_000_000 + int(latency_ms * 1e6)
        ledger.answered(number, 201, "a", at_ns)
        ledger.rang(number, 0, at_ns)
    return Outcome(system, 1.0, ledger, dict(CPU))


def test_a_rate_reports_medians_over_its_pairs() -> None:
    """Three pairs: the middle round speaks, and one bad one does not."""
    rate = Rate(100)
    for hub, floor in ((3, 2), (30, 2), (4, 2)):
        rate.rounds[HUB].append(outcome(HUB, [hub] * 1000))
        rate.rounds[FLOOR].append(outcome(FLOOR, [floor] * 1000))
    entry = rate.report()
    assert set(entry) == {
        "rate", "sent", "lost", "duplicated", "hub", "floor", "p50_ratio", "p99_ratio", "valid",
    }  # fmt: skip
    assert set(entry["hub"]) == {"p50_ms", "p99_ms", "p999_ms", "max_ms"}
    assert abs(entry["hub"]["p50_ms"] - 4) < 0.01
    assert abs(entry["p50_ratio"] - 2) < 0.01
    assert abs(entry["p99_ratio"] - 2) < 0.01
    assert entry["hub"]["p999_ms"] is None
    assert (entry["sent"], entry["lost"], entry["duplicated"], entry["valid"]) == (6000, 0, 0, True)


def test_few_samples_per_round_are_taken_together_or_told_as_null() -> None:
    """400 samples carry no p99, five times 400 do."""
    one = figures([outcome(HUB, [3.0] * 400)])
    five = figures([outcome(HUB, [3.0] * 400) for _ in range(5)])
    assert one["p99_ms"] is None
    assert five["p99_ms"] is not None


def test_a_rate_is_invalid_with_its_reason() -> None:
    """One invalid round of ten, or a side that never ran."""
    rate = Rate(20)
    rate.rounds[HUB].append(outcome(HUB, [3.0] * 20))
    assert rate.report()["valid"] is False
    bad = outcome(FLOOR, [3.0] * 20)
    bad.faults.append("the generator fell behind: 9.0 ms at p99")
    rate.rounds[FLOOR].append(bad)
    assert rate.report()["valid"] is False
    assert rate.faults() == ["20/s, floor, pair 1: the generator fell behind: 9.0 ms at p99"]


def test_details_keep_the_raw_histogram() -> None:
    """For whoever wants to compute again."""
    raw = detail(outcome(HUB, [3.0] * 20))["hdr"]
    assert isinstance(raw, str)
    assert raw


def test_rounds_run_in_an_order_drawn_from_the_seed(bench: Bench) -> None:
    """Two rates on the floor: every rate is played, each said with its verdict."""
    said: list[str] = []
    results = run_rates(
        bench, rates=[30, 60], pairs=1, seconds=1, warmup_s=0.2, systems=[FLOOR], say=said.append
    )
    assert [one.rate for one in results] == [30, 60]
    assert all(len(one.rounds[FLOOR]) == 1 for one in results)
    assert len(said) == 2


def test_the_knee_is_the_last_rate_that_held(bench: Bench) -> None:
    """With too few samples for a p99 nothing holds, and that is said, not guessed."""
    said: list[str] = []
    knee = find_knee(bench, system=FLOOR, seconds=0.5, warmup_s=0.1, say=said.append, ladder=[40])
    assert knee.rate is None
    assert knee.beyond is None
    assert "does not hold" in said[0]


def test_a_burst_counts_all_its_starts(bench: Bench) -> None:
    """100 starts in half a second, some of them high."""
    section, _ = run_burst(bench, system=FLOOR, say=lambda text: None, starts=100, seconds=0.5)
    assert (section["starts"], section["lost"], section["duplicated"]) == (100, 0, 0)
    assert section["high"]["count"] > 0
