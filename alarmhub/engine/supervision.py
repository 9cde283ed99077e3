"""Supervision of the last hop as a whole: the phones on duty and their drills, hung beside an engine.

Made before anybody is heard of, so that nobody's first word is missed; `begin` once it is known who hears of
warnings. It refuses to be on the alarm path: it listens to what has been committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from alarmhub.clock import Clock
from alarmhub.core.drilling import DrillRules
from alarmhub.core.handsets import HandsetRules
from alarmhub.engine.drills import Drills
from alarmhub.engine.engine import Engine
from alarmhub.engine.handsets import Handsets
from alarmhub.engine.phone_notices import PhoneNotices
from alarmhub.people import Devices
from alarmhub.people import Drills as Rows
from alarmhub.ports import StoreUnavailable
from alarmhub.tasks import Crew, spawn


class Shown(Protocol):
    """The phones' screens (the gateway)."""

    def warnings_changed(self, staff: str) -> None:
        """What is wrong with this person's phones is another than before."""
        ...

    def silent_for_s(self, staff: str, device: str) -> float | None:
        """How long nothing was heard of a connected phone; None for one that is not connected."""
        ...


class Supervision:
    """`handsets` and `drills` of one engine. `devices` knows who carries what, `transports_of` which pushes
    reach a phone; `counted`: see `Drills`."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        rows: Rows,
        rules: HandsetRules,
        drill_rules: DrillRules,
        version: str,
        devices: Devices,
        transports_of: Callable[[str], Sequence[str]],
        counted: Callable[[str, str, str, int], None] = lambda unit, cause, state, red: None,
    ) -> None:
        self._engine, self._devices = engine, devices
        self._screens: Shown = _Nobody()
        notices = PhoneNotices(world=engine.world, say=engine.say, opened=engine.state.by_key)
        notices.take(engine.open_alarms(), clock.now())
        self.handsets = Handsets(
            clock=clock, world=engine.world, rules=rules, notices=notices, fact=engine.fact,
            shown=lambda staff: self._screens.warnings_changed(staff),
            silent_for_s=lambda staff, device: self._screens.silent_for_s(staff, device),
        )  # fmt: skip
        self.drills = Drills(
            clock=clock, world=engine.world, signal=engine.signal, say=engine.say,
            open_alarms=engine.open_alarms, rows=rows, fact=engine.fact,
            phones_of=self.handsets.phones_of,
            transports_of=lambda staff, device: tuple(transports_of(device)),
            lost=self.handsets.push_lost, rules=drill_rules, version=version,
            is_storing=lambda: engine.storing, counted=counted,
        )  # fmt: skip
        self.handsets.take(engine.facts)
        engine.on_contact.append(self.handsets.contact)
        engine.on_pushable.append(self.handsets.pushable)
        engine.on_receipt += [self.drills.receipt, self.handsets.receipt]

    async def begin(self, screens: Shown, crew: Crew) -> None:
        """Look after phones and drills from now on. Raises StoreUnavailable."""
        self._screens = screens
        await self._look_who_carries()
        await self.drills.begin(self._engine.facts)
        self._engine.show_to(self.drills)
        self._engine.on_site.append(self.drills.site_changed)
        self._engine.on_tokens.append(lambda: self._carried_again(crew))
        spawn(self.handsets.run(), "handsets", crew)
        spawn(self.drills.run(), "drills", crew)

    def _carried_again(self, crew: Crew) -> None:
        spawn(self._look_who_carries(), "who carries what", crew, ends=True)

    async def _look_who_carries(self) -> None:
        """What is not known now is with the next change."""
        with suppress(StoreUnavailable):
            self.handsets.carried(await self._devices.devices())


class _Nobody:
    """Before the doors are open nobody is shown anything."""

    def warnings_changed(self, staff: str) -> None:
        """There is no screen."""

    def silent_for_s(self, staff: str, device: str) -> float | None:
        """Nobody is connected."""
        return None
