"""How much one peer may ask in a second: a bucket a peer, filled again with time, as a pure machine.

Time is an argument (epoch ms). It refuses to remember more than `most` peers: the one unheard longest goes.
"""

from __future__ import annotations

from typing import Final

MOST_PEERS: Final = 4_096


class _Bucket:
    __slots__ = ("at", "left", "over")

    def __init__(self, left: float, at: int) -> None:
        self.left, self.at, self.over = left, at, False


class Flood:
    """`per_s` requests a second from each peer, `burst` at once after a pause."""

    def __init__(self, per_s: float, burst: float | None = None, *, most: int = MOST_PEERS) -> None:
        self._per_s, self._burst, self._most = per_s, burst or 2 * per_s, most
        self._peers: dict[str, _Bucket] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def take(self, peer: str, now: int) -> tuple[bool, bool]:
        """Whether this request of `peer` may pass, and whether its being stopped is news: the first of a
        flood, so that the log is not flooded too."""
        bucket = self._peers.pop(peer, None)
        if bucket is None:
            if len(self._peers) >= self._most:
                del self._peers[next(iter(self._peers))]
            bucket = _Bucket(self._burst, now)
        self._peers[peer] = bucket
        bucket.left = min(self._burst, bucket.left + max(0, now - bucket.at) * self._per_s / 1000)
        bucket.at = max(bucket.at, now)
        if bucket.left >= 1:
            bucket.left -= 1
            bucket.over = bucket.over and bucket.left < self._burst / 2
            return True, False
        news, bucket.over = not bucket.over, True
        return False, news
