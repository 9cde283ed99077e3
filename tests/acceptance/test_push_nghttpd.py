"""Apple's transport against an HTTP/2 server that shares no code with it: Debian's nghttpd, over TLS.

It serves files: a device token whose file is there is answered 200, any other 404.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.people import PushTarget
from alarmhub.push.apns import Apns
from alarmhub.push.settings import ApnsSettings
from alarmhub.push.transport import Note, Outcome, Sent
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.push.conftest import fresh_p8
from tests.support.certificates import self_signed
from tests.support.mosquitto import free_port
from tests.support.waiting import until

KNOWN, UNKNOWN = "a" * 64, "b" * 64


def nghttpd() -> str:
    """The program; skips the test, by name, where it is missing."""
    program = shutil.which("nghttpd") or shutil.which("nghttpd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nghttpd is not installed")
    return program


def served(folder: Path) -> Path:
    """A folder with one known device token."""
    devices = folder / "served" / "3" / "device"
    devices.mkdir(parents=True)
    (devices / KNOWN).write_text("ok")
    return folder / "served"


@asynccontextmanager
async def peer(folder: Path) -> AsyncIterator[tuple[Apns, Process]]:
    """The server in a process of its own, and a transport that talks to it."""
    cert, key = self_signed(folder, "localhost")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        nghttpd(), "-v", "-d", str(served(folder)), "-a", "127.0.0.1", str(port), key, cert,
        stdout=PIPE, stderr=DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(5):
        await process.stdout.readuntil(b"listen")
    heard = asyncio.ensure_future(process.stdout.read())  # noqa: TID251  or its pipe fills and it stops
    crew = Crew("test")
    settings = ApnsSettings(
        key=Secret(fresh_p8()), key_id="K", team_id="T", topic="example.alarm",
        endpoint=f"https://127.0.0.1:{port}", ca_file=cert,
    )  # fmt: skip
    apns = Apns(settings, clock=MonotonicClock(), crew=crew)
    await apns.start()
    try:
        yield apns, process
    finally:
        await apns.stop()
        assert len(crew) == 0 and await crew.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
        heard.cancel()


async def push(apns: Apns, number: int = 1, address: str = KNOWN, within_s: float | None = None) -> Sent:
    """One, of an alarm of high priority."""
    target = PushTarget(device="d", transport="apns", address=address, registered_at=0)
    note = Note(id=f"n{number}", alarm=f"a{number}", rev=1, priority="high", ttl_s=60)
    return await apns.send(target, note, within_s=within_s)


async def test_a_thousand_pushes_at_once(tmp_path: Path) -> None:
    """Within its limit of a hundred streams a connection."""
    async with peer(tmp_path) as (apns, _):
        results = await asyncio.gather(*(push(apns, number, within_s=20.0) for number in range(1_000)))
        assert {sent.outcome for sent in results} == {Outcome.TAKEN}
        sent = await push(apns, address=UNKNOWN)
        assert sent == Sent(Outcome.REFUSED, "404")


async def test_a_server_that_stands_still_costs_each_push_its_deadline_and_no_more(tmp_path: Path) -> None:
    """Stopped as by a debugger, its sockets stay open and silent; when it runs on, so do the pushes."""
    async with peer(tmp_path) as (apns, process):
        assert (await push(apns)).outcome is Outcome.TAKEN
        os.kill(process.pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        began = loop.time()
        results = await asyncio.gather(*(push(apns, number, within_s=0.8) for number in range(100)))
        assert {sent.outcome for sent in results} <= {Outcome.LOST, Outcome.LATER}
        assert loop.time() - began < 1.3
        os.kill(process.pid, signal.SIGCONT)

        async def taken() -> bool:
            return (await push(apns, within_s=1.0)).outcome is Outcome.TAKEN

        await until(taken, "pushes go through again", within_s=15.0)


async def test_a_server_that_dies_is_later(tmp_path: Path) -> None:
    """Nobody listens any more."""
    async with peer(tmp_path) as (apns, process):
        assert (await push(apns)).outcome is Outcome.TAKEN
        process.kill()
        await process.wait()
        sent = await push(apns, within_s=0.8)
        assert sent.outcome in (Outcome.LATER, Outcome.LOST)
        sent = await push(apns, within_s=0.8)
        assert sent.outcome is Outcome.LATER and "no connection" in sent.detail
