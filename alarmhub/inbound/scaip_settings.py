"""`[[scaip]]`: what is set for one receiver of social alarms. It opens nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.peers import not_networks
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from alarmhub.secret import Secret

Controller = Annotated[str, Meta(pattern="^[0-9]{1,32}$")]
FileName = Annotated[str, Meta(min_length=1, max_length=1000)]
UserName = Annotated[str, Meta(min_length=1, max_length=64)]


class ScaipLink(Struct, frozen=True):
    """One link: the hub as alarm receiver (ARC) of SS 91100 over SIP MESSAGE. Each setting is explained, with
    its default, in `config/alarmhub.example.toml`."""

    source: Name
    udp: str | None = None
    tcp: str | None = None
    tls: str | None = None
    tls_cert: FileName | None = None
    tls_key: FileName | None = None
    advertise: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    realm: Name = "alarmhub"
    auth: Literal["digest", "none"] = "digest"
    users: dict[UserName, Secret] | None = None
    user_is_cid: bool = False
    allow: tuple[str, ...] = ()
    reply: Literal["message", "response"] = "message"
    reply_to: Literal["contact", "source"] = "contact"
    unasked: bool = True
    faulty: Literal["ring", "refuse"] = "ring"
    not_stored: Literal["busy", "503"] = "busy"
    place_from: Literal["cid", "cid/did", "cid/lco", "crd"] = "cid"
    high_from: Annotated[int, Meta(ge=0, le=10)] = 7
    medium_from: Annotated[int, Meta(ge=0, le=10)] = 4
    voice: Annotated[int, Meta(ge=0, le=3)] = 0
    voice_to: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    repeat_s: Seconds = 60.0
    heartbeat_min: Annotated[int, Meta(ge=1, le=1440)] = 5
    controllers: tuple[Controller, ...] = ()
    requests_per_s: Annotated[float, Meta(ge=1, le=10_000)] = 50.0
    connections: Annotated[int, Meta(ge=1, le=10_000)] = 64
    down_s: Annotated[float, Meta(ge=0, le=86_400)] = 900.0
    up_s: Seconds = 120.0

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = []
        for name, text in (("udp", self.udp), ("tcp", self.tcp), ("tls", self.tls)):
            faults += [] if text is None else not_an_address(name, text)
        if self.udp is None and self.tcp is None and self.tls is None:
            faults.append("udp: expected an address in udp, tcp or tls")
        if self.tls is not None and (self.tls_cert is None or self.tls_key is None):
            faults.append("tls: goes with tls_cert and tls_key")
        if self.auth == "digest" and not self.users:
            faults.append('users: expected at least one, or auth = "none"')
        if self.medium_from > self.high_from:
            faults.append("medium_from: above high_from")
        if 0 < self.down_s < self.heartbeat_min * 60:
            faults.append("down_s: shorter than heartbeat_min, between two heartbeats a source is silent")
        return faults + not_networks("allow", self.allow)

    def listens(self) -> tuple[str, int] | None:
        """See `settings.Link`. Of its TCP doors the first; UDP shares no port with others."""
        address = self.tcp or self.tls
        return None if address is None else host_port(address)
