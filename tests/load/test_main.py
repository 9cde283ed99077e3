"""`python -m load` as people type it."""

import subprocess
import sys
from pathlib import Path


def test_help_names_every_command() -> None:
    """Without a database, in a second."""
    done = subprocess.run(
        [sys.executable, "-m", "load", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    for command in ("run", "knee", "burst", "escalation", "idle", "restart", "hospital"):
        assert command in done.stdout
