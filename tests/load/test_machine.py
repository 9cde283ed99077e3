"""What the machine is and what processes used: measured, or None."""

import os
import time
from pathlib import Path

from load import machine
from load.bench import Bench


def test_cpu_use_of_a_busy_loop_is_seen() -> None:
    """Half a second of work of our own is about one core of ours and none of the database's."""
    before = machine.usage(os.getpid(), 1 << 30)
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    used = machine.usage(os.getpid(), 1 << 30).since(before)
    assert used["generator_core"] is not None
    assert used["generator_core"] > 0.2
    assert used["database_core"] == 0


def test_memory_of_a_process_is_read_and_of_none_is_none() -> None:
    """RSS and PSS in KiB."""
    own = machine.memory_kb(os.getpid())
    assert own["rss_kb"] is not None
    assert own["rss_kb"] > 5000
    assert machine.memory_kb(1 << 30) == {"rss_kb": None, "pss_kb": None}


def test_floors_are_plausible(tmp_path: Path) -> None:
    """A flush, a loopback round trip and a sleep of a millisecond take some time, and not a second."""
    for floor in (machine.fsync_floor(tmp_path, 30), machine.echo_floor(30), machine.sleep_floor(30)):
        assert floor.count == 30
        median = floor.quantile_ms(0.5)
        assert median is not None
        assert 0 < median < 1000


def test_the_environment_is_described(bench: Bench) -> None:
    """Everything a reader needs to doubt the figures."""
    about = machine.describe(7, bench.database, "asyncio")
    assert about["seed"] == 7
    assert about["postgresql"]["fsync"] == "on"
    assert about["libraries"]["aiohttp"]
    assert about["database_profile"] == "bench"
