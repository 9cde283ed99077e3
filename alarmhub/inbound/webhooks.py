"""The adapters that take notifications of the API, found by their source.

It refuses to know HTTP (`web` does) and what a notification says (the adapters do).
"""

from __future__ import annotations

from collections.abc import Collection

from alarmhub.inbound.alertmanager import AlertmanagerAdapter
from alarmhub.inbound.lines import Lines
from alarmhub.ports import Hooked


class Hooks:
    """`ports.Webhooks` over the open lines. `sources`: those the settings serve; while the line of one is not
    open yet it is told to come again, not to go away."""

    def __init__(self, lines: Lines, sources: Collection[str]) -> None:
        self._lines, self._sources = lines, frozenset(sources)

    def serves(self, source: str) -> bool:
        """Whether the settings have an `[[alertmanager]]` for this source."""
        return source in self._sources

    async def alertmanager(self, source: str, body: bytes) -> Hooked:
        """Take one notification; "busy" while the source's line is not open."""
        adapter = self._lines.adapter(source)
        if not isinstance(adapter, AlertmanagerAdapter):
            return Hooked("busy", why="the line is not open")
        return await adapter.notified(body)

    def turned_away(self, source: str, reason: str, detail: str) -> None:
        """The API refused a body of this source before it was read."""
        adapter = self._lines.adapter(source)
        if isinstance(adapter, AlertmanagerAdapter):
            adapter.turned_away(reason, detail)
