"""One push, up to two attempts on two connections, one deadline; the first answer that settles it wins.

The second attempt starts when the first failed, or when nobody has answered it for a third of the time; the
first goes on beside it, because a slow answer is better than none. A push that arrives twice replaces itself:
both attempts carry the same collapse key. It refuses a third attempt: whoever calls has an outbox for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from alarmhub.push.transport import Outcome, Sent

PATIENCE: Final = 1 / 3
"""The part of the time after which silence starts the second attempt."""
AGAIN_AFTER_S: Final = 1.0
"""When to try again after a failure for which the provider named no time."""

Attempt = Callable[[int], Coroutine[Any, Any, Sent]]
"""The nth attempt, 0 or 1. It raises nothing that a provider or a network can cause."""


async def twice(attempt: Attempt, within_s: float) -> Sent:
    """What became of it, within `within_s`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    failed: Sent | None = None
    async with asyncio.TaskGroup() as group:
        running = {group.create_task(attempt(0))}
        wait_until = loop.time() + within_s * PATIENCE
        is_second = False
        try:
            while running:
                done, running = await asyncio.wait(
                    running, timeout=wait_until - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
                for sent in [task.result() for task in done]:
                    if _settles(sent):
                        return sent
                    failed = _telling(failed, sent)
                if loop.time() >= until:
                    break
                if not is_second:
                    is_second, wait_until = True, until
                    running.add(group.create_task(attempt(1)))
        finally:
            for task in running:
                task.cancel()
    return _given_up(failed, within_s, bool(running))


def _settles(sent: Sent) -> bool:
    """Whether another attempt could change nothing, or is not wanted before a time the provider named."""
    if sent.outcome is Outcome.LATER:
        return sent.retry_after_s > 0
    return sent.outcome is not Outcome.LOST


def _telling(one: Sent | None, other: Sent) -> Sent:
    """The failure that says more: what may have arrived is not forgotten for what surely has not."""
    return one if one is not None and one.outcome is Outcome.LOST else other


def _given_up(failed: Sent | None, within_s: float, is_silent: bool) -> Sent:
    if failed is None or (is_silent and failed.outcome is not Outcome.LOST):
        detail = f"no answer within {within_s:g} s"
        return Sent(
            Outcome.LOST, detail if failed is None else f"{detail}, after {failed.detail}", AGAIN_AFTER_S
        )
    return Sent(failed.outcome, failed.detail, AGAIN_AFTER_S)
