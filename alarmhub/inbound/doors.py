"""Which adapter speaks for which link: the one place that knows them all.

An adapter is loaded with the first link of its protocol: a hospital has a few of them, and the libraries of
all took a seventh of a start. It refuses to open anything (`inbound.lines` does) and to read settings.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, cast

from alarmhub.inbound.feed import Adapter, Feed

ADAPTERS: Final = {
    "espa": "EspaAdapter",
    "espa_sender": "EspaSenderAdapter",
    "espax": "EspaxAdapter",
    "callback": "CallbackAdapter",
    "hl7": "Hl7Adapter",
    "mqtt": "MqttAdapter",
    "modbus": "ModbusAdapter",
    "alertmanager": "AlertmanagerAdapter",
    "scaip": "ScaipAdapter",
    "smpp": "SmppAdapter",
    "snpp": "SnppAdapter",
    "smtp": "SmtpAdapter",
}
"""By the name of the link's table in the settings, which is also its module's: its adapter."""


def opener(protocol: str) -> Callable[[Any, Feed], Adapter]:
    """What makes an adapter of a link's settings and its feed. Raises KeyError for no protocol of ours."""
    name = ADAPTERS[protocol]
    return cast(
        Callable[[Any, Feed], Adapter], getattr(import_module(f"alarmhub.inbound.{protocol}"), name)
    )
