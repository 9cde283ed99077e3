"""Committed state and a batch's view of it: indexes, history, presence, remembered replies."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Path, Phase, Told, concerned
from alarmhub.core.events import Around
from alarmhub.core.kinds import AGAIN_WITHIN_S, Kind
from alarmhub.engine.state import HOUR_MS, REPLIES_KEPT, Overlay, State, urgency
from tests.support.stored import NOW, alarm

MIN = 60_000
BED, ROOM = "f/201/12/2", "f/201/12"


def call(id: str, at: int = NOW, **more: object) -> Alarm:
    """A patient call at the bed, Anna told."""
    usual: dict[str, object] = {
        "place": BED, "room": ROOM, "raised_at": at, "at": at, "told": (Told("anna", 1, at, "unit"),),
    }  # fmt: skip
    return alarm(id, **(usual | more))


def ended(before: Alarm, at: int, **more: object) -> Alarm:
    """The same alarm, reset at `at`."""
    return replace(before, phase=Phase.ENDED, told=(), at=at, **more)


def around(state: State | Overlay, now: int) -> Around:
    """What is known about the bed for a new patient call."""
    seen = state if isinstance(state, Overlay) else Overlay(state)
    return seen.around(BED, ROOM, Kind.PATIENT_CALL, "plant", now)


def test_an_open_alarm_is_found_by_each_of_its_names() -> None:
    """By id, key, room, bed, source and everybody whose phone shows it."""
    state, a = State(), call("a")
    state.put(a)
    assert state.get("a") is a
    assert state.by_key("plant", a.key) is a
    assert list(state.in_room(ROOM)) == [a] == list(state.in_room(BED))
    assert state.of_source("plant") == [a] == state.of_staff("anna")
    assert state.of_staff("bo") == []


def test_an_ended_alarm_leaves_no_entry_behind() -> None:
    """However many come and go, nothing but history is kept, and history is forgotten after an hour."""
    state = State()
    for number in range(500):
        at = NOW + number
        a = call(f"a{number}", at, key=f"k{number}", place=f"place-{number}", kind=Kind.DRILL)
        state.put(a)
        state.put(ended(a, at))
    assert not state.alarms and not state.drills
    assert not any((state._keys, state._rooms, state._staff, state._sources))
    state.forget(NOW + 500 + HOUR_MS)
    assert not state._history


def test_who_is_no_longer_told_no_longer_shows_it() -> None:
    """Released, declined or taken off the list: the alarm leaves that person's phone."""
    state, a = State(), call("a", told=(Told("anna", 1, NOW, "unit"), Told("bo", 1, NOW, "unit")))
    state.put(a)
    state.put(replace(a, told=(Told("bo", 1, NOW, "unit"), Told("anna", 1, NOW, "unit", answer="declined"))))
    assert state.of_staff("anna") == []
    assert len(state.of_staff("bo")) == 1


def test_a_key_that_was_given_on_stays_with_its_new_alarm() -> None:
    """The old alarm of a key ends after the new one of that key was put: the new one stays found."""
    state, old, new = State(), call("old"), call("new")
    state.put(old)
    state.put(ended(old, NOW))
    state.put(new)
    assert state.by_key("plant", new.key) is new


def test_most_urgent_first() -> None:
    """High before low, ringing before taken, the more urgent kind, then the oldest."""
    low, high = call("low"), call("high", priority="high")
    taken, later = call("taken", phase=Phase.ACCEPTED), call("later", NOW + 1)
    wc = call("wc", NOW + 5, kind=Kind.TOILET_CALL)
    found = sorted([taken, later, low, wc, high], key=urgency)
    assert [a.id for a in found] == ["high", "wc", "low", "later", "taken"]


# History: "rings again", "six in an hour"


def test_nothing_is_known_of_a_quiet_bed() -> None:
    """No presence, no history."""
    assert around(State(), NOW) == Around()


