"""How fast one address may knock."""

from __future__ import annotations

from alarmhub.gateway.pace import Pace


def test_a_burst_is_let_in_and_then_the_pace_holds() -> None:
    """Three at once, then one per 100 ms, not a millisecond early."""
    pace = Pace(per_s=10, burst=3)
    assert [pace.allows("a", 0) for _ in range(4)] == [True, True, True, False]
    assert not pace.allows("a", 99)
    assert pace.allows("a", 100)
    assert not pace.allows("a", 100)


def test_addresses_do_not_pay_for_each_other() -> None:
    """One that knocks too often shuts out only itself."""
    pace = Pace(per_s=10, burst=1)
    assert pace.allows("a", 0) and not pace.allows("a", 0)
    assert pace.allows("b", 0)


def test_who_has_been_forgiven_is_forgotten() -> None:
    """And has the whole burst again; refusals do not prolong the wait."""
    pace = Pace(per_s=10, burst=2)
    assert [pace.allows("a", 0) for _ in range(9)].count(True) == 2
    pace.tick(199)
    assert [pace.allows("a", 199) for _ in range(2)] == [True, False]
    pace.tick(1_000)
    assert [pace.allows("a", 1_000) for _ in range(3)] == [True, True, False]
