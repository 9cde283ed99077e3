"""Contacts behind an I/O module: from a raw value to open, closed or line fault, and to what is said of it.

A point is one supervised input: a bit, two bits, or an analogue register of a Modbus table. `PointMachine`
debounces its readings and says what began and what ended; `plan` puts points into as few reads as the module
allows (Modbus Application Protocol V1.1b3, 6.1 to 6.4: 2000 bits or 125 registers a read).

A value in none of the point's ranges is a line fault, and so are an input that cannot be read and a contact
that never comes to rest: what cannot be judged is never taken for normal. Nothing here raises on a value,
reads a clock or opens a socket, and nothing here knows what a point is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

MAX_BITS: Final = 2000
MAX_REGISTERS: Final = 125
MAX_ADDRESS: Final = 65_535
CHATTER_RUNS: Final = 8
"""So many runs of equal readings in a row, none as long as the debounce time: the contact chatters."""

Range = tuple[int, int]


class Table(StrEnum):
    """The four tables of a Modbus device (V1.1b3, 4.3)."""

    DISCRETE = "discrete"
    COIL = "coil"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Whether it holds bits; the others hold registers of 16."""
        return self in (Table.DISCRETE, Table.COIL)


class Contact(StrEnum):
    """What the line shows."""

    OPEN = "open"
    CLOSED = "closed"
    FAULT = "fault"


class Condition(StrEnum):
    """What it means for this point: `normally` says which contact is normal."""

    NORMAL = "normal"
    ACTIVE = "active"
    FAULT = "fault"


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input.

    `bits`: 2 reads `address` (worth 1) and the next address (worth 2) of a table of bits as one value.
    `mask`: which bits of a register count, shifted down to the lowest of them. `open`, `closed`, `fault`:
    ranges of the value, both ends included; a value in none is a line fault too. `debounce_ms`: how long a
    contact must rest before it counts. What is said: `active` start, once (staff end it) or none; `normal`
    end (of `active`) or none; `line_fault` start or none (it ends by itself). `label`: words for staff.
    """

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\A[^\x00-\x1f/:]+\Z")]
    table: Table = Table.DISCRETE
    address: Annotated[int, Meta(ge=0, le=MAX_ADDRESS)]
    bits: Literal[1, 2] = 1
    mask: Annotated[int, Meta(ge=1, le=0xFFFF)] = 0xFFFF
    open: tuple[Range, ...] = ((0, 0),)
    closed: tuple[Range, ...] = ((1, 1),)
    fault: tuple[Range, ...] = ()
    normally: Literal["open", "closed"] = "open"
    debounce_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    active: Literal["start", "once", "none"] = "start"
    normal: Literal["end", "none"] = "end"
    line_fault: Literal["start", "none"] = "start"
    label: Annotated[str, Meta(max_length=80)] = ""

    @property
    def width(self) -> int:
        """How many addresses it takes."""
        return self.bits if self.table.is_bits else 1

    def faults(self) -> list[str]:
        """What contradicts itself, each beginning with the setting's name."""
        found = []
        named = [(key, one) for key in ("open", "closed", "fault") for one in getattr(self, key)]
        for index, (key, (low, high)) in enumerate(named):
            if low > high:
                found.append(f"{key}: [{low}, {high}] begins above its end")
            for other_key, (other_low, other_high) in named[:index]:
                if low <= other_high and other_low <= high:
                    found.append(f"{key}: [{low}, {high}] overlaps {other_key} [{other_low}, {other_high}]")
        if not self.open or not self.closed:
            found.append("open: a point needs at least one range for open and one for closed")
        if self.bits == 2 and not self.table.is_bits:
            found.append("bits: only coils and discrete inputs are read as two bits; use mask")
        if self.address + self.width - 1 > MAX_ADDRESS:
            found.append("address: the second bit lies beyond the table")
        return found


def contact_of(point: Point, raw: int | None) -> Contact:
    """What a raw value shows; None (it cannot be read) and a value outside all ranges are line faults."""
    if raw is None:
        return Contact.FAULT
    value = raw
    if not point.table.is_bits:
        value = (raw & point.mask) >> ((point.mask & -point.mask).bit_length() - 1)
    for contact, ranges in ((Contact.FAULT, point.fault), (Contact.OPEN, point.open)):
        if any(low <= value <= high for low, high in ranges):
            return contact
    return Contact.CLOSED if any(low <= value <= high for low, high in point.closed) else Contact.FAULT


def condition_of(point: Point, contact: Contact) -> Condition:
    """What a contact means here."""
    if contact is Contact.FAULT:
        return Condition.FAULT
    return Condition.NORMAL if contact.value == point.normally else Condition.ACTIVE


class Say(Struct, frozen=True):
    """One thing to tell: `word` (active or fault) of a point began, still is, or ended.

    `event`: start; update (it is so, and may have been told before); once; end. `cause`: why a fault is one.
    """

    point: str
    word: Literal["active", "fault"]
    event: Literal["start", "update", "once", "end"]
    cause: str = ""
    at: int = 0


