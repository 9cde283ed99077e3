"""A small invented ward in virtual time, for tests that read as conversations.

`Ward` holds people, phones, places and sources; `press` and the other signals go through addressing and
`decide` as in the hub, deadlines fire at their instants, what an alarm raises is raised. Every event is fed
twice (the second time must change nothing), 1 ms before each deadline nothing may happen, and `check` holds
what must be true after every decision. It knows no engine, no store and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from alarmhub.core.addressing import address, room_of
from alarmhub.core.alarm import Alarm, Flag, Phase, Told, concerned
from alarmhub.core.answers import rings
from alarmhub.core.decide import decide
from alarmhub.core.effects import Effect, Page, Push, Raise, Report
from alarmhub.core.events import (
    Answer,
    Answered,
    Around,
    DeadlinePassed,
    Ended,
    Event,
    PresenceChanged,
    Raised,
    Rang,
    Signal,
    SignalEvent,
    WorldChanged,
)
from alarmhub.core.kinds import RULES, Kind, raised_to_floor
from alarmhub.core.reach import IN_CONTACT, Reach
from alarmhub.core.reasons import Reason
from alarmhub.core.roster import roster_at
from alarmhub.core.site import (
    AlarmType,
    Cover,
    Duty,
    Hours,
    Place,
    Policy,
    PolicyRule,
    Reports,
    Role,
    Site,
    SourceRules,
    Staff,
    TeamRole,
    Unit,
)
from alarmhub.core.wording import CODES, plain
from alarmhub.core.world import Decision, Verdict, World

S = 1000
MIN = 60
T0 = int(datetime(2026, 11, 24, 10, tzinfo=ZoneInfo("Europe/Stockholm")).timestamp()) * S
ALWAYS = Hours()

UNITS = {
    "201": Unit("201", "Avd 201", "f", ("role:bed_coordinator",), neighbours=("202",)),
    "202": Unit("202", "Avd 202", "f", ("role:bed_coordinator",)),
    "205": Unit("205", "Avd 205", "f", ("role:bed_coordinator",)),
    "empty": Unit("empty", "Korttidsavd", "f", ("role:bed_coordinator",)),
    "desk": Unit("desk", "Ledning", "f", ("staff:vera",), clinical=False),
    "estates": Unit("estates", "Drift", "f", ("staff:vera",), clinical=False),
    "vc": Unit("vc", "Hälsocentral", "v", ("staff:vera",)),
}
DUTIES = (
    Duty("anna", "201", ("ssk",), ALWAYS, ("f/201/12",)),
    Duty("bo", "201", ("usk",), ALWAYS, ("f/201/12/1",)),
    Duty("cia", "201", ("usk",), ALWAYS, ("f/201/13",)),
    Duty("dan", "201", ("ssk", "shift_leader"), ALWAYS),
    Duty("eva", "202", ("ssk",), ALWAYS),
    Duty("finn", "202", ("usk",), ALWAYS),
    Duty("olle", "205", ("usk",), ALWAYS),
    Duty("gun", "desk", ("bed_coordinator",), ALWAYS),
    Duty("hugo", "desk", ("guard",), ALWAYS),
    Duty("vera", "desk", ("switchboard",), ALWAYS),
    Duty("ivar", "estates", ("duty_engineer",), ALWAYS),
    Duty("jon", "estates", ("duty_engineer_second",), ALWAYS),
    Duty("kim", "desk", ("anaesthetist",), ALWAYS),
    Duty("lena", "desk", ("physician",), ALWAYS),
    Duty("nora", "desk", ("physician_second",), ALWAYS),
    Duty("rolf", "desk", ("house_doctor",), ALWAYS, on_site=False),
    Duty("pia", "vc", ("ssk",), ALWAYS),
    Duty("rut", "desk", ("pager_doctor",), ALWAYS),
)
ROLES = {
    r.id: r
    for r in (
        Role("ssk", "ssk"),
        Role("usk", "usk"),
        Role("shift_leader", "ledningsansvarig"),
        Role("bed_coordinator", "vårdplatskoordinator"),
        Role("guard", "väktare"),
        Role("switchboard", "växel"),
        Role("duty_engineer", "driftjour"),
        Role("duty_engineer_second", "driftbakjour"),
        Role("anaesthetist", "narkosläkare"),
        Role("physician", "medicinjour", deputy="physician_second", on_call=True),
        Role("physician_second", "medicinbakjour"),
        Role("house_doctor", "husjour", on_call=True),
        Role("pager_doctor", "sökarläkare"),
    )
}
HEART = AlarmType(
    "heart",
    Kind.TEAM,
    "Hjärtlarm vuxen",
    "Adult cardiac arrest",
    team=(TeamRole("anaesthetist"), TeamRole("physician"), TeamRole("ward", 2)),
)
SOURCES = {
    s.id: s
    for s in (
        SourceRules("plant", "Kallelseanläggningen", "f", "201", reports=Reports.ALARM),
        SourceRules(
            "hubby", "Anläggning utan assistans", "f", "201", assistance_by="hub", reports=Reports.ALARM
        ),
        SourceRules("button", "Knapparna", "f", "201", ends="staff", reports=Reports.ALARM),
        SourceRules("monitor", "Övervakningen", "f", "201", reports=Reports.EACH),
        SourceRules("points", "Adressanläggning", "f", "201", addresses_are_points=True),
        SourceRules("words", "Textanläggning", "f", "201", key="text"),
    )
}
ALONE_WITH_COVER = (Cover("202", ALWAYS, unit="201"), Cover("202", ALWAYS, unit="205"))


def _places() -> dict[str, Place]:
    found: dict[str, Place] = {}
    for unit in ("201", "202", "205", "empty"):
        for room in ("12", "13", "14"):
            path = f"f/{unit}/{room}"
            found[path] = Place(path, f"sal {room}", unit, "room", path)
            for bed in ("1", "2"):
                found[f"{path}/{bed}"] = Place(f"{path}/{bed}", f"sal {room} plats {bed}", unit, "bed", path)
            found[f"{path}/wc"] = Place(f"{path}/wc", f"sal {room} WC", unit, "wc", path)
    iso = "f/201/iso"
    found[iso] = Place(iso, "isolering", "201", "room", iso, add_attend_s=180)
    found["f/201/iso/1"] = Place("f/201/iso/1", "isolering plats 1", "201", "bed", iso, add_attend_s=180)
    found["f/201/pump"] = Place("f/201/pump", "blodkyl", "201", "equipment")
    found["v/vc/1"] = Place("v/vc/1", "rum 1", "vc", "room", "v/vc/1")
    return found


def _site() -> Site:
    people = {d.staff for d in DUTIES}
    staff = {
        p: Staff(p, p.capitalize(), tuple(sorted({d.unit for d in DUTIES if d.staff == p}))) for p in people
    }
    staff["rut"] = replace(staff["rut"], pager="1042")
    staff["vera"] = replace(staff["vera"], desk=True)
    staff["stig"] = Staff("stig", "Stig", ("201",))  # belongs to 201, off duty
    staff["tove"] = Staff("tove", "Tove", ("empty",))
    return Site(
        version=1,
        site="f",
        name="Region Fjällmark",
        zone="Europe/Stockholm",
        language="sv",
        holidays=frozenset(),
        floor_words=(),
        units=UNITS,
        places=_places(),
        roles=ROLES,
        staff=staff,
        duties=DUTIES,
        covers=ALONE_WITH_COVER,
        types={"heart": HEART},
        policies={},
        newest={},
        policy_rules=(),
        sources=SOURCES,
    )


def path(place: str) -> str:
    """`12/1` is a bed of ward 201, `205:12/1` of another ward; a full path is itself."""
    if place.count("/") > 1 or not place or "?" in place:
        return place.replace("?", "")
    unit, colon, rest = place.partition(":")
    return f"f/{unit}/{rest}" if colon else f"f/201/{place}"


class Call:
    """One alarm of the ward, and what people say to it."""

    def __init__(self, ward: Ward, id: str) -> None:
        self._ward = ward
        self.id = id

    @property
    def alarm(self) -> Alarm:
        """The alarm as it is now, ended ones too."""
        return self._ward.alarms[self.id]

    @property
    def world(self) -> World:
        """The ward's, of this instant."""
        return self._ward.world

    @property
    def phase(self) -> str:
        return str(self.alarm.phase)

    @property
    def flags(self) -> set[str]:
        return {str(f) for f in self.alarm.flags}

    @property
    def ringing(self) -> set[str]:
        """Whose phones sound."""
        return {t.staff for t in self.alarm.told if rings(self.alarm, t.staff)}

    @property
    def shown(self) -> set[str]:
        """Whose phones show it."""
        return set(concerned(self.alarm))

    @property
    def takers(self) -> list[str]:
        return [a.staff for a in self.alarm.acceptances]

    @property
    def codes(self) -> list[str]:
        """Every reason so far, by code."""
        return [r.code for r in self.reasons]

    @property
    def reasons(self) -> list[Reason]:
        return self._ward.reasons[self.id]

    def facts(self, code: str) -> dict[str, Any]:
        """The facts of the last reason with this code."""
        return next(dict(r.facts) for r in reversed(self.reasons) if r.code == code)

    @property
    def reports(self) -> list[str]:
        """What the source was told."""
        return [str(e.status) for e in self._ward.effects[self.id] if isinstance(e, Report)]

    @property
    def pushed(self) -> list[str]:
        return [e.staff for e in self._ward.effects[self.id] if isinstance(e, Push)]

    @property
    def paged(self) -> list[str]:
        return [e.pager for e in self._ward.effects[self.id] if isinstance(e, Page)]

    def says(
        self, staff: str, answer: str, *, rev: int | None = None, via: str = "phone", reason: str = ""
    ) -> Verdict:
        """One answer, with what the phone saw last."""
        rev = self.alarm.rev if rev is None else rev
        event = Answered(staff, Answer(answer), rev, via, reason)
        return self._ward.feed(self.id, event).verdict

    def accepts(self, *staff: str) -> Verdict:
        verdict = Verdict()
        for person in staff:
            verdict = self.says(person, "accept")
        return verdict

    def attends(self, *staff: str) -> Verdict:
        verdict = Verdict()
        for person in staff:
            verdict = self.says(person, "attend")
        return verdict

    def declines(self, staff: str, **more: Any) -> Verdict:
        return self.says(staff, "decline", **more)


