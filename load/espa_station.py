"""A station on an ESPA 4.4.4 line that is not the control station: polled, it calls; selected, it listens.

A pager transmitter (it takes calls and radios them) or a small plant without a control station of its own
(it gives its calls when it is polled). Written from the recorded transactions and the bytes of the standard
alone; it shares no line with the hub's codec. It does not decide anything, and it is no conformity test.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from load.espa_plant import ACK, CALL, ENQ, EOT, ETX, NAK, REPEATS, SOH, Call, Outcome, block, read_block

ANSWER_WITHIN_S = 2.0
_BY_PREFIX = {ord("1"): Outcome.TRANSMISSION_ERROR, ord("2"): Outcome.BUSY, ord("3"): Outcome.INVALID}


@dataclass(frozen=True, slots=True)
class Taken:
    """One block this station acknowledged: its header and records."""

    header: str
    records: tuple[tuple[str, str], ...]

    def get(self, record: str) -> str:
        """A record's value, "" when it was not sent."""
        return dict(self.records).get(record, "")


class EspaStation:
    """One station. It serves connections one at a time: `listen`, or `serve` over any pair of streams.

    Public state: `taken` (blocks acknowledged, in order), `polls` (answered), `outcomes` (of its own calls).
    `busy`: so many selects are refused with `2 NAK`; `damaged`: so many blocks are taken for damaged;
    `deaf`: it answers nothing.
    """

    def __init__(self, address: str = "2", control: str = "1", *, charset: str = "latin-1") -> None:
        self.address, self.control, self.charset = ord(address), ord(control), charset
        self.taken: list[Taken] = []
        self.outcomes: list[Outcome] = []
        self.polls = self.busy = self.damaged = 0
        self.deaf = False
        self._calls: deque[bytes] = deque()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()
        self._serving: set[asyncio.StreamWriter] = set()

    # -- what happens at the station --------------------------------------------------------------

    def call(self, address: str, text: str, **records: str | None) -> None:
        """A call that is given at the next poll; keywords as in `espa_plant.Call`."""
        self.give(block(CALL, Call(address, text, **records).records(), self.charset))

    def give(self, data: bytes) -> None:
        """Any block, at the next poll."""
        self._calls.append(data)

    async def listen(self, port: int = 0) -> int:
        """Take connections; the port."""
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for writer in self._serving:
            writer.transport.abort()

    async def wait_for(self, seen: Callable[[EspaStation], bool], within_s: float) -> None:
        """Returns once `seen(self)`; TimeoutError with the blocks so far if that takes too long."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: seen(self))
        except TimeoutError:
            raise TimeoutError(f"station waited {within_s} s; blocks so far: {self.taken}") from None

    # -- the line ---------------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Work one connection until it ends."""
        self._serving.add(writer)
        try:
            await self._line(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            self._serving.discard(writer)
            writer.transport.abort()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        polled: int | None = None  # who was polled since the last EOT
        after_eot = selected = False
        while True:
            code = await _read(reader)
            if code == EOT:
                polled, after_eot, selected = None, True, False
            elif code == SOH:
                await self._block(reader, writer, mine=selected)
            elif code not in b"0123456789" or await _read(reader) != ENQ:
                continue
            elif self.deaf:
                after_eot = False
            elif after_eot and code == self.address:
                # A poll always follows an EOT.
                await self._on_poll(reader, writer)
                after_eot = False
            elif code == self.address:
                selected = self._on_select(writer)
            else:
                selected = after_eot and polled is not None
                polled, after_eot = code, False

    def _on_select(self, writer: asyncio.StreamWriter) -> bool:
        if self.busy:
            self.busy -= 1
            writer.write(b"2" + bytes((NAK,)))
            return False
        writer.write(bytes((ACK,)))
        return True

    async def _block(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, mine: bool) -> None:
        data = bytearray((SOH,))
        while data[-1] != ETX:
            data.append(await _read(reader))
        data.append(await _read(reader))
        if not mine or self.deaf:
            return
        parsed = read_block(bytes(data), self.charset)
        if parsed is None or self.damaged:
            self.damaged = max(0, self.damaged - 1)
            writer.write(b"1" + bytes((NAK,)))
            return
        self.taken.append(Taken(parsed[0], tuple(parsed[1])))
        writer.write(bytes((ACK,)))
        await self._notify()

    async def _on_poll(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.polls += 1
        if self._calls:
            outcome = await self._transaction(reader, writer, self._calls[0])
            self.outcomes.append(outcome)
            if outcome in (Outcome.TAKEN, Outcome.INVALID):
                self._calls.popleft()
        writer.write(bytes((EOT,)))
        await self._notify()

    async def _transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
    ) -> Outcome:
        """As temporary master: select the control station, send, hear what became of it."""
        writer.write(bytes((self.control, ENQ)))
        outcome = await self._answer(reader)
        if outcome is not Outcome.TAKEN:
            return outcome
        for _ in range(1 + REPEATS):
            writer.write(data)
            outcome = await self._answer(reader)
            if outcome is Outcome.TAKEN:
                break
        return outcome

    async def _answer(self, reader: asyncio.StreamReader) -> Outcome:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                first = await _read(reader)
                if first == ACK:
                    return Outcome.TAKEN
                if first == EOT:
                    return Outcome.REFUSED
                if first == NAK or await _read(reader) != NAK:
                    return Outcome.TRANSMISSION_ERROR
                return _BY_PREFIX.get(first, Outcome.TRANSMISSION_ERROR)
        except TimeoutError:
            return Outcome.NO_ANSWER

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _read(reader: asyncio.StreamReader) -> int:
    return (await reader.readexactly(1))[0]
