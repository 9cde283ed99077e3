"""Holds the lease, well within its time, and learns on the way of new sites, tokens and the database's clock.

A lease that another process took ends this one: `run` raises Fenced. It refuses to take a lease (that is the
writer's, after a lost connection, and the application's at the start).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alarmhub.clock import JUMP_SAID_MS, Clock, MonotonicClock
from alarmhub.core.site import Site
from alarmhub.engine.writer import Writer
from alarmhub.ports import Fenced, Lease, Store, StoreUnavailable
from alarmhub.tasks import Crew, spawn

MEASURE_CLOCK_EVERY_MS = 10_000
TRIM_EVERY_MS = 600_000


class Tenure:
    """The time a process holds the lease. The callbacks are called when there is news.

    `on_site` gets a newly published site, `on_trim` the time every ten minutes.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        crew: Crew,
        writer: Writer,
        lease: Lease,
        ttl_ms: int,
        on_site: Callable[[Site], None],
        on_tokens: Callable[[], None],
        on_clock_moved: Callable[[], None],
        on_trim: Callable[[int], None],
    ) -> None:
        self._store, self._clock, self._crew, self._writer = store, clock, crew, writer
        self._known, self._ttl_ms = lease, ttl_ms
        self._on_site, self._on_tokens = on_site, on_tokens
        self._on_clock_moved, self._on_trim = on_clock_moved, on_trim
        self._measured_at = self._trimmed_at = clock.now()

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            await asyncio.sleep(self._ttl_ms / 3000)
            if not self._writer.is_storing:
                continue
            epoch = self._writer.epoch
            try:
                await self._once(epoch)
            except StoreUnavailable:
                continue
            except Fenced:
                if self._writer.holds(epoch):
                    raise

    async def _once(self, epoch: int) -> None:
        clock = self._clock
        asked_ns = clock.monotonic_ns() if isinstance(clock, MonotonicClock) else 0
        lease = await self._renew(epoch)
        now = clock.now()
        if isinstance(clock, MonotonicClock) and now - self._measured_at >= MEASURE_CLOCK_EVERY_MS:
            self._measured_at = now
            if clock.measured(lease.database_now, asked_ns=asked_ns) > JUMP_SAID_MS:
                self._on_clock_moved()  # the machine slept, and its timers with it
        await self._look_for_news(lease)
        if now - self._trimmed_at >= TRIM_EVERY_MS:
            self._trimmed_at = now
            self._on_trim(now)
            spawn(self._trim(epoch, now), "trim", self._crew, ends=True)

    async def _renew(self, epoch: int) -> Lease:
        try:
            return await self._store.renew(epoch, self._ttl_ms)
        except StoreUnavailable as exc:
            self._writer.doubt(exc)
            raise

    async def _trim(self, epoch: int, now: int) -> None:
        """Beside the renewals: the lease does not wait for it."""
        try:
            await self._store.trim(epoch, now)
        except StoreUnavailable:
            return  # in ten minutes again
        except Fenced:
            if self._writer.holds(epoch):
                raise

    async def _look_for_news(self, lease: Lease) -> None:
        if lease.site_version != self._known.site_version:
            site = await self._store.site()
            if site is not None:
                self._on_site(site)
        if lease.tokens_version != self._known.tokens_version:
            self._on_tokens()
        self._known = lease
