"""What is set for one MQTT link: a `[[mqtt]]` table. It refuses to connect: `inbound.mqtt_broker` does."""

from __future__ import annotations

import re
import ssl
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from alarmhub.secret import Secret
from protocols.mqtt_topics import Routes, filter_fault, level, matches, prefix_fault

MOST_DEVICES: Final = 10_000

FileName = Annotated[str, Meta(min_length=1, max_length=4096)]
Topic = Annotated[str, Meta(max_length=256)]
Days = Annotated[float, Meta(gt=0, le=2_678_400)]  # seconds, up to 31 days


class MqttLink(Struct, frozen=True):
    """One broker on which buttons speak for one source. Explained in `config/alarmhub.example.toml`."""

    source: Name
    broker: str  # host:port
    version: Literal["5", "3.1.1"] = "5"
    client_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    username: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    password: Secret | None = None
    tls: bool = False
    tls_ca_file: FileName | None = None
    tls_cert_file: FileName | None = None
    tls_key_file: FileName | None = None
    keepalive_s: Annotated[int, Meta(ge=2, le=3600)] = 10
    connect_within_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    reconnect_s: Annotated[float, Meta(ge=1, le=600)] = 15.0
    session_s: Annotated[int, Meta(ge=60, le=4_294_967_294)] = 604_800
    in_flight: Annotated[int, Meta(ge=1, le=4_000)] = 100

    topic: Topic | None = None
    chirpstack: Topic = ""
    zigbee2mqtt: Topic = ""
    shelly_gen1: Topic = ""
    shelly_gen2: tuple[Topic, ...] = ()
    buttons: tuple[Topic, ...] = ()
    idle: tuple[Annotated[str, Meta(max_length=256)], ...] = ()
    repeat_window_s: Annotated[float, Meta(ge=0, le=60)] = 2.0

    state_prefix: Topic = ""
    state_by: Literal["place", "alarm"] = "place"
    state_assault: bool = False

    devices: Annotated[tuple[Name, ...], Meta(max_length=MOST_DEVICES)] = ()
    silent_after_s: Days = 90_000.0
    battery_percent: Annotated[float, Meta(ge=0, le=100)] = 20.0
    link_down_s: Seconds = 30.0
    link_up_s: Seconds = 120.0

    def address(self) -> tuple[str, int]:
        """Host and port of the broker. Raises ValueError when `broker` is not `host:port`."""
        return host_port(self.broker)

    def tls_context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with, None without it. Raises OSError when a file cannot be used."""
        if not self.tls and self.tls_ca_file is None and self.tls_cert_file is None:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file)
        if self.tls_cert_file is not None:
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        return context

    def client(self) -> str:
        """The client id: always the same, or the broker could keep nothing for us while we are away."""
        return self.client_id or f"alarmhub-{level(self.source)}"

    def routes(self) -> Routes:
        """The topics, as the codec needs them."""
        return Routes(
            own=f"alarmhub/{level(self.source)}" if self.topic is None else self.topic,
            chirpstack=self.chirpstack,
            zigbee2mqtt=self.zigbee2mqtt,
            shelly_gen1=self.shelly_gen1,
            shelly_gen2=self.shelly_gen2,
            buttons=self.buttons,
        )

    def faults(self) -> list[str]:
        """See `alarmhub.settings.Link`."""
        found = not_an_address("broker", self.broker)
        if not found and self.address()[1] == 0:
            found.append("broker: port 0 is none")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            found.append("tls_cert_file: goes with tls_key_file")
        else:
            found += self._tls_faults()
        if self.password is not None and self.username is None:
            found.append("password: without a username")
        return found + self._topic_faults() + self._idle_faults()

    def listens(self) -> tuple[str, int] | None:
        """See `alarmhub.settings.Link`."""
        return None

    def _tls_faults(self) -> list[str]:
        try:
            self.tls_context()
        except OSError as error:
            return [f"tls_ca_file: cannot be used, or the certificate and key: {error.strerror or error}"]
        return []

    def _topic_faults(self) -> list[str]:
        found = []
        for name in ("topic", "chirpstack", "zigbee2mqtt", "shelly_gen1", "state_prefix"):
            prefix = getattr(self, name)
            if prefix and (fault := prefix_fault(prefix)):
                found.append(f"{name}: {fault}")
        for name in ("shelly_gen2", "buttons"):
            for wanted in getattr(self, name):
                if fault := filter_fault(wanted):
                    found.append(f"{name}: {fault}")
        asked = self.routes().filters()
        if not asked:
            found.append("topic: no topic is asked for")
        if self.state_prefix and any(matches(wanted, f"{self.state_prefix}/x/y") for _, wanted in asked):
            found.append("state_prefix: lies under a topic that is read, the hub would hear itself")
        return found

    def _idle_faults(self) -> list[str]:
        found = []
        for pattern in self.idle:
            try:
                re.compile(pattern)
            except re.error as error:
                found.append(f"idle: is no regular expression: {error}")
        return found
