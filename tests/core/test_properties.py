"""Whatever happens, in whatever order: what must hold after every decision.

One machine lives a ward's life with several alarms through addressing, time, answers, roster and reach
(`tests.support.ward.check` holds the promises after each decision, and every event is fed twice); another
feeds any event at all to one alarm, with clocks that jump both ways.
"""

# ruff: noqa: D102  the rules of a state machine are said by their names
from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from alarmhub.core.addressing import address
from alarmhub.core.alarm import Alarm, Flag, Phase, concerned, told_of
from alarmhub.core.answers import allowed, rings
from alarmhub.core.decide import decide, fallback
from alarmhub.core.events import (
    AcknowledgedAtSource,
    Answer,
    Answered,
    Around,
    DeadlinePassed,
    Ended,
    EndUnclear,
    Event,
    HandedOver,
    Joined,
    PresenceChanged,
    Raised,
    Rang,
    Signal,
    SignalEvent,
    TextReported,
    Updated,
    WorldChanged,
)
from alarmhub.core.kinds import PRIORITY_RANK, RULES, Kind, Priority
from alarmhub.core.reach import Reach
from alarmhub.core.site import Cover, Duty, Hours, JoinRule, Policy, PolicyRule, Step
from tests.support.ward import T0, Call, Ward, check

PEOPLE = [
    "anna",
    "bo",
    "cia",
    "dan",
    "eva",
    "finn",
    "gun",
    "hugo",
    "kim",
    "lena",
    "nora",
    "olle",
    "pia",
    "rolf",
]
PEOPLE += ["rut", "stig", "tove", "vera", "ivar", "jon", "nobody"]
PLACES = [
    "12",
    "12/1",
    "12/2",
    "12/wc",
    "13/1",
    "205:12/1",
    "empty:12/1",
    "iso/1",
    "pump",
    "v/vc/1",
    "?",
    "?x",
]
TEXTED = ["anna", "olle", "ivar", "kim", "gun"]
"""Who has a number for text messages."""
SOURCES = ["plant", "hubby", "button", "points", "words", "stranger"]
WORDS = ["care_team", "unit", "cover", "shift_leader", "guards", "on_call", "team", "deputies", "everyone"]
WORDS += ["belongs", "neighbours", "switchboard", "role:bed_coordinator", "staff:eva", "staff:nobody", "x"]

JOINS = (
    JoinRule(("plant", "button", "stranger"), 60),
    JoinRule(("hubby", "words", "plant"), 5, kinds=(Kind.PATIENT_CALL, Kind.ASSISTANCE)),
)

people = st.sampled_from(PEOPLE)
places = st.sampled_from(PLACES)
kinds = st.sampled_from(list(Kind))
priorities = st.none() | st.sampled_from(list(Priority))
reaches = st.sampled_from(list(Reach))
seconds = st.integers(0, 700)
targets = st.lists(st.sampled_from(WORDS), max_size=3, unique=True).map(tuple)
steps = st.lists(st.builds(Step, targets, st.integers(1, 90), st.integers(1, 15)), max_size=3).map(tuple)
clocks = st.none() | st.integers(1, 400)


def policies(version: int) -> st.SearchStrategy[Policy]:
    """Anything a careless site could publish."""
    return st.builds(
        Policy, st.just("p"), st.just(version), steps, clocks, clocks, clocks, clocks, st.integers(1, 3)
    )


