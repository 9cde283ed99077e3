"""Seconds or an instant; nonsense is nothing."""

from __future__ import annotations

import pytest

from alarmhub.push.retry_after import LONGEST_S, retry_after_s

NOW = 1_790_000_000_000  # Mon, 21 Sep 2026 14:13:20 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 400, LONGEST_S),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 30),
        ("Mon, 21 Sep 2026 14:13:20 GMT", 0),
        ("Mon, 21 Sep 2020 14:13:20 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_S),
    ],
)
def test_both_forms(text: str, seconds: float) -> None:
    """As RFC 9110 has them."""
    assert retry_after_s(text, NOW, otherwise_s=5) == seconds


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "1.5", "٣", "1e9", "Mon, 99 Sep 2026 25:00:00 GMT", "\x00"]
)
def test_nonsense_is_nothing(text: str | None) -> None:
    """The caller's own time counts."""
    assert retry_after_s(text, NOW, otherwise_s=5) == 5
