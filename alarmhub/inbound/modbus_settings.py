"""What is set for one I/O module over Modbus/TCP: the `[[modbus]]` table, with its points.

It refuses to open anything (`inbound.modbus` does) and to say what a point is for (the site file does, by
the address "module/point").
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from alarmhub.inbound.mapping import MAX_ADDRESS_CHARS
from alarmhub.inbound.settings import Name, Seconds, host_port, not_an_address
from protocols.contacts import MAX_BITS, MAX_REGISTERS, Point

MOST_POINTS: Final = 2000


class ModbusLink(Struct, frozen=True):
    """`[[modbus]]`: one module, polled by the hub. `connect`: host:port. Durations in seconds.

    `change_table`, `change_address`: a register the module counts up, or changes, with each change; then only
    it is read at each poll, and the points when it differs or `full_s` have passed.
    """

    source: Name
    connect: str
    points: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=MOST_POINTS)]
    module: Name | None = None
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    poll_s: Annotated[float, Meta(ge=0.02, le=60)] = 0.5
    read_within_s: Annotated[float, Meta(ge=0.05, le=30)] = 1.0
    most_bits: Annotated[int, Meta(ge=2, le=MAX_BITS)] = MAX_BITS
    most_registers: Annotated[int, Meta(ge=1, le=MAX_REGISTERS)] = MAX_REGISTERS
    change_table: Literal["input", "holding"] = "input"
    change_address: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    full_s: Seconds = 10.0
    down_s: Seconds = 30.0
    up_s: Seconds = 120.0

    @property
    def name(self) -> str:
        """The module's name in addresses."""
        return self.module or self.source

    def faults(self) -> list[str]:
        """What contradicts itself: "KEY: why", each."""
        faults = not_an_address("connect", self.connect)
        if self.read_within_s >= self.down_s:
            faults.append("read_within_s: expected less than down_s")
        if self.poll_s >= self.down_s:
            faults.append("poll_s: expected less than down_s")
        seen: set[str] = set()
        for index, point in enumerate(self.points):
            faults += [f"points {index} {fault}" for fault in point.faults()]
            if point.name in seen:
                faults.append(f'points {index} name: "{point.name}" is there twice')
            seen.add(point.name)
            if len(self.name) + 1 + len(point.name) > MAX_ADDRESS_CHARS:
                faults.append(
                    f"points {index} name: with the module's name longer than {MAX_ADDRESS_CHARS} characters"
                )
        return faults

    def address(self) -> tuple[str, int]:
        """Host and port of the module."""
        return host_port(self.connect)

    def listens(self) -> tuple[str, int] | None:
        """It connects and never listens."""
        return None
