"""The bench: one measured program at a time, started and stopped."""

import os
from dataclasses import replace

import pytest

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


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
@pytest.mark.parametrize(("pin", "first"), [("split", 0), ("swapped", 1)])
def test_what_is_measured_has_a_core_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pin: str, first: int
) -> None:
    """Database and generator share the other; afterwards each may run anywhere again."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    before = os.sched_getaffinity(0)
    monkeypatch.setattr(bench, "setup", replace(bench.setup, pin=pin))
    with bench.running(FLOOR) as target:
        assert os.sched_getaffinity(target.pid) == {cores[first]}
        assert os.sched_getaffinity(0) == {cores[1 - first]}
        assert os.sched_getaffinity(target.postmaster_pid) == {cores[1 - first]}
    assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(bench.database.postmaster_pid) == before
