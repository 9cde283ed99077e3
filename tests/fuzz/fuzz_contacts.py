"""Fuzz target for contacts: any point, any readings, at any times.

`target` raises AssertionError when a promise of `protocols.contacts` is broken. The first four bytes
make the point; of the others each is a reading, and how long after it the next one is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from protocols.contacts import (
    Condition,
    Point,
    PointMachine,
    Say,
    Table,
    collapse,
    condition_of,
    contact_of,
    plan,
)

TABLES = list(Table)
SEEDS: list[bytes] = [
    b"",
    bytes([0, 0, 0, 0]) + bytes([0, 10, 1, 10, 0, 10]),
    bytes([1, 5, 1, 1]) + bytes([0, 10, 1, 1, 0, 1, 1, 1, 0, 200, 1, 200]),
    bytes([2, 9, 2, 7]) + bytes(range(64)),
    bytes([3, 50, 5, 3]) + bytes([255, 0, 254, 0, 0, 3, 128, 255, 1, 1, 253, 9]),
]


def _point(head: bytes) -> Point:
    table, debounce, means, how = (*head, 0, 0, 0, 0)[:4]
    more: dict[str, Any] = {}
    if table & 2:
        more = {"open": ((0, 40),), "closed": ((60, 120),), "fault": ((200, 255),)}
    return Point(
        name="p",
        table=TABLES[table % 4],
        address=means,
        bits=1 + (table >> 4 & 1),  # type: ignore[arg-type]
        normally=("open", "closed")[means & 1],  # type: ignore[arg-type]
        debounce_ms=debounce,
        active=("start", "once", "none")[how % 3],  # type: ignore[arg-type]
        normal=("end", "none")[how >> 2 & 1],  # type: ignore[arg-type]
        line_fault=("start", "none")[how >> 3 & 1],  # type: ignore[arg-type]
        **more,
    )


def target(data: bytes) -> None:
    """One input."""
    point = _point(data[:4])
    point.faults()
    plan([point, point, _point(data[1:5])])
    machine, now = PointMachine(point), 0
    told: list[Say] = []
    for raw, wait in pairwise(data[4:]):
        now += wait
        if raw == 253:
            machine.lost()
            assert machine.next_read() is None
            continue
        reading = None if raw == 254 else raw
        told += machine.read(reading, now)
        due = machine.next_read()
        assert due is None or due > now or machine.condition is Condition.FAULT
    _rests(machine, now)
    _alternates(told)
    for word in ("active", "fault"):
        assert sum(say.word == word for say in collapse(told)) <= 3


def _rests(machine: PointMachine, now: int) -> None:
    """After two readings as far apart as the debounce time the point is what they say."""
    machine.read(0, now)
    machine.read(0, now + machine.point.debounce_ms)
    assert machine.known
    assert machine.condition is condition_of(machine.point, contact_of(machine.point, 0))
    assert machine.next_read() is None


def _alternates(told: list[Say]) -> None:
    """No word ends twice in a row; it begins twice in a row only where its end is not told."""
    for word in ("active", "fault"):
        events = [say.event for say in told if say.word == word]
        assert ("end", "end") not in pairwise(events)
        if "end" in events:
            assert all("end" in pair for pair in pairwise(events))
