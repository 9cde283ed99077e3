"""The committed truth in memory: open alarms with their indexes, presence, history, remembered replies.

Advances only after a commit, so it never needs to be reread (design.md, "One writer per shard"). `Overlay`
is a batch's view of it: reads see what the batch has decided so far, nothing underneath changes.
It refuses to decide and to write.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from alarmhub.core.alarm import Alarm, Phase, concerned
from alarmhub.core.events import Around
from alarmhub.core.kinds import AGAIN_WITHIN_S, KIND_URGENCY, PRIORITY_RANK, Kind
from alarmhub.core.roster import Shift
from alarmhub.engine import codes
from alarmhub.engine.codes import Code, SentText

HOUR_MS = 3_600_000
REPLIES_KEPT = 100_000
"""Replies held in memory; older ones (up to 24 h) are asked of the store."""
STARTS_KEPT = 64
"""Starts of one place and kind that are counted; six in an hour are already news."""
PRESENT_KINDS = frozenset({Kind.PATIENT_CALL, Kind.TOILET_CALL})


class History(Struct):
    """What happened lately at one place with one kind. `again`: how many calls the last series has."""

    starts: deque[int]
    last_ended_at: int | None = None
    last_attended: str | None = None
    again: int = 0


class State:
    """Committed state. `put` is called after a commit only."""

    def __init__(self) -> None:
        self.alarms: dict[str, Alarm] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._over: dict[tuple[str, str], Alarm] = {}
        """By what its paths called it: a joined alarm that lately ended, until another is called so."""
        self._rooms: dict[str, set[str]] = {}
        self._staff: dict[str, set[str]] = {}
        self._sources: dict[str, set[str]] = {}
        self.drills: set[str] = set()
        self._history: dict[tuple[str, str], History] = {}
        self.presence: dict[tuple[str, str], int] = {}
        self.availability: dict[str, str] = {}
        self.shifts: dict[str, Shift] = {}
        self.substitutes: dict[str, str] = {}
        """By staff: who answers for this person meanwhile."""
        self.codes: dict[str, tuple[Code, ...]] = {}
        """Of each number that was texted (`engine.codes`)."""
        self.sent_texts: dict[str, SentText] = {}
        """By the network's own id, until it has said what became of them."""
        self.replies: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self.replies_complete = True
        """No reply of the last 24 h has been dropped from memory."""

    def __len__(self) -> int:
        return len(self.alarms)

    def get(self, id: str) -> Alarm | None:
        """One open alarm."""
        return self.alarms.get(id)

    def by_key(self, source: str, key: str) -> Alarm | None:
        """The open alarm of which this source says this key."""
        id = self._keys.get((source, key))
        return self.alarms[id] if id is not None else None

    def ended_elsewhere(self, source: str, key: str) -> str | None:
        """The alarm a joined path called so that lately ended."""
        alarm = self._over.get((source, key))
        return None if alarm is None else alarm.id

    def in_room(self, room: str) -> list[Alarm]:
        """Open alarms at this place, or at any point of this room."""
        ids = self._rooms.get(room)
        return [self.alarms[id] for id in sorted(ids)] if ids else []

    def of_staff(self, staff: str) -> list[Alarm]:
        """Open alarms this person's phone shows, most urgent first."""
        ids = self._staff.get(staff)
        if not ids:
            return []
        return sorted((self.alarms[i] for i in ids), key=urgency)

    def of_source(self, source: str) -> list[Alarm]:
        """Open alarms this source told of."""
        return [self.alarms[i] for i in self._sources.get(source, ())]

    def past(self, place: str, kind: Kind, now: int) -> Around:
        """The history of a place, for a signal there."""
        history = self._history.get((place, kind)) if place else None
        if history is None:
            return Around()
        return Around(
            last_ended_at=history.last_ended_at,
            last_attended=history.last_attended,
            starts_last_hour=sum(start > now - HOUR_MS for start in history.starts),
            again=history.again if _soon(history.last_ended_at, now) else 0,
        )

    def put(self, alarm: Alarm) -> None:
        """Take in a committed alarm."""
        before = self.alarms.get(alarm.id)
        shown = concerned(alarm)
        if before is not None:
            self._unindex(before, alarm, shown)
        else:
            self._note_start(alarm)
        if not alarm.open:
            self.alarms.pop(alarm.id, None)
            self._note_end(alarm)
            return
        self.alarms[alarm.id] = alarm
        if before is None:
            self._index(alarm)
        elif len(alarm.paths) != len(before.paths):
            self._index_keys(alarm)
        # What began as a drill may have become worse.
        (self.drills.add if alarm.drill else self.drills.discard)(alarm.id)
        for staff in shown:
            self._staff.setdefault(staff, set()).add(alarm.id)

    def _index(self, alarm: Alarm) -> None:
        self._index_keys(alarm)
        for room in {alarm.place, alarm.room}:
            if room:
                self._rooms.setdefault(room, set()).add(alarm.id)

    def _index_keys(self, alarm: Alarm) -> None:
        for source, key in alarm.keys:
            self._keys[source, key] = alarm.id
            self._over.pop((source, key), None)
            self._sources.setdefault(source, set()).add(alarm.id)

    def _unindex(self, before: Alarm, after: Alarm, shown: tuple[str, ...]) -> None:
        was = concerned(before)
        if was != shown:
            for staff in set(was).difference(shown):
                _discard(self._staff, staff, before.id)
        if after.open:
            return
        for source, key in before.keys:
            if self._keys.get((source, key)) == before.id:
                del self._keys[source, key]
            _discard(self._sources, source, before.id)
        for room in {before.place, before.room}:
            if room:
                _discard(self._rooms, room, before.id)
        self.drills.discard(before.id)

    def remember_ended(self, alarms: Iterable[Alarm]) -> None:
        """What a start finds of the last hour: who attended, when, and how often it rang matters to the
        next call there."""
        ended = sorted(alarms, key=lambda a: a.raised_at)
        for alarm in ended:
            self._note_start(alarm)
        for alarm in sorted(ended, key=lambda a: a.at):
            self._note_end(alarm)

    def _note_start(self, alarm: Alarm) -> None:
        if not alarm.place:
            return
        history = self._history_of(alarm)
        if not history.starts or alarm.raised_at >= max(history.starts):
            history.again = alarm.again + 1
        history.starts.append(alarm.raised_at)

    def _note_end(self, alarm: Alarm) -> None:
        if alarm.paths:
            self._over.update((key, alarm) for key in alarm.keys if key not in self._keys)
        if alarm.place:
            history = self._history_of(alarm)
            history.last_ended_at = alarm.at
            history.last_attended = alarm.last_attended

    def _history_of(self, alarm: Alarm) -> History:
        return self._history.setdefault((alarm.place, alarm.kind), History(deque(maxlen=STARTS_KEPT)))

    def take_fact(self, scope: str, key: str, body: bytes | None) -> None:
        """What a start finds of the small durable facts."""
        if body is None:
            return
        match scope:
            case "presence":
                source, _, room = key.partition("|")
                self.presence[source, room] = msgspec.json.decode(body, type=int)
            case "availability":
                self.availability[key] = msgspec.json.decode(body, type=str)
            case "shift":
                self.shifts[key] = msgspec.json.decode(body, type=Shift)
            case "substitute":
                self.substitutes[key] = msgspec.json.decode(body, type=str)
            case codes.SCOPE:
                self.codes[key] = msgspec.json.decode(body, type=tuple[Code, ...])
            case codes.SENT_SCOPE:
                self.sent_texts[key] = msgspec.json.decode(body, type=SentText)

    def forget(self, now: int) -> None:
        """Drop history nobody will ask for again."""
        for key in [k for k, h in self._history.items() if _stale(h, now)]:
            del self._history[key]
        for name in [k for k, alarm in self._over.items() if alarm.at <= now - HOUR_MS]:
            del self._over[name]

    def reply(self, scope: str, id: str) -> bytes | None:
        """A remembered reply, from memory only."""
        return self.replies.get((scope, id))

    def keep(self, overlay: Overlay) -> None:
        """What a committed batch decided beside its alarms."""
        for (scope, id), answer in overlay.replies.items():
            self.remember(scope, id, answer)
        for key, since in overlay.presence.items():
            if since is None:
                self.presence.pop(key, None)
            else:
                self.presence[key] = since
        self.codes.update(overlay.codes)
        self.availability.update(overlay.availability)
        self.shifts.update(overlay.shifts)
        for staff, substitute in overlay.substitutes.items():
            self.substitutes[staff] = substitute
            if not substitute:
                del self.substitutes[staff]

    def remember(self, scope: str, id: str, answer: bytes) -> None:
        """Keep a committed reply."""
        self.replies[scope, id] = answer
        if len(self.replies) > REPLIES_KEPT:
            self.replies.popitem(last=False)
            self.replies_complete = False


