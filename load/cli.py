"""The commands of `python -m load`. Each writes into the report of --out, and exits non-zero on any failure.

Failed means: a run was invalid, something was lost or doubled, or a measured program did not start. Every
command is bounded in time and ends what it started, also on Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from load import day, machine, rates, report, steady
from load.bench import FLOOR, HUB, LOOPS, PINNINGS, Bench, Setup
from load.boards import BOARDS, run_boards
from load.database import DatabaseFault
from load.drills import PACE_S, run_drills
from load.intake import run_intake
from load.push import run_push
from load.systems import SystemFault
from load.ways import WAYS

BUSY_LOAD = 1.0
"""Load average per machine above which somebody else's work would be measured."""
SPARE_DESCRIPTORS = 500
BEDS_PER_WARD = 12

console = Console(width=None if sys.stdout.isatty() else 130)


def say(text: str) -> None:
    """One line of progress."""
    console.print(text, markup=False, highlight=False)


@click.group()
def main() -> None:
    """Load runs against the hub and against the floor."""
    # SIGTERM unwinds like Ctrl-C, so that servers and databases are stopped on the way out.
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


Command = Callable[..., None]


def common(phones: int, pin: str = "none") -> Callable[[Command], Command]:
    """Options of every command, with its own default number of phones."""

    def add(command: Command) -> Command:
        options = [
            click.option("--phones", default=phones, show_default=True, help="Staff phones connected."),
            click.option(
                "--out", type=click.Path(path_type=Path), default=Path("load-out"), show_default=True
            ),
            click.option("--seed", default=1, show_default=True, help="Seed of all plans and orders."),
            click.option(
                "--loop",
                type=click.Choice(LOOPS),
                default="uvloop",
                show_default=True,
                help="Event loop of hub and floor alike.",
            ),
            click.option("--database", type=click.Choice(("bench", "production")), default="bench"),
            click.option(
                "--pin",
                type=click.Choice(PINNINGS),
                default=pin,
                show_default=True,
                help="split: hub or floor on one core, database and generator on the other; or swapped.",
            ),
            click.option("--anyway", is_flag=True, help="Measure although the machine is busy."),
        ]
        for option in reversed(options):
            command = option(command)
        return command

    return add


@contextmanager
def bench_of(options: dict[str, Any]) -> Iterator[Bench]:
    """The bench for these options; faults of the programs on it become one line and exit 1."""
    setup = Setup(
        phones=options["phones"],
        beds_per_unit=options.get("beds_per_unit", 5),
        loop=options["loop"],
        database_profile=options["database"],
        pin=options["pin"],
        seed=options["seed"],
    )
    _descriptors(setup.phones)
    with measuring(anyway=options["anyway"]), Bench(setup) as bench:
        yield bench


