"""Effects that go from the commit to their courier with nothing between: pushes.

Their rows are written as being carried out already (`OutboxRow.attempt`), so they need not be claimed, and
what is done with is forgotten many rows at a time. A crash between costs a second push, never one that is
missing: the next process claims what is left. Its couriers keep order and try again by themselves, within the
time a row has; this module refuses both, and to let one row wait for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, Fenced, OutboxRow, Store, StoreUnavailable
from alarmhub.tasks import Crew, spawn

Courier = Callable[[OutboxRow], Awaitable[None]]
"""Delivers one row or raises DeliveryFailed."""

EXPRESS: Final = frozenset({"push"})
MOST_AT_WORK: Final = 10_000
"""Further rows are left in the database and claimed when there is room: late, not lost."""
LATER_MS: Final = 1_000
SETTLE_EVERY_S: Final = 0.1
SETTLE_AT_ONCE: Final = 2_000

_log = logs.get("outbox")


class Express:
    """Carries rows out at once, each by itself. `couriers` knows, by channel, who delivers."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        crew: Crew,
        metrics: Metrics,
        couriers: Mapping[str, Courier],
        epoch: Callable[[], int],
        holds: Callable[[int], bool],
        given_up: Callable[[OutboxRow, str], None],
    ) -> None:
        self._store, self._clock, self._crew, self._metrics = store, clock, crew, metrics
        self._couriers = couriers
        self._epoch, self._holds, self._given_up = epoch, holds, given_up
        self._at_work: set[str] = set()
        self._done: list[str] = []
        self._left: list[str] = []
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """How many rows are being carried out."""
        return len(self._at_work)

    def take(self, row: OutboxRow) -> None:
        """Carry it out, from this instant on. One that is being carried out already changes nothing."""
        if row.id in self._at_work:
            return
        if len(self._at_work) >= MOST_AT_WORK:
            self._left.append(row.id)
            self._wake.set()
            return
        self._at_work.add(row.id)
        spawn(self._carry(row), f"outbox {row.channel}", self._crew, ends=True)

    async def _carry(self, row: OutboxRow) -> None:
        cause = await self._send(row)
        if cause:
            _log.warning(Line.EFFECT_GIVEN_UP, channel=row.channel, alarm=row.alarm, cause=cause)
            self._given_up(row, cause)
        else:
            _log.debug(Line.EFFECT_SENT, channel=row.channel, alarm=row.alarm)
        self._metrics.effects.labels(row.channel, "given_up" if cause else "sent").inc()
        self._at_work.discard(row.id)
        self._done.append(row.id)
        self._wake.set()

    async def _send(self, row: OutboxRow) -> str:
        """Why it came to nothing, "" when it did not."""
        courier = self._couriers.get(row.channel)
        if courier is None:
            return "no channel"
        left_ms = row.give_up_at - self._clock.now()
        if left_ms <= 0:
            return "too late"
        try:
            async with asyncio.timeout(left_ms / 1000):
                await courier(row)
        except (DeliveryFailed, TimeoutError) as exc:
            return str(exc) or type(exc).__name__
        except Exception as exc:  # noqa: BLE001  a courier's defect costs its effect, not the hub
            return f"{type(exc).__name__}: {exc}"
        return ""

    async def run(self) -> None:
        """Forget what is done with, for ever, many at a time."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(SETTLE_EVERY_S)
            self._wake.clear()
            await self._settle()

    async def _settle(self) -> None:
        done, left = self._done[:SETTLE_AT_ONCE], self._left[:SETTLE_AT_ONCE]
        epoch, again_at = self._epoch(), self._clock.now() + LATER_MS
        try:
            await self._store.settle(epoch, done, [(id, again_at) for id in left])
        except StoreUnavailable:
            self._wake.set()
            return
        except Fenced:
            if self._holds(epoch):
                raise
            self._wake.set()
            return
        del self._done[: len(done)], self._left[: len(left)]
        if self._done or self._left:
            self._wake.set()
