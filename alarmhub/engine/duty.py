"""What people say of being at work, folded: on and off duty, on a break, heard the phone.

Each word becomes a fact and, from its commit on, part of the roster. Nobody goes with an alarm in hand that
has no receiver, and the last one of a unit has no break without a substitute who is told. It refuses to
decide what a roster makes of a word (`core.roster`) and what becomes of an alarm (`core.handing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from alarmhub.core import shifts
from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Answer, Event, HandedOver, Signal
from alarmhub.core.roster import Shift
from alarmhub.core.shifts import Available, HandOff, Heard, SignOff, SignOn
from alarmhub.core.world import Decision, World
from alarmhub.engine import notices
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import WordItem
from alarmhub.ports import AnswerOutcome, FactRow, SignalOutcome

SHIFT_SCOPE = "shift"
AVAILABILITY_SCOPE = "availability"
SUBSTITUTE_SCOPE = "substitute"
"""Scopes of the facts, keyed by staff."""

_encode = msgspec.json.Encoder().encode
_DONE = AnswerOutcome(True)


class Folds(Protocol):
    """What folding a word asks of the folder."""

    def apply(
        self, folded: Folded, id: str, event: Event, at: int, world: World, now: int
    ) -> Decision | None:
        """Fold an event into an open alarm."""
        ...

    def signal(self, folded: Folded, signal: Signal, at: int, world: World, now: int) -> SignalOutcome:
        """Fold one signal."""
        ...


class Hearing:
    """One word of one person, within one batch."""

    def __init__(self, folds: Folds, folded: Folded, item: WordItem, world: World, now: int) -> None:
        self._folds, self._folded, self._world, self._now = folds, folded, world, now
        self._staff, self._at, self._said = item.staff, item.at, item.said

    def taken(self) -> AnswerOutcome:
        """What the person is told; refused, it has changed nothing."""
        self._folded.touched.add(self._staff)
        match self._said:
            case Available():
                return self._available(self._said)
            case SignOn():
                return self._sign_on(self._said)
            case SignOff():
                return self._handed_over(self._said.receivers, then=self._sign_off)
            case HandOff():
                return self._handed_over(self._said.receivers)
            case Heard():
                return self._heard()

    # Availability

    def _available(self, said: Available) -> AnswerOutcome:
        staff, substitute = self._staff, ""
        if said.state != "available":
            away = self._folded.overlay.availability
            unit = shifts.last_in(staff, self._world, away)
            if unit is not None:
                able = shifts.candidates(staff, (unit,), self._world, away)
                if said.substitute not in able:
                    return AnswerOutcome(False, "last_one", candidates=able)
                substitute = said.substitute
                self._signal(notices.stands_in(self._world.site, staff, substitute, unit))
        self._keep_availability(said.state, substitute)
        return _DONE

    def _keep_availability(self, state: str, substitute: str = "") -> None:
        overlay, staff = self._folded.overlay, self._staff
        overlay.availability[staff] = state
        self._fact(AVAILABILITY_SCOPE, _encode(state))
        if overlay.substitute(staff) != substitute:
            _keep_substitute(self._folded, staff, substitute, self._at)
        if not substitute:
            over = notices.stands_in_no_more(self._world.site, staff)
            if overlay.by_key(over.source, over.key) is not None:
                self._signal(over)

    # On and off duty

    def _sign_on(self, said: SignOn) -> AnswerOutcome:
        site, staff = self._world.site, self._staff
        if shifts.fault_in(site, staff, said.unit, said.beds, said.roles, self._now) is not None:
            return AnswerOutcome(False, "not_in_site")
        before = self._folded.overlay.shift(staff)
        shift = shifts.signed_on(site, staff, said.unit, said.beds, said.roles, self._now)
        if before is not None and before.unit == said.unit and self._now < before.until:
            # More beds, or fewer: the same shift, and the phone has been heard.
            shift = replace(shift, heard_at=before.heard_at)
        self._keep_shift(shift)
        self._keep_availability("available")
        return _DONE

    def _sign_off(self) -> None:
        self._keep_shift(shifts.signed_off(self._world.site, self._staff, self._now))
        self._keep_availability("available")

    def _handed_over(
        self, receivers: dict[str, str], then: Callable[[], None] = lambda: None
    ) -> AnswerOutcome:
        """Every alarm in hand goes to its receiver, or nothing happens at all."""
        folded, world = self._folded, self._world
        held = folded.overlay.held_by(self._staff)
        before = folded.saved()
        for alarm in held:
            to = receivers.get(alarm.id, "")
            event = HandedOver(self._staff, to)
            decision = self._folds.apply(folded, alarm.id, event, self._at, world, self._now) if to else None
            if decision is None or not decision.verdict.ok:
                folded.restore(before)
                units = dict.fromkeys(alarm.unit for alarm in held)
                able = shifts.candidates(self._staff, units, world, folded.overlay.availability)
                return AnswerOutcome(
                    False, "receiver_needed", candidates=able, alarms=tuple(alarm.id for alarm in held)
                )
        then()
        return _DONE

    def _heard(self) -> AnswerOutcome:
        shift = self._folded.overlay.shift(self._staff)
        if shift is None or not shift.unit or self._now >= shift.until:
            return AnswerOutcome(False, "not_signed_on")
        self._keep_shift(replace(shift, heard_at=self._at))
        return _DONE

    # Facts

    def _keep_shift(self, shift: Shift) -> None:
        self._folded.overlay.shifts[self._staff] = shift
        self._fact(SHIFT_SCOPE, _encode(shift))

    def _fact(self, scope: str, body: bytes | None) -> None:
        self._folded.facts.append(FactRow(scope, self._staff, self._at, body))

    def _signal(self, signal: Signal) -> None:
        self._folds.signal(self._folded, signal, self._at, self._world, self._now)


def stood_in(folded: Folded, alarm: Alarm, staff: str, answer: Answer, at: int, world: World) -> None:
    """An answer was taken: where it is one to the word that somebody stands in for a colleague, whoever says
    yes and could be named does, and who was named and says no does not."""
    away = notices.stands_in_for(alarm)
    if not away:
        return
    before = after = folded.overlay.substitute(away)
    if any(a.staff == staff for a in alarm.acceptances):
        able = shifts.candidates(away, (alarm.unit,), world, folded.overlay.availability)
        after = staff if staff == before or staff in able else ""
    elif staff == before and answer is Answer.DECLINE:
        after = ""
    if after != before:
        _keep_substitute(folded, away, after, at)


def _keep_substitute(folded: Folded, away: str, substitute: str, at: int) -> None:
    folded.overlay.substitutes[away] = substitute
    folded.facts.append(FactRow(SUBSTITUTE_SCOPE, away, at, _encode(substitute) if substitute else None))
