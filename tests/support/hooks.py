"""Webhooks without adapters: reads what is posted, keeps it, and answers as it is told to."""

from __future__ import annotations

from alarmhub.ports import Hooked
from protocols.alertmanager import Faulty, Notification, read


class Hooks:
    """Serves the sources in `served`. `answer`: instead of "stored"."""

    def __init__(self, *served: str) -> None:
        self.served = set(served)
        self.answer: Hooked | None = None
        self.taken: list[tuple[str, Notification]] = []
        self.refused: list[tuple[str, str]] = []

    def serves(self, source: str) -> bool:
        return source in self.served

    async def alertmanager(self, source: str, body: bytes) -> Hooked:
        said = read(body)
        if isinstance(said, Faulty):
            return Hooked("malformed", member=said.member, expected=said.expected)
        self.taken.append((source, said))
        return self.answer or Hooked("stored", alerts=len(said.alerts))

    def turned_away(self, source: str, reason: str, detail: str) -> None:
        self.refused.append((source, reason))
