"""Push: how soon a press is on a provider's wire, how many pushes the hub carries, a hospital coming back.

Three measurements, each against a hub with local providers (`load.providers`) and phones enrolled for them:
the same high alarms to the socket and to the provider at once; phones that sleep, one provider after the
other; and ten thousand phones that reconnect at once while alarms ring others. Times are CLOCK_MONOTONIC of
one machine. A provider's arrival is when the first bytes of the request were read.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

from load import plan
from load import site as load_site
from load.answers import Prompt
from load.bench import HUB, Setup
from load.database import DatabaseServer
from load.enrolment import APNS, FCM, TRANSPORTS, WEB, Browser, enrol, settings
from load.histograms import Latencies
from load.ledger import Entry
from load.reactor import now_ns
from load.rounds import Round, Target
from load.storm import Storm
from load.systems import Hub, Process, free_ports

RATE_PER_S: Final = 100.0
OVER_SOCKET_MS: Final = 10.0
WANTED_PER_S: Final = 500.0
OFFERED_PER_S: Final = 62.0
"""Emergencies, of which each wakes the ten phones of a unit."""
AWAKE: Final = 200
"""Phones whose sockets stay open in the storm: their alarms are measured."""
BACK_WITHIN_S: Final = 20.0
BEDS_PER_UNIT: Final = 20
"""Of a hospital with ten thousand phones: each unit that falls silent is news."""
QUIET_S: Final = 12.0
STORM_S: Final = 12.0
SETTLE_S: Final = 3.0
HIGH: Final = (plan.Share("clinical", "high", 1.0),)
ORDINARY: Final = (plan.Share("patient_call", "", 1.0),)
URGENT: Final = (plan.Share("emergency", "", 1.0),)

Say = Callable[[str], None]


class Arrival(NamedTuple):
    """One push at its provider."""

    at_ns: int
    path: str
    alarm: str


class Ground:
    """A database and running providers; a hub with enrolled phones on them, as often as wanted."""

    def __init__(self, setup: Setup, database: DatabaseServer) -> None:
        self.setup, self._database = setup, database
        self._browser = Browser()
        self.ports = dict(zip(TRANSPORTS, free_ports(len(TRANSPORTS)), strict=True))
        self._count = 0

    @contextmanager
    def providers(self) -> Iterator[None]:
        """They take pushes meanwhile."""
        arguments = [sys.executable, "-m", "load.providers", *map(str, self.ports.values())]
        with Process(arguments) as process:
            for port in self.ports.values():
                process.wait_ready(f"http://127.0.0.1:{port}/readyz")
            yield

    @contextmanager
    def hub(self, transports: tuple[str, ...], phones: int = 0, beds_per_unit: int = 0) -> Iterator[Target]:
        """A hub on a fresh database whose phones have an address of these transports, in turn."""
        self._count += 1
        name = f"load_push{self._count}"
        layout = load_site.Layout(phones or self.setup.phones, beds_per_unit or self.setup.beds_per_unit)
        hub = Hub(
            self._database.fresh(name), load_site.site_file(layout), load_site.SOURCE, loop=self.setup.loop,
            settings=settings(self.ports),
        )  # fmt: skip
        enrol(self._database, name, transports, self.ports, self._browser)
        with hub.start() as process:
            yield Target(
                name=HUB, host="127.0.0.1", http_port=hub.http_port, phone_port=hub.phone_port,
                source_secret=hub.source_secret,
                phone_secrets=[hub.phone_secrets[load_site.staff_id(n)] for n in range(layout.phones)],
                places=layout.places, pid=process.pid, postmaster_pid=self._database.postmaster_pid,
            )  # fmt: skip

    def taken(self) -> dict[str, list[Arrival]]:
        """What came to each provider since the last time."""
        found = {}
        for transport, port in self.ports.items():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/taken", timeout=30) as answer:
                lines = answer.read().splitlines()
            rows = (json.loads(line) for line in lines)
            found[transport] = [
                Arrival(at, path, alarm or self._alarm_in(base64.b64decode(body)))
                for at, path, alarm, body in rows
            ]
        return found

    def _alarm_in(self, body: bytes) -> str:
        return str(json.loads(self._browser.read(body))["alarm"])


def run_push(
    setup: Setup, *, seconds: float, phones_back: int, parts: tuple[str, ...], say: Say
) -> tuple[dict[str, Any], list[str]]:
    """The sections of the report, and what fell short."""
    section: dict[str, Any] = {}
    faults: list[str] = []
    with DatabaseServer(setup.database_profile) as database:
        ground = Ground(setup, database)
        with ground.providers():
            if "latency" in parts:
                section["latency"], found = latency(ground, seconds)
                faults += found
                say(_latency_line(section["latency"]))
            for transport in TRANSPORTS if "rate" in parts else ():
                row, found = throughput(ground, transport, seconds)
                section.setdefault("rate", []).append(row)
                faults += found
                say(_rate_line(row))
            if "reconnect" in parts:
                section["reconnect"], found = reconnect(ground, phones_back)
                faults += found
                say(_reconnect_line(section["reconnect"]))
    return section, faults


# -- beside the socket ---------------------------------------------------------------------------------------


def latency(ground: Ground, seconds: float) -> tuple[dict[str, Any], list[str]]:
    """Press to frame, and press to request on a provider's wire, of the same alarms."""
    seed = ground.setup.seed
    with ground.hub(TRANSPORTS) as target:
        presses = plan.poisson(
            rate=RATE_PER_S, seconds=seconds + 5, beds=len(target.places), seed=seed, mix=HIGH
        )
        one = Round(target, Prompt(seed))
        try:
            one.connect()
            ground.taken()
            outcome = one.play(presses, warmup_s=5, seconds=seconds, end_after_s=5)
            time.sleep(SETTLE_S)
        finally:
            one.close()
        arrived = ground.taken()
    entries = {entry.alarm: entry for entry in one.ledger.entries.values() if entry.alarm}
    pushes, missing = _latencies(entries, arrived)
    socket_p99, push_p99 = outcome.ledger.every_phone.quantile_ms(0.99), pushes[""].quantile_ms(0.99)
    row = {
        "rate": RATE_PER_S, "alarms": len(entries), "pushes": pushes[""].count, "missing": missing,
        "socket": outcome.ledger.every_phone.summary(), "push": pushes[""].summary(),
        "by_transport": {name: pushes[name].summary() for name in TRANSPORTS},
        "over_socket_p99_ms": _gap(push_p99, socket_p99), "cpu": outcome.cpu,
    }  # fmt: skip
    faults = [f"latency: {fault}" for fault in outcome.faults]
    if missing:
        faults.append(f"latency: {missing} alarms were not pushed to every phone they rang")
    over = row["over_socket_p99_ms"]
    if not isinstance(over, float):
        faults.append("latency: too few samples for a p99; give --seconds 20 or more")
    elif over > OVER_SOCKET_MS:
        faults.append(f"latency: push p99 is {over:.1f} ms over the socket's, more than {OVER_SOCKET_MS:g}")
    return row, faults