def test_a_call_soon_after_a_reset_rings_again() -> None:
    """The second and third within ten minutes of a reset are counted, with who attended last."""
    state = State()
    first = call("a")
    state.put(first)
    state.put(ended(first, NOW + MIN, last_attended="anna"))
    seen = around(state, NOW + 2 * MIN)
    assert (seen.again, seen.last_attended, seen.last_ended_at) == (1, "anna", NOW + MIN)
    second = call("b", NOW + 2 * MIN, again=seen.again)
    state.put(second)
    state.put(ended(second, NOW + 3 * MIN))
    assert around(state, NOW + 4 * MIN).again == 2


def test_a_series_is_broken_after_ten_minutes() -> None:
    """A call later than that is the first of its own series; the hour still counts them both."""
    state = State()
    first = call("a")
    state.put(first)
    state.put(ended(first, NOW + MIN))
    later = NOW + MIN + AGAIN_WITHIN_S * 1000
    assert around(state, later).again == 1
    assert around(state, later + 1).again == 0
    second = call("b", later + 1)
    state.put(second)
    state.put(ended(second, later + 2))
    seen = around(state, later + 3)
    assert (seen.again, seen.starts_last_hour) == (1, 2)


def test_the_hour_slides() -> None:
    """Starts older than an hour no longer count."""
    state = State()
    for number in range(5):
        a = call(f"a{number}", NOW + number * 10 * MIN)
        state.put(a)
        state.put(ended(a, a.at + MIN))
    assert around(state, NOW + 45 * MIN).starts_last_hour == 5
    assert around(state, NOW + 60 * MIN).starts_last_hour == 4


_CALLS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15)), min_size=1, max_size=9)


@given(_CALLS)
def test_a_restart_knows_the_same_history(calls: list[tuple[int, int]]) -> None:
    """What was counted live is what is found after the last hour's alarms are read back."""
    live, at, rows = State(), NOW, []
    for number, (pause_min, length_min) in enumerate(calls):
        at += pause_min * MIN + 1
        a = call(f"a{number}", at, again=around(live, at).again)
        live.put(a)
        at += length_min * MIN
        rows.append(ended(a, at, last_attended=f"nurse-{number}"))
        live.put(rows[-1])
    read = State()
    read.remember_ended([a for a in rows if a.at >= at - HOUR_MS])
    assert around(read, at) == around(live, at)


def test_a_call_that_ended_in_the_batch_it_began_in_counts() -> None:
    """Opened and reset before the commit: never open in memory, and part of the history all the same."""
    state = State()
    state.put(ended(call("a"), NOW + MIN))
    seen = around(state, NOW + 2 * MIN)
    assert (seen.starts_last_hour, seen.again, seen.last_ended_at) == (1, 1, NOW + MIN)
    second = ended(call("b", NOW + 2 * MIN, again=1), NOW + 3 * MIN)
    state.put(second)
    seen = around(state, NOW + 4 * MIN)
    assert (seen.starts_last_hour, seen.again) == (2, 2)


# A batch's view


def test_a_batch_sees_what_it_has_decided_and_the_state_does_not() -> None:
    """New alarms are found by key and room within the batch; a batch that is thrown away leaves no trace."""
    state = State()
    overlay, a = Overlay(state), call("a")
    overlay.put(a)
    assert overlay.by_key("plant", a.key) is a
    assert overlay.get("a") is a and overlay.in_room(ROOM) == [a] == overlay.in_room(BED)
    assert state.get("a") is None and state.by_key("plant", a.key) is None


def test_what_a_batch_ended_is_no_longer_open_to_it() -> None:
    """A reset and a new press in one batch: the press opens another alarm."""
    state, a = State(), call("a")
    state.put(a)
    overlay = Overlay(state)
    overlay.put(ended(a, NOW + MIN))
    assert overlay.by_key("plant", a.key) is None and overlay.in_room(ROOM) == []
    b = call("b", NOW + MIN)
    overlay.put(b)
    assert overlay.by_key("plant", a.key) is b


