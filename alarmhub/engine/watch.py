"""Keeps the world that decisions are taken in: site, roster and grace of this instant.

Shift changes are taken at their instant, and every open alarm is looked at again when the roster or the site
changes. It refuses to decide what that means for an alarm, and to know where sites come from.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable
from operator import attrgetter

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, WorldChanged
from alarmhub.core.kinds import RECENT_S
from alarmhub.core.roster import Roster, next_change, roster_at
from alarmhub.core.shifts import Available
from alarmhub.core.site import Site, Staff
from alarmhub.core.world import World
from alarmhub.engine import notices
from alarmhub.engine.contact import Contacts, Touches
from alarmhub.engine.items import RANK_OF, Item, WordItem, WorldItem
from alarmhub.engine.state import State, urgency
from alarmhub.logs import Line

GRACE_MS = RECENT_S * 1000
ROSTER_LOOK_EVERY_S = 30.0
WARN_UNSTAFFED_MS = 30 * 60_000
CLOCKS_DIFFER_MS = 5_000
"""Whoever publishes a site may do so on another machine."""
_decided_at = attrgetter("at")

_log = logs.get("engine")


class Watch:
    """Site and roster in force. `put` queues an event of an alarm, `tell` takes a signal of the hub's own."""

    def __init__(
        self,
        *,
        clock: Clock,
        state: State,
        contacts: Contacts,
        pagers: Callable[[str], bool] | None,
        put: Callable[[Item], None],
        tell: Callable[[Signal], None],
        texts: bool = False,
    ) -> None:
        """`texts`: there is a link for text messages, taken to be up until `texts_up` says otherwise."""
        self._clock, self._state, self._contacts, self._touches = clock, state, contacts, Touches()
        self._pagers, self._put, self._tell = pagers, put, tell
        self._texts, self._one_way = texts, texts or pagers is not None
        self._site, self._site_at = notices.empty_site(), 0
        self._decided: list[Alarm] = []  # what a start found, by when it was decided
        self._roster: Roster | None = None
        self._world: World | None = None
        self._grace_until = 0
        self._untouched: frozenset[str] = frozenset()
        self._warned: set[str] = set()
        self._breaks_over: set[str] = set()
        self.changes = 0
        """How often open alarms had to be looked at again."""
        self._newest: dict[str, int] = {}  # cause → number of the newest change
        self._down: dict[str, int] = {}  # source whose link is down → number of that change
        self._moved = asyncio.Event()
        self.on_change: list[Callable[[], None]] = []
        """Told when another roster or site is in force."""

    def world(self) -> World:
        """Site, roster and reach of this instant. `reach` and `push` change in place."""
        world = self._world
        if world is None:
            assert self._roster is not None
            contacts = self._contacts
            world = World(
                self._site,
                self._roster,
                contacts.reach,
                self._grace_until,
                self._untouched,
                self._texts,
                contacts.push,
            )
            self._world = world
        return world

    def begin(self, site: Site | None, now: int, *, site_at: int = 0) -> None:
        """What a start found, and when the site was published; nobody who is `recent` is skipped before the
        grace has passed."""
        if site is not None:
            self._site, self._site_at = site, site_at
        self._decided = sorted(self._state.alarms.values(), key=_decided_at)
        self._grace_until = now + GRACE_MS
        self.look(now)

    def catch_up(self) -> None:
        """At a start: an alarm that was last decided before the site was published, or before a duty began or
        ended, follows: perhaps no hub ran then."""
        decided, self._decided = self._decided, []
        before_site = bisect_left(decided, self._site_at + CLOCKS_DIFFER_MS, key=_decided_at)
        # Who was decided before somebody whom a change overtook was overtaken by it too.
        before_change = bisect_left(decided, True, key=lambda alarm: not self._changed_since(alarm.at))
        self._look_at_these(decided[:before_site], "site")
        self._look_at_these(decided[before_site:before_change], "roster")

    def _changed_since(self, at: int) -> bool:
        change_at = next_change(self._site, at, self._state.shifts)
        return change_at is not None and change_at <= self._clock.now()

    def take_site(self, site: Site) -> None:
        """A new version was published."""
        self._site = site
        _log.info(Line.SITE_LOADED, version=site.version)
        self.look(self._clock.now(), cause="site", always=True)

    def grant_grace(self, at: int) -> None:
        """Many phones dropped at once: nobody `recent` is skipped before the grace has passed."""
        self._grace_until = max(self._grace_until, at + GRACE_MS)
        self._world = None
        _log.warning(Line.RESTART_GRACE, until=self._grace_until)

    def touches(self, touched: Iterable[str], untouched: Iterable[tuple[str, str]]) -> None:
        """Who did something on the phone, and whose phone (staff, alarm) rang without that."""
        now = self._clock.now()
        for staff, alarm in untouched:
            self._touches.untouched_ring(staff, alarm, now)
        for staff in touched:
            self._touches.touched(staff)
        self._look_at_touches(now)

    def _look_at_touches(self, now: int) -> None:
        untouched = self._touches.untouched(now)
        if untouched != self._untouched:
            self._untouched, self._world = untouched, None

    def look(self, now: int, cause: str = "roster", *, always: bool = False) -> None:
        """Compute the roster of this instant; if it differs, every open alarm is looked at again."""
        before = self._roster
        state = self._state
        roster = roster_at(self._site, now, state.availability, state.shifts, state.substitutes)
        self._roster, self._world = roster, None
        if self._one_way:
            self._contacts.pagers(s.id for s in self._site.staff.values() if self._is_reached_one_way(s))
        if before is None or (roster.hash == before.hash and not always):
            return
        for heard in self.on_change:
            heard()
        self.look_at_all(cause)

    def link(self, source: str, *, up: bool) -> None:
        """A source's link went down or came back: what it told of is confirmed by nothing meanwhile."""
        self.changes += 1
        self._down.pop(source, None)
        if not up:
            self._down[source] = self.changes
        for alarm in self._state.of_source(source):
            self._look_at(alarm, "link_back" if up else "link_lost")

    def look_at_all(self, cause: str) -> None:
        """Every open alarm, the most urgent first, is looked at again for this cause."""
        self.changes += 1
        self._newest[cause] = self.changes
        self._look_at_these(self._state.alarms.values(), cause)

    def _look_at_these(self, alarms: Iterable[Alarm], cause: str) -> None:
        for alarm in sorted(alarms, key=urgency):
            self._look_at(alarm, cause)

    def _look_at(self, alarm: Alarm, cause: str) -> None:
        self._put(WorldItem(self._clock.now(), RANK_OF[alarm.priority], alarm.id, WorldChanged(cause)))

    def overtook(self, alarm: Alarm, since: int) -> None:
        """The alarm was decided when there were `since` changes and is committed only now: it follows those
        that came meanwhile."""
        if since == self.changes or not alarm.open:
            return
        for cause in ("site", "roster", "texts"):  # whoever joins does so before anybody is given up
            if self._newest.get(cause, 0) > since:
                self._look_at(alarm, cause)
        if any(self._down.get(source, 0) > since for source, _ in alarm.keys):
            self._look_at(alarm, "link_lost")

    def _is_reached_one_way(self, person: Staff) -> bool:
        if self._texts and person.sms is not None:
            return True
        return self._pagers is not None and person.pager is not None and self._pagers(person.pager)

    def texts_up(self, up: bool) -> None:
        """A link for text messages works again, or none does any more: who has nothing but a number is out of
        reach meanwhile, and is not waited for. What could not be sent is sent afterwards."""
        if up is self._texts:
            return
        self._texts, self._world = up, None
        self.look(self._clock.now())
        self.look_at_all("texts")

    def words_changed(self) -> None:
        """Somebody said something of being at work, and when that ceases to count may come sooner."""
        self.look(self._clock.now())
        self._moved.set()

    def clock_moved(self) -> None:
        """The clock was set forward: shift changes that have passed thereby are taken now."""
        self.look(self._clock.now())
        self._moved.set()

    async def run(self) -> None:
        """Shift changes at their instant; a unit that will have nobody is announced half an hour before."""
        while True:
            now = self._clock.now()
            self.look(now)
            self._look_at_touches(now)
            self._warn_unstaffed(now)
            self._end_breaks(now)
            change_at = next_change(self._site, now, self._state.shifts)
            wait_s = ROSTER_LOOK_EVERY_S
            if change_at is not None:
                wait_s = min(wait_s, max(0.001, (change_at - now) / 1000))
            await self._sleep(wait_s)

    async def _sleep(self, wait_s: float) -> None:
        self._moved.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._moved.wait()
        except TimeoutError:
            return

    def _end_breaks(self, now: int) -> None:
        """Who said that she is away, and is off duty since, begins her next duty available; until then it is
        said once."""
        on_duty = self.world().roster.by_staff
        away = self._state.availability.items()
        over = {staff for staff, state in away if state != "available" and staff not in on_duty}
        for staff in sorted(over - self._breaks_over):
            self._put(WordItem(now, None, staff=staff, said=Available("available")))
        self._breaks_over = over

    def _warn_unstaffed(self, now: int) -> None:
        signals, self._warned = notices.unstaffed(
            self._site, now, now + WARN_UNSTAFFED_MS, self._warned, self._state.shifts
        )
        for signal in signals:
            self._tell(signal)
