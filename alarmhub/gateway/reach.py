"""Which devices can be reached: live -> recent -> none, and what it means when many go at once.

A table of devices and times, nothing else: `now` is an argument everywhere (milliseconds of one steady
clock), so that every deadline is tested on both sides. It refuses sockets, and it does not know pagers
(one-way reach comes from the site).

Decisions: A drop of one phone is never "many", however few phones there are: on a ward with three phones
every lost one would otherwise stop the hub from passing on unreachable people for 30 s. A device that says
goodbye (closing code 1000) is lost, but it has not vanished: a shift that signs off is no failed network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeVar

from alarmhub.core.kinds import RECENT_S

RECENT_MS: Final = RECENT_S * 1000
SEEN_LATELY_MS: Final = 10 * 60_000
"""After a start of the hub everybody seen this lately counts as `recent` (design.md section 3)."""
DROP_WINDOW_MS: Final = 5_000
DROP_SHARE: Final = 5
"""More than one in so many lost within the window is a mass drop."""
DROP_LEAST: Final = 2
DROP_SAID_EVERY_MS: Final = 1_000
VANISHED_WINDOW_MS: Final = 30_000
VANISHED_LEAST: Final = 2
UNIT_STABLE_MS: Final = 120_000
"""A silent unit counts as back after this long with more than half of its phones (ward.md hysteresis)."""

_V = TypeVar("_V")


class DeviceKey(NamedTuple):
    """A device of a person. Another person's device of the same name is another device."""

    staff: str
    device: str


class UnitSilence(NamedTuple):
    """Half of a unit's phones vanished (`silent`), or they are back for good."""

    unit: str
    silent: bool
    lost: int
    total: int


class _Silent:
    __slots__ = ("total", "up_since")

    def __init__(self, total: int) -> None:
        self.total = total
        self.up_since: int | None = None


class ReachTable:
    """Reach of every device that was connected lately. Not thread-safe; all times in ms of one clock."""

    def __init__(self) -> None:
        self._live: dict[DeviceKey, tuple[str, ...]] = {}
        self._recent: dict[DeviceKey, int] = {}  # until when; in order of expiry
        self._dropped: dict[DeviceKey, int] = {}  # when; in order
        self._vanished: dict[DeviceKey, tuple[int, tuple[str, ...]]] = {}
        self._unit_live: dict[str, int] = {}
        self._silent: dict[str, _Silent] = {}
        self._last_drop_at = 0
        self._drop_said_at: int | None = None

    @property
    def live(self) -> int:
        """How many devices have an open socket."""
        return len(self._live)

    @property
    def recent(self) -> int:
        """How many were lost, or seen before the start, less than 30 s ago."""
        return len(self._recent)

    def seed(self, devices: Iterable[DeviceKey], now: int) -> list[DeviceKey]:
        """At a start: these devices were seen lately. Returns those that thereby are `recent`."""
        fresh = [key for key in devices if key not in self._live and key not in self._recent]
        self._recent.update(dict.fromkeys(fresh, now + RECENT_MS))
        return fresh

    def connected(self, key: DeviceKey, units: tuple[str, ...]) -> None:
        """The device has an open socket. `units`: the units its person's phone belongs to."""
        if key in self._live:
            return
        self._live[key] = units
        self._recent.pop(key, None)
        self._dropped.pop(key, None)
        self._vanished.pop(key, None)
        for unit in units:
            self._unit_live[unit] = self._unit_live.get(unit, 0) + 1

    def lost(self, key: DeviceKey, now: int, *, goodbye: bool = False) -> None:
        """The device's socket is gone. `goodbye`: it said so itself."""
        units = self._live.pop(key, None)
        if units is None:
            return
        self._recent[key] = now + RECENT_MS
        self._dropped[key] = now
        self._last_drop_at = now
        for unit in units:
            self._unit_live[unit] -= 1
        if not goodbye and units:
            self._vanished[key] = (now, units)

    def gone(self, key: DeviceKey) -> None:
        """The device is this person's no more: it has not been lost, and it will not come back."""
        for unit in self._live.pop(key, ()):
            self._unit_live[unit] -= 1
        self._recent.pop(key, None)

    def of_others(self, device: str, staff: str) -> list[DeviceKey]:
        """Where a device still counts as somebody else's than this person's."""
        known = (*self._live, *self._recent)
        return [key for key in known if key.device == device and key.staff != staff]

    def expired(self, now: int) -> list[DeviceKey]:
        """The devices whose 30 s are over: from now on they cannot be reached. Each is returned once."""
        gone = _due(self._recent, lambda until: until <= now)
        for key in gone:
            del self._recent[key]
        return gone

    def dropped_many(self, now: int) -> bool:
        """Whether more than a fifth of the phones were lost within 5 s. True at most once a second, and
        again only when more were lost."""
        for key in _due(self._dropped, lambda at: at <= now - DROP_WINDOW_MS):
            del self._dropped[key]
        lost = len(self._dropped)
        if lost < DROP_LEAST or lost * DROP_SHARE <= lost + len(self._live):
            return False
        said_at = self._drop_said_at
        if said_at is not None and (now - said_at < DROP_SAID_EVERY_MS or self._last_drop_at <= said_at):
            return False
        self._drop_said_at = now
        return True

    def units_changed(self, now: int) -> list[UnitSilence]:
        """Units that fell silent (half of their phones, at least two, vanished within 30 s) or came back."""
        for key in _due(self._vanished, lambda entry: entry[0] <= now - VANISHED_WINDOW_MS):
            del self._vanished[key]
        return [*self._fallen_silent(), *self._come_back(now)]

    def _fallen_silent(self) -> list[UnitSilence]:
        lost: dict[str, int] = {}
        for _at, units in self._vanished.values():
            for unit in units:
                lost[unit] = lost.get(unit, 0) + 1
        fallen = []
        for unit, count in lost.items():
            total = count + self._unit_live.get(unit, 0)
            if unit not in self._silent and count >= VANISHED_LEAST and count * 2 >= total:
                self._silent[unit] = _Silent(total)
                fallen.append(UnitSilence(unit, True, count, total))
        return fallen

    def _come_back(self, now: int) -> list[UnitSilence]:
        back = []
        for unit, silent in list(self._silent.items()):
            live = self._unit_live.get(unit, 0)
            if live * 2 <= silent.total:
                silent.up_since = None
            elif silent.up_since is None:
                silent.up_since = now
            elif now - silent.up_since >= UNIT_STABLE_MS:
                del self._silent[unit]
                back.append(UnitSilence(unit, False, max(0, silent.total - live), silent.total))
        return back


def _due(table: dict[DeviceKey, _V], is_due: Callable[[_V], bool]) -> list[DeviceKey]:
    """The keys at the head of a table in order of time whose value is due."""
    due = []
    for key, value in table.items():
        if not is_due(value):
            break
        due.append(key)
    return due
