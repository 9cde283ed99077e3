"""New calls over ESPA-X as fast as they are confirmed, over parallel connections: what one link carries.

Each connection sends its next P-START when the last is answered (a closed loop: figures do not compare with
those of an open one), every call under a reference of its own. The answer is read by a pattern, not as XML,
so that the client costs little beside the hub. It refuses to resend: an answer other than 200 is a fault.
"""

from __future__ import annotations

import asyncio
import re
import struct
from dataclasses import dataclass, field
from time import perf_counter_ns

from load.espax_client import message

ANSWER_WITHIN_S = 10.0

ANSWER_PATTERN = re.compile(rb"<RSP\.([A-Z.-]+) [^>]*>.*?<RSP-CODE>(\d+)</RSP-CODE>", re.S)
SESSION_PATTERN = re.compile(rb'sessionID="([^"]+)"')


@dataclass(slots=True)
class Flood:
    """What became of the calls. `answered_ms`: from the send to the positive answer, of each that got one."""

    seconds: float = 0.0
    answered_ms: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Confirmed calls a second."""
        return len(self.answered_ms) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Of the positive answers; 0 without any."""
        ordered = sorted(self.answered_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def line(self) -> str:
        """One line for a report."""
        return (
            f"espax: {self.rate:.0f} calls/s, p50 {self.percentile_ms(0.5):.1f} ms, "
            f"p99 {self.percentile_ms(0.99):.1f} ms, refused {sum(self.refused.values())}"
        )


async def flood(
    host: str,
    port: int,
    user: str,
    password: str,
    *,
    connections: int = 16,
    seconds: float = 10.0,
    prefix: str = "f",
    text: str = "Bed {number} call",
) -> Flood:
    """Flood one link for `seconds`. `prefix` makes references unique between runs, `text` is CP-TEXTMSG with
    `{number}` counting up. Raises OSError when a connection fails, ValueError when a login does."""
    result = Flood()
    until = perf_counter_ns() + int(seconds * 1e9)
    begun = perf_counter_ns()
    async with asyncio.TaskGroup() as lines:
        for line in range(connections):
            caller = _Caller(host, port, f"{prefix}{line}-", text, result)
            lines.create_task(caller.run(user, password, until))
    result.seconds = (perf_counter_ns() - begun) / 1e9
    return result


class _Caller:
    """One connection."""

    def __init__(self, host: str, port: int, prefix: str, text: str, result: Flood) -> None:
        self._host, self._port = host, port
        self._prefix, self._text, self._result = prefix, text, result
        self._invoke = 0

    async def run(self, user: str, password: str, until_ns: int) -> None:
        """Log in and call until then."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            login = {"LI-CLIENT": "Flood", "LI-USER": user, "LI-PASSWORD": password}
            code, answer = await self._ask(reader, writer, "REQ.LOGIN", "", login)
            found = SESSION_PATTERN.search(answer)
            if code != "200" or found is None:
                raise ValueError(f"login: {code}")
            session = found[1].decode()
            while (now := perf_counter_ns()) < until_ns:
                number = self._invoke
                fields = {
                    "CP-PR-REF": f"{self._prefix}{number}",
                    "CP-TEXTMSG": self._text.format(number=number),
                    "CP-PR-DETAILS": "No",
                }
                code, _ = await self._ask(reader, writer, "REQ.P-START", session, fields)
                if code == "200":
                    self._result.answered_ms.append((perf_counter_ns() - now) / 1e6)
                else:
                    self._result.refused[code] = self._result.refused.get(code, 0) + 1
        finally:
            writer.close()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        element: str,
        session: str,
        fields: dict[str, str],
    ) -> tuple[str, bytes]:
        """Code and document of the answer; indications before it are passed over."""
        self._invoke += 1
        writer.write(message(element, self._invoke, session, fields))
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                _, length, _ = struct.unpack(">2sII", await reader.readexactly(10))
                document = await reader.readexactly(length - 10)
                found = ANSWER_PATTERN.search(document)
                if found is not None and f"REQ.{found[1].decode()}" == element:
                    return found[2].decode(), document