def _latencies(
    entries: dict[str, Entry], arrived: dict[str, list[Arrival]]
) -> tuple[dict[str, Latencies], int]:
    """By transport ("" = all), of the measured alarms; and how many of all were pushed too seldom."""
    out = {name: Latencies() for name in ("", *TRANSPORTS)}
    pushed: dict[str, int] = dict.fromkeys(entries, 0)
    for transport, arrivals in arrived.items():
        for arrival in arrivals:
            entry = entries.get(arrival.alarm)
            if entry is None:
                continue
            pushed[arrival.alarm] += 1
            if entry.measured:
                for name in ("", transport):
                    out[name].record_ns(arrival.at_ns - entry.intended_ns)
    return out, sum(pushed[alarm] < entry.phones for alarm, entry in entries.items())


def _gap(push_ms: float | None, socket_ms: float | None) -> float | None:
    return None if push_ms is None or socket_ms is None else round(push_ms - socket_ms, 3)


# -- phones that sleep ---------------------------------------------------------------------------------------


def throughput(ground: Ground, transport: str, seconds: float) -> tuple[dict[str, Any], list[str]]:
    """How many pushes a second reach this provider when ten phones sleep in each unit."""
    setup = ground.setup
    with ground.hub((transport,)) as target:
        presses = plan.poisson(
            rate=OFFERED_PER_S, seconds=seconds, beds=len(target.places), seed=setup.seed, mix=URGENT
        )
        one = Round(target, Prompt(setup.seed))
        one.drain_within_s = 0.1  # no phone has a socket to hear by
        try:
            one.sender.open()
            ground.taken()
            began_ns = now_ns()
            outcome = one.play(presses, warmup_s=0, seconds=seconds, end_after_s=2, require_all=True)
            time.sleep(SETTLE_S)
        finally:
            one.close()
        arrivals = ground.taken()[transport]
    stored = {e.alarm: e for e in one.ledger.entries.values() if e.status in (200, 201)}
    late, alarms = Latencies(), set()
    for arrival in arrivals:
        entry = stored.get(arrival.alarm)
        if entry is not None:
            alarms.add(arrival.alarm)
            late.record_ns(arrival.at_ns - entry.intended_ns)
    within = [a for a in arrivals if a.at_ns <= began_ns + int(seconds * 1e9)]
    row: dict[str, Any] = {
        "transport": transport, "alarms": len(stored), "pushes": len(arrivals),
        "per_s": round(len(within) / seconds, 1), "press_to_wire": late.summary(),
        "not_pushed": len(stored.keys() - alarms), "refused": one.ledger.refused,
        "cpu": outcome.cpu,
    }  # fmt: skip
    faults = []
    if row["per_s"] < WANTED_PER_S:
        faults.append(f"rate: {row['per_s']:g} pushes/s to {transport}, fewer than {WANTED_PER_S:g}")
    if row["not_pushed"] or row["refused"]:
        faults.append(f"rate: {transport}: {row['not_pushed']} not pushed, {row['refused']} refused")
    return row, faults


