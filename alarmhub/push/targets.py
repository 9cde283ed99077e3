"""Who can be reached by push, and where: the addresses of all phones in memory, by who carries them now.

Loaded before the first decision, so that a sleeping phone is reachable from a start on; read again whenever
secrets change (a phone was enrolled, handed over or revoked). A target of a provider without credentials
reaches nobody and is not counted. It refuses to send.

Decisions: what a provider calls dead is gone from here at once, and from the database as soon as that takes
it: while it does not, a restart finds the address again and learns again that it is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.people import PushTarget, PushTargets
from alarmhub.ports import StoreUnavailable
from alarmhub.push.transport import Transport
from alarmhub.tasks import Crew, spawn

AGAIN_S: Final = 1.0
LOOK_AFTER_S: Final = 5.0
"""Secrets change by the dozen when a shift begins, and whoever changes them here says so (`carried`): what is
read again is for changes made elsewhere, and one reading does for all of them."""
NOTED_EVERY_MS: Final = 24 * 3_600_000
AT_ONCE: Final = 500
"""So many rows are taken in before the loop may do something else."""

_log = logs.get("push")


class TargetBook:
    """All targets. `pushable(staff, devices)` is told whenever a person's reachable devices change.

    `on_dead(device, transport)`: a provider said that nothing will ever reach this address.
    """

    def __init__(
        self,
        store: PushTargets,
        *,
        transports: Mapping[str, Transport],
        clock: Clock,
        crew: Crew,
        pushable: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        self._store, self._transports, self._clock, self._crew = store, transports, clock, crew
        self._pushable = pushable
        self._targets: dict[str, dict[str, PushTarget]] = {}  # device → transport → target
        self._carried: dict[str, str] = {}  # device → staff
        self._devices: dict[str, set[str]] = {}  # staff → devices
        self._holders: dict[tuple[str, str], str] = {}  # (transport, address) → device
        self._dead: dict[str, dict[str, str]] = {}  # device → transport → address
        self._edits = 0
        self._loading = asyncio.Lock()
        self._looks_soon = False
        self._took: list[PushTarget] = []
        self.on_dead: list[Callable[[str, str], None]] = []

    def __len__(self) -> int:
        """How many addresses there are."""
        return sum(len(targets) for targets in self._targets.values())

    async def load(self) -> None:
        """Read all of it (again). Raises StoreUnavailable; then what was known stays."""
        async with self._loading:
            while True:
                edits = self._edits
                targets, carriers = await self._store.targets(), await self._store.carriers()
                known = await self._by_device(targets)
                if edits == self._edits:  # else what was changed meanwhile would be forgotten
                    break
        before = set(self._devices)
        self._targets, self._carried, self._devices = known, dict(carriers), {}
        self._holders = {(t.transport, t.address): t.device for held in known.values() for t in held.values()}
        for device, staff in carriers.items():
            self._devices.setdefault(staff, set()).add(device)
        for staff in before | set(self._devices):
            self._tell(staff)

    async def _by_device(self, targets: Sequence[PushTarget]) -> dict[str, dict[str, PushTarget]]:
        known: dict[str, dict[str, PushTarget]] = {}
        for number, target in enumerate(targets, 1):
            is_dead = self._dead.get(target.device, {}).get(target.transport) == target.address
            if target.transport in self._transports and not is_dead:
                known.setdefault(target.device, {})[target.transport] = target
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return known

    def changed(self) -> None:
        """Phones were enrolled, handed over or revoked: read it again, soon."""
        if not self._looks_soon:
            self._looks_soon = True
            spawn(self._load_again(), "push targets", self._crew, ends=True)

    async def _load_again(self) -> None:
        await asyncio.sleep(LOOK_AFTER_S)
        self._looks_soon = False
        while True:
            try:
                await self.load()
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)

    # Reading

    def of(self, staff: str) -> Sequence[PushTarget]:
        """All addresses of the phones this person carries now."""
        devices = sorted(self._devices.get(staff, ()))
        return [target for device in devices for target in self._targets.get(device, {}).values()]

    def of_device(self, device: str) -> Sequence[PushTarget]:
        """The addresses of one phone."""
        return tuple(self._targets.get(device, {}).values())

    def transports_of(self, device: str) -> Sequence[str]:
        """By which transports this phone can be woken."""
        return sorted(self._targets.get(device, {}))

    def dead_on(self, device: str) -> frozenset[str]:
        """The transports whose last address of this phone was found dead, until it registers a new one."""
        return frozenset(self._dead.get(device, ()))

    # Changing

    def fault(self, transport: str, address: str, keys: Mapping[str, str]) -> str | None:
        """Why this can be no target here: "FIELD: what was expected"; None when it can."""
        carrier = self._transports.get(transport)
        if carrier is None:
            offered = ", ".join(sorted(self._transports)) or "none: no push is set up on this hub"
            return f"transport: expected one that this hub pushes by ({offered})"
        return carrier.address_fault(address, keys)

    async def put(
        self, device: str, staff: str, transport: str, address: str, keys: Mapping[str, str]
    ) -> None:
        """From now on this phone, carried by `staff` ("" = nobody), is reached here. Raises
        StoreUnavailable."""
        known = self._targets.get(device, {}).get(transport)
        target = PushTarget(
            device=device, transport=transport, address=address, registered_at=self._clock.now(),
            keys=dict(keys),
            taken_at=known.taken_at if known is not None and known.address == address else None,
        )  # fmt: skip
        before = self._carried.get(device)
        await self._store.put_target(target)
        self._edits += 1
        other = self._holders.get((transport, address), device)
        if other != device:
            self._remove(self._targets[other][transport])
        mine = self._targets.setdefault(device, {})
        if transport in mine:
            del self._holders[transport, mine[transport].address]
        mine[transport], self._holders[transport, address] = target, device
        self._dead.get(device, {}).pop(transport, None)
        if self._carried.get(device) == before:  # else it was handed over, or revoked, meanwhile
            self.carried(device, staff)

    async def drop(self, device: str) -> bool:
        """This phone wants no pushes any more; whether it had any. Raises StoreUnavailable."""
        targets = list(self._targets.get(device, {}).values())
        for target in targets:
            await self._store.drop_target(device, target.transport, target.address)
            self._remove(target)
        self._dead.pop(device, None)
        return bool(targets)

    def carried(self, device: str, staff: str) -> None:
        """From now on this person ("" = nobody) carries the phone."""
        self._edits += 1
        before = self._carried.pop(device, "")
        if before and before != staff:
            self._devices.get(before, set()).discard(device)
            self._tell(before)
        if staff:
            self._carried[device] = staff
            self._devices.setdefault(staff, set()).add(device)
            self._tell(staff)

    def took(self, target: PushTarget) -> None:
        """Its provider took a push for this address: noted once a day, together with others."""
        now = self._clock.now()
        known = self._targets.get(target.device, {}).get(target.transport)
        if known is None or known.address != target.address or now - (known.taken_at or 0) < NOTED_EVERY_MS:
            return
        self._targets[target.device][target.transport] = replace(known, taken_at=now)
        self._took.append(known)
        if len(self._took) == 1:
            spawn(self._note_took(), "push targets taken", self._crew, ends=True)

    async def _note_took(self) -> None:
        while self._took:
            await asyncio.sleep(LOOK_AFTER_S)
            noted = self._took[:AT_ONCE]
            try:
                await self._store.took(noted, self._clock.now())
            except StoreUnavailable:
                continue
            del self._took[: len(noted)]

    def died(self, target: PushTarget, detail: str) -> None:
        """Its provider says that nothing will ever reach this address."""
        if not self._remove(target):
            return
        _log.warning(
            Line.PUSH_TARGET_DEAD, device=target.device, transport=target.transport,
            staff=self._carried.get(target.device, ""), detail=detail,
        )  # fmt: skip
        self._dead.setdefault(target.device, {})[target.transport] = target.address
        for heard in self.on_dead:
            heard(target.device, target.transport)
        spawn(self._forget(target), "push target", self._crew, ends=True)

    async def _forget(self, target: PushTarget) -> None:
        while True:
            try:
                await self._store.drop_target(target.device, target.transport, target.address)
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)

    def _remove(self, target: PushTarget) -> bool:
        """Unless the phone has another address by now."""
        targets = self._targets.get(target.device, {})
        known = targets.get(target.transport)
        if known is None or known.address != target.address:
            return False
        self._edits += 1
        del targets[target.transport], self._holders[target.transport, target.address]
        self._tell(self._carried.get(target.device, ""))
        return True

    def _tell(self, staff: str) -> None:
        if staff:
            devices = (d for d in self._devices.get(staff, ()) if self._targets.get(d))
            self._pushable(staff, tuple(sorted(devices)))
