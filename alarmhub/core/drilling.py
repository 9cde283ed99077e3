"""Drills of the last hop, as pure functions: what is expected of each phone and way, what became of it, and
after which changes a unit is drilled again.

A line is one way to one phone. It is good only by the phone's own receipt over that very way; what nobody
confirmed is red, and what a real alarm or a crash cut off is neither. It refuses clocks, and to ring anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.policies import built_in, choose
from alarmhub.core.site import Site
from alarmhub.core.trials import units_of

SOCKET: Final = "socket"
PAGER: Final = "pager"
SMS: Final = "sms"


class Outcome(StrEnum):
    """What became of one way to one phone."""

    WAITING = "waiting"
    RANG = "rang"  # the phone confirmed it over this way
    DELIVERED = "delivered"  # a text message reached the phone: it cannot say more
    CANNOT = "cannot"  # a way that cannot confirm, or that a silent drill does not use
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class State(StrEnum):
    """What became of a drill."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Why(StrEnum):
    """Why a way failed, or cannot confirm."""

    NO_RECEIPT = "no_receipt"
    NO_CONTACT = "no_contact"
    NOT_TAKEN = "not_taken"
    NO_PHONE = "no_phone"
    ONE_WAY = "one_way"
    SOUNDS = "sounds"  # a text message cannot be silent


class DrillLine(Struct, frozen=True):
    """One way to one phone of one person. `after_ms`: from the beginning to the receipt."""

    staff: str
    device: str
    channel: str
    outcome: Outcome = Outcome.WAITING
    why: str = ""
    after_ms: int | None = None


class Result(Struct, frozen=True):
    """What became of a drill so far. `lines` is empty once phones are forgotten; the counts stay."""

    state: State = State.RUNNING
    good: int = 0
    red: int = 0
    open: int = 0  # neither: waiting, interrupted, or a way that cannot confirm
    version: str = ""
    lines: tuple[DrillLine, ...] = ()


class Ways(Struct, frozen=True):
    """A phone and the ways to it now. `newest`: of its owner's phones the one heard of last."""

    device: str
    live: bool
    transports: tuple[str, ...]
    newest: bool


class DrillRules(Struct, frozen=True):
    """When drills happen by themselves, in seconds. `settle_s`: after a change, until phones are there;
    `gap_s`: between two of a unit; `pace_s`: between two of any units."""

    on_shift_start: bool = True
    on_change: bool = True
    within_s: float = 30.0
    settle_s: float = 180.0
    gap_s: float = 1200.0
    pace_s: float = 2.0


def expected(
    staff: str, phones: Iterable[Ways], *, pager: bool, sms: bool, heard: bool
) -> tuple[DrillLine, ...]:
    """What a drill waits for from one person. `pager`, `sms`: she has one; `heard`: it sounds."""
    lines: list[DrillLine] = []
    for phone in phones:
        if phone.live:
            lines.append(DrillLine(staff, phone.device, SOCKET))
        elif not phone.transports and phone.newest:
            lines.append(DrillLine(staff, phone.device, SOCKET, Outcome.FAILED, Why.NO_CONTACT))
        lines += [DrillLine(staff, phone.device, transport) for transport in phone.transports]
    if sms and not any(line.channel == SOCKET and line.outcome is Outcome.WAITING for line in lines):
        lines.append(
            DrillLine(staff, "", SMS) if heard else DrillLine(staff, "", SMS, Outcome.CANNOT, Why.SOUNDS)
        )
    if pager:
        lines.append(DrillLine(staff, "", PAGER, Outcome.CANNOT, Why.ONE_WAY))
    return tuple(lines) or (DrillLine(staff, "", "", Outcome.FAILED, Why.NO_PHONE),)


def settled(line: DrillLine, outcome: Outcome, why: str = "", after_ms: int | None = None) -> DrillLine:
    """What became of it. A receipt counts, whatever was thought before; nothing takes it back."""
    good = outcome in (Outcome.RANG, Outcome.DELIVERED)
    if line.outcome is Outcome.WAITING or (good and line.outcome is Outcome.FAILED):
        return replace(line, outcome=outcome, why=why, after_ms=after_ms)
    return line


def counted(lines: Iterable[DrillLine], version: str = "", *, running: bool = True) -> Result:
    """The result of these lines."""
    lines = tuple(lines)
    good = sum(line.outcome in (Outcome.RANG, Outcome.DELIVERED) for line in lines)
    red = sum(line.outcome is Outcome.FAILED for line in lines)
    state = State.RUNNING
    if not running:
        cut = any(line.outcome is Outcome.INTERRUPTED for line in lines)
        state = State.FAILED if red or not lines else State.INTERRUPTED if cut else State.OK
    return Result(state, good, red, len(lines) - good - red, version, lines)


def closed(lines: Iterable[DrillLine], version: str, *, cut: bool) -> Result:
    """It is over: what still waits has failed, or (`cut`) was interrupted."""
    last = (Outcome.INTERRUPTED, "") if cut else (Outcome.FAILED, str(Why.NO_RECEIPT))
    return counted((settled(line, *last) for line in lines), version, running=False)


def cut_off(result: Result) -> Result:
    """A crash ended it: whatever it had found by then, it is no answer."""
    lines = tuple(settled(line, Outcome.INTERRUPTED) for line in result.lines)
    return replace(counted(lines, result.version), state=State.INTERRUPTED)


class Prints(Struct, frozen=True):
    """Fingerprints of what decides whom a unit's alarms ring, and of the sources that call there."""

    policy: str
    source: str


def prints_of(site: Site) -> dict[str, Prints]:
    """By unit. Equal prints: nothing that a drill could find has changed."""
    sources: dict[str, list[object]] = {}
    for source in site.sources.values():
        for unit in units_of(site, source.id):
            sources.setdefault(unit, []).append(source)
    return {
        unit.id: Prints(_hash((_policies(site, unit.id), unit.last_resort)), _hash(sources.get(unit.id, [])))
        for unit in site.units.values()
    }


def _policies(site: Site, unit: str) -> list[object]:
    """The policies that alarms of a unit follow, each once, in a fixed order."""
    found = {}
    for kind in Kind:
        for priority in Priority:
            policy = choose(site, kind, "", unit, priority)
            if policy is not built_in(kind, priority):
                found[f"{kind} {priority}"] = policy
    for alarm_type in site.types.values():
        for priority in Priority:
            found[f"{alarm_type.id} {priority}"] = choose(
                site, alarm_type.kind, alarm_type.id, unit, priority
            )
    return [(name, found[name]) for name in sorted(found)]


def _hash(value: object) -> str:
    return hashlib.blake2s(msgspec.json.encode(value), digest_size=12).hexdigest()


def changed(before: Mapping[str, Prints], after: Mapping[str, Prints]) -> dict[str, str]:
    """Unit → cause (policy, source) for units known before whose prints are others now."""
    causes = {}
    for unit, now in after.items():
        was = before.get(unit)
        if was is not None and was != now:
            causes[unit] = "policy" if was.policy != now.policy else "source"
    return causes
