"""A model of nurses for the hospital profile: who hears, who answers, how late, and who is busy.

Figures are those of the load model: telemetry answered in 8 s (median), 31 % reaching a second step at
20 s, patient calls within minutes, 10 % declines, one task at a time. Deterministic for a seed and an order
of rings. It decides for people only; what the hub does with it is measured elsewhere.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Callable

from load.phones import SECOND_NS, Crowd, Frame, Phone
from load.reactor import Reactor, now_ns

SIGMA = 0.9
MEDIAN_S = {"clinical": 8.0, "emergency": 15.0, "team": 15.0, "assault": 10.0, "patient_call": 120.0}
OTHER_MEDIAN_S = 60.0
REACTS = 0.524
"""With two phones ringing: 1 - (1 - 0.524 x 0.846)^2 = 0.69 answered within 20 s, as in the study, where
0.846 is the share of reactions (median 8 s, sigma 0.9) that come within 20 s."""
DECLINES = 0.10
FATIGUE_PER_ALARM, FATIGUE_WINDOW_S = 0.02, 7200
BUSY_DECLINES = 0.5
WALK_S, SERVICE_S = (10.0, 60.0), (60.0, 360.0)
ASLEEP, ROAMING, OFF = 0.08, 0.04, 0.03
GAP_MEAN_S, GAP_LEAST_S, GAP_MOST_S = 3.0, 0.5, 8.0
BETWEEN_GAPS_S = 60.0
OUTAGE_BACK_S = 5.0

Reset = Callable[[Frame, int], None]
"""Called with the alarm and the delay in ns after which the nurse resets it in the room."""


class Nurses:
    """Answers of all people with phones. `reset`: how a nurse resets in the room."""

    def __init__(self, seed: int, reset: Reset, *, pace: float = 1.0) -> None:
        """`pace` > 1 makes everybody that much quicker, for short runs."""
        self._rng = random.Random(f"nurses {seed}")
        self._reset = reset
        self._pace = pace
        self._free_ns: dict[int, int] = {}
        self._rings: dict[int, deque[int]] = {}
        self.counts: Counter[str] = Counter()

    def ring(self, phone: Phone, frame: Frame, first: bool) -> tuple[int, str] | None:
        """Whether and when this person answers this ring."""
        now = now_ns()
        rings = self._rings.setdefault(phone.index, deque())
        rings.append(now)
        while rings[0] < now - FATIGUE_WINDOW_S * SECOND_NS:
            rings.popleft()
        self.counts["rings"] += 1
        median = MEDIAN_S.get(frame.kind, OTHER_MEDIAN_S) * (1 + FATIGUE_PER_ALARM * (len(rings) - 1))
        delay = self._ns(self._rng.lognormvariate(math.log(median), SIGMA))
        busy_ns = max(0, self._free_ns.get(phone.index, 0) - now)
        draw = self._rng.random()
        if busy_ns:
            self.counts["rings_while_busy"] += 1
            if draw < BUSY_DECLINES:
                return delay, "decline"
            return busy_ns + delay, "accept"
        if draw < DECLINES:
            return delay, "decline"
        if draw < DECLINES + REACTS:
            return delay, "accept"
        self.counts["unheard"] += 1
        return None

    def told(self, phone: Phone, frame: Frame, answer: str) -> tuple[int, str] | None:
        """After an accept: walk there; after arrival: work, then reset in the room."""
        if answer == "accept":
            walk = self._ns(self._rng.uniform(*WALK_S))
            service = self._ns(self._rng.uniform(*SERVICE_S))
            free = max(self._free_ns.get(phone.index, 0), now_ns()) + walk + service
            self._free_ns[phone.index] = free
            self._reset(frame, free - now_ns())
            return walk, "attend"
        return None

    def _ns(self, seconds: float) -> int:
        return int(seconds / self._pace * SECOND_NS)


class Radio:
    """Whose phone has a socket: 85 % do; the rest is asleep or off, and some walk through radio gaps.

    wired: the last so many phones of the crowd stand on desks and always have one.
    """

    def __init__(self, seed: int, reactor: Reactor, crowd: Crowd, *, wired: int = 0) -> None:
        self._rng = random.Random(f"radio {seed}")
        self._reactor, self._crowd = reactor, crowd
        self.present: list[Phone] = []
        self.roaming: list[Phone] = []
        for phone in crowd.phones:
            draw = self._rng.random() if phone.index < len(crowd.phones) - wired else 1.0
            if draw >= ASLEEP + OFF:
                self.present.append(phone)
                if draw < ASLEEP + OFF + ROAMING:
                    self.roaming.append(phone)
        self.gaps = 0
        self._stopped = False

    def start(self) -> None:
        """Roaming phones begin to lose and find the network."""
        for phone in self.roaming:
            self._reactor.call_in(self._rng.expovariate(1 / BETWEEN_GAPS_S), self._leave, phone)

    def outage(self) -> None:
        """The network fails for all; they come back at even odds within five seconds."""
        for phone in self.present:
            if phone.stage == "synced":
                self._crowd.cut(phone)
                self._reactor.call_in(self._rng.uniform(0, OUTAGE_BACK_S), self._back, phone)

    def stop(self) -> None:
        """No further gaps; who is away comes back once more."""
        self._stopped = True

    def _leave(self, phone: Phone) -> None:
        if self._stopped:
            return
        if phone.stage == "synced":
            self.gaps += 1
            self._crowd.cut(phone)
            gap = min(max(self._rng.expovariate(1 / GAP_MEAN_S), GAP_LEAST_S), GAP_MOST_S)
            self._reactor.call_in(gap, self._back, phone)
        self._reactor.call_in(self._rng.expovariate(1 / BETWEEN_GAPS_S), self._leave, phone)

    def _back(self, phone: Phone) -> None:
        if phone.stage == "off":
            self._crowd.connect_one(phone)
