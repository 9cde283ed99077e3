"""Who answers for whom meanwhile, as it stands on the substitute's screens until the colleague is back.

It refuses to decide who stands in (`engine.duty`), and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alarmhub.core.world import World
from alarmhub.engine.notices import stands_in_text


class StandIns:
    """`substitutes`: by staff, who answers for them. `shown(staff)`: this person's screens say another thing
    now."""

    def __init__(
        self,
        *,
        world: Callable[[], World],
        substitutes: Callable[[], Mapping[str, str]],
        shown: Callable[[str], None],
    ) -> None:
        self._world, self._substitutes, self._shown = world, substitutes, shown
        self._before: set[tuple[str, str, str]] = set()

    def look(self) -> None:
        """Another roster is in force: tell those who stand in, or do no more."""
        now = self._now()
        changed, self._before = now ^ self._before, now
        for staff in sorted({staff for staff, _, _ in changed}):
            self._shown(staff)

    def banners_of(self, staff: str) -> tuple[str, ...]:
        """What stands on this person's screens about it."""
        site = self._world().site
        mine = sorted((away, unit) for who, away, unit in self._now() if who == staff)
        return tuple(stands_in_text(site, away, staff, unit) for away, unit in mine)

    def _now(self) -> set[tuple[str, str, str]]:
        """Who answers for whom in which unit, as the roster has it: nobody who is away or off duty."""
        roster = self._world().roster
        return {
            (staff, away, duty.unit)
            for away, staff in self._substitutes().items()
            for duty in roster.by_staff.get(away, ())
            if duty.availability != "available"
            and any(d.staff == staff for d in roster.by_unit.get(duty.unit, ()))
        }
