"""What the hub measures about itself, in Prometheus' text format.

Every `Metrics` has a registry of its own, so that several hubs can live in one process. Latency buckets are
fixed: histograms of different releases stay comparable. Labels come from closed sets (phases, priorities,
reaches, names of configured sources); it refuses no value, so never pass what a peer sent as a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

COMMIT_BUCKETS_S: Final = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
RANG_BUCKETS_S: Final = (
    0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
ACCEPTED_BUCKETS_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)
LATENESS_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
LAG_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
BATCH_BUCKETS: Final = (1, 2, 3, 5, 8, 16, 32, 64, 128, 256)


_Family = TypeVar("_Family", Histogram, Counter, Gauge)


class Metrics:
    """The hub's instruments, as Prometheus objects: `observe`, `set`, `inc`. Durations are in seconds.

    `commit_s{priority}`    from receipt of a signal to its commit
    `rang_s{priority}`      from receipt of a signal to the first phone that rang
    `accepted_s{priority}`  from receipt of a signal to the first accept
    `lateness_s`            from a deadline's due time to its commit
    `written_late_s`        from a deadline's due time to the frames of what it moved on
    `batch_events`          events per commit
    `loop_lag_s`            how late the event loop wakes a sleeper
    `open_deadlines`        deadlines waiting
    `storing`               1 while the database takes writes
    `queue_events`          events waiting to be decided
    `source_up{source}`        1 while a source's line counts as up
    `signals{source,outcome}`  signals taken in, by outcome (new, known, nothing, refused)
    `refusals{door,reason}`    what was turned away, by door (api, espa, phones …)
    `texts{outcome}`           text messages: sent, throttled, refused, lost, delivered, undelivered; replies:
                               accept, decline
    `drills{cause,state}`      drills that have ended (ok, failed, interrupted)
    `drill_red{unit}`          ways to phones that the unit's last drill found red
    `phone_warnings{cause}`    what is wrong with phones on duty now
    `effects{channel,outcome}` reports, pushes and pages by outcome (sent, retried, given_up)
    `pushes{transport,outcome}` tries at a push address by its provider's answer (taken, dead, later …)
    `push_out_s{transport}`    from a push's decision, its commit included, to its hand-over to the transport
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}
        self.on_render: list[Callable[[], None]] = []
        """Called before each reading: who sets what is dear to count, and is counted only when it is read."""

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"alarmhub_{name}", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"alarmhub_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"alarmhub_{name}", text, labels, registry=registry)

        self.commit_s = histogram(
            "time_to_commit_seconds", "From receipt of a signal to its commit.", COMMIT_BUCKETS_S, "priority"
        )
        self.rang_s = histogram(
            "time_to_rang_seconds", "From receipt to the first phone that rang.", RANG_BUCKETS_S, "priority"
        )
        self.accepted_s = histogram(
            "time_to_accepted_seconds", "From receipt to the first accept.", ACCEPTED_BUCKETS_S, "priority"
        )
        self.lateness_s = histogram(
            "escalation_lateness_seconds", "From a deadline's due time to its commit.", LATENESS_BUCKETS_S
        )
        self.written_late_s = histogram(
            "escalation_written_lateness_seconds",
            "From a deadline's due time to its frames.",
            LATENESS_BUCKETS_S,
        )
        self.batch_events = histogram("batch_events", "Events per commit.", BATCH_BUCKETS)
        self.loop_lag_s = histogram(
            "loop_lag_seconds", "How late the event loop wakes a sleeper.", LAG_BUCKETS_S
        )
        self.open_deadlines = gauge("open_deadlines", "Deadlines waiting.")
        self.storing = gauge("storing", "1 while the database takes writes.")
        self.queue_events = gauge("queue_events", "Events waiting to be decided.")
        self.signals = counter("signals", "Signals taken in.", "source", "outcome")
        self.refusals = counter("refusals", "What was turned away.", "door", "reason")
        self.drills = counter("drills", "Drills that have ended.", "cause", "state")
        self.drill_red = gauge("drill_red", "Ways to phones red in the unit's last drill.", "unit")
        self._warnings = _Tally(gauge("phone_warnings", "What is wrong with phones on duty.", "cause"))
        self.effects = counter("effects", "Reports, pushes and pages.", "channel", "outcome")
        self.pushes = counter("pushes", "Tries at a push address.", "transport", "outcome")
        self.push_out_s = histogram(
            "push_out_seconds",
            "From a push's decision to its hand-over to the transport.",
            COMMIT_BUCKETS_S,
            "transport",
        )
        self.texts = counter("texts", "Text messages and replies to them.", "outcome")
        self.source_up = gauge("source_up", "1 while a source's line counts as up.", "source")
        self._alarms = _Tally(gauge("alarms", "Open alarms by phase.", "phase"))
        self._phones = _Tally(gauge("phones", "Devices by reach.", "reach"))

    def set_alarms(self, by_phase: Mapping[str, int]) -> None:
        """Open alarms by phase; a phase that was set before and is missing now becomes 0."""
        self._alarms.set(by_phase)

    def drilled(self, unit: str, cause: str, state: str, red: int) -> None:
        """A drill has ended."""
        self.drills.labels(cause, state).inc()
        self.drill_red.labels(unit).set(red)

    def set_warnings(self, by_cause: Mapping[str, int]) -> None:
        """Warnings by cause; a cause that was set before and is missing now becomes 0."""
        self._warnings.set(by_cause)

    def set_phones(self, by_reach: Mapping[str, int]) -> None:
        """Devices by reach; a reach that was set before and is missing now becomes 0."""
        self._phones.set(by_reach)

    def of(self, family: _Family, *labels: str) -> _Family:
        """The family's instrument for these labels, found quicker than the library does."""
        known = self._children.get((family, labels))
        if known is None:
            known = self._children[family, labels] = family.labels(*labels)
        return known

    def render(self) -> bytes:
        """All of it, as `CONTENT_TYPE`."""
        for counts in self.on_render:
            counts()
        return generate_latest(self.registry)


class _Tally:
    """A gauge per label that is always set as a whole, so that no label keeps an old value."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: dict[str, int] = {}

    def set(self, values: Mapping[str, int]) -> None:
        shown = self._shown
        if values == shown:
            return
        for label in {**shown, **values}:
            value = values.get(label, 0)
            if shown.get(label) != value:
                shown[label] = value
                self._gauge.labels(label).set(value)
