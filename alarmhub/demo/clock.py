"""A clock for the scenario: real time that stands still before it could run into a deadline by itself.

It is the hub's live clock with its reading replaced. After each `move_to` it runs on with real time for at
most `RUNS_ON_MS`, then stands until it is moved again, so that a busy machine never lets a step pass that the
scenario has not moved to. It refuses to go backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from alarmhub.clock import MonotonicClock

RUNS_ON_MS: Final = 900


class DemoClock(MonotonicClock):
    """The hub's clock in the scenario. `begin_at`: the epoch ms it shows at first."""

    def __init__(
        self,
        begin_at: int,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ms: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(monotonic_ns=monotonic_ns, wall_ms=wall_ms)
        self._moved_to = begin_at
        self._moved_ns = monotonic_ns()
        self._runs_on_ms = RUNS_ON_MS
        self._shown = begin_at

    def now(self) -> int:
        """Epoch ms in the scenario; never less than at an earlier call."""
        run_ms = (self.monotonic_ns() - self._moved_ns) // 1_000_000
        self._shown = max(self._shown, self._moved_to + min(run_ms, self._runs_on_ms))
        return self._shown

    def move_to(self, at: int, *, runs_on: bool = True) -> None:
        """Set the clock forward to `at`; without `runs_on` it stands right there. Raises ValueError when that
        lies in its past."""
        if at < self.now():
            raise ValueError(f"the clock shows {self.now()} and does not go back to {at}")
        self._moved_to, self._moved_ns = at, self.monotonic_ns()
        self._runs_on_ms = RUNS_ON_MS if runs_on else 0