class PointMachine:
    """The state of one point. All instants in ms; they never run backwards.

    `condition` is the last one that came to rest, None before the first. `known`: whether it holds now.
    """

    def __init__(self, point: Point) -> None:
        self.point = point
        self.condition: Condition | None = None
        self.known = False
        self._run: Contact | None = None
        self._run_since = 0
        self._rested = True  # the run has lasted for the debounce time (no run: nothing was broken)
        self._broken_runs = 0
        # None: it may have been told before this process began.
        self._open: dict[Literal["active", "fault"], bool | None] = {"active": None, "fault": None}

    def lost(self) -> None:
        """The module is away: nothing is known until it has been read again."""
        self.known = False
        self._run, self._rested, self._broken_runs = None, True, 0

    def next_read(self) -> int | None:
        """When another reading would settle the point; None: it has come to rest."""
        if self._run is None or (self.known and condition_of(self.point, self._run) is self.condition):
            return None
        return self._run_since + self.point.debounce_ms

    def read(self, raw: int | None, now: int) -> tuple[Say, ...]:
        """Take one reading (None: this input cannot be read); what is to be told now."""
        contact = contact_of(self.point, raw)
        if contact is not self._run:
            self._broken_runs = 0 if self._rested else self._broken_runs + 1
            self._run, self._run_since, self._rested = contact, now, False
        if now - self._run_since >= self.point.debounce_ms:
            self._rested, self._broken_runs = True, 0
            return self._settle(condition_of(self.point, contact), now, _cause(raw, contact))
        if self._broken_runs >= CHATTER_RUNS:
            return self._settle(Condition.FAULT, now, "the contact does not come to rest")
        return ()

    def _settle(self, condition: Condition, now: int, cause: str) -> tuple[Say, ...]:
        if self.known and condition is self.condition:
            return ()
        self.condition, self.known = condition, True
        said: list[Say] = []
        match condition:
            case Condition.ACTIVE:
                self._over("fault", now, said)
                self._begin("active", now, "", said)
            case Condition.FAULT:
                self._begin("fault", now, cause, said)
            case Condition.NORMAL:
                self._over("fault", now, said)
                self._over("active", now, said)
        return tuple(said)

    def _begin(self, word: Literal["active", "fault"], now: int, cause: str, said: list[Say]) -> None:
        before, self._open[word] = self._open[word], True
        how = self.point.active if word == "active" else self.point.line_fault
        if before or how == "none":
            return
        event: Literal["start", "update", "once"] = "update" if before is None and how == "start" else how
        said.append(Say(self.point.name, word, event, cause, now))

    def _over(self, word: Literal["active", "fault"], now: int, said: list[Say]) -> None:
        before, self._open[word] = self._open[word], False
        point = self.point
        if before is False:
            return
        if word == "fault":
            ends = point.line_fault == "start"
        else:
            ends = point.active == "start" and point.normal == "end"
        if ends:
            said.append(Say(point.name, word, "end", "", now))


def _cause(raw: int | None, contact: Contact) -> str:
    if contact is not Contact.FAULT:
        return ""
    return "this input cannot be read" if raw is None else f"value {raw}"


def collapse(waiting: Iterable[Say]) -> list[Say]:
    """What waits to be told, in order, at most three for each word of a point: where something ended and
    began again before anybody was told, it goes on; where it began twice, once is enough."""
    kept: list[Say | None] = []
    places: dict[tuple[str, str], list[int]] = {}
    for say in waiting:
        mine = places.setdefault((say.point, say.word), [])
        last = kept[mine[-1]] if mine else None
        if last is not None and (last.event == "end") == (say.event == "end"):
            continue
        if say.event != "end" and len(mine) > 1:
            kept[mine.pop()] = None
            continue
        mine.append(len(kept))
        kept.append(say)
    return [say for say in kept if say is not None]


class Block(Struct, frozen=True):
    """One read: `count` bits or registers of a table from `address` on, for these points (by index)."""

    table: Table
    address: int
    count: int
    points: tuple[int, ...]


def plan(
    points: Sequence[Point], *, most_bits: int = MAX_BITS, most_registers: int = MAX_REGISTERS
) -> tuple[Block, ...]:
    """As few reads as possible. No read touches an address of no point: many modules refuse the whole read
    for one address they do not have."""
    blocks: list[Block] = []
    order = sorted(range(len(points)), key=lambda i: (points[i].table, points[i].address, points[i].width))
    for index in order:
        point = points[index]
        end = point.address + point.width
        last = blocks[-1] if blocks else None
        most = most_bits if point.table.is_bits else most_registers
        if last is not None and last.table is point.table and point.address <= last.address + last.count:
            count = max(end - last.address, last.count)
            if count <= most:
                blocks[-1] = Block(last.table, last.address, count, (*last.points, index))
                continue
        blocks.append(Block(point.table, point.address, point.width, (index,)))
    return tuple(blocks)


def only(points: Sequence[Point], index: int) -> Block:
    """The read of one point alone, to find out whether it is the one the module refuses."""
    point = points[index]
    return Block(point.table, point.address, point.width, (index,))


def raw_of(point: Point, block: Block, values: Sequence[int]) -> int | None:
    """A point's raw value in what a read of `block` brought; None when the answer is too short for it."""
    at = point.address - block.address
    if at < 0 or at + point.width > len(values):
        return None
    if point.width == 2:
        return int(bool(values[at])) | int(bool(values[at + 1])) << 1
    value = values[at]
    return int(bool(value)) if point.table.is_bits else value & 0xFFFF
