"""The report: report.json with the agreed fields, runs.json with everything, a picture, a table.

Sections come from separate commands; each is merged into the report that is already in the folder. It
formats what it is given and judges nothing.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pygal
from rich.console import Console
from rich.table import Table

from load.bench import FLOOR, HUB
from load.histograms import merged
from load.rates import Rate

# pygal leaves an import hook of the old protocol behind, of which Python warns at every later import; it
# serves plugins only, and there are none.
sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != "pygal"]

REPORT, RUNS, PICTURE = "report.json", "runs.json", "percentiles.svg"


def write(folder: Path, sections: dict[str, Any], runs: dict[str, Any]) -> dict[str, Any]:
    """Merges `sections` into report.json and `runs` into runs.json; returns the whole report."""
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"rates": [], "knee_per_s": None, "burst": {}, "machine": {}}
    report.update(_read(folder / REPORT))
    report.update(sections)
    _write(folder / REPORT, report)
    _write(folder / RUNS, {**_read(folder / RUNS), **runs})
    return report


def picture(folder: Path, rates: Sequence[Rate]) -> None:
    """Percentile curves of hub and floor at each rate, log axis, as SVG."""
    chart = pygal.XY(
        title="Press to phone, from the intended time",
        x_title="percentile (by nines)",
        y_title="ms",
        logarithmic=True,
        show_dots=False,
        width=1000,
        height=600,
        # No script: the picture must open in any viewer, offline.
        js=[],
    )
    chart.x_labels = [
        {"label": text, "value": _nines(float(text))} for text in ("50", "90", "99", "99.9", "99.99")
    ]
    for rate in rates:
        for system in (HUB, FLOOR):
            curve = merged(one.ledger.first_phone for one in rate.rounds[system]).curve_ms()
            if curve:
                points = [(_nines(percentile), ms) for percentile, ms in curve]
                style = {"width": 2} if system == HUB else {"width": 2, "dasharray": "6, 4"}
                chart.add(f"{system} {rate.rate:g}/s", points, stroke_style=style)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_bytes(chart.render())


def table(console: Console, report: dict[str, Any]) -> None:
    """The report for people at a terminal."""
    shown = Table(title="Press to phone (ms)")
    for heading in (
        "rate",
        "sent",
        "lost",
        "dup",
        "",
        "p50",
        "p99",
        "p99.9",
        "max",
        "p50 ratio",
        "p99 ratio",
        "",
    ):
        shown.add_column(heading, justify="right")
    for entry in report["rates"]:
        for system in (HUB, FLOOR):
            values = [_number(entry[system][name]) for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")]
            first = system == HUB
            head = [f"{entry['rate']:g}", str(entry["sent"]), str(entry["lost"]), str(entry["duplicated"])]
            tail = [_number(entry["p50_ratio"]), _number(entry["p99_ratio"])]
            verdict = "valid" if entry["valid"] else "INVALID"
            shown.add_row(
                *(head if first else [""] * 4), system, *values, *([*tail, verdict] if first else [""] * 3)
            )
    console.print(shown)
    if report["knee_per_s"] is not None:
        console.print(f"knee (p99 <= 50 ms): {report['knee_per_s']:g} alarms/s")
    for name in ("burst", "escalation", "restart", "idle", "hospital"):
        if report.get(name):
            console.print(f"{name}: {json.dumps(report[name])}")


def _nines(percentile: float) -> float:
    """Position on an axis where 90, 99 and 99.9 lie one apart."""
    return -math.log10(max(1 - percentile / 100, 1e-6))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    read = json.loads(path.read_text())
    return read if isinstance(read, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content, indent=1) + "\n")
    draft.replace(path)
