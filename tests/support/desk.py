"""A small engine in memory for tests of the phone gateway: it shows alarms, takes answers, remembers.

It keeps the promises of `Intake` and `Desk` a phone can see (a repeated req gets its first result, a higher
rev with every visible change, an accept silences the others) and decides nothing else. `gate` holds answers
back, `fail` is raised instead of an answer (once, if `fail_once`), `contacts`, `receipts` and `answers` are
what the gateway said.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Phase, Told, concerned
from alarmhub.core.kinds import PRIORITY_RANK, Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.roster import OnDuty, Roster
from alarmhub.core.site import Place, Site, Staff, Unit
from alarmhub.core.world import World
from alarmhub.ports import AnswerOutcome, Change, Phones, SignalOutcome, StoreUnavailable, Token
from tests.support.clock import ManualClock

BED = "fjall/201/sal12/plats2"
PEOPLE = {
    "anna": Staff(id="anna", name="Anna Lind", units=("201",)),
    "bo": Staff(id="bo", name="Bo Ek", units=("201",)),
    "cia": Staff(id="cia", name="Cia Dahl", units=("201",)),
}


def ward(people: dict[str, Staff] = PEOPLE, language: str = "sv") -> World:
    """One unit with a bed, everybody on duty there."""
    on_duty = tuple(OnDuty(staff=s, unit="201", roles=("ssk",)) for s in people)
    site = Site(
        version=1,
        site="fjall",
        name="Region Fjällmark",
        zone="Europe/Stockholm",
        language=language,
        holidays=frozenset(),
        floor_words=(),
        units={"201": Unit(id="201", name="Avd 201", site="fjall")},
        places={BED: Place(path=BED, label="sal 12 plats 2", unit="201", point="bed")},
        roles={},
        staff=people,
        duties=(),
        covers=(),
        types={},
        policies={},
        newest={},
        policy_rules=(),
        sources={},
    )
    roster = Roster(
        hash="r1",
        on_duty=on_duty,
        covers=(),
        by_unit={"201": on_duty},
        by_role={"ssk": on_duty},
        by_bed={},
        by_staff={d.staff: (d,) for d in on_duty},
    )
    return World(site=site, roster=roster, reach=dict.fromkeys(people, Reach.LIVE))


def call(id: str, *told: str, at: int, rev: int = 1, **more: Any) -> Alarm:
    """A ringing patient call that these people are told of."""
    given: dict[str, Any] = {
        "id": id,
        "source": "plant",
        "key": id,
        "ref": id,
        "kind": Kind.PATIENT_CALL,
        "type": "patient_call",
        "priority": Priority.LOW,
        "place": BED,
        "unit": "201",
        "raised_at": at,
        "at": at,
        "policy": "p",
        "policy_version": 1,
        "rev": rev,
        "version": rev,
        "turn": 1,
        "answer_at": at + 45_000,
        "told": tuple(Told(staff, 1, at, "care_team") for staff in told),
    }
    return Alarm(**{**given, **more})


class Engine:
    """See the module. Set `phones` to the gateway to have it refreshed."""

    def __init__(self, clock: ManualClock, world: World | None = None) -> None:
        self.clock = clock
        self.world_now = world or ward()
        self.phones: Phones | None = None
        self.alarms: dict[str, Alarm] = {}
        self.answers: list[dict[str, Any]] = []
        self.receipts: list[tuple[str, str, str, int, bool]] = []
        self.availabilities: list[tuple[str, str]] = []
        self.contacts: list[tuple[str, str, Reach]] = []
        self.lost_many_at: list[int] = []
        self.is_storing = True
        self.needs_substitute = False
        self.fail: Exception | None = None
        self.fail_once = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._replies: dict[tuple[str, str], AnswerOutcome] = {}

    def put(self, alarm: Alarm) -> Alarm:
        """Commit a new state of an alarm, and refresh the phones."""
        before = self.alarms.get(alarm.id)
        self.alarms[alarm.id] = alarm
        if self.phones is not None:
            self.phones.refresh([Change(before, alarm)])
        return alarm

    def change(self, id: str, **fields: Any) -> Alarm:
        """Commit a visible change of an open alarm."""
        alarm = self.alarms[id]
        return self.put(replace(alarm, rev=alarm.rev + 1, version=alarm.version + 1, **fields))

    # Intake

    async def signal(self, signal: Any) -> SignalOutcome:
        raise AssertionError("phones send no signals")

    async def answer(
        self, *, staff: str, device: str, req: str, alarm: str, answer: str, rev: int, reason: str, via: str
    ) -> AnswerOutcome:
        await self.gate.wait()
        self._fail_as_told()
        known = self._replies.get((device, req))
        if known is not None:
            return known
        self.answers.append(
            {"staff": staff, "req": req, "alarm": alarm, "answer": answer, "rev": rev, "reason": reason}
        )
        outcome = self._replies[device, req] = self._decide(staff, alarm, answer)
        return outcome

    def _fail_as_told(self) -> None:
        failure = self.fail
        if self.fail_once:
            self.fail = None
        if failure is not None:
            raise failure

    def _decide(self, staff: str, id: str, answer: str) -> AnswerOutcome:
        alarm = self.open_alarm(id)
        if alarm is None:
            return AnswerOutcome(False, "not_concerned")
        if answer == "accept" and alarm.acceptances:
            return AnswerOutcome(False, "taken")
        if answer == "accept":
            mine = tuple(replace(t, answer="accepted") for t in alarm.told if t.staff == staff)
            taken = (Acceptance(staff, self.now()),)
            self.change(id, phase=Phase.ACCEPTED, acceptances=taken, told=mine)
        elif answer == "decline":
            told = tuple(replace(t, answer="declined") if t.staff == staff else t for t in alarm.told)
            self.change(id, told=told)
        return AnswerOutcome(True)

    def receipt(
        self, *, staff: str, device: str, alarm: str, rev: int, seen: bool, via: str = "socket"
    ) -> None:
        self.receipts.append((staff, device, alarm, rev, seen))

    async def availability(
        self, *, staff: str, device: str, req: str, state: str, substitute: str = ""
    ) -> AnswerOutcome:
        await self.gate.wait()
        self._fail_as_told()
        if self.needs_substitute and not substitute:
            return AnswerOutcome(False, "last_one", candidates=("bo", "nobody"))
        self.availabilities.append((staff, state))
        return AnswerOutcome(True)

    # Desk

    @property
    def storing(self) -> bool:
        return self.is_storing

    def now(self) -> int:
        return self.clock.now()

    def world(self) -> World:
        return self.world_now

    def open_alarm(self, id: str) -> Alarm | None:
        alarm = self.alarms.get(id)
        return alarm if alarm is not None and alarm.open else None

    def open_alarms(self) -> Collection[Alarm]:
        return [alarm for alarm in self.alarms.values() if alarm.open]

    def shown_to(self, staff: str) -> Sequence[Alarm]:
        mine = [alarm for alarm in self.open_alarms() if staff in concerned(alarm)]
        return sorted(mine, key=lambda alarm: -PRIORITY_RANK[alarm.priority])

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        self.contacts.append((staff, device, reach))

    def lost_many(self, at: int) -> None:
        self.lost_many_at.append(at)


class Tokens:
    """The tokens of a store. Every person's secret is `token-<staff>`; `away` makes look-ups fail."""

    def __init__(self) -> None:
        self.away = False
        self.lookups = 0
        self.revoked: set[str] = set()
        self.kinds: dict[str, str] = {}
        self.devices: dict[str, str] = {}
        """By whose secret it was first: the enrolled phone it belongs to."""
        self.carried: dict[str, str] = {}
        """By whose secret it was first: who carries that phone now, "" = nobody."""
        self.questions = 0
        self._by_digest: dict[bytes, str] = {}

    def secret(self, staff: str) -> str:
        """A valid secret of this person."""
        secret = f"token-{staff}"
        self._by_digest[hashlib.sha256(secret.encode()).digest()] = staff
        return secret

    async def token(self, digest: bytes) -> Token | None:
        self.lookups += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("the test took it away")
        staff = self._by_digest.get(digest)
        if staff is None or staff in self.revoked:
            return None
        return Token(
            digest=digest, kind=self.kinds.get(staff, "phone"), subject=self.carried.get(staff, staff),
            device=self.devices.get(staff, ""),
        )  # fmt: skip

    async def tokens_otherwise(self, believed: Sequence[Token]) -> Sequence[bytes]:
        self.questions += 1
        return [t.digest for t in believed if not _same(await self.token(t.digest), t)]


def _same(now: Token | None, believed: Token) -> bool:
    return now is not None and (now.subject, now.device) == (believed.subject, believed.device)
