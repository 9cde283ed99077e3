"""Virtual time for the event loop: when nothing is ready, time jumps to the next timer.

`in_virtual_time` runs an async test so; minutes pass in milliseconds, and nothing depends on how fast the
machine is. It serves code that waits for timers and futures only, no sockets.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from tests.support.ward import T0

LONGEST_S = 100_000.0
"""Virtual seconds after which a test is taken to wait for something that never comes."""

T = TypeVar("T")
P = ParamSpec("P")


class _Impatient(selectors.DefaultSelector):
    """Never blocks: instead of waiting it moves the loop's time."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits and no timer runs: this would hang")
            self.loop.passed_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass at once. `passed_s`: how many have passed since it was made."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        selector = _Impatient()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.passed_s


class VirtualClock:
    """The hub's clock in virtual time (`alarmhub.clock.Clock`). `jump` sets it off from the loop's time."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now(self) -> int:
        passed_ms = int(asyncio.get_running_loop().time() * 1000 + 1e-4)
        return T0 + passed_ms + self.ahead_ms

    def jump(self, seconds: float) -> None:
        """Forwards, or backwards as a careless administrator would."""
        self.ahead_ms += round(seconds * 1000)


def run_virtually(coro: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on a loop of its own."""

    async def bounded() -> T:
        async with asyncio.timeout(LONGEST_S):
            return await coro

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(bounded())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Decorates an async test."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_virtually(test(*args, **kwargs))

    return run


async def passes(seconds: float) -> None:
    """Let so much virtual time pass."""
    await asyncio.sleep(seconds)


async def until(
    condition: Callable[[], T | Awaitable[T]], what: str = "the condition", *, within_s: float = 60.0
) -> T:
    """Let virtual time pass until `condition()` is true, and return what it gave."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within_s
    while True:
        seen = condition()
        if isinstance(seen, Awaitable):
            seen = await seen
        if seen:
            return seen
        if loop.time() >= give_up_at:
            raise AssertionError(f"{what} did not come true within {within_s:g} s (last: {seen!r})")
        await asyncio.sleep(0.001)