def _discard(index: dict[str, set[str]], key: str, id: str) -> None:
    ids = index.get(key)
    if ids is not None:
        ids.discard(id)
        if not ids:
            del index[key]


def _inside(alarms: Iterable[Alarm]) -> tuple[str, ...]:
    """Who has arrived at one of these, for what they are not asked to come to."""
    return tuple(
        a.staff
        for alarm in alarms
        if alarm.kind in PRESENT_KINDS
        for a in alarm.acceptances
        if a.arrived_at is not None
    )


def _soon(ended_at: int | None, now: int) -> bool:
    """A call now would be one of the same series."""
    return ended_at is not None and now - ended_at <= AGAIN_WITHIN_S * 1000


def _stale(history: History, now: int) -> bool:
    last = max([*history.starts, history.last_ended_at or 0])
    return last <= now - HOUR_MS


_PHASE_ORDER = {
    Phase.RINGING: 0,
    Phase.PARTLY_ACCEPTED: 1,
    Phase.ACCEPTED: 2,
    Phase.ATTENDED: 3,
    Phase.ENDED: 4,
}


def urgency(alarm: Alarm) -> tuple[int, int, int, int]:
    """Sort key: real before drill and high before low, ringing before taken, urgent kind, oldest first."""
    return (
        -PRIORITY_RANK[alarm.priority],
        _PHASE_ORDER[alarm.phase],
        -KIND_URGENCY[alarm.kind],
        alarm.raised_at,
    )