def test_a_batch_knows_the_reset_it_has_just_decided() -> None:
    """Reset and pressed again within one batch: it rings again, and counts."""
    state, a = State(), call("a")
    state.put(a)
    overlay = Overlay(state)
    overlay.put(ended(a, NOW + MIN, last_attended="anna"))
    seen = around(overlay, NOW + MIN + 1)
    assert (seen.again, seen.last_attended, seen.last_ended_at, seen.starts_last_hour) == (
        1, "anna", NOW + MIN, 1,
    )  # fmt: skip
    overlay.put(ended(call("b", NOW + MIN + 1, again=1), NOW + MIN + 2))
    seen = around(overlay, NOW + MIN + 3)
    assert (seen.again, seen.starts_last_hour) == (2, 2)


def test_a_batch_sees_who_has_just_arrived() -> None:
    """Whoever arrived within the batch is in the room for what comes after."""
    state, a = State(), call("a")
    state.put(a)
    overlay = Overlay(state)
    overlay.put(replace(a, acceptances=(Acceptance("anna", NOW, arrived_at=NOW),)))
    assert around(overlay, NOW).inside == ("anna",)


def test_presence_on_off_on_within_a_batch_is_on() -> None:
    """The last word counts, whatever the committed state says."""
    state = State()
    state.presence["plant", ROOM] = NOW
    overlay = Overlay(state)
    overlay.present("plant", ROOM, None)
    assert around(overlay, NOW + 1).presence_since is None
    assert overlay.present("plant", ROOM, NOW + 2)
    assert around(overlay, NOW + 3).presence_since == NOW + 2


def test_presence_that_is_said_again_began_when_it_was_said_first() -> None:
    """A plant repeats it; how old it is counts from the first."""
    state = State()
    state.presence["plant", ROOM] = NOW
    overlay = Overlay(state)
    assert not overlay.present("plant", ROOM, NOW + MIN)
    assert around(overlay, NOW + MIN).presence_since == NOW


def test_drills_of_the_batch_are_found_too() -> None:
    """A drill that began with this batch can be interrupted in it."""
    state = State()
    old, new = call("old", kind=Kind.DRILL, key="o"), call("new", kind=Kind.DRILL, key="n")
    state.put(old)
    overlay = Overlay(state)
    overlay.put(new)
    assert {a.id for a in overlay.open_drills()} == {"old", "new"}
    overlay.put(ended(old, NOW))
    assert {a.id for a in overlay.open_drills()} == {"new"}


# Replies


def test_replies_are_remembered_and_the_oldest_forgotten_first() -> None:
    """Beyond the bound the memory says that it no longer knows all."""
    state = State()
    for number in range(REPLIES_KEPT):
        state.remember("source:plant", f"id-{number}", b"{}")
    assert state.replies_complete
    state.remember("source:plant", "one more", b"{}")
    assert state.reply("source:plant", "id-0") is None
    assert state.reply("source:plant", "id-1") == b"{}"
    assert not state.replies_complete


_WORDS = st.sampled_from(["", "accepted", "declined", "released", "holding"])
_TOLD = st.dictionaries(st.sampled_from(["anna", "bo", "cia"]), _WORDS, max_size=3)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), _TOLD), max_size=30))
def test_indexes_say_what_the_alarms_say(steps: list[tuple[int, bool, dict[str, str]]]) -> None:
    """After any sequence of changes each index holds exactly what a look at every alarm would find."""
    state = State()
    for number, (id, is_open, told) in enumerate(steps):
        a = call(f"a{id}", NOW + number, key=f"k{id}", kind=Kind.DRILL if id == 4 else Kind.PATIENT_CALL)
        a = replace(a, told=tuple(Told(s, 1, NOW, "unit", answer=w) for s, w in told.items()))
        state.put(a if is_open else ended(a, NOW + number))
        alarms = state.alarms.values()
        for staff in ("anna", "bo", "cia"):
            assert {a.id for a in state.of_staff(staff)} == {a.id for a in alarms if staff in concerned(a)}
        assert {a.id for a in state.in_room(ROOM)} == set(state.alarms)
        assert {a.key for a in alarms} == {k for _, k in state._keys}
        assert state.drills == {a.id for a in alarms if a.drill}


