"""A behaving hub without an engine: takes signals and answers in memory, and shows what it took.

For tests of what stands in front of the engine. It keeps the promises of `Intake` and `Desk` that callers can
see (an open ref is one alarm, an id gets its first answer again, refusals on demand), and decides nothing
else: no steps, no deadlines.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, Told
from alarmhub.core.events import Signal, SignalEvent, TextReported
from alarmhub.core.kinds import Kind, Priority, raised_to_floor
from alarmhub.core.reach import Reach
from alarmhub.core.roster import OnDuty, Roster, Shift
from alarmhub.core.shifts import Heard, SignOff, SignOn, Word, signed_off, signed_on
from alarmhub.core.site import AlarmType, Place, Site, SourceRules, Staff, Unit
from alarmhub.core.world import World
from alarmhub.engine.items import Item, TextItem
from alarmhub.engine.state import State
from alarmhub.engine.texts import Texts
from alarmhub.ports import AnswerOutcome, SignalOutcome, StoreUnavailable, TimelineEntry, Token

NOW = 1_790_000_000_000
BED = "fjall/201/sal12/plats2"


def small_site() -> Site:
    """Two units, two nurses, two plants: enough to be told apart by."""
    units = {u: Unit(id=u, name=f"Avd {u}", site="fjall") for u in ("201", "202")}
    places = {BED: Place(path=BED, label="sal 12 plats 2", unit="201", point="bed")}
    staff = {
        "anna": Staff(id="anna", name="Anna Lind", units=("201",)),
        "bo": Staff(id="bo", name="Bo Ek", units=("202",)),
    }
    sources = {s: SourceRules(id=s, name=s, site="fjall", fallback_unit="202") for s in ("plant", "other")}
    types = {
        "hjartlarm": AlarmType(id="hjartlarm", kind=Kind.TEAM, label="Hjärtlarm", label_en="Cardiac arrest")
    }
    return Site(
        version=1,
        site="fjall",
        name="Region Fjällmark",
        zone="Europe/Stockholm",
        language="sv",
        holidays=frozenset(),
        floor_words=(),
        units=units,
        places=places,
        roles={},
        staff=staff,
        duties=(),
        covers=(),
        types=types,
        policies={},
        newest={},
        policy_rules=(),
        sources=sources,
    )


def small_world() -> World:
    """Anna on duty on 201."""
    anna = OnDuty(staff="anna", unit="201", roles=("ssk",))
    roster = Roster(
        hash="r1",
        on_duty=(anna,),
        covers=(),
        by_unit={"201": (anna,)},
        by_role={},
        by_bed={},
        by_staff={"anna": (anna,)},
    )
    return World(site=small_site(), roster=roster, reach={"anna": Reach.LIVE})


class Intake:
    """Takes signals and answers. `refuse` is raised instead of taking; `taken` is what came, in order."""

    def __init__(self) -> None:
        self.world_now = small_world()
        self.at = NOW
        self.is_storing = True
        self.refuse: Exception | None = None
        self.taken: list[Signal] = []
        self.answers: list[dict[str, Any]] = []
        self.receipts: list[tuple[str, str, str, int, bool, str]] = []
        self.links: list[tuple[str, bool]] = []
        self.said: list[Signal] = []
        self.words: list[tuple[str, Word]] = []
        self.shifts: dict[str, Shift] = {}
        self.duty_outcome: AnswerOutcome | None = None
        self.alarms: dict[str, Alarm] = {}
        self.entries: dict[str, list[TimelineEntry]] = {}
        self._answered: dict[tuple[str, str], Any] = {}
        self.state = State()
        self.texts_up: list[bool] = []
        self.texts = Texts(MonotonicClock(), self.state, self._keep_item, self.texts_up.append)
        self.reports: list[TextReported] = []

    def forget(self) -> None:
        """As new: no alarm was ever raised."""
        self.taken.clear()
        self.answers.clear()
        self.alarms.clear()
        self.entries.clear()
        self._answered.clear()

    # Intake

    async def signal(self, signal: Signal) -> SignalOutcome:
        if self.refuse is not None:
            raise self.refuse
        remembered = self._answered.get((signal.source, signal.id)) if signal.id else None
        if remembered is not None:
            return remembered
        self.taken.append(signal)
        outcome = self._outcome(signal)
        if signal.id:
            self._answered[signal.source, signal.id] = outcome
        return outcome

    def _outcome(self, signal: Signal) -> SignalOutcome:
        alarm = self._open(signal.source, signal.key)
        if signal.event in (SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE):
            if alarm is not None:
                alarm = self._keep(replace(alarm, count=alarm.count + 1), "repeated")
                return SignalOutcome(alarm.id, alarm.phase, False)
            alarm = self._raise(signal)
            return SignalOutcome(alarm.id, alarm.phase, True, "unknown_place" if alarm.flags else "")
        if alarm is None:
            return SignalOutcome(None)
        if signal.event is SignalEvent.END:
            alarm = self._keep(replace(alarm, phase=Phase.ENDED, ended_by="source"), "ended")
        return SignalOutcome(alarm.id, alarm.phase, False)

    def _raise(self, signal: Signal) -> Alarm:
        place = self.world_now.site.places.get(signal.place)
        source = self.world_now.site.sources.get(signal.source)
        fallback = source.fallback_unit if source is not None else ""
        type_ = self.world_now.site.types.get(signal.type or "")
        kind = signal.kind or (type_.kind if type_ else Kind.PATIENT_CALL)
        return self._keep(
            Alarm(
                id=str(uuid.uuid4()),
                source=signal.source,
                key=signal.key,
                ref=signal.ref,
                kind=kind,
                type=signal.type or kind,
                priority=raised_to_floor(kind, signal.priority or Priority.LOW),
                place=signal.place,
                unit=fallback if place is None else place.unit,
                raised_at=NOW,
                at=NOW,
                policy="p",
                policy_version=1,
                text=signal.text,
                source_text=signal.source_text,
                origin=signal.origin,
                rev=1,
                flags=() if place else (Flag.PLACE_UNKNOWN,),
                told=(Told("anna", 1, NOW, "unit"),),
            ),
            "raised",
        )

    async def answer(
        self, *, staff: str, device: str, req: str, alarm: str, answer: str, rev: int, reason: str, via: str
    ) -> AnswerOutcome:
        if self.refuse is not None:
            raise self.refuse
        remembered = self._answered.get((device, req))
        if remembered is not None:
            return remembered
        self.answers.append(
            {
                "staff": staff,
                "device": device,
                "req": req,
                "alarm": alarm,
                "answer": answer,
                "rev": rev,
                "reason": reason,
                "via": via,
            }
        )
        outcome = self._answered[device, req] = self._verdict(staff, alarm)
        return outcome

    def _verdict(self, staff: str, id: str) -> AnswerOutcome:
        alarm = self.alarms.get(id)
        if alarm is None:
            return AnswerOutcome(False, "unknown_alarm")
        if not alarm.open:
            return AnswerOutcome(False, "ended")
        if staff not in {told.staff for told in alarm.told}:
            return AnswerOutcome(False, "not_concerned")
        self._keep(replace(alarm, phase=Phase.ACCEPTED, acceptances=(Acceptance(staff, NOW),)), "answered")
        return AnswerOutcome(True)

    def _keep_item(self, item: Item) -> None:
        """What is known of text messages, as the next commit would store it."""
        if self.refuse is not None and item.future is not None:
            raise self.refuse
        if isinstance(item, TextItem):
            self.reports.append(item.event)
        if item.future is not None:
            item.future.set_result(None)

    async def link(self, source: str, *, up: bool) -> None:
        """Keep the news of a link."""
        self.links.append((source, up))

    def say(self, notice: Signal) -> None:
        """Keep the hub's own news."""
        self.said.append(notice)

    def receipt(
        self, *, staff: str, device: str, alarm: str, rev: int, seen: bool, via: str = "socket"
    ) -> None:
        self.receipts.append((staff, device, alarm, rev, seen, via))

    async def availability(
        self, *, staff: str, device: str, req: str, state: str, substitute: str = ""
    ) -> AnswerOutcome:
        raise AssertionError("not for this door")

    async def duty(self, *, staff: str, said: Word, device: str = "", req: str = "") -> AnswerOutcome:
        """Keep the word; nobody has anything in hand unless `duty_outcome` says so."""
        if self.refuse is not None:
            raise self.refuse
        if self.duty_outcome is not None:
            return self.duty_outcome
        self.words.append((staff, said))
        site = self.world_now.site
        match said:
            case SignOn():
                self.shifts[staff] = signed_on(site, staff, said.unit, said.beds, said.roles, self.at)
            case SignOff():
                self.shifts[staff] = signed_off(site, staff, self.at)
            case Heard():
                self.shifts[staff] = replace(self.shifts[staff], heard_at=self.at)
        return AnswerOutcome(True)

    # Desk

    @property
    def storing(self) -> bool:
        return self.is_storing

    def now(self) -> int:
        return self.at

    def world(self) -> World:
        return self.world_now

    def open_alarm(self, id: str) -> Alarm | None:
        alarm = self.alarms.get(id)
        return alarm if alarm is not None and alarm.open else None

    def open_alarms(self) -> Collection[Alarm]:
        return [alarm for alarm in self.alarms.values() if alarm.open]

    def shown_to(self, staff: str) -> Sequence[Alarm]:
        return [alarm for alarm in self.open_alarms() if staff in {told.staff for told in alarm.told}]

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        raise AssertionError("not for this door")

    def lost_many(self, at: int) -> None:
        raise AssertionError("not for this door")

    def _open(self, source: str, key: str) -> Alarm | None:
        return next((a for a in self.alarms.values() if a.open and (a.source, a.key) == (source, key)), None)

    def _keep(self, alarm: Alarm, type: str) -> Alarm:
        alarm = self.alarms[alarm.id] = replace(alarm, version=alarm.version + 1)
        self.entries.setdefault(alarm.id, []).append(
            TimelineEntry(
                id=str(uuid.uuid4()),
                version=alarm.version,
                at=NOW,
                received_at=NOW,
                type=type,
                phase=alarm.phase,
                body={},
                reasons=[{"code": "accepted", "facts": {"staff": "anna", "late": False}}],
                roster="r1",
            )
        )
        return alarm


