"""The phones of everybody on duty: how each is, and what is wrong with it (`core.handsets` decides).

Fed by the gateway (contact, status) and by pushes, looked at only when something happened or a threshold
falls due, so that ten thousand well phones cost nothing. What is known last is stored sparsely, that a
restart raises no false alarm. A warning lives as long as its cause and the shift, and in memory: it refuses
to keep a history, to count anything per person, and to wait.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from alarmhub.clock import Clock
from alarmhub.core.drilling import SOCKET
from alarmhub.core.handsets import Cause, HandsetRules, Said, Seen, Track, find, own_text, step, text
from alarmhub.core.reach import Reach
from alarmhub.core.roster import Roster
from alarmhub.core.routing import alone, shift_leaders
from alarmhub.core.world import World
from alarmhub.engine.handset import CAUSES, Handset, Health, Kept, PhoneWarning, Shift, alike
from alarmhub.engine.phone_notices import PhoneNotices
from alarmhub.people import Device
from alarmhub.ports import FactRow

SCOPE: Final = "phone"
SEEN_SCOPE: Final = "device"
"""Scope of the gateway's facts about when a device was last seen."""
LOOK_EVERY_S: Final = 0.5
PEOPLE_AT_ONCE: Final = 50
"""So many are looked at in one go: a shift change must not hold up an alarm."""
KNOWN_MS: Final = 7 * 86_400_000
"""A phone not heard of for so long is nobody's phone any more."""
KEEP_EVERY_MS: Final = 5 * 60_000
SHIFT_LONGEST_MS: Final = 12 * 3_600_000
"""Who is on duty without an end has a new shift after this."""
PHONES_MOST: Final = 8
"""Of one person; the one not heard of for longest is forgotten."""
OTHERS_SHOWN: Final = 12


