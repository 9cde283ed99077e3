"""What `load intake` says of its rows: what is not as asked, in words."""

from __future__ import annotations

from typing import Any

from load.intake import faults, line


def row(way: str, **more: Any) -> dict[str, Any]:
    """A way that is as asked."""
    usual = {
        "way": way, "links": 16, "per_s": 900.0, "needs_per_s": 500, "pace_per_s": 100.0, "p50_ms": 2.0,
        "p99_ms": 6.0, "answered": 10, "stored": 10, "refused": 0, "first_refusal": "",
    }  # fmt: skip
    return usual | more


def test_as_asked_is_no_fault() -> None:
    """On the good side of both limits."""
    assert faults([row("http"), row("hl7", per_s=500.0, p99_ms=18.0)]) == []
    assert line(row("hl7")) == (
        "         hl7: 900 starts/s over 16 links; at 100/s answered p50 2.0 p99 6.0 ms; "
        "10 alarms of 10 answered"
    )


def test_each_shortcoming_is_named() -> None:
    """Too few, too slow, refused, answered and not there, or not measured."""
    found = faults(
        [
            row("http"),
            row("a", per_s=499.9),
            row("b", p99_ms=18.1),
            row("c", refused=2, first_refusal="CE"),
            row("d", stored=9),
            row("e", p99_ms=None),
        ]
    )
    assert found == [
        "a: 500 starts/s, asked 500",
        "b: p99 18.1 ms, more than 3 times HTTP's",
        "c: 2 calls were not taken, the first: CE",
        "d: 10 starts were answered, 9 alarms are there",
        "e: too few samples for a p99; give --seconds 10 or more",
    ]
