"""Carries committed effects out: reports to sources, pushes and pages to people.

Rows are leased and handed to the channel's courier, one at a time per address (first in, first out), with
a deadline each; what fails is tried again until it is given up. Pushes are handed over by who has just
committed them (`express`). It refuses to hold up the alarm path: it runs beside it and only ever reads rows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.engine.express import EXPRESS, Express
from alarmhub.engine.express import Courier as Courier
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, Fenced, OutboxRow, Store, StoreUnavailable
from alarmhub.tasks import Crew, spawn

LEASE_MS = 30_000
SEND_WITHIN_S = 20.0
RETRY_MS = (500, 1_000, 2_000, 5_000, 10_000)
CLAIM_AT_ONCE = 200
NO_CHANNEL = "no channel"
LOOK_EVERY_S = 5.0
"""Rows are announced when they are committed; this finds what a crash left behind."""

_log = logs.get("outbox")


class Outbox:
    """The sender. `courier` knows, by channel, who delivers; a channel without one is given up at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        crew: Crew,
        metrics: Metrics,
        couriers: dict[str, Courier],
        epoch: Callable[[], int],
        holds: Callable[[int], bool],
        given_up: Callable[[OutboxRow, str], None] = lambda row, cause: None,
    ) -> None:
        """`given_up`: hears of each row that will not be delivered, and why."""
        self._store, self._clock, self._crew, self._metrics = store, clock, crew, metrics
        self._couriers = couriers
        self._epoch, self._holds, self._given_up = epoch, holds, given_up
        self._wake = asyncio.Event()
        self._lines: dict[tuple[str, str], deque[OutboxRow]] = {}
        self.express = Express(
            store=store, clock=clock, crew=crew, metrics=metrics, couriers=couriers, epoch=epoch, holds=holds,
            given_up=given_up,
        )  # fmt: skip

    def announce(self) -> None:
        """New rows are committed."""
        self._wake.set()

    def hand_over(self, rows: Sequence[OutboxRow]) -> None:
        """These are committed. What was written with an attempt goes out now, the others are claimed."""
        for row in rows:
            if row.attempt:
                self.express.take(row)
            else:
                self._wake.set()

    async def run(self) -> None:
        """Claim and send for ever."""
        spawn(self.express.run(), "outbox settle", self._crew)
        while True:
            rows = await self._claim()
            for row in rows:
                if row.channel in EXPRESS:
                    self.express.take(row)  # a process before this one had it
                else:
                    self._line_up(row)
            if len(rows) == CLAIM_AT_ONCE:
                continue
            await self._wait()

    async def _claim(self) -> Sequence[OutboxRow]:
        epoch = self._epoch()
        try:
            return await self._store.claim(epoch, self._clock.now(), LEASE_MS, CLAIM_AT_ONCE)
        except StoreUnavailable:
            return ()
        except Fenced:
            if self._holds(epoch):
                raise
            return ()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def _line_up(self, row: OutboxRow) -> None:
        address = (row.channel, row.address)
        line = self._lines.get(address)
        if line is not None:
            if all(waiting.id != row.id for waiting in line):
                line.append(row)
            return
        self._lines[address] = deque((row,))
        spawn(self._drain(address), f"outbox {row.channel}", self._crew, ends=True)

    async def _drain(self, address: tuple[str, str]) -> None:
        line = self._lines[address]
        try:
            while line:
                row = line[0]
                cause = await self._send(row)
                again_at = self._again_at(row, cause)
                if again_at is None:
                    line.popleft()
                    await self._settle([row.id], [])
                else:
                    # Nothing overtakes it: those behind it wait as long.
                    waiting = [(one.id, again_at) for one in line]
                    line.clear()
                    await self._settle([], waiting)
                    delay_s = (again_at - self._clock.now()) / 1000
                    asyncio.get_running_loop().call_later(delay_s, self.announce)
        finally:
            del self._lines[address]
            # The store hands out one order per address: what came meanwhile can be claimed only now.
            self.announce()

    async def _send(self, row: OutboxRow) -> str:
        """Why it was not taken, "" when it was."""
        courier = self._couriers.get(row.channel)
        if courier is None:
            return NO_CHANNEL
        if self._clock.now() >= row.give_up_at:
            return "too late"
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await courier(row)
        except (DeliveryFailed, TimeoutError) as exc:
            return str(exc) or type(exc).__name__
        except Exception as exc:  # noqa: BLE001  a courier's defect costs its effect, not the hub
            return f"{type(exc).__name__}: {exc}"
        return ""

    def _again_at(self, row: OutboxRow, cause: str) -> int | None:
        """When it is tried again; None: it is sent, or given up."""
        again_at = self._clock.now() + RETRY_MS[min(max(row.attempt, 1), len(RETRY_MS)) - 1]
        if not cause:
            outcome = "sent"
            _log.debug(Line.EFFECT_SENT, channel=row.channel, alarm=row.alarm)
        elif cause == NO_CHANNEL or again_at >= row.give_up_at:
            outcome = "given_up"
            _log.warning(Line.EFFECT_GIVEN_UP, channel=row.channel, alarm=row.alarm, cause=cause)
            self._given_up(row, cause)
        else:
            outcome = "retried"
            _log.info(Line.EFFECT_RETRIED, channel=row.channel, alarm=row.alarm, cause=cause)
        self._metrics.effects.labels(row.channel, outcome).inc()
        return again_at if outcome == "retried" else None

    async def _settle(self, done: list[str], again: list[tuple[str, int]]) -> None:
        epoch = self._epoch()
        try:
            await self._store.settle(epoch, done, again)
        except StoreUnavailable:
            return  # its lease runs out and it is sent again: at least once, never lost
        except Fenced:
            if self._holds(epoch):
                raise
