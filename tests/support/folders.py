"""Folders that the embedded server's user may enter: pytest's own are closed to everybody else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def below_tmp(name: str) -> Iterator[Path]:
    """A new folder below /tmp, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"alarmhub-{name}-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
