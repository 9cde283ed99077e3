"""Pushes for tests, and a transport without a provider, which keeps what it is sent and answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from alarmhub.people import PushTarget
from alarmhub.push.transport import WITHIN_S, Note, Outcome, Sent


def note(number: int = 1, **more: Any) -> Note:
    """A push of an alarm of high priority."""
    told: dict[str, Any] = {"alarm": f"alarm{number}", "rev": 3, "priority": "high", "ttl_s": 60, **more}
    return Note(**{"id": f"n{number}", **told})


async def timed(sending: Awaitable[Sent]) -> tuple[Sent, float]:
    """The answer, and how long it took in seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return await sending, loop.time() - began


class FakeTransport:
    """`answers`: by address, TAKEN for others; `silent`: addresses for which nobody answers; `faults`: what
    `check` finds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answers: dict[str, Sent] = {}
        self.silent: set[str] = set()
        self.faults: list[str] = []
        self.sent: list[tuple[PushTarget, Note]] = []
        self.running = False

    def address_fault(self, address: str, keys: Mapping[str, str]) -> str | None:
        return None if address else "address: missing"

    async def start(self) -> None:
        self.running = True

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        assert self.running and target.transport == self.name
        self.sent.append((target, note))
        if target.address not in self.silent:
            return self.answers.get(target.address, Sent(Outcome.TAKEN, "200"))
        try:
            async with asyncio.timeout(WITHIN_S if within_s is None else within_s):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        return Sent(Outcome.LOST, "no answer")

    async def check(self) -> Sequence[str]:
        return self.faults

    async def stop(self) -> None:
        self.running = False