class Ward:
    """See the module. All phones are live and ring at once unless told otherwise."""

    def __init__(self, site: Site | None = None) -> None:
        self.site = site or _site()
        self.now = T0
        self.availability: dict[str, str] = {}
        self.reach: dict[str, Reach] = dict.fromkeys(self.site.staff, Reach.LIVE)
        self.reach["rut"] = Reach.ONE_WAY
        self.push: set[str] = set()  # whose phone a push reaches beside; who is pushable has one
        self.mute_phones: set[str] = set()  # live, and never report that they rang
        self.grace_until = 0
        self.untouched: frozenset[str] = frozenset()
        self.texts = False  # there is a link for text messages
        self.alarms: dict[str, Alarm] = {}
        self.reasons: dict[str, list[Reason]] = {}
        self.effects: dict[str, list[Effect]] = {}
        self.presence: dict[tuple[str, str], int] = {}
        self.twice = True
        self._world: World | None = None

    # -- the world

    @property
    def world(self) -> World:
        """Site, roster and reach of this instant."""
        if self._world is None:
            roster = roster_at(self.site, self.now, self.availability)
            reach = dict(self.reach)
            push = self.push | {s for s, reach in self.reach.items() if reach is Reach.PUSHABLE}
            self._world = World(
                self.site, roster, reach, self.grace_until, self.untouched, self.texts, push
            )  # fmt: skip
        return self._world

    def change_site(self, **fields: Any) -> None:
        """A new version is published; open alarms are asked to look again."""
        self.site = replace(self.site, version=self.site.version + 1, **fields)
        self.tell_all(WorldChanged("site"))

    def publish(self, policy: Policy) -> None:
        """A new version of a policy, chosen by its name only where a rule or a type says so."""
        known = self.site.policies.get(policy.name, {})
        self.change_site(
            policies={**self.site.policies, policy.name: {**known, policy.version: policy}},
            newest={**self.site.newest, policy.name: policy.version},
        )

    def rule(self, *rules: PolicyRule) -> None:
        self.change_site(policy_rules=rules)

    def off_duty(self, *staff: str) -> None:
        """They went home: the roster changed for every open alarm."""
        self._duties([d for d in self.site.duties if d.staff not in staff])

    def on_duty(self, *duties: Duty, instead_of: Iterable[str] = ()) -> None:
        gone = set(instead_of)
        people = {d.staff: Staff(d.staff, d.staff.capitalize(), (d.unit,)) for d in duties}
        for person in people:
            self.reach.setdefault(person, Reach.LIVE)
        self.site = replace(self.site, staff={**people, **self.site.staff})
        self._duties([d for d in self.site.duties if d.staff not in gone] + list(duties))

    def _duties(self, duties: list[Duty]) -> None:
        self.site = replace(self.site, duties=tuple(duties))
        self.tell_all(WorldChanged("roster"))

    def covers(self, *covers: Cover) -> None:
        self.site = replace(self.site, covers=covers)
        self.tell_all(WorldChanged("roster"))

    def available(self, staff: str, state: str) -> None:
        self.availability[staff] = state
        self.tell_all(WorldChanged("roster"))

    def phone(self, staff: str, reach: Reach) -> None:
        """A person's best reach changed."""
        self.reach[staff] = reach
        self.tell_all(WorldChanged("reach", staff, None if reach in IN_CONTACT else self.now))

    def no_phone(self, *staff: str) -> None:
        for person in staff:
            self.phone(person, Reach.NONE)

    def tell_all(self, event: Event) -> None:
        """An event of the world for every open alarm."""
        self._world = None
        for id in list(self.alarms):
            if self.alarms[id].open:
                self.feed(id, event)

    # -- signals

    def press(self, place: str, kind: Kind | str | None = Kind.PATIENT_CALL, **more: Any) -> Call:
        """A start (or `event`); returns the alarm it opened or repeated."""
        (id,) = self.signal(place, kind, **more)
        return Call(self, id)

    def signal(
        self, place: str, kind: Kind | str | None = Kind.PATIENT_CALL, *, event: str = "start", **more: Any
    ) -> list[str]:
        """Any signal of a source; returns the alarms it was for, in order."""
        given = {"source": "plant", **more}
        signal = Signal(
            event=SignalEvent(event), place=path(place), kind=None if kind is None else Kind(kind), **given
        )
        return self.take(signal)

    def take(self, signal: Signal) -> list[str]:
        """A decoded signal, through addressing."""
        if signal.event is SignalEvent.PRESENCE:
            self._presence(signal)
        found: list[str] = []
        for target in address(signal, self, self.world, f"a{len(self.alarms) + 1}", self.now):
            if target.alarm is None:
                assert isinstance(target.event, Raised)
                self._open(target.event)
                found.append(target.event.alarm_id)
            else:
                self.feed(target.alarm, target.event)
                found.append(target.alarm)
        return found

    def reset(self, place: str, kind: Kind | str | None = None, **more: Any) -> list[str]:
        return self.signal(place, kind, event="end", **more)

    def present(self, place: str, present: bool = True, **more: Any) -> list[str]:
        return self.signal(place, None, event="presence", present=present, **more)

    def _presence(self, signal: Signal) -> None:
        key = (signal.source, room_of(signal.place, self.world))
        if signal.present:
            self.presence.setdefault(key, self.now)
        else:
            self.presence.pop(key, None)

    # -- OpenAlarms

    @property
    def open(self) -> list[Alarm]:
        return [a for a in self.alarms.values() if a.open]

    def calls(self, kind: Kind) -> list[Call]:
        """Open alarms of a kind, as something to talk to."""
        return [Call(self, a.id) for a in self.open if a.kind is kind]

    def by_key(self, source: str, key: str) -> Alarm | None:
        return next((a for a in self.open if (source, key) in a.keys), None)

    def ended_elsewhere(self, source: str, key: str) -> str | None:
        named = [a for a in self.alarms.values() if (source, key) in a.keys]
        return named[-1].id if named and named[-1].paths else None

    def in_room(self, room: str) -> list[Alarm]:
        return [a for a in self.open if room and room in (a.place, a.room)]

    def around(self, place: str, room: str, kind: Kind, source: str, now: int) -> Around:
        same = [a for a in self.alarms.values() if a.place == place and a.kind is kind]
        ended = [a for a in same if not a.open]
        last = max(ended, key=lambda a: a.at, default=None)
        inside = (s.staff for a in self.in_room(room) for s in a.acceptances if s.arrived_at is not None)
        return Around(
            presence_since=self.presence.get((source, room)),
            inside=tuple(inside),
            last_ended_at=None if last is None else last.at,
            last_attended=None if last is None else last.last_attended,
            starts_last_hour=sum(now - a.raised_at < 3600 * S for a in same),
            again=len(same),
        )

    # -- the loop

    def at(self, second: float) -> Ward:
        """Let time pass to this second after the start; deadlines fire at their instants, never before."""
        until = T0 + round(second * S)
        assert until >= self.now, "time does not run backwards here"
        while (due := min((a.due for a in self.open if a.due is not None), default=until + 1)) <= until:
            self.now = max(self.now, due)
            for alarm in [a for a in self.open if a.due == due]:
                self._fire(alarm, due)
        self.now = until
        self._world = None
        return self

    def later(self, seconds: float) -> Ward:
        return self.at((self.now - T0) / S + seconds)

    def _fire(self, alarm: Alarm, due: int) -> None:
        event = DeadlinePassed(alarm.turn, due)
        if alarm.at < due:
            early = decide(alarm, event, self.world, due - 1)
            assert early.alarm is alarm, f"{alarm.id} acted 1 ms early"
            assert not early.effects and not early.reasons
        assert self.feed(alarm.id, event).alarm is not alarm, f"{alarm.id}: nothing happened when due"

    def feed(self, id: str, event: Event) -> Decision:
        """One event of an open alarm, twice; then what it led to."""
        self._world = None
        before = self.alarms[id]
        decision = self._decide(before, event)
        self._record(id, decision)
        self._follow(decision)
        return decision

    def _open(self, event: Raised) -> None:
        decision = self._decide(None, event)
        self._record(event.alarm_id, decision)
        self._follow(decision)
        told = set(concerned(self.alarms[event.alarm_id]))
        for drill in [a for a in self.open if a.drill and a.id != event.alarm_id]:
            if told & set(concerned(drill)) and not self.alarms[event.alarm_id].drill:
                self.feed(drill.id, Ended("real_alarm"))

    def _decide(self, before: Alarm | None, event: Event) -> Decision:
        world = self.world
        decision = decide(before, event, world, self.now)
        after = decision.alarm
        assert after is not None
        check(before, event, decision, world, self.now)
        if self.twice and before is not None:
            again = decide(after, event, world, self.now).alarm
            assert again is not None
            if isinstance(event, Raised):
                again = replace(again, count=after.count, version=after.version, rev=after.rev)
            assert again == after, f"the same {type(event).__name__} twice: {again} != {after}"
        return decision

    def _record(self, id: str, decision: Decision) -> None:
        assert decision.alarm is not None
        self.alarms[id] = decision.alarm
        self.reasons.setdefault(id, []).extend(decision.reasons)
        self.effects.setdefault(id, []).extend(decision.effects)

    def _follow(self, decision: Decision) -> None:
        for effect in decision.effects:
            if isinstance(effect, Raise):
                self.take(effect.signal)
        assert decision.alarm is not None
        self.receipts(decision.alarm.id)

    def receipts(self, id: str) -> None:
        """Phones that sound say so."""
        alarm = self.alarms[id]
        for told in alarm.told:
            live = self.reach.get(told.staff) is Reach.LIVE and told.staff not in self.mute_phones
            if live and told.rang_at is None and rings(alarm, told.staff):
                self.feed(id, Rang(told.staff, f"phone-{told.staff}"))


