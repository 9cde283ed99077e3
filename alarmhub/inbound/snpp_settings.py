"""`[[snpp]]`: what is set for one SNPP door (RFC 1861), on which the hub is the paging terminal.

It refuses to open anything: that is `inbound.snpp`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from alarmhub.core.kinds import Priority
from alarmhub.inbound.peers import not_networks
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from alarmhub.secret import Secret

Words = tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...]


class SnppLink(Struct, frozen=True):
    """One door, one source. Durations in seconds.

    `allow`: networks that may connect, none = all. `user`, `password`: what LOGIn must say, both or neither.
    `unknown_number`: "ring" the source's fallback unit, or "refuse" (550). `urgent_priority`: of ALERt 1 and
    LEVEl 0. `accept_words`: by which the hub finds the sender's choice (MCREsponse) that says "accepted".
    `choice_first`: 888 with the choice before the time, else the tag first. `expected_every_s`: the source
    talks at least so often; without it silence is no news.
    """

    source: Name
    listen: str  # host:port
    allow: tuple[str, ...] = ()
    user: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    password: Secret | None = None
    unknown_number: Literal["ring", "refuse"] = "ring"
    urgent_priority: Priority = Priority.MEDIUM
    dot_stuffing: bool = True
    hold: Literal["refuse", "at_once"] = "refuse"
    charset: Literal["latin-1", "cp1252", "cp437", "cp850"] = "latin-1"
    choice_first: bool = True
    accept_words: Words = ("accept", "ja", "yes", "ok", "kommer", "tar")
    repeat_window_s: Annotated[float, Meta(ge=0, le=600)] = 60.0
    idle_s: Seconds = 300.0
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    expected_every_s: Seconds | None = None
    link_up_s: Seconds = 120.0

    def address(self) -> tuple[str, int]:
        """Host and port to listen on. Raises ValueError when `listen` is not `host:port`."""
        return host_port(self.listen)

    def faults(self) -> list[str]:
        """What these settings say against themselves: "KEY: why", each."""
        faults = not_an_address("listen", self.listen) + not_networks("allow", self.allow)
        if (self.user is None) != (self.password is None):
            faults.append("password: user and password go together")
        elif self.password is not None and (not self.password or " " in self.password.reveal().strip()):
            faults.append("password: empty, or with a blank in it, which SNPP cannot say")
        return faults

    def listens(self) -> tuple[str, int] | None:
        """The address it listens on."""
        return self.address()
