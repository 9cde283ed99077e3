"""What the shift leader is told of a phone: one quiet request for each cause and shift, taken back when over.

The request names the phone and not who carries it: alarms are stored for good, and nobody's lapses are. Who
it is stands on the leader's phone and on the board for as long as it lasts (`engine.handsets`). It refuses to
escalate: nobody is rung in the leader's stead (`core.policies.QUIET`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.core.events import Signal
from alarmhub.core.handsets import Cause
from alarmhub.core.policies import QUIET_TYPES
from alarmhub.core.routing import shift_leaders
from alarmhub.core.world import World
from alarmhub.engine import notices
from alarmhub.engine.handset import Handset

DOUBTED_MS: Final = 60_000
"""A notice that a start found open, and no warning that goes with it: a crash came between the two. So long
the warning may come back."""
TAKEN_BY_MS: Final = 10_000
"""A notice that is not open so long after it was said was refused, or is over."""
TOLD_BY_CORE: Final = Cause.UNTOUCHED
"""The next alarm tells the leader of it (`core.signalling`)."""


class PhoneNotices:
    """See the module. `say` takes a signal of the hub's own, `opened` knows open alarms by source and key."""

    def __init__(
        self,
        *,
        world: Callable[[], World],
        say: Callable[[Signal], None],
        opened: Callable[[str, str], Alarm | None],
    ) -> None:
        self._world, self._say, self._opened = world, say, opened
        self._open: dict[str, tuple[str, int]] = {}
        """Key → unit, and when it was said."""
        self._doubted: dict[str, int] = {}
        """Key → when a start found it."""

    def take(self, alarms: Iterable[Alarm], now: int) -> None:
        """What a start found open."""
        for alarm in alarms:
            if alarm.source == notices.HUB and alarm.type.startswith(QUIET_TYPES):
                self._open[alarm.key] = (alarm.unit, now)
                self._doubted[alarm.key] = now

    def goes_with(self, phone: Handset, cause: Cause) -> None:
        """A start found this warning up."""
        self._doubted.pop(_key(phone, cause), None)

    def began(self, phone: Handset, cause: Cause, units: Sequence[str], now: int) -> bool:
        """A warning began; whether a shift leader of these units hears of it."""
        if cause is TOLD_BY_CORE:
            return False
        world = self._world()
        for unit in units:
            if any(leader != phone.staff for leader in shift_leaders(unit, "", world)):
                key, also = _key(phone, cause), _also(phone.staff, cause, world)
                if key in self._open:
                    self._doubted.pop(key, None)
                    return True
                self._open[key] = (unit, now)
                self._say(notices.phone(world.site, unit, key, cause, phone.said, phone.label, also))
                return True
        return False

    def over(self, phone: Handset, cause: Cause) -> None:
        """A warning ended, or its shift did."""
        self._end(_key(phone, cause))

    def look(self, now: int) -> None:
        """Take back what nobody answered in its time: the warning stays where warnings stand."""
        for key in [key for key, at in self._doubted.items() if now - at >= DOUBTED_MS]:
            self._end(key)
        for key, (_, said_at) in list(self._open.items()):
            alarm = self._opened(notices.HUB, key)
            if alarm is None:
                if now - said_at > TAKEN_BY_MS:
                    del self._open[key]
            elif alarm.phase is Phase.RINGING and alarm.step > 0:
                self._end(key)

    def _end(self, key: str) -> None:
        unit, _ = self._open.pop(key, ("", 0))
        self._doubted.pop(key, None)
        if unit:
            self._say(notices.phone_over(key, unit))


def _also(staff: str, cause: Cause, world: World) -> tuple[str, ...]:
    """Whose only phone has fallen silent is asked on whatever else she has."""
    person = world.site.staff.get(staff)
    other_way = person is not None and (person.pager is not None or bool(getattr(person, "sms", None)))
    return (f"staff:{staff}",) if cause is Cause.SILENT and other_way else ()


def _key(phone: Handset, cause: Cause) -> str:
    """Opaque, and another in each shift: what is stored names nobody, and cannot be put together."""
    of = f"{phone.staff}\0{phone.device}\0{cause}\0{phone.shift_at}"
    return "phone:" + hashlib.blake2s(of.encode(), digest_size=12).hexdigest()
