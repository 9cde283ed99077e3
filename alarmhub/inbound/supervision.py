"""When a source's link counts as down, with hysteresis, as pure machines (ward.md, "the hub is the news").

A link is down after `down_s` without life, and up again only after `up_s` of unbroken life, so that one that
flaps is one piece of news and not fifty. Life is what the protocol said, where the source speaks all the time
(a polling control station); where it may be silent for days, an open connection is life, once it has lasted.
It refuses to raise alarms: whoever owns it tells the hub.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final

from msgspec import Struct

FAULTS: Final = 3
FAULTS_WITHIN_MS: Final = 60_000
"""So many refused frames in this time are worth a technical alarm; one or two are a noisy line."""
FAULTS_AGAIN_MS: Final = 600_000
"""The same is told again no sooner than this."""
HABIT_POLLS: Final = 5


class LinkState(StrEnum):
    """What the hub tells about a link."""

    UP = "up"
    DOWN = "down"


class LinkChanged(Struct, frozen=True):
    """A link went down, or is stable again. `since`: when life was last seen, or when it came back (ms)."""

    source: str
    state: LinkState
    at: int
    since: int


class LinkWatch:
    """One link. It is taken to be up when the hub starts, so that a plant that never comes is news too.

    All instants in ms; the durations in ms too. `polls`: the source speaks all the time. `down`: a hub before
    this one has told that it is, so that its coming back is news.
    """

    def __init__(
        self, source: str, *, down_ms: int, up_ms: int, now: int, polls: bool, down: bool = False
    ) -> None:
        self.source = source
        self.polls = polls
        self.state = LinkState.DOWN if down else LinkState.UP
        self._down_ms = down_ms
        self._up_ms = up_ms
        self._connected = False
        self._connected_at = now
        self._last_life = now
        self._alive_since: int | None = None

    def connected(self, now: int, connected: bool) -> None:
        """A connection is open, or none is any more."""
        if self._connected and not connected:
            # One that did not last is no life: who hangs up again and again delivers nothing.
            if not self.polls and now - self._connected_at >= self._down_ms:
                self._last_life = max(self._last_life, now)
            self._alive_since = None
        if connected and not self._connected:
            self._connected_at = now
            if not self.polls:
                self._alive_since = now
        self._connected = connected

    def life(self, now: int) -> None:
        """The protocol said something."""
        gap = now - self._last_life
        self._last_life = max(self._last_life, now)
        if self._alive_since is None or (gap >= self._down_ms and not self._held_up()):
            self._alive_since = now

    def next_check(self) -> int | None:
        """When `check` may have news; None: only a connection or a sign of life can bring any."""
        if self.state is LinkState.UP:
            return None if self._held_up() else self._last_life + self._down_ms
        return None if self._alive_since is None else self._alive_since + self._up_ms

    def check(self, now: int) -> LinkChanged | None:
        """The news of this instant, if any; each is told once."""
        if self.state is LinkState.UP:
            if self._held_up() or now - self._last_life < self._down_ms:
                return None
            self.state, self._alive_since = LinkState.DOWN, None
            return LinkChanged(self.source, LinkState.DOWN, now, self._last_life)
        if self._alive_since is not None and not self._held_up() and now - self._last_life >= self._down_ms:
            self._alive_since = None
        if self._alive_since is None or now - self._alive_since < self._up_ms:
            return None
        self.state = LinkState.UP
        return LinkChanged(self.source, LinkState.UP, now, self._alive_since)

    def _held_up(self) -> bool:
        return self._connected and not self.polls


class PollHabit:
    """Whether a source polls all the time, seen from its polls.

    Five polls in a row, none further from the last than a third of the down time, are a habit. A poll that
    only introduces a select is none: such a source is silent while it has nothing to say.
    """

    def __init__(self, down_ms: int) -> None:
        self._gap_ms = down_ms // 3
        self._in_a_row = 0
        self._last = 0
        self._open: int | None = None

    def poll(self, now: int) -> bool:
        """A poll of anybody was seen. True once it is a habit."""
        if self._open is not None:
            self._in_a_row = self._in_a_row + 1 if self._open - self._last <= self._gap_ms else 1
            self._last = self._open
        self._open = now
        return self._in_a_row >= HABIT_POLLS

    def select(self) -> None:
        """The poll before this select was only its beginning."""
        self._open = None


class SourceFault(Struct, frozen=True):
    """An authenticated source talks nonsense: how often within a minute, and the last cause."""

    source: str
    cause: str
    count: int
    at: int


class FaultTally:
    """Counts refused frames; says when they are worth telling."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lately: deque[int] = deque(maxlen=64)
        self._told_at: int | None = None

    def fault(self, cause: str, now: int) -> SourceFault | None:
        """One more; the news, if it is any."""
        self._lately.append(now)
        while now - self._lately[0] >= FAULTS_WITHIN_MS:
            self._lately.popleft()
        if len(self._lately) < FAULTS:
            return None
        if self._told_at is not None and now - self._told_at < FAULTS_AGAIN_MS:
            return None
        self._told_at = now
        return SourceFault(self._source, cause, len(self._lately), now)
