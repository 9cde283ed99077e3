"""How many pushes a second each transport carries, and how long one takes, against a provider in a process of
its own on this machine:

    python -m tests.support.push_rates [SECONDS]

Two figures for each: as many as 100 at a time carry (`flat out`), and the times at 500 a second (`at 500/s`),
measured from the instant at which each push was due. The processor time of a push is what a busy machine
does not blur.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from alarmhub.clock import MonotonicClock
from alarmhub.people import PushTarget
from alarmhub.push.providers import providers
from alarmhub.push.settings import ApnsSettings, FcmSettings, WebPushSettings
from alarmhub.push.transport import Note, Outcome, Transport
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.push.conftest import fresh_p8, fresh_rsa
from tests.push.test_fcm import account
from tests.support.apns_server import apns_server
from tests.support.push_site import push_site
from tests.support.subscription import Browser

AT_ONCE = 100
RATE = 500


def provide(urls: Connection) -> None:
    """The other process: both services, until it is ended."""

    async def serve() -> None:
        async with apns_server() as apple, push_site() as site:
            urls.send((apple.url, site.url))
            await asyncio.Event().wait()

    asyncio.run(serve())


def percentile(times: list[float], part: float) -> float:
    """In ms."""
    return sorted(times)[min(len(times) - 1, int(len(times) * part))] * 1000


async def flat_out(send: Callable[[int], Any], seconds: float) -> tuple[float, list[float]]:
    """Pushes a second with so many at a time, and how long each took."""
    loop = asyncio.get_running_loop()
    end, times = loop.time() + seconds, list[float]()

    async def one_after_the_other(first: int) -> None:
        number = first
        while (began := loop.time()) < end:
            assert (await send(number)).outcome is Outcome.TAKEN
            times.append(loop.time() - began)
            number += AT_ONCE

    await asyncio.gather(*map(one_after_the_other, range(AT_ONCE)))
    return len(times) / seconds, times


async def paced(send: Callable[[int], Any], seconds: float) -> list[float]:
    """How long each took at `RATE` a second, from when it was due."""
    loop = asyncio.get_running_loop()
    began, times = loop.time(), list[float]()

    async def due(number: int) -> None:
        at = began + number / RATE
        await asyncio.sleep(at - loop.time())
        assert (await send(number)).outcome is Outcome.TAKEN
        times.append(loop.time() - at)

    await asyncio.gather(*map(due, range(int(seconds * RATE))))
    return times


async def measure(apple: str, site: str, folder: Path, seconds: float) -> None:
    """Print one line for each transport."""
    crew = Crew("rates")
    named = {"key": Secret(fresh_p8()), "key_id": "K", "team_id": "T", "topic": "t"}
    transports = providers(
        ApnsSettings(endpoint=apple, **named),
        FcmSettings(endpoint=site, service_account=account(site, fresh_rsa())),
        WebPushSettings(contact="mailto:it@hospital.example", allow_loopback=True),
        data_dir=folder,
        clock=MonotonicClock(),
        crew=crew,
    )
    keys = Browser().keys
    addresses = {"apns": "a" * 64, "fcm": "a" * 140, "webpush": f"{site}/push/1"}

    def sender(transport: Transport) -> Callable[[int], Any]:
        target = PushTarget(
            device="d",
            transport=transport.name,
            address=addresses[transport.name],
            registered_at=0,
            keys=keys,
        )
        return lambda number: transport.send(
            target, Note(id=f"n{number}", alarm=f"a{number}", rev=1, priority="high", ttl_s=60)
        )

    for name, transport in transports.items():
        await transport.start()
        send = sender(transport)
        await flat_out(send, 1.0)
        spent_s = time.process_time()
        rate, busy = await flat_out(send, seconds)
        spent_s = time.process_time() - spent_s
        calm = await paced(send, seconds)
        print(
            json.dumps(
                {
                    "transport": name,
                    "pushes_per_s": round(rate),
                    "cpu_us_per_push": round(spent_s / len(busy) * 1e6),
                    "flat_out_ms": [round(percentile(busy, part), 1) for part in (0.5, 0.99)],
                    f"at_{RATE}_per_s_ms": [round(percentile(calm, part), 2) for part in (0.5, 0.99)],
                }
            )
        )
        await transport.stop()
    await crew.close()


def main(seconds: float) -> None:
    """Start the provider, measure, end it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    provider = context.Process(target=provide, args=(theirs,))
    provider.start()
    apple, site = ours.recv()
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(apple, site, Path(folder), seconds))
    finally:
        provider.terminate()
        provider.join()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
