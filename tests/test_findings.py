"""What the doctor finds, in few words."""

from __future__ import annotations

import pytest

from alarmhub import findings


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7_200, "2 h ago"), (90_000, "1 d ago")],
)
def test_how_long_ago(seconds: int, words: str) -> None:
    """In the largest fitting unit."""
    assert findings.ago(seconds) == words


def test_many_names_are_counted_instead() -> None:
    """On both sides of the bound."""
    names = [str(n) for n in range(findings.NAMED_MOST + 1)]

    assert findings.listed(names[:-1]) == "0, 1, 2, 3, 4, 5"
    assert findings.listed(names) == "0, 1, 2, 3, 4, 5 and 1 more"


def test_a_finding_says_how_bad_it_is() -> None:
    """One of three."""
    made = [findings.ok("x", "y"), findings.warn("x", "y"), findings.fail("x", "y")]
    assert [finding.level for finding in made] == ["ok", "warn", "fail"]