class Handsets:
    """See the module. `shown(staff)`: what this person's phones show of warnings has changed. `silent_for_s`:
    how long nothing was heard of a connected phone. Implements `ports.PhoneWatch`."""

    def __init__(
        self,
        *,
        clock: Clock,
        world: Callable[[], World],
        rules: HandsetRules,
        notices: PhoneNotices,
        fact: Callable[[str, str, bytes | None], None],
        shown: Callable[[str], None],
        silent_for_s: Callable[[str, str], float | None] = lambda staff, device: None,
    ) -> None:
        self._clock, self._world, self._rules = clock, world, rules
        self._notices, self._fact, self._shown, self._silent_for_s = notices, fact, shown, silent_for_s
        self._of: dict[str, dict[str, Handset]] = {}
        self._duty: dict[str, Shift] = {}
        self._state: dict[str, tuple[bool, bool]] = {}
        """Of who is on duty: away, alone."""
        self._labels: dict[str, str] = {}
        self._hash = ""
        self._untouched: frozenset[str] = frozenset()
        self._dirty: dict[str, None] = {}
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}
        self._began_at = clock.now()

    # -- what a start finds ------------------------------------------------------------------------

    def take(self, facts: Iterable[FactRow]) -> None:
        """Phones seen lately, how they were, and which warnings were up."""
        for fact in facts:
            if fact.body is None or self._began_at - fact.at > KNOWN_MS:
                continue
            if fact.scope == SEEN_SCOPE:
                staff, device = msgspec.json.decode(fact.body, type=tuple[str, str])
                phone = self._phone(staff, device, fact.at)
                phone.contact_at = max(phone.contact_at, fact.at)
            elif fact.scope == SCOPE:
                self._restore(msgspec.json.decode(fact.body, type=Kept), fact.at)

    def _restore(self, kept: Kept, at: int) -> None:
        phone = self._phone(kept.staff, kept.device, at)
        phone.app, phone.said, phone.kept, phone.kept_at = kept.app, kept.said, kept, at
        since = kept.duty_since
        self._dirty[kept.staff] = None
        if since is None or not 0 <= self._began_at - since < SHIFT_LONGEST_MS:
            return
        phone.tracks = {Cause(word): Track(begun) for word, begun in kept.since.items() if word in CAUSES}
        duty = self._duty.setdefault(kept.staff, Shift(since))
        duty.told.update(Cause(word) for word in kept.told if word in CAUSES)
        phone.shift_at = since
        for cause in phone.tracks:
            self._notices.goes_with(phone, cause)

    def _phone(self, staff: str, device: str, at: int) -> Handset:
        phones = self._of.setdefault(staff, {})
        phone = phones.get(device)
        if phone is None:
            phone = phones[device] = Handset(staff, device, at)
            phone.label = self._labels.get(device, "")
            if len(phones) > PHONES_MOST:
                del phones[min(phones.values(), key=lambda p: p.rank).device]
        return phone

    # -- what happens ------------------------------------------------------------------------------

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        """A phone's reach changed."""
        phone = self._phone(staff, device, at)
        if reach is Reach.LIVE or phone.live:
            phone.contact_at = at
        phone.reach = reach
        if reach is Reach.LIVE:
            phone.push_lost_at = None
        self._dirty[staff] = None

    def pushable(self, staff: str, devices: tuple[str, ...]) -> None:
        """The phones of this person that pushes wake from now on."""
        for device in devices:
            self._phone(staff, device, self._clock.now())
        for phone in self._of.get(staff, {}).values():
            phone.pushes = phone.device in devices
            phone.push_dead = phone.push_dead and not phone.pushes
        self._dirty[staff] = None

    def hello(self, staff: str, device: str, app: str) -> None:
        """See `ports.PhoneWatch.hello`."""
        self._phone(staff, device, self._clock.now()).app = app
        self._dirty[staff] = None

    def status(self, staff: str, device: str, said: Said) -> None:
        """See `ports.PhoneWatch.status`."""
        phone = self._phone(staff, device, self._clock.now())
        if phone.said != said:
            phone.said = said
            self._dirty[staff] = None

    def heard(self, staff: str, device: str, at: int) -> None:
        """A phone gave a sign of life otherwise than over its socket (a receipt of a push, a request)."""
        phone = self._of.get(staff, {}).get(device)
        if phone is not None and not phone.live:
            phone.contact_at, phone.push_lost_at = at, None
            self._dirty[staff] = None

    def receipt(self, staff: str, device: str, alarm: str, via: str, event: str, at: int) -> None:
        """A phone confirmed an alarm over this way."""
        if via != SOCKET:
            self.heard(staff, device, at)

    def push_lost(self, staff: str, device: str, at: int) -> None:
        """A push to it brought no receipt in time."""
        phone = self._of.get(staff, {}).get(device)
        if phone is not None and not phone.live:
            phone.push_lost_at = at
            self._dirty[staff] = None

    def push_dead(self, device: str) -> None:
        """Nothing will ever reach the address by which this phone was woken."""
        for staff, phones in self._of.items():
            phone = phones.get(device)
            if phone is not None and not phone.pushes:
                phone.push_dead = True
                self._dirty[staff] = None

    def carried(self, devices: Iterable[Device]) -> None:
        """Who carries which enrolled phone now: labels, and nobody is asked about a phone handed on."""
        holder = {device.id: device for device in devices}
        revoked = self._labels.keys() - holder.keys()
        self._labels = {id: device.label for id, device in holder.items()}
        for staff, phones in self._of.items():
            for id, phone in list(phones.items()):
                phone.label = self._labels.get(id, "")
                if id in revoked or (id in holder and holder[id].staff != staff):
                    self._forget(phone)
                    del phones[id]
                    self._dirty[staff] = None

    # -- looking -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Judge whom something happened to, or for whom a threshold has fallen due."""
        world, now = self._world(), self._clock.now()
        if world.roster.hash != self._hash:
            self._new_roster(world.roster, world, now)
        if world.untouched is not self._untouched:
            self._dirty.update(dict.fromkeys(world.untouched ^ self._untouched))
            self._untouched = world.untouched
        while self._heap and self._heap[0][0] <= now:
            due, staff = heapq.heappop(self._heap)
            if self._due.get(staff) == due:
                del self._due[staff]
                self._dirty[staff] = None
        for staff in list(self._dirty)[:PEOPLE_AT_ONCE]:
            del self._dirty[staff]
            self._judge(staff, world, now)
        self._notices.look(now)

    def _new_roster(self, roster: Roster, world: World, now: int) -> None:
        state = {
            staff: (
                duties[0].availability != "available",
                any(alone(staff, duty.unit, world) for duty in duties),
            )
            for staff, duties in roster.by_staff.items()
        }
        for staff in state.keys() | self._state.keys() | self._duty.keys():
            if state.get(staff) != self._state.get(staff) or (staff in self._duty) is not (staff in state):
                self._dirty[staff] = None
        self._state, self._hash = state, roster.hash

    def _judge(self, staff: str, world: World, now: int) -> None:
        if staff not in self._state:
            self._off_duty(staff)
            return
        duty = self._duty.get(staff)
        if duty is None or now - duty.since >= SHIFT_LONGEST_MS:
            duty = self._duty[staff] = Shift(now)
        duty.units = tuple(d.unit for d in world.roster.by_staff[staff])
        phones = self._of.get(staff)
        if not phones:
            return
        newest = max(phones.values(), key=lambda p: p.rank)
        due: int | None = None
        changed: list[tuple[Handset, Cause]] = []
        for phone in list(phones.values()):
            phone.shift_at = duty.since
            seen = self._seen(phone, duty, phone is newest)
            for cause in Cause:
                before = phone.tracks.get(cause, Track())
                after, again_at = step(before, find(cause, seen, self._rules, now), now)
                phone.tracks[cause] = after
                if (before.since is None) is not (after.since is None):
                    changed.append((phone, cause))
                if again_at is not None:
                    due = again_at if due is None else min(due, again_at)
        self._tell(staff, duty, changed, world, now)
        for phone in phones.values():
            again_at = self._keep(phone, duty, now, at_once=any(p is phone for p, _ in changed))
            if again_at is not None:
                due = again_at if due is None else min(due, again_at)
        self._wake(staff, due)

    def _seen(self, phone: Handset, duty: Shift, newest: bool) -> Seen:
        away, by_herself = self._state[phone.staff]
        return Seen(
            said=phone.said,
            contact_at=phone.contact_at,
            live=phone.live,
            asleep=phone.pushes,
            newest=newest,
            # A hub that was away has heard of nobody: its own silence is no phone's.
            duty_since=max(duty.since, self._began_at),
            push_lost_at=phone.push_lost_at,
            push_dead=phone.push_dead,
            away=away,
            alone=by_herself,
            untouched=phone.staff in self._untouched,
        )

    def _wake(self, staff: str, due: int | None) -> None:
        if due is None:
            self._due.pop(staff, None)
        elif self._due.get(staff) != due:
            self._due[staff] = due
            heapq.heappush(self._heap, (due, staff))

    def _off_duty(self, staff: str) -> None:
        """The shift is over: nothing of it is kept."""
        duty = self._duty.pop(staff, None)
        self._wake(staff, None)
        phones = list(self._of.get(staff, {}).values())
        was_wrong = any(True for phone in phones for _ in phone.wrong())
        for phone in phones:
            self._forget(phone)
            if not phone.live and self._clock.now() - phone.contact_at > KNOWN_MS:
                self._of[staff].pop(phone.device, None)
        if was_wrong and duty is not None:
            self._show(staff, duty.units)

    def _forget(self, phone: Handset) -> None:
        for cause in phone.tracks:
            self._notices.over(phone, cause)
        phone.tracks = {}
        if phone.kept is not None:
            phone.kept = None
            self._fact(SCOPE, f"{phone.staff}/{phone.device}", None)

    # -- telling -----------------------------------------------------------------------------------

    def _tell(
        self, staff: str, duty: Shift, changed: Sequence[tuple[Handset, Cause]], world: World, now: int
    ) -> None:
        units = duty.units
        for phone, cause in changed:
            if phone.tracks[cause].since is None:
                self._notices.over(phone, cause)
                continue
            many = cause is Cause.SILENT and self._many_silent(units, world)
            if cause not in duty.told and not many and self._notices.began(phone, cause, units, now):
                duty.told.add(cause)
        if changed:
            self._show(staff, units)

    def _show(self, staff: str, units: Iterable[str]) -> None:
        world = self._world()
        leaders = (leader for unit in units for leader in shift_leaders(unit, "", world))
        for person in dict.fromkeys((staff, *leaders)):
            self._shown(person)

    def _many_silent(self, units: Iterable[str], world: World) -> bool:
        """Half of a unit's phones at once: that is an alarm of its own, not one for each."""
        for unit in units:
            people = {d.staff for d in world.roster.by_unit.get(unit, ())} & self._of.keys()
            silent = sum(
                any(p.tracks.get(Cause.SILENT, Track()).since is not None for p in self._of[staff].values())
                for staff in people
            )
            if silent >= 2 and silent * 2 >= len(people):
                return True
        return False

    def warnings_of(self, staff: str) -> tuple[str, ...]:
        """See `ports.PhoneWatch.warnings_of`: of her own phones, and of others' where she leads the shift."""
        world = self._world()
        language = world.site.language
        phones = self._of.get(staff, {}).values() if staff in world.roster.by_staff else ()
        several = len(phones) > 1
        own = tuple(
            (f"{phone.label}: " if several and phone.label else "") + own_text(cause, phone.said, language)
            for phone in phones
            for cause, _ in phone.wrong()
        )
        led = {d.unit for d in world.roster.by_staff.get(staff, ()) if "shift_leader" in d.roles}
        others = dict.fromkeys(
            f"{warning.name}: {warning.text}"
            for unit in sorted(led)
            for warning in self.warnings(unit)
            if warning.staff != staff
        )
        return (*own, *list(others)[:OTHERS_SHOWN])

    def warnings(self, unit: str) -> list[PhoneWarning]:
        """What is wrong with the phones on duty in a unit now."""
        return [warning for health in self.phones(unit) for warning in health.warnings]

    def phones(self, unit: str) -> list[Health]:
        """How the phones on duty in a unit are, by name."""
        world = self._world()
        people = dict.fromkeys(d.staff for d in world.roster.by_unit.get(unit, ()))
        found = [health for staff in people for health in self._healths(staff, world)]
        return sorted(found, key=lambda h: (h.name, h.device))

    def _healths(self, staff: str, world: World) -> Iterator[Health]:
        person = world.site.staff.get(staff)
        name = person.name if person is not None else staff
        phones = self._of.get(staff)
        if not phones:
            yield Health(staff, name)
            return
        now, language = self._clock.now(), world.site.language
        for phone in phones.values():
            silent_s = self._silent_for_s(staff, phone.device) if phone.live else None
            yield Health(
                staff, name, phone.device, phone.label, str(phone.best), phone.app,
                phone.contact_at if silent_s is None else now - round(silent_s * 1000), phone.said,
                tuple(
                    PhoneWarning(
                        staff, name, phone.device, phone.label, str(cause), text(cause, phone.said, language),
                        since,
                    )
                    for cause, since in phone.wrong()
                ),
            )  # fmt: skip

    def phones_of(self, staff: str) -> list[Handset]:
        """The known phones of a person."""
        return list(self._of.get(staff, {}).values())

    def by_cause(self) -> dict[str, int]:
        """Warnings by cause, for metrics."""
        counts: dict[str, int] = {}
        for staff in self._duty:
            for phone in self._of.get(staff, {}).values():
                for cause, _ in phone.wrong():
                    counts[cause] = counts.get(cause, 0) + 1
        return counts

    # -- keeping -----------------------------------------------------------------------------------

    def _keep(self, phone: Handset, duty: Shift, now: int, *, at_once: bool) -> int | None:
        """Store what is known last: warnings at once, the rest now and then. When to come back for it."""
        kept = Kept(
            phone.staff, phone.device, phone.app, phone.said, duty.since,
            {cause: track.since for cause, track in phone.tracks.items() if track.since is not None},
            tuple(sorted(duty.told)),
        )  # fmt: skip
        if phone.kept is not None and alike(phone.kept, kept):
            return None
        if not at_once and phone.kept is None and kept.said == Said() and not kept.since:
            return None
        if not at_once and now < phone.kept_at + KEEP_EVERY_MS:
            return phone.kept_at + KEEP_EVERY_MS
        phone.kept, phone.kept_at = kept, now
        self._fact(SCOPE, f"{phone.staff}/{phone.device}", msgspec.json.encode(kept))
        return None
