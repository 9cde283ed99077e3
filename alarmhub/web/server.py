"""The HTTP server around the API: aiohttp's low-level server with limits, and problems for broken HTTP.

It bounds what a stranger can hold: connections, the time to send a head or a body, the time to take an
answer, the size of each. It refuses to know routes and secrets.

Decisions: `web.Server` instead of `web.Application`: eight routes and no middleware need none of what the
application adds to every request (`python -m tests.support.web_ratio` prints what that is).
`handler_cancellation` stays off: a caller that hangs up must never cancel a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from msgspec import Struct
from multidict import CIMultiDict

from alarmhub import logs
from alarmhub.logs import Line
from alarmhub.web.problems import PROBLEM_JSON, Failed, encoded, malformed

LINE_BYTES: Final = 8190
HEADERS: Final = 64
LINGER_S: Final = 3.0
"""How long what a refused caller still sends is read and thrown away, so that it can read the refusal."""
SWEEP_EVERY_S: Final = 1.0
DRAIN_WITHIN_S: Final = 5.0
BACKLOG: Final = 1024

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logs.get("web")

_SECURITY: Final = {
    "Server": "alarmhub",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
JSON_HEADERS: Final = CIMultiDict({"Content-Type": "application/json", **_SECURITY})
_PROBLEM_HEADERS: Final = CIMultiDict({"Content-Type": PROBLEM_JSON, **_SECURITY})
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)


class WebSettings(Struct, frozen=True, kw_only=True):
    """The API's part of the settings; times in seconds.

    `hosts`: names under which callers reach it, besides localhost and plain addresses; "*" = any.
    `origins`: web origins whose pages may call it. `local_metrics`: callers on this machine need no secret
    for /metrics. `body_within_s`, `head_within_s`, `taken_within_s`: how long a caller may take to send a
    body or a head, and to take an answer.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    body_limit: int = 64 * 1024  # bytes
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    connections: int = 2000
    head_within_s: float = 10.0
    body_within_s: float = 10.0
    taken_within_s: float = 20.0
    idle_s: float = 75.0
    local_metrics: bool = True


