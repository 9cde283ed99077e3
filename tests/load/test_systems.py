"""Measured programs as processes: ready or a clear word why not, and never left behind."""

import os
import sys

import pytest

from load.systems import Process, SystemFault, free_ports


def test_a_program_that_ends_early_is_told_with_its_output() -> None:
    """Not a silent time-out."""
    with (
        Process([sys.executable, "-c", "print('no database here'); raise SystemExit(3)"]) as process,
        pytest.raises(SystemFault, match="no database here"),
    ):
        process.wait_ready("http://127.0.0.1:1/readyz", within_s=10)


def test_a_program_that_never_gets_ready_is_stopped() -> None:
    """The wait is bounded, and the process is gone afterwards."""
    with Process([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        pid = process.pid
        with pytest.raises(SystemFault, match="not ready"):
            process.wait_ready("http://127.0.0.1:1/readyz", within_s=0.2)
    assert not os.path.exists(f"/proc/{pid}")


def test_free_ports_are_different() -> None:
    """Two at once are two."""
    first, second = free_ports(2)
    assert first != second
