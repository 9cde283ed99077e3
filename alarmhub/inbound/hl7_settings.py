"""`[[hl7]]`: what is set for one HL7 line, on which reporters of IHE ACM send their alerts.

It refuses to open anything (`inbound.hl7` does) and to hold secrets: keys are files, named here.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.peers import not_networks
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address

CONNECT: Final = "connect "
"""How `status_back` names a connection of our own: `connect host:port`."""

Words = Annotated[str, Meta(max_length=200)]
FileName = Annotated[str, Meta(min_length=1, max_length=1000)]


class Hl7Link(Struct, frozen=True):
    """One line. Each setting is explained, with its default, in `config/alarmhub.example.toml`."""

    source: Name
    listen: str  # host:port
    application: Words = ""  # MSH-3 of what the hub sends, `name^id^type`; "": as it was addressed
    facility: Words = ""
    tls_cert_file: FileName | None = None
    tls_key_file: FileName | None = None
    tls_client_ca_file: FileName | None = None
    allow: tuple[str, ...] = ()  # networks that may connect, none: any
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    message_limit: Annotated[int, Meta(ge=4096, le=1_048_576)] = 65_536  # bytes
    patient: Literal["none", "id", "name"] = "none"
    unknown_priority: Literal["low", "medium", "high"] = "high"
    refresh_s: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    watchdog_s: Seconds | None = None
    link_down_s: Seconds = 30.0
    link_up_s: Seconds = 120.0
    status_back: str = "none"  # none | same | connect host:port
    status_tls: bool = False
    status_ca_file: FileName | None = None
    status_asked_only: bool = False
    status_acknowledged: bool = True
    status_within_s: Annotated[float, Meta(gt=0, le=10)] = 8.0
    status_message: Literal["ORA^R41^ORA_R41", "ORU^R41^ORU_R41"] = "ORA^R41^ORA_R41"
    status_version: Literal["2.6", "2.7"] = "2.6"
    status_msa: Literal["AA", "CA"] = "AA"
    status_action: Literal["ad-up", "ad"] = "ad-up"

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = not_an_address("listen", self.listen) + not_networks("allow", self.allow)
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            faults.append("tls_cert_file: goes with tls_key_file")
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            faults.append("tls_client_ca_file: only with tls_cert_file and tls_key_file")
        if self.status_back.startswith(CONNECT):
            faults += not_an_address("status_back", self.status_back.removeprefix(CONNECT))
        elif self.status_back not in ("none", "same"):
            faults.append('status_back: expected "none", "same" or "connect host:port"')
        elif self.status_tls or self.status_ca_file is not None:
            faults.append('status_tls: only with status_back = "connect host:port"')
        return faults

    def listens(self) -> tuple[str, int] | None:
        """See `settings.Link`."""
        return host_port(self.listen)

    def connects(self) -> tuple[str, int] | None:
        """Where statuses go over a connection of our own, None when they do not."""
        if not self.status_back.startswith(CONNECT):
            return None
        return host_port(self.status_back.removeprefix(CONNECT))
