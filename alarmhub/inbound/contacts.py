"""What contacts have to say, told to the hub in order and until it is stored.

Nobody repeats a contact: a press that was seen and not stored would be lost, so it waits here. What waits is
bounded: a point that comes and goes while nothing can be stored says so in at most three signals for each of
its words. It refuses to read contacts and to judge them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.presses import Answer
from alarmhub.tasks import end, spawn
from protocols.contacts import Point, Say, collapse

TELL_AT_ONCE: Final = 64
TELL_AGAIN_S: Final = 0.5
NEXT_WHEN_FULL_S: Final = 0.05
DRAIN_WITHIN_S: Final = 3.0
WAITING_PER_POINT: Final = 8
"""So many signals for each point on average, then what waits is shortened."""


class Telling:
    """What one module's points have to say. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, module: str, points: Sequence[Point], feed: Feed) -> None:
        self._module, self._feed = module, feed
        self._points = {point.name: point for point in points}
        self._waiting: list[Say] = []
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._task = spawn(self._live(), f"contacts {self._module}", self._feed.crew, ends=True)

    async def close(self) -> None:
        """Tell what waits, while the hub takes it, at most `DRAIN_WITHIN_S`."""
        try:
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await self._nothing.wait()
        except TimeoutError:
            self._feed.refused("not_stored", f"{len(self._waiting)} changes of contacts", fault=False)
        await end(self._task)

    def tell(self, said: Sequence[Say]) -> None:
        """Tell these, after what waits already. Never waits."""
        if not said:
            return
        self._waiting.extend(said)
        if len(self._waiting) > WAITING_PER_POINT * len(self._points) + TELL_AT_ONCE:
            self._waiting = collapse(self._waiting)
        self._nothing.clear()
        self._something.set()

    @property
    def waiting(self) -> int:
        """How many signals wait to be stored."""
        return len(self._waiting)

    async def _live(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                await self._tell_some()
            self._nothing.set()

    async def _tell_some(self) -> None:
        """Store what stands first; what could not be stored yet comes again after everything else, so that a
        full queue that takes only what is urgent gets what is urgent."""
        some = _first_of_each(self._waiting)
        del self._waiting[: len(some)]
        signals = [self._signal(say) for say in some]
        stored = await self._feed.store(*signals)
        if stored.answer is not Answer.BUSY:
            self._feed.answered(stored.answer.value)
            return
        left = [say for say, got in zip(some, stored.outcomes, strict=True) if got is None]
        held = {(say.point, say.word) for say in left}
        free = [say for say in self._waiting if (say.point, say.word) not in held]
        after = [say for say in self._waiting if (say.point, say.word) in held]
        self._waiting = [*free, *left, *after]
        full = stored.why == "full" and free
        await asyncio.sleep(NEXT_WHEN_FULL_S if full else TELL_AGAIN_S)

    def _signal(self, say: Say) -> Signal:
        """In the words the site's rules see; one signal whatever a separator of lists would make of it."""
        address = f"{self._module}/{say.point}"
        label, cause = self._points[say.point].label, say.cause
        text = say.word + (f": {label}" if label else "") + (f" ({cause})" if cause else "")
        signal = self._feed.map(
            Words(
                address,
                text,
                event=SignalEvent(say.event),
                key=f"{address}:{say.word}",
                occurred_at=say.at,
            )
        )[0]
        if say.word == "fault" and signal.kind is None and signal.type is None:
            return replace(signal, kind=Kind.TECHNICAL)
        return signal


def _first_of_each(waiting: Sequence[Say]) -> list[Say]:
    """From the front, as long as no word of a point comes twice: signals of one store have no order."""
    seen: set[tuple[str, str]] = set()
    for index, say in enumerate(waiting[:TELL_AT_ONCE]):
        if (say.point, say.word) in seen:
            return list(waiting[:index])
        seen.add((say.point, say.word))
    return list(waiting[:TELL_AT_ONCE])
