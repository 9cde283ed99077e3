"""A clock that moves when it is told to."""

from __future__ import annotations

from typing import Final

MONDAY_MORNING_MS: Final = 1_789_369_200_000  # 2026-09-14 09:00 in Stockholm


class ManualClock:
    """Stands still between `advance` and `jump`. Implements `alarmhub.clock.Clock`."""

    def __init__(self, now: int = MONDAY_MORNING_MS) -> None:
        self._now = now

    def now(self) -> int:
        """Epoch milliseconds."""
        return self._now

    def advance(self, seconds: float) -> int:
        """Let time pass; returns the new now. Raises ValueError on a negative span."""
        if seconds < 0:
            raise ValueError("time passes forwards; use jump for a clock that is set back")
        self._now += round(seconds * 1000)
        return self._now

    def jump(self, to_ms: int) -> None:
        """Set the clock, backwards too, as a careless administrator would."""
        self._now = to_ms
