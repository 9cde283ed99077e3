"""What drills cost the alarms: the same presses in turn without drills, and while one unit after the other is
drilled.

A shift change begins a drill every two seconds by the hub's defaults; here they are asked for at the pace
given, which may be quicker. Every phone confirms, as phones do. Measured is what is measured of any alarm.
"""

from __future__ import annotations

import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from load import plan
from load.bench import HUB, Bench
from load.rates import line, play_once
from load.rounds import Outcome

PACE_S: Final = 0.5
SCOPES: Final = ("--scope", "drills:write")
ASKED_WITHIN_S: Final = 5.0

Say = Callable[[str], None]


@dataclass
class Asked:
    """Drills that were begun, and those that were refused (one was under way there)."""

    begun: int = 0
    refused: int = 0


class Asking:
    """Asks for a drill of one unit after the other, in a thread of its own, while it is entered."""

    def __init__(self, port: Callable[[], int], secret: str, units: list[str], pace_s: float) -> None:
        self._port, self._secret, self._units, self._pace_s = port, secret, units, pace_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drills", daemon=True)
        self.asked = Asked()

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(2 * ASKED_WITHIN_S)

    def _run(self) -> None:
        for unit in itertools.cycle(self._units):
            if self._over.wait(self._pace_s):
                return
            request = urllib.request.Request(
                f"http://127.0.0.1:{self._port()}/api/v1/units/{unit}/drills", data=json.dumps({}).encode(),
                headers={"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"},
            )  # fmt: skip
            try:
                with urllib.request.urlopen(request, timeout=ASKED_WITHIN_S):
                    self.asked.begun += 1
            except urllib.error.HTTPError:
                self.asked.refused += 1
            except OSError:
                continue  # the hub is not there yet, or not any more


def run_drills(
    bench: Bench, *, rate: float, pairs: int, seconds: float, warmup_s: float, pace_s: float, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row without and a row with drills, and what fell short."""
    secret = bench.hub.command("token", "api", "drills", *SCOPES).strip()
    units = sorted({bench.layout.unit_of(bed) for bed in range(bench.layout.beds)})
    quiet: list[Outcome] = []
    drilled: list[Outcome] = []
    asked = Asked()
    for pair in range(pairs):
        seed = bench.setup.seed * 1000 + pair
        presses = plan.poisson(rate=rate, seconds=warmup_s + seconds, beds=bench.layout.beds, seed=seed)
        for outcomes in (quiet, drilled):
            if outcomes is quiet:
                outcome = play_once(bench, HUB, presses, warmup_s=warmup_s, seconds=seconds, seed=seed)
            else:
                with Asking(lambda: bench.hub.http_port, secret, units, pace_s) as asking:
                    outcome = play_once(bench, HUB, presses, warmup_s=warmup_s, seconds=seconds, seed=seed)
                asked.begun += asking.asked.begun
                asked.refused += asking.asked.refused
            outcomes.append(outcome)
            sort = "with" if outcomes is drilled else "without"
            say(f"pair {pair + 1}/{pairs} {sort} drills: {line(outcome)}")
    rows = [row("without", quiet, Asked()), row("with", drilled, asked)]
    for one in rows:
        say(said(one))
    return rows, faults(rows, quiet + drilled)


def row(drills: str, outcomes: list[Outcome], asked: Asked) -> dict[str, Any]:
    """All rounds of one sort; quantiles are medians over them. `confirmed`: drill frames phones confirmed."""
    quantiles = {
        name: [one.ledger.first_phone.quantile_ms(at) or 0.0 for one in outcomes]
        for name, at in (("p50_ms", 0.5), ("p99_ms", 0.99))
    }
    return {
        "drills": drills, "begun": asked.begun, "refused": asked.refused,
        "confirmed": sum(one.ledger.counts["drills"] for one in outcomes),
        "alarms": sum(one.ledger.counts["sent"] for one in outcomes),
        **{name: round(median(found), 2) for name, found in quantiles.items()},
        "system_core": round(median([float(one.cpu["system_core"] or 0) for one in outcomes]), 3),
    }  # fmt: skip


def said(one: dict[str, Any]) -> str:
    """A row in words."""
    return (
        f"{one['drills']:>7} drills: press to phone p50 {one['p50_ms']} p99 {one['p99_ms']} ms, "
        f"{one['alarms']} alarms, {one['system_core']} of a core; {one['begun']} drills, "
        f"{one['confirmed']} confirmed"
    )


def faults(rows: list[dict[str, Any]], outcomes: list[Outcome]) -> list[str]:
    """Rounds that may not be used, and drills that never were."""
    found = [fault for outcome in outcomes for fault in outcome.faults]
    return found if rows[1]["confirmed"] else [*found, "no phone has confirmed a drill"]
