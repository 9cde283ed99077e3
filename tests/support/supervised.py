"""A shift whose phones are supervised and drilled, in virtual time: `tests.support.shift` and both of it."""

from __future__ import annotations

from typing import Any

from alarmhub.core.handsets import HandsetRules, Said
from alarmhub.core.reach import Reach
from alarmhub.engine.handsets import Handsets
from alarmhub.engine.phone_notices import PhoneNotices
from alarmhub.ports import Lease
from alarmhub.tasks import spawn
from tests.support.shift import Shift


class Supervised(Shift):
    """`shows[staff]` counts how often a person's phones were told that their warnings changed."""

    def __init__(self, *args: Any, rules: HandsetRules | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rules = rules or HandsetRules()
        self.shows: dict[str, int] = {}
        self.handsets: Handsets

    async def _serve(self, lease: Lease, owner: str, seed_after_s: float) -> None:
        await super()._serve(lease, owner, seed_after_s)
        engine = self.engine
        notices = PhoneNotices(world=engine.world, say=engine.say, opened=engine.state.by_key)
        notices.take(engine.open_alarms(), self.clock.now())
        self.handsets = Handsets(
            clock=self.clock, world=engine.world, rules=self.rules, notices=notices, fact=engine.fact,
            shown=self._shown,
        )  # fmt: skip
        self.handsets.take(engine.facts)
        engine.on_contact.append(self.handsets.contact)
        engine.on_pushable.append(self.handsets.pushable)
        for staff, reach in self.reach.items():
            self.phone(staff, reach)
        spawn(self.handsets.run(), "handsets", self.crew)

    def _shown(self, staff: str) -> None:
        self.shows[staff] = self.shows.get(staff, 0) + 1

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
