"""Rooms and beds as a ward writes them ("rooms 1-10, beds 1-2, a WC each") to one place per path.

A path is site/unit/room[/point] and only a name (ward.md, "Where, and whose"). This module refuses to
decide who answers there.
"""

from __future__ import annotations

from collections.abc import Iterator

from alarmhub.core.site import Place
from alarmhub.site.entries import PlaceEntry
from alarmhub.site.reading import Reading, numbered

MAX_ROOMS = 500
MAX_BEDS = 20
POINT_LABELS = {
    "wc": "WC",
    "corridor": "korridor",
    "entrance": "entré",
    "equipment": "utrustning",
    "bed": "plats",
    "room": "sal",
}


def compile_places(reading: Reading) -> None:
    """Fill `reading.places`; units must be there."""
    for path, entry in numbered("place", reading.file.place):
        forms = [name for name in ("rooms", "id", "path") if getattr(entry, name) is not None]
        if len(forms) != 1:
            reading.faults.add(
                path, "give one of rooms, id, path" + (f", not {' and '.join(forms)}" * bool(forms))
            )
            continue
        if not reading.known("unit", entry.unit, f"{path}.unit") or entry.unit not in reading.units:
            continue
        if entry.person is not None:
            reading.known("staff", entry.person, f"{path}.person")
        try:
            places = list(_rooms(entry, reading) if forms == ["rooms"] else _single(entry, reading))
        except ValueError as error:
            reading.faults.add(f"{path}.{forms[0]}", str(error))
            continue
        for place in places:
            if place.path in reading.places:
                first = reading.place_lines[place.path]
                reading.faults.add(path, f'"{place.path}" is already a place of {first}')
                continue
            reading.add_place(place, path)
    _check_rooms(reading)


def _check_rooms(reading: Reading) -> None:
    for place in reading.places.values():
        if place.room != place.path and place.room not in reading.places:
            reading.faults.add(
                reading.place_lines[place.path], f'"{place.path}" lies in no room "{place.room}"'
            )


def _rooms(entry: PlaceEntry, reading: Reading) -> Iterator[Place]:
    if entry.rooms is None:
        return
    base = f"{reading.units[entry.unit].site}/{entry.unit}"
    beds = [] if entry.beds is None else _numbers(_up_to(entry.beds), MAX_BEDS, "beds")
    for room in _numbers(entry.rooms, MAX_ROOMS, "rooms"):
        room_path = f"{base}/{room}"

        def named(path: str, label: str, point: str, room_path: str = room_path) -> Place:
            return Place(path, label, entry.unit, point, room_path, entry.add_attend, entry.person)

        # A label of the entry is for its beds; for the rooms themselves when they have none.
        label = f"sal {room}" if entry.label is None or beds else entry.label.replace("{room}", room)
        yield named(room_path, label, entry.point or "room")
        for bed in beds:
            text = entry.label or "sal {room} plats {bed}"
            yield named(f"{room_path}/{bed}", text.replace("{room}", room).replace("{bed}", bed), "bed")
        if entry.wc:
            yield named(f"{room_path}/wc", f"{label} WC", "wc")


def _single(entry: PlaceEntry, reading: Reading) -> Iterator[Place]:
    if entry.beds is not None or entry.wc:
        raise ValueError("beds and wc go with rooms")
    site = reading.units[entry.unit].site
    path = entry.path or f"{site}/{entry.unit}/{entry.id}"
    names = path.split("/")
    if len(names) not in (3, 4) or names[0] != site:
        raise ValueError(f'"{path}" is no path site/unit/room or site/unit/room/point of this unit\'s site')
    room = entry.room or "/".join(names[:3])
    point = entry.point or ("bed" if len(names) == 4 else "room")
    label = entry.label or " ".join(
        ["sal", names[2], POINT_LABELS[point], names[3]]
        if len(names) == 4
        else [POINT_LABELS[point], names[2]]
    )
    yield Place(path, label, entry.unit, point, room, entry.add_attend, entry.person)


def _up_to(beds: str | int | list[str | int]) -> str | int | list[str | int]:
    return f"1-{beds}" if isinstance(beds, int) else beds


def _numbers(written: str | int | list[str | int], at_most: int, what: str) -> list[str]:
    """Read "1-10", "1,3,5-8", 4 or a list of these to names, in order. Raises ValueError."""
    parts = written if isinstance(written, list) else str(written).split(",")
    names: list[str] = []
    for part in (str(part).strip() for part in parts):
        first, dash, last = part.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            if not int(first) <= int(last) < int(first) + at_most:
                raise ValueError(f'"{part}" is no range of at most {at_most} {what}')
            names += [str(number) for number in range(int(first), int(last) + 1)]
        elif part and "/" not in part and " " not in part:
            names.append(part)
        else:
            raise ValueError(f'"{part}" names no {what}')
    if len(set(names)) != len(names):
        raise ValueError(f"names {what} twice")
    if len(names) > at_most:
        raise ValueError(f"at most {at_most} {what}")
    return names
