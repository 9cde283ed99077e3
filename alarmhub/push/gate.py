"""How many pushes one provider has in flight, and who waits when that is all it may have.

The line is bounded and the most urgent goes first; among equals who came first. When it is full, the least
urgent is turned away at once, the newest of them first. It refuses to hold anybody past their deadline.
"""

from __future__ import annotations

import asyncio
from typing import Final

from alarmhub.core.kinds import PRIORITY_RANK, Priority

LINE_MOST: Final = 5_000
"""Pushes waiting. At 500 a second the last of them would be past its deadline long before its turn."""

TURNED_AWAY: Final = "not sent: too many pushes wait for this provider"
TOO_LATE: Final = "not sent: its turn did not come within the deadline"


class Gate:
    """At most `at_once` inside, at most `line_most` waiting. Whoever entered must `leave`."""

    def __init__(self, at_once: int, line_most: int = LINE_MOST) -> None:
        self._at_once, self._line_most = at_once, line_most
        self.inside = 0
        self._lines: tuple[dict[asyncio.Future[bool], None], ...] = tuple({} for _ in PRIORITY_RANK)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines))

    async def enter(self, priority: str, until: float) -> str:
        """Come in, waiting for the turn until the loop's time `until`. "" when inside, otherwise why not."""
        if self.inside < self._at_once:
            self.inside += 1
            return ""
        line = self._lines[rank(priority)]
        if self.waiting >= self._line_most and not self._make_room(rank(priority)):
            return TURNED_AWAY
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line[turn] = None
        try:
            async with asyncio.timeout_at(until):
                return "" if await turn else TURNED_AWAY
        except TimeoutError:
            self._give_back(turn)
            return TOO_LATE
        except asyncio.CancelledError:
            self._give_back(turn)
            raise
        finally:
            line.pop(turn, None)

    def leave(self) -> None:
        """Make place: the most urgent who waits comes in."""
        for line in reversed(self._lines):
            while line:
                turn = next(iter(line))
                del line[turn]
                if not turn.done():
                    turn.set_result(True)
                    return
        self.inside -= 1

    def _give_back(self, turn: asyncio.Future[bool]) -> None:
        """Its turn came in the same instant in which it gave up."""
        if turn.done() and not turn.cancelled() and turn.result():
            self.leave()

    def _make_room(self, urgency: int) -> bool:
        for line in self._lines[:urgency]:
            if line:
                turn, _ = line.popitem()
                if not turn.done():
                    turn.set_result(False)
                return True
        return False


def rank(priority: str) -> int:
    """0 for information up to 3 for high; an unknown one counts as high, so that nothing rings too late."""
    try:
        return PRIORITY_RANK[Priority(priority)]
    except ValueError:
        return len(PRIORITY_RANK) - 1
