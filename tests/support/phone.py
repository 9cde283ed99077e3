"""A running phone gateway over a small engine in memory, and phones that talk to it over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from alarmhub.gateway.connection import Connection
from alarmhub.gateway.server import Gateway, GatewaySettings
from alarmhub.tasks import Crew
from protocols.phone import SUBPROTOCOL, AlarmFrame, Gone, Result, Synced, ToPhone, Welcome, decode_hub
from tests.support.clock import ManualClock
from tests.support.desk import Engine, Tokens

WITHIN_S = 5.0
_F = TypeVar("_F", bound=ToPhone)


class Phone:
    """A well-meant phone. `welcome` and `alarms` are what it got before `synced`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: Welcome | None = None
        self.alarms: list[AlarmFrame] = []

    async def say(self, **frame: Any) -> None:
        await self.socket.send(msgspec.json.encode(frame).decode())

    async def next(self) -> ToPhone:
        async with asyncio.timeout(WITHIN_S):
            return decode_hub(await self.socket.recv())

    async def expect(self, type_: type[_F]) -> _F:
        frame = await self.next()
        assert isinstance(frame, type_), f"expected {type_.__name__}, got {frame}"
        return frame

    async def hears_nothing_before_beat(self) -> None:
        """A beat is answered next: nothing else was on its way."""
        await self.say(type="beat")
        frame = await self.next()
        assert type(frame).__name__ == "BeatAnswer", f"expected silence, got {frame}"

    async def closing(self) -> tuple[int, str]:
        """Wait for the hub to close; the code and the reason."""
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""

    async def ask(self, type: str, alarm: str, rev: int, req: str, **more: Any) -> None:
        await self.say(type=type, alarm=alarm, rev=rev, req=req, **more)

    async def result(self) -> Result:
        return await self.expect(Result)

    async def alarm(self) -> AlarmFrame:
        return await self.expect(AlarmFrame)

    async def gone(self) -> Gone:
        return await self.expect(Gone)


class Nobody:
    """An owner of connections that is never called."""

    def opened(self, connection: Connection) -> bytes | None:
        raise AssertionError("nobody is called")

    def received(self, connection: Connection, payload: bytes) -> None:
        raise AssertionError("nobody is called")

    def received_binary(self, connection: Connection) -> None:
        raise AssertionError("nobody is called")

    def left(self, connection: Connection) -> None:
        raise AssertionError("nobody is called")

    def closed(self, connection: Connection) -> None:
        raise AssertionError("nobody is called")


class Hub:
    """The gateway with everything it stands on. `tick` lets half a second pass for phones."""

    def __init__(self, gateway: Gateway, engine: Engine, tokens: Tokens, clock: ManualClock) -> None:
        self.gateway = gateway
        self.engine = engine
        self.tokens = tokens
        self.clock = clock
        self.seen: list[Any] = []
        self.units: list[Any] = []
        self.written: list[Any] = []

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(0.5)
            self.gateway.sweep()

    async def socket(self, **more: Any) -> Phone:
        """A connection that has not said hello."""
        more.setdefault("subprotocols", [Subprotocol(SUBPROTOCOL)])
        url = f"ws://127.0.0.1:{self.gateway.port}{more.pop('path', '/phone')}"
        more.setdefault("compression", None)
        more.setdefault("ping_interval", None)
        more.setdefault("max_size", None)
        return Phone(await connect(url, proxy=None, **more))

    async def phone(self, staff: str, device: str = "", **more: Any) -> Phone:
        """A connection that is synced."""
        phone = await self.socket(**more)
        await phone.say(type="hello", token=self.tokens.secret(staff), device=device or f"{staff}-phone")
        phone.welcome = await phone.expect(Welcome)
        while not isinstance(frame := await phone.next(), Synced):
            assert isinstance(frame, AlarmFrame)
            phone.alarms.append(frame)
        return phone


@contextlib.asynccontextmanager
async def running(
    engine_of: Callable[[ManualClock], Engine] = Engine, *, tick_s: float | None = None, **settings: Any
) -> AsyncIterator[Hub]:
    """A gateway on a free port whose half seconds pass only by `tick`."""
    clock = ManualClock()
    engine, tokens, crew = engine_of(clock), Tokens(), Crew("test")
    given = {"port": 0, **settings}
    hub: Hub
    gateway = Gateway(
        intake=engine,
        desk=engine,
        tokens=tokens,
        clock=clock,
        settings=GatewaySettings(**given),
        crew=crew,
        on_seen=lambda facts: hub.seen.extend(facts),
        on_unit=lambda silence, at: hub.units.append(silence),
        on_written=lambda change, at, frames: hub.written.append((change.after.id, at, frames)),
        monotonic_ms=clock.now,
        tick_s=tick_s,
    )
    hub = Hub(gateway, engine, tokens, clock)
    engine.phones = gateway
    await gateway.start()
    try:
        yield hub
        assert not crew.fatal.done(), crew.fatal.result()
    finally:
        await gateway.stop()
        await crew.close()