# -- a hospital comes back -----------------------------------------------------------------------------------


def reconnect(ground: Ground, phones: int) -> tuple[dict[str, Any], list[str]]:
    """All phones but some reconnect at once; how soon they are in, and what alarms on the others feel."""
    seed = ground.setup.seed
    with ground.hub((), phones, BEDS_PER_UNIT) as target:
        few = replace(target, phone_secrets=target.phone_secrets[:AWAKE])
        storm = Storm(target.host, target.phone_port, target.phone_secrets[AWAKE:])
        one = Round(few, Prompt(seed))
        try:
            storm.connect()
            one.connect()
            beds = AWAKE // load_site.PHONES_PER_BED
            seconds = QUIET_S + STORM_S
            presses = plan.poisson(rate=RATE_PER_S, seconds=seconds + 2, beds=beds, seed=seed, mix=ORDINARY)
            cut_at: list[int] = []

            def cut() -> None:
                cut_at.append(now_ns())
                storm.break_out()

            one.reactor.call_in(2 + QUIET_S, cut)
            outcome = one.play(presses, warmup_s=2, seconds=seconds, end_after_s=4)
            back = _back(storm)
        finally:
            one.close()
            storm.stop()
    quiet, meanwhile = _split(one.ledger.entries.values(), cut_at[0])
    row = {
        **back, "rate": RATE_PER_S, "quiet": quiet.summary(), "meanwhile": meanwhile.summary(),
        "lost": outcome.ledger.lost, "generator": outcome.ledger.self_lag.summary(),
    }  # fmt: skip
    faults = []
    if not back["all_in"] or back["last_in_s"] > BACK_WITHIN_S:
        faults.append(f"reconnect: {back['in']} of {back['phones']} phones in after {back['last_in_s']} s")
    if outcome.ledger.lost or outcome.ledger.duplicated:
        faults.append(f"reconnect: {outcome.ledger.lost} lost, {outcome.ledger.duplicated} doubled")
    return row, faults


def _back(storm: Storm) -> dict[str, Any]:
    deadline = time.monotonic() + 130
    while time.monotonic() < deadline:
        told = storm.back()
        if told is not None:
            return told
        time.sleep(0.1)
    raise TimeoutError("the phones of the storm did not come back")


def _split(entries: Any, at_ns: int) -> tuple[Latencies, Latencies]:
    """Press to first phone, before that instant and after it."""
    quiet, meanwhile = Latencies(), Latencies()
    for entry in entries:
        if entry.measured and entry.first_phone_ns:
            part = quiet if entry.intended_ns < at_ns else meanwhile
            part.record_ns(entry.first_phone_ns - entry.intended_ns)
    return quiet, meanwhile


# -- in words ------------------------------------------------------------------------------------------------


def _latency_line(row: dict[str, Any]) -> str:
    by = ", ".join(f"{name} {_ms(row['by_transport'][name], 'p99_ms')}" for name in (APNS, FCM, WEB))
    return (
        f"at {row['rate']:g} alarms/s: press to socket frame p50 {_ms(row['socket'], 'p50_ms')} "
        f"p99 {_ms(row['socket'], 'p99_ms')} ms; press to provider's wire p50 {_ms(row['push'], 'p50_ms')} "
        f"p99 {_ms(row['push'], 'p99_ms')} ms ({by}); {row['pushes']} pushes, {row['missing']} missing"
    )


def _rate_line(row: dict[str, Any]) -> str:
    return (
        f"{row['transport']:>8}: {row['per_s']:g} pushes/s, press to wire p50 "
        f"{_ms(row['press_to_wire'], 'p50_ms')} p99 {_ms(row['press_to_wire'], 'p99_ms')} ms"
    )


def _reconnect_line(row: dict[str, Any]) -> str:
    return (
        f"{row['phones']} phones back at once: half in after {row['half_in_s']} s, all after "
        f"{row['last_in_s']} s; alarms meanwhile p50 {_ms(row['meanwhile'], 'p50_ms')} "
        f"p99 {_ms(row['meanwhile'], 'p99_ms')} max {_ms(row['meanwhile'], 'max_ms')} ms, "
        f"quiet p50 {_ms(row['quiet'], 'p50_ms')} p99 {_ms(row['quiet'], 'p99_ms')} ms"
    )


def _ms(summary: dict[str, Any], name: str) -> str:
    value = summary[name]
    return "-" if value is None else f"{value:.1f}"
