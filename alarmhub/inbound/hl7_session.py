"""One MLLP connection of an HL7 line: what is sent on it and who waits for the answer; and the connection the
hub opens itself to tell statuses.

It refuses to know what an alert is (`inbound.hl7` does).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from alarmhub.clock import Clock
from alarmhub.inbound.stream import CHUNK_BYTES, Connection, Limits, keep_alive
from alarmhub.ports import DeliveryFailed
from alarmhub.tasks import Crew
from protocols.hl7_ack import POSITIVE, AckRead
from protocols.mllp import Framing, MllpEvent

CONNECT_WITHIN_S: Final = 5.0
AGAIN_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""How long the hub waits before it connects again, after each failure in a row."""
LASTS_S: Final = 2.0
"""A connection that is over sooner, and brought nothing, is as good as none: whoever took it let it go."""
SENDERS_REMEMBERED: Final = 256
"""Reporters behind one connection."""
ERRORS: Final = frozenset({"CE", "AE"})
"""Answers after which the same status may be taken later; CR and AR are final."""


class Line(Protocol):
    """What a session hands on to."""

    async def take(self, session: Hl7Session, event: MllpEvent) -> None:
        """One message, or bytes that are none."""
        ...

    def lost(self, session: Hl7Session, cause: str) -> None:
        """The connection is over."""
        ...


class Hl7Session:
    """One connection, whoever opened it."""

    def __init__(self, line: Line, connection: Connection[MllpEvent], codec: Framing) -> None:
        self.codec, self.connection = codec, connection
        self.senders: dict[str, None] = {}  # MSH-3 of who has spoken here, the latest last
        self._line = line
        self._turn = asyncio.Lock()
        self._awaited: dict[str, asyncio.Future[AckRead]] = {}
        self._over = ""

    async def take(self, event: MllpEvent) -> None:
        """Hand on one event, in order."""
        await self._line.take(self, event)

    def heard(self, sender: str) -> None:
        """This reporter speaks here."""
        self.senders.pop(sender, None)
        self.senders[sender] = None
        if len(self.senders) > SENDERS_REMEMBERED:
            del self.senders[next(iter(self.senders))]

    def lost(self, cause: str) -> None:
        """The connection is over; who waits for an answer on it waits in vain."""
        self._over = cause or "closed"
        for awaited in self._awaited.values():
            if not awaited.done():
                awaited.set_exception(DeliveryFailed(f"connection lost: {cause}"))
        self._line.lost(self, cause)

    def send(self, message: bytes) -> None:
        """Write one message."""
        self.codec.send(message)
        self.connection.flush()

    def acknowledged(self, answer: AckRead) -> bool:
        """An acknowledgement came. False: nobody had asked for it."""
        awaited = self._awaited.get(answer.control_id)
        if awaited is None or awaited.done():
            return False
        awaited.set_result(answer)
        return True

    async def tell(self, message: bytes, control_id: str, within_s: float) -> AckRead:
        """Send a message and wait for its acknowledgement; one at a time on a connection. Raises
        DeliveryFailed when none came in time, the connection was lost, or it was answered with an error."""
        try:
            async with asyncio.timeout(within_s), self._turn:
                if self._over:
                    raise DeliveryFailed(f"connection lost: {self._over}")
                awaited: asyncio.Future[AckRead] = asyncio.get_running_loop().create_future()
                self._awaited[control_id] = awaited
                try:
                    self.send(message)
                    answer = await awaited
                finally:
                    del self._awaited[control_id]
        except TimeoutError as error:
            raise DeliveryFailed("not acknowledged in time") from error
        if answer.code in ERRORS:
            raise DeliveryFailed(f"{answer.code} {answer.words}".strip())
        return answer


def taken(answer: AckRead) -> bool:
    """Whether the other side took what it was told."""
    return answer.code in POSITIVE


class Caller:
    """Keeps one connection open to where statuses go. `run` it; it ends when cancelled."""

    def __init__(
        self,
        address: tuple[str, int],
        open_session: Callable[[Connection[MllpEvent]], Hl7Session],
        *,
        tls: ssl.SSLContext | None,
        clock: Clock,
        crew: Crew,
        limits: Limits,
        patience_s: float,
        trouble: Callable[[str], None],
        well: Callable[[], None],
        in_trouble: bool = False,
    ) -> None:
        """`trouble` is told once why no connection could be had for `patience_s`, `well` that one is open.
        `in_trouble`: that was told before a restart of the hub and is still open."""
        self._address, self._open_session = address, open_session
        self._tls, self._clock, self._crew, self._limits = tls, clock, crew, limits
        self._patience_ms = round(patience_s * 1000)
        self._trouble, self._well = trouble, well
        self._in_trouble = in_trouble
        self._good = False  # the connection at hand has lasted, or brought something
        self._connection: Connection[MllpEvent] | None = None
        self.session: Hl7Session | None = None

    async def run(self) -> None:
        """Connect, serve the connection until it is over, wait a moment, and so on."""
        failures, since = 0, self._clock.now()
        while True:
            cause = await self._once()
            if not cause:
                failures, since = 0, self._clock.now()
            elif not self._in_trouble and self._clock.now() - since >= self._patience_ms:
                self._in_trouble = True
                self._trouble(cause)
            await asyncio.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
            failures += 1

    def close(self) -> None:
        """End the connection that is open."""
        if self._connection is not None:
            self._connection.close("hub is stopping")

    async def _once(self) -> str:
        host, port = self._address
        name = host if self._tls is not None else None
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                reader, writer = await asyncio.open_connection(
                    host, port, limit=CHUNK_BYTES, ssl=self._tls, server_hostname=name
                )
        except (OSError, TimeoutError) as error:
            return f"{host}:{port}: {str(error) or type(error).__name__}"
        keep_alive(writer)
        connection: Connection[MllpEvent] = Connection(reader, writer, self._clock, self._limits)
        self._connection = connection
        self.session = session = self._open_session(connection)
        self._good = False
        lasts = asyncio.get_running_loop().call_later(LASTS_S, self._is_good)
        try:
            await connection.run(session, self._crew)
        finally:
            lasts.cancel()
            self.session = self._connection = None
        if connection.useful_at:
            self._is_good()
        return "" if self._good else f"{host}:{port}: {connection.cause}"

    def _is_good(self) -> None:
        self._good = True
        if self._in_trouble:
            self._in_trouble = False
            self._well()
