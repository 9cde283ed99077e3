"""Identical telegrams close together are one press: the second gets the first one's answer and no event.

Only what was *stored* counts as the first; one that is still being stored is waited for. What ends something
forgets the presses that began something, and the other way round, so that call, reset, call within the window
are three events. It refuses to know a protocol: a telegram is any hashable value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from enum import Enum
from typing import Final

from alarmhub.core.events import Signal, SignalEvent

MOST: Final = 256
"""Presses remembered at once; more than a plant can send within the window."""


class Answer(Enum):
    """What became of a telegram."""

    STORED = "stored"
    BUSY = "busy"
    INVALID = "invalid"


def begins(signal: Signal) -> bool:
    """Whether a signal begins something (a call, a presence) or ends it."""
    if signal.event is SignalEvent.PRESENCE:
        return bool(signal.present)
    return signal.event in (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE)


class _Press:
    __slots__ = ("answer", "at", "begins")

    def __init__(self, at: int, answer: asyncio.Future[Answer]) -> None:
        self.at = at
        self.answer = answer
        self.begins = True


class Presses:
    """The presses of one link within the last `window_ms`."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._lately: dict[Hashable, _Press] = {}

    def __len__(self) -> int:
        return len(self._lately)

    async def answer(
        self, telegram: Hashable, now: int, store: Callable[[], Awaitable[tuple[Answer, bool]]]
    ) -> Answer:
        """The answer to this telegram. `store` is called unless it repeats a press; it returns what became of
        it and whether it begins something. Its exceptions pass through, and whoever waits gets busy."""
        self._forget(now)
        press = self._lately.get(telegram)
        if press is not None:
            return await asyncio.shield(press.answer)
        press = _Press(now, asyncio.get_running_loop().create_future())
        self._lately[telegram] = press
        answer = Answer.BUSY
        try:
            answer, press.begins = await store()
        finally:
            press.answer.set_result(answer)
            if answer is not Answer.STORED:
                del self._lately[telegram]
        self._drop(lambda other: other.begins != press.begins)
        return answer

    def _forget(self, now: int) -> None:
        self._drop(lambda press: now - press.at >= self._window_ms)
        if len(self._lately) >= MOST:
            self._drop(lambda press: True)

    def _drop(self, unwanted: Callable[[_Press], bool]) -> None:
        """Forget answered presses; one that is being stored is kept, somebody may have to wait for it."""
        for telegram in [t for t, press in self._lately.items() if press.answer.done() and unwanted(press)]:
            del self._lately[telegram]
