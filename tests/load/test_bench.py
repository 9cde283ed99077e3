"""The bench: one measured program at a time, started and stopped."""

import os

from load.bench import FLOOR, Bench


def _alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def test_what_the_bench_starts_it_stops(bench: Bench) -> None:
    """Inside the floor runs and can be reached; outside it is gone."""
    with bench.running(FLOOR) as target:
        assert _alive(target.pid)
        assert len(target.phone_secrets) == 20
        assert len(target.places) == 10
        pid = target.pid
    assert not _alive(pid)
