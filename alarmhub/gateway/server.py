"""The phone gateway: opens the door, looks after everybody twice a second, tells the engine who is there.

`Gateway` composes the parts of this package and is all that the app sees. It refuses to decide about alarms
and keeps no state that outlives it, except the last-seen times it hands out to be stored.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace
from websockets.typing import Origin

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.reach import Reach
from alarmhub.gateway.connection import CLOSING_TICKS, TICK_S, Connection, Limits, Stage, text_frame
from alarmhub.gateway.entrance import Entrance
from alarmhub.gateway.pace import Pace
from alarmhub.gateway.reach import SEEN_LATELY_MS, DeviceKey, ReachTable, UnitSilence
from alarmhub.gateway.screens import Screens
from alarmhub.gateway.seats import Seats
from alarmhub.gateway.sessions import Sessions
from alarmhub.gateway.tokens import TokenDesk, TokenSource
from alarmhub.logs import Line
from alarmhub.ports import Change, Desk, FactRow, Intake, PhoneWatch, StoreUnavailable, Token
from alarmhub.tasks import Crew, spawn
from protocols.phone import MAX_FRAME_BYTES, Closing, encode

DEVICE_SCOPE: Final = "device"
"""Scope of the facts that say when a device was last seen."""
SEEN_EVERY_MS: Final = 5 * 60_000
SEEN_AT_ONCE: Final = 100
"""Facts handed out per half second: more in one batch would hold up an alarm's commit. Ten thousand phones
are through in less than a minute; within ten all are asked for again."""
STOP_WITHIN_S: Final = 2.0
ASK_AGAIN_S: Final = 1.0
SEND_BUFFER_BYTES: Final = 65_536
"""Per socket in the kernel: a phone that does not read must show up in its byte budget, not hide there."""
ASKED_AT_ONCE: Final = 500
"""Phones whose secrets are asked about in one question: thousands would hold up the loop for a tenth of a
second."""
AT_ONCE: Final = 200
"""So many phones are written to before the loop may do something else, where nothing is urgent."""

_REFUSAL: Final = b"HTTP/1.1 %d %s\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_SOMEBODY: Final = "somebody"
_CLOSINGS: Final = {
    None: (Closing.BAD_TOKEN, "this token is no longer valid"),
    "": (Closing.NOBODY, "nobody is signed in on this phone"),
    _SOMEBODY: (Closing.HANDED_OVER, "this phone was handed to somebody else: say hello again"),
}
"""How a phone's socket is closed when its secret is no longer its person's, by whose it is."""
_NOT_COMING_BACK: Final = frozenset(code for code, _ in _CLOSINGS.values())

_log = logs.get("gateway")


class GatewaySettings(Struct, frozen=True):
    """The gateway's slice of the settings; times in seconds."""

    host: str = "127.0.0.1"
    port: int = 8081
    beat_s: float = 3.0
    dead_after_s: Annotated[float, Meta(le=9)] = 9.0
    hello_within_s: float = 5.0
    frame_limit: int = MAX_FRAME_BYTES
    byte_budget: int = 262_144
    faults_allowed: int = 20
    connections_max: int = 20_000
    handshakes_per_s: float = 1_000.0
    handshakes_burst: int = 15_000
    origins: tuple[str, ...] = ()


class Counters(Struct):
    """What happened since the start; all only ever rise."""

    accepted: int = 0
    refused: int = 0
    closed_dead: int = 0
    closed_slow: int = 0
    no_hello: int = 0


