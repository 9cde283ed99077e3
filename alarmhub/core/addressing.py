"""Which alarm a signal means (ward.md, "From the plant's words to a place"), as events with addresses.

A reset that fits several open alarms, or only a more urgent one, closes none and says so. This module
refuses to decide what the events do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import (
    AcknowledgedAtSource,
    Around,
    Ended,
    EndUnclear,
    Event,
    Joined,
    PresenceChanged,
    Raised,
    Signal,
    SignalEvent,
    Updated,
)
from alarmhub.core.joining import partner
from alarmhub.core.kinds import KIND_URGENCY, RULES, Kind
from alarmhub.core.signalling import kind_of
from alarmhub.core.world import World


class OpenAlarms(Protocol):
    """What addressing reads of the open alarms."""

    def by_key(self, source: str, key: str) -> Alarm | None:
        """The open alarm of which this source says this key."""
        ...

    def ended_elsewhere(self, source: str, key: str) -> str | None:
        """The alarm a joined path called so, lately ended, with nothing open by that name since."""
        ...

    def in_room(self, room: str) -> Iterable[Alarm]:
        """Open alarms at this room or any point of it."""
        ...

    def around(self, place: str, room: str, kind: Kind, source: str, now: int) -> Around:
        """Presence and history of a place."""
        ...


class Addressed(Struct, frozen=True):
    """One event and the alarm it is for; None = a new one."""

    alarm: str | None
    event: Event


_SPACE = re.compile(r"\s+")


def normalised(text: str) -> str:
    """A plant's text for comparison: one blank between words, no case."""
    return _SPACE.sub(" ", text).strip().casefold()


def key_of(signal: Signal, world: World) -> str:
    """What pairs a start with its end: the source's own ref, else (place, kind), else the whole text."""
    if signal.key:
        return signal.key
    source = world.site.sources.get(signal.source)
    if source is not None and signal.ref and (source.key == "address" or source.addresses_are_points):
        return f"address|{signal.ref}"
    text = normalised(signal.source_text or signal.text)
    if signal.place in world.site.places and (source is None or source.key != "text"):
        kind = kind_of(signal, world)[0]
        # A room of several beds is no point: only the words tell its patients' calls apart.
        return f"{signal.place}|{kind}" + (f"|{text}" if _several_beds(signal.place, world) else "")
    if signal.targets:
        # The same words to two pagers are two alarms: each has people of its own.
        return f"to|{signal.unit or ''}|{' '.join(signal.targets)}|{kind_of(signal, world)[0]}|{text}"
    return f"text|{text}|{signal.ref if not signal.source_text else ''}"


def _several_beds(place: str, world: World) -> bool:
    known = world.site.places[place]
    if known.point != "room":
        return False
    beds = (p for p in world.site.places.values() if p.point == "bed" and p.room == place)
    return next(beds, None) is not None and next(beds, None) is not None


def room_of(place: str, world: World) -> str:
    """The room a place belongs to; a place nobody knows is its own room."""
    known = world.site.places.get(place)
    return (known.room or known.path) if known is not None else place


def address(
    signal: Signal, open_alarms: OpenAlarms, world: World, new_id: str, now: int
) -> tuple[Addressed, ...]:
    """The events this signal means, each with its alarm. Empty: it means nothing that is open."""
    match signal.event:
        case SignalEvent.START | SignalEvent.ONCE | SignalEvent.UPDATE:
            return (_begin(signal, open_alarms, world, new_id, now),)
        case SignalEvent.END:
            return _end(signal, open_alarms, world)
        case SignalEvent.ACKNOWLEDGED:
            alarm = _only(signal, open_alarms, world)
            return () if alarm is None else (Addressed(alarm.id, AcknowledgedAtSource(signal)),)
        case SignalEvent.PRESENCE:
            room = room_of(signal.place, world)
            return tuple(
                Addressed(a.id, PresenceChanged(bool(signal.present), signal))
                for a in open_alarms.in_room(room)
                if RULES[a.kind].presence_attends
            )
        case SignalEvent.HEARTBEAT:
            return ()


