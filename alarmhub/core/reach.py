"""Whether a person's devices can be reached (design.md, "reach"). Values and their order only.

Who watches sockets and pagers is the gateway; this module refuses to know about either.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Reach(StrEnum):
    """Per device, and per person as the best of the devices."""

    NONE = "none"
    ONE_WAY = "one_way"  # a pager: cannot confirm, which is not the same as unreachable
    PUSHABLE = "pushable"
    RECENT = "recent"  # socket lost, or hub started, less than 30 s ago
    LIVE = "live"  # socket open


RINGS = frozenset({Reach.PUSHABLE, Reach.RECENT, Reach.LIVE})
"""A phone that can ring and be answered, as far as anybody knows."""

IN_CONTACT = frozenset((Reach.LIVE, Reach.PUSHABLE))
"""Nothing was lost: a phone with a socket, or one that sleeps where push reaches it."""

_RANK: dict[Reach, int] = {r: i for i, r in enumerate(Reach)}


def best(devices: Iterable[Reach]) -> Reach:
    """The best reach among a person's devices; `none` for no device."""
    return max(devices, key=_RANK.__getitem__, default=Reach.NONE)
