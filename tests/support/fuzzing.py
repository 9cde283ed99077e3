"""Mutates recorded bytes and gives them to a target; fails on an exception, a hang, or growth.

Repeatable: the same target, count and seed give the same inputs.
"""

from __future__ import annotations

import faulthandler
import importlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fuzz"
LONGEST_BYTES = 4_096
HANGS_AFTER_S = 20.0
SLOW_S = 2.0
GROWS_BY_BYTES = 96 * 1024 * 1024
WARM_UP = 500
INTERESTING = [
    *(bytes([byte]) for byte in (0, 1, 2, 3, 4, 5, 10, 21, 255)),
    *(b"\r\n", b"\x0b", b"\x1c\r", b"<", b"&", b"]]>", b"|", b"^", b"~", b"\\", b'"', b"{", b"[", b"%s"),
    *(b"-1", b"0", b"9" * 20, b"9" * 40, b" " * 64),
    *("å".encode(), "ä".encode("latin-1"), b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
]


class Failed(Exception):
    """An input broke the target's promise; the message names it."""


@dataclass(frozen=True)
class Report:
    """What a run was like."""

    name: str
    count: int
    seconds: float
    slowest_ms: float
    grown_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.count} inputs in {self.seconds:.1f} s, slowest {self.slowest_ms:.0f} ms, "
            f"grown by {self.grown_bytes / 1e6:.1f} MB"
        )


def targets() -> list[str]:
    """Names of all targets."""
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


def load(name: str) -> tuple[Callable[[bytes], Any], Sequence[bytes]]:
    """A target and its seeds."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    return module.target, module.SEEDS


def run(name: str, count: int, seed: int = 1) -> Report:
    """Give `count` inputs to a target. Raises Failed."""
    target, seeds = load(name)
    rng = random.Random(f"{name}:{seed}")
    for given in seeds:
        _one(target, given)
    begun, slowest_s, base = time.monotonic(), 0.0, 0
    for number in range(count):
        if number == min(WARM_UP, count // 2):
            base = _resident_bytes()
        given = mutated(rng, seeds)
        slowest_s = max(slowest_s, _one(target, given))
    grown = max(0, _resident_bytes() - base)
    if grown > GROWS_BY_BYTES:
        raise Failed(f"grew by {grown} bytes over {count} inputs")
    return Report(name, count, time.monotonic() - begun, slowest_s * 1000, grown)


def _one(target: Callable[[bytes], Any], given: bytes) -> float:
    faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
    begun = time.monotonic()
    try:
        target(given)
    except Exception as error:
        raise Failed(f"{type(error).__name__}: {error} for {given!r}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    took_s = time.monotonic() - begun
    if took_s > SLOW_S:
        raise Failed(f"took {took_s:.1f} s for {given!r}")
    return took_s


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in one to eight ways; now and then plain noise."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randrange(256))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 8))):
        rng.choice(_CHANGES)(rng, data, seeds)
    return bytes(data[:LONGEST_BYTES])


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(INTERESTING)


def _remove(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 4, 16, 64))]


def _repeat(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(1, 64)] * rng.choice((1, 2, 8))


def _cut(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    at = rng.randrange(len(data) + 1)
    data[at:] = other[rng.randrange(len(other) + 1) :]


_CHANGES = (_flip, _set, _insert, _remove, _repeat, _cut, _splice)


def _resident_bytes() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
