"""MQTT topic names and filters: which messages a link asks for, and whose dialect each topic speaks.

Pure. It refuses to read payloads (`protocols.mqtt_payloads` does) and to speak MQTT itself: packets are the
transport library's.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

LONGEST_TOPIC_CHARS: Final = 1024
"""MQTT allows 65,535 bytes; no button needs them."""


class Dialect(Enum):
    """Whose message this is."""

    SIGNAL = "signal"  # our own JSON
    DEVICE = "device"  # our own, what a device says of itself
    CHIRPSTACK = "chirpstack"
    ZIGBEE2MQTT = "zigbee2mqtt"
    SHELLY_GEN1 = "shelly gen1"
    SHELLY_GEN2 = "shelly gen2"
    BUTTON = "button"  # any topic that the site names


class Routes(Struct, frozen=True):
    """The topics of one link. Prefixes have no slash at either end; "" = not spoken.

    `own`: `<own>/signals[/…]` and `<own>/devices/<name>`. `chirpstack`: the level before the application's
    id ("application"). `zigbee2mqtt`, `shelly_gen1`: base topics. `shelly_gen2`: topic prefixes of the
    devices, as filters ("+" for all). `buttons`: filters of topics that each are a button.
    """

    own: str = ""
    chirpstack: str = ""
    zigbee2mqtt: str = ""
    shelly_gen1: str = ""
    shelly_gen2: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()

    def filters(self) -> tuple[tuple[Dialect, str], ...]:
        """What to subscribe to, most particular first: the first that matches a topic names its dialect."""
        asked = [(Dialect.BUTTON, wanted) for wanted in self.buttons]
        if self.own:
            asked.append((Dialect.SIGNAL, f"{self.own}/signals/#"))
            asked.append((Dialect.DEVICE, f"{self.own}/devices/+"))
        if self.chirpstack:
            asked.append((Dialect.CHIRPSTACK, f"{self.chirpstack}/+/device/+/event/+"))
        if self.zigbee2mqtt:
            # Friendly names may have slashes, so no number of levels fits them all.
            asked.append((Dialect.ZIGBEE2MQTT, f"{self.zigbee2mqtt}/#"))
        if self.shelly_gen1:
            asked += [
                (Dialect.SHELLY_GEN1, f"{self.shelly_gen1}/+/{what}")
                for what in ("input_event/+", "online", "sensor/battery")
            ]
        for prefix in self.shelly_gen2:
            asked.append((Dialect.SHELLY_GEN2, f"{prefix}/events/rpc"))
            asked.append((Dialect.SHELLY_GEN2, f"{prefix}/online"))
        return tuple(asked)

    def dialect(self, topic: str) -> Dialect | None:
        """Who speaks on this topic; None: nobody we asked."""
        return next((whose for whose, wanted in self.filters() if matches(wanted, topic)), None)


def matches(wanted: str, topic: str) -> bool:
    """Whether a topic is under a filter (MQTT 5, section 4.7)."""
    if topic.startswith("$") and wanted[:1] in ("+", "#"):
        return False  # 4.7.2: wildcards do not reach the server's own topics
    asked, levels = wanted.split("/"), topic.split("/")
    for index, level in enumerate(asked):
        if level == "#":
            return True
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(asked) == len(levels)


def filter_fault(text: str) -> str:
    """What is wrong with a topic filter, "" when nothing is."""
    if not text:
        return "is empty"
    if "\0" in text or len(text) > LONGEST_TOPIC_CHARS:
        return "is no topic filter"
    levels = text.split("/")
    for index, level in enumerate(levels):
        if "#" in level and (level != "#" or index != len(levels) - 1):
            return '"#" must be the whole last level'
        if "+" in level and level != "+":
            return '"+" must be a whole level'
    return ""


def prefix_fault(text: str) -> str:
    """What is wrong with a topic prefix, "" when nothing is."""
    if not text or text.startswith(("/", "$")) or text.endswith("/"):
        return "is no topic prefix, like a/b without slashes at its ends"
    return "has a wildcard" if "#" in text or "+" in text else filter_fault(text)


def level(text: str) -> str:
    """A name fit to be one level of a topic: what topics cannot hold, or filters would read, is "_"."""
    return "".join("_" if char in "/+#" or not char.isprintable() else char for char in text) or "_"
