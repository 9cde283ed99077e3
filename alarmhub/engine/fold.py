"""A batch of events becomes decisions and rows: everything between taking from the queue and the commit.

Events of an alarm fold in the order they count, a deadline at its due time, so an answer given before it
wins even if decided later. Nothing here touches committed state; a fold that is thrown away leaves no trace.
It refuses to wait and to write.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from alarmhub.core.addressing import address, room_of
from alarmhub.core.alarm import Alarm, Phase, concerned
from alarmhub.core.answers import rings
from alarmhub.core.decide import decide, fallback
from alarmhub.core.effects import Effect, Page, Push, Raise, Report, Says, Sms
from alarmhub.core.events import (
    Answered,
    DeadlinePassed,
    Ended,
    EndUnclear,
    Event,
    Raised,
    Rang,
    Signal,
    SignalEvent,
)
from alarmhub.core.reasons import Reason
from alarmhub.core.world import Decision, World
from alarmhub.engine import codes, ids, notices
from alarmhub.engine.duty import Hearing, stood_in
from alarmhub.engine.folded import Folded, Lateness
from alarmhub.engine.items import (
    AnswerItem,
    DeadlineItem,
    FactItem,
    Item,
    ReceiptItem,
    SignalItem,
    TextItem,
    WordItem,
    WorldItem,
)
from alarmhub.engine.state import Overlay, State
from alarmhub.ports import (
    AnsweredRow,
    AnswerOutcome,
    EventRow,
    FactRow,
    OutboxRow,
    QuarantineRow,
    Refused,
    SignalOutcome,
)

DEEPEST_RAISE = 3
"""How far one alarm may raise another within one event."""
MOST_CLOCKS = 10
"""An alarm has so many clocks, which may all have run out before one event."""
REPORT_GIVE_UP_MS = 120_000
PUSH_GIVE_UP_MS = 60_000
TEXT_GIVE_UP_MS = 60_000

_encode = msgspec.json.Encoder().encode
_OUTCOME = msgspec.json.Decoder(SignalOutcome)
_ANSWER = msgspec.json.Decoder(AnswerOutcome)


class Folder:
    """Folds items against one committed state. One per engine; holds the ids and what rosters are stored."""

    def __init__(self, state: State, numbers: ids.Numbers) -> None:
        self._state = state
        self._numbers = numbers
        self.stored_rosters: set[str] = set()

    def fold(self, items: Iterable[Item], world: World, now: int) -> Folded:
        """Decide everything, in the order it counts. Never raises for an item: the culprit is set aside."""
        ordered = sorted(items, key=_counts_at)
        folded = Folded(self._numbers.next(), ordered, Overlay(self._state))
        try:
            for item in ordered:
                self._one(folded, item, world, now)
        except Exception:  # noqa: BLE001  whose fault it was, the second time will tell
            return self._carefully(ordered, world, now)
        return folded

    def _carefully(self, ordered: list[Item], world: World, now: int) -> Folded:
        """One event must not stop the others: what the culprit had half decided is taken back."""
        folded = Folded(self._numbers.next(), ordered, Overlay(self._state))
        poison: list[tuple[Item, Exception]] = []
        for item in ordered:
            before = folded.saved()
            try:
                self._one(folded, item, world, now)
            except Exception as exc:  # noqa: BLE001
                folded.restore(before)
                poison.append((item, exc))
        for culprit, cause in poison:
            self._set_aside(folded, culprit, cause, now)
        return folded

    def _one(self, folded: Folded, item: Item, world: World, now: int) -> None:
        match item:
            case SignalItem():
                self._signal_item(folded, item, world, now)
            case AnswerItem():
                self._answer_item(folded, item, world, now)
            case ReceiptItem():
                folded.touched.update((item.staff,) if item.seen else ())
                rang = Rang(item.staff, item.device, item.seen, item.via)
                self.apply(folded, item.alarm, rang, item.at, world, now)
            case DeadlineItem():
                self._deadline(folded, item.alarm, item.at, world, now)
            case WorldItem():
                self.apply(folded, item.alarm, item.event, item.at, world, now)
            case TextItem():
                self.apply(folded, item.alarm, item.event, item.at, world, now)
                folded.replies.append((item, None))
            case WordItem():
                self._word(folded, item, world, now)
            case FactItem():
                folded.facts.append(FactRow(item.scope, item.key, item.at, item.body))
                folded.replies.append((item, None))
            case _:
                raise TypeError(f"unknown item {type(item).__name__}")

    # Signals

    def _signal_item(self, folded: Folded, item: SignalItem, world: World, now: int) -> None:
        signal = item.signal
        scope = f"source:{signal.source}"
        if signal.id is not None:
            known = folded.overlay.reply(scope, signal.id)
            if known is not None:
                folded.replies.append((item, _OUTCOME.decode(known)))
                return
        outcome = self.signal(folded, signal, item.at, world, now)
        if signal.id is not None:
            self._remember(folded, scope, signal.id, item.at, _encode(outcome))
        folded.replies.append((item, outcome))

    def signal(
        self, folded: Folded, signal: Signal, at: int, world: World, now: int, depth: int = 0
    ) -> SignalOutcome:
        """Fold one signal: find its alarms, decide each, and what those raise in turn."""
        overlay = folded.overlay
        if signal.event is SignalEvent.PRESENCE:
            self._presence(folded, signal, at, world)
        addressed = address(signal, overlay, world, ids.alarm_id(now), now)
        outcome = SignalOutcome(None)
        for target in addressed:
            if isinstance(target.event, Raised) and target.alarm is None:
                alarm = self._open(folded, target.event, at, world, now, depth)
                outcome = SignalOutcome(
                    alarm.id,
                    str(alarm.phase),
                    True,
                    "" if alarm.place in world.site.places or not alarm.place else "unknown_place",
                )
            elif target.alarm is not None:
                outcome = self._said_again(folded, target.alarm, target.event, at, world, now, depth)
        return outcome

    def _said_again(
        self, folded: Folded, id: str, event: Event, at: int, world: World, now: int, depth: int
    ) -> SignalOutcome:
        before = folded.overlay.get(id)
        if before is None or not before.open:
            # An end by one path that another path's end came before.
            return SignalOutcome(id, str(Phase.ENDED), False, "already_ended")
        self.apply(folded, id, event, at, world, now, depth)
        after = folded.overlay.get(id)
        assert after is not None
        note = "reset_unclear" if isinstance(event, EndUnclear) else ""
        return SignalOutcome(id, str(after.phase), False, note)

    def _presence(self, folded: Folded, signal: Signal, at: int, world: World) -> None:
        room = room_of(signal.place, world)
        since = at if signal.present else None
        if folded.overlay.present(signal.source, room, since):
            body = None if since is None else _encode(since)
            folded.facts.append(FactRow("presence", f"{signal.source}|{room}", at, body))

    def _open(self, folded: Folded, event: Raised, at: int, world: World, now: int, depth: int) -> Alarm:
        decision = decide(None, event, world, now)
        assert decision.alarm is not None
        alarm = decision.alarm
        folded.before[alarm.id] = None
        self._take(folded, None, event, decision, at, world, now, depth)
        return alarm

    def _interrupt_drills(
        self, folded: Folded, before: Alarm | None, alarm: Alarm, at: int, world: World, now: int
    ) -> None:
        """Whoever a real alarm reaches, now, with a later step or again, is through with trials (ward.md)."""
        drills = () if alarm.drill else folded.overlay.open_drills()
        if not drills:
            return
        told = set(concerned(alarm)) - set(() if before is None else concerned(before))
        again = () if before is None or alarm.turn == before.turn else _rung_now(alarm)
        for drill in drills:
            # One that nobody hears disturbs nobody who knows of the alarm already.
            reached = told.union(again) if drill.heard else told
            if reached.intersection(concerned(drill)):
                self.apply(folded, drill.id, Ended("real_alarm"), at, world, now)

    # Answers

    def _answer_item(self, folded: Folded, item: AnswerItem, world: World, now: int) -> None:
        scope = f"device:{item.staff}/{item.device}"
        known = folded.overlay.reply(scope, item.req) if item.req else None
        if known is not None:
            folded.replies.append((item, _ANSWER.decode(known)))
            return
        folded.touched.add(item.staff)
        event = Answered(item.staff, item.answer, item.rev, item.via, item.reason, item.device)
        decision = self.apply(folded, item.alarm, event, item.at, world, now)
        if decision is None:
            outcome = AnswerOutcome(False, "unknown_alarm")
        else:
            outcome = AnswerOutcome(decision.verdict.ok, decision.verdict.error)
            if decision.alarm is not None and decision.verdict.ok:
                stood_in(folded, decision.alarm, item.staff, item.answer, item.at, world)
            if decision.alarm is not None and notices.is_over(decision.alarm):
                self.apply(folded, item.alarm, Ended("staff"), item.at, world, now)
        if item.req:
            self._remember(folded, scope, item.req, item.at, _encode(outcome))
        folded.replies.append((item, outcome))

    def _word(self, folded: Folded, item: WordItem, world: World, now: int) -> None:
        scope = f"device:{item.staff}/{item.device}"
        known = folded.overlay.reply(scope, item.req) if item.req else None
        if known is None:
            known = _encode(Hearing(self, folded, item, world, now).taken())
            if item.req:
                self._remember(folded, scope, item.req, item.at, known)
        folded.replies.append((item, _ANSWER.decode(known)))

    def _remember(self, folded: Folded, scope: str, id: str, at: int, answer: bytes) -> None:
        folded.overlay.replies[scope, id] = answer
        folded.answered.append(AnsweredRow(scope, id, at, answer))

    # One event of one alarm

    def _deadline(self, folded: Folded, id: str, due: int, world: World, now: int) -> None:
        alarm = folded.overlay.get(id)
        if alarm is None or not alarm.open:
            return
        folded.rearm.append(id)
        if alarm.due is None or alarm.due > min(due, now):
            return
        folded.late.append(Lateness(id, alarm.due))
        decision = self._decided(folded, alarm, DeadlinePassed(alarm.turn, due), due, world, now)
        after = decision.alarm
        if after is not None and after.turn != alarm.turn:
            for told in alarm.told:
                rang = told.turn == alarm.turn and told.rang_at is not None
                if rang and not told.answer and told.seen_at is None:
                    folded.untouched.append((told.staff, id))

    def apply(
        self, folded: Folded, id: str, event: Event, at: int, world: World, now: int, depth: int = 0
    ) -> Decision | None:
        """Fold an event into an open alarm; deadlines that fell due before it go first."""
        alarm = folded.overlay.get(id)
        if alarm is None:
            return None
        for _ in range(MOST_CLOCKS):
            if not alarm.open or alarm.due is None or alarm.due >= at:
                break
            self._deadline(folded, id, alarm.due, world, now)
            alarm = folded.overlay.get(id)
            assert alarm is not None
        return self._decided(folded, alarm, event, at, world, now, depth)

    def _decided(
        self, folded: Folded, alarm: Alarm, event: Event, at: int, world: World, now: int, depth: int = 0
    ) -> Decision:
        try:
            decision = decide(alarm, event, world, now)
        except Exception as exc:  # noqa: BLE001  the fixed fallback: to its last resort
            folded.failed.append((alarm.id, exc))
            decision = fallback(alarm, world, now)
        self._take(folded, alarm, event, decision, at, world, now, depth)
        return decision

    def _take(
        self,
        folded: Folded,
        before: Alarm | None,
        event: Event,
        decision: Decision,
        at: int,
        world: World,
        now: int,
        depth: int,
    ) -> None:
        after = decision.alarm
        assert after is not None
        if after is before and not decision.reasons and not decision.effects:
            return
        if after is not before:
            if after.id not in folded.before:
                folded.before[after.id] = before
            folded.overlay.put(after)
        self._log_event(folded, after, event, decision.reasons, at, world)
        for effect in decision.effects:
            self._effect(folded, after, effect, at, world, now, depth)
        self._interrupt_drills(folded, before, after, at, world, now)

    def _log_event(
        self, folded: Folded, alarm: Alarm, event: Event, reasons: tuple[Reason, ...], at: int, world: World
    ) -> None:
        roster = world.roster
        if roster.hash not in self.stored_rosters and roster.hash not in folded.rosters:
            folded.rosters[roster.hash] = _encode((roster.on_duty, roster.covers))
        folded.events.append(
            EventRow(
                # A batch that is one event needs no mark of its own that it was applied.
                self._numbers.next() if folded.events else folded.batch_id,
                alarm.id,
                alarm.version,
                alarm.at,
                at,
                _tag(event),
                _encode(event),
                _encode(reasons),
                alarm.phase,
                roster.hash,
            )
        )

    def _effect(
        self, folded: Folded, alarm: Alarm, effect: Effect, at: int, world: World, now: int, depth: int
    ) -> None:
        match effect:
            case Raise():
                if depth < DEEPEST_RAISE:
                    self.signal(folded, effect.signal, at, world, now, depth + 1)
            case Report():
                self._outbox(folded, alarm, "report", effect.source, effect, now, REPORT_GIVE_UP_MS)
            case Push():
                # Carried out by this process right after the commit: the first attempt is its own.
                self._outbox(folded, alarm, "push", effect.staff, effect, now, PUSH_GIVE_UP_MS, attempt=1)
            case Page():
                self._outbox(folded, alarm, "page", effect.pager, effect, now, PUSH_GIVE_UP_MS)
            case Sms():
                self._text(folded, alarm, effect, now)

    def _text(self, folded: Folded, alarm: Alarm, effect: Sms, now: int) -> None:
        """Give it the code by which a reply names the alarm. What follows a message that was never ordered
        has no code to name, and says nothing."""
        overlay = folded.overlay
        known = overlay.codes_of(effect.number)
        if effect.says is not Says.RINGS:
            mine = codes.of_alarm(known, alarm.id, effect.staff)
        else:
            mine, known = codes.drawn(known, alarm.id, effect.staff, now, lambda id: _is_open(overlay, id))
            overlay.codes[effect.number] = known
            folded.facts.append(FactRow(codes.SCOPE, effect.number, now, _encode(known)))
        if mine is not None:
            effect = replace(effect, code=mine.code)
            self._outbox(folded, alarm, "sms", effect.number, effect, now, TEXT_GIVE_UP_MS)

    def _outbox(
        self,
        folded: Folded,
        alarm: Alarm,
        channel: str,
        to: str,
        effect: Effect,
        now: int,
        give_up_ms: int,
        attempt: int = 0,
    ) -> None:
        body = _encode(effect)
        folded.outbox.append(
            OutboxRow(self._numbers.next(), alarm.id, channel, to, body, now, now + give_up_ms, attempt)
        )

    def _set_aside(self, folded: Folded, item: Item, exc: Exception, now: int) -> None:
        """Poison stops only itself: a row for an engineer, "invalid" for its sender."""
        folded.poison.append((item, exc))
        folded.quarantined.append(quarantine(self._numbers, item, f"{type(exc).__name__}: {exc}", now))
        folded.replies.append((item, Refused("invalid")))


def quarantine(folder_numbers: ids.Numbers, item: Item, cause: str, now: int) -> QuarantineRow:
    """The row for an event that could not be decided, or that the database would not take."""
    body = ascii(item.signal).encode() if isinstance(item, SignalItem) else type(item).__name__.encode()
    alarm = item.alarm if isinstance(item, _OF_AN_ALARM) else None
    cause = cause.encode("ascii", "backslashreplace").decode().replace("\x00", "")
    return QuarantineRow(folder_numbers.next(), now, alarm, cause[:500], body[:8192])


_OF_AN_ALARM = (AnswerItem, DeadlineItem, ReceiptItem, TextItem, WorldItem)


def _rung_now(alarm: Alarm) -> list[str]:
    """Whose phones this turn rings."""
    return [t.staff for t in alarm.told if t.turn == alarm.turn and rings(alarm, t.staff)]


def _is_open(overlay: Overlay, id: str) -> bool:
    alarm = overlay.get(id)
    return alarm is not None and alarm.open


def _counts_at(item: Item) -> int:
    return item.at


def _tag(event: Event) -> str:
    return str(event.__struct_config__.tag)
