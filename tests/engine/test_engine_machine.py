"""Whatever happens: presses, answers, lost phones, clocks that jump, a database that fails, crashes.

A Hypothesis state machine on the real engine in virtual time. After each step what was acknowledged is in the
store, memory is what the store holds, every open alarm has a deadline, and no alarm goes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alarmhub.core.events import Answer, DeadlinePassed
from alarmhub.core.reach import Reach
from alarmhub.core.shifts import HandOff, Heard, SignOff, SignOn, Word
from alarmhub.core.site import JoinRule
from alarmhub.ports import AnswerOutcome, NotStored, SignalOutcome
from tests.support.shift import COMMIT_S, Shift, lost
from tests.support.virtual import VirtualLoop, passes
from tests.support.ward import Ward

PLACES = st.sampled_from(["12/1", "12/2", "12/wc", "13/1", "12", "empty:12/1", "f/999/1"])
KINDS = st.sampled_from(
    ["patient_call", "toilet_call", "assistance", "emergency", "assault", "drill", "door"]
)
SOURCES = st.sampled_from(["plant", "plant", "hubby"])
STAFF = st.sampled_from(["anna", "bo", "cia", "dan", "eva", "gun", "hugo", "ivar"])
IDS = st.one_of(st.none(), st.sampled_from(["e1", "e2", "e3"]))
KEYS = st.sampled_from(["", "k1", "k2", "k3", "k4", "k5"])
APART_S = st.sampled_from([0.0, COMMIT_S / 4, COMMIT_S / 2, COMMIT_S])
REQS = st.sampled_from(["", "", "r1", "r2"])
ANSWERS = st.sampled_from(sorted(str(a) for a in Answer))

T = TypeVar("T")


class HubMachine(RuleBasedStateMachine):
    """One database, one hub after another."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        site = Ward().site
        self.shift = Shift(msgspec.structs.replace(site, joins=(JoinRule(("plant", "hubby"), 10),)))
        self.acknowledged: set[str] = set()
        """Alarms some source was told of."""
        self.replies: dict[tuple[str, str], SignalOutcome] = {}
        self.answers: dict[tuple[str, str], AnswerOutcome] = {}
        self.seen: dict[str, tuple[int, int, str]] = {}
        """Version, rev and phase of each alarm as last stored."""
        self.run(self.shift.begin())

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """On the loop that all hubs of this play live on."""
        return self.runner.run(coro)

    def teardown(self) -> None:
        """The last hub ends with the play."""
        self.run(self.shift.crash())
        self.runner.close()

    # -- events

    async def _signal(self, place: str, event: str, id: str | None, **more: Any) -> None:
        try:
            outcome = await self.shift.signal(place, event=event, id=id, **more)
        except NotStored:
            return
        if outcome.alarm is not None:
            self.acknowledged.add(outcome.alarm)
        if id is not None:
            source = more.get("source", "plant")
            assert self.replies.setdefault((source, id), outcome) == outcome, "another answer to the same id"

    async def _answer(self, staff: str, answer: str, which: int, req: str) -> None:
        alarms = sorted(self.shift.engine.state.alarms)
        if not alarms:
            return
        try:
            outcome = await self.shift.says(staff, answer, alarms[which % len(alarms)], req=req)
        except NotStored:
            return
        if req and outcome.error != "unknown_alarm":
            assert self.answers.setdefault((staff, req), outcome) == outcome, "another result of the same req"

    @rule(place=PLACES, kind=KINDS, id=IDS, key=KEYS, source=SOURCES)
    def press(self, place: str, kind: str, id: str | None, key: str, source: str) -> None:
        """A source reports a start; what two of them say may be one alarm."""
        self.run(self._signal(place, "start", id, kind=kind, key=key, source=source))

    @rule(place=PLACES, kind=st.one_of(st.none(), KINDS), key=KEYS, source=SOURCES)
    def reset(self, place: str, kind: str | None, key: str, source: str) -> None:
        """A source reports an end, with or without a kind."""
        self.run(self._signal(place, "end", None, kind=kind, key=key, source=source))

    @rule(place=PLACES, present=st.booleans())
    def presence(self, place: str, present: bool) -> None:
        """Somebody comes into the room, or goes."""
        self.run(self._signal(place, "presence", None, present=present))

    @rule(staff=STAFF, answer=ANSWERS, which=st.integers(0, 9), req=REQS)
    def answer(self, staff: str, answer: str, which: int, req: str) -> None:
        """Somebody answers something, sensible or not."""
        self.run(self._answer(staff, answer, which, req))

    @rule(
        calls=st.lists(st.tuples(PLACES, KINDS, IDS, KEYS, APART_S), min_size=2, max_size=6),
        answers=st.lists(st.tuples(STAFF, ANSWERS, st.integers(0, 9), REQS), max_size=4),
    )
    def much_at_once(
        self,
        calls: list[tuple[str, str, str | None, str, float]],
        answers: list[tuple[str, str, int, str]],
    ) -> None:
        """Several sources and people within one commit, or while one is in flight."""

        async def call(place: str, kind: str, id: str | None, key: str, after_s: float) -> None:
            await self.shift.later(after_s)
            await self._signal(place, "start", id, kind=kind, key=key)

        async def play() -> None:
            await asyncio.gather(
                *(call(*given) for given in calls),
                *(self._answer(*given) for given in answers),
                *(self._signal(place, "end", None) for place, *_ in calls[:1]),
            )

        self.run(play())

    @rule(staff=STAFF, reach=st.sampled_from([Reach.LIVE, Reach.RECENT, Reach.NONE]), muted=st.booleans())
    def phone(self, staff: str, reach: Reach, muted: bool) -> None:
        """A phone comes or goes; some never report that they rang."""

        async def play() -> None:
            self.shift.reach[staff] = reach
            (self.shift.screens.muted.add if muted else self.shift.screens.muted.discard)(staff)
            self.shift.phone(staff, reach)

        self.run(play())

    @rule(staff=STAFF, state=st.sampled_from(["available", "break", "busy"]))
    def availability(self, staff: str, state: str) -> None:
        """Somebody goes on a break, or comes back."""

        async def play() -> None:
            try:
                await self.shift.engine.availability(staff=staff, device="d", req="", state=state)
            except NotStored:
                return

        self.run(play())

    @rule(staff=STAFF, word=st.sampled_from(["on", "lent", "off", "hand", "heard"]), to=STAFF)
    def duty(self, staff: str, word: str, to: str) -> None:
        """Somebody comes, goes, or hands over what is in hand; some with a receiver for all of it."""

        async def play() -> None:
            receivers = dict.fromkeys(self.shift.engine.state.alarms, to)
            said: dict[str, Word] = {
                "on": SignOn("201", ("f/201/12/1",)), "lent": SignOn("202"), "heard": Heard(),
                "off": SignOff(receivers), "hand": HandOff(receivers),
            }  # fmt: skip
            try:
                await self.shift.engine.duty(staff=staff, said=said[word])
            except NotStored:
                return

        self.run(play())

    @rule(up=st.booleans())
    def link(self, up: bool) -> None:
        """The line to the plant."""
        self.run(self.shift.engine.link("plant", up=up))

    # -- time

    @rule(seconds=st.sampled_from([0.001, 0.5, 5, 12, 46, 200, 2_000]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.run(passes(seconds))

    @rule(seconds=st.sampled_from([-30.0, -0.5, 0.3, 20.0, 700.0]))
    def clock_jumps(self, seconds: float) -> None:
        """The hub's clock is set, even backwards."""

        async def play() -> None:
            self.shift.clock.jump(seconds)
            if seconds > 0.25:
                self.shift.engine.time_moved()

        self.run(play())

    # -- faults

    @rule(applied=st.booleans())
    def next_commit_is_lost(self, applied: bool) -> None:
        """The connection goes during the next commit."""
        self.shift.store.fail_next_write(applied=applied)

    @precondition(lambda self: not self.shift.store.away)
    @rule()
    def database_goes(self) -> None:
        """It is away until it comes back."""
        self.shift.store.away = True

    @precondition(lambda self: self.shift.store.away)
    @rule()
    def database_comes(self) -> None:
        """It is there again."""
        self.shift.store.away = False
        self.run(passes(1))

    @rule(broken=st.booleans())
    def plants(self, broken: bool) -> None:
        """The source takes reports, or not."""
        self.shift.plants.broken = lost if broken else lambda row: None

    @rule(
        after_ms=st.integers(0, 5),
        calls=st.lists(st.tuples(PLACES, KINDS, IDS), max_size=3),
        down_s=st.sampled_from([0.0, 8.0, 100.0]),
        seed_s=st.sampled_from([0.0, 0.2]),
    )
    def crash(
        self, after_ms: int, calls: list[tuple[str, str, str | None]], down_s: float, seed_s: float
    ) -> None:
        """Killed while presses are on their way, and started again."""

        async def play() -> None:
            loop = asyncio.get_running_loop()
            presses = [
                loop.create_task(self._signal(place, "start", id, kind=kind)) for place, kind, id in calls
            ]
            await passes(after_ms / 1000)
            await self.shift.crash()
            await asyncio.gather(*presses, return_exceptions=True)
            await passes(down_s)
            self.shift.tables.expires_at = 0
            await self.shift.begin(seed_after_s=seed_s)

        self.run(play())

    # -- what always holds

    @invariant()
    def the_hub_lives(self) -> None:
        """No fault of these is a reason to stop."""
        assert not self.shift.dead, self.shift.crew.fatal

    @invariant()
    def memory_is_the_committed_truth(self) -> None:
        """While the database is there; every open alarm has an armed deadline."""
        if self.shift.store.away:
            return

        async def settled() -> None:
            while not self.shift.engine.storing:
                await passes(0.05)
            for _ in range(20):
                await self.shift.settled()
                if self.shift.engine.open_deadlines == len(self.shift.engine.state):
                    break
                await passes(0.001)
            self.shift.check()

        self.run(settled())

    @invariant()
    def what_was_acknowledged_is_stored(self) -> None:
        """Every alarm some source was told of, opened exactly once."""
        tables = self.shift.tables
        assert self.acknowledged <= set(tables.alarms)
        raised: dict[str, int] = {}
        for event in tables.events.values():
            if event.type == "raised" and event.version == 1:
                raised[event.alarm] = raised.get(event.alarm, 0) + 1
        assert raised == dict.fromkeys(tables.alarms, 1)

    @invariant()
    def no_alarm_goes_back(self) -> None:
        """Version and rev only rise; what has ended stays ended; a deadline is never early."""
        tables = self.shift.tables
        for id in tables.alarms:
            alarm = self.shift.stored(id)
            version, rev, phase = self.seen.get(id, (0, 0, "ringing"))
            assert alarm.version >= version and alarm.rev >= rev
            assert phase != "ended" or alarm.phase == "ended"
            self.seen[id] = (alarm.version, alarm.rev, alarm.phase)
        for event in tables.events.values():
            if event.type == "deadline_passed":
                assert msgspec.json.decode(event.body, type=DeadlinePassed).due <= event.at


HubMachine.TestCase.settings = settings(stateful_step_count=30)
TestHub = HubMachine.TestCase
