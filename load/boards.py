"""What boards cost the alarm path, and how soon a board shows a commit.

One hub, one HTTP source that presses and ends at a steady pace. In turns nobody looks, and a board of every
unit is followed over Server-Sent Events as its page does. Measured in both: each answer from the instant its
press was meant to go out, and the hub's processor time; with boards also each frame, from the source's answer
(which comes after the commit) to the first frame that has the alarm in it. No phones are connected.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import perf_counter, perf_counter_ns
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from load import machine
from load.database import DatabaseServer
from load.histograms import Latencies
from load.site import HOLD_TYPE, SOURCE, Layout, site_file
from load.systems import Hub

BOARDS: Final = 20
BEDS_PER_UNIT: Final = 5
OPEN_S: Final = 2.0
"""An alarm is open so long: with boards of 60 lines none of a steady pace falls off."""
SETTLE_S: Final = 2.0
ROUNDS: Final = 2
ANSWERED_WITHIN_S: Final = 10.0

Say = Callable[[str], None]


@dataclass
class Look:
    """What was measured in all rounds of one sort."""

    boards: int
    answers: Latencies = field(default_factory=Latencies)
    frames: Latencies = field(default_factory=Latencies)
    sent: int = 0
    seen: int = 0
    frames_in: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0

    def row(self) -> dict[str, Any]:
        """One line of the report."""
        return {
            "boards": self.boards, "alarms": self.sent, "seen": self.seen, "frames": self.frames_in,
            "answer_p50_ms": self.answers.quantile_ms(0.5), "answer_p99_ms": self.answers.quantile_ms(0.99),
            "frame_p50_ms": self.frames.quantile_ms(0.5), "frame_p99_ms": self.frames.quantile_ms(0.99),
            "cpu_percent": round(100 * self.cpu_s / max(self.seconds, 1e-9), 1),
        }  # fmt: skip


class _Alarm(Struct):
    id: str


class _Board(Struct):
    alarms: list[_Alarm]


class _Frame(Struct):
    board: _Board


# Only what is looked for: whoever measures must not be what is measured.
_FRAME = msgspec.json.Decoder(_Frame)


class Wall:
    """Follows boards and notes when each alarm was first seen, and when it was answered for."""

    def __init__(self) -> None:
        self.answered_ns: dict[str, int] = {}
        self.seen_ns: dict[str, int] = {}
        self.frames = 0

    async def follow(self, http: aiohttp.ClientSession, url: str, secret: str) -> None:
        """Read one board's events for ever."""
        headers = {"Authorization": f"Bearer {secret}"}
        async with http.get(url, headers=headers, raise_for_status=True) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    self.take(event, perf_counter_ns())
        raise EOFError(f"{url} ended")

    def take(self, event: bytes, now: int) -> None:
        """One event, and when it came."""
        if not event.startswith(b"event: board\n"):
            return
        self.frames += 1
        said = _FRAME.decode(event.partition(b"\ndata: ")[2])
        for alarm in said.board.alarms:
            self.seen_ns.setdefault(alarm.id, now)


def run_boards(
    *, boards: int, rate: float, seconds: float, loop: str, profile: str, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows with and without boards, and what fell short."""
    layout = Layout(2 * BEDS_PER_UNIT * boards, BEDS_PER_UNIT)
    with DatabaseServer(profile) as database:
        hub = Hub(database.fresh("boards"), site_file(layout), SOURCE, loop=loop, log_level="error")
        secrets = {
            unit: hub.command("token", "board", unit).strip().partition("#")[2]
            for unit in sorted({layout.unit_of(bed) for bed in range(layout.beds)})
        }
        looks = {0: Look(0), boards: Look(boards)}
        with hub.start() as process:
            numbers = itertools.count()
            for _ in range(ROUNDS):
                for look in looks.values():
                    asyncio.run(_round(hub, layout, secrets, look, rate, seconds, process.pid, numbers))
    rows = [look.row() for look in looks.values()]
    for row in rows:
        say(line(row))
    return rows, faults(rows)


def line(row: dict[str, Any]) -> str:
    """One sort of rounds in a line."""
    ms = {name: "-" if row[name] is None else f"{row[name]:.1f}" for name in row if name.endswith("_ms")}
    frames = f"; frames p50 {ms['frame_p50_ms']} p99 {ms['frame_p99_ms']} ms, {row['frames']} of them"
    return (
        f"{row['boards']:>3} boards: {row['alarms']} alarms answered p50 {ms['answer_p50_ms']} "
        f"p99 {ms['answer_p99_ms']} ms, hub {row['cpu_percent']:.0f} % of a processor"
        + (frames if row["boards"] else "")
    )


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Alarms that no board has shown."""
    return [
        f"{row['alarms'] - row['seen']} of {row['alarms']} alarms were on no board"
        for row in rows
        if row["boards"] and row["seen"] < row["alarms"]
    ]


async def _round(
    hub: Hub,
    layout: Layout,
    secrets: dict[str, str],
    look: Look,
    rate: float,
    seconds: float,
    pid: int,
    numbers: itertools.count[int],
) -> None:
    base, wall = f"http://127.0.0.1:{hub.http_port}", Wall()
    async with AsyncExitStack() as stack:
        within = aiohttp.ClientTimeout(total=None, sock_connect=ANSWERED_WITHIN_S)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=within)
        )
        looking = await stack.enter_async_context(asyncio.TaskGroup())
        followers = [
            looking.create_task(wall.follow(http, f"{base}/api/v1/boards/{unit}/events", secret))
            for unit, secret in (secrets.items() if look.boards else ())
        ]
        await asyncio.sleep(SETTLE_S)
        cpu_s, begun = machine.cpu_s(pid), perf_counter()
        await _press(http, base, hub.source_secret, layout, look, wall, rate, seconds, numbers)
        await asyncio.sleep(OPEN_S)
        look.cpu_s += machine.cpu_s(pid) - cpu_s
        look.seconds += perf_counter() - begun
        for follower in followers:
            follower.cancel()
    look.frames_in += wall.frames
    for alarm, answered_ns in wall.answered_ns.items():
        if alarm in wall.seen_ns:
            look.seen += 1
            look.frames.record_ns(max(1, wall.seen_ns[alarm] - answered_ns))


async def _press(
    http: aiohttp.ClientSession,
    base: str,
    secret: str,
    layout: Layout,
    look: Look,
    wall: Wall,
    rate: float,
    seconds: float,
    numbers: itertools.count[int],
) -> None:
    """A start every 1/rate s, and its end OPEN_S later."""
    headers = {"Authorization": f"Bearer {secret}"}
    begun = perf_counter() + 0.2

    async def said(**signal: Any) -> Any:
        async with http.post(f"{base}/api/v1/signals", json=signal, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def one(number: int, due: float) -> None:
        await asyncio.sleep(max(0.0, due - perf_counter()))
        ref = f"b{number}"
        unit, bed = number % layout.units, number // layout.units % BEDS_PER_UNIT
        place = layout.place(unit * BEDS_PER_UNIT + bed)
        taken = await said(ref=ref, event="start", place=place, type=HOLD_TYPE)
        done_ns = perf_counter_ns()
        look.answers.record_ns(max(1, done_ns - int(due * 1e9)))
        look.sent += 1
        wall.answered_ns[taken["alarm"]] = done_ns
        await asyncio.sleep(OPEN_S)
        await said(ref=ref, event="end", place=place)

    async with asyncio.TaskGroup() as calls:
        for count in range(int(rate * seconds)):
            calls.create_task(one(next(numbers), begun + count / rate))
