"""What the hub is like at rest and at its limits of state: idle phones, open deadlines, a restart.

Each function plays one measurement on a Bench and returns the section of the report and the faults.
"""

from __future__ import annotations

import time
from typing import Any

from load import machine, plan
from load import site as load_site
from load.answers import Absent
from load.bench import HUB, Bench
from load.histograms import Latencies
from load.phones import Frame, Phone
from load.rates import Say, detail
from load.reactor import now_ns
from load.rounds import Round, Target
from load.systems import Process

LATE_P99_MS = 50.0
CLOCK_TOLERANCE_MS = 2.0
"""Frames carry whole milliseconds, and two readings of one clock differ."""
AFTER_LAST_S = 15.0
SERVING_WITHIN_S = 2.0
IDLE_KB_PER_PHONE = 20.0
IDLE_CORE = 0.30
IDLE_STEPS = (0, 1000)
OPENING_RATE = 250.0


class Steps:
    """Watches for the second step of every alarm, which is due STEP_S after it was raised.

    Lateness runs to the moment the phone has read the frame, by the machine's real-time clock: an upper
    bound of both due → committed and due → frame written. Early is judged by the hub's own time stamp.
    """

    def __init__(self) -> None:
        self.offset_ns = time.clock_gettime_ns(time.CLOCK_REALTIME) - now_ns()
        self._turns: dict[str, int] = {}
        self.late = Latencies()
        self.early = 0
        self.earliest_ms: float | None = None

    @property
    def passed(self) -> int:
        """Alarms whose second step has been seen."""
        return self.late.count

    def frame(self, phone: Phone, frame: Frame, first: bool, at_ns: int) -> None:
        """An alarm frame on any phone."""
        before = self._turns.get(frame.id)
        if before is None:
            self._turns[frame.id] = frame.turn
        elif frame.turn > before:
            self._turns[frame.id] = 1 << 30
            due_ms = frame.raised_at + load_site.STEP_S * 1000
            late_ms = (at_ns + self.offset_ns) / 1e6 - due_ms
            self.late.record_ns(int(late_ms * 1e6))
            self.earliest_ms = late_ms if self.earliest_ms is None else min(self.earliest_ms, late_ms)
            if late_ms < -CLOCK_TOLERANCE_MS or 0 < frame.at < due_ms - CLOCK_TOLERANCE_MS:
                self.early += 1


