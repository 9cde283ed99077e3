"""A stage for tests of the demo: a whole hub with the demo site on a database of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alarmhub.demo.ground import demo_site
from alarmhub.demo.stage import Stage, stage_settings
from alarmhub.demo.story import Expectation, Part, instant, play
from alarmhub.settings import Settings

TUESDAY_TEN = "2026-11-24 10:00"


@asynccontextmanager
async def stage(dsn: str, begins: str = TUESDAY_TEN) -> AsyncIterator[Stage]:
    """Everything at work at the given local time."""
    folder = Path(tempfile.mkdtemp(prefix="alarmhub-stage-", dir="/tmp"))
    site = demo_site()
    try:
        async with Stage(
            stage_settings(Settings(), str(folder), dsn), site, instant(begins, site.zone)
        ) as ready:
            yield ready
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


async def failures(ready: Stage, *parts: Part) -> list[Expectation]:
    """Play parts of the script; the expectations that did not hold."""
    return [one for part in parts for one in (await play(part, ready)).expectations if not one.held]
