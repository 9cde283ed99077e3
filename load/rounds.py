"""One round against one running system: connect, warm up, measure, drain, end what is open, close.

A round gives an Outcome with its books and its CPU use, and says itself whether it may be used. It starts
and stops no processes.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from load import machine
from load.ledger import Entry, Ledger
from load.phones import Answers, Crowd
from load.plan import Press
from load.press import Sender
from load.reactor import Reactor, now_ns

SELF_LAG_LIMIT_MS = 5.0
GENERATOR_CORE_LIMIT = 0.5
DRAIN_WITHIN_S = 15.0
ENDS_IN_FLIGHT = 64
LEAD_IN_S = 0.3
SIGNALS = b"/api/v1/signals"


@dataclass(frozen=True, slots=True)
class Target:
    """A running system: addresses, secrets, place names of the beds, and process ids for accounting.

    `desk_secrets`: phones beyond the wards, for profiles that need somebody at the desk.
    """

    name: str
    host: str
    http_port: int
    phone_port: int
    source_secret: str
    phone_secrets: list[str]
    places: list[str]
    pid: int
    postmaster_pid: int
    desk_secrets: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What one round gave. `faults` is empty if its figures may be used."""

    system: str
    seconds: float
    ledger: Ledger
    cpu: dict[str, float | int | None]
    ended: int = 0
    not_ended: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Nothing lost, doubled or refused, and the generator kept its times."""
        return not self.faults

    @property
    def system_us_per_alarm(self) -> float | None:
        """CPU time of the measured system per delivered alarm: the figure that other machines can use."""
        delivered = self.ledger.first_phone.count
        core, span = self.cpu["system_core"], self.cpu["seconds"]
        if not delivered or core is None or span is None:
            return None
        return round(core * span * 1e6 / delivered, 1)


class Round:
    """One open-loop round. Usable once."""

    def __init__(self, target: Target, answers: Answers, *, desks: bool = False) -> None:
        self.target = target
        self.reactor = Reactor()
        self.ledger = Ledger(marker=f"L{random.SystemRandom().randrange(16**6):06x}-")
        self.sender = Sender(self.reactor, target.host, target.http_port, target.source_secret)
        secrets = [*target.phone_secrets, *(target.desk_secrets if desks else ())]
        self.crowd = Crowd(self.reactor, target.host, target.phone_port, secrets, self.ledger, answers)
        self.drain_within_s = DRAIN_WITHIN_S
        self._plan: list[Press] = []
        self._next = 0
        self._start_ns = 0
        self._warm_ns = 0
        self._end_after_ns = 0

    def connect(self) -> None:
        """Brings all phones in and opens the first HTTP connections."""
        self.crowd.connect()
        self.sender.open()
        self.reactor.run_for(LEAD_IN_S)

    def play(
        self,
        plan: list[Press],
        *,
        warmup_s: float,
        seconds: float,
        end_after_s: float = 0,
        require_all: bool = True,
        between: Callable[[], None] | None = None,
        leave_open: bool = False,
    ) -> Outcome:
        """Plays `plan` (its first `warmup_s` are not measured), drains, and ends what is open.

        end_after_s > 0: the source also ends each alarm that long after it rang, as a reset in the room.
        require_all: refused starts make the round invalid. `between` runs before the ends are sent.
        leave_open: no ends; another round does that with `finish`.
        """
        self._plan, self._next = plan, 0
        self._end_after_ns = int(end_after_s * 1e9)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._start_ns = now_ns() + int(LEAD_IN_S * 1e9)
            self._warm_ns = self._start_ns + int(warmup_s * 1e9)
            self._arm()
            self.reactor.run_for(LEAD_IN_S + warmup_s)
            before = machine.usage(self.target.pid, self.target.postmaster_pid)
            self.reactor.run_for(max(0.0, (self._warm_ns - now_ns()) / 1e9 + seconds))
            after = machine.usage(self.target.pid, self.target.postmaster_pid)
            self.reactor.run_until(self._settled, self.drain_within_s, every_s=0.05)
            if between is not None:
                between()
            outcome = Outcome(self.target.name, seconds, self.ledger, after.since(before))
            if not leave_open:
                self._end_open(outcome)
        finally:
            gc.enable()
            gc.unfreeze()
        self.judge(outcome, require_all)
        return outcome

    def finish(self, other: Round) -> None:
        """Ends what `other`, a round on an earlier process of the same hub, has left open."""
        self.ledger = other.ledger
        self._end_open(Outcome(self.target.name, 0, self.ledger, {}))

    def close(self) -> None:
        """Closes all sockets of this round."""
        self.crowd.close()
        self.sender.close()
        self.reactor.close()

    # -- presses ----------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._next < len(self._plan):
            self.reactor.call_at(self._start_ns + self._plan[self._next].at_ns, self._due)

    def _due(self) -> None:
        # All that is due by now goes out, each with its own intended time; then the next is armed.
        while self._next < len(self._plan):
            press = self._plan[self._next]
            if self._start_ns + press.at_ns > now_ns():
                break
            self._next += 1
            self.press(press)
        self._arm()

    def press(self, press: Press) -> None:
        """Sends one planned start now and opens its account."""
        number, intended_ns = press.number, self._start_ns + press.at_ns
        high = press.priority == "high"
        measured = intended_ns >= self._warm_ns
        entry = Entry(number, press.bed, press.kind, press.type, high, measured, intended_ns)
        body = self.body(press)
        entry.sent_ns = now_ns()
        self.ledger.opened(entry)
        self.sender.post(SIGNALS, body, lambda status, data, at: self._answered(entry, status, data, at))

    def body(self, press: Press) -> bytes:
        """The JSON of one signal."""
        signal = {
            "ref": self.ledger.ref(press.number),
            "event": press.event,
            "place": self.target.places[press.bed % len(self.target.places)],
            **self._kind(press.kind, press.type),
            "text": self.ledger.text(press.number),
        }
        if press.priority:
            signal["priority"] = press.priority
        return msgspec.json.encode(signal)

    @staticmethod
    def _kind(kind: str, type_: str) -> dict[str, str]:
        return {"type": type_} if type_ else {"kind": kind}

    def _answered(self, entry: Entry, status: int, data: bytes, at_ns: int) -> None:
        alarm = ""
        if status in (200, 201):
            start = data.find(b'"alarm":"')
            alarm = data[start + 9 : start + 45].decode(errors="replace") if start >= 0 else ""
            if self._end_after_ns:
                self.reactor.call_at(at_ns + self._end_after_ns, self._end_one, entry)
        self.ledger.answered(entry.number, status, alarm, at_ns)

    def _settled(self) -> bool:
        return self._next >= len(self._plan) and self.ledger.unsettled() == 0

    # -- ends -------------------------------------------------------------------------------------

    def _end_one(self, entry: Entry) -> None:
        if entry.ended:
            return
        entry.ended = True
        signal = {
            "ref": self.ledger.ref(entry.number),
            "event": "end",
            "place": self.target.places[entry.bed % len(self.target.places)],
            **self._kind(entry.kind, entry.type),
        }
        self.sender.post(SIGNALS, msgspec.json.encode(signal), self._end_answered)

    def _end_answered(self, status: int, data: bytes, at_ns: int) -> None:
        self.ledger.counts["ended" if status in (200, 201) else f"end_http_{status}"] += 1

    def _end_open(self, outcome: Outcome) -> None:
        """Ends every stored alarm that is still open, a bounded number in flight."""
        left = [one for one in self.ledger.entries.values() if one.status in (200, 201) and not one.ended]
        outcome.ended = len(left)
        left.reverse()

        def more() -> bool:
            while left and self.sender.in_flight < ENDS_IN_FLIGHT:
                self._end_one(left.pop())
            return not left and self.sender.in_flight == 0

        self.reactor.run_until(more, 60.0)
        asked = sum(1 for one in self.ledger.entries.values() if one.ended)
        outcome.not_ended = asked - self.ledger.counts["ended"]

    def judge(self, outcome: Outcome, require_all: bool) -> None:
        """Writes into `outcome.faults` whatever makes this round unusable."""
        ledger, faults = self.ledger, outcome.faults
        lag = ledger.self_lag.quantile_ms(0.99) if ledger.self_lag.count >= 1000 else ledger.self_lag.max_ms
        if lag is not None and lag > SELF_LAG_LIMIT_MS:
            faults.append(f"the generator fell behind: {lag:.1f} ms at p99")
        core = outcome.cpu["generator_core"]
        if core is not None and core > GENERATOR_CORE_LIMIT:
            faults.append(f"the generator used {core:.0%} of its core")
        for name, count in (("lost", ledger.lost), ("duplicated", ledger.duplicated)):
            if count:
                faults.append(f"{count} {name}")
        if require_all and ledger.refused:
            faults.append(f"{ledger.refused} refused")
        for name in ("order_faults", "frame_faults", "phones_lost"):
            if ledger.counts[name]:
                faults.append(f"{ledger.counts[name]} {name.replace('_', ' ')}")
        if outcome.not_ended:
            faults.append(f"{outcome.not_ended} ends not confirmed")
