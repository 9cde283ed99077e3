"""How fast one address may open connections: a bucket of tokens per address.

Pure arithmetic on the time it is given. It refuses to remember an address for longer than it takes to be
forgiven, so that a scan of addresses fills no memory.
"""

from __future__ import annotations

from typing import Final

ADDRESSES_MAX: Final = 100_000


class Pace:
    """`per_s` connections a second from one address, `burst` at once; times in ms of a steady clock."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_ms = per_s / 1000
        self._burst = burst
        self._full_at: dict[str, float] = {}  # when the address has its whole burst again
        self._patience_ms = burst / self._per_ms

    def allows(self, address: str, now: int) -> bool:
        """Whether one more connection may open now; if so it is counted."""
        full_at = max(self._full_at.get(address, now), now) + 1 / self._per_ms
        if full_at - now > self._patience_ms:
            return False
        if len(self._full_at) < ADDRESSES_MAX or address in self._full_at:
            self._full_at[address] = full_at
        return True

    def tick(self, now: int) -> None:
        """Forget who has been forgiven."""
        if self._full_at:
            self._full_at = {address: at for address, at in self._full_at.items() if at > now}