class Life(RuleBasedStateMachine):
    """A ward with several alarms: the promises hold at every moment, and nothing is early."""

    @initialize()
    def ward_opens(self) -> None:
        self.ward = Ward()
        staff = self.ward.site.staff
        numbered = {s: replace(staff[s], sms=f"+4670174060{n}") for n, s in enumerate(TEXTED)}
        self.ward.texts = True
        self.ward.change_site(joins=JOINS, staff=staff | numbered)
        self.highest: dict[str, Priority] = {}

    def call(self, data: st.DataObject) -> Call | None:
        """One of the open alarms."""
        ids = [a.id for a in self.ward.open]
        return Call(self.ward, data.draw(st.sampled_from(ids))) if ids else None

    @rule(
        place=places,
        kind=kinds,
        priority=priorities,
        person=st.none() | people,
        source=st.sampled_from(SOURCES),
    )
    def press(
        self, place: str, kind: Kind, priority: Priority | None, person: str | None, source: str
    ) -> None:
        if len(self.ward.open) < 6:
            type_ = "heart" if kind is Kind.TEAM else None
            self.ward.press(
                place, kind, priority=priority, person=person, source=source, type=type_, heard=True
            )

    @rule(
        place=places,
        kind=st.none() | kinds,
        source=st.sampled_from(SOURCES),
        key=st.sampled_from(["", "", "7"]),
    )
    def reset(self, place: str, kind: Kind | None, source: str, key: str) -> None:
        before = {a.id: a for a in self.ward.open}
        self.ward.reset(place, kind, source=source, key=key)
        ended = [a for id, a in before.items() if not self.ward.alarms[id].open]
        assert len(ended) <= 1, "a reset ended two alarms"
        assert all(a.told_by(source) for a in ended)

    @rule(
        place=places,
        kind=kinds,
        priority=priorities,
        event=st.sampled_from(["update", "acknowledged", "once"]),
    )
    def signal(self, place: str, kind: Kind, priority: Priority | None, event: str) -> None:
        if len(self.ward.open) < 6:
            self.ward.signal(place, kind, event=event, priority=priority)

    @rule(
        place=st.sampled_from(["12", "13", "205:12"]),
        present=st.booleans(),
        source=st.sampled_from(SOURCES[:2]),
    )
    def presence(self, place: str, present: bool, source: str) -> None:
        self.ward.present(place, present, source=source)

    @rule(
        data=st.data(),
        staff=people,
        answer=st.sampled_from(list(Answer)),
        via=st.sampled_from(["phone", "sms"]),
    )
    def answer(self, data: st.DataObject, staff: str, answer: Answer, via: str) -> None:
        call = self.call(data)
        if call is not None:
            before = call.alarm
            call.says(staff, answer, via=via, rev=before.rev - data.draw(st.integers(0, 2)))
            if via == "sms" and RULES[before.kind].needs_hands and answer in (Answer.ACCEPT, Answer.ATTEND):
                assert call.takers == [a.staff for a in before.acceptances] and call.phase == str(
                    before.phase
                )

    @rule(data=st.data())
    def a_button_shown(self, data: st.DataObject) -> None:
        """Whoever is told presses what the phone offers: it is taken."""
        call = self.call(data)
        if call is None or not call.shown:
            return
        staff = data.draw(st.sampled_from(sorted(call.shown)))
        buttons = allowed(call.alarm, staff, self.ward.world)
        if buttons:
            button = data.draw(st.sampled_from(buttons))
            assert call.says(staff, button).ok, (staff, button, call.codes[-1])

    @rule(data=st.data(), delivered=st.booleans())
    def a_text_message_fares(self, data: st.DataObject, delivered: bool) -> None:
        """The network's word is about a message, never a ring."""
        call = self.call(data)
        texted = [t for t in call.alarm.told if t.texted is not None] if call is not None else []
        if call is None or not texted:
            return
        told = data.draw(st.sampled_from(texted))
        assert told.texted is not None
        reports = call.reports
        self.ward.feed(call.id, TextReported(told.staff, told.texted.at, delivered))
        after = told_of(call.alarm, told.staff)
        assert after is None or not delivered or after.rang_at == told.rang_at
        assert not delivered or call.reports == reports

    @rule(up=st.booleans())
    def the_link_for_texts(self, up: bool) -> None:
        self.ward.texts = up
        self.ward.tell_all(WorldChanged("texts"))

    @rule(data=st.data(), to=people)
    def hands_over(self, data: st.DataObject, to: str) -> None:
        """Somebody leaves with an alarm in hand: it is a colleague's then, or rings."""
        call = self.call(data)
        if call is None:
            return
        giver = data.draw(st.sampled_from(call.takers)) if call.takers else "anna"
        had = giver in call.takers
        verdict = self.ward.feed(call.id, HandedOver(giver, to)).verdict
        assert verdict.ok <= had
        assert not verdict.ok or giver not in call.takers
        assert not verdict.ok or call.takers or call.phase in ("ringing", "partly_accepted")

    @rule(staff=people, reach=reaches)
    def phone(self, staff: str, reach: Reach) -> None:
        self.ward.phone(staff, reach)

    @rule(staff=people)
    def goes_home(self, staff: str) -> None:
        self.ward.off_duty(staff)

    @rule(staff=people, unit=st.sampled_from(["201", "202", "205", "empty", "desk"]))
    def comes(self, staff: str, unit: str) -> None:
        self.ward.on_duty(Duty(staff, unit, ("usk", "physician"), Hours(), ("f/201/12/1",)))

    @rule(staff=people, state=st.sampled_from(["available", "busy", "break"]))
    def available(self, staff: str, state: str) -> None:
        self.ward.available(staff, state)

    @rule(by=st.sampled_from(["202", "205", "empty"]), on=st.booleans())
    def cover(self, by: str, on: bool) -> None:
        self.ward.covers(*((Cover(by, Hours(), unit="201"),) if on else ()))

    @rule(data=st.data(), matches=st.sampled_from([None, Kind.PATIENT_CALL, Kind.TEAM]))
    def publish(self, data: st.DataObject, matches: Kind | None) -> None:
        self.ward.publish(data.draw(policies(self.ward.site.version + 1)))
        self.ward.rule(PolicyRule("p", kind=matches))

    @rule(staff=st.lists(people, max_size=2))
    def locker(self, staff: list[str]) -> None:
        self.ward.untouched = frozenset(staff)

    @rule(cause=st.sampled_from(["link_lost", "link_back", "restart", "site"]))
    def world(self, cause: str) -> None:
        self.ward.tell_all(WorldChanged(cause))

    @rule(wait=seconds)
    def time_passes(self, wait: int) -> None:
        self.ward.later(wait)

    @precondition(lambda self: bool(self.ward.open))
    @rule()
    def until_the_next_clock(self) -> None:
        due = min(a.due for a in self.ward.open if a.due is not None)
        self.ward.at(max(0, (due - T0) / 1000, (self.ward.now - T0) / 1000))

    @invariant()
    def joined_is_only_what_is_the_same(self) -> None:
        """Each source once, each name for one open alarm, one patient's place."""
        names: list[tuple[str, str]] = []
        for alarm in getattr(self, "ward", Ward()).open:
            names += alarm.keys
            sources = [source for source, _ in alarm.keys]
            assert len(set(sources)) == len(sources)
            assert not alarm.paths or alarm.place not in ("", "f/201/12", "f/205/12", "f/empty/12")
        assert len(set(names)) == len(names)

    @invariant()
    def nothing_open_is_forgotten(self) -> None:
        for alarm in getattr(self, "ward", Ward()).open:
            assert alarm.due is not None and alarm.due > self.ward.now
            for told in alarm.told:
                assert not (rings(alarm, told.staff) and alarm.phase is Phase.ENDED)

    @invariant()
    def a_ringing_alarm_rings_somebody_or_goes_on_trying(self) -> None:
        for alarm in getattr(self, "ward", Ward()).open:
            if alarm.phase is Phase.RINGING and RULES[alarm.kind].last_resort_s is not None:
                tries = Flag.LAST_RESORT in alarm.flags or alarm.answer_at is not None
                assert tries, "it has no next ring"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=40)


