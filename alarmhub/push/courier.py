"""Carries one committed push to every phone of a person at once, and tries again while that makes sense.

The first receipt wins: it is the phone that says it rang, by whichever way, and from then on nothing is tried
again. What is over, is answered or no longer concerns the person is not pushed. What a provider asks us to
wait is waited, within the time the push has. It refuses to decide who is pushed to (`core.pushing`) and to
know a provider's protocol (`transport`).
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.alarm import told_of
from alarmhub.core.answers import rings
from alarmhub.core.effects import Push
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.people import PushTarget
from alarmhub.ports import DeliveryFailed, Desk, OutboxRow
from alarmhub.push.targets import TargetBook
from alarmhub.push.transport import WITHIN_S, Note, Outcome, Sent, Transport

RETRY_S: Final = (1.0, 2.0, 5.0, 10.0)
"""After a provider that said nothing, or only "later". With a collapse id a second copy does no harm."""
AT_ONCE_PER_TARGET: Final = 4
"""One address behind which nobody answers must not fill its transport's line."""
REFUSED_SAID_EVERY_MS: Final = 60_000
PAUSES_KEPT: Final = 10_000

_read = msgspec.json.Decoder(Push).decode
_log = logs.get("push")
_Address = tuple[str, str]


class PushCourier:
    """The outbox's courier for the channel `push`. `transports`: by the name in a target."""

    def __init__(
        self,
        *,
        transports: Mapping[str, Transport],
        book: TargetBook,
        desk: Desk,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._transports, self._book, self._desk = transports, book, desk
        self._clock, self._metrics = clock, metrics
        self._newest: dict[tuple[str, str], str] = {}  # (staff, alarm) → the latest push of it
        self._lines: dict[_Address, _Line] = {}
        self._paused: dict[_Address, int] = {}  # until when its provider asked us to wait, epoch ms
        self._refused_said: dict[str, int] = {}
        self.on_outcome: list[Callable[[str, str, str, str, bool], None]] = []
        """Told of each try: person, device, alarm, transport, and whether the provider took it."""

    async def carry(self, row: OutboxRow) -> None:
        """Push to all phones of the person. Raises DeliveryFailed when no provider took it."""
        push = _read(row.body)
        newest = (push.staff, push.alarm)
        self._newest[newest] = max(row.id, self._newest.get(newest, ""))
        try:
            targets = self._book.of(push.staff)
            if not targets:
                raise DeliveryFailed("no phone that a push reaches")
            if len(targets) == 1:
                outcomes = [await self._to(targets[0], push, row)]
            else:
                outcomes = await self._to_each(targets, push, row)
        finally:
            if self._newest.get(newest) == row.id:
                del self._newest[newest]
        if not any(outcome in ("", Outcome.TAKEN) for outcome in outcomes):
            raise DeliveryFailed(", ".join(sorted(set(outcomes))))

    async def _to_each(self, targets: Sequence[PushTarget], push: Push, row: OutboxRow) -> list[str]:
        """Side by side; a defect in one way costs that way alone."""
        ended = await asyncio.gather(
            *(self._to(target, push, row) for target in targets), return_exceptions=True
        )
        for one in ended:
            if isinstance(one, BaseException):
                _log.error(Line.PUSH_FAILED, exc=one, alarm=push.alarm)
        return [type(one).__name__ if isinstance(one, BaseException) else one for one in ended]

    async def _to(self, target: PushTarget, push: Push, row: OutboxRow) -> str:
        """Push to one address until it is taken or given up; the last outcome, "" when it was not needed."""
        outcome, attempt = "", 0
        while True:
            wait_ms = self._pause(target, outcome, attempt)
            if self._clock.now() + wait_ms >= row.give_up_at:
                return outcome or "late"
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
            async with self._turn_at(target):
                if not self._wanted(push, row):
                    return ""
                sent = await self._once(target, push, row)
            outcome, attempt = sent.outcome, attempt + 1
            if self._settled(target, sent):
                return outcome

    def _pause(self, target: PushTarget, outcome: str, attempt: int) -> int:
        """How long to wait before the next try, ms: as asked for at this address, or as after any failure."""
        asked = self._paused.get((target.device, target.transport), 0) - self._clock.now()
        usual = RETRY_S[min(attempt, len(RETRY_S)) - 1] * 1000 if outcome else 0
        return max(0, asked, round(usual))

    def _wanted(self, push: Push, row: OutboxRow) -> bool:
        """Whether her phone is still to be woken, by this push."""
        if self._newest.get((push.staff, push.alarm)) != row.id:
            return False
        alarm = self._desk.open_alarm(push.alarm)
        told = None if alarm is None else told_of(alarm, push.staff)
        if alarm is None or told is None or told.answer:
            return False
        if alarm.drill:
            return True  # each way is tried, whatever another has reached
        return told.rang_at is None and rings(alarm, push.staff)

    async def _once(self, target: PushTarget, push: Push, row: OutboxRow) -> Sent:
        now = self._clock.now()
        left_s = (row.give_up_at - now) / 1000
        if left_s <= 0:
            return Sent(Outcome.LOST, "too late")
        note = Note(
            id=str(uuid.uuid4()), alarm=push.alarm, rev=push.rev, priority=push.priority,
            ttl_s=math.ceil(left_s), drill=push.drill,
        )  # fmt: skip
        self._metrics.push_out_s.labels(target.transport).observe(max(0, now - row.created_at) / 1000)
        within_s = left_s if left_s < WITHIN_S else None
        sent = await self._transports[target.transport].send(target, note, within_s=within_s)
        self._metrics.pushes.labels(target.transport, str(sent.outcome)).inc()
        for heard in self.on_outcome:
            is_taken = sent.outcome is Outcome.TAKEN
            heard(push.staff, target.device, push.alarm, target.transport, is_taken)
        return sent

    def _settled(self, target: PushTarget, sent: Sent) -> bool:
        """Whether nothing more is to be tried at this address."""
        match sent.outcome:
            case Outcome.TAKEN:
                self._book.took(target)
            case Outcome.DEAD:
                self._book.died(target, sent.detail)
            case Outcome.REFUSED:
                self._say_refused(target.transport, sent.detail)
            case Outcome.LATER:
                if sent.retry_after_s > 0:
                    self._note_pause(target, sent.retry_after_s)
                return False
            case Outcome.LOST:
                return False
        return True

    def _note_pause(self, target: PushTarget, wait_s: float) -> None:
        if len(self._paused) >= PAUSES_KEPT:
            now = self._clock.now()
            self._paused = {address: until for address, until in self._paused.items() if until > now}
        self._paused[target.device, target.transport] = self._clock.now() + math.ceil(wait_s * 1000)

    def _say_refused(self, transport: str, detail: str) -> None:
        """Our own fault, of every push alike: one line a minute."""
        now = self._clock.now()
        if now - self._refused_said.get(transport, 0) >= REFUSED_SAID_EVERY_MS:
            self._refused_said[transport] = now
            _log.error(Line.PUSH_REFUSED, transport=transport, detail=detail)

    @asynccontextmanager
    async def _turn_at(self, target: PushTarget) -> AsyncIterator[None]:
        address = (target.device, target.transport)
        line = self._lines.setdefault(address, _Line())
        line.users += 1
        try:
            async with line.turns:
                yield
        finally:
            line.users -= 1
            if not line.users:
                del self._lines[address]


class _Line:
    """Turns at one address; kept while somebody uses it."""

    __slots__ = ("turns", "users")

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE_PER_TARGET)
        self.users = 0
