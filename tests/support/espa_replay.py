"""Plays recorded ESPA 4.4.4 conversations byte for byte, as the control station.

Independent on purpose: it knows bytes and who said them, nothing of the protocol, and shares no code with the
codec. A reply that differs in one byte is a `ReplayMismatch` that names the step.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "protocols" / "vectors" / "espa444" / "transactions.json"


class ReplayMismatch(AssertionError):
    """The pager system did not answer as recorded."""


@dataclass(frozen=True)
class Exchange:
    """What the control station says in one go, and the whole of what it must hear before it goes on."""

    said: bytes
    expected: bytes
    note: str


@dataclass(frozen=True)
class Transaction:
    """One recorded conversation."""

    name: str
    title: str
    exchanges: tuple[Exchange, ...]

    @property
    def said(self) -> bytes:
        """All the control station says, in order."""
        return b"".join(exchange.said for exchange in self.exchanges)

    @property
    def expected(self) -> bytes:
        """All the pager system says, in order."""
        return b"".join(exchange.expected for exchange in self.exchanges)


def load_transactions(path: Path = VECTORS) -> dict[str, Transaction]:
    """All recorded transactions by name."""
    found = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        exchanges: list[Exchange] = []
        for step in entry["steps"]:
            octets = bytes.fromhex(step["hex"])
            if step["from"].startswith("control_station"):
                exchanges.append(Exchange(octets, b"", step["note"]))
            else:
                last = exchanges.pop()
                exchanges.append(Exchange(last.said, last.expected + octets, last.note))
        found[entry["name"]] = Transaction(entry["name"], entry["title"], tuple(exchanges))
    return found


def replay(transaction: Transaction, say: Callable[[bytes], bytes]) -> None:
    """Play it into `say`, which takes bytes and returns what was answered at once."""
    for index, exchange in enumerate(transaction.exchanges):
        heard = say(exchange.said)
        if heard != exchange.expected:
            raise ReplayMismatch(
                f"{transaction.name}, step {index} ({exchange.note or 'no note'}): "
                f"said {exchange.said.hex(' ')}, "
                f"expected {exchange.expected.hex(' ')}, heard {heard.hex(' ') or 'nothing'}"
            )


async def replay_stream(
    transaction: Transaction,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    within_s: float = 5.0,
) -> None:
    """Play it over a connection; each reply must come whole within `within_s`."""
    for index, exchange in enumerate(transaction.exchanges):
        writer.write(exchange.said)
        await writer.drain()
        try:
            async with asyncio.timeout(within_s):
                heard = await reader.readexactly(len(exchange.expected))
        except (TimeoutError, asyncio.IncompleteReadError) as exc:
            raise ReplayMismatch(f"{transaction.name}, step {index}: no answer in time") from exc
        if heard != exchange.expected:
            raise ReplayMismatch(
                f"{transaction.name}, step {index}: "
                f"expected {exchange.expected.hex(' ')}, heard {heard.hex(' ')}"
            )