def reply(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """A JSON answer."""
    return web.Response(body=body, status=status, headers=JSON_HEADERS)


def refusal(failed: Failed) -> web.Response:
    """A problem as an answer."""
    response = web.Response(body=encoded(failed.problem), status=failed.status, headers=_PROBLEM_HEADERS)
    response.headers.update(failed.headers)
    if failed.close:
        response.force_close()
    return response


async def read_body(request: web.BaseRequest, settings: WebSettings) -> bytes:
    """The whole JSON body. Raises Failed: 408, 413, 415, 400 for a body that breaks off."""
    headers = request.headers
    if headers.get(hdrs.CONTENT_TYPE) != "application/json":
        _check_content_type(request)
    if hdrs.CONTENT_ENCODING in headers:
        raise Failed(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "encoding",
            "send the body without Content-Encoding",
            close=True,
        )
    content = request.content
    if content.is_eof():
        # All of it came with the head: no need to wait, nor for the machinery of waiting.
        body = content.read_nowait()
        if len(body) > settings.body_limit:
            raise _too_large(settings)
        return body
    if (request.content_length or 0) > settings.body_limit:
        raise _too_large(settings)
    if hdrs.EXPECT in headers:
        await _continue(request)
    try:
        async with asyncio.timeout(settings.body_within_s):
            return await request.read()
    except TimeoutError:
        late = f"the body did not arrive within {settings.body_within_s:g} s"
        raise Failed(HTTPStatus.REQUEST_TIMEOUT, "slow", late, close=True) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(settings) from None
    except web.RequestPayloadError:
        raise malformed("the body broke off or its framing is wrong") from None


def _too_large(settings: WebSettings) -> Failed:
    return Failed(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body is larger than {settings.body_limit} bytes",
        close=True,
    )


def _check_content_type(request: web.BaseRequest) -> None:
    charset = request.charset
    if request.content_type != "application/json" or (charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Failed(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "expected Content-Type: application/json in UTF-8",
        )


async def _continue(request: web.BaseRequest) -> None:
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        raise Failed(
            HTTPStatus.EXPECTATION_FAILED,
            "expectation",
            "only Expect: 100-continue is understood",
            close=True,
        )
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0


class _Connection(web.RequestHandler):
    """aiohttp's connection, knowing since when it waits for a head, and for its answer to be taken."""

    __slots__ = ("answering", "head_since", "unsent_since")

    def __init__(self, server: HttpServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.head_since = self._loop.time()
        self.unsent_since = 0.0
        self.answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turn the caller away when the house is full."""
        server = self._manager
        if isinstance(server, HttpServer) and not server.has_room():
            self.close()
            turned_away = cast(asyncio.WriteTransport, transport)  # uvloop's are none by class
            turned_away.write(_FULL)
            turned_away.close()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Note when a head began."""
        if not self.head_since and not self.answering:
            self.head_since = self._loop.time()
        super().data_received(data)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Faults in aiohttp's own part go into the hub's log in its own words."""
        exc = kw.get("exc_info")
        _log.error(Line.REQUEST_FAILED, exc=exc if isinstance(exc, BaseException) else None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP request, and to faults outside our handler."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error(Line.REQUEST_FAILED, exc=exc)
            return refusal(fault())
        return refusal(
            Failed(HTTPStatus(status), "malformed", "this is not a valid HTTP request", close=True)
        )

    def cut(self) -> None:
        """End it now; what was not taken is dropped, for a polite close would wait for it to be taken."""
        if self.transport is not None:
            self.transport.abort()

    def overdue(self, now: float, settings: WebSettings) -> bool:
        """Whether the caller has used up its time for a head, or for taking an answer."""
        if self.head_since and now - self.head_since > settings.head_within_s:
            return True
        transport = self.transport
        if transport is None or not transport.get_write_buffer_size():
            self.unsent_since = 0.0
            return False
        self.unsent_since = self.unsent_since or now
        return now - self.unsent_since > settings.taken_within_s


def fault() -> Failed:
    """500: the hub's own fault, told without a word of what went on inside."""
    return Failed(
        HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "the hub failed to answer this request", close=True
    )


class HttpServer(web.Server):
    """Serves `handler` on one address, within the limits of `settings`. Make it inside a running loop."""

    def __init__(self, handler: Handler, settings: WebSettings) -> None:
        super().__init__(self._answer, request_factory=self._request, handler_cancellation=False)
        self._settings = settings
        self._handler = handler
        self._timer: asyncio.TimerHandle | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def port(self) -> int:
        """The port it listens on; what was asked for before `start`."""
        return self._settings.port if self._site is None else self._site.port

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        runner = web.ServerRunner(self, handle_signals=False, shutdown_timeout=DRAIN_WITHIN_S)
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port, backlog=BACKLOG)
        await site.start()
        self._runner, self._site = runner, site
        self._sweep()
        _log.info(Line.LISTENING, address=site.name)

    async def stop(self) -> None:
        """Take no new connection, finish what is being answered, close the rest. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def has_room(self) -> bool:
        """Whether one more connection may stay."""
        return len(self._connections) < self._settings.connections

    def __call__(self) -> web.RequestHandler:
        """A new connection's protocol."""
        return _Connection(
            self,
            loop=self._loop,
            keepalive_timeout=self._settings.idle_s,
            access_log=None,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        return web.BaseRequest(
            message, payload, protocol, writer, task, self._loop, client_max_size=self._settings.body_limit
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, _Connection)
        connection.head_since = 0.0
        connection.answering = True
        try:
            return await self._handler(request)
        finally:
            connection.answering = False

    def _sweep(self) -> None:
        """Close what takes too long. One timer for all connections."""
        self._timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep)
        now = self._loop.time()
        for connection in self.connections:
            if isinstance(connection, _Connection) and connection.overdue(now, self._settings):
                _log.debug(Line.REQUEST_REFUSED, status=0, reason="too_slow")
                connection.cut()