class Shelf:
    """The part of `Store` that reading needs, over an `Intake`. `away` makes every call fail."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.tokens: dict[bytes, Token] = {}
        self.token_lookups = 0
        self.away = False

    def admit(self, secret: str, kind: str, subject: str, *scopes: str, device: str = "") -> str:
        """Store a token; returns the secret."""
        digest = hashlib.sha256(secret.encode()).digest()
        self.tokens[digest] = Token(digest=digest, kind=kind, subject=subject, scopes=scopes, device=device)
        return secret

    async def token(self, digest: bytes) -> Token | None:
        self.token_lookups += 1
        self._answer_or_fail()
        return self.tokens.get(digest)

    async def alarm(self, id: str) -> tuple[Alarm, Sequence[TimelineEntry]] | None:
        self._answer_or_fail()
        alarm = self._intake.alarms.get(id)
        return None if alarm is None else (alarm, self._intake.entries[id])

    async def alarms(
        self,
        *,
        phase: str | None,
        units: Sequence[str] | None,
        source: str | None,
        limit: int,
        after: str | None,
    ) -> Sequence[Alarm]:
        self._answer_or_fail()
        newest = list(reversed(self._intake.alarms.values()))
        if after is not None:
            ids = [alarm.id for alarm in newest]
            newest = newest[ids.index(after) + 1 :] if after in ids else []
        fits = [
            a
            for a in newest
            if (phase is None or a.phase == phase)
            and (units is None or a.unit in units)
            and (source is None or a.source == source)
        ]
        return fits[:limit]

    def _answer_or_fail(self) -> None:
        if self.away:
            raise StoreUnavailable("the test took it away")
