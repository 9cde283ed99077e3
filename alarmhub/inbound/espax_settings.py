"""`[[espax]]`: what is set for one ESPA-X link, on which a client hands its calls to the hub.

It refuses to open anything (`inbound.espax` does) and to show the password.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from alarmhub.secret import Secret

PASSWORD_CHARS: Final = (4, 12)
"""Of LI-PASSWORD (and LI-USER) in the schema."""

FileName = Annotated[str, Meta(min_length=1, max_length=1000)]
Shown = Annotated[str, Meta(min_length=1, max_length=30)]


class EspaxLink(Struct, frozen=True):
    """One link. Each setting is explained, with its default, in `config/alarmhub.example.toml`."""

    source: Name
    listen: str  # host:port
    user: Annotated[str, Meta(min_length=4, max_length=12)]
    password: Secret
    server_name: Shown = "Alarmhub"
    server_software: Shown = "Alarmhub"
    session_limit_s: Annotated[float, Meta(ge=1, le=900)] = 75.0
    login_within_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    details: Literal["No", "Process", "Results", "All"] = "All"
    returned: Literal["status", "ended"] = "status"
    accepted_status: bool = True
    tls_cert: FileName | None = None
    tls_key: FileName | None = None
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    link_down_s: Seconds = 180.0
    link_up_s: Seconds = 120.0

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = not_an_address("listen", self.listen)
        shortest, longest = PASSWORD_CHARS
        if not shortest <= len(self.password.reveal()) <= longest:
            faults.append(f"password: expected {shortest} to {longest} characters")
        if (self.tls_cert is None) != (self.tls_key is None):
            faults.append("tls_cert: goes with tls_key")
        if self.link_down_s < self.session_limit_s:
            faults.append(
                "link_down_s: expected at least session_limit_s, one late heartbeat is no dead link"
            )
        return faults

    def listens(self) -> tuple[str, int] | None:
        """See `settings.Link`."""
        return host_port(self.listen)
