"""`[[espa]]` and `[[espa_sender]]`: what is set for one ESPA 4.4.4 line.

How a line is had (`listen`, `connect` or `serial`) is set alike for both. It refuses to open anything:
`inbound.espa` and `inbound.espa_sender` do.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.serial_line import Frame
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address, not_networks

Digit = Annotated[str, Meta(pattern="^[0-9]$")]
Charset = Literal[
    "ascii", "latin-1", "cp1252", "cp437", "cp850", "utf-8",
    "iso646-de", "iso646-se", "iso646-se-c", "iso646-dk", "iso646-no",
]  # fmt: skip

WAYS: Final = ("listen", "connect", "serial")
TEXT_PARTS: Final = frozenset(("label", "place", "unit", "priority"))
"""What `[[espa_sender]] text` may name."""
_PART = re.compile(r"\{([^{}]*)\}")


class EspaWay(Struct, frozen=True, kw_only=True):
    """How a line is had, and its letters: the settings both tables share. `source` names the line."""

    source: Name
    listen: str | None = None  # host:port
    connect: str | None = None  # host:port
    serial: Annotated[str, Meta(min_length=1, max_length=200)] | None = None  # a device
    baud: Annotated[int, Meta(ge=300, le=115_200)] = 9600
    frame: Frame = "8N1"
    allow: tuple[str, ...] = ()
    charset: Charset = "latin-1"
    seven_bit: bool = False

    def way_faults(self) -> list[str]:
        """What is wrong with how the line is had."""
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            return [f"{ways[-1] if ways else 'listen'}: expected exactly one of {', '.join(WAYS)}"]
        faults = not_networks("allow", self.allow)
        if self.allow and self.listen is None:
            faults.append("allow: only with listen")
        address = self.listen if self.listen is not None else self.connect
        return faults + ([] if address is None else not_an_address(ways[0], address))

    def listens(self) -> tuple[str, int] | None:
        """See `settings.Link`."""
        return None if self.listen is None else host_port(self.listen)


class EspaLink(EspaWay, frozen=True, kw_only=True):
    """`[[espa]]`: one line on which calls come in; the hub is its pager system, or its control station."""

    role: Literal["pager-system", "control-station"] = "pager-system"
    mode: Literal["polled", "select-only", "auto"] = "auto"
    own_address: Digit | None = None
    control_address: Digit = "1"
    stations: tuple[Digit, ...] = ()
    poll_every_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0
    poll_select: bool = False
    paged_status: bool = True
    accepted_status: bool = False
    repeat_window_s: Annotated[float, Meta(ge=0, le=60)] = 5.0
    link_down_s: Seconds = 30.0
    link_up_s: Seconds = 120.0
    expected_every_s: Seconds | None = None

    @property
    def controls(self) -> bool:
        """Whether the hub is the control station."""
        return self.role == "control-station"

    @property
    def own(self) -> str:
        """The hub's own address: as set, or the customary one of its role."""
        return self.own_address or ("1" if self.controls else "2")

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = self.way_faults()
        if self.expected_every_s is not None and (self.serial is None or self.controls):
            faults.append("expected_every_s: only as pager system on a serial line")
        if self.controls:
            if not self.stations:
                faults.append("stations: expected at least one for a control station")
            if self.own in self.stations:
                faults.append("stations: own_address is among them")
            if len(set(self.stations)) != len(self.stations):
                faults.append("stations: one is there twice")
            if self.link_down_s < 3 * self.poll_every_s:
                faults.append("link_down_s: expected at least three times poll_every_s")
        elif self.stations:
            faults.append("stations: only a control station polls")
        elif self.own == self.control_address:
            faults.append("own_address: the same as control_address")
        return faults


class EspaSender(EspaWay, frozen=True, kw_only=True):
    """`[[espa_sender]]`: one line to a pager transmitter that the hub feeds, as its control station."""

    own_address: Digit = "1"
    pager_address: Digit = "2"
    numbers: Annotated[str, Meta(max_length=200)] = ""
    text: Annotated[str, Meta(min_length=1, max_length=200)] = "{label} {unit} {place}"
    text_chars: Annotated[int, Meta(ge=1, le=128)] = 128
    beep_low: Digit = "1"
    beep_medium: Digit = "2"
    beep_high: Digit = "3"
    transmissions: Digit = "1"
    resets: bool = True
    poll_every_s: Annotated[float, Meta(ge=0, le=60)] = 5.0
    down_s: Seconds = 30.0
    up_s: Seconds = 120.0

    def faults(self) -> list[str]:
        """See `settings.Link`."""
        faults = self.way_faults()
        if self.own_address == self.pager_address:
            faults.append("pager_address: the same as own_address")
        if self.poll_every_s and self.down_s < 3 * self.poll_every_s:
            faults.append("down_s: expected at least three times poll_every_s")
        try:
            re.compile(self.numbers)
        except re.error as error:
            faults.append(f"numbers: is no regular expression: {error}")
        for part in _PART.findall(self.text):
            if part not in TEXT_PARTS:
                parts = ", ".join(f"{{{known}}}" for known in sorted(TEXT_PARTS))
                faults.append(f"text: {{{part}}} is unknown, expected {parts}")
        return faults

    def reaches(self, pager: str) -> bool:
        """Whether this transmitter reaches a pager number."""
        return not self.numbers or re.fullmatch(self.numbers, pager) is not None

    def worded(self, *, label: str, place: str, unit: str, priority: str) -> str:
        """The text of a page. What is not known is left out, with its blanks."""
        parts = {"label": label, "place": place, "unit": unit, "priority": priority}
        return " ".join(_PART.sub(lambda match: parts.get(match[1], ""), self.text).split())
