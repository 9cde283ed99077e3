"""`[[smpp]]`: what is set for one link to a telephone network's message centre (SMPP 3.4).

It refuses to open anything: that is `inbound.smpp`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from alarmhub.secret import Secret

_ASCII = r"^[!-~]+$"
LONGEST_PASSWORD_CHARS = 64
"""The standard says 8; message centres are known that give longer ones."""


class SmppLink(Struct, frozen=True, kw_only=True):
    """One account at one message centre. Durations in seconds.

    `source`: the link's name. `sender`: the number messages come from and replies go to. `country_code`:
    digits before a number the network writes nationally. `valid_s`: a message that could not be delivered by
    then is not delivered any more. `follow_up`: whoever was texted hears that it is over.
    """

    source: Name
    connect: str  # host:port
    system_id: Annotated[str, Meta(pattern=_ASCII, max_length=64)]
    password: Secret
    system_type: Annotated[str, Meta(pattern=r"^[!-~]*$", max_length=12)] = ""
    sender: Annotated[str, Meta(pattern=r"^\+?[0-9]{3,15}$")]
    tls: bool = False
    ca_file: Annotated[str, Meta(min_length=1)] | None = None
    charset: Literal["gsm7", "latin-1"] = "gsm7"
    country_code: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}$")] | None = None
    window: Annotated[int, Meta(ge=1, le=200)] = 10
    enquire_every_s: Annotated[float, Meta(ge=1, le=300)] = 30.0
    answer_within_s: Annotated[float, Meta(ge=1, le=18)] = 10.0
    valid_s: Annotated[int, Meta(ge=60, le=86_399)] = 300
    follow_up: bool = True
    down_s: Seconds = 30.0
    up_s: Seconds = 120.0

    def address(self) -> tuple[str, int]:
        """Host and port of the message centre. Raises ValueError when `connect` is not `host:port`."""
        return host_port(self.connect)

    def validity(self) -> str:
        """`valid_s` as SMPP writes it: YYMMDDhhmmsstnn and R, relative (7.1.1)."""
        minutes, seconds = divmod(self.valid_s, 60)
        hours, minutes = divmod(minutes, 60)
        return f"000000{hours:02d}{minutes:02d}{seconds:02d}000R"

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = not_an_address("connect", self.connect)
        password = self.password.reveal()
        if not password or len(password) > LONGEST_PASSWORD_CHARS or not password.isascii():
            faults.append(f"password: expected 1 to {LONGEST_PASSWORD_CHARS} ASCII characters")
        if self.ca_file is not None and not self.tls:
            faults.append("ca_file: only with tls")
        return faults

    def listens(self) -> tuple[str, int] | None:
        """The hub calls."""
        return None
