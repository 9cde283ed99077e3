"""Who can be reached, and whose phone lies untouched: the live side of a decision's arguments.

Fed by the gateway (device by device), by those who know where a push reaches, and by committed turns. It
refuses to watch sockets and to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from alarmhub.core.kinds import UNTOUCHED_RINGS, UNTOUCHED_WITHIN_S
from alarmhub.core.reach import Reach, best


class Contacts:
    """Best reach per person. `reach` and `push` (whose phone a push reaches) are read by decisions and
    change in place."""

    def __init__(self) -> None:
        self.reach: dict[str, Reach] = {}
        self.push: set[str] = set()
        self._pushable: dict[str, tuple[str, ...]] = {}
        self._devices: dict[str, dict[str, Reach]] = {}
        self._one_way: frozenset[str] = frozenset()
        self.on_change: list[Callable[[str], None]] = []
        """Told whose reach is another now."""

    def pagers(self, staff: Iterable[str]) -> None:
        """Who has a pager, or a number for text messages, that something can really send to."""
        before, self._one_way = self._one_way, frozenset(staff)
        for person in before ^ self._one_way:
            self._settle(person)

    def pushable(self, staff: str, devices: tuple[str, ...]) -> bool:
        """The devices of this person that a push reaches from now on; whether it is news that one does, or
        that none does any more."""
        before = staff in self.push
        if devices:
            self._pushable[staff] = devices
            self.push.add(staff)
        else:
            self._pushable.pop(staff, None)
            self.push.discard(staff)
        self._settle(staff)
        return before is not bool(devices)

    def device(self, staff: str, device: str, reach: Reach) -> tuple[Reach, Reach]:
        """A device's reach changed; returns the person's reach before and after."""
        before = self.reach.get(staff, Reach.NONE)
        devices = self._devices.setdefault(staff, {})
        if reach is Reach.NONE:
            devices.pop(device, None)
            if not devices:
                del self._devices[staff]
        else:
            devices[device] = reach
        return before, self._settle(staff)

    def _settle(self, staff: str) -> Reach:
        known = list(self._devices.get(staff, {}).values())
        if staff in self._one_way:
            known.append(Reach.ONE_WAY)
        if staff in self._pushable:
            known.append(Reach.PUSHABLE)
        reach = best(known)
        before = self.reach.get(staff, Reach.NONE)
        if reach is Reach.NONE:
            self.reach.pop(staff, None)
        else:
            self.reach[staff] = reach
        if reach is not before:
            for heard in self.on_change:
                heard(staff)
        return reach

    def of_device(self, staff: str, device: str) -> Reach:
        """How this one device of a person can be reached."""
        reach = self._devices.get(staff, {}).get(device, Reach.NONE)
        return best((reach, Reach.PUSHABLE)) if device in self._pushable.get(staff, ()) else reach

    def elsewhere(self, staff: str, device: str) -> Reach:
        """How a person can be reached but for this device."""
        others = [reach for id, reach in self._devices.get(staff, {}).items() if id != device]
        return best([*others, *(Reach.PUSHABLE for id in self._pushable.get(staff, ()) if id != device)])

    def by_reach(self) -> dict[str, int]:
        """Devices by reach, for metrics. One without a socket that push reaches is pushable."""
        counts: dict[str, int] = {}
        asleep = sum(
            device not in self._devices.get(staff, ())
            for staff, devices in self._pushable.items()
            for device in devices
        )
        if asleep:
            counts[Reach.PUSHABLE] = asleep
        for devices in self._devices.values():
            for reach in devices.values():
                counts[reach] = counts.get(reach, 0) + 1
        return counts


class Touches:
    """Rings that nobody touched, per person: two in half an hour are a phone in a locker."""

    def __init__(self) -> None:
        self._rings: dict[str, dict[str, int]] = {}

    def untouched_ring(self, staff: str, alarm: str, at: int) -> None:
        """A turn passed on without an answer or a look on this phone. An alarm counts once."""
        self._rings.setdefault(staff, {})[alarm] = at

    def touched(self, staff: str) -> None:
        """The person did something on the phone."""
        self._rings.pop(staff, None)

    def untouched(self, now: int) -> frozenset[str]:
        """Staff with so many untouched rings lately."""
        found: list[str] = []
        since = now - UNTOUCHED_WITHIN_S * 1000
        for staff, rings in list(self._rings.items()):
            for alarm in [a for a, at in rings.items() if at <= since]:
                del rings[alarm]
            if not rings:
                del self._rings[staff]
            elif len(rings) >= UNTOUCHED_RINGS:
                found.append(staff)
        return frozenset(found)
