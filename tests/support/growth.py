"""What a process has gained since it was warm: blocks of memory, resident bytes, tasks."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Measured from its making. `blocks`: Python's own count, exact, one object is at least one; `resident`:
    bytes, with all that C code holds; `tasks`: of this event loop."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> tuple[int, int, int]:
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
        return sys.getallocatedblocks(), resident, len(asyncio.all_tasks())

    def assert_less_than(self, *, blocks: int, resident: int) -> None:
        """And no task more."""
        gained = tuple(now - before for now, before in zip(self._now(), self._before, strict=True))
        assert gained[0] < blocks and gained[1] < resident and gained[2] <= 0, (
            f"gained {gained[0]} blocks, {gained[1]} bytes, {gained[2]} tasks"
        )
