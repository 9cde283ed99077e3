"""Tells the hub of buttons and bridges that need an engineer, in plain words. It refuses to decide when
(`inbound.mqtt_watch` does)."""

from __future__ import annotations

from typing import Final

from alarmhub.core.events import Signal
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.mqtt_settings import MqttLink
from alarmhub.inbound.mqtt_watch import Ailment, DeviceNews, DeviceWatch
from protocols.mqtt_says import BridgeSaid, Seen

LONGEST_DEVICE_CHARS: Final = 80
HOUR_S: Final = 3600
UNNAMED: Final = ("no_rule",)
"""How the mapping says that no rule fits."""


class DeviceNotices:
    """The devices of one link and what was told of them."""

    def __init__(self, settings: MqttLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._watch = self._fresh(())

    def begin(self) -> None:
        """From now on; with what is still told from before a restart."""
        head = f"trouble:{self._feed.source}:"
        told = []
        for alarm in self._feed.hub.open_alarms():
            ailment, _, device = alarm.key.removeprefix(head).partition(":")
            if alarm.source == "hub" and alarm.key.startswith(head) and ailment in set(Ailment) and device:
                told.append((device, Ailment(ailment)))
        self._watch = self._fresh(tuple(told))

    def seen(self, said: Seen) -> None:
        """A device said something. What may be no button is watched once the site's rules name it."""
        if said.button or self._watch.knows(said.device) or self._signal(said.device).mapped_by != UNNAMED:
            self._tell(self._watch.seen(said, self._feed.now()))

    def bridge(self, said: BridgeSaid) -> None:
        """A bridge works, or does not."""
        self._watch.bridge(said, self._feed.now())

    def check(self) -> None:
        """Tell what has become news by now."""
        self._tell(self._watch.check(self._feed.now()))

    def _fresh(self, told: tuple[tuple[str, Ailment], ...]) -> DeviceWatch:
        settings = self._settings
        return DeviceWatch(
            settings.devices,
            silent_ms=round(settings.silent_after_s * 1000),
            down_ms=round(settings.link_down_s * 1000),
            up_ms=round(settings.link_up_s * 1000),
            battery_percent=settings.battery_percent,
            now=self._feed.now(),
            told=told,
        )

    def _tell(self, news: list[DeviceNews]) -> None:
        for one in news:
            what = f"{one.ailment}:{one.device[:LONGEST_DEVICE_CHARS]}"
            if one.over:
                self._feed.well(what)
            else:
                self._feed.trouble(what, *self._words(one))

    def _words(self, news: DeviceNews) -> tuple[str, str]:
        device = news.device[:LONGEST_DEVICE_CHARS]
        if news.ailment is Ailment.BRIDGE:
            return (
                f"{device} är nere: tryck på dess knappar når inte hubben",
                f"{device} is down: presses of its buttons do not reach the hub",
            )
        where = self._where(news.device)
        name = f"{device} ({where})" if where else device
        if news.ailment is Ailment.BATTERY:
            percent = "" if news.percent is None else f" {news.percent:.0f} %"
            return f"Knapp {name}: batteri lågt{percent}", f"Button {name}: battery low{percent}"
        if news.ailment is Ailment.OFFLINE:
            return f"Knapp {name} har tappat kontakten", f"Button {name} has lost contact"
        hours = self._settings.silent_after_s / HOUR_S
        return (
            f"Knapp {name} har inte hörts på {hours:.0f} h",
            f"Button {name} has not been heard for {hours:.0f} h",
        )

    def _where(self, device: str) -> str:
        """The label of the place the site's rules give this device, "" when they give none."""
        place = self._feed.site().places.get(self._signal(device).place)
        return place.label if place is not None else ""

    def _signal(self, device: str) -> Signal:
        return self._feed.map(Words(device, ""))[0]
