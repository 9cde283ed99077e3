"""The hospital profile: a day of alarms against the hub, with nurses, radio gaps, repeats and faulty sources.

It checks what must hold whatever people do: nothing acknowledged is lost, nothing doubled, malformed input
refused with 400. What people did is told, not judged.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from load.bench import HUB, Bench
from load.histograms import Latencies
from load.hospital import hospital
from load.nurses import Nurses, Radio
from load.phones import Frame, Phone
from load.plan import Press
from load.rates import Say, detail
from load.reactor import now_ns
from load.rounds import SIGNALS, Round, Target

OUT_OF_ORDER_BY_S = 0.2
OUTAGE_AT = 0.45
DRAIN_WITHIN_S = 60.0
"""Phones in a radio gap count as reachable for a while; then the next step rings."""


class Day(Round):
    """A round whose source has defects and whose people are modelled."""

    def __init__(self, target: Target, *, seed: int, pace: float) -> None:
        self.nurses = Nurses(seed, self._reset, pace=pace)
        super().__init__(target, self.nurses, desks=True)
        self.crowd.watcher = self
        self.radio = Radio(seed, self.reactor, self.crowd, wired=len(target.desk_secrets))
        self.drain_within_s = DRAIN_WITHIN_S
        self.to_accept = Latencies()
        self.turns: dict[str, tuple[str, int]] = {}
        self.malformed: list[int] = []
        self._defects: dict[int, str] = {}
        self._offset_ns = time.clock_gettime_ns(time.CLOCK_REALTIME) - now_ns()

    def connect(self) -> None:
        """Brings in those whose phones have a socket."""
        self.crowd.connect(self.radio.present)
        self.sender.open()
        self.radio.start()

    def frame(self, phone: Phone, frame: Frame, first: bool, at_ns: int) -> None:
        """Notes how far each alarm went."""
        if frame.turn > self.turns.get(frame.id, ("", -1))[1]:
            self.turns[frame.id] = (frame.kind, frame.turn)

    def press(self, press: Press) -> None:
        """Sends one planned signal as this source would, defects included."""
        if press.defect == "malformed":
            self.sender.post(
                SIGNALS, self.body(press)[:-3], lambda status, _, at: self.malformed.append(status)
            )
        elif press.defect in ("duplicate", "repeat", "impatient"):
            self._again(press)
        else:
            self._defects[press.number] = press.defect
            super().press(press)
            if press.defect == "late":
                self.reactor.call_in(OUT_OF_ORDER_BY_S, self._again, press)

    def body(self, press: Press) -> bytes:
        """As of the plain round, with the source's id and its wrong clock."""
        signal: dict[str, Any] = msgspec.json.decode(super().body(press))
        again = f"-{now_ns()}" if press.defect in ("repeat", "impatient") else ""
        signal["id"] = f"{signal['ref']}{again}"
        at_ms = (now_ns() + self._offset_ns) // 1_000_000 + press.skew_ms
        signal["occurred_at"] = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
        # Out of order: the update overtakes its start and opens the alarm.
        if press.defect == "late" and press.number not in self.ledger.entries:
            signal["event"], signal["id"] = "update", f"{signal['ref']}-u"
        return msgspec.json.encode(signal)

    def _again(self, press: Press) -> None:
        entry = self.ledger.entries.get(press.number)
        if entry is None or entry.ended or (press.defect == "impatient" and entry.accepted_ns):
            return
        self.ledger.counts[f"sent_{press.defect}"] += 1
        self.sender.post(SIGNALS, self.body(press), lambda status, _, at: self._again_answered(press, status))

    def _again_answered(self, press: Press, status: int) -> None:
        self.ledger.counts[f"{press.defect}_http_{status}"] += 1

    def _reset(self, frame: Frame, delay_ns: int) -> None:
        entry = self.ledger.entries.get(self.ledger.number_in(frame.text))
        if entry is None or entry.accepted_ns:
            return
        entry.accepted_ns = now_ns()
        self.to_accept.record_ns(entry.accepted_ns - entry.intended_ns)
        if self._defects.get(entry.number) != "lost_end":
            self.reactor.call_at(now_ns() + delay_ns, self._end_one, entry)

    def share_beyond(self, kind: str, turn: int) -> float | None:
        """Share of alarms of a kind that went to `turn` or further."""
        turns = [reached for of, reached in self.turns.values() if of == kind]
        return round(sum(1 for reached in turns if reached >= turn) / len(turns), 3) if turns else None


def run_hospital(
    bench: Bench, *, times: float, seconds: float, pace: float, say: Say
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Plays a day at `times` the real rate laid over `seconds`; people are `pace` times as quick."""
    plan = hospital(times=times, seconds=seconds, beds=bench.layout.beds, seed=bench.setup.seed)
    with bench.running(HUB) as target:
        day = Day(target, seed=bench.setup.seed, pace=pace)
        try:
            day.connect()
            day.reactor.call_in(OUTAGE_AT * seconds, day.radio.outage)
            day.reactor.call_in(seconds, day.radio.stop)
            outcome = day.play(plan, warmup_s=0, seconds=seconds)
        finally:
            day.close()
    wrong = [status for status in day.malformed if status != 400]
    faults = list(outcome.faults) + ([f"malformed input answered with {set(wrong)}"] if wrong else [])
    ledger = outcome.ledger
    section = {
        "times_real_rate": times,
        "signals": len(plan),
        "alarms": ledger.counts["sent"],
        "per_s": round(ledger.counts["sent"] / seconds, 2),
        "lost": ledger.lost,
        "duplicated": ledger.duplicated,
        "first_phone_p50_ms": ledger.first_phone.quantile_ms(0.5),
        "first_phone_p99_ms": ledger.first_phone.quantile_ms(0.99),
        "accepted": day.to_accept.count,
        "to_accept_p50_s": _seconds(day.to_accept.quantile_ms(0.5)),
        "to_accept_p90_s": _seconds(day.to_accept.quantile_ms(0.9)),
        "clinical_beyond_first_step": day.share_beyond("clinical", 2),
        "clinical_beyond_second_step": day.share_beyond("clinical", 3),
        "radio_gaps": day.radio.gaps,
        "people": dict(day.nurses.counts),
        "valid": not faults,
    }
    say(f"hospital: {section}")
    return section, detail(outcome), faults


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 2)
