"""The hub's one clock: monotonic time plus an offset to the database's clock, in epoch milliseconds.

`now()` never goes backwards. Small differences to the database are taken up slowly, so that no deadline is
noticeably early or late; when the database is more than 250 ms ahead (the machine slept) the clock follows at
once; when it is behind, the hub's clock runs 5 % slow until they meet, and deadlines go on being served.

It refuses to ask the database itself: whoever talks to it calls `measured` with the answer.

Decisions: The database's clock leads because it outlives each hub process, and a standby must read stored
deadlines as the first hub meant them. Standing still until the database catches up was rejected: a clock set
back by an hour would hold up every escalation for an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from alarmhub import logs
from alarmhub.logs import Line

MEASURE_EVERY_S: Final = 10
JUMP_SAID_MS: Final = 250
JUMP_REPORTED_MS: Final = 5_000
SLEW_RATE: Final = 0.05

_NS_PER_MS: Final = 1_000_000

_log = logs.get("clock")


class Clock(Protocol):
    """Where the hub takes its time from."""

    def now(self) -> int:
        """Epoch milliseconds; never less than at an earlier call."""
        ...


class MonotonicClock:
    """The live clock. Until the first `measured` it follows the machine's own clock.

    `on_jump(gap_ms)` is called when database and hub moved apart by more than 5 s (positive: the database is
    ahead), so that a technical alarm can be raised. The two functions of time are arguments for tests alone.
    """

    def __init__(
        self,
        *,
        on_jump: Callable[[int], None] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ms: Callable[[], int] | None = None,
    ) -> None:
        self.on_jump = on_jump
        self._monotonic_ns = monotonic_ns
        self._base_ns = monotonic_ns()
        self._base_ms = float((wall_ms or _machine_ms)())
        self._owed_ms = 0.0  # what is still to be added (or held back) slowly
        self._latest_ms = 0
        self._is_measured = False

    def now(self) -> int:
        """Epoch milliseconds; never less than at an earlier call."""
        at_ms = int(self._at(self._monotonic_ns()))
        if at_ms > self._latest_ms:
            self._latest_ms = at_ms
        return self._latest_ms

    def monotonic_ns(self) -> int:
        """The reading to take just before asking the database for its time."""
        return self._monotonic_ns()

    def measured(self, database_ms: int, *, asked_ns: int) -> int:
        """Take in the database's `clock_timestamp()`, asked for at `asked_ns` (`monotonic_ns()` then) and
        just answered. Call it at connect and every 10 s. Returns the gap in ms, positive when the database
        is ahead.

        Its reading was taken somewhere between question and answer: a gap smaller than that uncertainty is
        none, so a slow answer moves nothing.
        """
        answered_ns = self._monotonic_ns()
        uncertain_ms = max(0, answered_ns - asked_ns) / 2 / _NS_PER_MS
        shown_ms = self._at(answered_ns)
        gap_ms = _shrunk(database_ms + uncertain_ms - shown_ms, uncertain_ms)
        self._base_ns, self._base_ms, self._owed_ms = answered_ns, shown_ms, gap_ms
        if not self._is_measured or gap_ms > JUMP_SAID_MS:
            self._base_ms, self._owed_ms = shown_ms + gap_ms, 0.0
        if not self._is_measured:
            # Nothing has been decided by the machine's own clock yet, so it may be set either way.
            self._is_measured, self._latest_ms = True, 0
        self._tell(round(gap_ms))
        return round(gap_ms)

    def _at(self, monotonic_ns: int) -> float:
        elapsed_ms = (monotonic_ns - self._base_ns) / _NS_PER_MS
        if not self._owed_ms:
            return self._base_ms + elapsed_ms
        most_ms = elapsed_ms * SLEW_RATE
        return self._base_ms + elapsed_ms + max(-most_ms, min(most_ms, self._owed_ms))

    def _tell(self, gap_ms: int) -> None:
        if abs(gap_ms) > JUMP_SAID_MS:
            _log.warning(Line.CLOCK_JUMPED, gap_ms=gap_ms)
        if abs(gap_ms) > JUMP_REPORTED_MS and self.on_jump is not None:
            self.on_jump(gap_ms)


def _shrunk(gap_ms: float, uncertain_ms: float) -> float:
    if gap_ms > uncertain_ms:
        return gap_ms - uncertain_ms
    if gap_ms < -uncertain_ms:
        return gap_ms + uncertain_ms
    return 0.0


def _machine_ms() -> int:
    return time.time_ns() // _NS_PER_MS  # noqa: TID251  the clock itself starts from the machine's
