"""What a change of reach means for open alarms: which of them are looked at again.

A phone that is lost or found matters to who waits for it, to who counts on its owner coming, and to who is
still to be woken; to nothing else. It refuses to decide: it puts events into the queue.
"""

from __future__ import annotations

from collections.abc import Callable

from alarmhub.clock import Clock
from alarmhub.core.alarm import Acceptance, Alarm, concerned
from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import RULES
from alarmhub.core.reach import IN_CONTACT, Reach
from alarmhub.engine.contact import Contacts
from alarmhub.engine.items import Item, Rank, WorldItem
from alarmhub.engine.state import State
from alarmhub.ports import Change


class Reaching:
    """Keeps `contacts`, and queues with `put` what follows for the alarms of `state`."""

    def __init__(
        self, *, contacts: Contacts, state: State, clock: Clock, put: Callable[[Item], None]
    ) -> None:
        self._contacts, self._state, self._clock, self._put = contacts, state, clock, put
        self.changes = 0
        """How often somebody's reach has changed."""
        self._newest: dict[str, tuple[int, int]] = {}  # staff → number of the newest change, and when
        self.on_device: list[Callable[[str, str, Reach, int], None]] = []
        """Who else hears of a device's reach: staff, device, reach, when."""
        self.on_pushable: list[Callable[[str, tuple[str, ...]], None]] = []
        """Who else hears which devices of a person a push reaches."""

    def device(self, staff: str, device: str, reach: Reach, at: int) -> None:
        """A device's reach changed."""
        for heard in self.on_device:
            heard(staff, device, reach, at)
        before, after = self._contacts.device(staff, device, reach)
        if before is not after:
            self._changed(staff, after, at)

    def pushable(self, staff: str, devices: tuple[str, ...]) -> None:
        """The devices of this person that a push reaches from now on."""
        for heard in self.on_pushable:
            heard(staff, devices)
        if self._contacts.pushable(staff, devices):
            after = self._contacts.reach.get(staff, Reach.NONE)
            self._changed(staff, after, self._clock.now())

    def count_on_nobody_absent(self) -> None:
        """At a start: acceptors on their way of whom nothing is heard count as lost from now on."""
        now = self._clock.now()
        for alarm in list(self._state.alarms.values()):
            for acceptance in alarm.acceptances:
                if acceptance.arrived_at is None and self._is_absent(acceptance.staff, alarm):
                    self._look_again(alarm, acceptance.staff, now)

    def _is_absent(self, staff: str, alarm: Alarm) -> bool:
        """A pager or a number is no sign of who took, on a phone, what needs hands."""
        reach = self._contacts.reach.get(staff, Reach.NONE)
        return reach is Reach.NONE or (reach is Reach.ONE_WAY and RULES[alarm.kind].needs_hands)

    def overtook(self, change: Change, since: int) -> None:
        """The alarm was decided when there were `since` changes and is committed only now: those that came
        meanwhile knew it as it was before, if at all. Of who has just accepted, a phone that was lost lately
        counts too: that may have been between the answer and its decision, and was nothing to the alarm."""
        alarm = change.after
        if since != self.changes:
            for staff in concerned(alarm):
                number, at = self._newest.get(staff, (0, 0))
                if number > since:
                    self._consider(alarm, staff, self._contacts.reach.get(staff, Reach.NONE), at)
        if alarm.acceptances:
            before = () if change.before is None else change.before.acceptances
            for acceptance in alarm.acceptances:
                if acceptance not in before and self._is_lost(acceptance):
                    _, at = self._newest.get(acceptance.staff, (0, self._clock.now()))
                    self._look_again(alarm, acceptance.staff, at)

    def _is_lost(self, acceptance: Acceptance) -> bool:
        on_the_way = acceptance.arrived_at is None and acceptance.lost_at is None
        return on_the_way and self._contacts.reach.get(acceptance.staff) is Reach.RECENT

    def _changed(self, staff: str, after: Reach, at: int) -> None:
        self.changes += 1
        self._newest[staff] = self.changes, at
        for alarm in self._state.of_staff(staff):
            self._consider(alarm, staff, after, at)

    def _consider(self, alarm: Alarm, staff: str, after: Reach, at: int) -> None:
        gone = after in (Reach.NONE, Reach.ONE_WAY)
        asleep = after is not Reach.LIVE and staff in self._contacts.push
        comes = any(a.staff == staff and a.arrived_at is None for a in alarm.acceptances)
        if gone or comes or (asleep and _to_be_woken(alarm, staff, after)):
            self._look_again(alarm, staff, None if after in IN_CONTACT else at)

    def _look_again(self, alarm: Alarm, staff: str, lost_at: int | None) -> None:
        event = WorldChanged("reach", staff, lost_at)
        self._put(WorldItem(self._clock.now(), Rank.MEDIUM, alarm.id, event))


def _to_be_woken(alarm: Alarm, staff: str, reach: Reach) -> bool:
    """Whether it is to ring this person's phone and has not yet. Of one that was pushed to, it is news that
    its socket does not come back: she may have a number."""
    waits = reach is Reach.RECENT
    return any(t.staff == staff and not (t.answer or t.rang_at or (t.pushed and waits)) for t in alarm.told)
