"""A call plant on ESPA 4.4.4 over TCP: the control station at the other end of the hub's line.

Written from the recorded transactions and the bytes of the standard alone; it shares no line with the
receiver it is used to test. It selects the pager station for its calls, polls it to pick up status, keeps
its lamps (open calls) as a plant does, and sends them again after its own restart. It does not decide
anything about staff, and it is no conformity test.

Clauses in comments are those of the ESPA 4.4.4 text (1984).
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

SOH, STX, ETX, EOT, ENQ, ACK, NAK, RS, US = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x1E, 0x1F
CALL, STATUS, STATUS_REQUEST = "1", "2", "3"
RESET, SPEECH, STANDARD = "1", "2", "3"
REPLY_WITHIN_S = 2.0
REPEATS = 2
RECONNECT_AFTER_S = 0.5


class Mode(enum.Enum):
    """How this plant uses the line."""

    POLLED = "polled"
    """Polls itself and selects (`EOT 1 ENQ 2 ENQ` in one burst); polls the hub when idle for status."""
    SELECT_ONLY = "select-only"
    """`2 ENQ` and nothing else: never polls, never hears a status."""
    BARE = "bare"
    """Leaves the link phase out and sends blocks only."""
    CRUDE = "crude"
    """As POLLED, but EOT follows the BCC in the same write and the late answer is only noted."""


class Outcome(enum.Enum):
    """What became of one block."""

    TAKEN = "taken"
    BUSY = "busy"
    TRANSMISSION_ERROR = "transmission error"
    INVALID = "invalid"
    REFUSED = "refused"
    NO_ANSWER = "no answer"


_BY_PREFIX = {"1": Outcome.TRANSMISSION_ERROR, "2": Outcome.BUSY, "3": Outcome.INVALID}


@dataclass(frozen=True, slots=True)
class Status:
    """One status block from the hub: the call it names, the value of record 7 or 8, and its records."""

    address: str
    text: str
    call_status: str
    system_status: str
    records: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A lamp of the plant. None leaves a record out, as some plants do."""

    address: str
    text: str
    beep: str | None = "3"
    call_type: str | None = STANDARD
    transmissions: str | None = "1"
    priority: str | None = "3"

    def records(self) -> list[tuple[str, str]]:
        """Records in the order of the standard, absent ones left out."""
        pairs = [("1", self.address), ("2", self.text), ("3", self.beep), ("4", self.call_type)]
        pairs += [("5", self.transmissions), ("6", self.priority)]
        return [(number, value) for number, value in pairs if value is not None]


def block(header: str, records: list[tuple[str, str]], charset: str = "latin-1") -> bytes:
    """SOH header STX records ETX BCC; the check runs over all after SOH up to and with ETX (ISO 1155)."""
    body = bytes((RS,)).join(
        number.encode("ascii") + bytes((US,)) + value.encode(charset, "replace") for number, value in records
    )
    covered = header.encode("ascii") + bytes((STX,)) + body + bytes((ETX,))
    return bytes((SOH,)) + covered + bytes((_check(covered),))


def read_block(data: bytes, charset: str = "latin-1") -> tuple[str, list[tuple[str, str]]] | None:
    """(header, records) of one whole block with its BCC, None if the check fails or it is no block."""
    if len(data) < 5 or data[0] != SOH or data[-2] != ETX or (_check(data[1:-1]) ^ data[-1]) & 0x7F:
        return None
    header, _, body = data[1:-2].partition(bytes((STX,)))
    records = []
    for part in body.split(bytes((RS,))):
        number, mark, value = part.partition(bytes((US,)))
        if mark:
            records.append((number.decode(charset).strip(), value.decode(charset)))
    return header.decode(charset).strip(), records


