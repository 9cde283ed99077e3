"""When a button, or its bridge, is news: battery low, offline, silent for too long; as a pure machine.

Offline has hysteresis like a link (ward.md): it is told after `down_ms` and taken back after `up_ms` of
being well, so that one that flaps is one piece of news. A silent one is well as soon as it speaks. It refuses
to raise alarms: whoever owns it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from alarmhub.inbound.mqtt_settings import MOST_DEVICES
from protocols.mqtt_says import BridgeSaid, Seen

WELL_ABOVE_PERCENT: Final = 5
"""A battery is well again so much above the threshold: new cells, not a warm room."""


class Ailment(StrEnum):
    """What can be wrong with a device."""

    BATTERY = "battery"
    OFFLINE = "offline"
    SILENT = "silent"
    BRIDGE = "bridge"


class DeviceNews(Struct, frozen=True):
    """A device needs an engineer, or (`over`) does not any more. `percent`: of its battery, where known."""

    device: str
    ailment: Ailment
    over: bool = False
    percent: float | None = None


class _Device(Struct):
    seen_at: int
    offline_since: int | None = None
    back_since: int | None = None
    told: set[Ailment] = set()


class DeviceWatch:
    """The devices of one link; all instants and durations in ms.

    `expected` are watched from the start; any other from its first message. `told`: what a hub before this
    one had told. A memory of the broker's says how a device is, not that it lives. A bridge is watched like a
    device, under the name it has among topics, and may be silent.
    """

    def __init__(
        self,
        expected: tuple[str, ...],
        *,
        silent_ms: int,
        down_ms: int,
        up_ms: int,
        battery_percent: float,
        now: int,
        told: Iterable[tuple[str, Ailment]] = (),
    ) -> None:
        self._silent_ms, self._down_ms, self._up_ms = silent_ms, down_ms, up_ms
        self._battery_percent = battery_percent
        self._devices: dict[str, _Device] = {}
        self._bridges: dict[str, _Device] = {}
        for name in expected:
            self._device(name, now)
        for name, ailment in told:
            known = self._bridge(name, now) if ailment is Ailment.BRIDGE else self._device(name, now)
            if known is not None:
                known.told.add(ailment)

    def __len__(self) -> int:
        """Devices watched."""
        return len(self._devices)

    def knows(self, device: str) -> bool:
        """Whether it is watched already."""
        return device in self._devices

    def seen(self, said: Seen, now: int) -> list[DeviceNews]:
        """A device said, or is said, something."""
        device = self._device(said.device, now)
        if device is None:
            return []
        news = self._battery(said, device)
        if said.live:
            device.seen_at = max(device.seen_at, now)
            news += self._well(said.device, device, Ailment.SILENT)
        if said.online is False:
            self._off(device, now)
        elif said.online or said.live:
            self._on(device, now)
        return news

    def bridge(self, said: BridgeSaid, now: int) -> None:
        """A bridge works, or does not; told by `check` when it stays so."""
        bridge = self._bridge(said.bridge, now)
        if bridge is not None and said.online:
            self._on(bridge, now)
        elif bridge is not None:
            self._off(bridge, now)

    def check(self, now: int) -> list[DeviceNews]:
        """What has become news by now; each is told once."""
        news: list[DeviceNews] = []
        for name, bridge in self._bridges.items():
            news += self._lasting(name, bridge, Ailment.BRIDGE, now)
        for name, device in self._devices.items():
            news += self._lasting(name, device, Ailment.OFFLINE, now)
            if now - device.seen_at >= self._silent_ms:
                news += self._ill(name, device, Ailment.SILENT)
        return news

    def _lasting(self, name: str, device: _Device, ailment: Ailment, now: int) -> list[DeviceNews]:
        if device.offline_since is not None and now - device.offline_since >= self._down_ms:
            return self._ill(name, device, ailment)
        if device.back_since is not None and now - device.back_since >= self._up_ms:
            device.back_since = None
            return self._well(name, device, ailment)
        return []

    def _device(self, name: str, now: int) -> _Device | None:
        return _among(self._devices, name, now)

    def _bridge(self, name: str, now: int) -> _Device | None:
        return _among(self._bridges, name, now)

    def _battery(self, said: Seen, device: _Device) -> list[DeviceNews]:
        level, threshold = said.battery, self._battery_percent
        if said.low or (level is not None and level < threshold):
            return self._ill(said.device, device, Ailment.BATTERY, level)
        if level is not None:
            well = level >= min(threshold + WELL_ABOVE_PERCENT, 100)
        else:
            well = said.low is False
        return self._well(said.device, device, Ailment.BATTERY) if well else []

    def _off(self, device: _Device, now: int) -> None:
        device.back_since = None
        if device.offline_since is None:
            device.offline_since = now

    def _on(self, device: _Device, now: int) -> None:
        device.offline_since = None
        if device.back_since is None and device.told & {Ailment.OFFLINE, Ailment.BRIDGE}:
            device.back_since = now

    def _ill(
        self, name: str, device: _Device, ailment: Ailment, percent: float | None = None
    ) -> list[DeviceNews]:
        if ailment in device.told:
            return []
        device.told.add(ailment)
        return [DeviceNews(name, ailment, percent=percent)]

    def _well(self, name: str, device: _Device, ailment: Ailment) -> list[DeviceNews]:
        if ailment not in device.told:
            return []
        device.told.remove(ailment)
        return [DeviceNews(name, ailment, over=True)]


def _among(devices: dict[str, _Device], name: str, now: int) -> _Device | None:
    """The device of this name, made when it is new; None when there are too many."""
    device = devices.get(name)
    if device is None and len(devices) < MOST_DEVICES:
        device = devices[name] = _Device(now)
    return device
