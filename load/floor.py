"""The floor: HTTP in, one INSERT committed, one WebSocket frame out, and nothing else.

What any hub on these libraries (aiohttp, asyncpg, websockets, msgspec) must at least cost. It routes by
the number in the text, keeps no state but its sockets, checks no secret, and ignores what phones answer.
Everything that could slow it down for the hub's benefit is left out: prepared statement, pool without
reset, no compression, no pings, no access log.

    python -m load.floor --dsn DSN --http 8080 --phones 8081 [--loop asyncio|uvloop] [--connections 4]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import signal
import time
import uuid

import asyncpg
import msgspec
import uvloop
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

TABLE = """CREATE TABLE IF NOT EXISTS alarm (id uuid PRIMARY KEY, ref text NOT NULL, event text NOT NULL,
    place text NOT NULL, kind text NOT NULL, text text NOT NULL, raised_at bigint NOT NULL)"""
INSERT = "INSERT INTO alarm VALUES ($1, $2, $3, $4, $5, $6, $7)"
WELCOME = '{"type":"welcome","staff":"floor","beat_every":%s,"at":%d,"features":[]}'


def now_ms() -> int:
    """Milliseconds since the epoch, as the hub shows them."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000


class Signal(msgspec.Struct):
    """What is read of a signal."""

    ref: str
    event: str
    place: str = ""
    kind: str = ""
    text: str = ""


class Floor:
    """The one pool, the one list of phones, and the two handlers."""

    def __init__(self, pool: asyncpg.Pool, beat_every_s: float) -> None:
        self.pool, self.beat_every_s = pool, beat_every_s
        self.phones: list[ServerConnection] = []
        self.decoder, self.encoder, self.next = msgspec.json.Decoder(Signal), msgspec.json.Encoder(), 0

    async def signal(self, request: web.Request) -> web.Response:
        """One signal: stored, shown to the next phone, answered."""
        got = self.decoder.decode(await request.read())
        alarm, at = uuid.uuid4(), now_ms()
        await self.pool.execute(INSERT, alarm, got.ref, got.event, got.place, got.kind, got.text, at)
        if got.event == "start" and self.phones:
            self.next = (self.next + 1) % len(self.phones)
            frame = {
                "type": "alarm", "rev": 1, "id": str(alarm), "phase": "ringing", "kind": got.kind,
                "place": got.place, "text": got.text, "raised_at": at, "turn": 1, "can": ["accept"],
                "rings": True, "at": at,
            }  # fmt: skip
            with contextlib.suppress(ConnectionClosed):
                await self.phones[self.next].send(self.encoder.encode(frame).decode())
        body = self.encoder.encode({"alarm": str(alarm), "phase": "ringing", "new": True})
        return web.Response(body=body, status=201, content_type="application/json")

    async def phone(self, socket: ServerConnection) -> None:
        """One phone: its hello is taken as it is, what it says later is read and dropped."""
        await socket.recv()
        await socket.send(WELCOME % (self.beat_every_s, now_ms()))
        await socket.send('{"type":"synced"}')
        self.phones.append(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self.phones.remove(socket)


async def healthz(_: web.Request) -> web.Response:
    """Ready as soon as it listens."""
    return web.Response(text="ok")


async def keep_as_is(_: asyncpg.Connection) -> None:
    """In place of RESET ALL: one round trip less per alarm."""


async def main(args: argparse.Namespace) -> None:
    """Serves until SIGTERM or SIGINT."""
    pool = await asyncpg.create_pool(
        args.dsn, min_size=args.connections, max_size=args.connections, reset=keep_as_is,
        max_inactive_connection_lifetime=0,
    )  # fmt: skip
    await pool.execute(TABLE)
    floor = Floor(pool, args.beat_every)
    app = web.Application(client_max_size=65_536)
    app.add_routes([web.post("/api/v1/signals", floor.signal), web.get("/readyz", healthz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", args.http, backlog=1024).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with serve(
        floor.phone, "127.0.0.1", args.phones, compression=None, max_size=16_384, ping_interval=None,
        backlog=1024, close_timeout=0.2,
    ):  # fmt: skip
        gc.freeze()
        await stop.wait()
    await runner.cleanup()
    pool.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--http", type=int, required=True)
    parser.add_argument("--phones", type=int, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--beat-every", type=float, default=3, help="seconds; as often as the hub's phones")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if options.loop == "uvloop" else None) as own:
        own.run(main(options))
