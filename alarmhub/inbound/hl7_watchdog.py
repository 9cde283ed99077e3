"""Reporters that say they live (watchdog messages of IHE ACM gateways), and when one of them has stopped.

A pure machine: instants are epoch ms. It refuses to raise anything; `inbound.hl7` tells the hub.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MISSED: Final = 3
"""So many watchdog messages missing in a row are a silence, one is a slow network."""
MOST: Final = 64
"""Reporters watched on one line."""
USUAL_S: Final = 10.0
LONGEST_S: Final = 3_600.0


class _Watched(Struct):
    within_ms: int
    last: int
    silent: bool = False


class Watchdogs:
    """The reporters of one line that send watchdog messages."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def within_ms(self) -> int | None:
        """The longest silence any of them may keep; None while none is watched."""
        return max((one.within_ms for one in self._watched.values()), default=None)

    def barked(self, sender: str, confirm_within_s: float | None, now: int) -> bool:
        """A watchdog message. True: this reporter had been silent and is back."""
        seconds = min(max(confirm_within_s or USUAL_S, 1.0), LONGEST_S)
        within_ms = round(seconds * 1000) * MISSED
        one = self._watched.get(sender)
        if one is None:
            if len(self._watched) < MOST:
                self._watched[sender] = _Watched(within_ms, now)
            return False
        back, one.silent = one.silent, False
        one.within_ms, one.last = within_ms, now
        return back

    def spoke(self, sender: str, now: int) -> bool:
        """Any other message of a reporter is life too. True: it had been silent."""
        one = self._watched.get(sender)
        if one is None:
            return False
        back, one.silent = one.silent, False
        one.last = now
        return back

    def leaves(self, sender: str) -> None:
        """It has said that it stops on purpose: its silence is none."""
        self._watched.pop(sender, None)

    def silent(self, now: int) -> list[str]:
        """Those that have fallen silent since the last call."""
        fallen = [
            name for name, one in self._watched.items() if not one.silent and now - one.last >= one.within_ms
        ]
        for name in fallen:
            self._watched[name].silent = True
        return fallen

    def next_check(self) -> int | None:
        """When `silent` may have news."""
        speaking = (one for one in self._watched.values() if not one.silent)
        return min((one.last + one.within_ms for one in speaking), default=None)
