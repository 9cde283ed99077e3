"""Which adapter speaks for which link: the one place that knows them all.

It refuses to open anything (`inbound.lines` does) and to read settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from alarmhub.inbound.alertmanager import AlertmanagerAdapter
from alarmhub.inbound.callback import CallbackAdapter
from alarmhub.inbound.espa import EspaAdapter
from alarmhub.inbound.espa_sender import EspaSenderAdapter
from alarmhub.inbound.espax import EspaxAdapter
from alarmhub.inbound.feed import Adapter, Feed
from alarmhub.inbound.hl7 import Hl7Adapter
from alarmhub.inbound.modbus import ModbusAdapter
from alarmhub.inbound.mqtt import MqttAdapter
from alarmhub.inbound.scaip import ScaipAdapter
from alarmhub.inbound.smpp import SmppAdapter
from alarmhub.inbound.smtp import SmtpAdapter
from alarmhub.inbound.snpp import SnppAdapter

OPENERS: Final[dict[str, Callable[[Any, Feed], Adapter]]] = {
    "espa": EspaAdapter,
    "espa_sender": EspaSenderAdapter,
    "espax": EspaxAdapter,
    "callback": CallbackAdapter,
    "hl7": Hl7Adapter,
    "mqtt": MqttAdapter,
    "modbus": ModbusAdapter,
    "alertmanager": AlertmanagerAdapter,
    "scaip": ScaipAdapter,
    "smpp": SmppAdapter,
    "snpp": SnppAdapter,
    "smtp": SmtpAdapter,
}
"""By the name of the link's table in the settings: its adapter, from the link's settings and its feed."""
