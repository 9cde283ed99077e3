"""How many new starts each way into the hub commits, and how soon its sender is answered; without phones.

Every way gets a hub of its own on a fresh database, so that none pays for the alarms another left open. First
as many calls as the hub answers over some connections (a closed loop: the rate), then a steady pace, each
answer timed from the instant its call was meant to go out. HTTP comes first: the others are compared with it.
Contacts over Modbus hear no answer and are not measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final

from load import site as load_site
from load.database import DatabaseServer
from load.histograms import Latencies
from load.systems import Hub
from load.ways import WAYS, Call, Way, source_tables

LINKS: Final = 16
PLANTS: Final = 8
PACE_PER_S: Final = 100.0
WARM_UP_CALLS: Final = 50
ANSWERED_WITHIN_S: Final = 10.0
P99_AT_MOST: Final = 3.0
"""Times HTTP's, in the same run."""

Say = Callable[[str], None]


def run_intake(
    names: Sequence[str], *, seconds: float, loop: str, profile: str, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of the table, and what fell short. HTTP is measured whatever `names` says."""
    rows: list[dict[str, Any]] = []
    with DatabaseServer(profile) as database:
        for name in dict.fromkeys(("http", *names)):
            way = WAYS[name](PLANTS if name == "espa" else LINKS)
            row = _measured(way, database, seconds=seconds, loop=loop)
            rows.append(row)
            say(line(row))
    return rows, faults(rows)


def line(row: dict[str, Any]) -> str:
    """One way in a line."""
    p50, p99 = ("-" if row[name] is None else f"{row[name]:.1f}" for name in ("p50_ms", "p99_ms"))
    return (
        f"{row['way']:>12}: {row['per_s']:.0f} starts/s over {row['links']} links; "
        f"at {row['pace_per_s']:.0f}/s answered p50 {p50} p99 {p99} ms; "
        f"{row['stored']} alarms of {row['answered']} answered"
    )


def faults(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What is not as asked: refusals, starts not stored, too slow."""
    found = []
    http = next(row for row in rows if row["way"] == "http")
    for row in rows:
        name = row["way"]
        if row["refused"]:
            found.append(f"{name}: {row['refused']} calls were not taken, the first: {row['first_refusal']}")
        if row["stored"] != row["answered"]:
            found.append(f"{name}: {row['answered']} starts were answered, {row['stored']} alarms are there")
        if row["per_s"] < row["needs_per_s"]:
            found.append(f"{name}: {row['per_s']:.0f} starts/s, asked {row['needs_per_s']}")
        if row["p99_ms"] is None or http["p99_ms"] is None:
            found.append(f"{name}: too few samples for a p99; give --seconds 10 or more")
        elif row["p99_ms"] > P99_AT_MOST * http["p99_ms"]:
            found.append(f"{name}: p99 {row['p99_ms']:.1f} ms, more than {P99_AT_MOST:g} times HTTP's")
    return found


def _measured(way: Way, database: DatabaseServer, *, seconds: float, loop: str) -> dict[str, Any]:
    name = f"intake_{way.name}"
    dsn = database.fresh(name)
    site = load_site.site_file(load_site.Layout(10)) + source_tables([way])
    hub = Hub(dsn, site, way.sources[0][0], loop=loop, log_level="error", settings=way.tables)
    row = asyncio.run(_run(way, hub, seconds))
    stored = database.run("SELECT count(*) FROM alarm WHERE source LIKE 'way-%'", name)
    return row | {"stored": int(stored)}


async def _run(way: Way, hub: Hub, seconds: float) -> dict[str, Any]:
    await way.begin(hub)
    process = await asyncio.to_thread(hub.start)
    tally = _Tally()
    try:
        calls = [await way.open(link) for link in range(way.links)]
        await _flood(calls, tally, most=WARM_UP_CALLS)
        answered_before, begun = tally.answered, perf_counter()
        await _flood(calls, tally, until=begun + seconds)
        per_s = (tally.answered - answered_before) / (perf_counter() - begun)
        times = Latencies()
        await _paced(calls, tally, seconds, times)
        await way.close()
    finally:
        await asyncio.to_thread(process.stop)
    return {
        "way": way.name, "links": way.links, "per_s": round(per_s, 1), "needs_per_s": way.needs,
        "pace_per_s": PACE_PER_S, "p50_ms": times.quantile_ms(0.5), "p99_ms": times.quantile_ms(0.99),
        "answered": tally.answered, "refused": tally.refused, "first_refusal": tally.first_refusal,
    }  # fmt: skip


class _Tally:
    """What became of the calls; numbers are given once."""

    def __init__(self) -> None:
        self.answered = self.refused = self._given = 0
        self.first_refusal = ""

    def number(self) -> int:
        self._given += 1
        return self._given

    async def made(self, call: Call) -> bool:
        """One call: whether it was answered positively."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await call(self.number())
        except Exception as error:  # noqa: BLE001  whatever went wrong is what is reported
            self.refused += 1
            self.first_refusal = self.first_refusal or f"{type(error).__name__}: {error}"[:200]
            return False
        self.answered += 1
        return True


async def _flood(calls: Sequence[Call], tally: _Tally, *, until: float = 0.0, most: int = 0) -> None:
    """Each connection calls again as soon as it is answered."""

    async def worker(call: Call) -> None:
        left = most // len(calls) + 1
        while (perf_counter() < until if until else left > 0) and not tally.refused:
            left -= 1
            await tally.made(call)

    async with asyncio.TaskGroup() as workers:
        for call in calls:
            workers.create_task(worker(call))


async def _paced(calls: Sequence[Call], tally: _Tally, seconds: float, times: Latencies) -> None:
    """Each connection calls at its own instants, all together at the pace."""
    begun = perf_counter() + 0.2
    every_s = len(calls) / PACE_PER_S

    async def worker(index: int, call: Call) -> None:
        due = begun + index / PACE_PER_S
        while due < begun + seconds and not tally.refused:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            if await tally.made(call):
                times.record_ns(int((perf_counter() - due) * 1e9))
            due += every_s

    async with asyncio.TaskGroup() as workers:
        for index, call in enumerate(calls):
            workers.create_task(worker(index, call))
