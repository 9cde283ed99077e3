"""The books of one run: what was sent, what was answered, what rang, and what is missing.

Every latency run keeps them; a latency with something lost or doubled is a failure, never a data point.
Times are CLOCK_MONOTONIC ns. The latency of an alarm runs from its *intended* time to the moment its
first phone has read the frame. The ledger does no I/O except writing its exact log when asked.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from load.histograms import Latencies

LOG_RECORD = struct.Struct("<QIIII")
"""Exact log, 24 bytes per alarm: intended ns; then us from intended to sent, answered, first phone
(0 = never); index of that phone."""


@dataclass(slots=True)
class Entry:
    """One alarm: its plan, its answer, and its first phone."""

    number: int
    bed: int
    kind: str
    type: str
    high: bool
    measured: bool
    intended_ns: int
    sent_ns: int = 0
    answered_ns: int = 0
    status: int = 0
    alarm: str = ""
    first_phone_ns: int = 0
    phone: int = -1
    phones: int = 0
    accepted_ns: int = 0
    ended: bool = False


@dataclass(slots=True)
class Ledger:
    """Accounts of one run. `marker` makes texts of this run recognisable among leftovers of others."""

    marker: str
    entries: dict[int, Entry] = field(default_factory=dict)
    self_lag: Latencies = field(default_factory=Latencies)
    first_phone: Latencies = field(default_factory=Latencies)
    every_phone: Latencies = field(default_factory=Latencies)
    high_first_phone: Latencies = field(default_factory=Latencies)
    answer: Latencies = field(default_factory=Latencies)
    counts: Counter[str] = field(default_factory=Counter)

    def text(self, number: int) -> str:
        """The text an alarm carries from press to phone; the number is read back from it."""
        return f"{self.marker}{number}"

    def number_in(self, text: str | None) -> int:
        """The alarm number in a text of this run, -1 for any other text."""
        if text is None or not text.startswith(self.marker):
            return -1
        digits = text[len(self.marker) :]
        return int(digits) if digits.isdigit() else -1

    def ref(self, number: int) -> str:
        """The source's own name of the alarm."""
        return f"{self.marker}{number}"

    def opened(self, entry: Entry) -> None:
        """A start has been sent just now, as planned for `entry.intended_ns`."""
        self.entries[entry.number] = entry
        self.counts["sent"] += 1
        if entry.measured:
            self.self_lag.record_ns(entry.sent_ns - entry.intended_ns)

    def answered(self, number: int, status: int, alarm: str, at_ns: int) -> None:
        """The hub answered the start of `number`."""
        entry = self.entries[number]
        entry.answered_ns, entry.status, entry.alarm = at_ns, status, alarm
        self.counts[f"http_{status}"] += 1
        if entry.measured:
            self.answer.record_ns(at_ns - entry.intended_ns)

    def rang(self, number: int, phone: int, at_ns: int) -> None:
        """Phone `phone` has read the first frame of alarm `number`."""
        entry = self.entries.get(number)
        if entry is None:
            self.counts["foreign"] += 1
            return
        entry.phones += 1
        latency = at_ns - entry.intended_ns
        if entry.measured:
            self.every_phone.record_ns(latency)
        if entry.first_phone_ns:
            return
        entry.first_phone_ns, entry.phone = at_ns, phone
        if entry.measured:
            self.first_phone.record_ns(latency)
            if entry.high:
                self.high_first_phone.record_ns(latency)

    def unsettled(self) -> int:
        """Starts that are neither refused nor both answered and on a phone."""
        return sum(1 for entry in self.entries.values() if not _settled(entry))

    @property
    def refused(self) -> int:
        """Starts that got an answer other than 200 or 201: not lost, the source knows."""
        return sum(1 for entry in self.entries.values() if entry.status not in (0, 200, 201))

    @property
    def lost(self) -> int:
        """Starts that were acknowledged, or never answered, and reached no phone."""
        return sum(
            1 for entry in self.entries.values() if not entry.first_phone_ns and entry.status in (0, 200, 201)
        )

    @property
    def duplicated(self) -> int:
        """Frames with the same id and rev twice on one connection."""
        return self.counts["duplicate"]

    def write_log(self, path: Path) -> None:
        """Writes the exact per-alarm log (LOG_RECORD) for the forensics of outliers."""
        with path.open("wb") as out:
            for entry in self.entries.values():
                parts = (entry.sent_ns, entry.answered_ns, entry.first_phone_ns)
                deltas = [max(0, at - entry.intended_ns) // 1000 if at else 0 for at in parts]
                small = [min(delta, 0xFFFFFFFF) for delta in deltas]
                out.write(LOG_RECORD.pack(entry.intended_ns, *small, entry.phone & 0xFFFFFFFF))


def _settled(entry: Entry) -> bool:
    if entry.status and entry.status not in (200, 201):
        return True
    return entry.status != 0 and entry.first_phone_ns != 0