STARTS = st.builds(
    Signal,
    source=st.sampled_from(SOURCES),
    event=st.sampled_from([SignalEvent.START, SignalEvent.ONCE, SignalEvent.UPDATE]),
    key=st.just("k"),
    place=places.map(lambda p: p if "?" in p else f"f/201/{p}"),
    kind=st.none() | kinds,
    type=st.none() | st.sampled_from(["heart", "x"]),
    priority=priorities,
    person=st.none() | people,
    targets=targets,
    inside=st.lists(people, max_size=2).map(tuple),
    unit=st.none() | st.sampled_from(["201", "", "gone"]),
)
AROUND = st.builds(
    Around,
    presence_since=st.none() | st.integers(T0 - 10**7, T0),
    inside=st.lists(people, max_size=2).map(tuple),
    last_ended_at=st.none() | st.integers(T0 - 10**6, T0 + 10**6),
    last_attended=st.none() | people,
    starts_last_hour=st.integers(0, 7),
    again=st.integers(0, 5),
)
EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Raised, STARTS, st.just("a1"), AROUND),
    st.builds(Joined, STARTS),
    st.builds(Updated, STARTS),
    st.builds(Ended, st.just("source"), STARTS),
    st.builds(EndUnclear, STARTS, st.just(("a1", "a2"))),
    st.builds(AcknowledgedAtSource, STARTS),
    st.builds(PresenceChanged, st.booleans(), STARTS),
    st.builds(Rang, people, st.just("d"), st.booleans()),
    st.builds(
        Answered, people, st.sampled_from(list(Answer)), st.integers(0, 30), st.sampled_from(["phone", "sms"])
    ),
    st.builds(HandedOver, people, people),
    st.builds(
        WorldChanged,
        st.sampled_from(["roster", "site", "reach", "texts", "grace", "restart", "link_lost"]),
        st.none() | people,
        st.none() | st.integers(T0 - 10**5, T0 + 10**5),
    ),
    st.builds(TextReported, people, st.integers(T0, T0 + 10**6), st.booleans(), st.sampled_from(["", "x"])),
    st.builds(DeadlinePassed, st.integers(0, 12), st.integers(T0, T0 + 10**6)),
)