# One event over two paths


def joined(before: Alarm, key: str = "x9") -> Alarm:
    """The same alarm, of which another source has told too."""
    return replace(before, paths=(Path("espa", key, key, before.at),))


def test_a_joined_alarm_is_found_by_what_either_path_calls_it() -> None:
    """By key and by source; nothing is left of it but what it was called, for an hour."""
    state, a = State(), call("a")
    state.put(a)
    assert state.by_key("espa", "x9") is None
    both = joined(a)
    state.put(both)
    assert state.by_key("plant", a.key) is both is state.by_key("espa", "x9")
    assert state.of_source("espa") == [both] == state.of_source("plant")
    state.put(ended(both, NOW + MIN))
    assert not any((state.alarms, state._keys, state._rooms, state._staff, state._sources))
    assert state.ended_elsewhere("espa", "x9") == "a" == state.ended_elsewhere("plant", a.key)
    state.forget(NOW + MIN + HOUR_MS - 1)
    assert state.ended_elsewhere("espa", "x9") == "a"
    state.forget(NOW + MIN + HOUR_MS)
    assert state.ended_elsewhere("espa", "x9") is None


def test_what_is_called_so_again_is_no_longer_the_ended_one() -> None:
    """In whichever order a commit brings the end and the new call."""
    for end_first in (True, False):
        state, both = State(), joined(call("a"))
        state.put(both)
        new = call("b", NOW + MIN, source="espa", key="x9")
        over = ended(both, NOW + MIN)
        for put in (over, new) if end_first else (new, over):
            state.put(put)
        assert state.by_key("espa", "x9") is new and state.ended_elsewhere("espa", "x9") is None
        assert state.ended_elsewhere("plant", both.key) == "a"


def test_an_alarm_of_one_path_that_ended_is_not_named_again() -> None:
    """Nobody else can still send its end."""
    state, a = State(), call("a")
    state.put(a)
    state.put(ended(a, NOW + MIN))
    assert state.ended_elsewhere("plant", a.key) is None


def test_after_a_restart_the_other_paths_end_is_known_still() -> None:
    """From what ended within the hour, unless something is called so again."""
    state, both = State(), joined(call("a"))
    state.remember_ended([ended(both, NOW + MIN)])
    assert state.ended_elsewhere("espa", "x9") == "a"
    state.put(call("b", NOW + MIN, source="espa", key="x9"))
    assert state.ended_elsewhere("espa", "x9") is None


def test_a_batch_finds_what_it_has_joined_and_ended() -> None:
    """Start, join, end and the other end within one batch."""
    state, a = State(), call("a")
    state.put(a)
    overlay, both = Overlay(state), joined(a)
    overlay.put(both)
    assert overlay.by_key("espa", "x9") is both and state.by_key("espa", "x9") is None
    overlay.put(ended(both, NOW + MIN))
    assert overlay.by_key("espa", "x9") is None and overlay.ended_elsewhere("espa", "x9") == "a"
    overlay.put(call("b", NOW + MIN, source="espa", key="x9"))
    assert overlay.ended_elsewhere("espa", "x9") is None
    assert overlay.ended_elsewhere("plant", a.key) == "a"


def test_a_call_of_long_ago_that_is_still_open_counts_for_no_hour() -> None:
    """After a restart it is put after those that ended since, though it began before them."""
    state = State()
    state.remember_ended([ended(call(f"b{n}", NOW - n * 60_000), NOW) for n in range(3)])
    state.put(call("a", NOW - HOUR_MS - 1, key="other"))
    assert around(state, NOW).starts_last_hour == 3
