"""The ends of a SIP door: UDP, TCP and TLS, requests in and requests out, each done once.

A request is handed to `answer`, and what that returns is sent where RFC 3261 wants it; over UDP a repetition
gets the same bytes again. A request of ours (`ask`) goes over the connection its receiver holds open, or over
UDP with repetitions, or over a connection of its own. It refuses to know who may send and what bodies mean,
more than `requests_per_s` from one peer, and to amplify: what cannot be read over UDP is not answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct, structs

from alarmhub import logs
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.flood import Flood
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from alarmhub.logs import Line
from protocols.sip import (
    DEFAULT_PORT,
    DEFAULT_TLS_PORT,
    Garbled,
    Message,
    Request,
    Response,
    answer,
    build,
    parse,
    reply_address,
)
from protocols.sip_stream import SipStream
from protocols.sip_transaction import (
    TIMER_F_MS,
    Again,
    Begun,
    Busy,
    ClientTransactions,
    Outcome,
    Sending,
    ServerTransactions,
)

IDLE_MS: Final = 3_600_000
CONNECT_WITHIN_S: Final = 4.0
DRAIN_WITHIN_S: Final = 3.0
SWEEP_EVERY_MS: Final = 2_000
EARLY_S: Final = 0.005
RETRY_AFTER_S: Final = 2
UDP, TCP, TLS = "udp", "tcp", "tls"

_log = logs.get("sip")


class Path(Struct, frozen=True):
    """The way a request came: transport, the peer's host and port, and the line it holds open, if one."""

    transport: str
    host: str
    port: int
    line: SipLine | None = None

    @property
    def peer(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"


class Target(Struct, frozen=True):
    """Where a request of ours goes. `line`: the connection to prefer while it is open."""

    transport: str
    host: str
    port: int | None = None
    line: SipLine | None = None


Answerer = Callable[[Request, Path], Awaitable[Response]]


class SipLine:
    """One TCP or TLS connection of a peer: a session of `inbound.stream`."""

    def __init__(self, ends: SipEnds, connection: Connection[Message], transport: str) -> None:
        self.codec = SipStream(idle_ms=IDLE_MS)
        host, _, port = connection.peer.rpartition(":")
        self.path = Path(transport, host, int(port) if port.isdigit() else 0, self)
        self._ends, self.connection = ends, connection

    @property
    def open(self) -> bool:
        """Whether something can be sent over it."""
        return not self.connection.over and not self.codec.closed

    def send(self, data: bytes) -> None:
        """Write this message."""
        self.codec.send(data)
        self.connection.flush()

    async def take(self, event: Message) -> None:
        """One message of the peer; the next is taken when this one is answered."""
        if isinstance(event, Response):
            self._ends.settle(event)
        elif isinstance(event, Garbled):
            self._ends.garbled(event, self.path)
            if event.request is not None:
                self.send(build(self._ends.answered(event.request, self.path, event.status)))
        elif event.method != "ACK":
            self.send(build(await self._ends.work(event, self.path)))

    def lost(self, cause: str) -> None:
        """It is closed."""
        self._ends.lost(self, cause)


class SipEnds:
    """All transports of one link. `word`: makes unguessable words (tags, branches)."""

    def __init__(
        self,
        feed: Feed,
        answerer: Answerer,
        *,
        word: Callable[[], str],
        connections: int,
        requests_per_s: float,
        allows: Callable[[str], bool],
    ) -> None:
        self._feed, self._answerer, self._word, self._allows = feed, answerer, word, allows
        self._flood = Flood(requests_per_s)
        self._served = ServerTransactions()
        self._asked = ClientTransactions()
        self._waiting: dict[str, tuple[asyncio.Future[Response | None], Callable[[bytes], None]]] = {}
        self._udp: asyncio.DatagramTransport | None = None
        self._datagrams: _Datagrams | None = None
        self._limits = Limits(connections=connections)
        self._servers: dict[str, StreamServer[Message]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._swept_at = 0
        self._working = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._client_tls: ssl.SSLContext | None = None

    # Doors

    async def listen_udp(self, host: str, port: int) -> None:
        """Take datagrams. Raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._udp, self._datagrams = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(host, port)
        )

    async def listen(self, transport: str, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Take connections, over TCP or TLS. Raises OSError when the address cannot be had."""
        feed = self._feed
        server: StreamServer[Message] = StreamServer(
            lambda connection: self._open(connection, transport),
            crew=feed.crew,
            clock=feed.clock,
            limits=self._limits,
            name=f"{feed.protocol} {feed.source}",
        )
        await server.start(host, port, tls=tls)
        self._servers[transport] = server

    def port(self, transport: str) -> int:
        """The port this transport listens on, 0 when it does not."""
        if transport == UDP:
            return 0 if self._udp is None else int(self._udp.get_extra_info("sockname")[1])
        server = self._servers.get(transport)
        return 0 if server is None else server.port

    async def close(self) -> None:
        """Stop listening; requests already read are still answered, for a moment."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        try:
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await self._idle.wait()
        except TimeoutError:
            _log.warning(Line.SOURCE_CLOSED, source=self._feed.source, cause="requests left behind at a stop")
        if self._timer is not None:
            self._timer.cancel()
        if self._udp is not None and self._datagrams is not None:
            self._udp.close()
            await self._datagrams.closed.wait()
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_result(None)

    def _open(self, connection: Connection[Message], transport: str) -> SipLine:
        line = SipLine(self, connection, transport)
        self._feed.connected(connection.peer)
        if not self._allows(line.path.host):
            self._feed.refused("not_allowed", "address is not allowed", peer=connection.peer, fault=False)
            connection.close("address is not allowed")
        return line

    def lost(self, line: SipLine, cause: str) -> None:
        """A connection is over."""
        self._feed.disconnected(line.connection.peer, cause)

    # Requests of peers

    def datagram(self, data: bytes, host: str, port: int) -> None:
        """One datagram. What cannot be read, and a peer that sends too much, gets no answer."""
        if not data.strip(b"\r\n\0 "):
            return  # a keep-alive
        path = Path(UDP, host, port)
        if not self._allows(host):
            self._feed.refused("not_allowed", "address is not allowed", peer=path.peer, fault=False)
            return
        message = parse(data)
        if isinstance(message, Response):
            self.settle(message)
        elif isinstance(message, Garbled):
            self.garbled(message, path)
            if message.request is not None and message.request.header("via"):
                self._send_back(message.request, self.answered(message.request, path, message.status), path)
        elif message.method != "ACK":
            self._datagram_request(message, path)

    def _datagram_request(self, request: Request, path: Path) -> None:
        known = self._served.receive(request, path.peer, self._feed.now())
        if isinstance(known, Again):
            if known.response is not None:
                self._send_to(known.response, reply_address(request, (path.host, path.port)))
        elif isinstance(known, Busy):
            busy = self.answered(request, path, 503, (("retry-after", str(RETRY_AFTER_S)),))
            self._send_back(request, busy, path)
        else:
            self._feed.later(self._serve(request, path, known), "sip request")
        self._arm()

    async def _serve(self, request: Request, path: Path, begun: Begun) -> None:
        response = await self.work(request, path)
        data = build(response)
        self._served.answered(begun.key, data, self._feed.now(), reliable=False)
        self._send_to(data, reply_address(request, (path.host, path.port)))
        self._arm()

    async def work(self, request: Request, path: Path) -> Response:
        """The response to a request; a defect met by one is a 500 for it and nothing to the others."""
        passes, news = self._flood.take(path.host, self._feed.now())
        if not passes:
            if news:
                self._feed.refused("flood", "too many requests a second", peer=path.peer, fault=False)
            return self.answered(request, path, 503, (("retry-after", str(RETRY_AFTER_S)),))
        self._working += 1
        self._idle.clear()
        try:
            return await self._answerer(request, path)
        except Exception as error:  # noqa: BLE001  see above
            _log.error(Line.SOURCE_FAULT, exc=error, source=self._feed.source, peer=path.peer, cause="defect")
            return self.answered(request, path, 500)
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    def answered(
        self,
        request: Request,
        path: Path,
        status: int,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        """A response to this request, with a tag of ours."""
        source = (path.host, path.port)
        return answer(request, status, source=source, to_tag=self._word(), headers=headers, body=body)

    def garbled(self, event: Garbled, path: Path) -> None:
        """Something came that is no usable message."""
        self._feed.refused("garbled", event.cause, peer=path.peer, fault=False)

    def _send_back(self, request: Request, response: Response, path: Path) -> None:
        self._send_to(build(response), reply_address(request, (path.host, path.port)))

    def _send_to(self, data: bytes, address: tuple[str, int]) -> None:
        if self._udp is not None and not self._udp.is_closing() and address[1]:
            self._udp.sendto(data, address)

    # Requests of ours

    async def ask(
        self, target: Target, request: Request, *, advertise: str, within_ms: int = TIMER_F_MS
    ) -> Response | None:
        """Send a request and wait for its final response; None when there is none in time. Its Via is added
        here. Raises OSError when the target cannot be reached at all."""
        branch = f"z9hG4bK{self._word()}"
        over_line = target.line is not None and target.line.open
        via = f"SIP/2.0/{target.transport.upper()} {advertise};branch={branch};rport"
        data = build(structs.replace(request, headers=(("via", via), *request.headers)))
        if target.transport != UDP and not over_line:
            return await self._ask_alone(target, data, branch, within_ms)
        send = target.line.send if target.line is not None and over_line else await self._sender(target)
        future: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        now, reliable = self._feed.now(), over_line
        if (
            self._asked.start(branch, request.method, data, now, reliable=reliable, within_ms=within_ms)
            is None
        ):
            raise OSError("too many requests are waiting")
        self._waiting[branch] = (future, send)
        try:
            send(data)
            self._arm()
            return await future
        finally:
            self._waiting.pop(branch, None)
            self._asked.forget(branch)

    async def _sender(self, target: Target) -> Callable[[bytes], None]:
        if self._udp is None:
            raise OSError("no UDP door to send from")
        loop = asyncio.get_running_loop()
        family = self._udp.get_extra_info("socket").family
        port = target.port or DEFAULT_PORT
        async with asyncio.timeout(CONNECT_WITHIN_S):
            found = await loop.getaddrinfo(target.host, port, family=family)
        address = (str(found[0][4][0]), port)
        return lambda data: self._send_to(data, address)

    async def _ask_alone(self, target: Target, data: bytes, branch: str, within_ms: int) -> Response | None:
        """Over a connection for this one request."""
        tls = None
        if target.transport == TLS:
            tls = self._client_tls = self._client_tls or ssl.create_default_context()
        port = target.port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT)
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                reader, writer = await asyncio.open_connection(target.host, port, ssl=tls, limit=65_536)
        except TimeoutError as error:
            raise OSError("no connection in time") from error
        codec = SipStream()
        try:
            writer.write(data)
            async with asyncio.timeout(within_ms / 1000):
                return await self._first_final(reader, codec, branch)
        except TimeoutError:
            return None
        finally:
            writer.close()

    async def _first_final(
        self, reader: asyncio.StreamReader, codec: SipStream, branch: str
    ) -> Response | None:
        while not codec.closed and (data := await reader.read(4_096)):
            codec.receive_data(data, self._feed.now())
            for event in codec.events_received():
                if (
                    isinstance(event, Response)
                    and event.status >= 200
                    and f"branch={branch}" in (event.header("via") or "")
                ):
                    return event
        return None

    def settle(self, response: Response) -> None:
        """A response of a peer."""
        outcome = self._asked.receive(response, self._feed.now())
        if outcome is not None:
            self._done(outcome)
        self._arm()

    def _done(self, outcome: Outcome) -> None:
        waiting = self._waiting.get(outcome.branch)
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(outcome.response)

    # Time

    def _arm(self) -> None:
        now = self._feed.now()
        times = [at for at in (self._asked.next_timer(),) if at is not None]
        if len(self._served):
            times.append(self._swept_at + SWEEP_EVERY_MS)
        due = max(now, min(times)) if times else None
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        wait_s = max(EARLY_S, (due - now) / 1000)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._feed.now()
        for event in self._asked.handle_timer(now):
            if isinstance(event, Sending):
                waiting = self._waiting.get(event.branch)
                if waiting is not None:
                    waiting[1](event.data)
            else:
                self._done(event)
        if now - self._swept_at >= SWEEP_EVERY_MS:
            self._swept_at = now
            self._served.handle_timer(now)
        self._arm()


class _Datagrams(asyncio.DatagramProtocol):
    """Hands datagrams on."""

    def __init__(self, ends: SipEnds) -> None:
        self._ends = ends
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """The address is free again."""
        self.closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """A datagram came."""
        self._ends.datagram(data, str(addr[0]), int(addr[1]))

    def error_received(self, exc: Exception) -> None:
        """A datagram of ours could not be delivered; it will be repeated."""
