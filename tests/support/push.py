"""A push transport without a provider: keeps what it was sent, answers what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from alarmhub.people import PushTarget
from alarmhub.push.transport import WITHIN_S, Note, Outcome, Sent


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