def run_escalation(
    bench: Bench, *, alarms: int, over_s: float, say: Say
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """`alarms` presses spread over `over_s`, nobody answers: how late the second step of each comes."""
    seed = bench.setup.seed
    presses = plan.even(
        starts=alarms, seconds=over_s, beds=bench.layout.beds, seed=seed, type_=load_site.STEP_TYPE
    )
    steps = Steps()
    cpu: dict[str, Any] = {}
    with bench.running(HUB) as target:
        one = Round(target, Absent())
        one.crowd.watcher = steps
        try:
            one.connect()

            def wait_for_steps() -> None:
                before = machine.usage(target.pid, target.postmaster_pid)
                within_s = load_site.STEP_S + over_s + AFTER_LAST_S
                one.reactor.run_until(lambda: steps.passed >= alarms, within_s, every_s=0.1)
                cpu.update(machine.usage(target.pid, target.postmaster_pid).since(before))

            outcome = one.play(presses, warmup_s=0, seconds=over_s, between=wait_for_steps)
        finally:
            one.close()
    late = steps.late
    section = {
        "alarms": alarms,
        "spread_s": over_s,
        "passed": steps.passed,
        "early": steps.early,
        "earliest_ms": None if steps.earliest_ms is None else round(steps.earliest_ms, 3),
        "late_p50_ms": late.quantile_ms(0.5),
        "late_p99_ms": late.quantile_ms(0.99),
        "late_max_ms": late.max_ms,
        "valid": outcome.valid,
    }
    faults = list(outcome.faults)
    if steps.early:
        faults.append(f"{steps.early} early")
    if steps.passed < alarms:
        faults.append(f"{alarms - steps.passed} of {alarms} never took their second step")
    p99 = late.quantile_ms(0.99)
    if p99 is None or p99 > LATE_P99_MS:
        faults.append(f"late by {p99} ms at p99")
    say(f"escalation: {section}")
    return section, {"round": detail(outcome), "cpu_while_stepping": cpu}, faults


def run_restart(bench: Bench, *, alarms: int, say: Say) -> tuple[dict[str, Any], list[str]]:
    """Kills the hub with `alarms` open, starts it again. Serving: ready, a phone synced, a start stored."""
    presses = plan.even(
        starts=alarms,
        seconds=alarms / OPENING_RATE,
        beds=bench.layout.beds,
        seed=bench.setup.seed,
        type_=load_site.HOLD_TYPE,
    )
    section: dict[str, Any] = {"alarms": alarms}
    with bench.hub.start() as process:
        one = Round(bench.target(HUB, process), Absent())
        try:
            one.connect()
            outcome = one.play(presses, warmup_s=0, seconds=alarms / OPENING_RATE, leave_open=True)
            stored = {entry.alarm for entry in one.ledger.entries.values() if entry.status == 201}
            process.kill()
        finally:
            one.close()
    faults = list(outcome.faults)
    with bench.hub.launch() as process:
        again = Round(bench.target(HUB, process), Absent())
        try:
            section.update(_serving(again, process))
            shown = _shown(again)
            again.finish(one)
        finally:
            again.close()
    section["open_before"], section["missing_after"] = len(stored), len(stored - shown)
    if section["missing_after"]:
        faults.append(f"{section['missing_after']} alarms are on no phone after the restart")
    if section["serving_s"] is None or section["serving_s"] > SERVING_WITHIN_S:
        faults.append(f"served only {section['serving_s']} s after the start of the process")
    section["valid"] = not faults
    say(f"restart: {section}")
    return section, faults


def _serving(one: Round, process: Process) -> dict[str, float | None]:
    target = one.target
    process.wait_ready(f"http://{target.host}:{target.http_port}/readyz", every_s=0.005)
    ready_ns = now_ns()
    phone = one.crowd.phones[0]
    one.crowd.connect([phone], within_s=10)
    answered: list[int] = []
    entry = plan.Press(0, 0, 0, type=load_site.HOLD_TYPE)
    one.sender.post(b"/api/v1/signals", one.body(entry), lambda status, body, at: answered.append(status))
    one.reactor.run_until(lambda: bool(answered), 10)
    serving_ns = now_ns() if answered and answered[0] in (200, 201) else None
    return {
        "ready_s": round((ready_ns - process.started_ns) / 1e9, 3),
        "phone_s": round((phone.synced_ns - process.started_ns) / 1e9, 3),
        "serving_s": None if serving_ns is None else round((serving_ns - process.started_ns) / 1e9, 3),
    }


def _shown(one: Round) -> set[str]:
    one.crowd.connect([phone for phone in one.crowd.phones if phone.stage != "synced"])
    return {alarm for phone in one.crowd.phones for alarm in phone.open}


def run_idle(bench: Bench, *, system: str, seconds: float, say: Say) -> tuple[dict[str, Any], list[str]]:
    """Memory and CPU at 0, 1,000 and all phones, each after `seconds` of nothing but beats."""
    readings: list[dict[str, Any]] = []
    with bench.running(system) as target:
        one = Round(target, Absent())
        try:
            for count in [*(step for step in IDLE_STEPS if step < bench.layout.phones), bench.layout.phones]:
                readings.append(_idle_at(one, target, count, seconds))
                say(f"idle {system}: {readings[-1]}")
        finally:
            one.close()
    first, last = readings[0], readings[-1]
    per_phone = (last["rss_kb"] - first["rss_kb"]) / max(1, last["phones"] - first["phones"])
    section = {
        "phones": last["phones"],
        "kb_per_phone": round(per_phone, 2),
        "system_core": last["system_core"],
        "readings": readings,
    }
    faults = []
    if per_phone > IDLE_KB_PER_PHONE:
        faults.append(f"{per_phone:.1f} KB per idle phone")
    if last["system_core"] > IDLE_CORE:
        faults.append(f"{last['system_core']:.0%} of a core for {last['phones']} idle phones")
    if one.ledger.counts["phones_lost"]:
        faults.append(f"{one.ledger.counts['phones_lost']} phones lost")
    section["valid"] = not faults
    return section, faults


def _idle_at(one: Round, target: Target, count: int, seconds: float) -> dict[str, Any]:
    one.crowd.connect([phone for phone in one.crowd.phones[:count] if phone.stage != "synced"])
    one.reactor.run_for(seconds / 2)
    before = machine.usage(target.pid, target.postmaster_pid)
    one.reactor.run_for(seconds)
    cpu = machine.usage(target.pid, target.postmaster_pid).since(before)
    shares = {name: cpu[name] for name in ("system_core", "database_core", "generator_core")}
    return {"phones": count, **machine.memory_kb(target.pid), "slab_kb": machine.slab_kb(), **shares}
