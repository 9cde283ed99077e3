"""A social alarm unit (LUC) over SIP MESSAGE, for tests and load runs: it registers, alarms, asks, resets.

It behaves as SS 91100 has it: a request is repeated over UDP until it is answered, a challenge is answered
with digest, `snu` 4 makes it ask again with the same request, and answers that come as messages of their own
are taken with 200. It uses the repository's SIP and SCAIP codecs, so it is no independent peer (SIPp is that
one), and it opens no voice call.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from types import TracebackType
from typing import Any, Final

from msgspec import structs

from protocols.scaip import CONTENT_TYPE, Mrq, Mrs, Snu, read, write_mrq
from protocols.sip import Garbled, Message, Request, Response, answer, build, parse
from protocols.sip_digest import authorization
from protocols.sip_stream import SipStream

REPLY_WITHIN_S: Final = 5.0
T1_S: Final = 0.5
ASK_EVERY_S: Final = 5.0
"""The shortest pause between two questions after `snu` 4."""


class NoReply(Exception):
    """Nothing came in time."""


class ScaipUnit:
    """One unit, as a context manager. Times in seconds.

    transport: udp, tcp or tls (`tls` is the context then). user, password: for digest. contact: what it says
    of where it is reached; None for its own socket. form, root: what its bodies are called.
    Public state: `replies` (every mrs, in order of arrival), `statuses` (every final SIP status of a request
    of its own), `mute` (True: it leaves messages unanswered), `refuses` (a status it answers them with).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        transport: str = "udp",
        cid: str = "4670000123",
        user: str | None = None,
        password: str = "",
        tls: ssl.SSLContext | None = None,
        contact: str | None = None,
        form: str = CONTENT_TYPE,
        root: str = "mrq",
    ) -> None:
        self.cid, self.form, self.root = cid, form, root
        self.replies: list[Mrs] = []
        self.statuses: list[int] = []
        self.mute = False
        self.refuses = 0
        self._address, self._transport, self._tls = (host, port), transport, tls
        self._user, self._password, self._contact = user or cid, password, contact
        self._datagrams: asyncio.DatagramTransport | None = None
        self._line: asyncio.Transport | None = None
        self._stream = SipStream()
        self._waiting: dict[str, asyncio.Future[Response]] = {}
        self._arrived = asyncio.Event()
        self._cseq = 0
        self._challenge, self._count = "", 0

    async def __aenter__(self) -> ScaipUnit:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    async def connect(self) -> None:
        """Open the socket; over TCP or TLS a fresh connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._stream = SipStream()
        if self._transport == "udp":
            self._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), remote_addr=self._address
            )
        else:
            host, port = self._address
            self._line, _ = await loop.create_connection(lambda: _Stream(self), host, port, ssl=self._tls)

    def disconnect(self) -> None:
        """Close it."""
        wire = self._datagrams or self._line
        if wire is not None:
            wire.close()

    @property
    def own(self) -> tuple[str, int]:
        """Host and port of its socket."""
        wire = self._datagrams or self._line
        assert wire is not None
        name = wire.get_extra_info("sockname")
        return str(name[0]), int(name[1])

    @property
    def contact(self) -> str:
        """The URI it is reached at."""
        host, port = self.own
        return self._contact or f"sip:{self.cid}@{host}:{port};transport={self._transport}"

    # What a unit does

    async def register(self, expires_s: int = 3_600) -> Response:
        """Bind its address to its contact; 0 takes it back."""
        headers = (("contact", f"<{self.contact}>"), ("expires", str(expires_s)))
        return await self.request("REGISTER", headers)

    async def send(self, request: Mrq, *, branch: str | None = None) -> Mrs | None:
        """Send a request and wait for its mrs, in the 200 or as a message. None when the request was refused
        by SIP (see `statuses`). Raises NoReply."""
        before = len(self.replies)
        body = write_mrq(structs.replace(request, root=self.root))
        response = await self.request("MESSAGE", (("content-type", self.form),), body, branch=branch)
        if response.status // 100 != 2:
            return None
        if response.body:
            said = read(response.body)
            assert isinstance(said, Mrs), said
            self.replies.append(said)
            return said
        return await self.reply(request.ref, before)

    async def reply(self, ref: str, after: int = 0) -> Mrs:
        """The first mrs of this reference beyond the first `after`. Raises NoReply."""
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                while True:
                    for said in self.replies[after:]:
                        if said.ref == ref:
                            return said
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise NoReply(f"no mrs for {ref}") from error

    async def alarm(self, request: Mrq, *, ask_every_s: float = ASK_EVERY_S, asks: int = 360) -> Mrs | None:
        """Send a request and ask again while it is held; the last answer."""
        said = await self.send(request)
        while said is not None and said.snu == Snu.HOLD and asks > 0:
            await asyncio.sleep(ask_every_s)
            said, asks = await self.send(request), asks - 1
        return said

    async def request(
        self,
        method: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        *,
        branch: str | None = None,
    ) -> Response:
        """One SIP request with its final response; a challenge is answered once. Raises NoReply."""
        response = await self._once(method, self._proof(method), headers, body, branch)
        if response.status == 401 and self._password:
            self._challenge, self._count = response.header("www-authenticate") or "", 0
            response = await self._once(method, self._proof(method), headers, body, None)
        self.statuses.append(response.status)
        return response

    def _proof(self, method: str) -> tuple[tuple[str, str], ...]:
        if not self._challenge:
            return ()
        self._count += 1
        value = authorization(
            self._challenge, username=self._user, password=self._password, method=method,
            uri=self._uri, cnonce=secrets.token_hex(8), nc=self._count,
        )  # fmt: skip
        return () if value is None else (("authorization", value),)

    @property
    def _uri(self) -> str:
        return f"sip:arc@{self._address[0]}:{self._address[1]}"

    async def _once(
        self,
        method: str,
        proof: tuple[tuple[str, str], ...],
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        branch: str | None,
    ) -> Response:
        branch = branch or f"z9hG4bK{secrets.token_hex(8)}"
        self._cseq += 1
        host, port = self.own
        aor = f"sip:{self.cid}@{self._address[0]}"
        common = (
            ("via", f"SIP/2.0/{self._transport.upper()} {host}:{port};branch={branch};rport"),
            ("max-forwards", "70"),
            ("from", f"<{aor}>;tag={secrets.token_hex(4)}"),
            ("to", f"<{aor}>" if method == "REGISTER" else f"<{self._uri}>"),
            ("call-id", secrets.token_hex(8)),
            ("cseq", f"{self._cseq} {method}"),
        )
        data = build(Request(method, self._uri, (*common, *proof, *headers), body))
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[branch] = future
        try:
            return await self._until_answered(data, future)
        finally:
            del self._waiting[branch]

    async def _until_answered(self, data: bytes, future: asyncio.Future[Response]) -> Response:
        pause_s, waited_s = T1_S, 0.0
        while waited_s < REPLY_WITHIN_S:
            if not waited_s or self._transport == "udp":
                self.write(data)
            done, _ = await asyncio.wait([future], timeout=pause_s)
            if done:
                return future.result()
            waited_s, pause_s = waited_s + pause_s, min(2 * pause_s, 4.0)
        raise NoReply("no response")

    # The wire

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        if self._datagrams is not None:
            self._datagrams.sendto(data)
        elif self._line is not None:
            self._line.write(data)

    def came(self, data: bytes) -> None:
        """Bytes or a datagram from the hub."""
        if self._transport == "udp":
            self._take(parse(data))
            return
        self._stream.receive_data(data, 0)
        for event in self._stream.events_received():
            self._take(event)

    def lost(self, line: asyncio.BaseTransport | None) -> None:
        """The hub hung up: whoever waits for a response waits in vain."""
        if line is not self._line:
            return
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the hub hung up"))

    def _take(self, message: Message) -> None:
        assert not isinstance(message, Garbled), message
        if isinstance(message, Response):
            branch = (message.header("via") or "").partition("branch=")[2].partition(";")[0]
            future = self._waiting.get(branch)
            if future is not None and not future.done() and message.status >= 200:
                future.set_result(message)
            return
        if self.mute:
            return
        said = read(message.body)
        status = self.refuses or (200 if isinstance(said, Mrs) else 400)
        self.write(build(answer(message, status, source=self._address, to_tag=secrets.token_hex(4))))
        if isinstance(said, Mrs) and not self.refuses:
            self.replies.append(said)
            self._arrived.set()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, unit: ScaipUnit) -> None:
        self._unit = unit

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._unit.came(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there; the request is repeated."""


class _Stream(asyncio.Protocol):
    def __init__(self, unit: ScaipUnit) -> None:
        self._unit = unit
        self._line: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._unit.lost(self._line)

    def data_received(self, data: bytes) -> None:
        self._unit.came(data)
