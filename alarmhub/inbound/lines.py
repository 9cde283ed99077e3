"""All ESPA lines of this hub: opens one adapter a link, and finds the one a report belongs to.

It refuses to speak the protocol (`inbound.espa` does) and to decide anything. A link that cannot listen stops
the start: a hub that runs without a plant's door would look well and hear nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.effects import Report
from alarmhub.core.site import Site
from alarmhub.engine import notices
from alarmhub.inbound.espa import EspaAdapter
from alarmhub.inbound.link import LinkSettings, News
from alarmhub.inbound.supervision import LinkChanged, LinkState, SourceFault
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, Desk, Intake, NotStored, OutboxRow, Refused
from alarmhub.tasks import Crew, spawn

_log = logs.get("lines")
_report = msgspec.json.Decoder(Report)


class Hub(Intake, Desk, Protocol):
    """The engine as the lines see it."""

    async def link(self, source: str, *, up: bool) -> None:
        """A source's link went down or is stable again."""
        ...


class Lines:
    """The lines. `start` with the engine, `report` as the outbox's courier for sources."""

    def __init__(
        self, links: Sequence[LinkSettings], *, clock: Clock, crew: Crew, metrics: Metrics | None = None
    ) -> None:
        self._links, self._clock, self._crew, self._metrics = links, clock, crew, metrics
        self._adapters: dict[str, EspaAdapter] = {}

    async def start(self, hub: Hub) -> None:
        """Open every line. Raises OSError when one cannot listen; those opened before are closed then."""

        def site() -> Site:
            return hub.world().site

        def link(changed: LinkChanged) -> None:
            up = changed.state is LinkState.UP
            self._later(hub.link(changed.source, up=up), f"link {changed.source}")

        def fault(seen: SourceFault) -> None:
            self._later(self._tell_fault(hub, seen), f"fault {seen.source}")

        try:
            for settings in self._links:
                adapter = EspaAdapter(
                    settings,
                    intake=hub,
                    site=site,
                    news=News(link, fault),
                    clock=self._clock,
                    crew=self._crew,
                    metrics=self._metrics,
                )
                await adapter.start()
                self._adapters[settings.source] = adapter
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every line; calls already read are still stored."""
        await asyncio.gather(*(adapter.close() for adapter in self._adapters.values()))

    def port(self, source: str) -> int:
        """The port this source's line listens on. Raises KeyError for a source without a line."""
        return self._adapters[source].port

    def is_up(self, source: str) -> bool:
        """Whether this source's link counts as up. Raises KeyError for a source without a line."""
        return self._adapters[source].state is LinkState.UP

    async def report(self, row: OutboxRow) -> None:
        """Tell a source, over its line. Raises DeliveryFailed when it has none or did not take it."""
        adapter = self._adapters.get(row.address)
        if adapter is None:
            raise DeliveryFailed(f"no line to {row.address}")
        try:
            report = _report.decode(row.body)
        except msgspec.MsgspecError as error:
            raise DeliveryFailed(f"unreadable report: {error}") from error
        await adapter.report(
            status=report.status, ref=report.ref, source_text=report.source_text, alarm=row.alarm
        )

    async def _tell_fault(self, hub: Hub, fault: SourceFault) -> None:
        try:
            await hub.signal(notices.nonsense(hub.world().site, fault.source))
        except (NotStored, Refused) as error:
            _log.error(Line.SIGNAL_REFUSED, source=notices.HUB, reason=str(error))

    def _later(self, coro: Coroutine[Any, Any, None], name: str) -> None:
        spawn(coro, name, self._crew, ends=True)
