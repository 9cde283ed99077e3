"""Push as a whole: the providers of this installation, whom they reach, and who carries a push to them.

Composes the parts of this package for the app: `courier` is the outbox's, `book` the phones' and the web's.
It refuses to be waited for: a provider that is away at the start holds up nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from alarmhub.clock import Clock
from alarmhub.metrics import Metrics
from alarmhub.people import PushTargets
from alarmhub.ports import Desk, OutboxRow
from alarmhub.push.courier import PushCourier
from alarmhub.push.targets import TargetBook
from alarmhub.push.transport import Transport
from alarmhub.tasks import Crew


class Reached(Desk, Protocol):
    """The engine as push sees it."""

    def pushable(self, staff: str, devices: tuple[str, ...]) -> None:
        """The devices of this person that a push reaches from now on."""
        ...

    @property
    def on_tokens(self) -> list[Callable[[], None]]:
        """Told when phones were enrolled, handed over or revoked."""
        ...


class PushService:
    """Make it inside a running event loop, before the engine; `start` it after the engine has loaded and
    before it begins."""

    def __init__(
        self,
        transports: Sequence[Transport],
        targets: PushTargets,
        *,
        clock: Clock,
        crew: Crew,
        metrics: Metrics,
    ) -> None:
        self.transports = {transport.name: transport for transport in transports}
        self._targets, self._clock, self._crew, self._metrics = targets, clock, crew, metrics
        self.book: TargetBook
        self.courier: PushCourier
        self._started = asyncio.Event()

    async def start(self, engine: Reached) -> None:
        """Open the providers and learn whom they reach. Raises StoreUnavailable."""
        self.book = TargetBook(
            self._targets, transports=self.transports, clock=self._clock, crew=self._crew,
            pushable=engine.pushable,
        )  # fmt: skip
        self.courier = PushCourier(
            transports=self.transports, book=self.book, desk=engine, clock=self._clock,
            metrics=self._metrics,
        )  # fmt: skip
        for transport in self.transports.values():
            await transport.start()
        await self.book.load()
        engine.on_tokens.append(self.book.changed)
        self._started.set()

    async def stop(self) -> None:
        """Close the providers."""
        for transport in self.transports.values():
            await transport.stop()

    async def carry(self, row: OutboxRow) -> None:
        """See `engine.express.Courier`. What a process before this one left waits for the start."""
        await self._started.wait()
        await self.courier.carry(row)
