"""Enrolled phones from a terminal: which there are, and how one is revoked when nobody can sign in.

Works on the database itself, whether a hub runs on it or not; a running hub closes the phone's socket as soon
as it hears that secrets changed. It refuses to enrol: a phone scans its code.
"""

from __future__ import annotations

from datetime import UTC, datetime

from alarmhub.clock import MonotonicClock
from alarmhub.installation import opened
from alarmhub.people import Device
from alarmhub.settings import Settings
from alarmhub.store.devices import PostgresDevices


async def listed(settings: Settings) -> list[str]:
    """One line for each phone: id, label, who carries it, whose drawer it belongs to, when it was seen."""
    async with opened(settings) as store:
        devices = PostgresDevices(store)
        seen = await devices.seen()
        return [_line(device, seen.get(device.id)) for device in await devices.devices()]


async def revoked(settings: Settings, id: str) -> bool:
    """Its secret opens nothing any more; False when there is no such phone, or it was so already."""
    async with opened(settings) as store:
        return await PostgresDevices(store).revoke(id, MonotonicClock().now())


def _line(device: Device, seen_at: int | None) -> str:
    carried = device.staff or "nobody"
    home = f"pool phone of {device.unit}" if device.pool else "own phone"
    seen = "never seen" if seen_at is None else f"seen {_day(seen_at)}"
    return "\t".join((device.id, device.label or "-", carried, home, seen))


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}Z"
