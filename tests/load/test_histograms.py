"""Histograms: a quantile without samples enough is not told."""

import pytest

from load.histograms import Latencies, merged, samples_needed


def _with(count: int, value_ms: int = 5) -> Latencies:
    latencies = Latencies()
    for _ in range(count):
        latencies.record_ns(value_ms * 1_000_000)
    return latencies


@pytest.mark.parametrize(("quantile", "needed"), [(0.5, 20), (0.9, 100), (0.99, 1000), (0.999, 10_000)])
def test_a_quantile_needs_ten_samples_beyond_it(quantile: float, needed: int) -> None:
    """10 / (1 - q) samples: one fewer and it is None."""
    assert samples_needed(quantile) == needed
    assert _with(needed - 1).quantile_ms(quantile) is None
    assert _with(needed).quantile_ms(quantile) == pytest.approx(5, rel=0.001)


def test_merging_brings_the_samples_together() -> None:
    """Two halves that could not tell p99 can tell it together."""
    whole = merged([_with(600), _with(600, value_ms=9)])
    assert whole.count == 1200
    assert whole.quantile_ms(0.99) == pytest.approx(9, rel=0.001)
    assert whole.max_ms == pytest.approx(9, rel=0.001)


def test_extremes_are_kept_within_the_range() -> None:
    """A negative or an endless latency still counts as one sample."""
    latencies = Latencies()
    latencies.record_ns(-5)
    latencies.record_ns(10**15)
    assert latencies.count == 2
    assert latencies.max_ms == pytest.approx(300_000, rel=0.001)


def test_an_empty_histogram_tells_nothing() -> None:
    """All None, count 0, no curve."""
    summary = Latencies().summary()
    assert summary["count"] == 0
    assert summary["p50_ms"] is None and summary["max_ms"] is None
    assert Latencies().curve_ms() == []
