"""Latencies as HDR histograms: 1 us to 5 min at three digits, merged over runs, never averaged.

A quantile q is only given when at least 10 / (1 - q) samples stand behind it; otherwise it is None.
Nothing here measures; values come in as nanoseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hdrh.histogram import HdrHistogram

LOWEST_US = 1
HIGHEST_US = 300_000_000
DIGITS = 3
QUANTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999, "p9999_ms": 0.9999}


def samples_needed(quantile: float) -> int:
    """How many samples a quantile asks for before it may be told: 10 / (1 - q)."""
    return math.ceil(round(10 / (1 - quantile), 6))


class Latencies:
    """One HDR histogram in microseconds that speaks milliseconds."""

    def __init__(self) -> None:
        self._hdr: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)

    def record_ns(self, value_ns: int) -> None:
        """Adds one latency; outside 1 us … 5 min it counts as the nearest of the two."""
        self._hdr.record_value(min(max(value_ns // 1000, LOWEST_US), HIGHEST_US))

    @property
    def count(self) -> int:
        """Samples recorded."""
        return int(self._hdr.get_total_count())

    def add(self, other: Latencies) -> None:
        """Adds all samples of `other`."""
        self._hdr.add(other._hdr)

    @property
    def max_ms(self) -> float | None:
        """The largest sample in ms; None if there is none."""
        return self._hdr.get_max_value() / 1000 if self.count else None

    def quantile_ms(self, quantile: float) -> float | None:
        """The value below which the share `quantile` (0 … 1) lies, in ms; None without samples enough."""
        if self.count < samples_needed(quantile):
            return None
        return float(self._hdr.get_value_at_percentile(quantile * 100)) / 1000

    def curve_ms(self) -> list[tuple[float, float]]:
        """(percentile, ms) points for a picture, only as far out as the samples carry."""
        points = []
        for nines in (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999):
            value = self.quantile_ms(nines)
            if value is not None:
                points.append((nines * 100, value))
        return points

    def encoded(self) -> str:
        """The compressed raw histogram (HdrHistogram V2, base64), for the archive."""
        raw = self._hdr.encode()
        return raw.decode() if isinstance(raw, bytes) else str(raw)

    def summary(self) -> dict[str, float | int | None]:
        """Count, all quantiles of QUANTILES and the maximum, in ms rounded to the microsecond."""
        out: dict[str, float | int | None] = {"count": self.count}
        for name, quantile in QUANTILES.items():
            out[name] = _rounded(self.quantile_ms(quantile))
        out["max_ms"] = _rounded(self.max_ms)
        return out


def merged(parts: Iterable[Latencies]) -> Latencies:
    """One histogram with the samples of all."""
    whole = Latencies()
    for part in parts:
        whole.add(part)
    return whole


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
