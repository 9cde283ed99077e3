"""How people answer their phones: the plain rule of the latency profile.

Deterministic for a seed. The model of nurses for the hospital profile is in load.nurses.
"""

from __future__ import annotations

import random

from load.phones import SECOND_NS, Frame, Phone

ACCEPT_FROM_S = 0.5
ACCEPT_TO_S = 4.0


class Prompt:
    """Everybody accepts, 0.5 to 4 s after the first ring unless told otherwise."""

    def __init__(self, seed: int, from_s: float = ACCEPT_FROM_S, to_s: float = ACCEPT_TO_S) -> None:
        self._rng = random.Random(f"prompt {seed}")
        self._from_s, self._to_s = from_s, to_s

    def ring(self, phone: Phone, frame: Frame, first: bool) -> tuple[int, str] | None:
        """Plans one accept per alarm and phone."""
        if not first:
            return None
        return int(self._rng.uniform(self._from_s, self._to_s) * SECOND_NS), "accept"

    def told(self, phone: Phone, frame: Frame, answer: str) -> tuple[int, str] | None:
        """Nothing further."""
        return None


class Absent:
    """The phone rings and reports it; nobody touches it."""

    def ring(self, phone: Phone, frame: Frame, first: bool) -> tuple[int, str] | None:
        """No answer."""
        return None

    def told(self, phone: Phone, frame: Frame, answer: str) -> tuple[int, str] | None:
        """No answer."""
        return None