@contextmanager
def measuring(*, anyway: bool) -> Iterator[None]:
    """On a machine with nothing else to do; what goes wrong with the programs becomes one line and exit 1."""
    if machine.busy() > BUSY_LOAD and not anyway:
        raise click.ClickException(f"the machine is busy (load average {machine.busy():.2f}); see --anyway")
    try:
        yield
    except (SystemFault, DatabaseFault, TimeoutError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; everything started has been stopped") from None


@main.command()
@common(phones=0)
@click.option("--boards", default=BOARDS, show_default=True, help="One for each unit.")
@click.option("--rate", default=100.0, show_default=True, help="Alarms per second.")
@click.option("--seconds", default=8.0, show_default=True, help="Of each of the four rounds.")
def boards(boards: int, rate: float, seconds: float, **options: Any) -> None:
    """How soon boards show a commit, and what they cost those who wait for one."""
    with measuring(anyway=options["anyway"]):
        rows, found = run_boards(
            boards=boards, rate=rate, seconds=seconds, loop=options["loop"],
            profile=options["database"], say=say,
        )  # fmt: skip
    report.write(options["out"], {"boards": rows}, {})
    finish(found)


@main.command()
@common(phones=200)
@click.option("--rate", default=20.0, show_default=True, help="Alarms per second.")
@click.option("--pairs", default=3, show_default=True, help="Times it is played without and with drills.")
@click.option("--seconds", default=10.0, show_default=True, help="Measured seconds of a round.")
@click.option("--warmup", default=3.0, show_default=True, help="Seconds discarded before.")
@click.option("--pace", default=PACE_S, show_default=True, help="Seconds between two drills; a hub's own: 2.")
def drills(rate: float, pairs: int, seconds: float, warmup: float, pace: float, **options: Any) -> None:
    """What drills of one unit after the other cost the alarms meanwhile."""
    with bench_of(options) as bench:
        rows, found = run_drills(
            bench, rate=rate, pairs=pairs, seconds=seconds, warmup_s=warmup, pace_s=pace, say=say
        )
    report.write(options["out"], {"drills": rows}, {})
    finish(found)


def _descriptors(phones: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = phones + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise click.ClickException(
            f"{phones} phones need {wanted} open files; the limit is {hard} (ulimit -n)"
        )
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def finish(faults: list[str]) -> None:
    """Exits 1 and says why if there is any fault."""
    for fault in faults:
        click.echo(f"failed: {fault}", err=True)
    if faults:
        sys.exit(1)


@main.command()
@common(phones=2000, pin="split")
@click.option("--rates", "wanted", default="20,100,200", show_default=True, help="Alarms per second.")
@click.option("--pairs", default=5, show_default=True, help="Times hub and floor are each run per rate.")
@click.option("--seconds", default=20.0, show_default=True, help="Measured seconds of a run.")
@click.option("--warmup", default=5.0, show_default=True, help="Seconds discarded before.")
@click.option(
    "--end-after", default=0.0, help="The source ends each alarm after so many seconds; 0: at the end."
)
@click.option("--systems", default="hub,floor", show_default=True)
@click.option("--quick", is_flag=True, help="Smoke test: 100 phones, one rate, one pair, 3 s.")
def run(
    wanted: str,
    pairs: int,
    seconds: float,
    warmup: float,
    end_after: float,
    systems: str,
    quick: bool,
    **options: Any,
) -> None:
    """Latency of hub and floor in turn at fixed rates."""
    chosen = [float(one) for one in wanted.split(",")]
    if quick:
        chosen, pairs, seconds, warmup, options["phones"] = [50.0], 1, 3.0, 1.0, 100
    with bench_of(options) as bench:
        about = machine.describe(options["seed"], bench.database, options["loop"])
        about["pin"] = options["pin"]
        about["floors"] = machine.floors(bench.database, quick=quick)
        results = rates.run_rates(
            bench,
            rates=chosen,
            pairs=pairs,
            seconds=seconds,
            warmup_s=warmup,
            systems=[name for name in (HUB, FLOOR) if name in systems.split(",")],
            say=say,
            end_after_s=end_after,
        )
    runs = {
        f"{one.rate:g}": {name: [rates.detail(r) for r in side] for name, side in one.rounds.items()}
        for one in results
    }
    sections = {"rates": [one.report() for one in results], "machine": about}
    report.picture(options["out"], results)
    _logs(options["out"], results)
    report.table(console, report.write(options["out"], sections, {"rates": runs}))
    finish([fault for one in results for fault in one.faults()])


def _logs(folder: Path, results: list[rates.Rate]) -> None:
    for one in results:
        for name, side in one.rounds.items():
            for number, outcome in enumerate(side):
                outcome.ledger.write_log(folder / f"alarms-{name}-{one.rate:g}-{number + 1}.bin")


@main.command()
@common(phones=2000)
@click.option("--system", type=click.Choice((HUB, FLOOR)), default=HUB)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--warmup", default=3.0, show_default=True)
@click.option("--ladder", default=",".join(map(str, rates.KNEE_LADDER)), show_default=True)
def knee(system: str, seconds: float, warmup: float, ladder: str, **options: Any) -> None:
    """The highest rate with p99 <= 50 ms, and what happens at twice that."""
    steps = [float(one) for one in ladder.split(",")]
    with bench_of(options) as bench:
        found = rates.find_knee(bench, system=system, seconds=seconds, warmup_s=warmup, say=say, ladder=steps)
    details: dict[str, Any] = {}
    for rate, outcome in found.rounds:
        details.setdefault(f"{rate:g}", []).append(rates.detail(outcome))
    if found.beyond is not None:
        details["twice_the_knee"] = rates.detail(found.beyond)
    name = "knee" if system == HUB else "knee_floor"
    sections = {"knee_per_s": found.rate} if system == HUB else {}
    report.table(console, report.write(options["out"], sections, {name: details}))
    faults = [] if found.rate is not None else ["not even the lowest rate held"]
    if found.beyond is not None and (found.beyond.ledger.lost or found.beyond.ledger.duplicated):
        faults.append("lost or doubled at twice the knee")
    finish(faults)


@main.command()
@common(phones=2000)
@click.option("--system", type=click.Choice((HUB, FLOOR)), default=HUB)
@click.option("--starts", default=rates.BURST_STARTS, show_default=True)
@click.option("--seconds", default=rates.BURST_SECONDS, show_default=True)
def burst(system: str, starts: int, seconds: float, **options: Any) -> None:
    """Many starts at once: nothing lost, high priority first."""
    with bench_of(options) as bench:
        section, outcome = rates.run_burst(bench, system=system, say=say, starts=starts, seconds=seconds)
    sections = {"burst": section} if system == HUB else {}
    name = "burst" if system == HUB else "burst_floor"
    report.table(console, report.write(options["out"], sections, {name: rates.detail(outcome)}))
    finish(outcome.faults)


@main.command()
@common(phones=2000)
@click.option("--alarms", default=10_000, show_default=True)
@click.option("--over", default=60.0, show_default=True, help="Seconds over which the deadlines are spread.")
def escalation(alarms: int, over: float, **options: Any) -> None:
    """Lateness of the second step with many open deadlines; never early."""
    with bench_of(options) as bench:
        section, runs, faults = steady.run_escalation(bench, alarms=alarms, over_s=over, say=say)
    report.table(console, report.write(options["out"], {"escalation": section}, {"escalation": runs}))
    finish(faults)


@main.command()
@common(phones=2000)
@click.option("--alarms", default=10_000, show_default=True)
def restart(alarms: int, **options: Any) -> None:
    """Kill the hub with many alarms open; how soon it serves again, and whether all are still there."""
    with bench_of(options) as bench:
        section, faults = steady.run_restart(bench, alarms=alarms, say=say)
    report.table(console, report.write(options["out"], {"restart": section}, {}))
    finish(faults)


@main.command()
@common(phones=10_000)
@click.option("--system", type=click.Choice((HUB, FLOOR)), default=HUB)
@click.option("--seconds", default=30.0, show_default=True, help="Idle time before each reading.")
def idle(system: str, seconds: float, **options: Any) -> None:
    """Memory and CPU of phones that only beat."""
    with bench_of(options) as bench:
        section, faults = steady.run_idle(bench, system=system, seconds=seconds, say=say)
    name = "idle" if system == HUB else "idle_floor"
    report.table(console, report.write(options["out"], {name: section}, {}))
    finish(faults)


@main.command()
@common(phones=450)
@click.option("--times", default=20.0, show_default=True, help="Multiple of a real hospital's rate.")
@click.option("--seconds", default=300.0, show_default=True, help="Seconds over which the day is laid.")
@click.option("--pace", default=1.0, show_default=True, help="How much quicker people are than people.")
def hospital(times: float, seconds: float, pace: float, **options: Any) -> None:
    """A hospital's day with nurses, clusters, bursts, radio gaps and faulty sources."""
    options["beds_per_unit"] = BEDS_PER_WARD
    with bench_of(options) as bench:
        section, runs, faults = day.run_hospital(bench, times=times, seconds=seconds, pace=pace, say=say)
    report.table(console, report.write(options["out"], {"hospital": section}, {"hospital": runs}))
    finish(faults)


@main.command()
@common(phones=0)
@click.option(
    "--ways", "wanted", default=",".join(WAYS), show_default=True, help="Ways in, HTTP always first."
)
@click.option("--seconds", default=10.0, show_default=True, help="Of each of the two measurements of a way.")
def intake(wanted: str, seconds: float, **options: Any) -> None:
    """New starts over every protocol: how many, and how soon the sender is answered."""
    names = wanted.split(",")
    unknown = sorted(set(names) - set(WAYS))
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}; there are {', '.join(WAYS)}", param_hint="--ways")
    with measuring(anyway=options["anyway"]):
        rows, found = run_intake(
            names, seconds=seconds, loop=options["loop"], profile=options["database"], say=say
        )
    report.write(options["out"], {"intake": rows}, {})
    finish(found)


@main.command()
@common(phones=600)
@click.option("--seconds", default=20.0, show_default=True, help="Measured seconds of each part.")
@click.option("--back", default=10_000, show_default=True, help="Phones that reconnect at once.")
@click.option(
    "--parts", default="latency,rate,reconnect", show_default=True, help="Which measurements, in this order."
)
def push(seconds: float, back: int, parts: str, **options: Any) -> None:
    """Pushes beside sockets, pushes a second per provider, and ten thousand phones that come back at once."""
    setup = Setup(
        phones=options["phones"], loop=options["loop"], database_profile=options["database"],
        pin=options["pin"], seed=options["seed"],
    )  # fmt: skip
    _descriptors(max(setup.phones, back))
    with measuring(anyway=options["anyway"]):
        section, found = run_push(
            setup, seconds=seconds, phones_back=back, parts=tuple(parts.split(",")), say=say
        )
    report.write(options["out"], {"push": section}, {})
    finish(found)