_EVENT = msgspec.json.Decoder(Event)
_ALARM = msgspec.json.Decoder(Alarm)


def check(before: Alarm | None, event: Event, decision: Decision, world: World, now: int) -> None:
    """What holds after every decision, whatever happened."""
    alarm = decision.alarm
    assert alarm is not None
    assert _EVENT.decode(msgspec.json.encode(event)) == event, "an event must survive being stored"
    for reason in decision.reasons:
        assert reason.code in CODES and plain(reason, "sv", world.site)
    if alarm is before:
        return
    assert _ALARM.decode(msgspec.json.encode(alarm)) == alarm, "an alarm must survive being stored"
    assert decision.reasons, "nothing changes without a reason"
    assert alarm.version == (before.version if before else 0) + 1
    assert not alarm.open or alarm.due is not None, "an open alarm without a clock"
    assert alarm.return_at is None or (not alarm.acceptances and alarm.phase is Phase.RINGING)
    assert alarm.open or (not concerned(alarm) and alarm.due is None)
    assert raised_to_floor(alarm.kind, alarm.priority) is alarm.priority
    assert len({t.staff for t in alarm.told}) == len(alarm.told), "told twice"
    if alarm.kind is Kind.ASSAULT:
        assert alarm.person not in {t.staff for t in alarm.told}, "the victim's phone"
    _check_waiting(alarm, world)
    if before is not None:
        _check_since(before, alarm, event)


