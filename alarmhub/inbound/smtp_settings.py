"""`[[smtp]]`: what is set for one mail door, by which laboratories and building systems page.

It refuses to open anything: that is `inbound.smtp`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from alarmhub.core.kinds import Priority
from alarmhub.inbound.peers import not_networks
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address

LONGEST_MAIL_BYTES = 262_144


class SmtpLink(Struct, frozen=True):
    """One door, one source. Durations in seconds.

    `allow`: networks whose relays may deliver; never empty. `domains`: of recipients, others are refused as
    relaying; none = any. `unknown_number`: "ring" the source's fallback unit, or "refuse" (550). `html`: what
    a mail without a plain part gets. `read`: which words count. `urgent_priority`: of a mail marked urgent.
    `tls_cert_file`, `tls_key_file`: PEM files for STARTTLS, `require_tls`: nothing without it.
    `expected_every_s`: the source mails at least so often; without it silence is no news.
    """

    source: Name
    listen: str  # host:port
    allow: tuple[str, ...] = ("127.0.0.1", "::1")
    domains: tuple[Name, ...] = ()
    hostname: Name = "alarmhub"
    unknown_number: Literal["ring", "refuse"] = "ring"
    read: Literal["both", "subject", "text"] = "both"
    html: Literal["strip", "refuse"] = "strip"
    urgent_priority: Priority = Priority.MEDIUM
    max_bytes: Annotated[int, Meta(ge=1024, le=LONGEST_MAIL_BYTES)] = 65_536
    max_recipients: Annotated[int, Meta(ge=1, le=100)] = 20
    repeat_window_s: Annotated[float, Meta(ge=0, le=600)] = 60.0
    idle_s: Seconds = 60.0
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    tls_cert_file: Annotated[str, Meta(min_length=1)] | None = None
    tls_key_file: Annotated[str, Meta(min_length=1)] | None = None
    require_tls: bool = False
    expected_every_s: Seconds | None = None
    link_up_s: Seconds = 120.0

    def address(self) -> tuple[str, int]:
        """Host and port to listen on. Raises ValueError when `listen` is not `host:port`."""
        return host_port(self.listen)

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = not_an_address("listen", self.listen) + not_networks("allow", self.allow)
        if not self.allow:
            faults.append("allow: name the networks whose relays may deliver")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            faults.append("tls_key_file: tls_cert_file and tls_key_file go together")
        for key, path in (("tls_cert_file", self.tls_cert_file), ("tls_key_file", self.tls_key_file)):
            if path is not None and not Path(path).is_file():
                faults.append(f"{key}: no such file")
        if self.require_tls and self.tls_cert_file is None:
            faults.append("require_tls: needs tls_cert_file")
        return faults

    def listens(self) -> tuple[str, int] | None:
        """The address it listens on."""
        return self.address()
