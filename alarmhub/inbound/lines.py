"""All ESPA lines of this hub: opens one adapter a link, and finds the one a report belongs to.

It refuses to speak the protocol (`inbound.espa` does) and to decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from alarmhub.clock import Clock
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, OutboxRow
from alarmhub.tasks import Crew


class Lines:
    """The lines. `start` with the engine, `report` as the outbox's courier for sources."""

    def __init__(self, links: Sequence[object], *, clock: Clock, crew: Crew, metrics: Metrics) -> None:
        self._links, self._clock, self._crew, self._metrics = links, clock, crew, metrics

    async def start(self, engine: object) -> None:
        """Open every line."""

    async def stop(self) -> None:
        """Close every line."""

    async def report(self, row: OutboxRow) -> None:
        """Tell a source, over its line."""
        raise DeliveryFailed(f"no line to {row.address}")
