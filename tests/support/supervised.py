"""A shift whose phones are supervised and drilled, in virtual time: `tests.support.shift` and both of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alarmhub.core.drilling import DrillLine, DrillRules, Result
from alarmhub.core.handsets import HandsetRules, Said
from alarmhub.core.reach import Reach
from alarmhub.engine.drills import Drills
from alarmhub.engine.handsets import Handsets
from alarmhub.engine.supervision import Supervision
from alarmhub.people import DrillRow
from alarmhub.ports import Change, Lease
from alarmhub.store.devices import MemoryDevices
from alarmhub.store.drills import MemoryDrills
from tests.support.shift import Shift


class Confirming:
    """Phones that confirm a silent drill at once, over their sockets; those in `mute` never do."""

    def __init__(self, shift: Supervised) -> None:
        self._shift = shift

    def refresh(self, changes: Sequence[Change]) -> None:
        engine = self._shift.engine
        for change in changes:
            alarm = change.after
            if not alarm.drill or change.before is not None:
                continue
            for told in alarm.told:
                live = engine.contacts.reach.get(told.staff) is Reach.LIVE
                if live and told.staff not in self._shift.mute:
                    self._shift.confirms(told.staff, alarm.id)

    def storing(self, storing: bool) -> None:
        pass


class Supervised(Shift):
    """`shows[staff]` counts how often a person's phones were told that their warnings changed. `version`: the
    hub's; `transports[device]`: which pushes reach it."""

    def __init__(
        self,
        *args: Any,
        rules: HandsetRules | None = None,
        drill_rules: DrillRules | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rules = rules or HandsetRules()
        self.drill_rules = drill_rules or DrillRules()
        self.version = "1"
        self.mute: set[str] = set()
        self.transports: dict[str, tuple[str, ...]] = {}
        self.rows = MemoryDrills(self.tables)
        self.ended: list[tuple[str, str, str, int]] = []
        self.drills: Drills
        self.shows: dict[str, int] = {}
        self.handsets: Handsets

    async def _serve(self, lease: Lease, owner: str, seed_after_s: float) -> None:
        await super()._serve(lease, owner, seed_after_s)
        engine = self.engine
        supervision = Supervision(
            engine, clock=self.clock, rows=self.rows, rules=self.rules, drill_rules=self.drill_rules,
            version=self.version, devices=MemoryDevices(self.tables),
            counted=lambda *of: self.ended.append(of),
            transports_of=lambda device: self.transports.get(device, ()),
        )  # fmt: skip
        self.handsets, self.drills = supervision.handsets, supervision.drills
        for staff, reach in self.reach.items():
            self.phone(staff, reach)
        await supervision.begin(self, self.crew)
        engine.show_to(Confirming(self))

    def warnings_changed(self, staff: str) -> None:
        self.shows[staff] = self.shows.get(staff, 0) + 1

    def silent_for_s(self, staff: str, device: str) -> float | None:
        return 1.5 if self.reach.get(staff) is Reach.LIVE else None

    def confirms(self, staff: str, alarm: str, via: str = "socket", device: str = "") -> None:
        """A phone confirms an alarm over a way."""
        known = self.engine.open_alarm(alarm)
        assert known is not None
        self.engine.receipt(
            staff=staff, device=device or f"{staff}-phone", alarm=alarm, rev=known.rev, seen=False, via=via
        )

    def drill_alarm(self) -> str:
        """The one open drill."""
        (alarm,) = [a for a in self.engine.open_alarms() if a.drill]
        return alarm.id

    def result(self, unit: str = "201") -> Result:
        """Of the last drill that has ended there."""
        row = self.drills.last(unit)
        assert row is not None, f"no drill of {unit} has ended"
        assert isinstance(row.result, Result)
        return row.result

    def lines(self, unit: str = "201") -> dict[tuple[str, str], DrillLine]:
        """Its lines by person and channel."""
        return {(line.staff, line.channel): line for line in self.result(unit).lines}

    async def rows_of(self, unit: str) -> Sequence[DrillRow]:
        """What the database has of a unit."""
        return [row for row in self.tables.drills.values() if row.unit == unit]

    def began(self) -> list[tuple[str, str]]:
        """Unit and cause of every drill that was begun, in order."""
        rows = sorted(self.tables.drills.values(), key=lambda row: (row.began_at, row.id))
        return [(row.unit, row.cause) for row in rows]

    def lose(self, *staff: str) -> None:
        """Their phones are gone, after the grace."""
        for person in staff:
            self.reach[person] = Reach.NONE
            self.phone(person, Reach.RECENT)
            self.phone(person, Reach.NONE)

    def find(self, *staff: str) -> None:
        """They are back."""
        for person in staff:
            self.reach[person] = Reach.LIVE
            self.phone(person, Reach.LIVE)

    def says_it_is(self, staff: str, device: str = "", **said: Any) -> None:
        """A status of a phone."""
        self.handsets.status(staff, device or f"{staff}-phone", Said(**said))

    def wrong(self, unit: str = "201") -> set[tuple[str, str]]:
        """Whose phone has what, as the board shows it."""
        return {(w.staff, w.cause) for w in self.handsets.warnings(unit)}

    def notices(self) -> list[str]:
        """Types of the open notices about phones."""
        return sorted(a.type for a in self.engine.open_alarms() if a.type.startswith("phone_"))

    def noticed(self, type: str) -> Any:
        """The one open notice of a type."""
        (alarm,) = [a for a in self.engine.open_alarms() if a.type == type]
        return alarm
