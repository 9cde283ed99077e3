"""All lines of this hub: opens one adapter a link, and finds the one a report belongs to.

It refuses to speak a protocol (the adapters do) and to decide anything. A link that cannot listen stops the
start: a hub that runs without a plant's door would look well and hear nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from alarmhub.clock import Clock
from alarmhub.core.effects import Page, Report, ReportStatus, Sms
from alarmhub.inbound.doors import opener
from alarmhub.inbound.feed import Adapter, Feed, Hub, PageCarrier, TextCarrier
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, OutboxRow, SourceStatus
from alarmhub.tasks import Crew

_SILENT: Final = (ReportStatus.QUEUED, ReportStatus.ENDED)
"""What some protocols never say unasked: that it was "taken" proves nothing."""

_report = msgspec.json.Decoder(Report)
_page = msgspec.json.Decoder(Page)
_sms = msgspec.json.Decoder(Sms)


class Lines:
    """The lines. `start` with the engine, `report` as the outbox's courier for sources."""

    def __init__(
        self,
        links: Mapping[str, Sequence[Any]],
        *,
        clock: Clock,
        crew: Crew,
        metrics: Metrics | None = None,
    ) -> None:
        """`links`: the settings' links by protocol, as named in `doors.ADAPTERS`."""
        self._links, self._clock, self._crew, self._metrics = links, clock, crew, metrics
        self._open: dict[str, tuple[Adapter, Feed]] = {}

    async def start(self, hub: Hub) -> None:
        """Open every line. Raises OSError when one cannot listen; those opened before are closed then."""
        try:
            for protocol, links in self._links.items():
                for settings in links:
                    feed = Feed(
                        settings.source,
                        protocol,
                        hub=hub,
                        clock=self._clock,
                        crew=self._crew,
                        metrics=self._metrics,
                    )
                    adapter = opener(protocol)(settings, feed)
                    await adapter.start()
                    self._open[settings.source] = (adapter, feed)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every line; calls already read are still stored."""
        await asyncio.gather(*(adapter.close() for adapter, _ in self._open.values()))
        for _, feed in self._open.values():
            feed.close()

    def port(self, source: str) -> int:
        """The port this source's line listens on. Raises KeyError for a source without a line."""
        return self._open[source][0].port

    def is_up(self, source: str) -> bool:
        """Whether this source's link counts as up. One without a line has none that could be down."""
        found = self._open.get(source)
        return found is None or found[1].up

    def adapter(self, source: str) -> Adapter | None:
        """This source's adapter, None for a source without a line."""
        found = self._open.get(source)
        return None if found is None else found[0]

    def status(self) -> list[SourceStatus]:
        """What is known of every line."""
        return [feed.status for _, feed in self._open.values()]

    async def report(self, row: OutboxRow) -> None:
        """Tell a source, over its line. Raises DeliveryFailed when it has none or did not take it."""
        found = self._open.get(row.address)
        if found is None:
            raise DeliveryFailed(f"no line to {row.address}")
        try:
            report = _report.decode(row.body)
        except msgspec.MsgspecError as error:
            raise DeliveryFailed(f"unreadable report: {error}") from error
        adapter, feed = found
        try:
            await adapter.report(report, row.alarm)
        except DeliveryFailed as error:
            feed.not_told(str(error))
            raise
        except asyncio.CancelledError:
            feed.not_told("not taken in time")
            raise
        if report.status not in _SILENT:
            feed.told()

    async def page(self, row: OutboxRow) -> None:
        """Send to a pager, over the first line that reaches it. Raises DeliveryFailed when not taken."""
        try:
            page = _page.decode(row.body)
        except msgspec.MsgspecError as error:
            raise DeliveryFailed(f"unreadable page: {error}") from error
        for adapter, _ in self._open.values():
            if isinstance(adapter, PageCarrier) and adapter.carries(page.pager):
                await adapter.page(page)
                return
        raise DeliveryFailed(f"no transmitter for pager {page.pager}")

    async def text(self, row: OutboxRow) -> None:
        """Send a text message over the first link that is up. Raises DeliveryFailed when not taken."""
        try:
            sms = _sms.decode(row.body)
        except msgspec.MsgspecError as error:
            raise DeliveryFailed(f"unreadable text message: {error}") from error
        carriers = [adapter for adapter, _ in self._open.values() if isinstance(adapter, TextCarrier)]
        if not carriers:
            raise DeliveryFailed("no link for text messages")
        await next((one for one in carriers if one.ready), carriers[0]).text(sms)
