"""The way every push takes, whichever provider: through the gate, then up to two attempts, one deadline."""

from __future__ import annotations

import asyncio

from alarmhub.push.gate import Gate
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.push.twice import AGAIN_AFTER_S, Attempt, twice


class Passage:
    """Of one provider. `within_s`: how long a push may take where its sender does not say."""

    def __init__(self, *, at_once: int, within_s: float) -> None:
        self._gate = Gate(at_once)
        self._within_s = within_s

    async def through(self, note: Note, within_s: float | None, attempt: Attempt) -> Sent:
        """What became of it, within `within_s`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (self._within_s if within_s is None else within_s)
        if turned_away := await self._gate.enter(note.priority, until):
            return Sent(Outcome.LATER, turned_away, AGAIN_AFTER_S)
        try:
            return await twice(attempt, until - loop.time())
        finally:
            self._gate.leave()
