"""Firebase, its token endpoint and a browser's push service as they are on a bad day: HTTP/1.1 on a real
socket, each fault as the test says. What was asked is counted, and the newest kept."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEPT = 200


@dataclass
class Got:
    """One request. `number`: from 0."""

    number: int
    path: str
    headers: dict[str, str]
    body: bytes
    peer: object

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Say:
    """An ordinary answer, after `after_s`."""

    status: int = 200
    said: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    raw: bytes | None = None


class Silent:
    """No answer, ever; the connection stays open."""


class Cut:
    """The connection is cut without an answer."""


Turn = Say | Silent | Cut


def fcm_error(status: int, code: str, api: str = "", message: str = "", **more: Any) -> Say:
    """An error as Firebase's documentation has it."""
    details = (
        [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    )
    if "field" in more:
        violation = {"@type": "type.googleapis.com/google.rpc.BadRequest"}
        details.append({**violation, "fieldViolations": [{"field": more["field"]}]})  # type: ignore[dict-item]
    error = {"code": status, "message": message, "status": api, "details": details}
    return Say(status, {"error": error}, more.get("headers", {}))


class PushSite:
    """`turn`: what a push gets; `token_turn`: what a request for a token gets."""

    def __init__(self) -> None:
        self.turn: Callable[[Got], Turn] = lambda got: Say()
        self.token_turn: Callable[[Got], Turn] = lambda got: Say(
            said={"access_token": f"token-{got.number}", "expires_in": 3600}
        )
        self.got: deque[Got] = deque(maxlen=KEPT)
        self.tokens: deque[Got] = deque(maxlen=KEPT)
        self.count = self.token_count = self.in_flight = self.most_in_flight = 0
        self.peers: set[object] = set()
        self.url = ""
        self._ends = asyncio.Event()

    async def push(self, request: web.Request) -> web.StreamResponse:
        got = await self._got(request, self.count)
        self.count += 1
        self.got.append(got)
        return await self._taken(request, self.turn(got))

    async def token(self, request: web.Request) -> web.StreamResponse:
        got = await self._got(request, self.token_count)
        self.token_count += 1
        self.tokens.append(got)
        return await self._taken(request, self.token_turn(got))

    async def _got(self, request: web.Request, number: int) -> Got:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        if len(self.peers) < 10_000:
            self.peers.add(peer)
        return Got(number, request.path, dict(request.headers), await request.read(), peer)

    async def _taken(self, request: web.Request, turn: Turn) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._said(request, turn)
        finally:
            self.in_flight -= 1

    async def _said(self, request: web.Request, turn: Turn) -> web.StreamResponse:
        match turn:
            case Silent():
                await self._ends.wait()
                return web.Response(status=500)
            case Cut():
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            case Say():
                if turn.after_s:
                    await asyncio.sleep(turn.after_s)
                body = json.dumps(turn.said).encode() if turn.raw is None else turn.raw
                return web.Response(status=turn.status, headers=turn.headers, body=body)

    def end(self) -> None:
        """Let the silent ones go."""
        self._ends.set()


@asynccontextmanager
async def push_site(tls: ssl.SSLContext | None = None) -> AsyncIterator[PushSite]:
    """On a free port of this machine. Pushes go to /v1/… or /push/…, requests for a token to /token."""
    site = PushSite()
    app = web.Application(client_max_size=65_536)
    handlers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
        "/token": site.token,
        "/{push:.*}": site.push,
    }
    for path, handler in handlers.items():
        app.router.add_post(path, handler)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=30, handler_cancellation=True
    )
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await listening.start()
    port = runner.addresses[0][1]
    site.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield site
    finally:
        site.end()
        await runner.cleanup()