def _check(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value


class EspaPlant:
    """The plant as a context manager; it connects, works its line in one task, and reconnects by itself.

    poll_every_s: idle time between polls. resend: send all lamps again after each reconnection.
    Public state: `lamps` (open calls), `statuses` (all status blocks in order), `connections`,
    `polls` (answered polls), `sent` (bytes out) and `heard` (bytes in) for tests that compare recordings.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        mode: Mode = Mode.POLLED,
        station: str = "1",
        pager: str = "2",
        poll_every_s: float = 0.5,
        reply_within_s: float = REPLY_WITHIN_S,
        charset: str = "latin-1",
        resend: bool = True,
    ) -> None:
        self.host, self.port, self.mode = host, port, mode
        self.station, self.pager = station.encode("ascii"), pager.encode("ascii")
        self.poll_every_s, self.reply_within_s = poll_every_s, reply_within_s
        self.charset, self.resend = charset, resend
        self.lamps: dict[tuple[str, str], Call] = {}
        self.statuses: list[Status] = []
        self.connections = self.polls = 0
        self.sent, self.heard = bytearray(), bytearray()
        self._damage = 0
        self._work: asyncio.Queue[tuple[bytes, asyncio.Future[Outcome] | None]] = asyncio.Queue()
        self._dark_s = 0.0
        self._changed = asyncio.Condition()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._line: asyncio.Task[None] | None = None

    async def __aenter__(self) -> EspaPlant:
        self._line = asyncio.get_running_loop().create_task(self._run(), name="espa plant")
        await self.wait_for(lambda plant: plant.connections > 0, 10)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leaves the line; calls still waiting are cancelled. Raises what broke the line task, if so."""
        if self._line is not None:
            self._line.cancel()
            try:
                await self._line
            except asyncio.CancelledError:
                pass
            self._line = None
        self._hang_up()

    # -- what a ward does -------------------------------------------------------------------------

    async def call(self, address: str, text: str, **records: str | None) -> Outcome:
        """Lights a lamp and sends the call; keywords beep, call_type, transmissions, priority as in Call."""
        lamp = Call(address, text, **records)
        self.lamps[(address, text)] = lamp
        return await self._send(block(CALL, lamp.records(), self.charset))

    async def reset(self, address: str, text: str) -> Outcome:
        """Puts a lamp out and sends the reset (call type 1 with the address and text of the call)."""
        self.lamps.pop((address, text), None)
        return await self._send(block(CALL, [("1", address), ("2", text), ("4", RESET)], self.charset))

    async def ask_status(self, address: str, text: str) -> Outcome:
        """Status request (header 3); the answer comes with a later poll."""
        return await self._send(block(STATUS_REQUEST, [("1", address), ("2", text)], self.charset))

    async def send_block(self, data: bytes) -> Outcome:
        """Sends any block as it is, for quirks and faults."""
        return await self._send(data)

    def damage_next(self, blocks: int = 1) -> None:
        """The next `blocks` transmissions carry a wrong BCC: noise on the line."""
        self._damage = blocks

    async def restart(self, dark_s: float = 0.0) -> None:
        """Power off and on: the line drops, and after `dark_s` all lamps are sent again."""
        before = self.connections
        self._dark_s = dark_s
        self._hang_up()
        self._work.put_nowait((b"", None))  # wakes the line, which finds itself dead
        await self.wait_for(lambda plant: plant.connections > before and plant._work.empty(), 10 + dark_s)

    async def wait_for(self, seen: Callable[[EspaPlant], bool], within_s: float) -> None:
        """Returns once `seen(self)`; TimeoutError with the statuses so far if that takes too long."""
        try:
            async with asyncio.timeout(within_s):
                async with self._changed:
                    while not seen(self):
                        if self._line is not None and self._line.done():
                            self._line.result()
                        await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"plant waited {within_s} s; statuses so far: {self.statuses}") from None

    async def wait_status(self, address: str, call_status: str, within_s: float) -> Status:
        """The first status block with this address and value of record 7."""

        def match() -> Status | None:
            for one in self.statuses:
                if one.address == address and one.call_status == call_status:
                    return one
            return None

        await self.wait_for(lambda _: match() is not None, within_s)
        found = match()
        assert found is not None
        return found

    # -- the line ---------------------------------------------------------------------------------

    async def _send(self, data: bytes) -> Outcome:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._work.put_nowait((data, answer))
        return await answer

    async def _run(self) -> None:
        while True:
            try:
                self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                await asyncio.sleep(RECONNECT_AFTER_S)
                continue
            if self.resend and self.connections:
                for lamp in self.lamps.values():
                    self._work.put_nowait((block(CALL, lamp.records(), self.charset), None))
            self.connections += 1
            await self._notify()
            try:
                await self._serve()
            except (OSError, EOFError):
                self._hang_up()
                await asyncio.sleep(self._dark_s or RECONNECT_AFTER_S)
                self._dark_s = 0.0

    async def _serve(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.poll_every_s):
                    data, answer = await self._work.get()
            except TimeoutError:
                if self.mode in (Mode.POLLED, Mode.CRUDE):
                    await self._poll()
                elif self._reader is not None and self._reader.at_eof():
                    raise EOFError from None
                continue
            if not data:
                if self._writer is None:
                    raise EOFError
                continue
            outcome = Outcome.NO_ANSWER
            try:
                outcome = await self._transaction(data)
            finally:
                if answer is not None and not answer.done():
                    answer.set_result(outcome)
            await self._notify()

    async def _transaction(self, data: bytes) -> Outcome:
        if self.mode is not Mode.BARE:
            selected = await self._select()
            if selected is not Outcome.TAKEN:
                self._write(bytes((EOT,)))
                return selected
        outcome = Outcome.NO_ANSWER
        # Two repeats after a negative answer, then EOT (clause 8, recovery).
        for _ in range(1 + REPEATS):
            self._write(self._on_the_wire(data))
            outcome = await self._reply()
            if outcome in (Outcome.TAKEN, Outcome.REFUSED):
                break
        if self.mode in (Mode.POLLED, Mode.SELECT_ONLY):
            self._write(bytes((EOT,)))
        return outcome

    def _on_the_wire(self, data: bytes) -> bytes:
        if self._damage:
            self._damage -= 1
            data = data[:-1] + bytes((data[-1] ^ 0x01,))
        return data + bytes((EOT,)) if self.mode is Mode.CRUDE else data

    async def _select(self) -> Outcome:
        select = self.pager + bytes((ENQ,))
        if self.mode is not Mode.SELECT_ONLY:
            # The control station makes itself master by its own poll, then selects.
            select = bytes((EOT,)) + self.station + bytes((ENQ,)) + select
        self._write(select)
        return await self._reply()

    async def _reply(self) -> Outcome:
        try:
            async with asyncio.timeout(self.reply_within_s):
                first = await self._read(1)
                if first[0] == ACK:
                    return Outcome.TAKEN
                if first[0] == EOT:
                    return Outcome.REFUSED
                if first[0] == NAK:
                    return Outcome.TRANSMISSION_ERROR
                second = await self._read(1)
        except TimeoutError:
            return Outcome.NO_ANSWER
        if second[0] == NAK:
            return _BY_PREFIX.get(first.decode("latin-1"), Outcome.TRANSMISSION_ERROR)
        return Outcome.NO_ANSWER

    async def _poll(self) -> None:
        """`EOT pager ENQ`: the hub answers EOT, or selects us and sends its status blocks."""
        self._write(bytes((EOT,)) + self.pager + bytes((ENQ,)))
        try:
            async with asyncio.timeout(self.reply_within_s):
                first = await self._read(1)
                if first == self.station and (await self._read(1))[0] == ENQ:
                    self._write(bytes((ACK,)))
                    await self._take_blocks()
        except TimeoutError:
            # No timer runs on a poll without an answer; the next one comes by itself (clause 4).
            return
        self.polls += 1
        await self._notify()

    async def _take_blocks(self) -> None:
        while (first := await self._read(1))[0] == SOH:
            data = bytearray(first)
            while data[-1] != ETX:
                data += await self._read(1)
            data += await self._read(1)
            parsed = read_block(bytes(data), self.charset)
            if parsed is None:
                self._write(bytes((0x31, NAK)))
                continue
            header, records = parsed
            if header == STATUS:
                named = dict(records)
                self.statuses.append(
                    Status(
                        address=named.get("1", ""),
                        text=named.get("2", ""),
                        call_status=named.get("7", ""),
                        system_status=named.get("8", ""),
                        records=tuple(records),
                    )
                )
            self._write(bytes((ACK,)))

    async def _read(self, count: int) -> bytes:
        if self._reader is None:
            raise EOFError
        data = await self._reader.readexactly(count)
        self.heard += data
        return data

    def _write(self, data: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            raise EOFError
        self.sent += data
        self._writer.write(data)

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
