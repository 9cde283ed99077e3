"""The heartbeats of alarm controllers: who is silent, and who is back (mty PI of SS 91100).

Watched are the controllers the settings name and every one that has ever sent a heartbeat since the start.
Three intervals without a word is silence; one interval of life after it is the end of that. It refuses to own
a timer: whoever does calls `check` at `next_check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from alarmhub.inbound.supervision import LinkChanged, LinkState, LinkWatch

MISSED: Final = 3
MOST: Final = 2_000


class Beats:
    """The controllers of one link. `every_ms`: between two heartbeats; `told`: whether a hub before this one
    has told that a controller is silent, so that its coming back is news."""

    def __init__(
        self,
        controllers: Iterable[str],
        *,
        every_ms: int,
        now: int,
        most: int = MOST,
        told: Callable[[str], bool] = lambda cid: False,
    ) -> None:
        self._every_ms, self._most, self._told = every_ms, most, told
        self._watches = {cid: self._watch(cid, now) for cid in controllers}

    def __len__(self) -> int:
        return len(self._watches)

    def heard(self, cid: str, now: int, *, beats: bool) -> bool:
        """A controller said something. `beats`: a heartbeat, by which it joins those that are watched. False
        when it should have joined and there are too many."""
        watch = self._watches.get(cid)
        if watch is None:
            if not beats:
                return True
            if len(self._watches) >= self._most:
                return False
            watch = self._watches[cid] = self._watch(cid, now)
        watch.life(now)
        return True

    def next_check(self) -> int | None:
        """When `check` may have news."""
        times = [at for watch in self._watches.values() if (at := watch.next_check()) is not None]
        return min(times, default=None)

    def check(self, now: int) -> list[LinkChanged]:
        """Who has fallen silent and who is back; each is told once."""
        return [news for watch in self._watches.values() if (news := watch.check(now)) is not None]

    def silent(self) -> list[str]:
        """Those that are silent now."""
        return [cid for cid, watch in self._watches.items() if watch.state is LinkState.DOWN]

    def _watch(self, cid: str, now: int) -> LinkWatch:
        down_ms = MISSED * self._every_ms
        return LinkWatch(
            cid, down_ms=down_ms, up_ms=self._every_ms, now=now, polls=True, down=self._told(cid)
        )
