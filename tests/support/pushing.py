"""A shift whose phones sleep: a real engine, targets in memory, and providers that answer as they are told.

`PushShift` is `tests.support.shift.Shift` with the push path composed as in the app. `Provider` is a
transport that answers each address in turn from a script, and can take its time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from alarmhub.core.reach import Reach
from alarmhub.engine.express import Courier
from alarmhub.people import Device, PushTarget
from alarmhub.ports import OutboxRow
from alarmhub.push.courier import PushCourier
from alarmhub.push.targets import TargetBook
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.store.push_targets import MemoryPushTargets
from tests.support.push import FakeTransport
from tests.support.shift import Shift


class Provider(FakeTransport):
    """`script`: what an address answers, one after the other; then as FakeTransport. `takes_s`: how long each
    answer takes. `at`: when (loop time) each push came. `most`: the most in flight at once."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.running = True
        self.script: dict[str, list[Sent]] = {}
        self.takes_s = 0.0
        self.at: list[float] = []
        self.most = self._in_flight = 0

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        self.at.append(asyncio.get_running_loop().time())
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        try:
            await asyncio.sleep(self.takes_s)
            script = self.script.get(target.address)
            if script:
                self.sent.append((target, note))
                return script.pop(0)
            return await super().send(target, note, within_s=within_s)
        finally:
            self._in_flight -= 1

    @property
    def to(self) -> list[str]:
        """The addresses pushed to, in order."""
        return [target.address for target, _ in self.sent]


class PushShift(Shift):
    """Everybody has a phone `<staff>-phone` on the shelf; `enrol` gives it a target. Sockets as in Shift."""

    def __init__(self, **more: Any) -> None:
        super().__init__(couriers=("report",), **more)
        self.apns, self.web = Provider("apns"), Provider("webpush")
        self.transports = {"apns": self.apns, "webpush": self.web}
        self.targets = MemoryPushTargets(self.tables)
        self.book: TargetBook
        self.courier: PushCourier

    def couriers(self) -> dict[str, Courier]:
        return {"push": self._carry}

    async def _carry(self, row: OutboxRow) -> None:
        await self.courier.carry(row)

    async def started(self) -> None:
        self.book = TargetBook(
            self.targets, transports=self.transports, clock=self.clock, crew=self.crew,
            pushable=self.engine.pushable,
        )  # fmt: skip
        self.courier = PushCourier(
            transports=self.transports, book=self.book, desk=self.engine, clock=self.clock,
            metrics=self.metrics,
        )  # fmt: skip
        await self.book.load()

    def enrol(self, staff: str, *, device: str = "", transport: str = "webpush") -> str:
        """Before the hub starts: a phone with an address, carried by this person. Returns the address."""
        device = device or f"{staff}-phone"
        self.tables.devices[device] = Device(
            id=device, digest=device.encode(), label=device, enrolled_by="ivar", enrolled_at=0, staff=staff
        )
        address = f"{transport}:{device}"
        self.tables.push_targets[device, transport] = PushTarget(
            device=device, transport=transport, address=address, registered_at=0
        )
        return address

    def asleep(self, *staff: str) -> None:
        """These have a phone with an address and no socket."""
        for person in staff:
            self.enrol(person)
            self.reach[person] = Reach.NONE

    def alone(self, *staff: str) -> None:
        """Only these have a phone at all, and it sleeps."""
        self.reach = dict.fromkeys(self.reach, Reach.NONE)
        self.asleep(*staff)

    def rings(self, staff: str, alarm: str, via: str = "webpush") -> None:
        """Her phone says that it rang."""
        known = self.engine.open_alarm(alarm)
        assert known is not None
        self.engine.receipt(
            staff=staff, device=f"{staff}-phone", alarm=alarm, rev=known.rev, seen=False, via=via
        )


TAKEN = Sent(Outcome.TAKEN)
DEAD = Sent(Outcome.DEAD, "410 Unregistered")
LOST = Sent(Outcome.LOST, "no answer")


def later(retry_after_s: float = 0.0) -> Sent:
    """429 or 503, with Retry-After."""
    return Sent(Outcome.LATER, "429", retry_after_s)