def _check_waiting(alarm: Alarm, world: World) -> None:
    """No step waits for nobody (design.md promise 2)."""
    waits = alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED) and alarm.answer_at is not None
    if waits and not alarm.drill and Flag.LAST_RESORT not in alarm.flags:
        assert any(t.turn == alarm.turn and _hopeful(alarm, t, world) for t in alarm.told), "waits for nobody"


def _hopeful(alarm: Alarm, told: Told, world: World) -> bool:
    reach = world.reach.get(told.staff, Reach.NONE)
    if told.answer or reach is Reach.NONE:
        return False
    answered = told.texted is not None and (told.texted.failed or told.declined_by_text)
    if reach is Reach.ONE_WAY and answered and not told.paged:
        return False
    if told.rang_at is not None or reach is Reach.ONE_WAY or told.one_way:
        return True
    in_time = alarm.reach_at is not None and alarm.at < alarm.reach_at
    return in_time or (reach is Reach.RECENT and alarm.at < world.grace_until)


_OPENS_AGAIN = (Phase.RINGING, Phase.PARTLY_ACCEPTED)


def _check_since(before: Alarm, alarm: Alarm, event: Event) -> None:
    assert alarm.rev - before.rev in (0, 1) and alarm.turn >= before.turn and alarm.at >= before.at
    assert alarm.turn_rev <= alarm.rev
    if before.phase in (Phase.ACCEPTED, Phase.ATTENDED) and alarm.phase not in _OPENS_AGAIN:
        news = set(concerned(alarm)) - set(concerned(before)) - {a.staff for a in alarm.acceptances}
        assert not news, f"taken, and {news} were told by {type(event).__name__}"
    assert alarm.kind is before.kind or not isinstance(event, Answered)
    if before.kind is not Kind.DRILL:
        rank = list(type(alarm.priority))
        floor = RULES[before.kind].floor
        assert rank.index(alarm.priority) >= rank.index(floor), "below the floor it had"
    if alarm.phase is Phase.ENDED and isinstance(event, (Rang, PresenceChanged, WorldChanged)):
        raise AssertionError("nothing but a reset, staff or time ends an alarm")
