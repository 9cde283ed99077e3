"""What the API costs beside a bare aiohttp handler: `python -m tests.support.web_ratio [REQUESTS]`.

Servers in processes of their own, the same caller (four kept-alive connections, one request in flight on
each), in turn over several rounds. It prints requests per second and the server's CPU time per request, the
median over the rounds, and the ratio to the bare application, whose handler reads and decodes the same body
and answers 201. CPU time is the figure to trust on a busy machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

import msgspec
from aiohttp import web

from alarmhub import logs
from alarmhub.ports import SignalOutcome
from tests.support.intake import BED
from tests.support.web import PLANT, Hub

ROUNDS = 7
CONNECTIONS = 4
VARIANTS = ("bare application", "bare server", "api")
ALARM = "0b6b4d5e-9f0e-4f43-8a52-5f7f6a3ad9a1"
BODY = json.dumps({"ref": "bed-7", "event": "start", "place": BED, "kind": "patient_call"}).encode()
REQUEST = (
    b"POST /api/v1/signals HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer "
    + PLANT.encode()
    + b"\r\nContent-Length: "
    + str(len(BODY)).encode()
    + b"\r\n\r\n"
    + BODY
)


async def bare(request: web.BaseRequest) -> web.Response:
    """The least a handler can do with a signal."""
    msgspec.json.decode(await request.read())
    answer = msgspec.json.encode({"alarm": ALARM, "phase": "ringing", "new": True})
    return web.Response(body=answer, status=201, content_type="application/json")


async def serve(variant: str) -> None:
    """Serve until the pipe to us closes; then say how much CPU time went."""
    logs.configure(level="error")
    if variant == "api":
        hub = Hub()

        async def taken(_signal: object) -> SignalOutcome:
            return SignalOutcome(ALARM, "ringing", True)

        hub.intake.signal = taken  # type: ignore[method-assign]
        await hub.api.start()
        port = hub.api.port
    else:
        port = await serve_bare(variant)
    print(port, flush=True)
    await until_closed()


async def until_closed() -> None:
    """At every line say the CPU time since the last."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    started = time.process_time()
    while await reader.readline():
        print(time.process_time() - started, flush=True)
        started = time.process_time()


async def serve_bare(variant: str) -> int:
    """The library as it comes."""
    if variant == "bare application":
        app = web.Application()
        app.router.add_post("/api/v1/signals", bare)
        runner: web.BaseRunner = web.AppRunner(app, access_log=None)
    else:
        runner = web.ServerRunner(web.Server(bare, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return site.port


async def call(port: int, requests: int) -> None:
    """One connection, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201"), head
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()
    await writer.wait_closed()


async def run(port: int, requests: int) -> float:
    """Requests per second over all connections."""
    started = time.perf_counter()
    await asyncio.gather(*(call(port, requests // CONNECTIONS) for _ in range(CONNECTIONS)))
    return requests / (time.perf_counter() - started)


def main(requests: int) -> None:
    """Measure and print."""
    servers = {
        v: subprocess.Popen(
            [sys.executable, "-m", "tests.support.web_ratio", "--serve", v],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ,
        )
        for v in VARIANTS
    }  # fmt: skip
    ports = {v: int(p.stdout.readline()) for v, p in servers.items()}  # type: ignore[union-attr]
    rates: dict[str, list[float]] = {v: [] for v in VARIANTS}
    cpu_us: dict[str, list[float]] = {v: [] for v in VARIANTS}
    for round_ in range(ROUNDS + 1):
        for variant, server in servers.items():
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(b"\n")
            server.stdin.flush()
            server.stdout.readline()
            rate = asyncio.run(run(ports[variant], requests))
            server.stdin.write(b"\n")
            server.stdin.flush()
            used_s = float(server.stdout.readline())
            if round_:  # the first warms up
                rates[variant].append(rate)
                cpu_us[variant].append(used_s / requests * 1e6)
    for server in servers.values():
        server.communicate()
    floor = statistics.median(cpu_us[VARIANTS[0]])
    for variant in VARIANTS:
        rate, used = statistics.median(rates[variant]), statistics.median(cpu_us[variant])
        print(f"{variant:17} {rate:7.0f} requests/s {used:6.1f} µs CPU each {used / floor:5.2f} × the first")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
