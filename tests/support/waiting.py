"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

WITHIN_S = 5.0
LOOK_EVERY_S = 0.005

T = TypeVar("T")


async def until(
    condition: Callable[[], T | Awaitable[T]], what: str = "the condition", *, within_s: float = WITHIN_S
) -> T:
    """Look again and again until `condition()` (plain or async) is true, and return what it gave. Fails the
    test with `what` in the message when it is not true in time."""
    give_up_at = time.monotonic() + within_s
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        if time.monotonic() >= give_up_at:
            raise AssertionError(f"{what} did not come true within {within_s:g} s (last: {seen!r})")
        await asyncio.sleep(LOOK_EVERY_S)


async def turns(count: int = 1) -> None:
    """Let the event loop run everything that is ready, `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)