def _begin(signal: Signal, open_alarms: OpenAlarms, world: World, new_id: str, now: int) -> Addressed:
    key = _key_here(signal, key_of(signal, world), open_alarms, world)
    alarm = open_alarms.by_key(signal.source, key)
    keyed = replace(signal, key=key)
    if alarm is None:
        kind = kind_of(signal, world)[0]
        around = open_alarms.around(signal.place, room_of(signal.place, world), kind, signal.source, now)
        if signal.place in world.site.places and not _several_beds(signal.place, world):
            joined = partner(keyed, around, open_alarms.in_room(signal.place), world, now)
            if joined is not None:
                return Addressed(joined.id, Joined(keyed))
        return Addressed(None, Raised(keyed, new_id, around))
    if signal.event is SignalEvent.UPDATE:
        return Addressed(alarm.id, Updated(keyed))
    return Addressed(alarm.id, Raised(keyed, alarm.id))


def _key_here(signal: Signal, key: str, open_alarms: OpenAlarms, world: World) -> str:
    """A source's own ref, used for two places at once, is two alarms: never two patients in one (ward.md).

    Only what a person carries keeps its alarm from place to place.
    """
    if not signal.key or signal.place not in world.site.places:
        return key
    alarm = open_alarms.by_key(signal.source, key)
    if alarm is None or alarm.person is not None or alarm.place not in world.site.places:
        return key
    inner, outer = sorted((alarm.place, signal.place), key=len, reverse=True)
    return key if inner == outer or inner.startswith(outer + "/") else f"{key}|{signal.place}"


def _end(signal: Signal, open_alarms: OpenAlarms, world: World) -> tuple[Addressed, ...]:
    exact = _exact(signal, open_alarms, world)
    if exact is not None:
        return (Addressed(exact.id, Ended("source", signal)),)
    named = signal.key or signal.place not in world.site.places
    fitting = [] if named else _fitting(signal, open_alarms, world)
    if not fitting:
        # Perhaps the other path's end came first: then it is known which is meant.
        over = open_alarms.ended_elsewhere(signal.source, key_of(signal, world))
        return () if over is None else (Addressed(over, Ended("source", signal)),)
    if len(fitting) == 1 and _may_close(signal, fitting[0], world):
        return (Addressed(fitting[0].id, Ended("source", signal)),)
    ids = tuple(a.id for a in fitting)
    return tuple(Addressed(a.id, EndUnclear(signal, ids)) for a in fitting)


def _exact(signal: Signal, open_alarms: OpenAlarms, world: World) -> Alarm | None:
    named = bool(signal.key or signal.kind is not None or signal.type is not None)
    source = world.site.sources.get(signal.source)
    by_address = source is not None and (source.key != "mapped" or source.addresses_are_points)
    if not named and not by_address and signal.place in world.site.places:
        return None
    key = _key_here(signal, key_of(signal, world), open_alarms, world)
    return open_alarms.by_key(signal.source, key)


def _fitting(signal: Signal, open_alarms: OpenAlarms, world: World) -> list[Alarm]:
    """What the source has open at this place: of the kind it names, of any kind where it names none."""
    kind = None if signal.kind is None and signal.type is None else kind_of(signal, world)[0]
    return [
        a
        for a in open_alarms.in_room(signal.place)
        if a.told_by(signal.source) and (kind is None or a.kind is kind)
    ]


def _may_close(signal: Signal, alarm: Alarm, world: World) -> bool:
    """A reset without a kind closes what the source usually means, never something more urgent."""
    return KIND_URGENCY[alarm.kind] <= KIND_URGENCY[kind_of(signal, world)[0]]


def _only(signal: Signal, open_alarms: OpenAlarms, world: World) -> Alarm | None:
    exact = _exact(signal, open_alarms, world)
    if exact is not None or signal.key or signal.place not in world.site.places:
        return exact
    fitting = _fitting(signal, open_alarms, world)
    return fitting[0] if len(fitting) == 1 else None
