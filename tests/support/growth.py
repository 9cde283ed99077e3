"""What a process has gained since it was warm: blocks of memory, resident bytes, tasks."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import Any

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Measured from its making. `blocks`: Python's own count, exact, one object is at least one; `resident`:
    bytes, with all that C code holds; `tasks`: of this event loop, without those by which aiohttp serves the
    connections of the peer in the same process."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> tuple[int, int, int]:
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
        tasks = [task for task in asyncio.all_tasks() if not _serves(task)]
        return sys.getallocatedblocks(), resident, len(tasks)

    def assert_less_than(self, *, blocks: int, resident: int) -> None:
        """And no task more."""
        gained = tuple(now - before for now, before in zip(self._now(), self._before, strict=True))
        assert gained[0] < blocks and gained[1] < resident and gained[2] <= 0, (
            f"gained {gained[0]} blocks, {gained[1]} bytes, {gained[2]} tasks"
        )


def _serves(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.endswith("aiohttp/web_protocol.py")
