"""What is wrong with a site file, and where: collected, so that one reading shows every fault.

It refuses to stop at the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct


class Fault(Struct, frozen=True, order=True):
    """One fault. `path`: where in the file, e.g. `unit[3].last_resort[0]`, lists counted from 0."""

    path: str
    message: str

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.path}: {self.message}" if self.path else self.message


class Faults:
    """The faults found so far, in the order found."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        """Note one more."""
        self.found.append(Fault(path, message))

    def unknown(self, path: str, what: str, name: str, known: Iterable[str]) -> None:
        """Note that nothing is called `name`, with the nearest name there is."""
        near = get_close_matches(name, list(known), n=1)
        self.add(path, f'no {what} "{name}"' + (f', did you mean "{near[0]}"?' if near else ""))