class Gateway:
    """Phone sockets of one hub. Implements `ports.Phones`.

    `on_seen(facts)`: last-seen times to store, on connect and every 5 min. `on_unit(silence, at)`: half of a
    unit's phones vanished, or they are back. `on_written(change, at, frames)`: called after the frames of a
    change were written (`at`: the hub's clock then), for lateness. `monotonic_ms`: steady clock. `tick_s`:
    how often `sweep` runs, None = when the caller calls it; both are arguments for tests alone.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        desk: Desk,
        tokens: TokenSource,
        clock: Clock,
        settings: GatewaySettings,
        crew: Crew,
        on_seen: Callable[[Sequence[FactRow]], None] = lambda facts: None,
        on_unit: Callable[[UnitSilence, int], None] = lambda silence, at: None,
        on_written: Callable[[Change, int, int], None] | None = None,
        monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        tick_s: float | None = TICK_S,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._settings = settings
        self._crew = crew
        self._on_seen = on_seen
        self._on_unit = on_unit
        self._now = monotonic_ms
        self._tick_s = tick_s
        self._limits = Limits(
            frame_bytes=settings.frame_limit,
            budget_bytes=settings.byte_budget,
            origins=tuple(Origin(origin) for origin in settings.origins),
        )
        self._dead_ticks = round(settings.dead_after_s / TICK_S)
        self._hello_ticks = round(settings.hello_within_s / TICK_S)
        self._connections: set[Connection] = set()
        self._entrance = Entrance(crew)
        self._pace = Pace(settings.handshakes_per_s, settings.handshakes_burst)
        self._reach = ReachTable()
        self._seats = Seats()
        self._screens = Screens(desk, self._seats, on_written=on_written)
        self._tokens = TokenDesk(tokens, monotonic_ms, away=lambda: not desk.storing)
        self._sessions = Sessions(
            intake=intake, desk=desk, tokens=self._tokens, seats=self._seats, screens=self._screens,
            crew=crew, beat_s=settings.beat_s, faults_allowed=settings.faults_allowed, on_seated=self._seated,
        )  # fmt: skip
        self._seen: dict[DeviceKey, int] = {}
        self._all_seen_at = monotonic_ms()
        self._telling = False
        self._banners = 0  # how often they changed
        self._server: asyncio.Server | None = None
        self._stopping = False
        self._empty: asyncio.Future[None] | None = None
        self.received = self._sessions.received
        self.received_binary = self._sessions.received_binary
        self.counters = Counters()

    # -- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the door. Raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        self._server = await loop.create_server(
            lambda: Connection(self, self._limits), settings.host, settings.port, backlog=4096
        )
        for listening in self._server.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if self._tick_s is not None:
            spawn(self._look_after(self._tick_s), "phone sweep", self._crew)
        _log.info(Line.LISTENING, address=f"{settings.host}:{self.port}", door="phones")

    @property
    def port(self) -> int:
        """The port the door is at, also when any free one was asked for."""
        if self._server is None:
            raise RuntimeError("the gateway has not been started")
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the door and every phone, with the reason; at most 2 s."""
        self._stopping = True
        self._empty = asyncio.get_running_loop().create_future()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close(Closing.RESTART, "the hub restarts")
        if self._connections:
            await asyncio.wait([self._empty], timeout=STOP_WITHIN_S)
        for connection in tuple(self._connections):
            connection.abort(Closing.RESTART)

    # -- for the engine (ports.Phones) ----------------------------------------------------------

    def refresh(self, changes: Sequence[Change]) -> None:
        """Committed: every screen concerned is brought up to date, at once and without waiting."""
        self._screens.refresh(changes)

    def prepare(self, changes: Sequence[Change]) -> None:
        """Being committed: what can be rendered of it before anybody may see it."""
        self._screens.prepare(changes)

    def storing(self, storing: bool) -> None:
        """Tell every phone whether answers can be stored. The newest state wins while it spreads."""
        if not self._telling and not self._stopping:
            self._telling = True
            spawn(self._tell_storing(storing), "phone state", self._crew, ends=True)

    def banners_changed(self) -> None:
        """What `banners_of` says of some people is another than before."""
        self._banners += 1
        self.storing(self._desk.storing)

    async def _tell_storing(self, storing: bool) -> None:
        while True:
            frames: dict[tuple[tuple[str, ...], tuple[str, ...]], bytes] = {}
            changed = self._banners
            for number, connection in enumerate(self._seats.connections()):
                if connection.seat is not None:
                    state = self._sessions.state_of(connection.seat.key.staff)
                    said = (state.banners, state.warnings)
                    if said not in frames:
                        frames[said] = text_frame(encode(replace(state, storing=storing)))
                    connection.send_frames(frames[said])
                if number % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
            if self._desk.storing == storing and self._banners == changed:
                break
            storing = self._desk.storing
        self._telling = False

    # -- for the app ----------------------------------------------------------------------------

    def watched_by(self, watch: PhoneWatch) -> None:
        """From now on this hears how phones are, and says what is wrong with them."""
        self._sessions.watch = watch

    def warnings_changed(self, staff: str) -> None:
        """What is wrong with this person's phones is another than before."""
        frame = text_frame(encode(self._sessions.state_of(staff)))
        for connection in self._seats.of(staff):
            connection.send_frames(frame)

    def silent_for_s(self, staff: str, device: str) -> float | None:
        """How long nothing was heard of a connected phone; None for one that is not connected."""
        for connection in self._seats.of(staff):
            if connection.seat is not None and connection.seat.key.device == device:
                return connection.silent_ticks * TICK_S
        return None

    def show_banners(self, banners_of: Callable[[str], tuple[str, ...]]) -> None:
        """From now on this says what stands on a person's screens, in plain words."""
        self._sessions.banners_of = banners_of

    def frames_of(self, staff: str) -> tuple[int, list[bytes]]:
        """The hub's clock, and the alarm frames of a person as the socket would send them."""
        return self._screens.frames_of(staff)

    @property
    def live(self) -> int:
        """Phones with an open, introduced connection."""
        return self._reach.live

    @property
    def connections(self) -> int:
        """TCP connections open, introduced or not."""
        return len(self._connections)

    @property
    def recent(self) -> int:
        """Phones lost less than 30 s ago."""
        return self._reach.recent

    @property
    def frames_out(self) -> int:
        """Alarm, gone and welcome frames written since the start."""
        return self._screens.frames_out

    @property
    def faults(self) -> int:
        """Faults of phones since the start."""
        return self._sessions.faults

    def seed(self, facts: Iterable[FactRow]) -> None:
        """At a start: everybody seen in the last 10 min is `recent` (design.md section 3)."""
        now = self._clock.now()
        keys = [
            _key_of(fact) for fact in facts if fact.scope == DEVICE_SCOPE and now - fact.at <= SEEN_LATELY_MS
        ]
        for key in self._reach.seed([key for key in keys if key is not None], self._now()):
            self._desk.contact(key.staff, key.device, Reach.RECENT, now)

    async def tokens_changed(self) -> None:
        """Tokens were added, handed over or revoked: connections whose token is not this person's any more
        are closed. While the store is away this waits for it."""
        self._tokens.forget()
        believed = self._believed()
        for begin in range(0, len(believed), ASKED_AT_ONCE):
            await self._recheck(believed[begin : begin + ASKED_AT_ONCE])

    async def _recheck(self, believed: list[Token]) -> None:
        while True:
            try:
                for digest in await self._tokens.otherwise(believed):
                    self._carried(digest, await self._tokens.asked(digest))
                return
            except StoreUnavailable:
                await asyncio.sleep(ASK_AGAIN_S)

    def _believed(self) -> list[Token]:
        seated = [(c.digest, c.seat) for c in self._seats.connections()]
        return [
            Token(digest, "phone", seat.key.staff, (), self._tokens.device_of(digest))
            for digest, seat in seated
            if seat is not None
        ]

    def carried(self, device: str, digest: bytes, staff: str | None) -> None:
        """An enrolled phone is from now on this person's, nobody's (""), or revoked (None): committed by this
        process, which need not wait to hear of it. Its socket closes at once."""
        self._tokens.carried(digest, staff)
        self._carried(digest, staff)
        for key in self._reach.of_others(device, staff or ""):
            self._no_longer(key)

    def _carried(self, digest: bytes, staff: str | None) -> None:
        for connection in self._seats.connections():
            seat = connection.seat
            if seat is not None and connection.digest == digest and seat.key.staff != staff:
                connection.close(*_CLOSINGS[staff if not staff else _SOMEBODY])

    def _no_longer(self, key: DeviceKey) -> None:
        """This device is not this person's any more: neither lost nor to be waited for."""
        at = self._clock.now()
        self._seen.pop(key, None)
        self._reach.gone(key)
        self._desk.contact(key.staff, key.device, Reach.NONE, at)
        self._on_seen([FactRow(scope=DEVICE_SCOPE, key=f"{key.staff}/{key.device}", at=at, body=None)])

    # -- for the connections (connection.Owner) -------------------------------------------------

    def opened(self, connection: Connection) -> bytes | None:
        """Within the limits, or the HTTP response that refuses."""
        self._connections.add(connection)
        if self._stopping or len(self._connections) > self._settings.connections_max:
            self.counters.refused += 1
            return _REFUSAL % (503, b"Service Unavailable", 5)
        if not self._pace.allows(connection.peer, self._now()):
            self.counters.refused += 1
            return _REFUSAL % (429, b"Too Many Requests", 1)
        self.counters.accepted += 1
        self._entrance.knock(connection)
        return None

    def left(self, connection: Connection) -> None:
        """A connection is over. If a newer one has the seat, this changes nothing."""
        self._screens.left(connection)
        seat = self._seats.leave(connection)
        if seat is None:
            return
        key, code = seat.key, connection.close_code
        if code == Closing.SLOW_READER:
            self.counters.closed_slow += 1
            _log.warning(
                Line.PHONE_CLOSED, staff=key.staff, device=key.device, code=code, cause="slow reader"
            )
        else:
            # A network that goes takes thousands along: one line each would hold up the loop.
            _log.debug(Line.PHONE_CLOSED, staff=key.staff, device=key.device, code=code)
        if code in _NOT_COMING_BACK and not self._stopping:
            self._no_longer(key)
        elif not self._stopping:
            # A stop of the hub is nobody's loss: the next process takes all of them for recent.
            now = self._clock.now()
            self._seen[key] = now
            self._reach.lost(key, self._now(), goodbye=code == 1000)
            self._desk.contact(key.staff, key.device, Reach.RECENT, now)

    def closed(self, connection: Connection) -> None:
        """The TCP connection is gone."""
        self._connections.discard(connection)
        if self._empty is not None and not self._connections and not self._empty.done():
            self._empty.set_result(None)

    def _seated(self, key: DeviceKey) -> None:
        person = self._desk.world().site.staff.get(key.staff)
        at = self._clock.now()
        self._reach.connected(key, person.units if person is not None else ())
        self._seen[key] = at
        self._desk.contact(key.staff, key.device, Reach.LIVE, at)

    # -- twice a second -------------------------------------------------------------------------

    async def _look_after(self, tick_s: float) -> None:
        while True:
            await asyncio.sleep(tick_s)
            self.sweep()

    def sweep(self) -> None:
        """Half a second has passed: find the dead, let reach expire, hand out last-seen times."""
        for connection in tuple(self._connections):
            silent = connection.tick()
            if silent > CLOSING_TICKS:
                self._judge(connection, silent)
        now, at = self._now(), self._clock.now()
        for key in self._reach.expired(now):
            self._desk.contact(key.staff, key.device, Reach.NONE, at)
        if self._reach.dropped_many(now):
            _log.warning(Line.PHONES_DROPPED, live=self._reach.live, recent=self._reach.recent)
            self._desk.lost_many(at)
        for silence in self._reach.units_changed(now):
            self._say(silence, at)
        self._pace.tick(now)
        self._hand_out_seen(now, at)

    def _judge(self, connection: Connection, silent: int) -> None:
        match connection.stage:
            case Stage.OPEN:
                if silent >= self._dead_ticks:
                    self.counters.closed_dead += 1
                    connection.abort(1006)
            case Stage.HANDSHAKE | Stage.HELLO:
                if silent >= self._hello_ticks:
                    self.counters.no_hello += 1
                    connection.close(Closing.NO_HELLO, "no hello in time")
            case Stage.WAITING | Stage.CHECKING:
                pass  # the line moves by itself, and the store's own time-outs end a check
            case _:
                connection.abort(connection.close_code)

    def _say(self, silence: UnitSilence, at: int) -> None:
        line = Line.UNIT_SILENT if silence.silent else Line.UNIT_BACK
        _log.warning(line, unit=silence.unit, lost=silence.lost, total=silence.total)
        self._on_unit(silence, at)

    def _hand_out_seen(self, now: int, at: int) -> None:
        if now - self._all_seen_at >= SEEN_EVERY_MS:
            self._all_seen_at = now
            self._seen.update(dict.fromkeys(self._seats.keys(), at))
        if self._seen:
            some = list(itertools.islice(self._seen, SEEN_AT_ONCE))
            self._on_seen([_fact_of(key, self._seen.pop(key)) for key in some])


def _fact_of(key: DeviceKey, at: int) -> FactRow:
    body = msgspec.json.encode([key.staff, key.device])
    return FactRow(scope=DEVICE_SCOPE, key=f"{key.staff}/{key.device}", at=at, body=body)


def _key_of(fact: FactRow) -> DeviceKey | None:
    if fact.body is None:
        return None
    parts: Any = msgspec.json.decode(fact.body)
    return DeviceKey(str(parts[0]), str(parts[1]))
