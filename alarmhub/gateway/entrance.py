"""Who comes in when: a hospital that reconnects at once stands in line, and alarms go past it.

Reading a handshake and a hello and showing a phone its alarms costs the loop a fraction of a millisecond; ten
thousand of them in a row would hold up an alarm for seconds. So a few come in at once, the others in turn, a
few at a time, and nothing is caught up: when the loop is busy they wait longer, and alarms do not. It refuses
to turn anybody away; that is for limits and `pace`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from alarmhub.tasks import Crew, spawn

EVERY_S: Final = 0.005
AT_ONCE: Final = 6
"""1,200 a second: ten thousand phones are in after some nine seconds, at half of what the loop could do."""


class Guest(Protocol):
    """A connection, as far as the entrance knows it."""

    def wait(self) -> None:
        """Read nothing until `let_in`."""
        ...

    def let_in(self) -> bool:
        """Its turn has come; False when it has gone meanwhile."""
        ...


class Entrance:
    """The line of those who knocked, in order."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._line: deque[Guest] = deque()
        self._fresh_at = 0.0
        self._came_in = 0

    def __len__(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def knock(self, guest: Guest) -> None:
        """Somebody is there: comes in at once, or waits for its turn."""
        if not self._line and self._has_room():
            return
        guest.wait()
        self._line.append(guest)
        if len(self._line) == 1:
            spawn(self._let_in(), "phone entrance", self._crew, ends=True)

    def _has_room(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._fresh_at:
            self._fresh_at, self._came_in = now + EVERY_S, 0
        self._came_in += 1
        return self._came_in <= AT_ONCE

    async def _let_in(self) -> None:
        while self._line:
            await asyncio.sleep(EVERY_S)
            came_in = 0
            while self._line and came_in < AT_ONCE:
                came_in += self._line.popleft().let_in()