class Anything(RuleBasedStateMachine):
    """One alarm and any event at any time: never raises, never early, never below the floor."""

    @initialize(
        start=STARTS, around=AROUND, reach=st.dictionaries(people, reaches), untouched=st.sets(people)
    )
    def opens(self, start: Signal, around: Around, reach: dict[str, Reach], untouched: set[str]) -> None:
        self.ward = Ward()
        self.ward.reach |= reach
        self.ward.untouched = frozenset(untouched)
        self.now = T0
        decision = decide(None, Raised(start, "a1", around), self.ward.world, T0)
        check(None, Raised(start, "a1", around), decision, self.ward.world, T0)
        assert decision.alarm is not None
        self.alarm: Alarm = decision.alarm

    def fold(self, event: Event) -> None:
        """Decide twice; hold what must hold."""
        before, world = self.alarm, self.ward.world
        decision = decide(before, event, world, self.now)
        after = decision.alarm
        assert after is not None and after.at >= before.at
        if before.open:
            check_moved(before, after, event, self.now)
        if not isinstance(event, Raised):
            again = decide(after, event, world, self.now).alarm
            assert again == after, "the same event twice is not once"
        assert after.open or after.due is None
        assert not after.open or after.due is not None, "an open alarm without a clock"
        self.alarm = after

    @rule(event=EVENTS)
    def happens(self, event: Event) -> None:
        self.fold(event)

    @rule()
    def the_clock_fires(self) -> None:
        """At its instant; whatever is due is done, and something else is due later."""
        if self.alarm.due is not None:
            self.now = max(self.now, self.alarm.due)
            due = self.alarm.due
            self.fold(DeadlinePassed(self.alarm.turn, due))
            assert self.alarm.due is None or self.alarm.due > due

    @rule(jump=st.integers(-600_000, 600_000))
    def the_clock_jumps(self, jump: int) -> None:
        self.now += jump

    @rule(who=people, reach=reaches)
    def reach_changes(self, who: str, reach: Reach) -> None:
        self.ward.reach[who] = reach
        self.ward._world = None

    @rule(staff=st.sets(people, max_size=4))
    def people_leave(self, staff: set[str]) -> None:
        self.ward.off_duty(*staff)
        self.ward._world = None

    @rule(data=st.data())
    def a_policy_is_published(self, data: st.DataObject) -> None:
        self.ward.publish(data.draw(policies(self.ward.site.version + 1)))
        self.ward.rule(PolicyRule("p"))

    @rule()
    def the_rules_fail(self) -> None:
        """The fallback holds the same promises."""
        if self.alarm.open:
            after = fallback(self.alarm, self.ward.world, self.now).alarm
            assert after is not None and after.open and after.due is not None
            self.alarm = after


