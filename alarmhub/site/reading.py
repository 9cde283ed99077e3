"""What is known while a site file is being checked: its names, what has been compiled so far, the faults.

It refuses to compile anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from alarmhub.core.site import AlarmType, Duty, Hours, Place, Role, Staff, Unit
from alarmhub.site.entries import FileEntry
from alarmhub.site.faults import Faults
from alarmhub.site.hourtext import parse_hours

E = TypeVar("E")


class Reading:
    """One reading of one file. `named` holds the ids of every section, those of faulty entries included, so
    that one bad unit does not make everything that names it a fault too."""

    def __init__(self, file: FileEntry, raw: Mapping[str, Any], faults: Faults) -> None:
        self.file = file
        self.faults = faults
        self.zone = self._zone()
        self.named = {section: _ids(raw.get(section)) for section in ("unit", "role", "staff", "type")}
        self.units: dict[str, Unit] = {}
        self.places: dict[str, Place] = {}
        self.place_lines: dict[str, str] = {}
        self._prefixes: set[str] = set()
        self.roles: dict[str, Role] = {}
        self.staff: dict[str, Staff] = {}
        self.types: dict[str, AlarmType] = {}
        self.duties: list[Duty] = []

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.file.zone)
        except (KeyError, ValueError, OSError):
            self.faults.add("zone", f'no time zone "{self.file.zone}"')
            return ZoneInfo("UTC")

    def known(self, section: str, name: str, path: str) -> bool:
        """Whether a section has an entry of this name; a fault if not."""
        if name in self.named[section]:
            return True
        self.faults.unknown(path, section, name, self.named[section])
        return False

    def known_unit_place(self, unit: str, written: str) -> str | None:
        """The path of a place written as a whole path or relative to its unit; None when there is none."""
        candidates = [f"{self.units[unit].site}/{unit}/{written}"] if unit in self.units else []
        return next((path for path in (*candidates, written) if self.is_place(path)), None)

    def is_place(self, path: str) -> bool:
        """Whether a path is a place, or has places below it."""
        return path in self._prefixes

    def add_place(self, place: Place, line: str) -> None:
        """Take a place that line `line` of the file names."""
        self.places[place.path] = place
        self.place_lines[place.path] = line
        names = place.path.split("/")
        self._prefixes.update("/".join(names[:end]) for end in range(1, len(names) + 1))

    def hours(self, written: str | list[str], path: str) -> Iterator[Hours]:
        """The windows of one entry; a fault for each that makes no sense."""
        single = isinstance(written, str)
        for index, text in enumerate(as_list(written)):
            try:
                yield parse_hours(text, self.zone)
            except ValueError as error:
                self.faults.add(path if single else f"{path}[{index}]", str(error))


def under_site(written: str, reading: Reading) -> str:
    """A path that begins with a site of the file stays; any other lies below the main site."""
    sites = {unit.site for unit in reading.units.values()} | {reading.file.site}
    return written if written.partition("/")[0] in sites else f"{reading.file.site}/{written}"


def as_list(written: str | list[str]) -> list[str]:
    """One or several."""
    return [written] if isinstance(written, str) else written


def numbered(section: str, entries: Iterable[E | None]) -> Iterator[tuple[str, E]]:
    """The usable entries of a section, each with its path in the file."""
    for index, entry in enumerate(entries):
        if entry is not None:
            yield f"{section}[{index}]", entry


def _ids(raw: object) -> frozenset[str]:
    if not isinstance(raw, list):
        return frozenset()
    ids = (table.get("id") for table in raw if isinstance(table, dict))
    return frozenset(name for name in ids if isinstance(name, str))
