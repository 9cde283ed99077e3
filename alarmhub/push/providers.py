"""Which push providers an installation has: those whose credentials are set, by name.

It refuses to start them for longer than a check: whoever made them does, inside a running event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from alarmhub.clock import Clock
from alarmhub.push.apns import Apns
from alarmhub.push.fcm import Fcm
from alarmhub.push.settings import ApnsSettings, FcmSettings, WebPushSettings
from alarmhub.push.transport import Transport
from alarmhub.push.webpush import WebPush
from alarmhub.tasks import Crew


def providers(
    apns: ApnsSettings,
    fcm: FcmSettings,
    webpush: WebPushSettings,
    *,
    data_dir: Path,
    clock: Clock,
    crew: Crew,
) -> Mapping[str, Transport]:
    """The transports, not yet started. `crew` owns their tasks; `data_dir`: where Web Push keeps its key."""
    made: dict[str, Transport] = {}
    if apns.on:
        made[Apns.name] = Apns(apns, clock=clock, crew=crew)
    if fcm.on:
        made[Fcm.name] = Fcm(fcm, clock=clock, crew=crew)
    if webpush.on:
        made[WebPush.name] = WebPush(webpush, data_dir=data_dir, clock=clock)
    return made


def vapid_public(transports: Iterable[Transport]) -> str:
    """What browsers subscribe with, "" = the hub does no Web Push."""
    return next((each.public_key for each in transports if isinstance(each, WebPush)), "")


async def checked(transports: Mapping[str, Transport]) -> Mapping[str, Sequence[str]]:
    """Start each, let it prove its settings to its provider, and stop it: what is wrong, by name."""

    async def check(transport: Transport) -> Sequence[str]:
        await transport.start()
        try:
            return await transport.check()
        finally:
            await transport.stop()

    found = await asyncio.gather(*map(check, transports.values()))
    return dict(zip(transports, found, strict=True))
