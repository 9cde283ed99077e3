"""One phone as supervision knows it: its record, what is stored of it, what is shown of it.

Values and bookkeeping only; what is wrong with a phone is `core.handsets`, who is told `engine.handsets`. It
refuses to look at a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from alarmhub.core.handsets import Cause, Said, Track
from alarmhub.core.reach import Reach, best

CAUSES: Final = frozenset(Cause)


class PhoneWarning(Struct, frozen=True):
    """Something wrong with the phone of somebody on duty, in the site's language."""

    staff: str
    name: str
    device: str
    label: str
    cause: str
    text: str
    since: int


class Health(Struct, frozen=True):
    """How a phone is. `device` "": nobody has heard of a phone of this person's lately."""

    staff: str
    name: str
    device: str = ""
    label: str = ""
    reach: str = "none"
    app: str = ""
    heard_at: int | None = None
    said: Said = Said()
    warnings: tuple[PhoneWarning, ...] = ()


class Kept(Struct, frozen=True):
    """What is stored of a phone. `told`: causes the shift leader has heard of in this shift."""

    staff: str
    device: str
    app: str
    said: Said
    duty_since: int | None = None
    since: dict[str, int] = {}
    told: tuple[str, ...] = ()


class Handset:
    """One phone of one person, as it is known now. Times in epoch ms. `pushes`: a push wakes it;
    `shift_at`: when her shift began."""

    __slots__ = (
        "app", "contact_at", "device", "kept", "kept_at", "label", "push_dead", "push_lost_at", "pushes",
        "reach", "said", "shift_at", "staff", "tracks",
    )  # fmt: skip

    def __init__(self, staff: str, device: str, contact_at: int) -> None:
        self.staff, self.device, self.contact_at = staff, device, contact_at
        self.label = self.app = ""
        self.said = Said()
        self.reach = Reach.NONE
        self.pushes = False
        self.push_lost_at: int | None = None
        self.push_dead = False
        self.tracks: dict[Cause, Track] = {}
        self.kept: Kept | None = None
        self.kept_at = self.shift_at = 0

    @property
    def live(self) -> bool:
        """It has an open socket."""
        return self.reach is Reach.LIVE

    @property
    def best(self) -> Reach:
        """How it can be reached."""
        return best((self.reach, Reach.PUSHABLE)) if self.pushes else self.reach

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """Which of a person's phones is the one she uses: the highest."""
        return self.live, self.pushes, self.contact_at

    def wrong(self) -> Iterator[tuple[Cause, int]]:
        """Its warnings, the worst first; a low battery is not named beside a critical one."""
        begun = {cause: track.since for cause, track in self.tracks.items() if track.since is not None}
        if not begun:
            return
        for cause in Cause:
            since = begun.get(cause)
            if since is not None and not (cause is Cause.BATTERY_LOW and Cause.BATTERY_CRITICAL in begun):
                yield cause, since


class Shift:
    """A person on duty: since when and where. `told`: causes the shift leader has heard of meanwhile."""

    __slots__ = ("since", "told", "units")

    def __init__(self, since: int) -> None:
        self.since = since
        self.units: tuple[str, ...] = ()
        self.told: set[Cause] = set()


def alike(one: Kept, other: Kept) -> bool:
    """Nothing to store: a percent of battery more or less is no news."""
    return _rough(one) == _rough(other)


def _rough(kept: Kept) -> tuple[object, ...]:
    said = kept.said
    battery = None if said.battery is None else said.battery // 10
    return (
        kept.app, battery, said.charging, said.muted, said.volume == 0, said.notifications, said.push,
        kept.duty_since, kept.since, kept.told,
    )  # fmt: skip