def check_moved(before: Alarm, after: Alarm, event: Event, now: int) -> None:
    """What no event may do to an alarm."""
    at = max(now, before.at)
    floor = max(RULES[before.kind].floor, RULES[after.kind].floor, key=PRIORITY_RANK.__getitem__)
    if before.kind is not Kind.DRILL:
        assert PRIORITY_RANK[after.priority] >= PRIORITY_RANK[floor], "below the floor"
    if isinstance(event, DeadlinePassed) and (before.due is None or before.due > at):
        assert after is before, "early"
    if isinstance(event, Answered):
        assert (after.kind, after.priority) == (before.kind, before.priority)
        if not after.open:
            assert before.ends == "staff" or before.kind in (Kind.TEAM, Kind.ASSAULT), (
                "a phone ended the room's"
            )
    if before.phase in (Phase.ACCEPTED, Phase.ATTENDED) and after.phase is before.phase:
        news = set(concerned(after)) - set(concerned(before)) - {a.staff for a in after.acceptances}
        assert not news, "accepted, and somebody new was told"
    if after.kind is Kind.ASSAULT:
        assert after.person not in concerned(after), "the victim's phone"
    assert msgspec.json.decode(msgspec.json.encode(after), type=Alarm) == after


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=30)


class Resets(RuleBasedStateMachine):
    """Only starts and resets, at few places: a reset ends one at most, and never a graver by guess."""

    @initialize()
    def opens(self) -> None:
        self.ward = Ward()
        self.ward.change_site(joins=JOINS)

    @rule(place=places, kind=kinds, source=st.sampled_from(SOURCES), key=st.sampled_from(["", "", "7", "8"]))
    def start(self, place: str, kind: Kind, source: str, key: str) -> None:
        self.ward.twice = False
        self.ward.mute_phones = set(self.ward.site.staff)
        if len(self.ward.open) < 8:
            self.ward.press(place, kind, source=source, key=key, type="heart" if kind is Kind.TEAM else None)

    @rule(
        place=places,
        kind=st.none() | kinds,
        source=st.sampled_from(SOURCES),
        key=st.sampled_from(["", "", "7"]),
    )
    def reset(self, place: str, kind: Kind | None, source: str, key: str) -> None:
        signal = Signal(source, SignalEvent.END, key=key, place=place.replace("?", ""), kind=kind)
        full = place if place.count("/") > 1 else None
        signal = msgspec.structs.replace(signal, place=full or signal.place)
        addressed = address(signal, self.ward, self.ward.world, "new", self.ward.now)
        ended = [self.ward.alarms[a.alarm] for a in addressed if isinstance(a.event, Ended) and a.alarm]
        assert len(ended) <= 1 and (not ended or len(addressed) == 1)
        for alarm in ended:
            assert alarm.told_by(source)
            if kind is None and not key and alarm.place == signal.place:
                key = dict(alarm.keys)[source]
                assert alarm.kind not in (Kind.EMERGENCY, Kind.TEAM, Kind.ASSAULT) or key.startswith(
                    ("address|", "text|")
                )
        self.ward.reset(place, kind, source=source, key=key)


TestResets = Resets.TestCase
TestResets.settings = settings(max_examples=60, stateful_step_count=25)