class Overlay:
    """The state as a batch sees it while it is being decided. Reads fall through; writes stay here."""

    def __init__(self, base: State) -> None:
        self._base = base
        self.changed: dict[str, Alarm] = {}
        self._new_keys: dict[tuple[str, str], str] = {}
        self._new_over: dict[tuple[str, str], str | None] = {}
        self._new_rooms: dict[str, tuple[str, ...]] = {}
        self._new_drills: set[str] = set()
        self._began: dict[tuple[str, str], int] = {}  # (place, kind) → starts
        self._ended: dict[tuple[str, str], Alarm] = {}  # (place, kind) → the last that ended
        self.replies: dict[tuple[str, str], bytes] = {}
        self.presence: dict[tuple[str, str], int | None] = {}
        self.availability: dict[str, str] = {}
        self.shifts: dict[str, Shift] = {}
        self.substitutes: dict[str, str] = {}
        """"" = nobody any more."""
        self.codes: dict[str, tuple[Code, ...]] = {}

    def get(self, id: str) -> Alarm | None:
        """The alarm as decided so far; an ended one only while this batch ended it."""
        alarm = self.changed.get(id)
        return alarm if alarm is not None else self._base.get(id)

    def put(self, alarm: Alarm) -> None:
        """What the batch decided."""
        before = self.get(alarm.id)
        if before is None or len(before.paths) != len(alarm.paths):
            self._new_keys.update(dict.fromkeys(alarm.keys, alarm.id))
            self._new_over.update(dict.fromkeys(alarm.keys))
        if before is None:
            for room in {alarm.place, alarm.room}:
                if room:
                    self._new_rooms[room] = (*self._new_rooms.get(room, ()), alarm.id)
            if alarm.drill:
                self._new_drills.add(alarm.id)
            self._began[alarm.place, alarm.kind] = self._began.get((alarm.place, alarm.kind), 0) + 1
        if not alarm.open:
            self._ended[alarm.place, alarm.kind] = alarm
            if alarm.paths:
                self._new_over.update(dict.fromkeys(alarm.keys, alarm.id))
        self.changed[alarm.id] = alarm

    def by_key(self, source: str, key: str) -> Alarm | None:
        """The open alarm of which this source says this key."""
        id = self._new_keys.get((source, key))
        alarm = self.changed[id] if id is not None else self._base.by_key(source, key)
        if alarm is None:
            return None
        alarm = self.changed.get(alarm.id, alarm)
        return alarm if alarm.open else None

    def ended_elsewhere(self, source: str, key: str) -> str | None:
        """The alarm a joined path called so that lately ended, in this batch or before."""
        if (source, key) in self._new_over:
            return self._new_over[source, key]
        return self._base.ended_elsewhere(source, key)

    def in_room(self, room: str) -> Iterable[Alarm]:
        """Open alarms of a room, those of this batch included."""
        before, new = self._base.in_room(room), self._new_rooms.get(room)
        if not before and not new:
            return []  # nearly always
        found = {a.id: self.changed.get(a.id, a) for a in before}
        for id in new or ():
            found[id] = self.changed[id]
        return [a for a in found.values() if a.open]

    def open_drills(self) -> list[Alarm]:
        """Drills that are still on."""
        if not self._base.drills and not self._new_drills:
            return []
        ids = self._base.drills | self._new_drills
        drills = [self.changed.get(id) or self._base.alarms[id] for id in sorted(ids)]
        return [a for a in drills if a.open and a.drill]

    def around(self, place: str, room: str, kind: Kind, source: str, now: int) -> Around:
        """As the state says, with what the batch has decided."""
        around = self._base.past(place, kind, now)
        ended = self._ended.get((place, kind)) if place else None
        return Around(
            presence_since=self.presence_since(source, room),
            inside=_inside(self.in_room(room)),
            last_ended_at=around.last_ended_at if ended is None else ended.at,
            last_attended=around.last_attended if ended is None else ended.last_attended,
            starts_last_hour=around.starts_last_hour + (self._began.get((place, kind), 0) if place else 0),
            again=around.again if ended is None else (ended.again + 1 if _soon(ended.at, now) else 0),
        )

    def presence_since(self, source: str, room: str) -> int | None:
        """Since when somebody is there, by this source's word."""
        key = (source, room)
        return self.presence[key] if key in self.presence else self._base.presence.get(key)

    def present(self, source: str, room: str, since: int | None) -> bool:
        """Presence began, or ended (None); False: it is known already, and began when it was said first."""
        if (since is None) is (self.presence_since(source, room) is None):
            return False
        self.presence[source, room] = since
        return True

    def codes_of(self, number: str) -> tuple[Code, ...]:
        """The codes of a number, those of this batch included."""
        return self.codes[number] if number in self.codes else self._base.codes.get(number, ())

    def shift(self, staff: str) -> Shift | None:
        """What this person said last of being on duty."""
        said = self.shifts.get(staff)
        return said if said is not None else self._base.shifts.get(staff)

    def substitute(self, staff: str) -> str:
        """Who answers for this person now, "" = nobody."""
        said = self.substitutes.get(staff)
        return said if said is not None else self._base.substitutes.get(staff, "")

    def held_by(self, staff: str) -> list[Alarm]:
        """The open alarms this person has taken."""
        alarms = {**self._base.alarms, **self.changed}
        return [a for a in alarms.values() if a.open and any(t.staff == staff for t in a.acceptances)]

    def reply(self, scope: str, id: str) -> bytes | None:
        """A reply remembered before or given within this batch."""
        known = self.replies.get((scope, id))
        return known if known is not None else self._base.reply(scope, id)
