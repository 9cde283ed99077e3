"""The only place that composes: from settings to a hub that serves, and back to nothing.

Each step registers its undo as soon as it has succeeded; a stop runs them in reverse. It refuses to serve
while another process holds the lease (it stands by), and to limp on when a background task has died.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from alarmhub import __version__, logs
from alarmhub.clock import MonotonicClock
from alarmhub.engine.carrying import Carrying
from alarmhub.engine.engine import Engine
from alarmhub.engine.notices import clock_jumped, phones_lost
from alarmhub.engine.outbox import Courier
from alarmhub.engine.stand_ins import StandIns
from alarmhub.engine.supervision import Supervision
from alarmhub.engine.trials import Trials
from alarmhub.gateway.reach import UnitSilence
from alarmhub.gateway.server import Gateway, GatewaySettings
from alarmhub.gateway.tokens import digest_of
from alarmhub.inbound.lines import Lines
from alarmhub.inbound.webhooks import Hooks
from alarmhub.installation import lease_owner
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.people import Device
from alarmhub.ports import Change, FactRow, Fenced, Lease, StoreUnavailable, Token
from alarmhub.push.providers import providers, vapid_public
from alarmhub.push.service import PushService
from alarmhub.push.transport import Transport
from alarmhub.settings import Settings, local_secret
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.devices import PostgresDevices
from alarmhub.store.drills import PostgresDrills
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.store.postgres import PostgresStore
from alarmhub.store.push_targets import PostgresPushTargets
from alarmhub.tasks import Crew, spawn, watch_loop
from alarmhub.web.api import Api
from alarmhub.web.board_door import BoardDoor
from alarmhub.web.board_screens import Boards
from alarmhub.web.board_view import RedPhone, red_phones
from alarmhub.web.device_door import DeviceDoor
from alarmhub.web.drill_door import DrillDoor
from alarmhub.web.oidc_provider import Provider
from alarmhub.web.pages import Pages, SignInWays
from alarmhub.web.passwords import Passwords
from alarmhub.web.people_doors import people_doors
from alarmhub.web.push_door import PushDoor
from alarmhub.web.server import WebSettings
from alarmhub.web.sessions import Sessions, SessionSettings
from alarmhub.web.shift_door import ShiftDoor

STANDBY_LOOK_EVERY_S = 0.1
OPEN_AGAIN_EVERY_S = 0.5
OTHER_COMES_BACK_WITHIN_S = 1.0
DRAIN_WITHIN_S = 5.0
COLLECT_AT = (100_000, 1_000_000, 1_000_000)
"""Of Python's collector by itself: only in a flood, and only what is new: all that ten thousand phones
brought when they came back took it a second. Little here is garbage that refers to itself."""
COLLECT_YOUNG_EVERY_S = 0.1
COLLECT_ALL_EVERY_S = 600.0
LOCAL_SCOPES = ("drills:read", "drills:write", "signals:write", "alarms:read", "metrics:read", "trials:write")
"""What commands on this machine may do with the local secret."""

_log = logs.get("app")


class StartFailed(Exception):
    """The hub cannot start; the message is one clear line."""


class App:
    """One hub process. `start` returns once it serves; `run` until it is told to stop, or must."""

    def __init__(self, settings: Settings, *, clock: MonotonicClock | None = None) -> None:
        """`clock`: another than the live one, for the demo and tests; the lines to sources keep real time,
        so that a clock that is set forward does not look like a silent plant."""
        self.settings = settings
        self.metrics = Metrics()
        self.clock = clock if clock is not None else MonotonicClock()
        self._line_clock = self.clock if clock is None else MonotonicClock()
        self._stack = AsyncExitStack()
        self.crew: Crew
        self.store: PostgresStore
        self.engine: Engine
        self.gateway: Gateway
        self.api: Api
        self.lines: Lines
        self.trials: Trials
        self.supervision: Supervision
        self.accounts: PostgresAccounts
        self.devices: PostgresDevices
        self.carrying: Carrying
        self.sessions: Sessions
        self.boards: Boards

    async def start(self) -> None:
        """Database, lease, state, doors. Raises StartFailed; what was started is undone then."""
        _log.info(Line.HUB_STARTING, shard=self.settings.hub.shard)
        self.crew = Crew("hub", expected=(Fenced,))
        try:
            dsn = await self._database()
            owner = self._owner()
            await self._open_store(dsn)
            lease = await self._take_lease(owner)
            await self._engine(lease, owner)
            await self._doors()
        except (OSError, StoreUnavailable) as exc:
            await self._stack.aclose()
            raise StartFailed(str(exc) or type(exc).__name__) from exc
        except BaseException:
            await self._stack.aclose()
            raise
        _log.info(
            Line.HUB_SERVING, epoch=self.engine.epoch, open_alarms=len(self.engine.state),
            api=self.api.port, phones=self.gateway.port,
        )  # fmt: skip

    async def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """Serve until SIGTERM or SIGINT (0), or until a background task has died (1)."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        starting = loop.create_task(self.start())
        stopping = loop.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                with suppress(asyncio.CancelledError):
                    await starting
                    await self.stop()  # it was done at that moment
                return 0
            await starting
            ready()
            waiting: set[asyncio.Future[Any]] = {stopping, self.crew.fatal}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if self.crew.fatal.done():
            died = self.crew.fatal.result()
            lost = isinstance(died.exc, Fenced)
            _log.error(Line.LEASE_LOST if lost else Line.HUB_FAILED, task=died.name, cause=died.cause)
            await self.stop(drain=False)
            return 1
        await self.stop()
        return 0

    async def stop(self, *, drain: bool = True) -> None:
        """Close the doors, commit what waits, give the lease back, close everything."""
        _log.info(Line.HUB_STOPPING)
        self._drain = drain
        await self._stack.aclose()
        _log.info(Line.HUB_STOPPED)

    _drain = True
    _outage = False

    # Steps

    async def _database(self) -> str:
        database = self.settings.database
        if database.dsn is not None:
            return database.dsn.reveal()
        server = EmbeddedServer(database.folder())
        dsn = await server.start()
        self._stack.push_async_callback(server.stop)
        _log.info(Line.DATABASE_STARTED)
        self._stack.push_async_callback(self.crew.close)
        spawn(server.keep(), "embedded database", self.crew)
        return dsn

    def _owner(self) -> str:
        hub, folder = self.settings.hub, self.settings.database.folder()
        owner, handle = lease_owner(folder, hub.shard, hub.owner())
        self._stack.callback(os.close, handle)
        return owner

    async def _open_store(self, dsn: str) -> None:
        hub, database = self.settings.hub, self.settings.database
        self.store = PostgresStore(dsn, shard=hub.shard, command_timeout_s=database.command_timeout_s)
        self._stack.push_async_callback(self.store.close)
        said = False
        while True:
            try:
                await self.store.open()
                return
            except StoreUnavailable as exc:
                if not said:
                    _log.warning(Line.DATABASE_LOST, cause=str(exc))
                said = self._outage = True
                await asyncio.sleep(OPEN_AGAIN_EVERY_S)

    async def _take_lease(self, owner: str) -> Lease:
        ttl_ms = round(self.settings.hub.lease_ttl_s * 1000)
        standing_by = False
        while True:
            asked_ns, lease = 0, None
            try:
                if self._outage:
                    await self._let_the_other_come_back()
                asked_ns = self.clock.monotonic_ns()
                lease = await self.store.acquire(owner, ttl_ms)
            except StoreUnavailable:
                self._outage = True
            if lease is not None:
                self.clock.measured(lease.database_now, asked_ns=asked_ns)
                _log.info(Line.LEASE_TAKEN, epoch=lease.epoch)
                return lease
            if not standing_by:
                standing_by = True
                _log.info(Line.HUB_STANDBY)
            await asyncio.sleep(STANDBY_LOOK_EVERY_S)

    async def _let_the_other_come_back(self) -> None:
        """The lease ran out because the database was away, not because its hub died: that hub has the phones,
        and asks several times a second. Raises StoreUnavailable while the database is still away."""
        await self.store.applied("")
        await asyncio.sleep(OTHER_COMES_BACK_WITHIN_S)
        self._outage = False

    async def _engine(self, lease: Lease, owner: str) -> None:
        self.lines = Lines(
            self.settings.by_protocol(), clock=self._line_clock, crew=self.crew, metrics=self.metrics
        )
        couriers: dict[str, Courier] = {"report": self.lines.report}
        senders = self.settings.espa_sender
        if senders:
            couriers["page"] = self.lines.page
        self.pushes = PushService(
            self._transports(), PostgresPushTargets(self.store), clock=self.clock, crew=self.crew,
            metrics=self.metrics,
        )  # fmt: skip
        couriers["push"] = self.pushes.carry
        if self.settings.smpp:
            couriers["sms"] = self.lines.text
        self.engine = Engine(
            store=self.store, clock=self.clock, crew=self.crew, metrics=self.metrics, owner=owner,
            lease_ttl_ms=round(self.settings.hub.lease_ttl_s * 1000), couriers=couriers,
            pagers=(lambda number: any(s.reaches(number) for s in senders)) if senders else None,
            texts=bool(self.settings.smpp),
        )  # fmt: skip
        self._stack.push_async_callback(self._give_back)
        self._stack.push_async_callback(self.crew.close)
        await self.engine.start(lease)
        self.supervision = self._supervise()  # before anybody is heard of
        self._stack.push_async_callback(self.pushes.stop)
        await self.pushes.start(self.engine)
        self._stack.push_async_callback(self._drain_engine)
        self.clock.on_jump = self._clock_jumped
        spawn(watch_loop(self.metrics.loop_lag_s.observe), "loop lag", self.crew)
        await self._local_token()

    def _transports(self) -> list[Transport]:
        """The push providers that are set up."""
        settings = self.settings
        made = providers(
            settings.apns, settings.fcm, settings.webpush,
            data_dir=settings.database.folder(), clock=self.clock, crew=self.crew,
        )  # fmt: skip
        return list(made.values())

    async def _give_back(self) -> None:
        with suppress(StoreUnavailable, Fenced):
            await self.engine.give_back()

    async def _drain_engine(self) -> None:
        if not self._drain:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await self.engine.stop()

    async def _local_token(self) -> None:
        try:
            secret = local_secret(self.settings.database.folder())
        except OSError as exc:
            _log.warning(Line.REQUEST_REFUSED, reason=str(exc))
            return
        digest = digest_of(secret.reveal())
        known = await self.store.token(digest)
        if known is None or set(known.scopes) != set(LOCAL_SCOPES):
            await self.store.add_tokens([Token(digest, "api", "local", LOCAL_SCOPES)], self.clock.now())

    async def _doors(self) -> None:
        phones = self.settings.phones
        self.gateway = Gateway(
            intake=self.engine, desk=self.engine, tokens=self.store, clock=self.clock, crew=self.crew,
            settings=GatewaySettings(
                host=phones.host, port=phones.port, beat_s=phones.beat_s, dead_after_s=phones.dead_after_s,
                hello_within_s=phones.hello_within_s, frame_limit=phones.frame_limit,
                byte_budget=phones.byte_budget, faults_allowed=phones.faults_allowed,
                origins=phones.origins,
            ),
            on_seen=self._seen, on_unit=self._unit_silent, on_written=self._written,
        )  # fmt: skip
        self.gateway.seed(self.engine.facts)
        self._begin_trials()
        self._begin_carrying()
        await self._begin_supervision()
        self.engine.facts = ()
        self.engine.show_to(self.gateway)
        self.engine.on_flight.append(self.gateway.prepare)
        self._begin_boards()
        self.engine.begin()
        self.engine.on_tokens.append(lambda: self._later(self.gateway.tokens_changed(), "tokens"))
        await self.gateway.start()
        self._stack.push_async_callback(self.gateway.stop)
        self.api = self._web()
        self.engine.on_tokens += [self.api.tokens_changed, self.boards.everybody_again]
        # The API last: when it says that the hub is ready, every line listens.
        await self.lines.start(self.engine)
        self._stack.push_async_callback(self.lines.stop)
        await self.api.start()
        self._stack.push_async_callback(self.api.stop)
        self._stack.callback(self.boards.close)
        self.metrics.on_render.append(self._count)
        # What the start made lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AT)
        spawn(self._collect(), "collector", self.crew)

    def _web(self) -> Api:
        phones, api, sign_in = self.settings.phones, self.settings.api, self.settings.sign_in
        self.accounts = PostgresAccounts(self.store)
        self.sessions = Sessions(self.accounts, self.engine, self._session_settings())
        passwords = Passwords()
        self._stack.callback(passwords.close)
        web_settings = WebSettings(
            host=api.host, port=api.port, body_limit=api.body_limit, connections=api.connections,
            hosts=api.hosts, origins=api.origins, local_metrics=api.local_metrics,
        )  # fmt: skip
        people = people_doors(
            accounts=self.accounts, sessions=self.sessions, passwords=passwords, desk=self.engine,
            settings=web_settings, sign_in=sign_in, provider=self._provider(),
        )  # fmt: skip
        return Api(
            intake=self.engine, desk=self.engine, store=self.store, metrics_render=self.metrics.render,
            settings=web_settings,
            ready=self._ready,
            on_refused=lambda reason: self.metrics.refusals.labels("api", reason).inc(),
            lines=lambda: self.lines.status(), trials=self.trials,
            hooks=Hooks(self.lines, [link.source for link in self.settings.alertmanager]),
            sessions=self.sessions,
            doors=[
                Pages(
                    socket_port=lambda: self.gateway.port, socket_url=phones.public_url, secure=api.secure,
                    vapid_public=lambda: vapid_public(self.pushes.transports.values()),
                    sign_in=lambda: SignInWays(
                        local=sign_in.local, passkeys=sign_in.passkeys, oidc=bool(self.settings.oidc.issuer)
                    ),
                ),
                *people,
                BoardDoor(self.boards, self.engine),
                DeviceDoor(
                    carrying=self.carrying, devices=self.devices, sessions=self.sessions, desk=self.engine,
                    reach=self.engine.contacts.of_device, settings=web_settings,
                ),
                ShiftDoor(
                    intake=self.engine, desk=self.engine, shifts=lambda: self.engine.state.shifts,
                    settings=web_settings,
                ),
                DrillDoor(
                    drills=self.supervision.drills, handsets=self.supervision.handsets, desk=self.engine,
                    settings=web_settings,
                ),
                PushDoor(
                    targets=self.pushes.book, intake=self.engine, desk=self.engine,
                    frames_of=self.gateway.frames_of, settings=web_settings,
                ),
            ],
        )  # fmt: skip

    def _provider(self) -> Provider | None:
        if not self.settings.oidc.issuer:
            return None
        provider = Provider(self.settings.oidc, self.clock.now)
        self._stack.push_async_callback(provider.close)
        return provider

    def _session_settings(self) -> SessionSettings:
        api, sign_in = self.settings.api, self.settings.sign_in
        return SessionSettings(
            secure=api.secure, proxies=api.proxies, idle_s=sign_in.idle_hours * 3600,
            longest_s=sign_in.longest_hours * 3600, hospital_grants=bool(self.settings.oidc.grants),
        )  # fmt: skip

    # Threads between the parts

    def _begin_carrying(self) -> None:
        self.devices = PostgresDevices(self.store)
        self.carrying = Carrying(
            devices=self.devices, intake=self.engine, now=self.engine.now,
            elsewhere=self.engine.contacts.elsewhere,
        )  # fmt: skip
        self.carrying.carried.append(self._carried)

    def _carried(self, device: Device, staff: str | None) -> None:
        self.gateway.carried(device.id, device.digest, staff)
        self.pushes.book.carried(device.id, staff or "")
        self.api.carried(device.digest)

    def _begin_trials(self) -> None:
        engine = self.engine
        self.trials = Trials(
            clock=self.clock, world=engine.world, fact=engine.fact, say=engine.say,
            opened=engine.state.by_key,
            lost=lambda source: engine.link(source, up=False), is_up=self.lines.is_up,
            shown=self.gateway.banners_changed, forgotten=engine.forgotten,
        )  # fmt: skip
        self.trials.take(engine.facts)
        engine.admit, engine.announced = self.trials.admit, self.trials.announced
        tell = self.gateway.warnings_changed
        stand_ins = StandIns(world=engine.world, substitutes=lambda: engine.state.substitutes, shown=tell)
        engine.on_roster.append(stand_ins.look)
        self.gateway.show_banners(lambda staff: self.trials.banners_of(staff) + stand_ins.banners_of(staff))
        spawn(self.trials.run(), "trials", self.crew)

    def _supervise(self) -> Supervision:
        return Supervision(
            self.engine, clock=self.clock, rows=PostgresDrills(self.store),
            devices=PostgresDevices(self.store), rules=self.settings.phones.supervision(),
            drill_rules=self.settings.drills.rules(),
            version=__version__, counted=self.metrics.drilled,
            transports_of=lambda device: self.pushes.book.transports_of(device),
        )  # fmt: skip

    async def _begin_supervision(self) -> None:
        self.gateway.watched_by(self.supervision.handsets)
        self.pushes.courier.on_outcome.append(self.supervision.drills.push_outcome)
        handsets = self.supervision.handsets
        self.pushes.book.on_dead.append(lambda device, transport: handsets.push_dead(device))
        await self.supervision.begin(self.gateway, self.crew)

    def _red_list(self, unit: str) -> list[RedPhone]:
        phones, drills = self.supervision.handsets, self.supervision.drills
        world = self.engine.world()
        return red_phones(unit, world, phones.warnings(unit), drills.last(unit), drills.red(unit))

    def _begin_boards(self) -> None:
        self.boards = Boards(
            desk=self.engine, maintenances=lambda: self.trials.maintenances, red=self._red_list,
            shifts=self.engine.state.shifts,
        )  # fmt: skip
        self.boards.listen(self.engine)
        spawn(self.boards.run(), "boards", self.crew)

    def _ready(self) -> str:
        return "" if self.engine.storing else "the database does not take writes"

    def _seen(self, facts: Sequence[FactRow]) -> None:
        for fact in facts:
            self.engine.fact(fact.scope, fact.key, fact.body)

    def _written(self, change: Change, at: int, frames: int) -> None:
        """Frames of a commit are written: if a deadline had moved the alarm on, how late is the phone?"""
        before = change.before
        if before is None or before.due is None or not frames or before.turn == change.after.turn:
            return
        if before.due <= at:
            self.metrics.written_late_s.observe((at - before.due) / 1000)

    def _unit_silent(self, silence: UnitSilence, at: int) -> None:
        if silence.silent:
            self.engine.say(phones_lost(self.engine.world().site, silence.unit, silence.lost))

    def _clock_jumped(self, gap_ms: int) -> None:
        self.engine.say(clock_jumped(self.engine.world().site, gap_ms))

    def _later(self, coro: Coroutine[Any, Any, None], name: str) -> None:
        spawn(coro, name, self.crew, ends=True)

    async def _collect(self) -> None:
        """A collection stops the loop, of the youngest for some 0.3 ms if they are few, of all for some
        10 ms: not while an event waits."""
        young = itertools.cycle(range(round(COLLECT_ALL_EVERY_S / COLLECT_YOUNG_EVERY_S)))
        for count in young:
            await asyncio.sleep(COLLECT_YOUNG_EVERY_S)
            await self.engine.idle()
            gc.collect(0 if count else 2)

    def _count(self) -> None:
        self.metrics.set_phones(self.engine.contacts.by_reach())
        self.metrics.set_warnings(self.supervision.handsets.by_cause())
        self.metrics.open_deadlines.set(self.engine.open_deadlines)
        for status in self.lines.status():
            self.metrics.source_up.labels(status.source).set(status.up)
